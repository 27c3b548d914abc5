//! Documents: reading, passages, near-duplicates, folds.
//!
//! Files of many formats and encodings become passages of about as many words as a small model reads well. Passages that
//! say almost the same are clustered, and documents are dealt into folds by cluster, so that nothing to test on has a twin
//! to train on. Text streams: a corpus is never held in memory as a whole.

pub mod beir;
mod blocks;
mod build;
mod decode;
mod duplicates;
mod folds;
mod formats;
mod passages;
mod questions;
mod store;
mod text;
mod walk;

pub use build::{Decoded, FoldCounts, Skipped, Summary, build, for_each_text};
pub use questions::remedy as remedy_for_unknown_document;
pub use store::{Corpus, Passages};
pub use text::{language_of, sentences, words};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::workspace;

/// What a document serves for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fold {
    /// To train on.
    Train,
    /// To choose checkpoints and settings by.
    Dev,
    /// To be asked about once, at the end.
    Test,
}

impl Fold {
    /// The fold of this name, in capitals or not.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Train, Self::Dev, Self::Test].into_iter().find(|fold| fold.to_string() == name.to_lowercase())
    }
}

impl std::fmt::Display for Fold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Dev => "dev",
            Self::Test => "test",
        })
    }
}

/// A file, or in a retrieval set all passages of one title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// From path and content.
    pub id: String,
    /// The path, from the folder that was named.
    pub path: String,
    /// The first heading, or the file's name.
    pub title: String,
    /// How it was read: `markdown`, `html`, `text`.
    pub format: String,
    /// The encoding of the file.
    pub encoding: String,
    /// Words, separated by white space.
    pub words: usize,
    /// Passages.
    pub passages: usize,
    /// What it serves for.
    pub fold: Fold,
}

/// A piece of a document: what is embedded and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// From headings and text; in a retrieval set its own.
    pub id: String,
    /// Its document's id.
    pub document: String,
    /// Title and headings above it, outermost first.
    pub heading: Vec<String>,
    /// What it says.
    pub text: String,
    /// Its document's fold.
    pub fold: Fold,
    /// The same for passages that say almost the same.
    pub cluster: u32,
}

/// What can go wrong with documents.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or writing failed.
    #[error(transparent)]
    Workspace(#[from] workspace::Error),
    /// A path that is not there.
    #[error("{}: no such file or folder", .0.display())]
    Missing(PathBuf),
    /// Nothing to read.
    #[error(
        "{paths}: the corpus is empty: no readable text in it{skipped}; name a folder with txt, md, rst, html, csv, json or source files"
    )]
    Empty {
        /// Where it was looked for.
        paths: String,
        /// What was skipped, if anything.
        skipped: String,
    },
    /// A retrieval set or a table that contradicts itself, or the documents.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// Stopped on request.
    #[error("stopped on request")]
    Stopped,
}

/// The result of working with documents.
pub type Result<T, E = Error> = std::result::Result<T, E>;
