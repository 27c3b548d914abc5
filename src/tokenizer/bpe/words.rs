//! Counting the distinct words of texts as they stream by.
//!
//! A word here is what the pre-tokenizer makes of a text: the unit that merges never cross. It is kept as bytes, each the
//! rank of a character in the byte-level alphabet. White-space words, which ratios are told in, are only counted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::{AHashMap, RandomState};
use rayon::prelude::*;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizer as _, Tokenizer};

use super::{Pace, SPECIAL, refused};
use crate::progress::{Clock, Event, Observer};
use crate::tokenizer::{Error, Result};

/// Parts of the word list that threads lock one by one.
const SHARDS: usize = 64;

/// How often a word stands in the texts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// In the texts to learn from, taken as plain text. Only this has a say in what is merged.
    pub(super) learned: u64,
    /// In the same texts as the finished tokenizer will read them. It differs where a text holds a special token, written
    /// out: that is cut out before anything else looks at the text.
    pub(super) train: u64,
    /// In the held-out texts as the finished tokenizer will read them.
    pub(super) heldout: u64,
}

/// What all texts of a kind hold, beside the words of the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    /// Words between white space.
    pub(super) words: u64,
    /// Special tokens, written out in the text.
    pub(super) special: u64,
}

/// The distinct words of all texts.
#[derive(Default)]
pub(super) struct Words {
    shards: Vec<Mutex<AHashMap<Box<[u8]>, Counts>>>,
    hasher: RandomState,
    train: Tally,
    heldout: Tally,
}

#[derive(Default)]
struct Tally {
    words: AtomicU64,
    special: AtomicU64,
}

/// What cuts texts into words.
pub(super) struct Reader {
    /// The pipeline without special tokens: what is learned from.
    pub(super) plain: Tokenizer,
    /// The pipeline with them: what the finished tokenizer will do.
    pub(super) finished: Tokenizer,
    /// The byte-level alphabet, in the order of its character codes.
    pub(super) alphabet: Vec<char>,
}

impl Words {
    /// Counts the words of both streams, `total` texts where that is known, with as many threads as there are.
    pub(super) fn count(
        reader: &Reader,
        texts: impl Iterator<Item = String> + Send,
        heldout: impl Iterator<Item = String> + Send,
        total: Option<usize>,
        observer: &dyn Observer,
        clock: &dyn Clock,
    ) -> Result<Self> {
        let mut words = Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), ..Self::default() };
        let mut pace = Pace::new(clock);
        let mut read = 0;
        words.stream(texts, &mut read, total, &mut pace, observer, |words, text| words.add_train(reader, text))?;
        words.stream(heldout, &mut read, total, &mut pace, observer, |words, text| words.add_heldout(reader, text))?;
        observer.on(Event::progress(read, total, "passages"));
        Ok(words)
    }

    fn stream(
        &mut self,
        texts: impl Iterator<Item = String> + Send,
        read: &mut usize,
        total: Option<usize>,
        pace: &mut Pace<'_>,
        observer: &dyn Observer,
        add: impl Fn(&Self, &str) -> Result<()> + Sync,
    ) -> Result<()> {
        let texts = texts.take_while(|_| !observer.stop_requested()).inspect(|_| {
            *read += 1;
            if pace.due() {
                observer.on(Event::progress(*read, total, "passages"));
            }
        });
        texts.par_bridge().try_for_each(|text| add(self, &text))?;
        if observer.stop_requested() { Err(Error::Stopped) } else { Ok(()) }
    }

    fn add_train(&self, reader: &Reader, text: &str) -> Result<()> {
        if SPECIAL.iter().any(|token| text.contains(token)) {
            self.add(&reader.plain, reader, text, |counts| counts.learned += 1)?;
            self.train.add(text, self.add(&reader.finished, reader, text, |counts| counts.train += 1)?);
        } else {
            let both = |counts: &mut Counts| {
                counts.learned += 1;
                counts.train += 1;
            };
            self.train.add(text, self.add(&reader.finished, reader, text, both)?);
        }
        Ok(())
    }

    fn add_heldout(&self, reader: &Reader, text: &str) -> Result<()> {
        self.heldout.add(text, self.add(&reader.finished, reader, text, |counts| counts.heldout += 1)?);
        Ok(())
    }

    /// Counts each word of a text; returns how many special tokens were cut out of it.
    fn add(&self, tokenizer: &Tokenizer, reader: &Reader, text: &str, count: impl Fn(&mut Counts)) -> Result<u64> {
        let mut pieces = tokenizer.get_added_vocabulary().extract_and_normalize(tokenizer.get_normalizer(), text);
        if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces).map_err(|error| refused(&error))?;
        }
        let (mut special, mut word) = (0, Vec::new());
        for (piece, _, tokens) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            if let Some(tokens) = tokens {
                special += tokens.len() as u64;
                continue;
            }
            word.clear();
            word.extend(piece.chars().filter_map(|c| reader.rank(c)));
            let shard = &self.shards[self.hasher.hash_one(&word[..]) as usize % SHARDS];
            // A count that panicked leaves a map as valid as before.
            let mut shard = shard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match shard.get_mut(&word[..]) {
                Some(counts) => count(counts),
                None => count(shard.entry(word[..].into()).or_default()),
            }
        }
        Ok(special)
    }

    /// What the texts to learn from hold.
    pub(super) fn train(&self) -> Whole {
        self.train.whole()
    }

    /// What the held-out texts hold.
    pub(super) fn heldout(&self) -> Whole {
        self.heldout.whole()
    }

    /// The words, in no order; each list is freed when it has been read.
    pub(super) fn into_counts(self) -> impl Iterator<Item = (Box<[u8]>, Counts)> {
        let shards = self.shards.into_iter();
        shards.flat_map(|shard| shard.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Tally {
    fn add(&self, text: &str, special: u64) {
        self.words.fetch_add(text.split_whitespace().count() as u64, Ordering::Relaxed);
        self.special.fetch_add(special, Ordering::Relaxed);
    }

    fn whole(&self) -> Whole {
        Whole { words: self.words.load(Ordering::Relaxed), special: self.special.load(Ordering::Relaxed) }
    }
}

impl Reader {
    /// A character's place in the alphabet; the pre-tokenizer writes no others.
    fn rank(&self, c: char) -> Option<u8> {
        self.alphabet.binary_search(&c).ok().map(|rank| rank as u8)
    }
}
