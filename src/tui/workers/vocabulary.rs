//! Compares two vocabularies on the words of the corpus.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;

use super::{Answer as Any, Outbox};
use crate::corpus::Corpus;
use crate::encoder::reference;
use crate::tokenizer::{self, Tokenizer, readable};
use crate::tui::message::Msg;
use crate::workspace::{Kind, Workspace};

/// Passages whose words are compared: enough to know which words matter, few enough to wait for.
const PASSAGES: usize = 20_000;
/// The most frequent words that are compared.
const WORDS: usize = 50_000;
/// Words of a table.
const SHOWN: usize = 15;

/// Which two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The one.
    pub before: String,
    /// The other.
    pub after: String,
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// The difference.
    Compared(Box<Difference>),
    /// Why there is none.
    Failed(String),
}

/// Two vocabularies against each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// The one.
    pub before: String,
    /// The other.
    pub after: String,
    /// Tokens that only the second has, the longest first.
    pub gained: Vec<String>,
    /// Tokens that only the first has, the longest first.
    pub lost: Vec<String>,
    /// Words compared, as often as they stand in the corpus.
    pub words: u64,
    /// The tokens that the first makes of them.
    pub tokens_before: u64,
    /// The tokens that the second makes of them.
    pub tokens_after: u64,
    /// Words that need fewer tokens, by what that saves.
    pub improved: Vec<Words>,
    /// Words that need more.
    pub worsened: Vec<Words>,
}

/// One word under both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// How often it stands in the corpus.
    pub count: u64,
    /// What the first makes of it.
    pub before: Vec<String>,
    /// What the second makes of it.
    pub after: Vec<String>,
}

/// Answers questions until nobody asks any more.
pub(super) fn work(workspace: &Workspace, questions: &Receiver<Question>, outbox: &Outbox) {
    while let Ok(question) = questions.recv() {
        // Only the last question is still of interest.
        let question = questions.try_iter().last().unwrap_or(question);
        let answer = match compare(workspace, &question) {
            Ok(difference) => Answer::Compared(Box::new(difference)),
            Err(problem) => Answer::Failed(problem),
        };
        if !outbox.send(Msg::Answer(Any::Vocabulary(answer))) {
            return;
        }
    }
}

fn compare(workspace: &Workspace, question: &Question) -> Result<Difference, String> {
    let load = |name: &str| -> Result<Tokenizer, String> {
        let found = reference::tokenizer(workspace, Some(name)).map_err(|error| error.to_string())?;
        tokenizer::load(&found.path).map_err(|error| error.to_string())
    };
    let (before, after) = (load(&question.before)?, load(&question.after)?);
    let counts = count_words(workspace)?;
    Ok(difference(question, &before, &after, &counts))
}

/// The most frequent words of the corpus. A word is what white space parts; case and punctuation stay.
fn count_words(workspace: &Workspace) -> Result<Vec<(String, u64)>, String> {
    let artifact = workspace.newest(Kind::Corpus).map_err(|error| error.to_string())?;
    let corpus = Corpus::open(&artifact.path).map_err(|error| error.to_string())?;
    let mut counts: HashMap<String, u64> = HashMap::new();
    for passage in corpus.passages().map_err(|error| error.to_string())?.take(PASSAGES) {
        let passage = passage.map_err(|error| error.to_string())?;
        for word in passage.text.split_whitespace() {
            match counts.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(word.to_owned(), 1);
                }
            }
        }
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(WORDS);
    Ok(counts)
}

fn difference(question: &Question, before: &Tokenizer, after: &Tokenizer, counts: &[(String, u64)]) -> Difference {
    let mut difference =
        Difference { before: question.before.clone(), after: question.after.clone(), ..Difference::default() };
    let (old, new) = (before.get_vocab(true), after.get_vocab(true));
    let only = |of: &HashMap<String, u32>, not: &HashMap<String, u32>| {
        let mut tokens: Vec<String> =
            of.keys().filter(|token| !not.contains_key(*token)).map(|token| readable(token)).collect();
        tokens.sort_by(|a, b| b.chars().count().cmp(&a.chars().count()).then_with(|| a.cmp(b)));
        tokens
    };
    (difference.gained, difference.lost) = (only(&new, &old), only(&old, &new));
    let mut words: Vec<(i64, Words)> = Vec::new();
    for (word, count) in counts {
        // As it stands inside a text, behind a blank.
        let text = format!(" {word}");
        let (Ok(a), Ok(b)) = (before.encode_fast(text.as_str(), false), after.encode_fast(text.as_str(), false)) else {
            continue;
        };
        difference.words += count;
        difference.tokens_before += count * a.len() as u64;
        difference.tokens_after += count * b.len() as u64;
        let saved = *count as i64 * (a.len() as i64 - b.len() as i64);
        if saved != 0 {
            words.push((saved, Words { count: *count, before: pieces(&a), after: pieces(&b) }));
        }
    }
    words.sort_by_key(|(saved, _)| std::cmp::Reverse(*saved));
    difference.improved =
        words.iter().take_while(|(saved, _)| *saved > 0).take(SHOWN).map(|(_, word)| word.clone()).collect();
    difference.worsened =
        words.iter().rev().take_while(|(saved, _)| *saved < 0).take(SHOWN).map(|(_, word)| word.clone()).collect();
    difference
}

fn pieces(encoding: &tokenizers::Encoding) -> Vec<String> {
    encoding.get_tokens().iter().map(|token| readable(token)).collect()
}
