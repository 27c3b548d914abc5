//! A job's life: its folder, its lock, its event log, its control log.
//!
//! A run knows nothing of what its job computes. It holds an exclusive lock for its whole life, appends
//! every event to `events.jsonl`, obeys requests appended to `control.jsonl`, and ends with an `end`
//! record: a free lock without one means that the job crashed, and can be resumed.
//!
//! Whoever looks at a run only reads: a [`Watcher`] follows it and never holds what a job needs. A run is started in the
//! foreground by a [`Session`], or in a process of its own that outlives the terminal by [`launch`]. Runs that train wait
//! for each other in a [`Queue`].

mod control;
mod folder;
mod launch;
mod log;
mod machine;
mod parse;
mod queue;
mod session;
mod status;
mod tail;

use std::path::PathBuf;

pub use control::{ControlLog, Request, Wanted};
pub use folder::{NewRun, RunFolder, RunRecord};
pub use launch::{Detached, LaunchOptions, Launched, launch};
pub use log::{EventLog, LoggedEvent};
pub use queue::{QUEUED, Queue, Ticket, Turn, Waiting};
pub use session::{Ended, Session};
pub use status::{State, Status, Watcher};
pub use tail::{Batch, Tail};

use crate::workspace;

/// What can go wrong with a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or writing its folder failed.
    #[error(transparent)]
    Workspace(#[from] workspace::Error),
    /// No such run.
    #[error("no run {0:?} in this workspace: `lapidary runs` lists them")]
    Unknown(String),
    /// A run of which several are meant.
    #[error("{wanted:?} names several runs: {candidates}")]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Which it could be.
        candidates: String,
    },
    /// Its lock is held.
    #[error("run {0} is running: stop it first with `lapidary runs stop {0}`")]
    Running(String),
    /// It ended well.
    #[error("run {0} {1}: there is nothing to {2}")]
    Over(String, &'static str, &'static str),
    /// A process of its own could not be started.
    #[error("starting {} for run {run}: {problem}", binary.display())]
    Launch {
        /// Which run.
        run: String,
        /// Which binary.
        binary: PathBuf,
        /// What went wrong, with what the process said.
        problem: String,
    },
}

/// The result of working on runs.
pub type Result<T, E = Error> = std::result::Result<T, E>;
