//! Watching the slots while they ask: what they find is taken and told, and the user's wishes are handed on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::Task;
use super::ask::{Asker, Finding};
use super::endpoint::{Endpoint, News};
use super::journal::{Entry, Known, Outcome, note};
use super::takings::Takings;
use crate::pairs::{Error, Result};
use crate::progress::Event;

/// How often the user's wishes are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is told how far the work is: each time is a line of the run's log.
const TELL: Duration = Duration::from_millis(500);
/// How often it is told how each endpoint is, where nothing is new about it.
const TELL_ENDPOINTS: Duration = Duration::from_secs(2);
/// How often the disk is made to keep what was written.
const SYNC: Duration = Duration::from_secs(1);
/// The time over which tokens a second are counted.
const PACE: Duration = Duration::from_secs(10);

/// Watches the slots: takes what they find, tells it, and hands the user's wishes on.
pub(super) struct Watch<'a, 'b> {
    pub(super) task: &'a Task<'b>,
    pub(super) asker: &'a Arc<Asker>,
    pub(super) known: HashMap<String, Known>,
    pub(super) takings: &'a mut Takings<'b>,
    pub(super) total: usize,
    pub(super) patience: Duration,
}

impl Watch<'_, '_> {
    /// Until nothing is left, the user says stop, or nobody answers any more.
    pub(super) fn run(&mut self) -> Result<()> {
        let (sender, found) = channel();
        let asker = Arc::clone(self.asker);
        let slots = std::thread::Builder::new().name("ollama".to_owned()).spawn(move || asker.run(&sender));
        let slots = slots.map_err(|error| Error::Runtime(error.to_string()))?;
        let result = self.follow(&found);
        self.asker.board.stop();
        // The slots drop their requests and end; what they found meanwhile is in the journal.
        let ended = slots.join();
        self.asker.journal.sync()?;
        result?;
        ended.map_err(|_| Error::Runtime("the thread that asks is gone".to_owned()))
    }

    fn follow(&mut self, found: &Receiver<Finding>) -> Result<()> {
        let clock = self.task.clock;
        let (mut told, mut synced, mut endpoints_told) = (Duration::ZERO, clock.monotonic(), clock.monotonic());
        let mut pace = Pace::new(&self.asker.endpoints);
        self.tell_endpoints(&pace);
        loop {
            let now = clock.monotonic();
            if now.saturating_sub(told) >= TELL || told.is_zero() {
                told = now;
                pace.count(&self.asker.endpoints, now);
                self.tell(&pace);
            }
            if now.saturating_sub(synced) >= SYNC {
                synced = now;
                self.asker.journal.sync()?;
            }
            if now.saturating_sub(endpoints_told) >= TELL_ENDPOINTS {
                endpoints_told = now;
                self.tell_endpoints(&pace);
            }
            if self.task.observer.stop_requested() {
                return Err(Error::Stopped);
            }
            self.asker.board.obey(self.task.observer.pause_requested(), self.task.observer.concurrency_requested());
            self.check_endpoints()?;
            match found.recv_timeout(LOOK) {
                Ok(finding) => {
                    if let Finding::Endpoint(..) = finding {
                        self.tell_endpoints(&pace);
                    }
                    self.take(finding)?;
                    // Whatever else is there comes with it: looking at the user's wishes costs more than a finding.
                    while let Ok(finding) = found.try_recv() {
                        self.take(finding)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        pace.count(&self.asker.endpoints, clock.monotonic());
        self.tell(&pace);
        self.tell_endpoints(&pace);
        if self.asker.board.left() > 0 { Err(self.no_endpoint()) } else { Ok(()) }
    }

    fn take(&mut self, finding: Finding) -> Result<()> {
        match finding {
            Finding::Questions(at, questions) => {
                let known = Known { questions, ..Known::default() };
                // Unjudged questions are not shown as kept before the judge has spoken.
                if !self.asker.judged {
                    self.takings.take(at, &known);
                }
                self.known.insert(self.takings.passages[at].id.clone(), known);
            }
            Finding::Scores(at, scores) => {
                let passage = self.takings.passages[at].id.clone();
                note(&mut self.known, Entry { passage: passage.clone(), outcome: Outcome::Scores(scores) });
                if let Some(known) = self.known.get(&passage) {
                    self.takings.take(at, known);
                }
            }
            Finding::Failed(at, why) => self.takings.give_up(at, why),
            Finding::Endpoint(news, about) => {
                let event = match news {
                    News::None => return Ok(()),
                    News::SetAside => Event::warning(format!("an endpoint is left alone for a while: {about}")),
                    News::Gone => Event::warning(format!("an endpoint is not asked any more: {about}")),
                    News::Back => Event::note(format!("{about} answers again")),
                };
                self.task.observer.on(event);
            }
            Finding::Broken(error) => return Err(error),
        }
        Ok(())
    }

    fn tell(&self, pace: &Pace) {
        let board = &self.asker.board;
        let observer = self.task.observer;
        observer.on(Event::progress(self.total - board.left().min(self.total), self.total, "passages"));
        observer.on(Event::Tally {
            kept: self.takings.kept,
            rejected: self.takings.rejected.clone(),
            failed: self.takings.failed,
            tokens_per_s: pace.rates.iter().sum(),
            in_flight: self.asker.endpoints.iter().map(|endpoint| endpoint.in_flight()).sum(),
            concurrency: board.concurrency() as u64,
            paused: board.is_paused(),
        });
    }

    fn tell_endpoints(&self, pace: &Pace) {
        for (endpoint, rate) in self.asker.endpoints.iter().zip(&pace.rates) {
            self.task.observer.on(endpoint.event(*rate));
        }
    }

    /// An error where there is nobody left to ask, or nobody has said a word for too long.
    fn check_endpoints(&self) -> Result<()> {
        let endpoints = &self.asker.endpoints;
        let all_gone = endpoints.iter().all(|endpoint| endpoint.is_gone());
        let nobody = endpoints.iter().all(|endpoint| !endpoint.is_of_use());
        if all_gone || (nobody && self.asker.board.silence() > self.patience) {
            return Err(self.no_endpoint());
        }
        Ok(())
    }

    fn no_endpoint(&self) -> Error {
        let problems = self.asker.endpoints.iter().filter_map(|endpoint| endpoint.problem());
        Error::NoEndpoint { left: self.asker.board.left(), problems: problems.collect::<Vec<_>>().join("; ") }
    }
}

/// Tokens a second of each endpoint, over the last seconds.
struct Pace {
    seen: Vec<Vec<(Duration, u64)>>,
    rates: Vec<f64>,
}

impl Pace {
    fn new(endpoints: &[Arc<Endpoint>]) -> Self {
        Self { seen: vec![Vec::new(); endpoints.len()], rates: vec![0.0; endpoints.len()] }
    }

    fn count(&mut self, endpoints: &[Arc<Endpoint>], now: Duration) {
        for ((endpoint, seen), rate) in endpoints.iter().zip(&mut self.seen).zip(&mut self.rates) {
            seen.push((now, endpoint.tokens.load(Ordering::Relaxed)));
            while seen.len() > 2 && now.saturating_sub(seen[1].0) > PACE {
                seen.remove(0);
            }
            let ((from, before), (to, after)) = (seen[0], seen[seen.len() - 1]);
            let seconds = to.saturating_sub(from).as_secs_f64();
            *rate = if seconds > 0.0 { after.saturating_sub(before) as f64 / seconds } else { 0.0 };
        }
    }
}
