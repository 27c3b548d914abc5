//! Passages that say almost the same: `MinHash` over shingles of five words (Broder 1997), candidates by banding.
//!
//! Only signatures are held: half a kilobyte a passage, whatever its length.

use std::hash::{BuildHasher as _, Hasher as _};

use ahash::{AHashMap, RandomState};

const SHINGLE: usize = 5;
const HASHES: usize = 128;
/// Four values a band: two passages of similarity 0.8 share one of 32 bands all but surely, and of 0.5 nearly always,
/// so that the estimate decides and not the banding.
const BAND: usize = 4;

/// The signature of a text.
pub(super) type Signature = Box<[u32; HASHES]>;

/// The least hash of a text's shingles under each of many hash functions.
pub(super) fn signature(text: &str) -> Signature {
    let state = RandomState::with_seeds(1, 2, 3, 4);
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    let mut least = Box::new([u32::MAX; HASHES]);
    for shingle in words.windows(SHINGLE.min(words.len()).max(1)) {
        let mut hasher = state.build_hasher();
        for word in shingle {
            hasher.write(word.as_bytes());
            hasher.write_u8(0xff);
        }
        let (a, b) = (hasher.finish(), state.hash_one(hasher.finish()) | 1);
        for (at, least) in least.iter_mut().enumerate() {
            // Double hashing (Kirsch and Mitzenmacher 2006) stands in for independent functions.
            let value = (a.wrapping_add(b.wrapping_mul(at as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32;
            *least = (*least).min(value);
        }
    }
    least
}

/// The estimated Jaccard similarity of two texts' shingles.
fn similarity(a: &Signature, b: &Signature) -> f64 {
    a.iter().zip(b.iter()).filter(|(a, b)| a == b).count() as f64 / HASHES as f64
}

/// The cluster of each passage: the smallest position among those it is, directly or by others, a near-duplicate of.
pub(super) fn clusters(signatures: &[Signature], threshold: f64) -> Vec<u32> {
    let mut groups = Groups::new(signatures.len());
    for band in 0..HASHES / BAND {
        let mut seen: AHashMap<&[u32], u32> = AHashMap::with_capacity(signatures.len());
        for (at, signature) in signatures.iter().enumerate() {
            if signature.iter().all(|value| *value == u32::MAX) {
                continue;
            }
            let key = &signature[band * BAND..][..BAND];
            let first = *seen.entry(key).or_insert(at as u32) as usize;
            if first != at
                && groups.find(first) != groups.find(at)
                && similarity(&signatures[first], signature) >= threshold
            {
                groups.join(first, at);
            }
        }
    }
    (0..signatures.len()).map(|at| groups.find(at) as u32).collect()
}

/// Disjoint sets, each named by its smallest member.
pub(super) struct Groups(Vec<u32>);

impl Groups {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count as u32).collect())
    }

    pub(super) fn find(&mut self, at: usize) -> usize {
        let mut root = at;
        while self.0[root] as usize != root {
            self.0[root] = self.0[self.0[root] as usize];
            root = self.0[root] as usize;
        }
        root
    }

    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: std::ops::Range<usize>) -> String {
        words.map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn near_duplicates_share_a_cluster() {
        // 180 words of which 10 differ at the end: 166 of 186 shingles are shared.
        let texts =
            [text(0..180), text(500..700), text(0..170) + " a b c d e f g h i j", text(90..270), text(500..700)];
        let signatures: Vec<Signature> = texts.iter().map(|text| signature(text)).collect();
        assert_eq!(clusters(&signatures, 0.8), [0, 1, 0, 3, 1]);
    }

    #[test]
    fn the_estimate_is_near_the_truth() {
        let (a, b) = (signature(&text(0..1000)), signature(&text(200..1200)));
        // 796 of 1196 shingles.
        assert!((similarity(&a, &b) - 0.665).abs() < 0.13, "{}", similarity(&a, &b));
    }

    #[test]
    fn case_and_punctuation_do_not_count() {
        assert_eq!(signature("One two, three four five six!"), signature("one TWO three four five six"));
    }
}
