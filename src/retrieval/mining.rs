//! Hard negatives: wrong passages that a system ranks high.

use std::collections::HashSet;

use super::search::top;

/// How negatives are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MiningOptions {
    /// Negatives for each query.
    pub per_query: usize,
    /// A negative scores below the positive by at least this share of the positive's score: what comes nearer may well be
    /// right (`TopK-PercPos` of NV-Retriever, Moreira et al. 2024, and `relative_margin` of sentence-transformers).
    pub relative_margin: f32,
    /// How far down the ranking to look.
    pub depth: usize,
}

/// What was mined.
#[derive(Debug, Clone, PartialEq)]
pub struct Mined {
    /// For each query, the positions of its negatives, hardest first; may be fewer than asked for.
    pub negatives: Vec<Vec<usize>>,
    /// The mean score of the positives.
    pub positive_mean: f64,
    /// The mean score of the negatives.
    pub negative_mean: f64,
    /// Candidates left out because they came too near to the positive.
    pub too_near: usize,
}

impl Mined {
    /// One line for a person.
    pub fn summary(&self) -> String {
        let none = self.negatives.iter().filter(|found| found.is_empty()).count();
        let found: usize = self.negatives.iter().map(Vec::len).sum();
        format!(
            "mined {found} negatives for {} queries ({none} without); mean score {:.3}, of positives {:.3}; {} candidates too near to a positive",
            self.negatives.len(),
            self.negative_mean,
            self.positive_mean,
            self.too_near
        )
    }
}

/// Negatives for each query, from its scores over all passages. `positives` are positions, and so is `also_right`: what
/// answers the same question asked elsewhere, which is no negative here. A passage in the cluster of either is as good as
/// right.
pub fn mine(
    scores_of: impl Fn(usize) -> Vec<f32>,
    positives: &[Vec<usize>],
    also_right: &[Vec<usize>],
    ids: &[String],
    clusters: &[u32],
    options: &MiningOptions,
) -> Mined {
    let mut mined =
        Mined { negatives: Vec::with_capacity(positives.len()), positive_mean: 0.0, negative_mean: 0.0, too_near: 0 };
    let (mut of_positives, mut of_negatives) = (Vec::new(), Vec::new());
    for (query, (positives, also_right)) in positives.iter().zip(also_right).enumerate() {
        let scores = scores_of(query);
        let right: HashSet<u32> = positives.iter().chain(also_right).map(|&at| clusters[at]).collect();
        // The least of several positives: a negative must be worse than all.
        let positive = positives.iter().map(|&at| scores[at]).reduce(f32::min);
        let limit = positive.map_or(f32::INFINITY, |score| score - score.abs() * options.relative_margin);
        let mut chosen = Vec::with_capacity(options.per_query);
        for hit in top(&scores, ids, options.depth) {
            if chosen.len() == options.per_query {
                break;
            }
            if right.contains(&clusters[hit.passage]) {
                continue;
            }
            if hit.score > limit {
                mined.too_near += 1;
                continue;
            }
            of_negatives.push(f64::from(hit.score));
            chosen.push(hit.passage);
        }
        of_positives.extend(positive.map(f64::from));
        mined.negatives.push(chosen);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    (mined.positive_mean, mined.negative_mean) = (mean(&of_positives), mean(&of_negatives));
    mined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_and_near_ones_are_left_out() {
        let ids: Vec<String> = (0..6).map(|n| format!("p{n}")).collect();
        let scores = vec![0.80, 0.90, 0.78, 0.75, 0.74, 0.10];
        // p0 is right, p1 is its twin, p2 is within 5 % of it, p3 and p4 are fair.
        let options = MiningOptions { per_query: 2, relative_margin: 0.05, depth: 50 };
        let mined = mine(|_| scores.clone(), &[vec![0]], &[vec![]], &ids, &[0, 0, 2, 3, 4, 5], &options);
        assert_eq!(mined.negatives, [[3, 4]]);
        assert_eq!(mined.too_near, 1);
    }

    #[test]
    fn what_answers_the_same_question_elsewhere_is_no_negative() {
        let ids: Vec<String> = (0..4).map(|n| format!("p{n}")).collect();
        let scores = vec![0.9, 0.8, 0.7, 0.6];
        let options = MiningOptions { per_query: 1, relative_margin: 0.05, depth: 50 };
        // p1 is right in another row, p2 is its twin.
        let mined = mine(|_| scores.clone(), &[vec![0]], &[vec![1]], &ids, &[0, 1, 1, 3], &options);
        assert_eq!(mined.negatives, [[3]]);
    }
}
