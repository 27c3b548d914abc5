//! How often each word stands in a corpus: hashes and counts, twelve bytes a word.

use ahash::AHashMap;
use rayon::prelude::*;

/// A word without the punctuation around it.
pub fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Words by their hashes. Two of a million words share one with a chance of one in 37 million.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WordTable {
    /// Ascending.
    hashes: Vec<u64>,
    counts: Vec<u32>,
}

impl WordTable {
    /// How often a word stands in the corpus, its case kept and the punctuation around it left out.
    pub fn times(&self, word: &str) -> u64 {
        self.hashes.binary_search(&hash(bare(word))).map_or(0, |at| u64::from(self.counts[at]))
    }

    /// How many distinct words there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The words of some texts.
    #[cfg(test)]
    pub(crate) fn of_texts(texts: &[String]) -> Self {
        let mut counted = AHashMap::new();
        count_words(texts, &mut counted);
        Self::of(&counted)
    }

    pub(super) fn of(counted: &AHashMap<u64, u32>) -> Self {
        let mut rows: Vec<(u64, u32)> = counted.iter().map(|(hash, count)| (*hash, *count)).collect();
        rows.sort_unstable();
        let (hashes, counts) = rows.into_iter().unzip();
        Self { hashes, counts }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let hashes = self.hashes.iter().flat_map(|hash| hash.to_le_bytes());
        hashes.chain(self.counts.iter().flat_map(|count| count.to_le_bytes())).collect()
    }

    /// The table that was written so; `None` where it was not.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rows = bytes.len() / 12;
        let (hashes, counts) = bytes.split_at_checked(rows * 8)?;
        let hashes: Vec<u64> = hashes.as_chunks().0.iter().map(|hash| u64::from_le_bytes(*hash)).collect();
        let counts: Vec<u32> = counts.as_chunks().0.iter().map(|count| u32::from_le_bytes(*count)).collect();
        (bytes.len() == rows * 12 && hashes.is_sorted()).then_some(Self { hashes, counts })
    }
}

/// Adds the words of some texts.
pub(super) fn count_words(texts: &[String], counted: &mut AHashMap<u64, u32>) {
    let parts: Vec<AHashMap<u64, u32>> = texts
        .par_chunks(texts.len().div_ceil(rayon::current_num_threads()).max(1))
        .map(|texts| {
            let mut counts = AHashMap::new();
            for word in texts.iter().flat_map(|text| text.split_whitespace()).map(bare).filter(|word| !word.is_empty())
            {
                *counts.entry(hash(word)).or_insert(0_u32) += 1;
            }
            counts
        })
        .collect();
    for (hash, count) in parts.into_iter().flatten() {
        let total = counted.entry(hash).or_default();
        *total = total.saturating_add(count);
    }
}

/// FNV-1a (Fowler, Noll, Vo) with a finish that mixes its high bits: the same on every machine, as the table is kept.
fn hash(word: &str) -> u64 {
    let hash = word
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_table_counts_words_and_survives_the_disk(texts in prop::collection::vec("[ab (),é]{0,20}", 0..8)) {
            let mut counted = AHashMap::new();
            count_words(&texts, &mut counted);
            let table = WordTable::of(&counted);
            let words = || texts.iter().flat_map(|text| text.split_whitespace()).map(bare).filter(|word| !word.is_empty());
            for word in words() {
                prop_assert_eq!(table.times(word), words().filter(|other| *other == word).count() as u64);
            }
            prop_assert_eq!(table.times("absent"), 0);
            let bytes = table.to_bytes();
            prop_assert_eq!(WordTable::from_bytes(&bytes), Some(table.clone()));
            prop_assert!(bytes.is_empty() || WordTable::from_bytes(&bytes[..bytes.len() - 1]).is_none());
        }
    }

    #[test]
    fn hashes_stay_what_they_are() {
        // A changed hash would make kept tables say that no word was ever seen.
        assert_eq!(hash(""), (0xcbf2_9ce4_8422_2325_u64 ^ 0xcbf2_9ce4).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert_eq!(bare("(valve),"), "valve");
    }
}
