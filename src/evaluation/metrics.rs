//! The metrics of retrieval, as `trec_eval` and sentence-transformers' evaluator define them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The scores of one ranking.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct QueryScores {
    /// One over the rank of the first relevant passage, where that is 10 or less.
    pub rr10: f64,
    /// Share of the first 1, 5 and 10 that is relevant.
    pub precision: [f64; 3],
    /// Share of what is relevant among the first 1, 5 and 10.
    pub recall: [f64; 3],
    /// Discounted cumulative gain of the first 10, over the best possible (Järvelin and Kekäläinen 2002).
    pub ndcg10: f64,
    /// Mean precision at the relevant ones of the first 100, over as many as could be there.
    pub ap100: f64,
    /// The rank of the first relevant passage, if it was found at all.
    pub first_rank: Option<usize>,
}

const CUTS: [usize; 3] = [1, 5, 10];

/// Scores a ranking of passage ids, best first, against the relevance of each relevant passage.
pub fn score(ranking: &[&str], relevant: &BTreeMap<String, u32>) -> QueryScores {
    let gain = |id: &&str| f64::from(relevant.get(*id).copied().unwrap_or(0));
    let wanted = relevant.values().filter(|relevance| **relevance > 0).count();
    let hits: Vec<usize> = ranking.iter().enumerate().filter(|(_, id)| gain(id) > 0.0).map(|(at, _)| at + 1).collect();
    let within = |cut: usize| hits.iter().filter(|rank| **rank <= cut).count() as f64;
    let discounted = |gains: &mut dyn Iterator<Item = f64>| -> f64 {
        gains.take(10).enumerate().map(|(at, gain)| gain / (at as f64 + 2.0).log2()).sum()
    };
    let mut best: Vec<f64> = relevant.values().map(|relevance| f64::from(*relevance)).collect();
    best.sort_by(|a, b| b.total_cmp(a));
    let ideal = discounted(&mut best.into_iter());
    let precisions: f64 = hits
        .iter()
        .enumerate()
        .filter(|(_, rank)| **rank <= 100)
        .map(|(at, rank)| (at + 1) as f64 / *rank as f64)
        .sum();
    QueryScores {
        rr10: hits.first().filter(|rank| **rank <= 10).map_or(0.0, |rank| 1.0 / *rank as f64),
        precision: CUTS.map(|cut| within(cut) / cut as f64),
        recall: CUTS.map(|cut| within(cut) / wanted.max(1) as f64),
        ndcg10: if ideal > 0.0 { discounted(&mut ranking.iter().map(gain)) / ideal } else { 0.0 },
        ap100: precisions / wanted.clamp(1, 100) as f64,
        first_rank: hits.first().copied(),
    }
}

/// Means over queries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean reciprocal rank of the first relevant passage in the first 10.
    pub mrr10: f64,
    /// Precision at 1.
    pub p1: f64,
    /// Precision at 5; with one relevant passage a query, at most 0.2.
    pub p5: f64,
    /// Precision at 10; with one relevant passage a query, at most 0.1.
    pub p10: f64,
    /// Recall at 1.
    pub r1: f64,
    /// Recall at 5.
    pub r5: f64,
    /// Recall at 10.
    pub r10: f64,
    /// Normalised discounted cumulative gain of the first 10.
    pub ndcg10: f64,
    /// Mean average precision of the first 100.
    pub map100: f64,
}

impl Metrics {
    /// Means of the queries' scores.
    pub fn mean(scores: &[QueryScores]) -> Self {
        let mean = |of: &dyn Fn(&QueryScores) -> f64| scores.iter().map(of).sum::<f64>() / scores.len().max(1) as f64;
        Self {
            mrr10: mean(&|s| s.rr10),
            p1: mean(&|s| s.precision[0]),
            p5: mean(&|s| s.precision[1]),
            p10: mean(&|s| s.precision[2]),
            r1: mean(&|s| s.recall[0]),
            r5: mean(&|s| s.recall[1]),
            r10: mean(&|s| s.recall[2]),
            ndcg10: mean(&|s| s.ndcg10),
            map100: mean(&|s| s.ap100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relevant(of: &[(&str, u32)]) -> BTreeMap<String, u32> {
        of.iter().map(|(id, relevance)| ((*id).to_owned(), *relevance)).collect()
    }

    #[test]
    fn scores_by_hand() {
        let scores = score(&["x", "a", "y", "b"], &relevant(&[("a", 1), ("b", 1), ("c", 1)]));
        assert_eq!((scores.rr10, scores.first_rank), (0.5, Some(2)));
        assert_eq!(scores.precision, [0.0, 0.4, 0.2]);
        assert_eq!(scores.recall, [0.0, 2.0 / 3.0, 2.0 / 3.0]);
        assert!((scores.ap100 - (0.5 + 0.5) / 3.0).abs() < 1e-12);
        let ideal = 1.0 + 1.0 / 3f64.log2() + 0.5;
        assert!((scores.ndcg10 - (1.0 / 3f64.log2() + 1.0 / 5f64.log2()) / ideal).abs() < 1e-12);
    }

    #[test]
    fn graded_relevance_counts_in_ndcg() {
        let graded = relevant(&[("a", 1), ("b", 3)]);
        let (good, bad) = (score(&["b", "a"], &graded), score(&["a", "b"], &graded));
        assert!((good.ndcg10 - 1.0).abs() < 1e-12 && bad.ndcg10 < 0.9);
        assert_eq!(score(&[], &graded), QueryScores::default());
    }

    proptest! {
        #[test]
        fn scores_lie_between_0_and_1(ranking in prop::collection::hash_set("[a-f][0-9]", 0..60), wanted in prop::collection::btree_map("[a-f][0-9]", 1_u32..4, 1..8)) {
            let ranking: Vec<&str> = ranking.iter().map(String::as_str).collect();
            let scores = score(&ranking, &wanted);
            let all = [scores.rr10, scores.ndcg10, scores.ap100].into_iter().chain(scores.precision).chain(scores.recall);
            for value in all {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{scores:?}");
            }
        }
    }
}
