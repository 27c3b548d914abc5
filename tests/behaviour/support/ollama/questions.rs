//! What a good answer says: questions made of words of the passage in the request.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

/// What `Good` says to a request: an object as its schema describes, or a question where it has none.
pub(crate) fn answer(body: &Value) -> String {
    let seed = body["options"]["seed"].as_u64().unwrap_or_default();
    let mut questions = Questions::new(passage_in(shown(body)), seed);
    match &body["format"] {
        Value::Null => questions.next(),
        Value::String(_) => json!({ "question": questions.next() }).to_string(),
        schema => fill(schema, &mut questions).to_string(),
    }
}

/// The last message of the user that shows a passage, else the last one, else the prompt.
pub(super) fn shown(body: &Value) -> &str {
    let messages: Vec<&Value> = body["messages"].as_array().into_iter().flatten().collect();
    let of_user =
        || messages.iter().rev().filter(|message| message["role"] == "user").map(|message| &message["content"]);
    let with_passage = of_user().find(|text| text.as_str().is_some_and(|text| text.contains("<passage>")));
    with_passage.or_else(|| of_user().next()).unwrap_or(&body["prompt"]).as_str().unwrap_or_default()
}

/// What the last pair of lines `<passage>` and `</passage>` encloses, or the whole text.
pub(super) fn passage_in(text: &str) -> &str {
    let (mut at, mut from, mut passage) = (0, None, text);
    for line in text.split_inclusive('\n') {
        match line.trim() {
            "<passage>" => from = Some(at + line.len()),
            "</passage>" => passage = from.take().map_or(passage, |from| text[from..at].trim_end()),
            _ => {}
        }
        at += line.len();
    }
    passage
}

fn fill(schema: &Value, questions: &mut Questions) -> Value {
    let bound = |name: &str| schema[name].as_u64();
    match schema["type"].as_str().unwrap_or("string") {
        "object" => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(name, schema)| (name.clone(), fill(schema, questions))).collect::<Map<_, _>>().into()
        }
        "array" => {
            let count = bound("minItems").unwrap_or(3).min(bound("maxItems").unwrap_or(u64::MAX));
            (0..count).map(|_| fill(&schema["items"], questions)).collect()
        }
        "integer" | "number" => {
            json!(4.max(bound("minimum").unwrap_or(0)).min(bound("maximum").unwrap_or(u64::MAX)))
        }
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => schema["enum"].get(0).cloned().unwrap_or_else(|| json!(questions.next())),
    }
}

/// What questions are made of: an opening, and what stands between the words before and behind.
const ENGLISH: [(&str, &str); 8] = [
    ("How does", "relate to"),
    ("Why is", "needed for"),
    ("What links", "with"),
    ("When does", "lead to"),
    ("Where is", "used with"),
    ("Which", "goes together with"),
    ("Who needs", "because of"),
    ("Is there", "without"),
];
/// The same in Russian.
const RUSSIAN: [(&str, &str); 8] = [
    ("Как связаны", "и"),
    ("Зачем нужны", "если есть"),
    ("Что общего у", "и"),
    ("Когда бывает", "после"),
    ("Где встречаются", "вместе с"),
    ("Почему важны", "для"),
    ("Кому мешает", "из-за"),
    ("Бывает ли", "без"),
];

/// Questions about a passage, made of words from all over it, in its language where that is Russian.
struct Questions<'a> {
    words: Vec<&'a str>,
    frames: [(&'static str, &'static str); 8],
    hash: u64,
    asked: usize,
}

impl<'a> Questions<'a> {
    fn new(passage: &'a str, seed: u64) -> Self {
        let all: Vec<&str> = words_of(passage).collect();
        let mut known = HashSet::new();
        let mut fresh = |word: &str| known.insert(word.to_lowercase());
        // Short words are rarely what a passage is about.
        let telling = |word: &str| word.chars().count() > 3 || !word.is_ascii() || word.contains(char::is_numeric);
        let words: Vec<&str> = all.iter().copied().filter(|word| telling(word) && fresh(word)).collect();
        let russian = passage.chars().filter(|c| ('а'..='я').contains(c)).count() * 2 > passage.chars().count();
        let frames = if russian { RUSSIAN } else { ENGLISH };
        Self { words: if words.len() < 10 { all } else { words }, frames, hash: mix(seed, passage), asked: 0 }
    }

    fn next(&mut self) -> String {
        let draw = |what: usize| mix(self.hash ^ (self.asked * 31 + what) as u64, "") as usize;
        // A word from each part of the passage. Three at most stand together, so that none is a copy of a sentence.
        let count = 5 + draw(0) % 2;
        let parts = (0..count).map(|part| (self.words.len() * part / count, self.words.len() * (part + 1) / count));
        let picked: Vec<&str> =
            parts.filter(|(from, to)| from < to).map(|(from, to)| self.words[from + draw(to) % (to - from)]).collect();
        let (left, right) = picked.split_at(picked.len() / 2);
        let join = |words: &[&str]| if words.is_empty() { "something".to_owned() } else { words.join(" ") };
        let (opening, joint) = self.frames[self.asked % self.frames.len()];
        self.asked += 1;
        let short = if picked.len() < 3 { " in this short text" } else { "" };
        format!("{opening} {} {joint} {}{short}?", join(left), join(right))
    }
}

/// Words without the punctuation around them; where a script has no spaces, four characters are a word.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let dense = |c: char| ('\u{2e80}'..='\u{9fff}').contains(&c);
    let bare = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    bare.filter(|word| !word.is_empty()).flat_map(move |word| {
        let count = if word.contains(dense) { word.chars().count().div_ceil(4) } else { 1 };
        pieces(word, count)
    })
}

/// A text in so many parts that join to it.
pub(super) fn pieces(text: &str, count: usize) -> impl Iterator<Item = &str> {
    let mut cuts: Vec<usize> = (0..=count).map(|part| text.floor_char_boundary(text.len() * part / count)).collect();
    cuts.dedup();
    (1..cuts.len()).map(move |at| &text[cuts[at - 1]..cuts[at]])
}

/// The same hash everywhere and always (FNV-1a, then a finish that spreads the last bits).
pub(super) fn mix(seed: u64, text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 8
}
