//! Tokens per word: how badly a tokenizer shreds a text.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Tokens per word from which a corpus deserves a tokenizer of its own.
pub const THRESHOLD: f64 = 1.25;

/// Words and the tokens they became.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragmentation {
    /// Words, separated by white space.
    pub words: u64,
    /// Tokens, special tokens left out.
    pub tokens: u64,
}

/// What the ratio means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// At or under the threshold.
    Good,
    /// Over it.
    Fragmented,
}

impl Fragmentation {
    /// Tokens per word; 0 where there are no words.
    pub fn ratio(self) -> f64 {
        if self.words == 0 { 0.0 } else { self.tokens as f64 / self.words as f64 }
    }

    /// What the ratio means.
    pub fn verdict(self) -> Verdict {
        if self.ratio() > THRESHOLD { Verdict::Fragmented } else { Verdict::Good }
    }
}

impl Add for Fragmentation {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { words: self.words + other.words, tokens: self.tokens + other.tokens }
    }
}

impl AddAssign for Fragmentation {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// A word that costs many tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorstWord {
    /// The word, without the punctuation around it.
    pub word: String,
    /// How often it stands in the texts.
    pub count: u64,
    /// What it is split into.
    pub pieces: Vec<String>,
}

impl WorstWord {
    /// Tokens beyond one a word, over all its occurrences.
    pub fn cost(&self) -> u64 {
        self.count * (self.pieces.len() as u64).saturating_sub(1)
    }
}
