//! Ranking passages: exact vector search, BM25, fusion, negative mining.
//!
//! Scores over all passages are plain slices, one value a passage; rankings are lists of [`Hit`]s. Ties are broken by
//! ascending passage id, so that a ranking never depends on chance.

mod analyzer;
mod bm25;
mod fusion;
mod mining;
mod search;

pub use analyzer::Analyzer;
pub use bm25::Bm25;
pub use fusion::{fuse_standardised, reciprocal_rank_fusion};
pub use mining::{Mined, MiningOptions, mine};
pub use search::{Hit, scores, search, top};

/// What can go wrong in ranking.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A stemmer that does not exist.
    #[error("--stemmer {wanted}: there is none for that language; there are: none, {known}")]
    UnknownStemmer {
        /// What was asked for.
        wanted: String,
        /// What exists.
        known: String,
    },
}

/// The result of ranking.
pub type Result<T, E = Error> = std::result::Result<T, E>;
