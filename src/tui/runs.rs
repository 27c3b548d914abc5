//! The runs as the workbench knows them: all at a glance, those that are watched in full.

use std::collections::BTreeMap;

use super::live::LiveRun;
use super::message::RunEvents;
use crate::runs::{State, Status};

/// The runs of a workspace.
#[derive(Debug, Default)]
pub struct Runs {
    /// Whether they were read at all.
    pub read: bool,
    /// All of them, the newest first.
    pub all: Vec<Status>,
    live: BTreeMap<String, LiveRun>,
}

impl Runs {
    /// Takes a new list, oldest first as the disk has it.
    pub fn set(&mut self, mut all: Vec<Status>) {
        all.reverse();
        self.all = all;
        self.read = true;
    }

    /// Takes events of a watched run.
    pub fn take(&mut self, batch: RunEvents, smoothing: f64) {
        let RunEvents { run, events, garbage, reset, more } = batch;
        let live = self.live.entry(run.clone()).or_insert_with(|| LiveRun::new(&run, smoothing));
        if reset {
            *live = LiveRun::new(&run, smoothing);
        }
        live.garbage += garbage;
        live.more = more;
        for event in events {
            live.take(event);
        }
    }

    /// Forgets the events of all runs but these.
    pub fn keep(&mut self, watched: &[String]) {
        self.live.retain(|run, _| watched.contains(run));
    }

    /// A watched run.
    pub fn live(&self, run: &str) -> Option<&LiveRun> {
        self.live.get(run)
    }

    /// Sets how much curves are smoothed.
    pub fn smooth(&mut self, smoothing: f64) {
        for live in self.live.values_mut() {
            live.smooth(smoothing);
        }
    }

    /// What is known of a run.
    pub fn status(&self, run: &str) -> Option<&Status> {
        self.all.iter().find(|status| status.id == run)
    }

    /// The runs of some jobs, the newest first.
    pub fn of<'a>(&'a self, jobs: &'a [&str]) -> impl Iterator<Item = &'a Status> {
        self.all.iter().filter(|status| jobs.contains(&status.job.as_str()))
    }

    /// The run of some jobs to show first: the newest that lives, else the newest.
    pub fn foremost<'a>(&'a self, jobs: &'a [&str]) -> Option<&'a Status> {
        let live = self.of(jobs).find(|status| status.state.is_live());
        live.or_else(|| self.of(jobs).next())
    }

    /// The runs that live.
    pub fn living(&self) -> impl Iterator<Item = &Status> {
        self.all.iter().filter(|status| status.state.is_live() && status.problem.is_none())
    }

    /// One line for the head of the screen: how many live, and how far the newest is.
    pub fn summary(&self) -> Option<(usize, Option<f64>)> {
        let count = self.living().count();
        let share = self.living().find(|status| status.state != State::Queued).and_then(|status| {
            let (done, total, _) = status.progress.as_ref()?;
            Some(*done as f64 / (*total)?.max(1) as f64)
        });
        (count > 0).then_some((count, share))
    }
}
