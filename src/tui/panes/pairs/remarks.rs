//! What is said in words: what to do while there are no pairs, what one should know of those there are, what went wrong.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use super::control::synthesis;
use super::{MAKERS, PairsPane, REVIEW, SYNTHESIS, maker};
use crate::runs::State;
use crate::settings::JobTable;
use crate::tui::keymap::{Action, Context};
use crate::tui::palette::{Glyph, Role};
use crate::tui::shared::{Shared, Version, thousands};
use crate::tui::widgets::line::{put, wrap};
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::pairs::Set;
use crate::workspace::Kind;

/// Lines that a remark may take.
const LINES: usize = 2;
/// Lines of what went wrong: it ends with what to do.
const FAILURE: usize = 6;

/// What each of the jobs that make pairs makes them of.
const WAYS: [(&str, &str); 3] = [
    (MAKERS[0], "from titles, headings and sentences"),
    (SYNTHESIS, "from what a local language model asks"),
    (MAKERS[1], "from a file of your own"),
];

/// What stands there while there is no set.
pub(super) fn nothing(pane: &PairsPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let key = shared.keymap.key(Context::Pairs, Action::New).unwrap_or_default();
    let dim = palette.style(Role::Dim);
    let mut lines: Vec<(String, Style)> = Vec::new();
    if let Some((pairs, problem)) = &pane.problem {
        let other = shared.keymap.key(Context::Pairs, Action::Tokenizer).unwrap_or_default();
        let text = format!("{} {pairs} cannot be read: {problem}", palette.glyph(Glyph::Failed));
        lines.push((text, palette.style(Role::Warning)));
        lines.push((format!("{other} shows another set, {key} makes one"), dim));
    } else if let Some(asked) = &pane.asked {
        lines.push((format!("reading {asked} {}", palette.glyph(Glyph::Ellipsis)), dim));
    } else if !shared.artifacts.read {
        lines.push((format!("reading the workspace {}", palette.glyph(Glyph::Ellipsis)), dim));
    } else {
        lines.push(("No pairs yet: questions with the passages that answer them.".to_owned(), Style::new()));
        lines.push((String::new(), dim));
        lines.push((format!("{key} makes them, as these commands do:"), Style::new()));
        for (job, what) in WAYS {
            lines.push((format!("{:<28} {what}", command(job)), dim));
        }
    }
    let gone_wrong = failure(pane, shared).map(|text| (text, palette.style(Role::Warning)));
    if let Some(said) = gone_wrong.or_else(|| stopped(pane, shared).map(|text| (text, Style::new()))) {
        lines.extend([(String::new(), dim), said]);
    }
    let mut y = area.y + 1;
    for (text, style) in lines {
        let text = visible(&text, palette);
        let fits = text.width() <= usize::from(area.width);
        for line in if fits { vec![text.into_owned()] } else { wrap(&text, usize::from(area.width)) } {
            if y < area.bottom() {
                put(buffer, area.x, y, area.width, &line, style, palette);
            }
            y += 1;
        }
    }
}

/// Draws what one should know about the set before believing it. Returns the lines used.
pub(super) fn draw(pane: &PairsPane, set: &Set, area: Rect, buffer: &mut Buffer, shared: &Shared) -> u16 {
    let palette = &shared.palette;
    let (mut text, mut role) = (failure(pane, shared), Role::Warning);
    let most = if text.is_some() { FAILURE.min(usize::from(area.height / 3)) } else { LINES };
    if text.is_none() && set.damage.count > 0 {
        let first = set.damage.named.first().map_or("", String::as_str);
        let more = match set.damage.count - 1 {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let health = shared.keymap.key(Context::Pairs, Action::Health).unwrap_or_default();
        text = Some(format!("skipped {first}{more}; {health} names them"));
    }
    let version = pane.version(shared);
    if text.is_none() && version.is_some_and(|version| version.stale) {
        let command = version.map(|version| remade_by(version, shared)).unwrap_or_default();
        text = Some(format!(
            "of other documents: made from {}, which were read again since; `{command}` makes them anew",
            set.corpus
        ));
    }
    if text.is_none()
        && let Some(newest) = shared.artifacts.pairs.first()
        && newest.reference != set.reference
    {
        let key = shared.keymap.key(Context::Pairs, Action::Tokenizer).unwrap_or_default();
        (text, role) = (Some(format!("{} is newer; {key} shows it", newest.reference)), Role::Dim);
    }
    if text.is_none() && maker(shared).is_some() {
        let key = shared.keymap.key(Context::Pairs, Action::Follow).unwrap_or_default();
        (text, role) = (Some(format!("{}; {key} watches it", at_work(shared))), Role::Dim);
    }
    if text.is_none() {
        (text, role) = (stopped(pane, shared), Role::Dim);
    }
    let Some(text) = text else { return 0 };
    let lines = wrap(&visible(&text, palette), usize::from(area.width));
    for (at, line) in lines.iter().take(most).enumerate() {
        put(buffer, area.x, area.y + at as u16, area.width, line, palette.style(role), palette);
    }
    lines.len().min(most) as u16
}

/// The command that makes a set anew from the documents as they are: that of its first version, where it was reviewed.
fn remade_by(version: &Version, shared: &Shared) -> String {
    let mut first = version;
    // Versions that name each other in a circle must not hang the screen.
    for _ in 0..shared.artifacts.pairs.len() {
        let before = first.inputs.iter().find(|input| input.role == "pairs");
        let Some(before) = before.and_then(|input| shared.artifacts.find(Kind::Pairs, &input.reference)) else { break };
        first = before;
    }
    if first.job == "corpus" { "lapidary corpus refresh".to_owned() } else { command(&first.job) }
}

/// The command line of a job that makes pairs.
fn command(job: &str) -> String {
    let Some(table) = JobTable::find(job) else { return "lapidary pairs structural".to_owned() };
    let file = if table.operands.iter().any(|operand| operand.required) { " FILE" } else { "" };
    format!("lapidary {}{file}", table.command)
}

/// What the job that makes pairs is doing, beside a set that is shown meanwhile.
fn at_work(shared: &Shared) -> String {
    let Some(run) = synthesis(shared) else { return "a job makes pairs".to_owned() };
    let who = run.model.as_deref().unwrap_or("a language model");
    let at = match &run.progress {
        Some((done, Some(total), unit)) => format!(", {} of {} {unit}", thousands(*done), thousands(*total)),
        _ => String::new(),
    };
    let waits = if run.tally.as_ref().is_some_and(|tally| tally.paused) { ": PAUSED" } else { "" };
    format!("{who} makes pairs{at}{waits}")
}

/// Where a synthesis stopped that can go on, unless pairs were made since.
fn stopped(pane: &PairsPane, shared: &Shared) -> Option<String> {
    let last = shared.runs.of(&MAKERS).next()?;
    let made = pane.version(shared).map_or(0, |version| version.made_ms);
    if last.job != SYNTHESIS || last.state != State::Stopped || last.created_unix_ms <= made {
        return None;
    }
    let at = match &last.progress {
        Some((done, Some(total), unit)) => format!(" at {} of {} {unit}", thousands(*done), thousands(*total)),
        _ => String::new(),
    };
    let resume = shared.keymap.key(Context::Runs, Action::Resume).unwrap_or_default();
    let runs = shared.keymap.key(Context::Everywhere, Action::PaneRuns).unwrap_or_default();
    Some(format!("a synthesis stopped{at}: {resume} in pane {runs} goes on with it"))
}

/// What the last job about pairs died of, unless pairs were made since.
fn failure(pane: &PairsPane, shared: &Shared) -> Option<String> {
    let jobs = [MAKERS[0], MAKERS[1], MAKERS[2], REVIEW];
    let last = shared.runs.of(&jobs).next()?;
    let made = pane.version(shared).map_or(0, |version| version.made_ms);
    if !matches!(last.state, State::Failed | State::Crashed) || last.created_unix_ms <= made {
        return None;
    }
    let why = last.error.as_deref().unwrap_or("it is gone without a word; its log may tell (pane 6)");
    Some(format!("{} {} {}: {why}", shared.palette.glyph(Glyph::Failed), last.job, last.state.word()))
}
