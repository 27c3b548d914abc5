//! What a student is taught on: everything that may be asked or found.

use std::collections::HashSet;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::corpus::sentences;

/// Words of the shortest sentence that says something.
const LEAST_WORDS: usize = 3;
/// Phrases taken from each passage: as long as what people type.
const PHRASES: usize = 2;
/// Words of a phrase.
const PHRASE_WORDS: std::ops::RangeInclusive<usize> = 3..=10;

/// Each passage, its sentences, and a few phrases of it, each text once, in the order in which they are met.
pub(in crate::jobs) fn texts_of<'a>(passages: impl IntoIterator<Item = &'a str>, seed: u64) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut seen, mut texts) = (HashSet::new(), Vec::new());
    for passage in passages {
        let mut add = |text: &str| {
            if seen.insert(crate::training::text_key(text)) {
                texts.push(text.to_owned());
            }
        };
        add(passage);
        for sentence in sentences(passage).filter(|text| text.split_whitespace().count() >= LEAST_WORDS) {
            add(sentence);
        }
        let words: Vec<&str> = passage.split_whitespace().collect();
        for _ in 0..PHRASES {
            let count = rng.random_range(PHRASE_WORDS);
            if words.len() > count {
                let start = rng.random_range(0..words.len() - count);
                add(&words[start..start + count].join(" "));
            }
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_sentences_and_phrases_are_taught_once_each() {
        let passage = "The relief valve lifts at eighteen bar. It closes again below sixteen bar. Yes.";
        let texts = texts_of([passage, passage], 1);
        assert!(texts.contains(&passage.to_owned()));
        assert!(texts.contains(&"It closes again below sixteen bar.".to_owned()));
        assert!(!texts.contains(&"Yes.".to_owned()));
        let unique: HashSet<&String> = texts.iter().collect();
        assert_eq!(unique.len(), texts.len());
        assert!(texts.len() > 4, "phrases too: {texts:?}");
        assert_eq!(texts, texts_of([passage, passage], 1));
    }
}
