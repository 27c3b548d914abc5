//! What a language model answered: questions, or scores.
//!
//! A model that is held to a schema writes just that, but not every server holds it, and not every version of it. Whatever can
//! be understood is taken; what cannot is told to the model, which then has another try.

use super::kind::{Asked, QuestionKind};
use super::lenient::{Value, said_and_thought, values};

/// Names that models give to the list of questions.
const LISTS: &[&str] =
    &["questions", "queries", "items", "results", "result", "answers", "answer", "output", "response", "data"];
/// Names that models give to a question's text.
const TEXTS: &[&str] = &["question", "query", "text", "value", "content"];
/// Names that models give to a question's kind.
const KINDS: &[&str] = &["kind", "type", "key", "name", "id", "style"];
/// Names that models give to a score.
const SCORES: &[&str] = &["score", "rating", "grade", "value", "judgement", "judgment"];
/// Words before a colon that are no part of a question.
const LABELS: &[&str] = &["q", "question", "query", "вопрос", "запрос", "frage", "pregunta"];

/// Why an answer is of no use; told to the model, and to a person where the model does not learn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::pairs) enum Problem {
    /// Prose only, or broken JSON.
    #[error("no JSON object in the answer")]
    NoJson,
    /// JSON about something else.
    #[error("the object has none of the keys {0}")]
    NoKeys(String),
    /// All strings are empty: as the prompt has it, there is nothing to ask about, so asking again is of little use.
    #[error("every question in the answer is empty")]
    AllEmpty,
    /// No score that means anything.
    #[error("no whole number from 1 to 5 for any of the keys {0}")]
    NoScores(String),
    /// The answer was longer than the model may write.
    #[error("cut off after {0} tokens")]
    CutOff(usize),
}

/// The questions of an answer, in the order asked. Fewer than asked will do; an empty one is none.
pub(in crate::pairs) fn parse(text: &str, asked: &[Asked]) -> Result<Vec<(QuestionKind, String)>, Problem> {
    let found = best(text, asked, |value, slots| questions_of(value, asked, slots), &cleaned)?;
    let Some(slots) = found else { return Err(Problem::NoKeys(keys_of(asked))) };
    let questions: Vec<_> = asked
        .iter()
        .zip(slots)
        .filter_map(|(asked, question)| question.filter(|text| !text.is_empty()).map(|text| (asked.kind, text)))
        .collect();
    if questions.is_empty() { Err(Problem::AllEmpty) } else { Ok(questions) }
}

/// The scores of a judge's answer, by key, from 1 to 5. Fewer than asked will do.
pub(in crate::pairs) fn parse_scores(text: &str, asked: &[Asked]) -> Result<Vec<(String, u8)>, Problem> {
    let found = best(text, asked, |value, slots| scores_of(value, asked, slots), &|score: &str| score.to_owned())?;
    let scores: Vec<_> = asked
        .iter()
        .zip(found.unwrap_or_default())
        .filter_map(|(asked, score)| Some((asked.key.clone(), score.as_deref().and_then(score_from)?)))
        .collect();
    if scores.is_empty() { Err(Problem::NoScores(keys_of(asked))) } else { Ok(scores) }
}

fn keys_of(asked: &[Asked]) -> String {
    asked.iter().map(|asked| asked.key.as_str()).collect::<Vec<_>>().join(", ")
}

/// What is found for each of what was asked.
type Slots = Vec<Option<String>>;

/// The value of a text that says most; the first of two that say as much, since what follows an answer is often a
/// conversation that the model makes up. What the model thought counts only where it said nothing.
fn best(
    text: &str,
    asked: &[Asked],
    read: impl Fn(&Value, &mut Slots),
    clean: &dyn Fn(&str) -> String,
) -> Result<Option<Slots>, Problem> {
    let mut any = false;
    for part in said_and_thought(text) {
        let mut best: Option<(usize, Slots)> = None;
        for value in values(part) {
            any = true;
            let mut slots = vec![None; asked.len()];
            read(&value, &mut slots);
            if slots.iter().all(Option::is_none) {
                continue;
            }
            for slot in slots.iter_mut().flatten() {
                *slot = clean(slot);
            }
            let full = slots.iter().flatten().filter(|text| !text.is_empty()).count();
            if best.as_ref().is_none_or(|(most, _)| full > *most) {
                best = Some((full, slots));
            }
        }
        if let Some((_, slots)) = best {
            return Ok(Some(slots));
        }
    }
    if any { Ok(None) } else { Err(Problem::NoJson) }
}

/// Fills in the questions that a value holds.
fn questions_of(value: &Value, asked: &[Asked], slots: &mut Slots) {
    match value {
        Value::Object(properties) => {
            for (key, value) in properties {
                if let Some(at) = position(key, asked)
                    && let Some(text) = text_in(value)
                {
                    slots[at].get_or_insert(text);
                }
            }
            if slots.iter().any(Option::is_some) {
                return;
            }
            for (key, value) in properties {
                let list = properties.len() == 1 || LISTS.contains(&key.to_lowercase().as_str());
                if list || matches!(value, Value::Object(_)) {
                    questions_of(value, asked, slots);
                }
                if slots.iter().any(Option::is_some) {
                    return;
                }
            }
        }
        Value::Array(elements) => {
            for (nth, element) in elements.iter().enumerate() {
                element_of(nth, element, asked, slots);
            }
        }
        Value::Text(_) | Value::Bare(_) => {}
    }
}

/// Fills in one element of a list: a question with its kind, an object with a key of its own, or only a question, whose kind is
/// then the one asked for in this place.
fn element_of(nth: usize, element: &Value, asked: &[Asked], slots: &mut Slots) {
    let Value::Object(properties) = element else {
        if let (Value::Text(text), true) = (element, nth < slots.len())
            && position(text, asked).is_none()
        {
            slots[nth].get_or_insert_with(|| text.clone());
        }
        return;
    };
    let text = properties.iter().find(|(key, _)| is_one_of(key, TEXTS)).and_then(|(_, value)| text_in(value));
    let kind = properties.iter().filter(|(key, _)| is_one_of(key, KINDS)).find_map(|(_, value)| match value {
        Value::Text(kind) => Some(kind),
        _ => None,
    });
    match (text, kind) {
        (Some(text), Some(kind)) => {
            // A list may name the same kind twice instead of numbering it.
            let of_kind = |at: &usize| slots[*at].is_none() && (key_form(kind) == key_form(asked[*at].kind.word()));
            let exact = position(kind, asked).filter(|at| slots[*at].is_none());
            if let Some(at) = exact.or_else(|| (0..asked.len()).find(of_kind)) {
                slots[at] = Some(text);
            }
        }
        (Some(text), None) if nth < slots.len() => {
            slots[nth].get_or_insert(text);
        }
        _ => {
            for (key, value) in properties {
                if let (Some(at), Some(text)) = (position(key, asked), text_in(value)) {
                    slots[at].get_or_insert(text);
                }
            }
        }
    }
}

/// Fills in the scores that a value holds.
fn scores_of(value: &Value, asked: &[Asked], slots: &mut Slots) {
    match value {
        Value::Object(properties) => {
            for (key, value) in properties {
                if let (Some(at), Some(score)) = (position(key, asked), score_in(value)) {
                    slots[at].get_or_insert(score);
                }
            }
            for (_, value) in properties {
                if slots.iter().all(Option::is_none) {
                    scores_of(value, asked, slots);
                }
            }
        }
        Value::Array(elements) => {
            for (nth, element) in elements.iter().enumerate() {
                if let Value::Object(properties) = element {
                    let kind =
                        properties.iter().filter(|(key, _)| is_one_of(key, KINDS)).find_map(|(_, kind)| match kind {
                            Value::Text(kind) => position(kind, asked),
                            _ => None,
                        });
                    if let (Some(at), Some(score)) = (kind, score_in(element)) {
                        slots[at].get_or_insert(score);
                        continue;
                    }
                }
                if let (Some(score), true) = (score_in(element), nth < slots.len()) {
                    slots[nth].get_or_insert(score);
                }
            }
        }
        Value::Text(_) | Value::Bare(_) => {}
    }
}

/// Which of the questions a key names, whatever its case, its number's form, and whether it is in the plural.
fn position(key: &str, asked: &[Asked]) -> Option<usize> {
    let key = key_form(key);
    asked.iter().position(|asked| key_form(&asked.key) == key)
}

fn key_form(key: &str) -> String {
    let form: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let digits = form.trim_start_matches(|c: char| !c.is_ascii_digit()).to_owned();
    let word = form.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('s');
    if digits == "1" { word.to_owned() } else { format!("{word}{digits}") }
}

fn is_one_of(key: &str, names: &[&str]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(key.trim()))
}

/// The text of a question: a string, the first of several, or one with a name of its own.
fn text_in(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Bare(word) => (word == "null").then(String::new),
        Value::Array(elements) => elements.iter().find_map(|element| match element {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }),
        Value::Object(properties) => properties.iter().find_map(|(key, value)| match value {
            Value::Text(text) if is_one_of(key, TEXTS) => Some(text.clone()),
            _ => None,
        }),
    }
}

fn score_in(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Bare(text) => score_from(text).is_some().then(|| text.clone()),
        Value::Object(properties) => {
            properties.iter().filter(|(key, _)| is_one_of(key, SCORES)).find_map(|(_, value)| match value {
                Value::Object(_) => None,
                value => score_in(value),
            })
        }
        Value::Array(_) => None,
    }
}

/// `4`, `4.0`, `4/5`, `4 out of 5`. What lies between two numbers counts as the lower one, as the prompt has it.
fn score_from(text: &str) -> Option<u8> {
    let number = text.trim().split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let score: f64 = number.parse().ok()?;
    (1.0..=5.0).contains(&score).then_some(score as u8)
}

/// A question without what models put around it: numbering, labels, quotes, emphasis, line breaks. Empty where nothing is left
/// that could be read.
fn cleaned(question: &str) -> String {
    let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = question.as_str();
    // Each turn makes it shorter, so there is an end.
    while let Some(shorter) = without_mark(rest) {
        rest = shorter.trim();
    }
    if rest.chars().any(char::is_alphanumeric) { rest.to_owned() } else { String::new() }
}

fn without_mark(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix(['-', '*', '•', '–', '—']).filter(|rest| rest.starts_with(' ')) {
        return Some(rest);
    }
    if let Some(inner) = without_pair(text) {
        return Some(inner);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=2).contains(&digits)
        && let Some(rest) = text[digits..].strip_prefix(['.', ')', ':']).filter(|rest| rest.starts_with(' '))
    {
        return Some(rest);
    }
    let (label, rest) = text.split_once(':')?;
    let label: String = label.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    let known = LABELS.contains(&label.as_str()) || QuestionKind::ALL.iter().any(|kind| kind.word() == label);
    (known && !rest.trim().is_empty()).then_some(rest)
}

/// What stands between quotes that belong together.
fn without_pair(text: &str) -> Option<&str> {
    const PAIRS: &[(&str, &str)] = &[
        ("**", "**"),
        ("\"", "\""),
        ("“", "”"),
        ("„", "“"),
        ("«", "»"),
        ("'", "'"),
        ("‘", "’"),
        ("`", "`"),
        ("「", "」"),
    ];
    PAIRS.iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        (!inner.contains(open) && !inner.contains(close)).then_some(inner)
    })
}

#[cfg(test)]
mod tests;
