//! Is a difference more than luck? A paired randomization test and a bootstrap interval, both by clusters.
//!
//! Questions about one document rise and fall together, so they are flipped and drawn together. Smucker, Allan and
//! Carterette (2007) found that the randomization test, the bootstrap and Student's test agree on retrieval scores, and that
//! sign and Wilcoxon tests do not.

use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What a paired difference is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Significance {
    /// The mean of a minus b.
    pub difference: f64,
    /// How often luck alone makes a difference as large, in either direction.
    pub p_value: f64,
    /// The middle 95 % of the bootstrap's differences.
    pub ci95: [f64; 2],
}

/// Compares two systems' scores, query by query; `clusters` says which queries belong together.
///
/// # Panics
/// Where the three are not of one length.
pub fn paired_test(a: &[f64], b: &[f64], clusters: &[usize], resamples: usize, seed: u64) -> Significance {
    assert!(a.len() == b.len() && b.len() == clusters.len(), "{} {} {} queries", a.len(), b.len(), clusters.len());
    // Sum of differences and number of queries of each cluster.
    let mut by_cluster: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    for ((a, b), cluster) in a.iter().zip(b).zip(clusters) {
        let entry = by_cluster.entry(*cluster).or_default();
        *entry = (entry.0 + a - b, entry.1 + 1);
    }
    let groups: Vec<(f64, usize)> = by_cluster.into_values().collect();
    let count = a.len().max(1) as f64;
    let total: f64 = groups.iter().map(|(sum, _)| sum).sum();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);

    // Were the systems alike, each cluster's difference could as well have the other sign.
    let as_large = (0..resamples)
        .filter(|_| {
            let flipped: f64 = groups.iter().map(|(sum, _)| if rng.random::<bool>() { *sum } else { -sum }).sum();
            // Sums in another order differ in the last digits: that is no difference.
            flipped.abs() >= total.abs() - 1e-9
        })
        .count();

    let mut means: Vec<f64> = (0..resamples)
        .map(|_| {
            let (mut sum, mut drawn) = (0.0, 0);
            for _ in 0..groups.len() {
                let (difference, queries) = groups[rng.random_range(0..groups.len())];
                (sum, drawn) = (sum + difference, drawn + queries);
            }
            sum / drawn.max(1) as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let percentile =
        |share: f64| means.get(((means.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(0.0);
    Significance {
        difference: total / count,
        // The observed signs are one of the possibilities: p is never 0.
        p_value: (as_large + 1) as f64 / (resamples + 1) as f64,
        ci95: [percentile(0.025), percentile(0.975)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_difference_is_found_and_none_is_not_made_up() {
        let b: Vec<f64> = (0..200).map(|n| f64::from(n % 7) / 10.0).collect();
        let a: Vec<f64> = b.iter().map(|x| x + 0.05).collect();
        let alone: Vec<usize> = (0..200).collect();
        let test = paired_test(&a, &b, &alone, 2000, 1);
        assert!((test.difference - 0.05).abs() < 1e-9 && test.p_value < 0.001);
        let same = paired_test(&b, &b, &alone, 2000, 1);
        assert!(same.p_value > 0.99 && same.ci95 == [0.0, 0.0]);
    }

    #[test]
    fn the_randomization_test_is_exact_for_few_clusters() {
        // Three clusters of equal sums: only all + and all - are as large, 2 of 8.
        let (a, b) = ([0.3, 0.3, 0.3], [0.0; 3]);
        let p = paired_test(&a, &b, &[0, 1, 2], 20_000, 5).p_value;
        assert!((p - 0.25).abs() < 0.02, "{p}");
    }

    #[test]
    fn clusters_widen_the_interval() {
        let a: Vec<f64> = (0..100).map(|n| if (n / 10) % 2 == 0 { 1.0 } else { 0.2 }).collect();
        let b = vec![0.5; 100];
        let alone: Vec<usize> = (0..100).collect();
        let together: Vec<usize> = (0..100).map(|n| n / 10).collect();
        let width = |clusters: &[usize]| {
            let [low, high] = paired_test(&a, &b, clusters, 4000, 2).ci95;
            high - low
        };
        assert!(width(&together) > 2.0 * width(&alone));
    }
}
