//! How any work says how far it is.
//!
//! The ground floor: domain code reports [`Event`]s to an [`Observer`] and asks it whether to stop.
//! It never learns who listens (an event log, a bar, a test's vector), prints nothing, and takes the
//! time from a [`Clock`], so everything runs without a terminal and without waiting.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Named numbers of one moment. Non-finite values are written as the strings `NaN`, `inf`, `-inf`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scalars(pub BTreeMap<String, f64>);

impl<const N: usize> From<[(&str, f64); N]> for Scalars {
    fn from(values: [(&str, f64); N]) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// Something that happened in a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Event {
    /// A job began.
    Start {
        /// The job's name, as on the command line.
        job: String,
        /// Its settings, complete.
        settings: Value,
        /// Where it computes: `cpu`, `cuda:0`, `metal`.
        device: String,
    },
    /// A part of the job began; progress starts over.
    Phase {
        /// What the part does, in a few words.
        name: String,
    },
    /// So much of the current phase is done.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all, where known.
        total: Option<u64>,
        /// What is counted: `passages`, `steps`, `bytes`.
        unit: String,
    },
    /// Numbers of one optimizer step, such as `loss`, `learning_rate`, `gradient_norm`; of a tokenizer's training,
    /// `ratio_heldout` at a vocabulary size.
    Scalar {
        /// The optimizer step, from 1; of a tokenizer's training, the size of its vocabulary.
        step: u64,
        /// The numbers.
        values: Scalars,
    },
    /// Use of the machine, such as `rss_mib`.
    System {
        /// The numbers.
        values: Scalars,
    },
    /// One merge of a BPE training: a sample of those that happen, as often as an eye can follow.
    Merge {
        /// The merge's number, from 1.
        done: u64,
        /// The left part, readable: `Ġde`, `ам`.
        left: String,
        /// The right part.
        right: String,
        /// How often they stood together.
        count: u64,
    },
    /// A pair that was made, and what became of it.
    Pair {
        /// The passage it asks for, by id.
        passage: String,
        /// The query.
        query: String,
        /// What kind it is: `title`, `cloze`, the imported file's name.
        source: String,
        /// The filter that rejected it; none: it was kept.
        rejected: Option<String>,
    },
    /// What a job that makes pairs has come to so far, since its run began: the pairs themselves are told as often as an
    /// eye can follow, their numbers are whole.
    Tally {
        /// Pairs kept.
        kept: u64,
        /// Pairs rejected, by filter.
        rejected: BTreeMap<String, u64>,
        /// Passages given up, of which the model made nothing.
        failed: u64,
        /// Tokens that the models write a second.
        tokens_per_s: f64,
        /// Requests that are under way.
        in_flight: u64,
        /// Requests that may be under way at each endpoint.
        concurrency: u64,
        /// Whether it waits for its user.
        paused: bool,
    },
    /// How one of the servers that share the work is.
    Endpoint {
        /// Its address.
        url: String,
        /// Whether it works.
        state: EndpointState,
        /// Requests that are under way there.
        in_flight: u64,
        /// Passages answered there.
        answered: u64,
        /// Tokens that it writes a second.
        tokens_per_s: f64,
        /// What is wrong with it.
        problem: Option<String>,
    },
    /// Scores on held-out questions during training.
    Eval {
        /// The optimizer step, 0 before the first.
        step: u64,
        /// The scores, such as `mrr10`.
        values: Scalars,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// The optimizer step.
        step: u64,
        /// Its folder.
        path: String,
        /// Whether it holds the best dev score so far.
        best: bool,
    },
    /// A request in the control log was carried out.
    Ack {
        /// The request's id.
        id: String,
    },
    /// Something worth reading.
    Note {
        /// The text.
        text: String,
    },
    /// Something the user should look into; the job goes on.
    Warning {
        /// The text, with the remedy.
        text: String,
    },
    /// The job ended.
    End {
        /// How.
        outcome: Outcome,
        /// What went wrong, where it failed.
        error: Option<String>,
        /// What it returned: the object that `--format json` prints.
        result: Value,
    },
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// A phase event.
    pub fn phase(name: impl Into<String>) -> Self {
        Self::Phase { name: name.into() }
    }

    /// A progress event.
    pub fn progress(done: usize, total: impl Into<Option<usize>>, unit: &str) -> Self {
        Self::Progress { done: done as u64, total: total.into().map(|t| t as u64), unit: unit.to_owned() }
    }

    /// A note.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Note { text: text.into() }
    }

    /// A warning.
    pub fn warning(text: impl Into<String>) -> Self {
        Self::Warning { text: text.into() }
    }
}

/// Whether a server that shares the work does work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// It answers.
    Ready,
    /// It was asked and has not said anything yet: a model takes its time to load.
    Waiting,
    /// It failed and is left alone for a while.
    Resting,
    /// It is of no use, and nobody asks it again.
    Gone,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did what was asked.
    Finished,
    /// It could not.
    Failed,
    /// It was asked to stop, and can be resumed.
    Stopped,
}

/// Who listens to a job. Called from worker threads.
pub trait Observer: Sync {
    /// Takes an event. Must not block for long.
    fn on(&self, event: Event);

    /// Whether the work should stop at its next safe point.
    fn stop_requested(&self) -> bool {
        false
    }

    /// Whether a checkpoint is wanted at the next safe point. Asking takes the request: the next call says no.
    fn checkpoint_requested(&self) -> bool {
        false
    }

    /// Whether the work should wait before it begins anything new.
    fn pause_requested(&self) -> bool {
        false
    }

    /// How much should be under way at once, where somebody said so since the work began.
    fn concurrency_requested(&self) -> Option<usize> {
        None
    }
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&self, _event: Event) {}
}

/// Keeps every event, and stops the work when told to: for tests.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
    stop: AtomicBool,
    checkpoint: AtomicBool,
    pause: AtomicBool,
    concurrency: AtomicUsize,
}

impl Recorder {
    /// The events so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Asks the observed work to stop.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Asks the observed work for a checkpoint.
    pub fn request_checkpoint(&self) {
        self.checkpoint.store(true, Ordering::Relaxed);
    }

    /// Asks the observed work to wait, or to go on.
    pub fn request_pause(&self, wait: bool) {
        self.pause.store(wait, Ordering::Relaxed);
    }

    /// Asks the observed work for so much at once.
    pub fn request_concurrency(&self, wanted: usize) {
        self.concurrency.store(wanted, Ordering::Relaxed);
    }
}

impl Observer for Recorder {
    fn on(&self, event: Event) {
        self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(event);
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn checkpoint_requested(&self) -> bool {
        self.checkpoint.swap(false, Ordering::Relaxed)
    }

    fn pause_requested(&self) -> bool {
        self.pause.load(Ordering::Relaxed)
    }

    fn concurrency_requested(&self) -> Option<usize> {
        Some(self.concurrency.load(Ordering::Relaxed)).filter(|wanted| *wanted > 0)
    }
}

/// Where the time comes from.
pub trait Clock: Sync {
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// Milliseconds since 1970, UTC.
    fn unix_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn unix_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
    }
}

/// The most memory this process has held, in MiB, where the system tells (Linux).
pub fn peak_rss_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// One number of [`Scalars`]: as a number where JSON has one for it, as a string where not.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() { serializer.serialize_f64(self.0) } else { serializer.collect_str(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl serde::de::Visitor<'_> for Visit {
            type Value = f64;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, or the text of one")
            }
            fn visit_f64<E>(self, value: f64) -> Result<f64, E> {
                Ok(value)
            }
            fn visit_u64<E>(self, value: u64) -> Result<f64, E> {
                Ok(value as f64)
            }
            fn visit_i64<E>(self, value: i64) -> Result<f64, E> {
                Ok(value as f64)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<f64, E> {
                text.parse().map_err(|_| E::custom(format!("{text:?} is not a number")))
            }
        }
        deserializer.deserialize_any(Visit).map(Self)
    }
}

impl Serialize for Scalars {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Number(*value))))
    }
}

impl<'de> Deserialize<'de> for Scalars {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> serde::de::Visitor<'de> for Visit {
            type Value = Scalars;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("named numbers")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Scalars, A::Error> {
                let mut values = BTreeMap::new();
                while let Some((name, Number(value))) = map.next_entry()? {
                    values.insert(name, value);
                }
                Ok(Scalars(values))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_finite_numbers_survive_json() {
        let event = Event::Scalar {
            step: 3,
            values: [("loss", f64::NAN), ("gradient_norm", f64::INFINITY), ("x", 0.5)].into(),
        };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(text, r#"{"kind":"scalar","step":3,"values":{"gradient_norm":"inf","loss":"NaN","x":0.5}}"#);
        let Event::Scalar { values, .. } = serde_json::from_str(&text).unwrap() else { panic!("not a scalar") };
        assert!(values.0["loss"].is_nan() && values.0["gradient_norm"].is_infinite());
    }

    #[test]
    fn an_unknown_kind_is_read_as_unknown() {
        let event: Event = serde_json::from_str(r#"{"kind":"hologram","depth":3}"#).unwrap();
        assert_eq!(event, Event::Unknown);
    }
}
