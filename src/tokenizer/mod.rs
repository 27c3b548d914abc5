//! Tokenizers: loading, fragmentation, spans of tokens, training.

mod bpe;
mod byte_alphabet;
mod counter;
mod cuts;
mod fragmentation;
#[cfg(test)]
mod hostile;
mod load;
mod spans;
mod vocabulary;
mod wordpiece;
mod words;

pub use bpe::{Checkpoints, CurvePoint, Trained, Training, knee, meets, train_bpe};
pub use byte_alphabet::readable;
pub use counter::Counter;
pub use fragmentation::{Fragmentation, THRESHOLD, Verdict, WorstWord};
pub use load::load;
pub use spans::{TokenSpan, token_spans};
pub use tokenizers::Tokenizer;
pub use vocabulary::{Extended, Source, costly_words, extend, is_uncased, lower_cased, sources};
pub use wordpiece::{WordPiecePoint, train_wordpiece};
pub use words::{WordPieces, window, word_pieces};

use std::path::PathBuf;

/// What can go wrong with a tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// Reading or writing what a training keeps failed.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What a training keeps could not be written.
    #[error(transparent)]
    Workspace(#[from] crate::workspace::Error),
    /// The library refused.
    #[error("{doing}: {problem}")]
    Library {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        problem: String,
    },
    /// Stopped on request.
    #[error("stopped on request")]
    Stopped,
}

/// The result of working with a tokenizer.
pub type Result<T, E = Error> = std::result::Result<T, E>;
