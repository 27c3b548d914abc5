//! What a person said of pairs: accepted, rejected, reworded.
//!
//! `reviews/NAME.jsonl` in the workspace is appended to and never rewritten: one line a verdict, later lines win. The pairs
//! themselves stay as they are until the review is finished, which makes the next version of them. A review never moves a
//! passage that is held out into training.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{BrokenLine, PairSet, Reason, Rejected, Result, Row, read_jsonl};
use crate::corpus::Fold;
use crate::workspace::{Error as WorkspaceError, append_line};

/// The version of a line.
const VERSION: u32 = 1;

/// What is said of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It stays; one that a filter rejected comes back.
    Accept,
    /// It goes.
    Reject,
    /// It stays, in other words.
    Edit,
}

/// One line of a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The version of the line.
    pub v: u32,
    /// When, in milliseconds since 1970, UTC.
    pub t: u64,
    /// Which pairs: `cold-pairs@v2`.
    pub pairs: String,
    /// Which question.
    pub query_id: String,
    /// Of which of its passages.
    pub passage: String,
    /// What is said of it.
    pub verdict: Verdict,
    /// The new words, where it was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

impl Review {
    /// A line about a question of `pairs`, written at `t` (milliseconds since 1970).
    pub fn new(t: u64, pairs: &str, query_id: &str, passage: &str, verdict: Verdict, query: Option<String>) -> Self {
        let (pairs, query_id, passage) = (pairs.to_owned(), query_id.to_owned(), passage.to_owned());
        Self { v: VERSION, t, pairs, query_id, passage, verdict, query }
    }
}

/// Where the reviews of pairs are kept; `pairs` is a reference (`cold-pairs@v2`) or a name.
fn file_of(root: &Path, pairs: &str) -> PathBuf {
    let name = pairs.rsplit_once("@v").map_or(pairs, |(name, _)| name);
    root.join("reviews").join(format!("{name}.jsonl"))
}

/// Appends a line in one write, into the workspace at `root`.
pub fn append_review(root: &Path, review: &Review) -> Result<()> {
    let path = file_of(root, &review.pairs);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(WorkspaceError::io("making", folder))?;
    }
    // Strings and numbers: serialisation has nothing to fail on.
    let mut line = serde_json::to_string(review).unwrap_or_default();
    // What a crash left half written must not swallow this line too.
    if is_torn(&path) {
        line.insert(0, '\n');
    }
    Ok(append_line(&path, &line)?)
}

/// Whether a file ends in the middle of a line.
fn is_torn(path: &Path) -> bool {
    let mut last = [0];
    let read = std::fs::File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)
    });
    read.is_ok() && last != [b'\n']
}

/// What stands of the reviews of one question with one passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Whether it stays.
    pub accepted: bool,
    /// Its new words: those of the last edit, whatever was said after it.
    pub query: Option<String>,
}

/// The reviews of one version of pairs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reviews {
    /// By query id, then by passage.
    marks: BTreeMap<String, BTreeMap<String, Mark>>,
    /// Lines that are no reviews: the last one may be torn.
    pub broken: Vec<BrokenLine>,
}

impl Reviews {
    /// Reads the reviews of `pairs` (`cold-pairs@v2`) in the workspace at `root`; none where there is no file. A line
    /// that is no review is named and skipped.
    pub fn read(root: &Path, pairs: &str) -> Result<Self> {
        let path = file_of(root, pairs);
        if !path.is_file() {
            return Ok(Self::default());
        }
        let lines = read_jsonl::<Review>(&path)?;
        let mut reviews = Self { broken: lines.broken, ..Self::default() };
        for (line, review) in lines.rows {
            if review.pairs == pairs
                && let Err(problem) = reviews.take(&review)
            {
                reviews.broken.push(BrokenLine::new(&path, line, problem));
            }
        }
        reviews.broken.sort_by_key(|broken| broken.line);
        Ok(reviews)
    }

    /// Takes the next line.
    fn take(&mut self, review: &Review) -> Result<(), &'static str> {
        let words = review.query.as_deref().map(str::trim).filter(|words| !words.is_empty());
        if review.verdict == Verdict::Edit && words.is_none() {
            return Err("an edit without new words; `query` holds them");
        }
        let of_query = self.marks.entry(review.query_id.clone()).or_default();
        let mark = of_query.entry(review.passage.clone()).or_insert(Mark { accepted: true, query: None });
        mark.accepted = review.verdict != Verdict::Reject;
        if let Some(words) = words {
            mark.query = Some(words.to_owned());
        }
        Ok(())
    }

    /// What stands of a question with a passage.
    pub fn get(&self, query_id: &str, passage: &str) -> Option<&Mark> {
        self.marks.get(query_id)?.get(passage)
    }

    /// How many questions were reviewed.
    pub fn len(&self) -> usize {
        self.marks.values().map(BTreeMap::len).sum()
    }

    /// Whether nothing was reviewed.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }
}

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
            out.rejected.push(Rejected { reason: Reason::OtherFold, row });
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
    fn add(&mut self, row: Row, fold: Fold, set: &mut PairSet) -> Result<(), Row> {
        match self.of_query.get(&row.query_id).copied() {
            Some((other, _)) if other != fold => return Err(row),
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

#[cfg(test)]
mod tests;
