//! The crosshair, the window, what x counts: where one looks.

use super::axis::XAxis;
use super::{TuningPane, say};
use crate::tui::live::LiveRun;
use crate::tui::message::Effect;
use crate::tui::series::Values;
use crate::tui::shared::Shared;

/// Steps that a window shows at the least.
const LEAST_WINDOW: f64 = 8.0;

impl TuningPane {
    pub(super) fn move_crosshair(&mut self, columns: i32, shared: &Shared) -> Vec<Effect> {
        let Some((live, loss)) = self.live(shared).and_then(|live| Some((live, live.scalars.get("loss")?))) else {
            return say("no step to read yet");
        };
        let steps = loss.x();
        let Some(last) = steps.len().checked_sub(1) else { return say("no step to read yet") };
        let at = self.crosshair.and_then(|step| loss.nearest(Values::Raw, step)).map_or(steps[last], |point| point.x);
        let index = steps.partition_point(|step| *step < at).min(last);
        let moved = self.axis.place(live, at).and_then(|x| {
            let x = self.axes.borrow()[0].step(x, columns);
            let step = self.axis.step_at(live, x)?;
            loss.nearest(Values::Raw, step).map(|point| point.x)
        });
        let right = columns > 0;
        // Where a column is less than a step, or the window ends, a step is the least.
        let next = if right { steps[(index + 1).min(last)] } else { steps[index.saturating_sub(1)] };
        let moved = moved.filter(|moved| if right { *moved > at } else { *moved < at }).unwrap_or(next);
        self.read_at(moved, steps[last]);
        Vec::new()
    }

    /// Puts the crosshair on a step and the window around it.
    pub(super) fn read_at(&mut self, step: f64, last: f64) {
        self.crosshair = Some(step);
        if step >= last {
            self.still = false;
        }
        if let Some((from, to)) = self.window.get() {
            let half = (to - from) / 2.0;
            if step < from || step > to {
                let start = (step - half).max(0.0);
                self.window.set(Some((start, start + 2.0 * half)));
            }
            self.still = step < last && (self.still || self.window.get().is_some_and(|(_, to)| to < last));
        }
    }

    pub(super) fn zoom(&mut self, closer: bool, shared: &Shared) -> Vec<Effect> {
        let last = self.live(shared).and_then(|live| live.scalars.get("loss")?.last());
        let Some(last) = last.map(|point| point.x) else { return say("no step to look at yet") };
        let whole = (0.0, last * 1.05);
        let (from, to) = self.window.get().unwrap_or(whole);
        let around = self.crosshair.unwrap_or(last).clamp(from, to.max(from));
        let factor = if closer { 0.5 } else { 2.0 };
        if closer && (to - from) * factor < LEAST_WINDOW {
            return say("as close as it gets");
        }
        let span = (to - from) * factor;
        let start = (around - (around - from) * factor).max(0.0);
        if span >= whole.1 {
            self.window.set(None);
            self.still = false;
        } else {
            self.window.set(Some((start, start + span)));
            self.still = start + span < last;
        }
        Vec::new()
    }

    pub(super) fn follow(&mut self, shared: &Shared) -> Vec<Effect> {
        let last = self.live(shared).and_then(|live| live.scalars.get("loss")?.last());
        let (Some((from, to)), Some(last)) = (self.window.get(), last) else {
            return say("all steps are in view, the newest too");
        };
        self.still = !self.still;
        if self.still {
            return say("the window stays where it is");
        }
        self.window.set(Some(ahead((from, to), last.x)));
        say("the window follows the newest step")
    }

    pub(super) fn next_axis(&mut self, shared: &Shared) -> Vec<Effect> {
        self.axis = self.axis.next();
        let known = self.live(shared).is_some_and(|live| live.steps_per_epoch().is_some());
        let mut effects = Vec::new();
        if self.axis == XAxis::Epoch && !known {
            self.axis = self.axis.next();
            effects = say("how many steps make an epoch is not known for this run: x is the time since the start");
        }
        self.forget_axes();
        effects
    }
}

/// A window that follows moves on when the newest step leaves it, by a quarter of its width: moved step by step, it
/// would be drawn anew each time.
pub(super) fn keep_up(pane: &TuningPane, live: Option<&LiveRun>) {
    let last = live.and_then(|live| live.scalars.get("loss")?.last());
    if let (false, Some(window), Some(last)) = (pane.still, pane.window.get(), last)
        && last.x > window.1
    {
        pane.window.set(Some(ahead(window, last.x)));
    }
}

/// The window moved so that a step has a quarter of it ahead; as it was where the step is in it.
fn ahead((from, to): (f64, f64), step: f64) -> (f64, f64) {
    if (from..=to).contains(&step) {
        return (from, to);
    }
    let start = (step - (to - from) * 0.75).max(0.0);
    (start, start + (to - from))
}
