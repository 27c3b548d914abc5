//! Finding the passages of imported pairs in the corpus, by text.

use std::collections::HashMap;

use crate::corpus::{Fold, Passage};
use crate::workspace::short_id;

/// Shares of the passages that the corpus does not hold: up to here train, up to here dev, the rest test.
const TRAIN_UNTIL: f64 = 0.8;
const DEV_UNTIL: f64 = 0.9;

/// The passages of a corpus: their places, not their texts.
#[derive(Debug)]
pub(super) struct Known {
    seed: u64,
    /// By the hash of the text, whitespace aside.
    by_text: HashMap<String, usize>,
    by_id: HashMap<String, usize>,
    places: Vec<(String, String, Fold)>,
}

/// Where a text belongs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) document: String,
    pub(super) fold: Fold,
    /// The text itself, where the corpus does not hold it.
    pub(super) text: Option<String>,
}

impl Known {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, by_text: HashMap::new(), by_id: HashMap::new(), places: Vec::new() }
    }

    pub(super) fn add(&mut self, passage: &Passage) {
        let at = self.places.len();
        // Of passages with equal texts the first stands for all.
        self.by_text.entry(key_of(&passage.text)).or_insert(at);
        self.by_id.insert(passage.id.clone(), at);
        self.places.push((passage.id.clone(), passage.document.clone(), passage.fold));
    }

    /// The place of a text, or of a passage's id. `fold` is what the file says of it, and holds only where the corpus says nothing.
    pub(super) fn place(&self, text: &str, fold: Option<Fold>) -> Place {
        if let Some(&at) = self.by_text.get(&key_of(text)).or_else(|| self.by_id.get(text)) {
            let (id, document, fold) = self.places[at].clone();
            return Place { id, document, fold, text: None };
        }
        let id = short_id(&[text]);
        let fold = fold.unwrap_or_else(|| self.drawn(text));
        Place { document: id.clone(), id, fold, text: Some(text.to_owned()) }
    }

    /// Equal texts draw the same fold, whichever row they stand in.
    fn drawn(&self, text: &str) -> Fold {
        // A short id is 64 bits in hexadecimal digits.
        let drawn = u64::from_str_radix(&short_id(&[&self.seed.to_string(), &key_of(text)]), 16).unwrap_or_default();
        match drawn as f64 / u64::MAX as f64 {
            share if share < TRAIN_UNTIL => Fold::Train,
            share if share < DEV_UNTIL => Fold::Dev,
            _ => Fold::Test,
        }
    }
}

fn key_of(text: &str) -> String {
    short_id(&[&text.split_whitespace().collect::<Vec<_>>().join(" ")])
}
