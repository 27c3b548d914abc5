//! A run while its job runs: an observer that logs, forwards and obeys.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;

use super::{ControlLog, Error, EventLog, Result, RunFolder, Wanted};
use crate::progress::{Clock, Event, Observer, Outcome};

/// How often the control log is looked at, in milliseconds.
const POLL_MS: u64 = 200;
/// Progress events are logged at most this often, in milliseconds; all others always.
const PROGRESS_MS: u64 = 250;

/// A running run: holds the lock, writes the log, forwards to who watches in the foreground.
pub struct Session<'a> {
    run: RunFolder,
    log: EventLog,
    control: ControlLog,
    foreground: &'a dyn Observer,
    clock: &'a dyn Clock,
    stop: AtomicBool,
    last_poll: AtomicU64,
    last_progress: AtomicU64,
    warned_of_loss: AtomicBool,
    _lock: File,
}

/// How a job ended, as its run records it.
pub enum Ended<'a> {
    /// With a result.
    Finished(&'a Value),
    /// On request.
    Stopped,
    /// With an error's text.
    Failed(&'a str),
}

impl<'a> Session<'a> {
    /// Takes the run's lock and begins its log, or goes on with it.
    pub fn begin(run: RunFolder, foreground: &'a dyn Observer, clock: &'a dyn Clock) -> Result<Self> {
        let lock = take_lock(&run)?;
        let mut record = run.record()?;
        record.pid = std::process::id();
        (record.host, record.boot) = (super::folder::host(), super::folder::boot());
        run.write_record(&record)?;
        let session = Self {
            log: EventLog::open(&run.events())?,
            control: ControlLog::open(run.control()),
            run,
            foreground,
            clock,
            stop: AtomicBool::new(false),
            last_poll: AtomicU64::new(0),
            last_progress: AtomicU64::new(0),
            warned_of_loss: AtomicBool::new(false),
            _lock: lock,
        };
        session.on(Event::Start { job: record.job, settings: record.settings, device: record.device });
        Ok(session)
    }

    /// The run.
    pub fn run(&self) -> &RunFolder {
        &self.run
    }

    /// Writes the `end` record.
    pub fn end(&self, ended: &Ended<'_>) {
        let (outcome, error, result) = match ended {
            Ended::Finished(result) => (Outcome::Finished, None, (*result).clone()),
            Ended::Stopped => (Outcome::Stopped, None, Value::Null),
            Ended::Failed(error) => (Outcome::Failed, Some((*error).to_owned()), Value::Null),
        };
        self.on(Event::End { outcome, error, result });
    }

    fn obey(&self, now: u64) {
        if now.saturating_sub(self.last_poll.swap(now, Ordering::Relaxed)) < POLL_MS {
            return;
        }
        for request in self.control.poll() {
            match request.request {
                Wanted::Stop => self.stop.store(true, Ordering::Relaxed),
            }
            self.on(Event::Ack { id: request.id });
        }
    }
}

/// Takes the lock; whoever only looks at a run's state holds it for a moment, so one refusal is not the last word.
fn take_lock(run: &RunFolder) -> Result<File> {
    for _ in 0..10 {
        if let Some(lock) = run.try_lock()? {
            return Ok(lock);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(Error::Running(run.id()))
}

impl Observer for Session<'_> {
    fn on(&self, event: Event) {
        let now = self.clock.unix_ms();
        let frequent = matches!(&event, Event::Progress { done, total, .. } if Some(*done) != *total);
        let due = now.saturating_sub(self.last_progress.load(Ordering::Relaxed)) >= PROGRESS_MS;
        if !frequent || due {
            if frequent {
                self.last_progress.store(now, Ordering::Relaxed);
            }
            let written = self.log.append(event.clone(), now);
            if !written && !self.warned_of_loss.swap(true, Ordering::Relaxed) {
                let text = format!(
                    "{}: cannot be written (is the disk full?); the job goes on, its log has a gap",
                    self.run.path().display()
                );
                self.foreground.on(Event::warning(text));
            }
        }
        self.foreground.on(event);
    }

    fn stop_requested(&self) -> bool {
        let now = self.clock.unix_ms();
        if now.saturating_sub(self.last_poll.load(Ordering::Relaxed)) >= POLL_MS {
            self.obey(now);
        }
        self.stop.load(Ordering::Relaxed) || self.foreground.stop_requested()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Recorder, SystemClock};
    use crate::runs::{State, Status};
    use crate::workspace::{Config, Source, Workspace};

    #[test]
    fn a_run_is_running_then_stopped_then_resumable() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::create(folder.path(), &Config::new("t", Source::Corpus(Vec::new()))).unwrap();
        let (clock, watcher) = (SystemClock::default(), Recorder::default());
        let run = RunFolder::create(&workspace, "tune", Value::Null, "cpu", &clock).unwrap();
        assert_eq!(Status::of(&run).unwrap().state, State::Crashed);
        let session = Session::begin(run.clone(), &watcher, &clock).unwrap();
        assert_eq!(Status::of(&run).unwrap().state, State::Running);
        assert!(Session::begin(run.clone(), &watcher, &clock).is_err(), "the lock is exclusive");
        assert!(!session.stop_requested());
        run.stop(1).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2 * POLL_MS));
        assert!(session.stop_requested());
        session.end(&Ended::Stopped);
        drop(session);
        assert_eq!(Status::of(&run).unwrap().state, State::Stopped);
        run.check_resumable().unwrap();
        let again = Session::begin(run.clone(), &watcher, &clock).unwrap();
        assert!(!again.stop_requested(), "an old request does not stop a resumed run");
        again.end(&Ended::Finished(&Value::Null));
        drop(again);
        assert!(run.check_resumable().is_err());
        assert!(watcher.events().iter().any(|event| matches!(event, Event::Ack { .. })));
    }
}
