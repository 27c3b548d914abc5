//! Dealing documents into folds, by clusters of documents that share near-duplicates.

use std::collections::{BTreeMap, HashMap};

use super::duplicates::Groups;
use super::questions::FixedFolds;
use super::store::Corpus;
use super::{Document, Fold, Result};
use crate::progress::{Event, Observer};
use crate::settings::CorpusSettings;
use crate::workspace::Hasher;

/// A shared passage shorter than this does not tie two documents together: a footer is no twin.
const TYING_WORDS: usize = 20;

/// Which documents share near-duplicates.
pub(super) struct Ties(Groups);

impl Ties {
    /// `clusters` names for each passage the first of its like; `counts` its document and words.
    pub(super) fn new(documents: &[Document], clusters: &[u32], counts: &[(u32, u32)]) -> Self {
        let mut groups = Groups::new(documents.len());
        for (passage, cluster) in clusters.iter().enumerate() {
            let ((document, words), (first, _)) = (counts[passage], counts[*cluster as usize]);
            if words as usize >= TYING_WORDS {
                groups.join(first as usize, document as usize);
            }
        }
        Self(groups)
    }
}

/// The fold of each document: what a table fixes, else what it had before, else what is dealt to its cluster.
pub(super) fn folds_by_cluster(
    documents: &[Document],
    Ties(mut groups): Ties,
    fixed: &[FixedFolds],
    settings: &CorpusSettings,
    previous: Option<&Corpus>,
    observer: &dyn Observer,
) -> Result<Vec<Fold>> {
    let before = previous.map(Corpus::documents).transpose()?.unwrap_or_default();
    let by_id: HashMap<&str, Fold> = before.iter().map(|document| (document.id.as_str(), document.fold)).collect();
    let by_path: HashMap<&str, Fold> = before.iter().map(|document| (document.path.as_str(), document.fold)).collect();
    let before_of =
        |document: &Document| by_id.get(document.id.as_str()).or_else(|| by_path.get(document.path.as_str())).copied();
    let fixed_of = |document: &Document| fixed.iter().find_map(|table| table.of(document));
    let mut dealt: BTreeMap<usize, Cluster> = BTreeMap::new();
    let mut fixed_folds: BTreeMap<usize, Vec<(Fold, &str)>> = BTreeMap::new();
    for (at, document) in documents.iter().enumerate() {
        let root = groups.find(at);
        let cluster = dealt.entry(root).or_insert_with(|| Cluster { key: document.id.clone(), size: 0, settled: None });
        cluster.size += document.passages;
        cluster.key = cluster.key.clone().min(document.id.clone());
        // Documents that grew alike were in different folds: what was trained on must not be tested on.
        cluster.settled = cluster.settled.into_iter().chain(before_of(document)).min();
        if let Some(fold) = fixed_of(document) {
            fixed_folds.entry(root).or_default().push((fold, &document.path));
        }
    }
    for (root, folds) in fixed_folds {
        // The strictest: a twin of what is tested must not be trained on.
        let Some((strictest, path)) = folds.iter().copied().max_by_key(|(fold, _)| *fold) else { continue };
        for (fold, other) in folds.into_iter().filter(|(fold, _)| *fold != strictest) {
            observer.on(Event::warning(format!(
                "{other} says almost the same as {path}: it is in the fold {strictest} with it, not in {fold}"
            )));
        }
        if let Some(cluster) = dealt.get_mut(&root) {
            cluster.settled = Some(strictest);
        }
    }
    let folds = deal(&dealt.values().cloned().collect::<Vec<_>>(), settings);
    let by_root: HashMap<usize, Fold> = dealt.keys().copied().zip(folds).collect();
    let folds: Vec<Fold> = (0..documents.len()).map(|at| by_root[&groups.find(at)]).collect();
    let seen = |(document, fold): &(&Document, &Fold)| {
        **fold != Fold::Train && before_of(document).is_some_and(|before| before < **fold)
    };
    let moved = documents.iter().zip(&folds).filter(seen).count();
    if moved > 0 {
        observer.on(Event::warning(format!(
            "{moved} documents were trained on or chosen by until now and are held out more strictly: models that were tuned before know them, so tune anew before you evaluate"
        )));
    }
    Ok(folds)
}

/// A cluster of documents.
#[derive(Debug, Clone)]
struct Cluster {
    /// What it is drawn by: the smallest id of its documents.
    key: String,
    /// Passages in it.
    size: usize,
    /// The fold it must have: a table's word, or else what it had before, if any of its documents was there.
    settled: Option<Fold>,
}

/// A fold for each cluster: what is settled, else drawn by seed and key. The order does not matter.
fn deal(clusters: &[Cluster], settings: &CorpusSettings) -> Vec<Fold> {
    let mut drawn: Vec<(u64, usize)> =
        clusters.iter().enumerate().map(|(at, cluster)| (draw(&cluster.key, settings.seed), at)).collect();
    drawn.sort_by(|a, b| (a.0, &clusters[a.1].key).cmp(&(b.0, &clusters[b.1].key)));
    let total: usize = clusters.iter().map(|cluster| cluster.size).sum();
    let mut folds: BTreeMap<usize, Fold> =
        clusters.iter().enumerate().filter_map(|(at, cluster)| Some((at, cluster.settled?))).collect();
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
        Cluster { key: format!("d{key}"), size, settled: None }
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
            cluster.settled = Some(*fold);
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
