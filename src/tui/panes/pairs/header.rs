//! The head of a job that makes pairs: who makes them, how far it is, how fast, what was kept.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::SYNTHESIS;
use super::control::{Requests, settings};
use super::endpoints::per_second;
use crate::tui::keymap::{Action, Context};
use crate::tui::live::LiveRun;
use crate::tui::palette::{Glyph, Role};
use crate::tui::shared::{Shared, remaining, thousands};
use crate::tui::widgets::line::{cut, put_parts};
use crate::tui::widgets::symbols::visible;

/// Blanks between two things that are said.
const GAP: usize = 3;
/// Cells of a model's name.
const MODEL: usize = 32;

/// Things that are said side by side.
type Parts = Vec<(String, Style)>;

/// Draws the head in as few lines as hold it. Returns the lines used.
pub(super) fn draw(run: &LiveRun, requests: &Requests, area: Rect, buffer: &mut Buffer, shared: &Shared) -> u16 {
    let width = usize::from(area.width);
    let (who, counts, failed) = (who(run, shared), counts(run, shared), failed(run, shared));
    let all: Parts = counts.iter().chain(&failed).cloned().collect();
    let mut progress = progress(run, requests, shared);
    let beside = |left: &Parts, right: &Parts| cells(left) + GAP + cells(right) <= width;
    let first: Parts = who.iter().chain(&progress).cloned().collect();
    let lines = if beside(&first, &all) {
        vec![(first, all)]
    } else {
        // What does not fit is left out whole, the last first.
        while progress.len() > 1 && cells(&progress) > width {
            progress.pop();
        }
        match (beside(&who, &all), beside(&who, &counts) && beside(&progress, &failed)) {
            (true, _) => vec![(who, all), (progress, Parts::new())],
            (_, true) => vec![(who, counts), (progress, failed)],
            _ if beside(&progress, &all) => vec![(who, Parts::new()), (progress, all)],
            _ => vec![(who, Parts::new()), (progress, Parts::new()), (all, Parts::new())],
        }
    };
    for (at, (left, right)) in lines.iter().enumerate() {
        let y = area.y + at as u16;
        place(left, Rect { y, ..area }, buffer, shared);
        let x = cells(right).min(width) as u16;
        place(right, Rect { x: area.right() - x, y, width: x, ..area }, buffer, shared);
    }
    lines.len() as u16
}

/// Draws parts side by side.
fn place(parts: &Parts, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let mut shown: Vec<(&str, Style)> = Vec::new();
    for (at, (text, style)) in parts.iter().enumerate() {
        if at > 0 {
            shown.push(("   ", Style::new()));
        }
        shown.push((text, *style));
    }
    put_parts(buffer, area.x, area.y, area.width, &shown, &shared.palette);
}

fn cells(parts: &Parts) -> usize {
    parts.iter().map(|(text, _)| text.width()).sum::<usize>() + GAP * parts.len().saturating_sub(1)
}

/// What is made, and by whom: a rule, or a model on its endpoints.
fn who(run: &LiveRun, shared: &Shared) -> Parts {
    let palette = &shared.palette;
    let name = settings(run).get("name").and_then(Value::as_str).unwrap_or(&run.id);
    let glyph = palette.glyph(if paused(run) { Glyph::Stopped } else { Glyph::Running });
    let name = (format!("{glyph} {}", visible(name, palette)), palette.style(Role::Accent));
    let how = if run.job == SYNTHESIS {
        let asked = run.model.as_deref().or_else(|| settings(run).get("model").and_then(Value::as_str));
        let model = cut(&visible(asked.unwrap_or("a language model"), palette), MODEL, palette);
        let named = run.settings.get("endpoints").and_then(Value::as_array).map_or(0, Vec::len);
        match run.endpoints.len().max(named) {
            0 | 1 => format!("{model} on 1 endpoint"),
            several => format!("{model} on {several} endpoints"),
        }
    } else {
        run.job.strip_prefix("pairs-").unwrap_or(&run.job).to_owned()
    };
    vec![name, (how, palette.style(Role::Dim))]
}

fn paused(run: &LiveRun) -> bool {
    run.tally.as_ref().is_some_and(|tally| tally.paused)
}

/// Whether it waits, what it does, how far it is, how fast.
fn progress(run: &LiveRun, requests: &Requests, shared: &Shared) -> Parts {
    let palette = &shared.palette;
    let text = palette.style(Role::Text);
    let mut parts: Parts = waits(run, requests, shared).into_iter().collect();
    let still = !parts.is_empty() || paused(run);
    // Who is asked stands beside the name.
    let asks = run.job == SYNTHESIS && run.model.as_ref().is_some_and(|model| run.phase.ends_with(model.as_str()));
    let mut say = |part: String| parts.push((part, text));
    if !asks && !run.phase.is_empty() {
        say(visible(&run.phase, palette).into_owned());
    }
    let Some((done, total, unit)) = &run.progress else { return parts };
    let one = unit.strip_suffix('s').unwrap_or(unit);
    say(match total {
        Some(total) => format!("{one} {} of {}", thousands(*done), thousands(*total)),
        None => format!("{} {unit}", thousands(*done)),
    });
    let under_way = run.tally.as_ref().map_or(0, |tally| tally.in_flight);
    if still && under_way > 0 {
        say(format!("{} still under way", thousands(under_way)));
    }
    let (pace, of) = if asks { (run.pairs_per_s(), "pairs") } else { (run.rate(), unit.as_str()) };
    if let Some(pace) = pace.filter(|pace| *pace > 0.0 && !still) {
        say(format!("{} {of}/s", per_second(pace)));
    }
    let tokens = run.tally.as_ref().map_or(0.0, |tally| tally.tokens_per_s);
    if asks && tokens > 0.0 {
        say(format!("{} tokens/s", per_second(tokens)));
    }
    if let Some(eta) = run.eta().filter(|eta| *eta >= 1.0 && !still) {
        say(format!("ETA {}", remaining(eta)));
    }
    parts
}

/// The word for a job that waits for its user, or is about to, or about to go on.
fn waits(run: &LiveRun, requests: &Requests, shared: &Shared) -> Option<(String, Style)> {
    let key = shared.keymap.key(Context::Pairs, Action::Pause).unwrap_or_default();
    let (word, role) = match (paused(run), requests.paused(run)) {
        (true, Some(false)) => ("GOING ON".to_owned(), Role::Accent),
        (true, _) => (format!("PAUSED: {key} goes on"), Role::Warning),
        (false, Some(true)) => ("PAUSING".to_owned(), Role::Warning),
        (false, _) => return None,
    };
    Some((word, shared.palette.style(role)))
}

/// What was kept and what was rejected.
fn counts(run: &LiveRun, shared: &Shared) -> Parts {
    let text = shared.palette.style(Role::Text);
    let rejected: usize = run.rejected.values().sum();
    let share = rejected as f64 / (run.kept + rejected).max(1) as f64 * 100.0;
    // Where a job does not tell its numbers, these are of what was seen of it.
    let seen = if run.tally.is_some() { "" } else { "seen: " };
    vec![
        (format!("{seen}kept {}", thousands(run.kept as u64)), text),
        (format!("rejected {} ({share:.0} %)", thousands(rejected as u64)), text),
    ]
}

/// How many passages were given up, if any.
fn failed(run: &LiveRun, shared: &Shared) -> Parts {
    let failed = run.tally.as_ref().map_or(0, |tally| tally.failed);
    let text = format!("given up {}", thousands(failed));
    if failed == 0 { Parts::new() } else { vec![(text, shared.palette.style(Role::Warning))] }
}
