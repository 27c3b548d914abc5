//! The head of the pane: which run, how it is, how far, how fast, on what.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::numbers::{fixed, gib, short};
use super::{JOBS, Shown};
use crate::runs::{State, Status};
use crate::tui::keymap::{Action, Context};
use crate::tui::live::LiveRun;
use crate::tui::palette::{Glyph, Role};
use crate::tui::series::Values;
use crate::tui::shared::{Shared, remaining, span, thousands};
use crate::tui::widgets::line::{put, put_right};
use crate::tui::widgets::symbols::visible;

/// Steps of which the median tells a rate: one slow step does not make it flicker.
const RECENT: usize = 51;
/// Blanks between two things that are said.
const GAP: u16 = 3;

/// Draws the two lines of the head.
pub(super) fn draw(open: &Shown<'_>, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let (text, dim) = (palette.style(Role::Text), palette.style(Role::Dim));
    let runs: Vec<&Status> = shared.runs.of(JOBS).collect();
    let at = runs.iter().position(|run| run.id == open.status.id).map_or(0, |at| at + 1);
    let (glyph, word, role) = state(open.status, shared);
    let mut first = vec![(open.name.clone(), palette.style(Role::Title))];
    first.push((format!("{} {word}", palette.glyph(glyph)), palette.style(role)));
    first.extend(far(open, shared).into_iter().map(|part| (part, text)));
    put_spaced(&first, area, buffer, shared);

    let mut second = Rect { y: area.y + 1, ..area };
    if runs.len() > 1 {
        let count = format!("run {at} of {}", runs.len());
        let used = put_right(buffer, second.right(), second.y, second.width, &count, dim, palette);
        second.width = second.width.saturating_sub(used + GAP);
    }
    if let Some((said, role)) = words(open, shared) {
        put(buffer, second.x, second.y, second.width, &said, palette.style(role), palette);
    } else {
        let parts: Vec<(String, Style)> = fast(open).into_iter().map(|part| (part, dim)).collect();
        put_spaced(&parts, second, buffer, shared);
    }
}

/// Parts in a row, as many as fit whole; the first is cut if it must be.
fn put_spaced(parts: &[(String, Style)], area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let mut x = area.x;
    for (at, (text, style)) in parts.iter().enumerate() {
        let room = area.right().saturating_sub(x);
        if room == 0 || (at > 1 && text.width() > usize::from(room)) {
            break;
        }
        x += put(buffer, x, area.y, room, text, *style, &shared.palette) + GAP;
    }
}

/// The state of a run: its glyph, its words, what they mean.
pub(super) fn state(status: &Status, shared: &Shared) -> (Glyph, String, Role) {
    let word = status.state.word().to_owned();
    match status.state {
        State::Queued => (Glyph::Queued, word, Role::Accent),
        State::Running if status.stalled => {
            let silent = shared.now_ms.saturating_sub(status.last_event_unix_ms.unwrap_or(shared.now_ms)) / 1000;
            (Glyph::Running, format!("stalled: silent for {silent} s"), Role::Warning)
        }
        State::Running => (Glyph::Running, word, Role::Accent),
        State::Finished => (Glyph::Done, word, Role::Text),
        State::Failed => (Glyph::Failed, word, Role::Warning),
        State::Stopped | State::Crashed => {
            let glyph = if status.state == State::Stopped { Glyph::Stopped } else { Glyph::Failed };
            let role = if status.state == State::Stopped { Role::Text } else { Role::Warning };
            let key = shared.keymap.key(Context::Tuning, Action::Resume);
            (glyph, key.map_or(word.clone(), |key| format!("{word}: {key} resumes it")), role)
        }
    }
}

/// How far it is: epoch, step, what is left; of what ended, how long it took.
fn far(open: &Shown<'_>, shared: &Shared) -> Vec<String> {
    let mut parts = Vec::new();
    let Some(live) = open.live else { return parts };
    if let Some((done, total)) = live.steps {
        if let Some((epoch, epochs)) = live.epochs(done.saturating_sub(1) as f64) {
            parts.push(format!("epoch {} of {}", epoch.floor() as u64 + 1, trimmed(epochs)));
        }
        let (done, total) = (thousands(done), thousands(total));
        // As wide as it will ever be, so that nothing behind it moves.
        parts.push(format!("step {done:>wide$} of {total}", wide = total.len()));
    }
    if open.status.state == State::Running {
        if let Some(left) = left(live) {
            parts.push(format!("ETA {}", remaining(left)));
        }
    } else if !open.status.state.is_live() && live.last_ms > live.started_ms {
        let took = (live.last_ms - live.started_ms) as f64 / 1000.0;
        parts.push(format!("{} in {}", shared.ago(live.last_ms), span(took)));
    }
    parts
}

/// Seconds until the last step.
fn left(live: &LiveRun) -> Option<f64> {
    match live.steps {
        Some((done, total)) => Some(total.saturating_sub(done) as f64 * live.median_step()?),
        None => live.eta(),
    }
}

/// What must be said instead of rates: an error, what is waited for, what was made.
fn words(open: &Shown<'_>, shared: &Shared) -> Option<(String, Role)> {
    let (status, live) = (open.status, open.live);
    let clean = |text: &str| visible(text, &shared.palette).into_owned();
    if let Some(problem) = &status.problem {
        return Some((clean(problem), Role::Warning));
    }
    match status.state {
        State::Failed => {
            let error = status.error.as_deref().or_else(|| live?.ended.as_ref()?.1.as_deref());
            Some((clean(error.unwrap_or("it did not say why")), Role::Warning))
        }
        State::Queued => {
            let note = live.and_then(|live| live.messages.iter().rev().find(|(_, _, text)| text.starts_with("waits")));
            let note = note.map_or("waits for its turn on the device", |(_, _, text)| text);
            Some((clean(note), Role::Text))
        }
        State::Crashed => {
            // The best one holds parameters only.
            let whole = live.map(|live| live.checkpoints.iter().filter(|(_, best)| !best));
            let kept = whole.and_then(|kept| kept.map(|(step, _)| *step).max());
            let from = kept.map_or_else(|| "from its beginning".to_owned(), |step| format!("from step {step}"));
            Some((format!("its process is gone without a word; it goes on {from}"), Role::Warning))
        }
        State::Finished => {
            let made = status.result.get("artifact").and_then(Value::as_str)?;
            Some((format!("made {}{}", clean(made), came_of_it(&status.result)), Role::Dim))
        }
        _ => None,
    }
}

/// What a result says besides the model: whether training stopped early, what became of what the base knew, how much of
/// the training was kept.
fn came_of_it(result: &Value) -> String {
    let number = |name: &str| result.get(name).and_then(Value::as_f64);
    let mut text = String::new();
    if let Some(step) = number("early_stop") {
        text.push_str(&format!("  early stop @{step}"));
    }
    if let (Some(base), Some(tuned)) = (number("anchor_mrr10_base"), number("anchor_mrr10")) {
        text.push_str(&format!("  everyday questions {} to {}", fixed(base), fixed(tuned)));
    }
    if let Some(share) = number("tuned_share").filter(|share| *share < 1.0) {
        text.push_str(&format!("  {} tuned", trimmed(share)));
    }
    text
}

/// How fast it is and what it uses.
fn fast(open: &Shown<'_>) -> Vec<String> {
    let Some(live) = open.live else { return vec!["reading its log".to_owned()] };
    let mut parts = Vec::new();
    if live.more {
        parts.push("reading its log".to_owned());
    }
    if live.phase != "train" && !live.phase.is_empty() && open.status.state.is_live() {
        // Before the first step it is all that can be told; later it passes too fast to count.
        let done = live.progress.as_ref().filter(|_| live.steps.is_none()).map(|(done, total, unit)| match total {
            Some(total) => format!(" {} of {} {unit}", thousands(*done), thousands(*total)),
            None => format!(" {} {unit}", thousands(*done)),
        });
        parts.push(live.phase.clone() + done.as_deref().unwrap_or_default());
    }
    for (name, unit) in [("pairs_per_s", "pairs/s"), ("tokens_per_s", "tokens/s")] {
        if let Some(rate) = median(live, name) {
            parts.push(format!("{} {unit}", short(rate)));
        }
    }
    parts.extend(machine(live, &open.status.device));
    parts
}

/// Device and memory, as far as the machine tells.
fn machine(live: &LiveRun, device: &str) -> Vec<String> {
    let device = if live.device.is_empty() { device } else { &live.device };
    let number = |name: &str| live.system.get(name).copied().filter(|number| number.is_finite());
    let mut parts = Vec::new();
    if let Some(busy) = number("gpu_percent") {
        parts.push(format!("{device} {busy:.0} %"));
        if let Some(used) = number("gpu_memory_used_mib") {
            let total = number("gpu_memory_total_mib").map(|total| format!(" of {}", gib(total)));
            parts.push(format!("{}{} GiB", gib(used), total.unwrap_or_default()));
        }
        return parts;
    }
    match number("cpu_percent") {
        Some(busy) => parts.push(format!("{device} {busy:.0} %")),
        None => parts.push(device.to_owned()),
    }
    if let Some(own) = number("rss_mib") {
        parts.push(format!("holds {} GiB", gib(own)));
    }
    if let (Some(used), Some(total)) = (number("host_memory_used_mib"), number("host_memory_total_mib")) {
        parts.push(format!("host {} of {} GiB", gib(used), gib(total)));
    }
    parts
}

/// The median of the last values of a number.
fn median(live: &LiveRun, name: &str) -> Option<f64> {
    let values = live.scalars.get(name)?.values(Values::Raw);
    let recent = &values[values.len().saturating_sub(RECENT)..];
    let mut recent: Vec<f32> = recent.iter().copied().filter(|value| value.is_finite()).collect();
    recent.sort_unstable_by(f32::total_cmp);
    recent.get(recent.len() / 2).map(|value| f64::from(*value))
}

/// `3`, `2.5`.
fn trimmed(number: f64) -> String {
    format!("{}", (number * 1000.0).round() / 1000.0)
}
