//! Which examples make a batch.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::{Error, Result, mix};
use crate::workspace::{Digest, Hasher};

/// What one line of the training data says. Examples share the ids of a text that stands in several.
#[derive(Debug, Clone, PartialEq)]
pub enum Example {
    /// A query, its right passage and wrong ones, tokenized.
    Pair {
        /// Token ids of the query.
        query: Arc<[u32]>,
        /// Token ids of the passage that answers it.
        positive: Arc<[u32]>,
        /// Token ids of passages that do not.
        negatives: Vec<Arc<[u32]>>,
        /// A key of every text in it, by [`text_key`]: two examples that share one never share a batch.
        keys: Vec<u64>,
    },
    /// A text, and the embedding that a teacher gives it.
    Lesson {
        /// Token ids of the text.
        text: Arc<[u32]>,
        /// What its embedding should be, of any length but zero.
        target: Arc<[f32]>,
    },
}

impl Example {
    /// The texts in it, the query first.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u32]> {
        let (first, positive, negatives): (_, _, &[Arc<[u32]>]) = match self {
            Self::Pair { query, positive, negatives, .. } => (query, Some(positive), negatives),
            Self::Lesson { text, .. } => (text, None, &[]),
        };
        std::iter::once(first).chain(positive).chain(negatives).map(|text| &**text)
    }

    /// Keys of texts that no other example of its batch may hold.
    fn keys(&self) -> &[u64] {
        match self {
            Self::Pair { keys, .. } => keys,
            Self::Lesson { .. } => &[],
        }
    }
}

/// A number that stands for a text.
pub fn text_key(text: &str) -> u64 {
    let digest = crate::workspace::digest_bytes(text);
    u64::from_str_radix(&digest.as_str()[..16], 16).unwrap_or_default()
}

/// The batches of a run, epoch after epoch: shuffled by seed, no text twice in a batch.
///
/// In a batch every other passage is a negative. A text that stood there twice, even as a query here and a passage there,
/// would be pushed away from itself.
#[derive(Debug)]
pub struct Plan<'a> {
    examples: &'a [Example],
    batch: usize,
    seed: u64,
}

impl<'a> Plan<'a> {
    /// A plan over the examples.
    pub const fn new(examples: &'a [Example], batch: usize, seed: u64) -> Self {
        Self { examples, batch, seed }
    }

    /// The batches of an epoch (from 0), as positions of examples. An example that shares a text with all that is left
    /// of the epoch is left out of it: alone it has no negatives.
    pub fn epoch(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.examples.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(mix(self.seed, epoch as u64)));
        let mut waiting: VecDeque<usize> = order.into();
        let mut batches = Vec::new();
        while !waiting.is_empty() {
            let (mut chosen, mut later, mut seen) = (Vec::with_capacity(self.batch), Vec::new(), HashSet::new());
            while let Some(at) = waiting.pop_front() {
                let keys = self.examples[at].keys();
                if keys.iter().any(|key| seen.contains(key)) {
                    later.push(at);
                    continue;
                }
                seen.extend(keys.iter().copied());
                chosen.push(at);
                if chosen.len() == self.batch {
                    break;
                }
            }
            // Who had to wait comes first next time.
            later.into_iter().rev().for_each(|at| waiting.push_front(at));
            if chosen.len() > 1 {
                batches.push(chosen);
            }
        }
        batches
    }

    /// Steps of `accumulate` batches each in so many epochs, a part of one included. What is left at the end of an epoch is
    /// a step of its own.
    pub fn steps(&self, epochs: f64, accumulate: usize) -> Result<usize> {
        let mut steps = 0.0;
        let mut left = epochs;
        let mut epoch = 0;
        while left > 0.0 {
            steps += self.epoch(epoch).len().div_ceil(accumulate.max(1)) as f64 * left.min(1.0);
            (left, epoch) = (left - 1.0, epoch + 1);
        }
        if steps == 0.0 { Err(Error::TooFewPairs(self.examples.len())) } else { Ok((steps.round() as usize).max(1)) }
    }

    /// What the plan is about, so that a checkpoint of another is recognised.
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::default().part(self.batch.to_le_bytes()).part(self.seed.to_le_bytes());
        for example in self.examples {
            for text in example.texts() {
                let bytes: Vec<u8> = text.iter().flat_map(|id| id.to_le_bytes()).collect();
                hasher = hasher.part(bytes);
            }
            if let Example::Lesson { target, .. } = example {
                // Teachers that differ do so in every value.
                hasher = hasher.part(target.first().copied().unwrap_or_default().to_le_bytes());
            }
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example(keys: &[u64]) -> Example {
        Example::Pair { query: [1].into(), positive: [2].into(), negatives: Vec::new(), keys: keys.to_vec() }
    }

    proptest! {
        #[test]
        fn no_batch_holds_a_text_twice(texts in prop::collection::vec((0_u64..40, 0_u64..40), 2..120), batch in 2_usize..17) {
            let examples: Vec<Example> = texts.iter().map(|(a, b)| example(&[*a, *b])).collect();
            let batches = Plan::new(&examples, batch, 3).epoch(0);
            let mut used = HashSet::new();
            for batch_of in &batches {
                prop_assert!(batch_of.len() >= 2 && batch_of.len() <= batch);
                let mut seen = HashSet::new();
                for &at in batch_of {
                    prop_assert!(used.insert(at), "an example twice in an epoch");
                    let keys: HashSet<u64> = examples[at].keys().iter().copied().collect();
                    for key in keys {
                        prop_assert!(seen.insert(key), "a text twice in a batch");
                    }
                }
            }
        }
    }

    #[test]
    fn epochs_differ_and_repeat_by_seed() {
        let examples: Vec<Example> = (0..50).map(|n| example(&[n, n + 100])).collect();
        let plan = Plan::new(&examples, 8, 1);
        assert_eq!(plan.epoch(0), plan.epoch(0));
        assert_ne!(plan.epoch(0), plan.epoch(1));
        assert_eq!(plan.steps(2.0, 1).unwrap(), 14);
        assert_eq!(plan.steps(0.5, 1).unwrap(), 4);
        assert_eq!(plan.steps(2.0, 3).unwrap(), 6, "seven batches are two steps of three, and one of what is left");
        assert!(Plan::new(&examples[..1], 8, 1).steps(1.0, 1).is_err());
    }
}
