//! Below the charts: the numbers that have no chart, what was kept when, and what every curve says at the crosshair.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

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

/// Below this width names are short.
const BRIEF: u16 = 98;
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
        let (width, fit) = (usize::from(area.width), usize::from(area.height));
        let mut rows = Vec::new();
        for parts in parts(pane, runs, step, area.width < BRIEF, shared) {
            let mut packed = packed(&parts, width);
            // One run may take what room there is; several have a row each.
            packed.truncate(if runs.len() > 1 { 1 } else { fit });
            rows.extend(packed);
        }
        for (at, line) in rows.iter().take(fit).enumerate() {
            let style = if at == 0 { palette.style(Role::Accent) } else { text };
            put(buffer, area.x, area.y + at as u16, area.width, line, style, palette);
        }
        if runs.len() + 1 > fit {
            let more = format!("and {} more", runs.len() + 1 - fit);
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
        parts.extend(live.latest(name).map(|value| format!("{} {:<6}", title(name, false), short(value))));
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

/// Parts in as many rows as they need, two blanks between them.
fn packed(parts: &[String], width: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for part in parts {
        match rows.last_mut() {
            Some(row) if row.width() + 2 + part.width() <= width => {
                row.push_str("  ");
                row.push_str(part);
            }
            _ => rows.push(part.clone()),
        }
    }
    rows
}

/// All of it as text.
pub(super) fn copied(pane: &TuningPane, runs: &[Shown<'_>], step: f64, shared: &Shared) -> String {
    let lines = parts(pane, runs, step, false, shared).into_iter().map(|parts| parts.join("  "));
    lines.collect::<Vec<_>>().join("\n")
}

/// What every curve says at a step of the open run: where that is, then each run.
fn parts(pane: &TuningPane, runs: &[Shown<'_>], step: f64, brief: bool, shared: &Shared) -> Vec<Vec<String>> {
    let Some(open) = runs.first().and_then(|run| run.live) else { return Vec::new() };
    let x = pane.axis.place(open, step);
    let mut lines = vec![place(open, step, shared)];
    for run in runs {
        let mut line = Vec::new();
        if runs.len() > 1 {
            let mark = shared.palette.series_mark(run.index);
            // The legend has the name.
            line.push(if brief { mark.to_owned() } else { format!("{mark} {}", run.name) });
        }
        let at = run.live.zip(x).and_then(|(live, x)| Some((live, pane.axis.step_at(live, x)?)));
        line.extend(at.into_iter().flat_map(|(live, at)| values(run, live, at, runs.len() > 1, brief, shared)));
        lines.push(line);
    }
    lines
}

/// Step, epoch, time, and what was kept there.
fn place(live: &LiveRun, step: f64, shared: &Shared) -> Vec<String> {
    let mut parts = vec![format!("step {step}")];
    parts.extend(live.epochs(step).map(|(epoch, _)| format!("epoch {epoch:.2}")));
    if let Some(seconds) = live.seconds_at(step) {
        parts.push(crate::tui::shared::span(seconds.floor()));
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
    parts
}

/// All numbers of a run near a step; with its step where runs differ in that.
fn values(run: &Shown<'_>, live: &LiveRun, step: f64, several: bool, brief: bool, shared: &Shared) -> Vec<String> {
    let mut names: Vec<&str> = FIRST.iter().copied().filter(|name| source(live, name).is_some()).collect();
    names.extend(live.scalars.keys().map(String::as_str).filter(|name| !FIRST.contains(name)));
    let mut parts = Vec::new();
    if several {
        parts.extend(live.times.nearest(Values::Raw, step).map(|point| format!("@{}", point.x)));
    }
    for name in names {
        let Some(series) = source(live, name) else { continue };
        let Some(point) = series.nearest(Values::Raw, step) else { continue };
        let of = if run.synthetic && name == "mrr10" { "synthetic " } else { "" };
        let mut part =
            format!("{of}{} {}", visible(&title(name, brief), &shared.palette), reading(name, f64::from(point.y)));
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
    parts
}
