//! What became of a run, told by its lock and its last events.

use serde::Serialize;
use serde_json::Value;

use super::folder::host;
use super::log::read_events;
use super::{ControlLog, Error, Result, RunFolder, RunRecord, Wanted};
use crate::progress::{Event, Outcome};

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its lock is held.
    Running,
    /// It did what was asked.
    Finished,
    /// It said why it could not.
    Failed,
    /// It was stopped and can be resumed.
    Stopped,
    /// It is gone without an `end` record and can be resumed.
    Crashed,
}

impl State {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
        }
    }
}

/// A run at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Its id.
    pub id: String,
    /// Its job.
    pub job: String,
    /// Its state.
    pub state: State,
    /// When it was made, in milliseconds since 1970, UTC.
    pub created_unix_ms: u64,
    /// The last phase.
    pub phase: String,
    /// Units done of the phase, in all, and what they are.
    pub progress: Option<(u64, Option<u64>, String)>,
    /// What went wrong.
    pub error: Option<String>,
    /// What it returned.
    pub result: Value,
}

impl Status {
    /// Looks at a run.
    pub fn of(run: &RunFolder) -> Result<Self> {
        let RunRecord { job, created_unix_ms, host: ran_on, .. } = run.record()?;
        let (events, _, _) = read_events(&run.events(), 0)?;
        let mut status = Self {
            id: run.id(),
            job,
            state: State::Crashed,
            created_unix_ms,
            phase: String::new(),
            progress: None,
            error: None,
            result: Value::Null,
        };
        let mut ended = None;
        for logged in events {
            match logged.event {
                Event::Start { .. } => ended = None,
                Event::Phase { name } => (status.phase, status.progress) = (name, None),
                Event::Progress { done, total, unit } => status.progress = Some((done, total, unit)),
                Event::End { outcome, error, result } => {
                    (status.error, status.result) = (error, result);
                    ended = Some(outcome);
                }
                _ => {}
            }
        }
        // The lock first: a resumed run has an old `end` until its `start` is written. Another host's lock
        // cannot be tried everywhere; its log must do.
        let held = ran_on == host() && run.try_lock()?.is_none();
        status.state = match ended {
            _ if held => State::Running,
            Some(Outcome::Finished) => State::Finished,
            Some(Outcome::Failed) => State::Failed,
            Some(Outcome::Stopped) => State::Stopped,
            None => State::Crashed,
        };
        Ok(status)
    }
}

impl RunFolder {
    /// Asks the run to stop; an error where it does not run.
    pub fn stop(&self, unix_ms: u64) -> Result<String> {
        let status = Status::of(self)?;
        if status.state != State::Running {
            return Err(Error::Over(self.id(), status.state.word(), "stop"));
        }
        ControlLog::request(&self.control(), Wanted::Stop, unix_ms)
    }

    /// Whether the run can go on; an error that says why not.
    pub fn check_resumable(&self) -> Result<()> {
        let status = Status::of(self)?;
        match status.state {
            State::Running => Err(Error::Running(self.id())),
            State::Finished => Err(Error::Over(self.id(), "finished", "resume")),
            State::Failed | State::Stopped | State::Crashed => Ok(()),
        }
    }

    /// The events since a byte offset, and the offset to go on from.
    pub fn events_since(&self, from: u64) -> Result<(Vec<super::LoggedEvent>, u64)> {
        let (events, at, _) = read_events(&self.events(), from)?;
        Ok((events, at))
    }
}
