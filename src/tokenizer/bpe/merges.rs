//! Finding the most frequent pair of neighbours and making it one token, over and over.
//!
//! Three facts keep this cheap. A merge changes only the words that hold its pair, so each pair has a list of them. A
//! merge never makes an old pair more frequent, so a stale count in the queue is an upper bound, put right when it comes
//! to the top. And a pair that has become too rare never comes back, so all that is known of it is dropped.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ahash::AHashMap;

use super::words::{Counts, Words};
use crate::progress::Observer;
use crate::tokenizer::{Error, Result};

/// Ids of two neighbouring tokens.
pub(super) type Pair = (u32, u32);

/// Words between two looks at whether to stop.
const STOP_EVERY: usize = 1 << 14;

/// The words of all texts as tokens, while they are merged.
pub(super) struct Merger<'a> {
    /// The tokens of all words, one word behind the other; a merged word leaves a gap.
    symbols: Vec<u32>,
    words: Vec<Word>,
    pairs: AHashMap<Pair, Places>,
    /// Most frequent first; of two as frequent, the smaller ids first.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
    /// A pair that is rarer is not merged; at least 1.
    min_frequency: u64,
    train_tokens: u64,
    heldout_tokens: u64,
    observer: &'a dyn Observer,
}

struct Word {
    start: usize,
    len: u32,
    counts: Counts,
}

/// Where a pair is.
#[derive(Default)]
struct Places {
    /// How often it stands in the texts to learn from.
    count: u64,
    /// The words that hold it, by index; some no longer do.
    words: Vec<u32>,
}

impl Places {
    fn add(&mut self, word: u32, count: u64) {
        self.count += count;
        // Words are looked at one after the other: a word that is listed already is the last.
        if self.words.last() != Some(&word) {
            self.words.push(word);
        }
    }
}

impl<'a> Merger<'a> {
    /// Takes over the words; the alphabet's ids begin at `first`.
    pub(super) fn new(words: Words, first: u32, min_frequency: u64, observer: &'a dyn Observer) -> Result<Self> {
        let mut merger = Self {
            symbols: Vec::new(),
            words: Vec::new(),
            pairs: AHashMap::new(),
            queue: BinaryHeap::new(),
            min_frequency: min_frequency.max(1),
            train_tokens: 0,
            heldout_tokens: 0,
            observer,
        };
        for (word, counts) in words.into_counts() {
            let index = merger.words.len();
            merger.check_stop(index)?;
            let start = merger.symbols.len();
            merger.symbols.extend(word.iter().map(|rank| first + u32::from(*rank)));
            for pair in merger.symbols[start..].windows(2) {
                merger.pairs.entry((pair[0], pair[1])).or_default().add(index as u32, counts.learned);
            }
            merger.train_tokens += counts.train * word.len() as u64;
            merger.heldout_tokens += counts.heldout * word.len() as u64;
            merger.words.push(Word { start, len: word.len() as u32, counts });
        }
        let pairs = std::mem::take(&mut merger.pairs);
        merger.admit(pairs);
        Ok(merger)
    }

    /// The pair to merge next and how often it stands in the texts; none: all are too rare.
    pub(super) fn most_frequent(&mut self) -> Option<(Pair, u64)> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            let now = self.pairs.get(&pair).map_or(0, |places| places.count);
            if now == count {
                return Some((pair, count));
            } else if now >= self.min_frequency {
                self.queue.push((now, Reverse(pair)));
            } else {
                self.pairs.remove(&pair);
            }
        }
        None
    }

    /// Makes a pair one token, wherever it stands.
    pub(super) fn merge(&mut self, pair: Pair, merged: u32) -> Result<()> {
        let Some(places) = self.pairs.remove(&pair) else { return Ok(()) };
        // Every pair that a merge makes has the new token in it.
        let mut made: AHashMap<Pair, Places> = AHashMap::new();
        for (done, &index) in places.words.iter().enumerate() {
            self.check_stop(done)?;
            self.merge_word(index, pair, merged, &mut made);
        }
        self.admit(made);
        Ok(())
    }

    /// Merges from left to right within one word, and moves what is behind to the front.
    fn merge_word(&mut self, index: u32, pair: Pair, merged: u32, made: &mut AHashMap<Pair, Places>) {
        let word = &mut self.words[index as usize];
        let symbols = &mut self.symbols[word.start..word.start + word.len as usize];
        let count = word.counts.learned;
        let (mut from, mut to) = (0, 0);
        while from < symbols.len() {
            if symbols[from] != pair.0 || symbols.get(from + 1) != Some(&pair.1) {
                symbols[to] = symbols[from];
                from += 1;
                to += 1;
                continue;
            }
            if to > 0 {
                let left = symbols[to - 1];
                if left == merged {
                    // The two stood side by side: what the first was to the second is already among the new pairs.
                    made.entry((merged, pair.0)).and_modify(|places| places.count -= count);
                } else {
                    lose(&mut self.pairs, (left, pair.0), count);
                }
                made.entry((left, merged)).or_default().add(index, count);
            }
            if let Some(&right) = symbols.get(from + 2) {
                lose(&mut self.pairs, (pair.1, right), count);
                made.entry((merged, right)).or_default().add(index, count);
            }
            symbols[to] = merged;
            from += 2;
            to += 1;
        }
        let shorter = u64::from(word.len) - to as u64;
        word.len = to as u32;
        self.train_tokens -= shorter * word.counts.train;
        self.heldout_tokens -= shorter * word.counts.heldout;
    }

    /// Takes in new pairs that are frequent enough ever to be merged. Those of held-out words alone count nothing.
    fn admit(&mut self, pairs: AHashMap<Pair, Places>) {
        for (pair, places) in pairs {
            if places.count >= self.min_frequency {
                self.queue.push((places.count, Reverse(pair)));
                self.pairs.insert(pair, places);
            }
        }
    }

    /// Tokens of the texts to learn from, as the merges so far leave them; special tokens are not among them.
    pub(super) fn train_tokens(&self) -> u64 {
        self.train_tokens
    }

    /// Tokens of the held-out texts, likewise.
    pub(super) fn heldout_tokens(&self) -> u64 {
        self.heldout_tokens
    }

    fn check_stop(&self, done: usize) -> Result<()> {
        if done.is_multiple_of(STOP_EVERY) && self.observer.stop_requested() { Err(Error::Stopped) } else { Ok(()) }
    }
}

/// A pair stands in fewer places. One that is being merged, or was dropped as too rare, is not known any more.
fn lose(pairs: &mut AHashMap<Pair, Places>, pair: Pair, count: u64) {
    if let Some(places) = pairs.get_mut(&pair) {
        places.count -= count;
    }
}
