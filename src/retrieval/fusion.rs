//! Two rankings made one.

use super::search::top;

/// The constant of reciprocal rank fusion (Cormack et al. 2009).
const RRF_K: f32 = 60.0;
/// How far down a ranking still counts.
const RRF_DEPTH: usize = 1000;

/// The sum of two systems' scores over the same passages, each brought to mean 0 and deviation 1: by how much a system
/// prefers a passage is kept.
pub fn fuse_standardised(a: &[f32], b: &[f32]) -> Vec<f32> {
    let (a, b) = (standardised(a), standardised(b));
    a.iter().zip(&b).map(|(a, b)| a + b).collect()
}

fn standardised(scores: &[f32]) -> Vec<f32> {
    let count = scores.len().max(1) as f64;
    let mean = scores.iter().map(|score| f64::from(*score)).sum::<f64>() / count;
    let variance = scores.iter().map(|score| (f64::from(*score) - mean).powi(2)).sum::<f64>() / count;
    // A system that finds nothing says nothing.
    let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    scores.iter().map(|score| ((f64::from(*score) - mean) / deviation) as f32).collect()
}

/// The sum over systems of `1 / (60 + rank)`: what remains of scores that cannot be compared.
pub fn reciprocal_rank_fusion(systems: &[&[f32]], ids: &[String]) -> Vec<f32> {
    let mut fused = vec![0.0; ids.len()];
    for scores in systems {
        for (rank, hit) in top(scores, ids, RRF_DEPTH).iter().enumerate() {
            fused[hit.passage] += 1.0 / (RRF_K + rank as f32 + 1.0);
        }
    }
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fusion_by_hand() {
        let fused = fuse_standardised(&[1.0, 3.0], &[0.0, 0.0]);
        assert_eq!(fused, [-1.0, 1.0]);
        let ids = ["a".to_owned(), "b".to_owned()];
        let fused = reciprocal_rank_fusion(&[&[2.0, 1.0], &[0.0, 5.0]], &ids);
        assert!((fused[0] - (1.0 / 61.0 + 1.0 / 62.0)).abs() < 1e-7 && (fused[0] - fused[1]).abs() < 1e-7);
    }
}
