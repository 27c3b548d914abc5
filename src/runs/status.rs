//! What became of a run, told by its lock and its events.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::folder::Life;
use super::{Batch, ControlLog, Error, LoggedEvent, QUEUED, Result, RunFolder, Tail, Wanted};
use crate::progress::{Clock as _, Event, Outcome, SystemClock};

/// A running run is stalled when it was silent for so many of its median steps, and
const STALL_STEPS: f64 = 20.0;
/// for so many milliseconds.
const STALL_MS: f64 = 60_000.0;
/// The median step is that of so many last ones.
const STEPS_KEPT: usize = 50;
/// A run that was made so many milliseconds ago and said nothing yet is about to begin, not crashed.
const BEGIN_MS: u64 = 5_000;

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits for its turn on the device, or is about to begin.
    Queued,
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
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
        }
    }

    /// Whether somebody is at it.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// A run at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Its id.
    pub id: String,
    /// Its job.
    pub job: String,
    /// Its state.
    pub state: State,
    /// Whether it runs but was silent for long: 20 median steps, a minute at least.
    pub stalled: bool,
    /// Whether its state is told by the age of its heartbeat, since its lock cannot be asked from here.
    pub by_heartbeat: bool,
    /// When it was made, in milliseconds since 1970, UTC.
    pub created_unix_ms: u64,
    /// When it last began.
    pub started_unix_ms: Option<u64>,
    /// When it last said something; use of the machine, which another thread tells, does not count.
    pub last_event_unix_ms: Option<u64>,
    /// Where it computes.
    pub device: String,
    /// Its settings, complete.
    pub settings: Value,
    /// The last phase.
    pub phase: String,
    /// Units done of the phase, in all, and what they are.
    pub progress: Option<(u64, Option<u64>, String)>,
    /// The median of its last optimizer steps, in milliseconds.
    pub step_ms: Option<f64>,
    /// What went wrong.
    pub error: Option<String>,
    /// What it returned.
    pub result: Value,
    /// Lines of its log that are no events.
    pub garbage: usize,
    /// Why its record cannot be read, where it cannot: the rest is told by its log alone.
    pub problem: Option<String>,
    /// Whether its log was not read to the end yet: its state is not certain.
    pub loading: bool,
}

impl Status {
    /// Looks at a run: reads its whole log, a part at a time.
    pub fn of(run: &RunFolder) -> Result<Self> {
        let mut watcher = Watcher::open(run);
        while watcher.poll(usize::MAX, Duration::from_secs(1), SystemClock::default().unix_ms())?.more {}
        Ok(watcher.status)
    }

    /// The state with what one should know about it: `running, silent for 130 s`, `running, by its heartbeat`.
    pub fn description(&self, now_unix_ms: u64) -> String {
        let mut text = self.state.word().to_owned();
        if let (true, Some(last)) = (self.stalled, self.last_event_unix_ms) {
            text.push_str(&format!(", silent for {} s", now_unix_ms.saturating_sub(last) / 1000));
        }
        if self.by_heartbeat {
            text.push_str(", by its heartbeat");
        }
        text
    }
}

/// Follows a run: its new events, and its status as they make it.
#[derive(Debug)]
pub struct Watcher {
    run: RunFolder,
    tail: Tail,
    status: Status,
    ran_on: Option<String>,
    ended: Option<Outcome>,
    steps: Steps,
}

impl Watcher {
    /// A watcher at the beginning of a run's log. A record that cannot be read is said in the status.
    pub fn open(run: &RunFolder) -> Self {
        let mut watcher = Self {
            tail: Tail::open(run),
            status: Status {
                id: run.id(),
                job: String::new(),
                state: State::Queued,
                stalled: false,
                by_heartbeat: false,
                created_unix_ms: 0,
                started_unix_ms: None,
                last_event_unix_ms: None,
                device: String::new(),
                settings: Value::Null,
                phase: String::new(),
                progress: None,
                step_ms: None,
                error: None,
                result: Value::Null,
                garbage: 0,
                problem: None,
                loading: true,
            },
            run: run.clone(),
            ran_on: None,
            ended: None,
            steps: Steps::default(),
        };
        watcher.read_record();
        watcher
    }

    /// The run.
    pub fn run(&self) -> &RunFolder {
        &self.run
    }

    /// The status as of the last look.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Looks for new events, bounded as [`Tail::poll`] is, and brings the status up to date.
    pub fn poll(&mut self, max_events: usize, max_time: Duration, now_unix_ms: u64) -> Result<Batch> {
        // The lock before the events: what is gone now wrote its last line before now.
        let life = self.run.life(self.ran_on.as_deref());
        let batch = self.tail.poll(max_events, max_time)?;
        if batch.reloaded {
            *self = Self { tail: std::mem::replace(&mut self.tail, Tail::open(&self.run)), ..Self::open(&self.run) };
        }
        for logged in &batch.events {
            self.fold(logged);
        }
        self.status.garbage += batch.garbage;
        self.status.loading = batch.more;
        self.status.step_ms = self.steps.median();
        self.judge(life, now_unix_ms);
        Ok(batch)
    }

    fn read_record(&mut self) {
        match self.run.record() {
            Ok(record) => {
                (self.status.job, self.status.device) = (record.job, record.device);
                (self.status.settings, self.status.created_unix_ms) = (record.settings, record.created_unix_ms);
                (self.ran_on, self.status.problem) = (Some(record.host), None);
            }
            Err(error) => self.status.problem = Some(error.to_string()),
        }
    }

    fn fold(&mut self, logged: &LoggedEvent) {
        let status = &mut self.status;
        if !matches!(logged.event, Event::System { .. }) {
            status.last_event_unix_ms = Some(logged.t);
        }
        match &logged.event {
            Event::Start { job, settings, device } => {
                (status.job, status.device) = (job.clone(), device.clone());
                status.settings = settings.clone();
                (status.started_unix_ms, status.phase, status.progress) = (Some(logged.t), String::new(), None);
                (status.error, status.result) = (None, Value::Null);
                (self.ended, self.steps) = (None, Steps::default());
                // Another machine may have resumed it.
                self.read_record();
            }
            Event::Phase { name } => (status.phase, status.progress) = (name.clone(), None),
            Event::Progress { done, total, unit } => status.progress = Some((*done, *total, unit.clone())),
            Event::Scalar { .. } => self.steps.push(logged.t),
            Event::End { outcome, error, result } => {
                (status.error, status.result) = (error.clone(), result.clone());
                self.ended = Some(*outcome);
            }
            _ => {}
        }
    }

    fn judge(&mut self, life: Life, now: u64) {
        let begins = self.is_about_to_begin(now);
        let status = &mut self.status;
        status.by_heartbeat = matches!(life, Life::Heartbeat(_));
        // Another machine's heartbeat outlives its job for a while; its `end` does not lie.
        let over = status.by_heartbeat && self.ended.is_some();
        status.state = match self.ended {
            // A resumed run has an old `end` until its `start` is written.
            _ if life.is_running() && !over => match status.phase.as_str() {
                QUEUED => State::Queued,
                _ => State::Running,
            },
            Some(Outcome::Finished) => State::Finished,
            Some(Outcome::Failed) => State::Failed,
            Some(Outcome::Stopped) => State::Stopped,
            None if status.loading => State::Running,
            None if begins => State::Queued,
            None => State::Crashed,
        };
        let silent = status.last_event_unix_ms.map_or(0, |last| now.saturating_sub(last));
        let limit = status.step_ms.map_or(STALL_MS, |step| STALL_MS.max(STALL_STEPS * step));
        status.stalled = status.state == State::Running && silent as f64 > limit;
    }

    fn is_about_to_begin(&self, now: u64) -> bool {
        let status = &self.status;
        status.last_event_unix_ms.is_none() && now.saturating_sub(status.created_unix_ms) < BEGIN_MS
    }
}

/// When the last optimizer steps ended.
#[derive(Debug, Default)]
struct Steps(VecDeque<u64>);

impl Steps {
    fn push(&mut self, unix_ms: u64) {
        if self.0.len() > STEPS_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(unix_ms);
    }

    fn median(&self) -> Option<f64> {
        let mut between: Vec<u64> =
            self.0.iter().zip(self.0.iter().skip(1)).map(|(a, b)| b.saturating_sub(*a)).collect();
        between.sort_unstable();
        between.get(between.len() / 2).map(|&ms| ms as f64)
    }
}

impl RunFolder {
    /// Asks the run to stop; an error where it does not run.
    pub fn stop(&self, unix_ms: u64) -> Result<String> {
        self.ask(Wanted::Stop, "stop", unix_ms)
    }

    /// Asks the run for a checkpoint at its next safe point; an error where it does not run.
    pub fn ask_for_checkpoint(&self, unix_ms: u64) -> Result<String> {
        self.ask(Wanted::Checkpoint, "checkpoint", unix_ms)
    }

    /// Asks the run to begin nothing new; an error where it does not run.
    pub fn pause(&self, unix_ms: u64) -> Result<String> {
        self.ask(Wanted::Pause, "pause", unix_ms)
    }

    /// Asks the run to go on after a pause; an error where it does not run.
    pub fn go_on(&self, unix_ms: u64) -> Result<String> {
        self.ask(Wanted::Continue, "continue", unix_ms)
    }

    /// Asks the run to have so much under way at once; an error where it does not run.
    pub fn set_concurrency(&self, wanted: usize, unix_ms: u64) -> Result<String> {
        self.ask(Wanted::Concurrency(wanted), "change", unix_ms)
    }

    fn ask(&self, wanted: Wanted, verb: &'static str, unix_ms: u64) -> Result<String> {
        let state = Status::of(self)?.state;
        if !state.is_live() {
            return Err(Error::Over(self.id(), state.word(), verb));
        }
        ControlLog::request(&self.control(), wanted, unix_ms)
    }

    /// Whether the run can go on; an error that says why not.
    pub fn check_resumable(&self) -> Result<()> {
        let status = Status::of(self)?;
        match status.state {
            State::Queued | State::Running => Err(Error::Running(self.id())),
            State::Finished => Err(Error::Over(self.id(), "finished", "resume")),
            State::Failed | State::Stopped | State::Crashed => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::progress::Recorder;
    use crate::runs::session::tests::new_run;
    use crate::runs::{Ended, EventLog, Session};

    const LONG: Duration = Duration::from_mins(1);

    fn look(watcher: &mut Watcher, now: u64) -> &Status {
        watcher.poll(usize::MAX, LONG, now).unwrap();
        watcher.status()
    }

    #[test]
    fn a_run_is_queued_running_stopped_and_crashed() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        let (clock, observer) = (SystemClock::default(), Recorder::default());
        let made = run.record().unwrap().created_unix_ms;
        let mut watcher = Watcher::open(&run);
        assert_eq!(look(&mut watcher, made).state, State::Queued, "it is about to begin");
        assert_eq!(look(&mut watcher, made + BEGIN_MS).state, State::Crashed, "it never began");

        let session = Session::begin(run.clone(), &observer, &clock).unwrap();
        session.start("cuda:0").unwrap();
        let status = look(&mut watcher, made);
        assert_eq!((status.state, status.device.as_str(), status.job.as_str()), (State::Running, "cuda:0", "tune"));
        crate::progress::Observer::on(&session, Event::phase(QUEUED));
        assert_eq!(look(&mut watcher, made).state, State::Queued);
        crate::progress::Observer::on(&session, Event::phase("train"));
        crate::progress::Observer::on(&session, Event::progress(3, 7, "steps"));
        let status = look(&mut watcher, made);
        assert_eq!((status.state, status.phase.as_str()), (State::Running, "train"));
        assert_eq!(status.progress, Some((3, Some(7), "steps".to_owned())));
        assert_eq!(*status, Status::of(&run).unwrap(), "one definition serves both");
        session.end(&Ended::Failed("no luck"));
        drop(session);
        let status = look(&mut watcher, made);
        assert_eq!((status.state, status.error.as_deref()), (State::Failed, Some("no luck")));

        let session = Session::begin(run.clone(), &observer, &clock).unwrap();
        session.start("cpu").unwrap();
        let status = look(&mut watcher, made);
        assert_eq!((status.state, status.phase.as_str(), &status.error), (State::Running, "", &None));
        drop(session);
        assert_eq!(look(&mut watcher, made).state, State::Crashed, "its lock is free and it said no end");
        run.check_resumable().unwrap();
    }

    #[test]
    fn silence_is_measured_in_steps() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        let (clock, observer) = (SystemClock::default(), Recorder::default());
        let session = Session::begin(run.clone(), &observer, &clock).unwrap();
        let log = EventLog::open(&run.events()).unwrap();
        let mut watcher = Watcher::open(&run);
        let start = Event::Start { job: "tune".to_owned(), settings: Value::Null, device: "cpu".to_owned() };
        log.append(&start, 1_000);
        assert!(!look(&mut watcher, 61_000).stalled);
        assert!(look(&mut watcher, 61_001).stalled, "a minute without a step");
        // Steps of 10 s, and one look at dev that took an hour.
        let mut t = 1_000;
        for step in 1..=60 {
            t += if step == 30 { 3_600_000 } else { 10_000 };
            log.append(&Event::Scalar { step, values: [("loss", 0.5)].into() }, t);
        }
        log.append(&Event::System { values: [("rss_mib", 5.0)].into() }, t + 190_000);
        let status = look(&mut watcher, t + 200_000);
        assert_eq!((status.stalled, status.step_ms), (false, Some(10_000.0)));
        let status = look(&mut watcher, t + 200_001);
        assert!(status.stalled, "what another thread says is no sign of the job");
        assert_eq!(status.description(t + 200_001), "running, silent for 200 s");
        drop(session);
        assert!(!look(&mut watcher, t + 200_001).stalled, "a crashed run does not stall");
    }

    #[test]
    fn on_another_machine_the_heartbeat_tells() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        let mut record = run.record().unwrap();
        record.host = "elsewhere".to_owned();
        run.write_record(&record).unwrap();
        let log = EventLog::open(&run.events()).unwrap();
        log.append(&Event::phase("train"), 1_000);
        let now = record.created_unix_ms;
        let beat = |seconds| {
            let file = std::fs::File::create(run.heartbeat()).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
        };
        let mut watcher = Watcher::open(&run);
        assert_eq!(look(&mut watcher, now).state, State::Crashed, "it never showed a sign of life");
        beat(8);
        let status = look(&mut watcher, 2_000);
        assert_eq!((status.state, status.by_heartbeat), (State::Running, true));
        assert_eq!(status.description(2_000), "running, by its heartbeat");
        beat(40);
        assert_eq!(look(&mut watcher, 2_000).state, State::Crashed);
        beat(1);
        log.append(&Event::End { outcome: Outcome::Finished, error: None, result: Value::Null }, 3_000);
        assert_eq!(look(&mut watcher, 4_000).state, State::Finished, "its end is surer than its heartbeat");
    }

    #[test]
    fn a_record_that_cannot_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        let log = EventLog::open(&run.events()).unwrap();
        let start = Event::Start { job: "tune".to_owned(), settings: Value::Null, device: "cpu".to_owned() };
        log.append(&start, 1_000);
        log.append(&Event::End { outcome: Outcome::Finished, error: None, result: Value::Null }, 2_000);
        for (text, says) in [(r#"{"schema":99,"new":1}"#, "schema 99"), ("{", "EOF")] {
            std::fs::write(run.path().join("run.json"), text).unwrap();
            let status = Status::of(&run).unwrap();
            assert_eq!((status.state, status.job.as_str()), (State::Finished, "tune"));
            assert!(status.problem.as_deref().unwrap_or_default().contains(says), "{:?}", status.problem);
        }
    }

    #[test]
    fn who_looks_disturbs_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        let (clock, observer) = (SystemClock::default(), Recorder::default());
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        Status::of(&run).unwrap();
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
            }
            for _ in 0..50 {
                let began = Session::begin(run.clone(), &observer, &clock).map(drop);
                done.store(began.is_err(), std::sync::atomic::Ordering::Relaxed);
                began.unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
