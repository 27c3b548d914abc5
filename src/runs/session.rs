//! A run while its job runs: an observer that logs, forwards and obeys.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::machine::Sampler;
use super::{ControlLog, Error, EventLog, Result, RunFolder, RunRecord, Wanted};
use crate::progress::{Clock, Event, Observer, Outcome};

/// How often the control log is looked at, in milliseconds.
const POLL_MS: u64 = 200;
/// Progress events are logged at most this often, in milliseconds.
const PROGRESS_MS: u64 = 250;
/// So are merges, and pairs: as often as an eye can follow. All other events are logged always.
const STREAM_MS: u64 = 50;
/// Pairs that are logged at once where few came before: the questions of a passage come together.
const PAIRS_TOGETHER: u64 = 8;

/// A running run: holds the lock, writes the log, forwards to who watches in the foreground.
pub struct Session<'a> {
    run: RunFolder,
    record: Mutex<RunRecord>,
    log: Arc<EventLog>,
    control: ControlLog,
    foreground: &'a dyn Observer,
    clock: &'a dyn Clock,
    sampler: Mutex<Option<Sampler>>,
    stop: AtomicBool,
    checkpoint: AtomicBool,
    paused: AtomicBool,
    /// What was asked for; 0: nothing was.
    concurrency: AtomicUsize,
    last_poll: AtomicU64,
    last_progress: AtomicU64,
    last_merge: AtomicU64,
    /// When the next pair would come if they came evenly.
    next_pair: AtomicU64,
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
    /// Takes the run's lock and opens its log. The job has not begun: [`Session::start`] says so.
    pub fn begin(run: RunFolder, foreground: &'a dyn Observer, clock: &'a dyn Clock) -> Result<Self> {
        let Some(lock) = run.try_lock()? else { return Err(Error::Running(run.id())) };
        let mut record = run.record()?;
        record.pid = std::process::id();
        (record.host, record.boot) = (super::folder::host(), super::folder::boot());
        run.write_record(&record)?;
        let log = EventLog::open(&run.events())?;
        let control = run.control();
        Ok(Self {
            control: if log.is_fresh() { ControlLog::of_first_life(control) } else { ControlLog::open(control) },
            log: Arc::new(log),
            record: Mutex::new(record),
            run,
            foreground,
            clock,
            sampler: Mutex::new(None),
            stop: AtomicBool::new(false),
            checkpoint: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            concurrency: AtomicUsize::new(0),
            last_poll: AtomicU64::new(0),
            last_progress: AtomicU64::new(0),
            last_merge: AtomicU64::new(0),
            next_pair: AtomicU64::new(0),
            warned_of_loss: AtomicBool::new(false),
            _lock: lock,
        })
    }

    /// Says that the job begins, and where it computes; from here on the machine is sampled.
    pub fn start(&self, device: &str) -> Result<()> {
        let record = {
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            device.clone_into(&mut record.device);
            self.run.write_record(&record)?;
            record.clone()
        };
        self.on(Event::Start { job: record.job, settings: record.settings, device: record.device.clone() });
        let sampler = Sampler::start(Arc::clone(&self.log), self.run.heartbeat(), record.device);
        *self.sampler.lock().unwrap_or_else(PoisonError::into_inner) = Some(sampler);
        Ok(())
    }

    /// The run.
    pub fn run(&self) -> &RunFolder {
        &self.run
    }

    /// Writes the `end` record, after which there is nothing.
    pub fn end(&self, ended: &Ended<'_>) {
        let (outcome, error, result) = match ended {
            Ended::Finished(result) => (Outcome::Finished, None, (*result).clone()),
            Ended::Stopped => (Outcome::Stopped, None, Value::Null),
            Ended::Failed(error) => (Outcome::Failed, Some((*error).to_owned()), Value::Null),
        };
        drop(self.sampler.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.on(Event::End { outcome, error, result });
    }

    fn obey(&self) {
        let now = self.clock.unix_ms();
        if !due(&self.last_poll, now, POLL_MS) {
            return;
        }
        for request in self.control.poll() {
            match request.request {
                Wanted::Stop => self.stop.store(true, Ordering::Relaxed),
                Wanted::Checkpoint => self.checkpoint.store(true, Ordering::Relaxed),
                Wanted::Pause => self.paused.store(true, Ordering::Relaxed),
                Wanted::Continue => self.paused.store(false, Ordering::Relaxed),
                Wanted::Concurrency(wanted) => self.concurrency.store(wanted, Ordering::Relaxed),
            }
            self.on(Event::Ack { id: request.id });
        }
    }

    /// Whether the log has room for this event among those that come in streams.
    fn is_logged(&self, event: &Event, now: u64) -> bool {
        match event {
            Event::Progress { done, total, .. } => Some(*done) == *total || due(&self.last_progress, now, PROGRESS_MS),
            Event::Merge { .. } => due(&self.last_merge, now, STREAM_MS),
            Event::Pair { .. } => has_room(&self.next_pair, now, STREAM_MS, PAIRS_TOGETHER),
            _ => true,
        }
    }
}

/// Whether `every` milliseconds have passed since the last time that this said yes; of several threads one is told so.
fn due(last: &AtomicU64, now: u64, every: u64) -> bool {
    let before = last.load(Ordering::Relaxed);
    now.saturating_sub(before) >= every
        && last.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

/// Whether a stream of one event each `every` milliseconds has room for another, `burst` of them ahead of their time (the
/// generic cell rate algorithm); of several threads that ask for the last room one is told so.
fn has_room(next: &AtomicU64, now: u64, every: u64, burst: u64) -> bool {
    let before = next.load(Ordering::Relaxed);
    let at = before.max(now);
    at - now < every * burst && next.compare_exchange(before, at + every, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

impl Observer for Session<'_> {
    fn on(&self, event: Event) {
        let now = self.clock.unix_ms();
        let written = !self.is_logged(&event, now) || self.log.append(&event, now);
        if !written && !self.warned_of_loss.swap(true, Ordering::Relaxed) {
            let text = format!(
                "{}: cannot be written (is the disk full?); the job goes on, its log has a gap",
                self.run.path().display()
            );
            self.foreground.on(Event::warning(text));
        }
        self.foreground.on(event);
    }

    fn stop_requested(&self) -> bool {
        self.obey();
        self.stop.load(Ordering::Relaxed) || self.foreground.stop_requested()
    }

    fn checkpoint_requested(&self) -> bool {
        self.obey();
        self.checkpoint.swap(false, Ordering::Relaxed) | self.foreground.checkpoint_requested()
    }

    fn pause_requested(&self) -> bool {
        self.obey();
        self.paused.load(Ordering::Relaxed) || self.foreground.pause_requested()
    }

    fn concurrency_requested(&self) -> Option<usize> {
        self.obey();
        let wanted = Some(self.concurrency.load(Ordering::Relaxed)).filter(|wanted| *wanted > 0);
        wanted.or_else(|| self.foreground.concurrency_requested())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::progress::{Recorder, SystemClock};
    use crate::runs::{NewRun, Tail};
    use crate::workspace::{Config, Source, Workspace};

    pub(in crate::runs) fn new_run(folder: &tempfile::TempDir) -> RunFolder {
        let workspace = Workspace::create(folder.path(), &Config::new("t", Source::Corpus(Vec::new()))).unwrap();
        let new = NewRun { job: "tune", settings: json!({ "lr": 1 }), device: "auto", trains: true };
        RunFolder::create(&workspace, &new, &SystemClock::default()).unwrap()
    }

    fn logged(run: &RunFolder) -> Vec<Event> {
        let batch = Tail::open(run).poll(usize::MAX, Duration::from_mins(1)).unwrap();
        batch.events.into_iter().map(|logged| logged.event).collect()
    }

    #[test]
    fn requests_are_obeyed_once_and_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        let (clock, watcher) = (SystemClock::default(), Recorder::default());
        let session = Session::begin(run.clone(), &watcher, &clock).unwrap();
        session.start("cpu").unwrap();
        assert!(Session::begin(run.clone(), &watcher, &clock).is_err(), "the lock is exclusive");
        assert!(!session.stop_requested() && !session.checkpoint_requested());
        let asked = [run.ask_for_checkpoint(1).unwrap(), run.stop(1).unwrap()];
        std::thread::sleep(Duration::from_millis(2 * POLL_MS));
        assert!(session.checkpoint_requested());
        assert!(!session.checkpoint_requested(), "a checkpoint is asked for once");
        assert!(session.stop_requested() && session.stop_requested());
        session.end(&Ended::Stopped);
        drop(session);
        let acknowledged: Vec<String> = logged(&run)
            .into_iter()
            .filter_map(|event| if let Event::Ack { id } = event { Some(id) } else { None })
            .collect();
        assert_eq!(acknowledged, asked);

        run.check_resumable().unwrap();
        let again = Session::begin(run.clone(), &watcher, &clock).unwrap();
        again.start("cpu").unwrap();
        assert!(!again.stop_requested(), "an old request does not stop a resumed run");
        again.end(&Ended::Finished(&Value::Null));
        drop(again);
        assert!(run.check_resumable().is_err());
    }

    #[test]
    fn streams_are_thinned_in_the_log_and_whole_in_the_foreground() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        let (clock, watcher) = (SystemClock::default(), Recorder::default());
        let session = Session::begin(run.clone(), &watcher, &clock).unwrap();
        session.start("cpu").unwrap();
        for done in 1..=1000 {
            session.on(Event::Merge { done, left: "a".to_owned(), right: "b".to_owned(), count: 1 });
            session.on(Event::Pair {
                passage: "p".to_owned(),
                query: "q".to_owned(),
                source: "title".to_owned(),
                rejected: None,
            });
            session.on(Event::progress(done as usize, 1000, "merges"));
            session.on(Event::note("n"));
        }
        session.end(&Ended::Stopped);
        let (logged, seen) = (logged(&run), watcher.events());
        let count = |events: &[Event], is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
        for is in [|e: &Event| matches!(e, Event::Merge { .. }), |e: &Event| matches!(e, Event::Pair { .. })] {
            assert_eq!(count(&seen, is), 1000);
            assert!((1..500).contains(&count(&logged, is)), "{}", count(&logged, is));
        }
        assert_eq!(count(&logged, |e| matches!(e, Event::Note { .. })), 1000);
        assert!(logged.contains(&Event::progress(1000, 1000, "merges")), "the last one is there");
        assert!(matches!(logged.last(), Some(Event::End { .. })));
    }

    #[test]
    fn a_few_at_once_have_room_and_a_stream_is_thinned() {
        let next = AtomicU64::new(0);
        let logged = |from: u64, to: u64| (from..to).filter(|now| has_room(&next, *now, 50, 8)).count();
        assert_eq!((0..20).filter(|_| has_room(&next, 1000, 50, 8)).count(), 8);
        assert_eq!(logged(1001, 2001), 20, "then twenty a second");
        assert_eq!((0..20).filter(|_| has_room(&next, 9000, 50, 8)).count(), 8, "after a silence there is room again");
    }

    #[test]
    fn the_record_tells_where_the_job_computes() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        let (clock, watcher) = (SystemClock::default(), Recorder::default());
        assert_eq!(run.record().unwrap().device, "auto");
        let session = Session::begin(run.clone(), &watcher, &clock).unwrap();
        session.start("cuda:1").unwrap();
        let record = run.record().unwrap();
        assert_eq!((record.device.as_str(), record.pid, record.trains), ("cuda:1", std::process::id(), true));
    }

    #[test]
    fn what_is_asked_before_the_first_beginning_counts() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        run.stop(1).unwrap();
        let (clock, watcher) = (SystemClock::default(), Recorder::default());
        let session = Session::begin(run, &watcher, &clock).unwrap();
        assert!(session.stop_requested());
    }
}
