//! What lies along x: steps, or what steps are worth in epochs and in time. Curves over anything but steps are made once
//! and then grow with the run; nothing is made anew for a frame.

use std::collections::BTreeMap;

use crate::tui::live::LiveRun;
use crate::tui::series::{Series, Values};
use crate::tui::widgets::plot::TickFormat;

/// What x counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum XAxis {
    /// Optimizer steps.
    #[default]
    Step,
    /// Passes over the pairs.
    Epoch,
    /// Seconds since the run first started.
    Elapsed,
    /// The time of day.
    Clock,
}

impl XAxis {
    /// The next one.
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Step => Self::Epoch,
            Self::Epoch => Self::Elapsed,
            Self::Elapsed => Self::Clock,
            Self::Clock => Self::Step,
        }
    }

    /// Its name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Elapsed => "time since the start",
            Self::Clock => "time of day",
        }
    }

    /// How its ticks are written.
    pub(super) const fn format(self, utc_offset: i32) -> TickFormat {
        match self {
            Self::Step => TickFormat::Count,
            Self::Epoch => TickFormat::Epochs { unit: 1.0 },
            Self::Elapsed => TickFormat::Duration,
            Self::Clock => TickFormat::Clock { offset: utc_offset },
        }
    }

    /// Where a step of a run lies, if that can be told.
    pub(super) fn place(self, run: &LiveRun, step: f64) -> Option<f64> {
        match self {
            Self::Step => Some(step),
            Self::Epoch => Some(step / run.steps_per_epoch()?),
            Self::Elapsed => seconds(run, step),
            Self::Clock => Some(run.started_ms as f64 / 1000.0 + seconds(run, step)?),
        }
    }

    /// The step of a run that lies at an x.
    pub(super) fn step_at(self, run: &LiveRun, x: f64) -> Option<f64> {
        match self {
            Self::Step => Some(x),
            Self::Epoch => Some(x * run.steps_per_epoch()?),
            Self::Elapsed => step_after(run, x),
            Self::Clock => step_after(run, x - run.started_ms as f64 / 1000.0),
        }
    }
}

/// The seconds after the start at which a step ended; between two steps and after the last, in proportion.
fn seconds(run: &LiveRun, step: f64) -> Option<f64> {
    let (steps, times) = (run.times.x(), run.times.values(Values::Raw));
    let after = steps.partition_point(|kept| *kept < step);
    let Some(next) = steps.get(after) else {
        let last = steps.len().checked_sub(1)?;
        return Some(f64::from(times[last]) + (step - steps[last]) * run.median_step().unwrap_or(0.0));
    };
    let end = f64::from(times[after]);
    // What came before the first step, the base's score, has no time of its own.
    let Some(before) = after.checked_sub(1).filter(|_| *next > step) else { return Some(end) };
    let (begin, share) = (f64::from(times[before]), (step - steps[before]) / (next - steps[before]));
    Some(begin + share * (end - begin))
}

/// The last step that had ended so many seconds after the start; the first, if none had.
fn step_after(run: &LiveRun, seconds: f64) -> Option<f64> {
    let (steps, times) = (run.times.x(), run.times.values(Values::Raw));
    let after = times.partition_point(|time| f64::from(*time) <= seconds);
    steps.get(after.saturating_sub(1)).copied()
}

/// The curves over an x that is not steps.
#[derive(Debug, Default)]
pub(super) struct Curves {
    axis: XAxis,
    kept: BTreeMap<(String, &'static str), Kept>,
}

#[derive(Debug)]
struct Kept {
    series: Series,
    /// What makes all its points wrong when it changes.
    of: (Vec<u64>, u64, Option<f64>),
}

impl Curves {
    /// Makes the curves of some runs ready, or lets those grow that are.
    pub(super) fn prepare(&mut self, axis: XAxis, runs: &[&LiveRun], names: &[&'static str]) {
        if axis != self.axis {
            (self.axis, self.kept) = (axis, BTreeMap::new());
        }
        if axis == XAxis::Step {
            return;
        }
        self.kept.retain(|(id, _), _| runs.iter().any(|run| run.id == *id));
        for run in runs {
            for name in names {
                let Some(source) = source(run, name) else { continue };
                let of = (run.resumed.clone(), run.started_ms, run.steps_per_epoch());
                let kept = self
                    .kept
                    .entry((run.id.clone(), name))
                    .or_insert_with(|| Kept { series: Series::new(source.smoothing()), of: of.clone() });
                if kept.of != of || kept.series.len() > source.len() {
                    *kept = Kept { series: Series::new(source.smoothing()), of };
                }
                if kept.series.smoothing().to_bits() != source.smoothing().to_bits() {
                    kept.series.set_smoothing(source.smoothing());
                }
                grow(&mut kept.series, source, axis, run);
            }
        }
    }

    /// A curve of a run.
    pub(super) fn get<'a>(&'a self, run: &'a LiveRun, name: &'static str) -> Option<&'a Series> {
        match self.axis {
            XAxis::Step => source(run, name),
            _ => self.kept.get(&(run.id.clone(), name)).map(|kept| &kept.series),
        }
    }
}

/// A curve over steps.
pub(super) fn source<'a>(run: &'a LiveRun, name: &str) -> Option<&'a Series> {
    run.evals.get(name).or_else(|| run.scalars.get(name))
}

/// Appends what the source has more, each point at its place on the axis.
fn grow(series: &mut Series, source: &Series, axis: XAxis, run: &LiveRun) {
    let (steps, times) = (run.times.x(), run.times.values(Values::Raw));
    let start = run.started_ms as f64 / 1000.0;
    let epoch = run.steps_per_epoch();
    for (at, (step, y)) in source.x().iter().zip(source.values(Values::Raw)).enumerate().skip(series.len()) {
        // Numbers come with their step: their times stand at the same index.
        let timed = steps.get(at).filter(|timed| timed.to_bits() == step.to_bits()).map(|_| f64::from(times[at]));
        let x = match (axis, timed) {
            (XAxis::Epoch, _) => epoch.map(|epoch| step / epoch),
            (XAxis::Elapsed, Some(time)) => Some(time),
            (XAxis::Clock, Some(time)) => Some(start + time),
            _ => axis.place(run, *step),
        };
        let Some(x) = x else { return };
        // A clock that was set back does not undo steps.
        let x = series.last().map_or(x, |last| x.max(last.x));
        series.append(x, *y);
    }
}
