//! A set of pairs as it is shown: questions by passage, and where the passages' texts are. No text but the questions'.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::Damage;

/// A set of pairs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Set {
    /// What it is called: `cold-pairs@v2`.
    pub reference: String,
    /// Passages that have questions, kept or rejected, in the order of the documents.
    pub passages: Vec<Passage>,
    /// All questions, by passage; a question of several passages stands with each.
    pub items: Vec<Item>,
    /// Kinds of questions and reasons to reject them, which items point into.
    pub words: Vec<Arc<str>>,
    /// Rows to train on.
    pub train: usize,
    /// Rows that choose the checkpoint.
    pub dev: usize,
    /// What was rejected, by reason; lines that could not be imported among them.
    pub rejected: BTreeMap<String, usize>,
    /// The corpus whose passages are shown: `corpus@v1`.
    pub corpus: String,
    /// Lines that cannot be read, and whatever else is wrong with the files.
    pub damage: Damage,
}

/// A passage with questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Its id.
    pub id: Arc<str>,
    /// Its document's path, and the headings above it: `manuals/defrost.txt › Hot gas`; of one that is in no document, its
    /// id.
    pub title: Arc<str>,
    /// Where its text is.
    pub place: Place,
    /// Its questions.
    pub items: Range<u32>,
    /// How many of them were kept.
    pub kept: u32,
    /// How many a filter rejected.
    pub rejected: u32,
    /// What a filter of words looks through, in lower case: title and questions.
    pub haystack: Box<str>,
}

/// Where a passage's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the corpus, at a byte of `passages.jsonl`.
    Corpus(u64),
    /// With a row of the set: the byte at which the row's line begins.
    Row(Kept, u64),
    /// Nowhere: the passage is not in the corpus.
    Gone,
}

/// Which of a set's files a row stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// `train.jsonl`.
    Train,
    /// `dev.jsonl`.
    Dev,
    /// `rejected.jsonl`.
    Rejected,
}

/// A question of a passage.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its id.
    pub query_id: Arc<str>,
    /// What it asks, as the set has it.
    pub query: Arc<str>,
    /// Its kind, in the set's words: `title`, `cloze`, a file's name.
    pub source: u16,
    /// The filter that rejected it, in the set's words.
    pub reason: Option<u16>,
    /// Where it stands.
    pub kept: Kept,
    /// Whether it is asked of the passage without its own sentence.
    pub altered: bool,
    /// What a person said of it.
    pub mark: Option<Marked>,
}

/// What a person said of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Whether it stays.
    pub accepted: bool,
    /// Its new words.
    pub query: Option<Arc<str>>,
}

impl Item {
    /// What it asks, in its newest words.
    pub fn asks(&self) -> &str {
        self.mark.as_ref().and_then(|mark| mark.query.as_deref()).unwrap_or(&self.query)
    }

    /// Whether it stays, as things are: a person has the last word, before that the filters.
    pub fn stays(&self) -> bool {
        self.mark.as_ref().map_or(self.reason.is_none(), |mark| mark.accepted)
    }

    /// Whether its words were changed.
    pub fn is_edited(&self) -> bool {
        self.asks() != &*self.query
    }
}

impl Set {
    /// The questions of a passage.
    pub fn items_of(&self, passage: usize) -> &[Item] {
        let range = self.passages.get(passage).map_or(0..0, |passage| passage.items.clone());
        &self.items[range.start as usize..range.end as usize]
    }

    /// A word that items point to.
    pub fn word(&self, at: u16) -> &str {
        self.words.get(usize::from(at)).map_or("", |word| word)
    }

    /// Rows that were rejected.
    pub fn rejected_rows(&self) -> usize {
        self.rejected.values().sum()
    }
}
