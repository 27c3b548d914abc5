//! Pane 4, tuning: is it learning, and is it better?
//!
//! One run is open, others can be laid over it, one can be the baseline. All curves share x, its window and the
//! crosshair. Places on x are kept as steps of the open run, so that they stay where they are when x counts something
//! else. What is drawn comes from events alone; nothing is computed here that takes longer than the screen is wide.

mod axis;
mod charts;
mod differences;
mod header;
mod moves;
mod numbers;
mod questions;
mod readings;
mod view;

use std::cell::{Cell, RefCell};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::axis::{Curves, XAxis};
use super::Pane;
use crate::runs::{State, Status};
use crate::tui::keymap::{Action, Context};
use crate::tui::live::LiveRun;
use crate::tui::message::Effect;
use crate::tui::overlay::{Choice, Overlay, Purpose, Scroll};
use crate::tui::palette::Palette;
use crate::tui::series::Values;
use crate::tui::shared::Shared;
use crate::tui::widgets::plot::Axes;
use crate::tui::widgets::symbols::visible;

/// The jobs whose runs are shown.
const JOBS: &[&str] = &["tune", "align", "distill", "ladder"];
/// How much curves are smoothed, in turn.
const SMOOTHINGS: [f64; 4] = [0.0, 0.6, 0.9, 0.97];
/// Columns that the crosshair moves when it moves far.
const FAR: i32 = 10;
/// Runs that can be told apart: the palette's marks.
const MOST: usize = 6;

/// The pane.
#[derive(Debug, Default)]
pub struct TuningPane {
    /// The run that was asked for; otherwise the foremost is open.
    open: Option<String>,
    overlays: Vec<String>,
    baseline: Option<String>,
    axis: XAxis,
    log: bool,
    /// The step of the open run that is read.
    crosshair: Option<f64>,
    /// The steps of the open run in view; otherwise all.
    window: Cell<Option<(f64, f64)>>,
    /// Whether the window stays where it is when steps come.
    still: bool,
    /// Whether the choice that is open is for the run to open.
    opening: bool,
    /// The newest run when runs were last listed.
    newest: Option<String>,
    curves: RefCell<Curves>,
    axes: RefCell<[Axes; 4]>,
}

/// A run on the screen.
#[derive(Debug)]
struct Shown<'a> {
    /// The number of its style and letter: 0 for the open run.
    index: usize,
    /// What it is called here.
    name: String,
    status: &'a Status,
    live: Option<&'a LiveRun>,
    baseline: bool,
    /// Whether its dev score is of questions that were made from the documents.
    synthetic: bool,
}

impl TuningPane {
    /// The open run.
    fn open<'a>(&self, shared: &'a Shared) -> Option<&'a Status> {
        let asked = self.open.as_ref().and_then(|id| shared.runs.status(id));
        asked.or_else(|| shared.runs.foremost(JOBS))
    }

    /// The ids of the runs on the screen: the open one, the baseline, the others.
    fn ids<'a>(&'a self, shared: &'a Shared) -> Vec<&'a str> {
        let Some(open) = self.open(shared) else { return Vec::new() };
        let mut ids = vec![open.id.as_str()];
        for id in self.baseline.iter().chain(&self.overlays) {
            if !ids.contains(&id.as_str()) && ids.len() < MOST {
                ids.push(id);
            }
        }
        ids
    }

    /// The runs on the screen.
    fn shown<'a>(&self, shared: &'a Shared) -> Vec<Shown<'a>> {
        let statuses: Vec<&Status> = self.ids(shared).into_iter().filter_map(|id| shared.runs.status(id)).collect();
        let shown = statuses.iter().enumerate().map(|(index, status)| {
            let name = name(status, shared.palette);
            let same = statuses.iter().filter(|other| self::name(other, shared.palette) == name).count();
            let name = if same > 1 { format!("{name} {}", moment(status, shared)) } else { name };
            let live = shared.runs.live(&status.id);
            let baseline = self.baseline.as_ref() == Some(&status.id);
            let synthetic = questions::synthetic(status, shared);
            Shown { index, name, status, live, baseline, synthetic }
        });
        shown.collect()
    }

    fn live<'a>(&self, shared: &'a Shared) -> Option<&'a LiveRun> {
        shared.runs.live(&self.open(shared)?.id)
    }

    /// Opens a run: its curves from their beginning.
    fn show(&mut self, id: String) {
        self.open = Some(id);
        self.forget_view();
    }

    fn forget_view(&mut self) {
        (self.crosshair, self.still) = (None, false);
        self.window.set(None);
        self.forget_axes();
    }

    fn forget_axes(&self) {
        *self.axes.borrow_mut() = <[Axes; 4]>::default();
    }

    /// Opens the run so many places further down the list, newest first.
    fn walk(&mut self, by: isize, shared: &Shared) -> Vec<Effect> {
        let runs: Vec<&Status> = shared.runs.of(JOBS).collect();
        let Some(open) = self.open(shared) else { return say("no run of tuning yet") };
        let at = runs.iter().position(|run| run.id == open.id).unwrap_or(0);
        match at.checked_add_signed(by).and_then(|at| runs.get(at)) {
            Some(run) => {
                self.show(run.id.clone());
                Vec::new()
            }
            None if by < 0 => say("this is the newest run"),
            None => say("this is the oldest run"),
        }
    }

    fn smooth(shared: &Shared) -> Vec<Effect> {
        let next = SMOOTHINGS.iter().find(|factor| **factor > shared.smoothing + 1e-9).unwrap_or(&SMOOTHINGS[0]);
        vec![Effect::Smooth(*next)]
    }

    fn choose(&mut self, opening: bool, shared: &Shared) -> Vec<Effect> {
        self.opening = opening;
        let Some(open) = self.open(shared) else { return say("no run of tuning yet") };
        let listed: Vec<&Status> = shared.runs.of(JOBS).filter(|run| opening || run.id != open.id).collect();
        if listed.is_empty() {
            return say("there is no other run of tuning");
        }
        let rows = listed.iter().map(|run| (run.id.clone(), view::row(run, shared))).collect();
        let choice = if opening {
            let mut choice = Choice::one(Purpose::Overlay, "Open which run?", rows);
            choice.selected = listed.iter().position(|run| run.id == open.id).unwrap_or(0);
            choice
        } else {
            let marked = listed.iter().map(|run| self.overlays.contains(&run.id)).collect();
            Choice::some(Purpose::Overlay, "Lay which runs over this one?", rows, marked)
        };
        vec![Effect::Open(Box::new(Overlay::Choice(choice)))]
    }

    fn pin(&mut self, shared: &Shared) -> Vec<Effect> {
        let Some(open) = self.open(shared) else { return say("no run to pin") };
        if self.baseline.as_ref() == Some(&open.id) {
            self.baseline = None;
            return say("no baseline any more");
        }
        self.baseline = Some(open.id.clone());
        let other = shared.keymap.key(Context::Tuning, Action::PreviousRun).unwrap_or_default();
        say(format!("{} is the baseline: open another run ({other}) to compare", name(open, shared.palette)))
    }

    fn ask(&self, action: Action, shared: &Shared) -> Vec<Effect> {
        let Some(open) = self.open(shared) else { return say("there is no run") };
        let id = open.id.clone();
        let word = open.state.word();
        match (action, open.state) {
            (Action::Log, _) => vec![Effect::ReadLog(id)],
            (Action::Stop, State::Queued | State::Running) => vec![Effect::Stop(id)],
            (Action::Stop, _) => say(format!("nothing to stop: this run has {word}")),
            (Action::Checkpoint, State::Running) => vec![Effect::Checkpoint(id)],
            (Action::Checkpoint, State::Queued) => say("nothing to keep yet: this run has not begun"),
            (Action::Checkpoint, _) => say(format!("nothing to keep: this run has {word}")),
            (Action::Resume, State::Stopped | State::Failed | State::Crashed) => vec![Effect::Resume(id)],
            (Action::Resume, State::Finished) => {
                let new = shared.keymap.key(Context::Tuning, Action::New).unwrap_or_default();
                say(format!("nothing to resume: this run has finished; {new} starts another"))
            }
            (Action::Resume, _) => say(format!("nothing to resume: this run is {word}")),
            _ => Vec::new(),
        }
    }
}

impl Pane for TuningPane {
    fn context(&self) -> Context {
        Context::Tuning
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<Effect> {
        let last = self.live(shared).and_then(|live| live.scalars.get("loss")?.last()).map(|point| point.x);
        match action {
            Action::Left => return self.move_crosshair(-1, shared),
            Action::Right => return self.move_crosshair(1, shared),
            Action::FarLeft => return self.move_crosshair(-FAR, shared),
            Action::FarRight => return self.move_crosshair(FAR, shared),
            Action::First => {
                if let (Some(last), Some(live)) = (last, self.live(shared)) {
                    self.read_at(live.scalars["loss"].x()[0], last);
                }
            }
            Action::Last => {
                if let Some(last) = last {
                    self.read_at(last, last);
                }
            }
            Action::ZoomIn => return self.zoom(true, shared),
            Action::ZoomOut => return self.zoom(false, shared),
            Action::Follow => return self.follow(shared),
            Action::Axis => return self.next_axis(shared),
            Action::Logarithmic => self.log = !self.log,
            Action::Smooth => return Self::smooth(shared),
            Action::Overlay => return self.choose(false, shared),
            Action::Open => return self.choose(true, shared),
            Action::Pin => return self.pin(shared),
            Action::Diff => {
                let runs = self.shown(shared);
                if runs.is_empty() {
                    return say("no run to compare");
                }
                let (title, lines) = differences::of(&runs, shared.palette);
                return vec![Effect::Open(Box::new(Overlay::Text { title, lines, scroll: Scroll::default() }))];
            }
            Action::PreviousRun => return self.walk(1, shared),
            Action::NextRun => return self.walk(-1, shared),
            Action::Back if self.crosshair.is_some() => self.crosshair = None,
            Action::Back => {
                self.window.set(None);
                self.still = false;
            }
            other => return self.ask(other, shared),
        }
        Vec::new()
    }

    fn chosen(&mut self, purpose: Purpose, values: &[String], _shared: &Shared) -> Vec<Effect> {
        if purpose != Purpose::Overlay {
            return Vec::new();
        }
        if !self.opening {
            self.overlays = values.to_vec();
            self.forget_axes();
        } else if let Some(id) = values.first() {
            self.show(id.clone());
        }
        Vec::new()
    }

    fn refresh(&mut self, shared: &Shared) -> Vec<Effect> {
        if !shared.runs.read {
            return Vec::new();
        }
        let there = |id: &String| shared.runs.status(id).is_some();
        self.overlays.retain(there);
        self.baseline = self.baseline.take().filter(there);
        self.open = self.open.take().filter(there);
        // A run that has just been started is what one wants to see, unless the open one lives.
        let newest = shared.runs.of(JOBS).next();
        let news = self.newest.is_some() && newest.is_some_and(|run| self.newest.as_ref() != Some(&run.id));
        if news && !self.open(shared).is_some_and(|run| run.state.is_live()) {
            self.open = None;
        }
        let before = self.newest.take();
        self.newest = newest.map(|run| run.id.clone());
        if self.open.is_none() && before != self.newest {
            self.forget_view();
        }
        Vec::new()
    }

    fn attach(&mut self, run: &str, _shared: &Shared) -> Vec<Effect> {
        self.show(run.to_owned());
        Vec::new()
    }

    fn watching(&self, shared: &Shared) -> Vec<String> {
        self.ids(shared).into_iter().map(str::to_owned).collect()
    }

    fn copied(&self, shared: &Shared) -> Option<String> {
        let runs = self.shown(shared);
        let read = self.crosshair.map(|step| readings::copied(self, &runs, step, shared));
        read.or_else(|| runs.first().map(|run| run.status.id.clone()))
    }

    fn click(&mut self, x: u16, y: u16, shared: &Shared) -> Vec<Effect> {
        // Rows count from the pane's first; charts know those of the screen, one further down.
        let x = self
            .axes
            .borrow()
            .iter()
            .find(|axes| axes.area().contains((x, y + 1).into()))
            .and_then(|axes| axes.x_at(x));
        if let (Some(x), Some(live)) = (x, self.live(shared))
            && let (Some(step), Some(loss)) = (self.axis.step_at(live, x), live.scalars.get("loss"))
            && let (Some(point), Some(last)) = (loss.nearest(Values::Raw, step), loss.last())
        {
            self.read_at(point.x, last.x);
        }
        Vec::new()
    }

    fn view(&self, area: Rect, buffer: &mut Buffer, shared: &Shared) {
        view::draw(self, area, buffer, shared);
    }
}

/// What a run makes, or its id.
fn name(status: &Status, palette: Palette) -> String {
    let name = status.settings.get("name").and_then(serde_json::Value::as_str).unwrap_or(&status.id);
    visible(name, &palette).into_owned()
}

/// When a run was made, short: `14:02`, `11-23 14:02` where that was another day.
fn moment(status: &Status, shared: &Shared) -> String {
    let time = shared.time_of_day(status.created_unix_ms);
    let day = |ms: u64| (ms as i64 / 1000 + i64::from(shared.utc_offset)).div_euclid(86_400);
    match day(shared.now_ms) - day(status.created_unix_ms) {
        0 => time,
        1 => format!("{time} yesterday"),
        days => format!("{time} {days} days ago"),
    }
}

fn say(text: impl Into<String>) -> Vec<Effect> {
    vec![Effect::Say(text.into())]
}

#[cfg(test)]
mod tests;
