//! Training pairs: a query and the passages that answer it.
//!
//! They come from the documents' own structure ([`structural`]), from a local language model ([`synthesize`]), from the
//! user's files ([`import`]) or with a retrieval set ([`from_beir`]); a person may read and mend them ([`apply_reviews`]). Whatever a filter rejects is counted and kept with its reason; nothing is
//! dropped in silence, and no passage to test on is ever trained on.

mod beir;
mod filters;
mod import;
mod merge;
mod near;
pub mod ollama;
mod questions;
mod reviews;
mod row;
mod structural;
mod synthesis;

pub use beir::from_beir;
pub use filters::Reason;
pub use import::import;
pub use near::{count_near_duplicates, first_said};
pub use questions::{Metadata, Question, extra_passages, read_questions, write_questions};
pub use reviews::{Mark, Review, ReviewCounts, Reviews, Verdict, append_review, apply_reviews};
pub use row::{BROKEN_LINE, BrokenLine, Lines, PairSet, Rejected, Row, read_jsonl, read_rows, read_set};
pub use structural::{cloze, structural};
pub use synthesis::{
    PROMPT_ENGLISH, PROMPT_RUSSIAN, PromptError, Recipe, Synthesized, Task, Without, free_gpus, models, synthesize,
};

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
    /// Ranking passages for the round trip.
    #[error(transparent)]
    Retrieval(#[from] crate::retrieval::Error),
    /// A server that runs language models.
    #[error(transparent)]
    Ollama(#[from] ollama::Trouble),
    /// Nobody answers.
    #[error(
        "{problems}. Start one with `ollama serve` and fetch a model with `ollama pull {suggested}` (https://ollama.com), or say where one is with --endpoint URL or OLLAMA_HOST. Without any, `lapidary pairs structural` makes pairs from titles, headings and sentences"
    )]
    NoOllama {
        /// What was tried.
        problems: String,
        /// A model to begin with.
        suggested: &'static str,
    },
    /// No server has the model.
    #[error(
        "no model {wanted:?} at {url}; there is: {present}. Fetch it with `ollama pull {wanted}`, or let lapidary do so with --model {wanted} --pull"
    )]
    ModelMissing {
        /// The first server that answered.
        url: String,
        /// The model.
        wanted: String,
        /// What is there.
        present: String,
    },
    /// A model that writes nothing.
    #[error("the model {0:?} makes embeddings and writes no text; of those there, these write: {1}")]
    EmbedsOnly(String, String),
    /// Nobody answers any more.
    #[error(
        "no endpoint answers any more ({problems}); {left} passages are left, and nothing that was answered is lost: resume when one is back"
    )]
    NoEndpoint {
        /// Passages not asked about yet.
        left: usize,
        /// What is wrong with each.
        problems: String,
    },
    /// Another run asks the same.
    #[error("another run asks the same model the same questions now: {} is its journal; wait for its end, or stop it", .0.display())]
    Asked(PathBuf),
    /// A prompt that cannot be used.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A language that does not exist.
    #[error("--language {0}: no such language; name it in English (german) or by its ISO 639-3 code (deu)")]
    UnknownLanguage(String),
    /// The machine refused a thread or a timer.
    #[error("asking the model: {0}")]
    Runtime(String),
    /// Stopped on request.
    #[error("stopped on request")]
    Stopped,
}

/// The result of working on pairs.
pub type Result<T, E = Error> = std::result::Result<T, E>;
