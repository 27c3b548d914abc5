//! Queries that say the same in nearly the same words.
//!
//! In a batch, the passage of one would be a negative of the other. The join is exact: two sets with a Jaccard
//! similarity of at least t share an element among the first |x| - ceil(t |x|) + 1 of each, if both are sorted
//! by rarity (prefix filtering, Bayardo, Ma and Srikant 2007), so only few candidates are compared.

use std::collections::{HashMap, HashSet};

use super::filters::normalised_words;

/// Jaccard similarity of the word sets from which two queries are the same: with fewer than ten words, equal sets.
const SAME: f64 = 0.9;
/// Candidates that a screen waits for: a second or two.
const MOST_COMPARED: usize = 10_000_000;

/// Positions of the queries that nearly repeat an earlier one.
pub(super) fn near_duplicates<'a>(queries: impl Iterator<Item = &'a str>) -> Vec<usize> {
    // Without a bound there is always an answer.
    let found = join(&rare_words_first(queries), usize::MAX).unwrap_or_default();
    found.into_iter().map(|(repeated, _)| repeated).collect()
}

/// For each query the first that it nearly repeats (nine of ten of their words are the same), itself where there is none.
/// Where finding that out would take too long, since all follow one pattern, the words must be exactly the same.
pub fn first_said<'a>(queries: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let sets = rare_words_first(queries);
    let mut first: Vec<usize> = (0..sets.len()).collect();
    if let Some(repeated) = join(&sets, MOST_COMPARED) {
        for (at, earlier) in repeated {
            first[at] = earlier;
        }
    } else {
        let mut seen: HashMap<&[u32], usize> = HashMap::new();
        for (at, set) in sets.iter().enumerate() {
            first[at] = *seen.entry(set).or_insert(at);
        }
    }
    first
}

/// How many queries nearly repeat an earlier one (nine of ten of their words are the same), for a screen that cannot wait:
/// where finding that out would take too long, since all follow one pattern, how many have exactly the words of an earlier
/// one. The second value says whether the first is the whole truth.
pub fn count_near_duplicates<'a>(queries: impl Iterator<Item = &'a str>) -> (usize, bool) {
    let sets = rare_words_first(queries);
    if let Some(repeated) = join(&sets, MOST_COMPARED) {
        return (repeated.len(), true);
    }
    let mut seen = HashSet::new();
    (sets.iter().filter(|set| !seen.insert(*set)).count(), false)
}

/// The join: what repeats, and the first that it repeats; none where it meets more than `most` candidates.
fn join(sets: &[Vec<u32>], most: usize) -> Option<Vec<(usize, usize)>> {
    let mut index: HashMap<u32, Vec<usize>> = HashMap::new();
    let mut repeated = Vec::new();
    let mut left = most;
    for (at, set) in sets.iter().enumerate() {
        let prefix = &set[..prefix_of(set.len())];
        let candidates: usize = prefix.iter().filter_map(|word| index.get(word)).map(Vec::len).sum();
        left = left.checked_sub(candidates)?;
        let mut earlier: Vec<usize> = prefix.iter().filter_map(|word| index.get(word)).flatten().copied().collect();
        earlier.sort_unstable();
        earlier.dedup();
        if let Some(first) = earlier.into_iter().find(|&other| jaccard(set, &sets[other]) >= SAME) {
            repeated.push((at, first));
        } else {
            for word in prefix {
                index.entry(*word).or_default().push(at);
            }
        }
    }
    Some(repeated)
}

fn prefix_of(words: usize) -> usize {
    // The tolerance keeps 0.9 x 10 from becoming ten through rounding.
    words - (((SAME * words as f64) - 1e-9).ceil() as usize).min(words) + usize::from(words > 0)
}

/// The word sets as numbers that grow with the word's frequency.
fn rare_words_first<'a>(queries: impl Iterator<Item = &'a str>) -> Vec<Vec<u32>> {
    let words: Vec<Vec<String>> = queries
        .map(|query| {
            let mut words = normalised_words(query);
            words.sort_unstable();
            words.dedup();
            words
        })
        .collect();
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for word in words.iter().flatten() {
        *counts.entry(word).or_default() += 1;
    }
    let mut order: Vec<(u32, &str)> = counts.into_iter().map(|(word, count)| (count, word)).collect();
    order.sort_unstable();
    let rank: HashMap<&str, u32> = order.iter().enumerate().map(|(rank, (_, word))| (*word, rank as u32)).collect();
    let to_ranks = |words: &Vec<String>| {
        let mut ranks: Vec<u32> = words.iter().map(|word| rank[word.as_str()]).collect();
        ranks.sort_unstable();
        ranks
    };
    words.iter().map(to_ranks).collect()
}

fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let shared = a.iter().filter(|word| b.binary_search(word).is_ok()).count();
    shared as f64 / (a.len() + b.len() - shared).max(1) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_case_and_punctuation_do_not_matter() {
        let queries = ["Oil in the receiver", "Receiver: the oil in", "Oil in the separator", "oil, in the RECEIVER?"];
        assert_eq!(near_duplicates(queries.into_iter()), [1, 3]);
        assert_eq!(first_said(queries.into_iter()), [0, 0, 2, 0]);
    }

    #[test]
    fn a_screen_does_not_wait_for_what_follows_one_pattern() {
        let made = |count: usize| -> Vec<String> {
            let query = |n| format!("why does the frost on coil number {n} keep the heat out of room");
            (0..count)
                .map(query)
                .chain(["room of out heat the keep 7 number coil on frost the does why".into()])
                .collect()
        };
        let count = |queries: &[String]| count_near_duplicates(queries.iter().map(String::as_str));
        assert_eq!(count(&made(100)), (1, true));
        let queries = made(6000);
        assert_eq!(join(&rare_words_first(queries.iter().map(String::as_str)), 1_000_000), None);
        assert_eq!(count(&queries), (1, false));
    }

    proptest! {
        #[test]
        fn the_join_finds_what_comparing_all_finds(queries in prop::collection::vec("[a-e]( [a-p]){6,14}", 1..40)) {
            let sets = rare_words_first(queries.iter().map(String::as_str));
            let mut kept: Vec<usize> = Vec::new();
            let mut repeated = Vec::new();
            for at in 0..sets.len() {
                let again = kept.iter().any(|other| jaccard(&sets[at], &sets[*other]) >= SAME);
                if again { repeated.push(at) } else { kept.push(at) }
            }
            prop_assert_eq!(near_duplicates(queries.iter().map(String::as_str)), repeated);
        }
    }
}
