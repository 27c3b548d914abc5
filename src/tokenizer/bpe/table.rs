//! Distinct words and how often each stands in the texts.

use ahash::{AHashMap, RandomState};

/// How often a word stands in the texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// In the texts to learn from, taken as plain text. Only this has a say in what is merged.
    pub(super) learned: u64,
    /// In the held-out texts, as the finished tokenizer will read them.
    pub(super) heldout: u64,
    /// How much more often it stands in the texts to learn from as the finished tokenizer will read them. It differs from
    /// 0 where a text holds a special token, written out: that is cut out before anything else looks at the text.
    pub(super) correction: i64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.learned += other.learned;
        self.heldout += other.heldout;
        self.correction += other.correction;
    }
}

/// Words, each once, and their counts. The words' bytes stand one behind the other in one place, so that a word costs
/// some 25 bytes beside its own.
#[derive(Default)]
pub(super) struct Table {
    bytes: Vec<u8>,
    /// Where each word ends, and the next begins.
    ends: Vec<u32>,
    learned: Vec<u64>,
    /// As long as the last word that stands in a held-out text needs.
    heldout: Vec<u64>,
    corrections: AHashMap<u32, i64>,
    /// Open addressing: a part of the hash and the word's number plus one, 0 where there is none.
    slots: Vec<(u32, u32)>,
    hasher: RandomState,
}

impl Table {
    /// Slots of a table that begins.
    const LEAST: usize = 1 << 10;
    /// A table with more bytes of words is full, whatever memory there is: [`Self::ends`] reach no further.
    const MOST: usize = 1 << 31;

    /// Counts a word.
    pub(super) fn add(&mut self, word: &[u8], counts: Counts) {
        let index = self.index(word);
        self.learned[index as usize] += counts.learned;
        if counts.heldout > 0 {
            if self.heldout.len() <= index as usize {
                self.heldout.resize(index as usize + 1, 0);
            }
            self.heldout[index as usize] += counts.heldout;
        }
        if counts.correction != 0 {
            *self.corrections.entry(index).or_default() += counts.correction;
        }
    }

    fn index(&mut self, word: &[u8]) -> u32 {
        if self.slots.len() * 3 <= self.ends.len() * 4 {
            self.grow();
        }
        let hash = self.hasher.hash_one(word);
        let mask = self.slots.len() - 1;
        let (tag, mut at) = ((hash >> 32) as u32, hash as usize & mask);
        loop {
            let (seen, index) = self.slots[at];
            if index == 0 {
                self.bytes.extend_from_slice(word);
                self.ends.push(self.bytes.len() as u32);
                self.learned.push(0);
                self.slots[at] = (tag, self.ends.len() as u32);
                return self.ends.len() as u32 - 1;
            }
            if seen == tag && self.word(index as usize - 1) == word {
                return index - 1;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(Self::LEAST);
        self.slots = Vec::new(); // before the new ones: both together are the most a table needs
        self.slots.resize(slots, (0, 0));
        for index in 0..self.ends.len() {
            let hash = self.hasher.hash_one(self.word(index));
            let mut at = hash as usize & (slots - 1);
            while self.slots[at].1 != 0 {
                at = (at + 1) & (slots - 1);
            }
            self.slots[at] = ((hash >> 32) as u32, index as u32 + 1);
        }
    }

    /// How many words there are.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// A word's bytes.
    pub(super) fn word(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start as usize..self.ends[index] as usize]
    }

    /// A word's counts.
    pub(super) fn counts(&self, index: usize) -> Counts {
        Counts {
            learned: self.learned[index],
            heldout: self.heldout.get(index).copied().unwrap_or(0),
            correction: self.corrections.get(&(index as u32)).copied().unwrap_or(0),
        }
    }

    /// The words and their counts, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Counts)> {
        (0..self.len()).map(|index| (self.word(index), self.counts(index)))
    }

    /// Memory that it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.bytes.len() + 4 * self.ends.len() + 8 * (self.learned.len() + self.heldout.len() + self.slots.len())
    }

    /// Whether it should take no more words, at most `limit` bytes being allowed.
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.memory() > limit || self.bytes.len() > Self::MOST
    }

    /// No longer looks words up: that alone takes a third of its memory.
    pub(super) fn close(&mut self) {
        self.slots = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_as_a_map_does(
            words in prop::collection::vec(("[ab]{0,12}|\\PC{0,3}", 0_u64..5, 0_u64..3, -2_i64..3), 0..3000),
        ) {
            let (mut table, mut map) = (Table::default(), BTreeMap::<Vec<u8>, Counts>::new());
            for (word, learned, heldout, correction) in words {
                let counts = Counts { learned, heldout, correction };
                table.add(word.as_bytes(), counts);
                *map.entry(word.into_bytes()).or_default() += counts;
            }
            let found: BTreeMap<Vec<u8>, Counts> = table.iter().map(|(word, counts)| (word.to_vec(), counts)).collect();
            prop_assert_eq!(table.len(), found.len());
            prop_assert_eq!(found, map);
        }
    }
}
