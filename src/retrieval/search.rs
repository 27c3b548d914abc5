//! Exact search over vectors.

use std::cmp::Ordering;

use rayon::prelude::*;

use crate::encoder::Embeddings;

/// Passages that a thread scores at a time.
const CHUNK: usize = 1024;
/// Sums that run side by side in a dot product, so that it becomes SIMD.
const LANES: usize = 16;

/// A passage in a ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Its position among all passages.
    pub passage: usize,
    /// Its score; more is better.
    pub score: f32,
}

/// The inner product of a query with every passage: for vectors of length one, the cosine.
pub fn scores(query: &[f32], passages: &Embeddings) -> Vec<f32> {
    let mut scores = vec![0.0; passages.len()];
    scores.par_chunks_mut(CHUNK).zip(passages.data.par_chunks(CHUNK * passages.dim)).for_each(|(scores, rows)| {
        for (score, row) in scores.iter_mut().zip(rows.chunks_exact(passages.dim)) {
            *score = dot(query, row);
        }
    });
    scores
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (heads_a, heads_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = heads_a.remainder().iter().zip(heads_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in heads_a.zip(heads_b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The best passages by score; of equals, the smaller id comes first.
pub fn top(scores: &[f32], ids: &[String], count: usize) -> Vec<Hit> {
    let order = |a: &Hit, b: &Hit| -> Ordering {
        b.score.total_cmp(&a.score).then_with(|| ids[a.passage].cmp(&ids[b.passage]))
    };
    let mut hits: Vec<Hit> = scores.iter().enumerate().map(|(passage, &score)| Hit { passage, score }).collect();
    if count < hits.len() {
        if count == 0 {
            return Vec::new();
        }
        hits.select_nth_unstable_by(count - 1, order);
        hits.truncate(count);
    }
    hits.sort_unstable_by(order);
    hits
}

/// The best passages for each query.
pub fn search(queries: &Embeddings, passages: &Embeddings, ids: &[String], count: usize) -> Vec<Vec<Hit>> {
    (0..queries.len()).map(|at| top(&scores(queries.row(at), passages), ids, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_smaller_id() {
        let ids: Vec<String> = ["d", "b", "c", "a"].map(str::to_owned).to_vec();
        let found: Vec<usize> = top(&[1.0, 2.0, 1.0, 1.0], &ids, 3).iter().map(|hit| hit.passage).collect();
        assert_eq!(found, [1, 3, 2]);
        assert!(top(&[1.0, 2.0, 1.0, 1.0], &ids, 0).is_empty());
        assert_eq!(top(&[1.0, 2.0, 1.0, 1.0], &ids, 99).len(), 4);
    }

    #[test]
    fn scores_are_inner_products() {
        let query: Vec<f32> = (0..37).map(|n| n as f32).collect();
        let passages = Embeddings::new(37, (0..74).map(|n| (n % 5) as f32).collect());
        let expected: Vec<f32> = passages.rows().map(|row| row.iter().zip(&query).map(|(a, b)| a * b).sum()).collect();
        assert_eq!(scores(&query, &passages), expected);
    }
}
