//! One run, told by its events: curves, latest numbers, messages. Knows no terminal.

mod making;
mod pace;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use self::pace::Pace;
use super::series::Series;
use crate::progress::{Event, Outcome};
use crate::runs::LoggedEvent;

pub use making::{EndpointHealth, Made, Tally};

/// Merges, pairs and messages that are kept: what a screen and its history can hold.
const KEPT: usize = 500;
/// Step times of which the median tells how long the rest will take.
const TIMES: usize = 51;
/// What a phase is called in which a language model is asked: this, then the model.
const ASK: &str = "ask ";

/// A merge that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Its number.
    pub done: u64,
    /// Its left part.
    pub left: String,
    /// Its right part.
    pub right: String,
    /// How often they stood together.
    pub count: u64,
}

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gravity {
    /// Worth reading.
    Note,
    /// Worth looking into.
    Warning,
    /// The end of it.
    Error,
}

/// One run, told by its events.
#[derive(Debug)]
pub struct LiveRun {
    /// Its id.
    pub id: String,
    /// Its job.
    pub job: String,
    /// Its settings.
    pub settings: Value,
    /// Where it computes.
    pub device: String,
    /// What it is doing.
    pub phase: String,
    /// How far the phase is.
    pub progress: Option<(u64, Option<u64>, String)>,
    /// Optimizer steps taken and in all, whatever the phase counts now.
    pub steps: Option<(u64, u64)>,
    /// Numbers by step.
    pub scalars: BTreeMap<String, Series>,
    /// Scores on dev by step.
    pub evals: BTreeMap<String, Series>,
    /// When each step ended, in milliseconds since 1970, by step.
    pub times: Series,
    /// Checkpoints: the step, and whether it was the best.
    pub checkpoints: Vec<(u64, bool)>,
    /// Steps at which a resumed run went on.
    pub resumed: Vec<u64>,
    /// The machine's latest numbers.
    pub system: BTreeMap<String, f64>,
    /// The last merges.
    pub merges: VecDeque<Merge>,
    /// The last pairs.
    pub pairs: VecDeque<Made>,
    /// Pairs seen that were kept.
    pub kept: usize,
    /// Pairs seen that were rejected, by reason.
    pub rejected: BTreeMap<String, usize>,
    /// What it says of the whole of its pairs; where it says so, `kept` and `rejected` are whole too.
    pub tally: Option<Tally>,
    /// The servers that share its work.
    pub endpoints: Vec<EndpointHealth>,
    /// The language model that it asks, once it has begun to.
    pub model: Option<String>,
    /// What it said.
    pub messages: VecDeque<(u64, Gravity, String)>,
    /// How it ended.
    pub ended: Option<(Outcome, Option<String>, Value)>,
    /// When it started, for the first time.
    pub started_ms: u64,
    /// When it last said anything.
    pub last_ms: u64,
    /// Lines of its log that are no events.
    pub garbage: usize,
    /// Whether more of its log is waiting to be read.
    pub more: bool,
    smoothing: f64,
    step_ms: VecDeque<u64>,
    last_step_ms: Option<u64>,
    pace: Pace,
    pairs_pace: Pace,
    starts: usize,
    /// Times are kept relative to the start: f32 holds milliseconds of a day no better.
    origin_ms: u64,
}

impl LiveRun {
    /// A run of which nothing was read yet.
    pub fn new(id: &str, smoothing: f64) -> Self {
        Self {
            id: id.to_owned(),
            job: String::new(),
            settings: Value::Null,
            device: String::new(),
            phase: String::new(),
            progress: None,
            steps: None,
            scalars: BTreeMap::new(),
            evals: BTreeMap::new(),
            times: Series::new(0.0),
            checkpoints: Vec::new(),
            resumed: Vec::new(),
            system: BTreeMap::new(),
            merges: VecDeque::new(),
            pairs: VecDeque::new(),
            kept: 0,
            rejected: BTreeMap::new(),
            tally: None,
            endpoints: Vec::new(),
            model: None,
            messages: VecDeque::new(),
            ended: None,
            started_ms: 0,
            last_ms: 0,
            garbage: 0,
            more: false,
            smoothing,
            step_ms: VecDeque::new(),
            last_step_ms: None,
            pace: Pace::default(),
            pairs_pace: Pace::default(),
            starts: 0,
            origin_ms: 0,
        }
    }

    /// Takes the next event.
    pub fn take(&mut self, logged: LoggedEvent) {
        let t = logged.t;
        self.last_ms = t;
        match logged.event {
            Event::Start { job, settings, device } => self.start(t, job, settings, device),
            Event::Phase { name } => {
                if let Some(model) = name.strip_prefix(ASK) {
                    self.model = Some(model.to_owned());
                }
                (self.phase, self.progress) = (name, None);
                self.pace.clear();
            }
            Event::Progress { done, total, unit } => {
                self.pace.push(t, done);
                if let ("steps", Some(total)) = (unit.as_str(), total) {
                    self.steps = Some((done, total));
                }
                self.progress = Some((done, total, unit));
            }
            Event::Scalar { step, values } => {
                self.step(step, t);
                for (name, value) in values.0 {
                    let smoothing = self.smoothing;
                    let series = self.scalars.entry(name).or_insert_with(|| Series::new(smoothing));
                    series.append(step as f64, value as f32);
                }
            }
            Event::Eval { step, values } => {
                for (name, value) in values.0 {
                    self.evals.entry(name).or_insert_with(|| Series::new(0.0)).append(step as f64, value as f32);
                }
                // Looking at dev takes time that no step took.
                self.step_ms_pause(t);
            }
            Event::System { values } => self.system.extend(values.0),
            Event::Merge { done, left, right, count } => push(&mut self.merges, Merge { done, left, right, count }),
            Event::Pair { passage, query, source, rejected } => {
                // A job that tells its numbers is not counted by what is seen of it.
                match &rejected {
                    _ if self.tally.is_some() => {}
                    None => self.kept += 1,
                    Some(reason) => *self.rejected.entry(reason.clone()).or_default() += 1,
                }
                push(&mut self.pairs, Made { passage, query, source, rejected });
            }
            Event::Tally { kept, rejected, failed, tokens_per_s, in_flight, concurrency, paused } => {
                self.kept = kept as usize;
                self.rejected = rejected.into_iter().map(|(reason, count)| (reason, count as usize)).collect();
                if paused || self.tally.as_ref().is_some_and(|before| before.paused) {
                    // Waiting says nothing about how fast it works.
                    self.pace.clear();
                    self.pairs_pace.clear();
                }
                self.pairs_pace.push(t, (self.kept + self.rejected.values().sum::<usize>()) as u64);
                self.tally = Some(Tally { failed, tokens_per_s, in_flight, concurrency, paused });
            }
            Event::Endpoint { url, state, in_flight, answered, tokens_per_s, problem } => {
                let health = EndpointHealth { url, state, in_flight, answered, tokens_per_s, problem };
                match self.endpoints.iter_mut().find(|known| known.url == health.url) {
                    Some(known) => *known = health,
                    None => self.endpoints.push(health),
                }
            }
            Event::Checkpoint { step, best, .. } => {
                self.checkpoints.retain(|(at, was_best)| !(*at == step && *was_best == best));
                self.checkpoints.push((step, best));
            }
            Event::Note { text } => push(&mut self.messages, (t, Gravity::Note, text)),
            Event::Warning { text } => push(&mut self.messages, (t, Gravity::Warning, text)),
            Event::End { outcome, error, result } => {
                if let Some(error) = &error {
                    push(&mut self.messages, (t, Gravity::Error, error.clone()));
                }
                self.ended = Some((outcome, error, result));
            }
            Event::Ack { .. } | Event::Unknown => {}
        }
    }

    fn start(&mut self, t: u64, job: String, settings: Value, device: String) {
        (self.job, self.settings, self.device) = (job, settings, device);
        self.starts += 1;
        if self.starts == 1 {
            (self.started_ms, self.origin_ms) = (t, t);
        } else if let Some(last) = self.times.last() {
            self.resumed.push(last.x as u64);
        }
        self.ended = None;
        (self.tally, self.endpoints) = (None, Vec::new());
        self.step_ms.clear();
        self.pace.clear();
        self.pairs_pace.clear();
        self.last_step_ms = None;
    }

    fn step(&mut self, step: u64, t: u64) {
        // A resumed run goes back to its checkpoint: what came after it did not happen.
        if self.times.last().is_some_and(|last| last.x >= step as f64) {
            self.checkpoints.retain(|(at, _)| *at < step);
            self.evals.values_mut().for_each(|series| series.forget_from(step as f64));
            self.resumed.retain(|at| *at < step);
            if self.starts > 1 {
                self.resumed.push(step.saturating_sub(1));
            }
        }
        self.times.append(step as f64, (t.saturating_sub(self.origin_ms) as f64 / 1000.0) as f32);
        if let Some(before) = self.last_step_ms.replace(t) {
            self.step_ms.push_back(t.saturating_sub(before));
            if self.step_ms.len() > TIMES {
                self.step_ms.pop_front();
            }
        }
    }

    fn step_ms_pause(&mut self, t: u64) {
        if self.last_step_ms.is_some() {
            self.last_step_ms = Some(t);
        }
    }

    /// Sets how much its curves are smoothed.
    pub fn smooth(&mut self, smoothing: f64) {
        self.smoothing = smoothing;
        for series in self.scalars.values_mut() {
            series.set_smoothing(smoothing);
        }
    }

    /// The last value of a number.
    pub fn latest(&self, name: &str) -> Option<f64> {
        self.scalars.get(name).and_then(Series::last).map(|point| f64::from(point.y))
    }

    /// Units a second of the current phase, over the last seconds.
    pub fn rate(&self) -> Option<f64> {
        self.pace.per_second()
    }

    /// Pairs a second, kept and rejected, over the last seconds; where the job tells its numbers.
    pub fn pairs_per_s(&self) -> Option<f64> {
        self.pairs_pace.per_second()
    }

    /// The median time of a step, in seconds: one slow step does not frighten anyone.
    pub fn median_step(&self) -> Option<f64> {
        let mut times: Vec<u64> = self.step_ms.iter().copied().collect();
        times.sort_unstable();
        times.get(times.len() / 2).map(|ms| *ms as f64 / 1000.0)
    }

    /// Seconds until the phase is done, as far as can be told.
    pub fn eta(&self) -> Option<f64> {
        let (done, total, unit) = self.progress.as_ref()?;
        let left = (*total)?.saturating_sub(*done) as f64;
        if unit == "steps"
            && let Some(step) = self.median_step()
        {
            return Some(left * step);
        }
        self.rate().filter(|rate| *rate > 0.0).map(|rate| left / rate)
    }

    /// The seconds after the start at which a step ended.
    pub fn seconds_at(&self, step: f64) -> Option<f64> {
        self.times.nearest(super::series::Values::Raw, step).map(|point| f64::from(point.y))
    }

    /// Steps in an epoch, where the settings tell.
    pub fn steps_per_epoch(&self) -> Option<f64> {
        let epochs = self.settings.get("epochs")?.as_f64().filter(|epochs| *epochs > 0.0)?;
        let total = self.steps.filter(|(_, total)| *total > 0)?.1 as f64;
        // A run cut short by --max-steps does not reach its epochs.
        let cut = self.settings.get("max_steps").and_then(Value::as_f64).is_some_and(|max| max <= total);
        (!cut).then(|| total / epochs)
    }

    /// The epoch in which a step lies and how many there will be, where the settings tell.
    pub fn epochs(&self, step: f64) -> Option<(f64, f64)> {
        let epochs = self.settings.get("epochs")?.as_f64()?;
        Some((step / self.steps_per_epoch()?, epochs))
    }

    /// Numbers that were not finite, over all curves.
    pub fn gaps(&self) -> usize {
        self.scalars.values().map(Series::gaps).sum()
    }
}

fn push<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(item);
}
