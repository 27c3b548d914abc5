//! What a person said of pairs: accepted, rejected, reworded.
//!
//! `reviews/NAME.jsonl` in the workspace is appended to and never rewritten: one line a verdict, later lines win. The pairs
//! themselves stay as they are until the review is finished, which makes the next version of them. A review never moves a
//! passage that is held out into training.

mod apply;

pub use apply::{ReviewCounts, apply_reviews};

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{BrokenLine, Result, read_jsonl};
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

#[cfg(test)]
mod tests;
