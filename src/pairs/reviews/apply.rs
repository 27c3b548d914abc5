//! From what was said to the next version of the pairs.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{Mark, Reviews};
use crate::corpus::Fold;
use crate::pairs::{PairSet, Reason, Rejected, Row};

/// What came of reviews, in questions of passages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ReviewCounts {
    /// Kept ones that were accepted as they are.
    pub accepted: usize,
    /// Ones that a filter had rejected and that came back.
    pub restored: usize,
    /// Kept ones that were rejected.
    pub rejected: usize,
    /// Ones that stay or came back in other words.
    pub edited: usize,
    /// Accepted ones that stay out all the same: their passages are held out, or the same question is asked in another fold.
    pub held_out: usize,
    /// Reviews of questions that these pairs do not have.
    pub unknown: usize,
}

/// Carries out reviews. `fold_of` knows the folds of passages; one that it does not know goes where the set has it already,
/// else to train. The order of the rows stays; what comes back is added at the end.
pub fn apply_reviews(
    set: PairSet,
    reviews: &Reviews,
    fold_of: &dyn Fn(&str) -> Option<Fold>,
) -> (PairSet, ReviewCounts) {
    let mut work = Work { reviews, counts: ReviewCounts::default(), seen: HashSet::new(), later: Vec::new() };
    // Whatever a row asks, and what edits make of it: no two rows may ask the same.
    let mut ids: HashSet<String> = set.train.iter().chain(&set.dev).map(|row| row.query_id.clone()).collect();
    let mut out = PairSet { test: set.test, broken: set.broken, ..PairSet::default() };
    for (fold, rows) in [(Fold::Train, set.train), (Fold::Dev, set.dev)] {
        for row in rows {
            work.keep(row, fold, &mut ids, &mut out);
        }
    }
    let mut placed = Placed::of(&out);
    for (fold, row) in std::mem::take(&mut work.later) {
        if let Err(row) = placed.add(row, fold, &mut out) {
            out.rejected.push(Rejected { reason: Reason::OtherFold, row: *row });
        }
    }
    for rejected in set.rejected {
        work.restore(rejected, fold_of, &mut placed, &mut out);
    }
    work.counts.unknown = reviews.len() - work.seen.len();
    (out, work.counts)
}

/// Carrying out reviews.
struct Work<'a> {
    reviews: &'a Reviews,
    counts: ReviewCounts,
    /// The reviews that found their question.
    seen: HashSet<(String, String)>,
    /// Edited rows that now ask what another row asks.
    later: Vec<(Fold, Row)>,
}

impl Work<'_> {
    fn mark(&mut self, row: &Row, passage: &str) -> Option<Mark> {
        let mark = self.reviews.get(&row.query_id, passage)?.clone();
        self.seen.insert((row.query_id.clone(), passage.to_owned()));
        Some(mark)
    }

    /// Takes a row that was kept: as it is, in part, in other words, or not at all.
    fn keep(&mut self, mut row: Row, fold: Fold, ids: &mut HashSet<String>, out: &mut PairSet) {
        let passages: Vec<String> = row.passages().map(str::to_owned).collect();
        let (mut left, mut edited): (Vec<usize>, Vec<(usize, String)>) = (Vec::new(), Vec::new());
        for (at, passage) in passages.iter().enumerate() {
            match self.mark(&row, passage) {
                None => left.push(at),
                Some(Mark { accepted: false, .. }) => {
                    self.counts.rejected += 1;
                    out.rejected.push(Rejected { reason: Reason::Reviewer, row: only(&row, &[at]) });
                }
                Some(Mark { query: Some(words), .. }) if words != row.query => {
                    self.counts.edited += 1;
                    edited.push((at, words));
                }
                Some(_) => {
                    self.counts.accepted += 1;
                    left.push(at);
                }
            }
        }
        for (at, words) in edited {
            let new = reworded(only(&row, &[at]), words, !left.is_empty());
            if new.query_id != row.query_id && !ids.insert(new.query_id.clone()) {
                self.later.push((fold, new));
            } else {
                rows_of(out, fold).push(new);
            }
        }
        if left.len() < passages.len() {
            row = only(&row, &left);
        }
        if !row.positives.is_empty() {
            rows_of(out, fold).push(row);
        }
    }

    /// Takes a row that was rejected: it stays so unless somebody wants it and its passage may be trained on.
    fn restore(
        &mut self,
        rejected: Rejected,
        fold_of: &dyn Fn(&str) -> Option<Fold>,
        placed: &mut Placed,
        out: &mut PairSet,
    ) {
        let Rejected { reason, row } = rejected;
        let passages: Vec<String> = row.passages().map(str::to_owned).collect();
        let mut left = Vec::new();
        for (at, passage) in passages.iter().enumerate() {
            let known = self.seen.contains(&(row.query_id.clone(), passage.clone()));
            let Some(Mark { accepted: true, query }) = self.mark(&row, passage) else {
                left.push(at);
                continue;
            };
            // The same question of the same passage is kept already: this is its duplicate.
            if known && placed.has(&row.query_id, passage, out) {
                left.push(at);
                continue;
            }
            let fold = fold_of(passage).or_else(|| placed.fold(passage)).unwrap_or(Fold::Train);
            let words = query.filter(|words| *words != row.query);
            let is_edited = words.is_some();
            let alone = only(&row, &[at]);
            let new = match words {
                Some(words) => reworded(alone, words, passages.len() > 1),
                None => alone,
            };
            if fold == Fold::Test || placed.add(new, fold, out).is_err() {
                self.counts.held_out += 1;
                left.push(at);
            } else if is_edited {
                self.counts.edited += 1;
            } else {
                self.counts.restored += 1;
            }
        }
        if left.len() == passages.len() {
            out.rejected.push(Rejected { reason, row });
        } else if !left.is_empty() {
            out.rejected.push(Rejected { reason, row: only(&row, &left) });
        }
    }
}

/// Where the kept rows are.
struct Placed {
    of_query: HashMap<String, (Fold, usize)>,
    of_passage: HashMap<String, Fold>,
}

impl Placed {
    fn of(set: &PairSet) -> Self {
        let mut placed = Self { of_query: HashMap::new(), of_passage: HashMap::new() };
        for (fold, rows) in [(Fold::Train, &set.train), (Fold::Dev, &set.dev)] {
            for (at, row) in rows.iter().enumerate() {
                placed.note(row, fold, at);
            }
        }
        placed
    }

    fn note(&mut self, row: &Row, fold: Fold, at: usize) {
        self.of_query.entry(row.query_id.clone()).or_insert((fold, at));
        for passage in row.passages() {
            self.of_passage.entry(passage.to_owned()).or_insert(fold);
        }
    }

    fn fold(&self, passage: &str) -> Option<Fold> {
        self.of_passage.get(passage).copied()
    }

    fn has(&self, query_id: &str, passage: &str, set: &PairSet) -> bool {
        let Some((fold, at)) = self.of_query.get(query_id) else { return false };
        let rows = if *fold == Fold::Dev { &set.dev } else { &set.train };
        rows.get(*at).is_some_and(|row| row.passages().any(|other| other == passage))
    }

    /// Adds a row, or its passages to the row that asks the same. Refuses where that one is in another fold.
    fn add(&mut self, row: Row, fold: Fold, set: &mut PairSet) -> Result<(), Box<Row>> {
        match self.of_query.get(&row.query_id).copied() {
            Some((other, _)) if other != fold => return Err(Box::new(row)),
            Some((_, at)) => {
                let rows = rows_of(set, fold);
                for passage in row.passages() {
                    self.of_passage.entry(passage.to_owned()).or_insert(fold);
                }
                absorb(&mut rows[at], row);
            }
            None => {
                let rows = rows_of(set, fold);
                self.note(&row, fold, rows.len());
                rows.push(row);
            }
        }
        Ok(())
    }
}

fn rows_of(set: &mut PairSet, fold: Fold) -> &mut Vec<Row> {
    match fold {
        Fold::Train => &mut set.train,
        Fold::Dev => &mut set.dev,
        Fold::Test => &mut set.test,
    }
}

/// A row with some of its positives only.
fn only(row: &Row, positives: &[usize]) -> Row {
    let positives: Vec<String> = positives.iter().map(|at| row.positives[*at].clone()).collect();
    let stays = |id: &String| positives.contains(id) || row.negatives.contains(id);
    Row {
        texts: row.texts.iter().filter(|(id, _)| stays(id)).map(|(id, text)| (id.clone(), text.clone())).collect(),
        grades: row.grades.iter().filter(|(id, _)| positives.contains(id)).map(|(id, n)| (id.clone(), *n)).collect(),
        query_id: row.query_id.clone(),
        query: row.query.clone(),
        negatives: row.negatives.clone(),
        source: row.source.clone(),
        document: row.document.clone(),
        rank: row.rank,
        kind: row.kind.clone(),
        language: row.language.clone(),
        positives,
    }
}

/// A row in other words. It keeps an id that its file gave it, unless another part of it keeps the old words.
fn reworded(mut row: Row, words: String, parted: bool) -> Row {
    if parted || row.query_id == Row::id_of(&row.query) {
        row.query_id = Row::id_of(&words);
    }
    row.query = words;
    row
}

/// Adds to a row what another that asks the same has more.
fn absorb(into: &mut Row, row: Row) {
    let had: HashSet<String> = into.passages().map(str::to_owned).collect();
    let new: Vec<String> = row
        .passages()
        .zip(&row.positives)
        .filter(|(passage, _)| !had.contains(*passage))
        .map(|(_, id)| id.clone())
        .collect();
    into.negatives.extend(row.negatives.iter().filter(|id| !into.negatives.contains(id)).cloned().collect::<Vec<_>>());
    for (id, text) in row.texts {
        if new.contains(&id) || into.negatives.contains(&id) {
            into.texts.entry(id).or_insert(text);
        }
    }
    into.grades.extend(row.grades.into_iter().filter(|(id, _)| new.contains(id)));
    into.positives.extend(new);
    let Row { positives, negatives, .. } = into;
    negatives.retain(|id| !positives.contains(id));
}
