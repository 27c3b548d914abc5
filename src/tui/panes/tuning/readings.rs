//! Below the charts: the numbers that have no chart, what was kept when, and what every curve says at the crosshair.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::axis::source;
use super::charts::clipped;
use super::numbers::{reading, short, title};
use super::{Shown, TuningPane};
use crate::tui::live::LiveRun;
use crate::tui::palette::Role;
use crate::tui::series::Values;
use crate::tui::shared::Shared;
use crate::tui::widgets::line::{put, put_right};
use crate::tui::widgets::symbols::visible;

/// The numbers that are read first.
const FIRST: [&str; 6] = ["loss", "mrr10", "learning_rate", "gradient_norm", "pairs_per_s", "tokens_per_s"];

/// Draws what stands below the charts. `numbers`: whether learning rate and gradient norm have no chart.
pub(super) fn draw(
    pane: &TuningPane,
    runs: &[Shown<'_>],
    numbers: bool,
    area: Rect,
    buffer: &mut Buffer,
    shared: &Shared,
) {
    let palette = &shared.palette;
    let (text, dim) = (palette.style(Role::Text), palette.style(Role::Dim));
    if let Some(step) = pane.crosshair {
        let lines = lines(pane, runs, step, shared);
        let fit = usize::from(area.height);
        for (at, line) in lines.iter().take(fit).enumerate() {
            let style = if at == 0 { palette.style(Role::Accent) } else { text };
            put(buffer, area.x, area.y + at as u16, area.width, line, style, palette);
        }
        if lines.len() > fit {
            let more = format!("and {} more", lines.len() - fit);
            put_right(buffer, area.right(), area.y, area.width / 2, &more, dim, palette);
        }
        return;
    }
    let Some(live) = runs.first().and_then(|run| run.live) else { return };
    let mut y = area.y;
    if numbers && area.height > 1 {
        put(buffer, area.x, y, area.width, &numbers_of(live), text, palette);
        y += 1;
    }
    let window = scope(pane);
    let used = put_right(buffer, area.right(), y, area.width, &window, dim, palette);
    put(buffer, area.x, y, area.width.saturating_sub(used + 3), &kept(live), dim, palette);
}

/// Learning rate, gradient norm, how much is clipped.
fn numbers_of(live: &LiveRun) -> String {
    let mut parts = Vec::new();
    for name in ["learning_rate", "gradient_norm"] {
        parts.extend(live.latest(name).map(|value| format!("{} {:<6}", title(name), short(value))));
    }
    parts.extend(clipped(live).map(|share| format!("clipped {:.0} %", share * 100.0)));
    parts.join("  ")
}

/// The last checkpoint, the best one, where the run went on.
fn kept(live: &LiveRun) -> String {
    let mut parts = Vec::new();
    let last = |best: bool| live.checkpoints.iter().rev().find(|(_, was)| *was == best).map(|(step, _)| step);
    parts.extend(last(false).map(|step| format!("checkpoint @{step}")));
    parts.extend(last(true).map(|step| format!("best @{step}")));
    parts.extend(live.resumed.last().map(|step| format!("resumed @{step}")));
    parts.join("   ")
}

/// What part of x is in view.
fn scope(pane: &TuningPane) -> String {
    let x = format!("x: {}", pane.axis.word());
    match pane.window.get() {
        None => x,
        Some(_) if pane.still => format!("{x}   zoomed"),
        Some(_) => format!("{x}   zoomed, following"),
    }
}

/// What every curve says at a step of the open run: where that is, then a line a run.
pub(super) fn lines(pane: &TuningPane, runs: &[Shown<'_>], step: f64, shared: &Shared) -> Vec<String> {
    let Some(open) = runs.first().and_then(|run| run.live) else { return Vec::new() };
    let x = pane.axis.place(open, step);
    let mut lines = vec![place(open, step, shared)];
    for run in runs {
        let at = run.live.zip(x).and_then(|(live, x)| pane.axis.step_at(live, x));
        let mut line = String::new();
        if runs.len() > 1 {
            line = format!("{} {}  ", shared.palette.series_mark(run.index), run.name);
        }
        line.push_str(
            &run.live.zip(at).map_or_else(String::new, |(live, at)| values(live, at, runs.len() > 1, shared)),
        );
        lines.push(line);
    }
    lines
}

/// Step, epoch, time, and what was kept there.
fn place(live: &LiveRun, step: f64, shared: &Shared) -> String {
    let mut parts = vec![format!("step {step}")];
    parts.extend(live.epochs(step).map(|(epoch, _)| format!("epoch {epoch:.2}")));
    if let Some(seconds) = live.seconds_at(step) {
        parts.push(crate::tui::shared::span(f64::from(seconds as f32)));
        parts.push(shared.time_of_day(live.started_ms + (seconds * 1000.0) as u64));
    }
    let at = |best: bool| live.checkpoints.iter().any(|(kept, was)| *kept as f64 == step && *was == best);
    if at(false) {
        parts.push("checkpoint".to_owned());
    }
    if at(true) {
        parts.push("best so far".to_owned());
    }
    if live.resumed.iter().any(|resumed| *resumed as f64 == step) {
        parts.push("resumed here".to_owned());
    }
    let smoothing = shared.smoothing;
    if smoothing > 0.0 {
        parts.push(format!("~ smoothed {smoothing}"));
    }
    parts.join("   ")
}

/// All numbers of a run near a step; with its step where runs differ in that.
fn values(live: &LiveRun, step: f64, several: bool, shared: &Shared) -> String {
    let mut names: Vec<&str> = FIRST.iter().copied().filter(|name| source(live, name).is_some()).collect();
    names.extend(live.scalars.keys().map(String::as_str).filter(|name| !FIRST.contains(name)));
    let mut parts = Vec::new();
    if several {
        parts.extend(live.times.nearest(Values::Raw, step).map(|point| format!("@{}", point.x)));
    }
    for name in names {
        let Some(series) = source(live, name) else { continue };
        let Some(point) = series.nearest(Values::Raw, step) else { continue };
        let mut part = format!("{} {}", visible(&title(name), &shared.palette), reading(name, f64::from(point.y)));
        if live.evals.contains_key(name) {
            part.push_str(&format!(" @{}", point.x));
        } else if series.smoothing() > 0.0
            && matches!(name, "loss" | "gradient_norm")
            && let Some(smoothed) = series.nearest(Values::Smoothed, step)
        {
            part.push_str(&format!(" ~{}", reading(name, f64::from(smoothed.y))));
        }
        parts.push(part);
    }
    parts.join("  ")
}
