//! Training pairs: a query and the passages that answer it.
//!
//! They come from the documents' own structure ([`structural`]), from the user's files ([`import`]) or with a
//! retrieval set ([`from_beir`]); a person may read and mend them ([`apply_reviews`]). Whatever a filter rejects is counted and kept with its reason; nothing is
//! dropped in silence, and no passage to test on is ever trained on.

mod beir;
#[allow(dead_code)] // until there are synthesized questions to judge
mod filters;
mod import;
mod merge;
mod near;
mod questions;
mod reviews;
mod row;
mod structural;
#[allow(dead_code)] // until the job that calls it is there
mod synthesis;

pub use beir::from_beir;
pub use filters::Reason;
pub use import::import;
pub use near::count_near_duplicates;
pub use questions::{Question, extra_passages, read_questions, write_questions};
pub use reviews::{Mark, Review, ReviewCounts, Reviews, Verdict, append_review, apply_reviews};
pub use row::{BROKEN_LINE, BrokenLine, Lines, PairSet, Rejected, Row, read_jsonl, read_rows, read_set};
pub use structural::structural;

use std::path::PathBuf;

/// What can go wrong with pairs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The corpus.
    #[error(transparent)]
    Corpus(#[from] crate::corpus::Error),
    /// A file of the workspace.
    #[error(transparent)]
    Workspace(#[from] crate::workspace::Error),
    /// Reading the user's file failed.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file whose name says nothing about its format.
    #[error("{}: cannot tell its format; give a .csv, .tsv, .jsonl or .json file, or a BEIR folder", .0.display())]
    UnknownFormat(PathBuf),
    /// A table or record without the columns of a pair.
    #[error("{}: no column for the {wanted}; it has: {present}; rename one to {accepted}", path.display())]
    UnknownColumns {
        /// Which file.
        path: PathBuf,
        /// What is missing: `query`, `positive`.
        wanted: &'static str,
        /// The columns that are there.
        present: String,
        /// The names that would do.
        accepted: String,
    },
    /// A file that is not what its name says.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// A broken line where none may be.
    #[error("{}:{}: {}; {remedy}", broken.file, broken.line, broken.problem)]
    Broken {
        /// Where and what.
        broken: BrokenLine,
        /// What to do.
        remedy: &'static str,
    },
    /// A judgement of a passage that does not exist.
    #[error(
        "{}:{line}: passage {id:?} is not in the corpus; the documents changed since these questions were made: make them again, or restore the documents",
        path.display()
    )]
    UnknownPassage {
        /// The judgements.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The id that names nothing.
        id: String,
    },
    /// Stopped on request.
    #[error("stopped on request")]
    Stopped,
}

/// The result of working on pairs.
pub type Result<T, E = Error> = std::result::Result<T, E>;
