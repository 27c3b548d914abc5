//! Dealing documents into folds, by clusters of documents that share near-duplicates.

use std::collections::BTreeMap;

use super::Fold;
use crate::settings::CorpusSettings;
use crate::workspace::Hasher;

/// A cluster of documents.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    /// What it is drawn by: the smallest id of its documents.
    pub(super) key: String,
    /// Passages in it.
    pub(super) size: usize,
    /// The fold it had before, if any of its documents was there.
    pub(super) before: Option<Fold>,
}

/// A fold for each cluster: as before where there was a before, else drawn by seed and key. The order does not matter.
pub(super) fn deal(clusters: &[Cluster], settings: &CorpusSettings) -> Vec<Fold> {
    let mut drawn: Vec<(u64, usize)> =
        clusters.iter().enumerate().map(|(at, cluster)| (draw(&cluster.key, settings.seed), at)).collect();
    drawn.sort_by(|a, b| (a.0, &clusters[a.1].key).cmp(&(b.0, &clusters[b.1].key)));
    let total: usize = clusters.iter().map(|cluster| cluster.size).sum();
    let mut folds: BTreeMap<usize, Fold> =
        clusters.iter().enumerate().filter_map(|(at, cluster)| Some((at, cluster.before?))).collect();
    for (fold, share) in [(Fold::Test, settings.test_share), (Fold::Dev, settings.dev_share)] {
        let wanted = share * total as f64;
        let has = |folds: &BTreeMap<usize, Fold>| -> usize {
            folds.iter().filter(|(_, of)| **of == fold).map(|(at, _)| clusters[*at].size).sum()
        };
        for &(_, at) in &drawn {
            let (size, now) = (clusters[at].size as f64, has(&folds) as f64);
            if now >= wanted || share == 0.0 {
                break;
            }
            // A cluster that would overfill the fold by half goes to train, unless the fold would stay empty for it.
            let fits = now + size <= wanted * 1.5 || (now == 0.0 && size <= total as f64 * 0.34);
            if !folds.contains_key(&at) && fits {
                folds.insert(at, fold);
            }
        }
    }
    (0..clusters.len()).map(|at| folds.get(&at).copied().unwrap_or(Fold::Train)).collect()
}

/// A number from seed and key that nothing else decides.
pub(super) fn draw(key: &str, seed: u64) -> u64 {
    let digest = Hasher::default().part(seed.to_le_bytes()).part(key).finish();
    u64::from_str_radix(&digest.as_str()[..16], 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cluster(key: usize, size: usize) -> Cluster {
        Cluster { key: format!("d{key}"), size, before: None }
    }

    proptest! {
        #[test]
        fn shares_are_kept_and_order_does_not_matter(sizes in prop::collection::vec(1_usize..12, 40..200), seed in any::<u64>()) {
            let clusters: Vec<Cluster> = sizes.iter().enumerate().map(|(at, size)| cluster(at, *size)).collect();
            let settings = CorpusSettings { seed, ..CorpusSettings::default() };
            let folds = deal(&clusters, &settings);
            let total: usize = sizes.iter().sum();
            for fold in [Fold::Dev, Fold::Test] {
                let has: usize = folds.iter().zip(&sizes).filter(|(of, _)| **of == fold).map(|(_, size)| size).sum();
                let share = has as f64 / total as f64;
                prop_assert!((0.04..0.16).contains(&share), "{fold:?} {share}");
            }
            let reversed: Vec<Cluster> = clusters.iter().rev().cloned().collect();
            let mut again = deal(&reversed, &settings);
            again.reverse();
            prop_assert_eq!(folds, again);
        }
    }

    #[test]
    fn a_fold_is_kept() {
        let mut clusters: Vec<Cluster> = (0..30).map(|at| cluster(at, 3)).collect();
        let before = deal(&clusters, &CorpusSettings::default());
        for (cluster, fold) in clusters.iter_mut().zip(&before) {
            cluster.before = Some(*fold);
        }
        clusters.extend((100..130).map(|at| cluster(at, 3)));
        assert_eq!(deal(&clusters, &CorpusSettings::default())[..30], before);
    }

    #[test]
    fn five_documents_fill_every_fold() {
        let clusters: Vec<Cluster> = (0..5).map(|at| cluster(at, 4)).collect();
        let folds = deal(&clusters, &CorpusSettings::default());
        for fold in [Fold::Train, Fold::Dev, Fold::Test] {
            assert!(folds.contains(&fold), "{folds:?}");
        }
    }
}
