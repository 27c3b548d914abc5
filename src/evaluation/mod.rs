//! Judging a ranking: metrics, significance, comparison of systems.

mod asked;
mod comparison;
mod contenders;
mod findings;
mod ladder;
mod metrics;
mod overlap;
mod significance;
mod table;
mod trec;
mod verdict;

pub use asked::newest_questions;
pub use comparison::{Delta, PerQuery, System, SystemKind, compare};
pub use contenders::{Contender, base_of, contenders, newest_tuned};
pub use findings::Findings;
#[cfg(test)]
pub(crate) use ladder::tests::WRITTEN as LADDER_WRITTEN;
pub use ladder::{Arm, Cost, Ladder, arms_table};
pub use metrics::{Metrics, QueryScores, score};
pub use overlap::{Overlap, by_overlap, lexical_overlap};
pub use significance::{Significance, paired_test};
pub use table::Table;
pub use trec::{RunLine, read_trec_run, write_trec_run};
pub use verdict::{Answer, Verdict};

/// What can go wrong in judging.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A run file that is none.
    #[error("line {line}: {text:?} is no line of a TREC run: query Q0 document rank score tag")]
    NoRun {
        /// Which line, from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// Reading failed.
    #[error(transparent)]
    Workspace(#[from] crate::workspace::Error),
}

/// The result of judging.
pub type Result<T, E = Error> = std::result::Result<T, E>;
