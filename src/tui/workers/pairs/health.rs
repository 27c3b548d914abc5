//! A set's health: lengths, overlap of question and passage, repetitions, passages that nobody asks for.

use std::collections::{HashMap, HashSet};

use super::load::{LeanPassage, LeanRow, Opened, Text, lines};
use super::{Kept, Place};
use crate::corpus::{Fold, words};
use crate::evaluation::lexical_overlap;
use crate::pairs::near_duplicates;

/// Most pairs whose overlap is measured; of more, every n-th.
const MEASURED: usize = 20_000;
/// Bars of a histogram.
const BARS: usize = 10;

/// The median of some numbers and where most of them lie.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spread {
    /// How many numbers.
    pub count: usize,
    /// A tenth of them is smaller.
    pub p10: usize,
    /// Half of them is smaller.
    pub median: usize,
    /// A tenth of them is larger.
    pub p90: usize,
    /// The largest.
    pub most: usize,
}

/// How many numbers fall into each of ten equal ranges from 0 up to the 99th percentile; the last takes what is larger.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    /// The width of a range.
    pub width: usize,
    /// The counts.
    pub counts: Vec<usize>,
}

/// What was measured of a set; of its kept rows, where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// Rows to train on and rows that choose the checkpoint.
    pub folds: (usize, usize),
    /// Words of a question.
    pub questions: (Spread, Buckets),
    /// Words of a passage that is asked for.
    pub passages: (Spread, Buckets),
    /// Share of a question's words that stand in its passage, in tenths: how many pairs fall into each.
    pub overlap: Vec<usize>,
    /// The mean of that share.
    pub mean_overlap: f64,
    /// Whether it was measured on a sample of the pairs.
    pub sampled: bool,
    /// Questions asked of one passage, two, three, four, five and more.
    pub asked_of: [usize; 5],
    /// Questions that say in nearly the same words what another says.
    pub near_duplicates: usize,
    /// Passages by how many questions are asked of them: one, two, three, four, five and more.
    pub questions_per_passage: [usize; 5],
    /// Passages of the corpus to train on, and to choose checkpoints by, that nobody asks for; and how many there are.
    pub unasked: [(usize, usize); 2],
    /// Passages that the corpus does not hold.
    pub outside: usize,
}

/// Measures an open set: reads its rows once and its corpus once.
pub(super) fn measure(open: &Opened) -> Result<Health, String> {
    let mut health = Health::default();
    let mut queries: Vec<String> = Vec::new();
    // By passage: the questions asked of its text as it is in the corpus.
    let mut asked: HashMap<String, Vec<u32>> = HashMap::new();
    let mut per_passage: HashMap<String, usize> = HashMap::new();
    let mut outside: Vec<(u32, Kept, u64)> = Vec::new();
    for kept in [Kept::Train, Kept::Dev] {
        lines(&open.file(kept), |at, _, bytes| {
            let Ok(row) = serde_json::from_slice::<LeanRow>(bytes) else { return };
            let query = queries.len() as u32;
            let passages: HashSet<&str> = row.passages().map(|(passage, _)| passage).collect();
            health.asked_of[passages.len().clamp(1, 5) - 1] += 1;
            for passage in passages {
                *per_passage.entry(passage.to_owned()).or_insert(0) += 1;
            }
            for (passage, altered) in row.passages() {
                // A sentence that was cut out of its passage is measured against what is left of it.
                if altered || row.texts.contains_key(passage) {
                    outside.push((query, kept, at));
                } else {
                    asked.entry(passage.to_owned()).or_default().push(query);
                }
            }
            match kept {
                Kept::Dev => health.folds.1 += 1,
                _ => health.folds.0 += 1,
            }
            queries.push(row.query);
        })?;
    }
    health.questions = spread(queries.iter().map(|query| words(query)).collect());
    health.near_duplicates = near_duplicates(queries.iter().map(String::as_str)).len();
    for count in per_passage.values() {
        health.questions_per_passage[(*count).clamp(1, 5) - 1] += 1;
    }

    let pairs = asked.values().map(Vec::len).sum::<usize>() + outside.len();
    let every = pairs.div_ceil(MEASURED).max(1);
    health.sampled = every > 1;
    let mut overlaps = Overlaps { every, ..Overlaps::default() };
    let mut lengths = Vec::new();
    let mut found: HashSet<String> = HashSet::new();
    lines(&open.passages, |_, _, bytes| {
        let Ok(passage) = serde_json::from_slice::<LeanPassage>(bytes) else { return };
        let is_asked = per_passage.contains_key(&passage.id);
        let fold = match passage.fold {
            Fold::Train => Some(0),
            Fold::Dev => Some(1),
            Fold::Test => None,
        };
        if let Some(fold) = fold {
            health.unasked[fold].0 += usize::from(!is_asked);
            health.unasked[fold].1 += 1;
        }
        if !is_asked {
            return;
        }
        if let Ok(Text { text }) = serde_json::from_slice(bytes) {
            lengths.push(words(&text));
            for query in asked.get(&passage.id).into_iter().flatten() {
                overlaps.take(&queries[*query as usize], &text);
            }
        }
        found.insert(passage.id);
    })?;
    health.outside = per_passage.len() - found.len();
    for (query, kept, at) in outside {
        if overlaps.wants_next()
            && let Ok(text) = open.text(Place::Row(kept, at))
        {
            overlaps.add(&queries[query as usize], &text);
        }
    }
    health.passages = spread(lengths);
    health.mean_overlap = overlaps.sum / overlaps.tenths.iter().sum::<usize>().max(1) as f64;
    health.overlap = overlaps.tenths.to_vec();
    Ok(health)
}

/// Overlaps of every n-th pair.
#[derive(Default)]
struct Overlaps {
    every: usize,
    seen: usize,
    tenths: [usize; BARS],
    sum: f64,
}

impl Overlaps {
    fn wants_next(&mut self) -> bool {
        self.seen += 1;
        (self.seen - 1).is_multiple_of(self.every)
    }

    fn take(&mut self, query: &str, text: &str) {
        if self.wants_next() {
            self.add(query, text);
        }
    }

    fn add(&mut self, query: &str, text: &str) {
        let overlap = lexical_overlap(query, text);
        self.sum += overlap;
        self.tenths[((overlap * BARS as f64) as usize).min(BARS - 1)] += 1;
    }
}

fn spread(mut numbers: Vec<usize>) -> (Spread, Buckets) {
    numbers.sort_unstable();
    let at = |share: f64| {
        let last = numbers.len().saturating_sub(1);
        numbers.get((last as f64 * share).round() as usize).copied().unwrap_or(0)
    };
    let spread = Spread { count: numbers.len(), p10: at(0.1), median: at(0.5), p90: at(0.9), most: at(1.0) };
    let width = (at(0.99) + 1).div_ceil(BARS).max(1);
    let mut counts = vec![0; BARS];
    for number in &numbers {
        counts[(number / width).min(BARS - 1)] += 1;
    }
    (spread, Buckets { width, counts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_numbers() {
        let (lengths, buckets) = spread((1..=100).collect());
        assert_eq!((lengths.count, lengths.p10, lengths.median, lengths.p90, lengths.most), (100, 11, 51, 90, 100));
        assert_eq!(buckets.width, 10);
        assert_eq!(buckets.counts, [9, 10, 10, 10, 10, 10, 10, 10, 10, 11]);
        assert_eq!(spread(Vec::new()).0, Spread::default());
    }
}
