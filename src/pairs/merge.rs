//! From candidates to rows: the same query asked of several passages becomes one row, in one fold.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::filters::normalised_words;
use super::near::near_duplicates;
use super::{PairSet, Reason, Rejected, Row};
use crate::corpus::Fold;

/// Most passages that one query may have: a heading that more of them share points at none of them.
const MOST_PASSAGES: usize = 3;

/// One query with one passage, before it is known who else asks the same.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The row; its only positive decides the fold.
    pub(super) row: Row,
    /// The fold of that positive.
    pub(super) fold: Fold,
}

/// How strict to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// For queries made by rule: those that fit many passages, or repeat others, are rejected.
    Made,
    /// For a person's own queries: only exact duplicates are.
    Own,
}

/// Merges candidates into rows. A query lives in one fold: the first of train, dev, test in which it has a
/// passage; its passages of other folds are left out, so that none of them is trained on.
pub(super) fn merge(candidates: Vec<Candidate>, strictness: Strictness) -> PairSet {
    let mut groups: Vec<Vec<Candidate>> = Vec::new();
    let mut of_query: HashMap<String, usize> = HashMap::new();
    for candidate in candidates {
        let group = *of_query.entry(normalised_words(&candidate.row.query).join(" ")).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(candidate);
    }
    let mut set = PairSet::default();
    for group in groups {
        merge_group(group, strictness, &mut set);
    }
    if strictness == Strictness::Made {
        reject_near_duplicates(&mut set);
    }
    set
}

fn merge_group(mut group: Vec<Candidate>, strictness: Strictness, set: &mut PairSet) {
    let mut seen = HashSet::new();
    group.retain(|candidate| {
        let new = candidate.row.passages().next().is_some_and(|passage| seen.insert(passage.to_owned()));
        if !new {
            set.rejected.push(Rejected { reason: Reason::Duplicate, row: candidate.row.clone() });
        }
        new
    });
    if strictness == Strictness::Made && group.len() > MOST_PASSAGES {
        let rows = group.into_iter().map(|candidate| Rejected { reason: Reason::AmbiguousQuery, row: candidate.row });
        set.rejected.extend(rows);
        return;
    }
    let Some(fold) = group.iter().map(|candidate| candidate.fold).min_by_key(|fold| order(*fold)) else { return };
    let mut merged: Option<Row> = None;
    for Candidate { row, fold: of_passage } in group {
        if of_passage != fold {
            set.rejected.push(Rejected { reason: Reason::OtherFold, row });
            continue;
        }
        match &mut merged {
            None => merged = Some(row),
            Some(merged) => absorb(merged, row),
        }
    }
    let Some(mut row) = merged else { return };
    let Row { positives, negatives, .. } = &mut row;
    negatives.retain(|id| !positives.contains(id));
    rows_of(set, fold).push(row);
}

const fn order(fold: Fold) -> u8 {
    match fold {
        Fold::Train => 0,
        Fold::Dev => 1,
        Fold::Test => 2,
    }
}

fn rows_of(set: &mut PairSet, fold: Fold) -> &mut Vec<Row> {
    match fold {
        Fold::Train => &mut set.train,
        Fold::Dev => &mut set.dev,
        Fold::Test => &mut set.test,
    }
}

fn absorb(merged: &mut Row, row: Row) {
    merged.positives.extend(row.positives);
    for negative in row.negatives {
        if !merged.negatives.contains(&negative) {
            merged.negatives.push(negative);
        }
    }
    merged.texts.extend(row.texts);
    merged.grades.extend(row.grades);
}

/// Of two queries that say the same, the one to test on stays, then the one that chooses the checkpoint: a
/// question must not be met in training.
fn reject_near_duplicates(set: &mut PairSet) {
    let (test, dev) = (set.test.len(), set.dev.len());
    let mut repeated: BTreeMap<u8, HashSet<usize>> = BTreeMap::new();
    for at in near_duplicates([&set.test, &set.dev, &set.train].into_iter().flatten().map(|row| row.query.as_str())) {
        let (fold, at) = match at {
            _ if at < test => (Fold::Test, at),
            _ if at < test + dev => (Fold::Dev, at - test),
            _ => (Fold::Train, at - test - dev),
        };
        repeated.entry(order(fold)).or_default().insert(at);
    }
    for fold in [Fold::Test, Fold::Dev, Fold::Train] {
        let Some(repeated) = repeated.get(&order(fold)) else { continue };
        for (at, row) in std::mem::take(rows_of(set, fold)).into_iter().enumerate() {
            if repeated.contains(&at) {
                set.rejected.push(Rejected { reason: Reason::NearDuplicateQuery, row });
            } else {
                rows_of(set, fold).push(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(query: &str, passage: &str, fold: Fold) -> Candidate {
        let row =
            Row { query_id: Row::id_of(query), query: query.into(), positives: vec![passage.into()], ..Row::default() };
        Candidate { row, fold }
    }

    fn merged(candidates: &[(&str, &str, Fold)], strictness: Strictness) -> PairSet {
        merge(candidates.iter().map(|(query, passage, fold)| candidate(query, passage, *fold)).collect(), strictness)
    }

    #[test]
    fn the_same_query_becomes_one_row() {
        let rows =
            [("Oil return", "a", Fold::Train), ("oil return!", "b", Fold::Train), ("Oil return", "a", Fold::Train)];
        let set = merged(&rows, Strictness::Made);
        assert_eq!(set.train.len(), 1);
        assert_eq!(set.train[0].positives, ["a", "b"]);
        assert_eq!(set.rejected_by_reason(), [("duplicate".to_owned(), 1)].into());
    }

    #[test]
    fn a_query_of_many_passages_is_ambiguous_unless_a_person_asked_it() {
        let rows: Vec<_> = ["a", "b", "c", "d"].into_iter().map(|passage| ("Safety", passage, Fold::Train)).collect();
        let set = merged(&rows, Strictness::Made);
        assert_eq!((set.train.len(), set.rejected_by_reason()["ambiguous query"]), (0, 4));
        assert_eq!(merged(&rows, Strictness::Own).train[0].positives.len(), 4);
    }

    #[test]
    fn no_passage_to_test_on_is_trained_on() {
        let rows = [("Oil return", "held", Fold::Test), ("Oil return", "seen", Fold::Train)];
        let set = merged(&rows, Strictness::Own);
        assert_eq!(set.train[0].positives, ["seen"]);
        assert!(set.test.is_empty());
        assert_eq!(set.rejected[0].reason, Reason::OtherFold);
    }

    #[test]
    fn of_two_queries_that_say_the_same_the_test_question_stays() {
        let rows = [("Oil return line", "a", Fold::Train), ("Line, oil return", "b", Fold::Test)];
        let set = merged(&rows, Strictness::Made);
        assert_eq!((set.train.len(), set.test.len()), (0, 1));
    }
}
