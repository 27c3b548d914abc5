//! How many of a question's words stand in its passage: questions made from the documents flatter ranking by words.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation as _;

/// The share of a question's distinct words that stand in the passage, case aside.
pub fn lexical_overlap(question: &str, passage: &str) -> f64 {
    let of_passage: HashSet<String> = passage.unicode_words().map(str::to_lowercase).collect();
    let of_question: HashSet<String> = question.unicode_words().map(str::to_lowercase).collect();
    let shared = of_question.iter().filter(|word| of_passage.contains(*word)).count();
    shared as f64 / of_question.len().max(1) as f64
}

/// MRR@10 where the overlap is low, middling or high.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overlap {
    /// `low`, `middle` or `high`.
    pub bucket: &'static str,
    /// The least share in it.
    pub from: f64,
    /// How many questions.
    pub queries: usize,
    /// MRR@10 of each system on them.
    pub mrr10: BTreeMap<String, f64>,
}

const BUCKETS: [(&str, f64); 3] = [("low", 0.0), ("middle", 1.0 / 3.0), ("high", 2.0 / 3.0)];

/// Each system's MRR@10 by bucket of overlap.
pub fn by_overlap(overlaps: &[f64], systems: &[(String, Vec<f64>)]) -> Vec<Overlap> {
    let bucket_of = |overlap: f64| BUCKETS.iter().rposition(|(_, from)| overlap >= *from).unwrap_or(0);
    let bucket = |(at, (bucket, from)): (usize, &(&'static str, f64))| {
        let chosen: Vec<usize> = (0..overlaps.len()).filter(|query| bucket_of(overlaps[*query]) == at).collect();
        let mean = |rr: &[f64]| chosen.iter().map(|query| rr[*query]).sum::<f64>() / chosen.len().max(1) as f64;
        let mrr10 = systems.iter().map(|(name, rr)| (name.clone(), mean(rr))).collect();
        Overlap { bucket, from: *from, queries: chosen.len(), mrr10 }
    };
    BUCKETS.iter().enumerate().map(bucket).collect()
}
