//! What was measured on all test questions: the verdict in sentences, then the table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::ComparePane;
use super::view::short;
use crate::tui::keymap::{Action, Context};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::{Shared, thousands};
use crate::tui::widgets::line::{cut, put, put_parts, put_right, wrap};
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::compare::{Delta, Fell, Findings, Judged, System, SystemKind};
use crate::workspace::Kind;

/// The numbers of the table: name, width, and what it is of a system.
type Column = (&'static str, u16, fn(&System) -> f64);

const COLUMNS: [Column; 5] = [
    ("MRR@10", 8, |system| system.metrics.mrr10),
    ("P@1", 7, |system| system.metrics.p1),
    ("P@5", 7, |system| system.metrics.p5),
    ("P@10", 7, |system| system.metrics.p10),
    ("nDCG@10", 9, |system| system.metrics.ndcg10),
];
/// Cells of all numbers.
const NUMBERS: u16 = 38;
/// Cells of a difference to the base.
const DELTA: u16 = 8;
/// Cells of what a difference is worth: against whom, interval, p, won, same, lost.
const WORTH: [u16; 4] = [8, 18, 9, 15];
/// Cells of a system's name: at least, and at most.
const NAME: (u16, u16) = (14, 30);

/// The lines that are wanted.
pub(super) fn height(pane: &ComparePane, width: u16, shared: &Shared) -> u16 {
    let rows = pane.findings().map_or(0, |judged| judged.findings.systems.len() as u16 + 1);
    1 + sentences(pane, width, shared).len() as u16 + rows
}

/// Draws a rule that says what was measured, the sentences, and as much of the table as fits.
pub(super) fn draw(pane: &ComparePane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    if area.height == 0 {
        return;
    }
    let palette = &shared.palette;
    rule(pane, Rect { height: 1, ..area }, buffer, shared);
    let sentences = sentences(pane, area.width, shared);
    let shown = sentences.len().min(usize::from(area.height - 1));
    for (at, line) in sentences.iter().take(shown).enumerate() {
        let (y, width) = (area.y + 1 + at as u16, area.width.saturating_sub(2));
        let indent = line.mark.map_or(0, |(mark, role)| {
            put(buffer, area.x + 1, y, 1, mark, palette.style(role), palette);
            2
        });
        put(buffer, area.x + 1 + indent, y, width - indent, &line.text, palette.style(line.role), palette);
    }
    let Some(judged) = pane.findings() else { return };
    let above = 1 + shown as u16;
    let left = area.height - above;
    // A line of air, where there is one to spare.
    let gap = u16::from(usize::from(left) > judged.findings.systems.len() + 1);
    let area = Rect { y: area.y + above + gap, height: left - gap, ..area };
    table(&judged.findings, area, buffer, palette);
}

/// The rule between the columns and what was measured: which questions, how often they were looked at, when.
fn rule(pane: &ComparePane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let line = palette.glyph(Glyph::Horizontal).repeat(usize::from(area.width));
    put(buffer, area.x, area.y, area.width, &line, palette.style(Role::Dim), palette);
    let mut right = area.right().saturating_sub(2);
    if let Some(text) = running(shared) {
        let text = format!(" {text} ");
        let room = area.width.saturating_sub(6);
        right -= put_right(buffer, right, area.y, room, &text, palette.style(Role::Accent), palette) + 1;
    }
    let Some(judged) = pane.findings() else { return };
    let findings = &judged.findings;
    let made = if findings.synthetic { "synthetic questions" } else { "questions of your own" };
    let version = shared.artifacts.find(Kind::Evaluation, &judged.reference);
    // Others may have looked since.
    let since = shared.artifacts.find(Kind::Questions, &findings.questions).map_or(0, |questions| questions.looks);
    let looks = match findings.looks.max(since) {
        1 => "looked at once".to_owned(),
        looks => format!("looked at {looks} times"),
    };
    let mut parts = vec![
        judged.reference.clone(),
        format!("{} {made}", thousands(findings.queries as u64)),
        looks,
        format!("{} passages", thousands(findings.passages as u64)),
    ];
    parts.extend(version.map(|version| shared.ago(version.made_ms)));
    let dot = if palette.glyph(Glyph::Dot) == "·" { " · " } else { ", " };
    // What does not fit is left out whole, the last first.
    let room = usize::from(right.saturating_sub(area.x + 4));
    while parts.len() > 1 && parts.join(dot).width() > room {
        parts.pop();
    }
    let text = cut(&visible(&parts.join(dot), palette), room, palette);
    put(buffer, area.x + 1, area.y, area.width, &format!(" {text} "), palette.style(Role::Dim), palette);
}

/// The evaluation that runs now, and how far it is.
fn running(shared: &Shared) -> Option<String> {
    let run = shared.runs.of(&["evaluate"]).find(|run| run.state.is_live())?;
    let share = run.progress.as_ref().and_then(|(done, total, _)| {
        let total = (*total)?.max(1);
        Some(format!(" {} %", done * 100 / total))
    });
    let phase = if run.phase.is_empty() { run.state.word() } else { run.phase.as_str() };
    let phase = visible(phase, &shared.palette).into_owned();
    Some(format!("{} judging: {phase}{}", shared.palette.glyph(Glyph::Running), share.unwrap_or_default()))
}

/// A line of the sentences.
struct Line {
    /// What stands before it; a blank keeps its place on the lines below.
    mark: Option<(&'static str, Role)>,
    text: String,
    role: Role,
}

/// The sentences, wrapped.
fn sentences(pane: &ComparePane, width: u16, shared: &Shared) -> Vec<Line> {
    let room = usize::from(width.saturating_sub(2));
    let palette = &shared.palette;
    let key = shared.keymap.key(Context::Compare, Action::New).unwrap_or_default();
    let mut lines = Vec::new();
    let mut say = |text: &str, role: Role| {
        let wrapped = wrap(&visible(text, palette), room).into_iter();
        lines.extend(wrapped.map(|text| Line { mark: None, text, role }));
    };
    match &pane.judged {
        Some(Ok(judged)) => {
            if shared.artifacts.find(Kind::Evaluation, &judged.reference).is_some_and(|version| version.stale) {
                let text = format!("The documents changed since this was measured: {key} judges the models anew.");
                say(&text, Role::Warning);
            }
            // The way it fell is in the words; the mark lets the eye find it.
            let mark = match judged.verdict.answer {
                Fell::Better => (palette.glyph(Glyph::Up), Role::Good),
                Fell::Worse => (palette.glyph(Glyph::Fall), Role::Bad),
                Fell::Undecided => (palette.glyph(Glyph::Dot), Role::Dim),
            };
            let wrapped = wrap(&visible(&judged.verdict.text, palette), room.saturating_sub(2));
            lines.extend(wrapped.into_iter().enumerate().map(|(at, text)| Line {
                mark: Some(if at == 0 { mark } else { (" ", Role::Dim) }),
                text,
                role: Role::Text,
            }));
            if let Some(ladder) = &judged.findings.ladder {
                let key = shared.keymap.key(Context::Compare, Action::Ladder).unwrap_or_default();
                for text in
                    wrap(&visible(&format!("{} {key} shows each vocabulary.", ladder.recommendation), palette), room)
                {
                    lines.push(Line { mark: None, text, role: Role::Text });
                }
            }
        }
        Some(Err(problem)) => say(&format!("The newest evaluation cannot be read: {problem}"), Role::Warning),
        None if running(shared).is_some() => say("The models are being judged.", Role::Dim),
        None => say(&format!("Nothing was judged yet: {key} asks the models the held-out questions."), Role::Dim),
    }
    lines
}

/// The systems to show in so many lines: where not all fit, the second rankings by words and by both go first.
fn shown(findings: &Findings, lines: usize) -> Vec<&System> {
    let mut systems: Vec<&System> = findings.systems.iter().collect();
    for kind in [SystemKind::Fusion, SystemKind::Bm25] {
        while systems.len() > lines {
            let mut of = systems.iter().enumerate().filter(|(_, system)| system.kind == kind).map(|(at, _)| at);
            let second = of.next().and(of.next_back());
            let Some(at) = second else { break };
            systems.remove(at);
        }
    }
    systems.truncate(lines);
    systems
}

/// What a system is called in the table: what it is to the sentences, then its name.
fn label(findings: &Findings, system: &System) -> String {
    let word = |kind| if kind == SystemKind::Tuned { "tuned" } else { "base" };
    match system.kind {
        SystemKind::Base | SystemKind::Tuned => format!("{}: {}", word(system.kind), short(&system.name)),
        SystemKind::Bm25 => system.name.clone(),
        SystemKind::Fusion => {
            let model = findings.systems.iter().find(|it| Some(&it.name) == system.model.as_ref());
            let how = if system.name.ends_with(", ranks") { ", ranks" } else { "" };
            model.map_or_else(|| short(&system.name), |model| format!("BM25 + {}{how}", word(model.kind)))
        }
    }
}

/// The difference of a system that a reader asks for: tuned against base, others against the model.
fn worth(findings: &Findings, system: &System) -> Option<Delta> {
    if system.kind == SystemKind::Base {
        return None;
    }
    let base = findings.of_kind(SystemKind::Base);
    let model = findings.of_kind(SystemKind::Tuned).or(base);
    let against = if system.kind == SystemKind::Tuned { base } else { model };
    findings.delta(&system.name, &against?.name)
}

fn table(findings: &Findings, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    if area.height < 2 {
        return;
    }
    let systems = shown(findings, usize::from(area.height) - 1);
    let base = findings.of_kind(SystemKind::Base);
    let best = systems.iter().map(|system| system.metrics.mrr10).fold(f64::MIN, f64::max);
    let longest = systems.iter().map(|system| label(findings, system).width() as u16).max().unwrap_or(0);
    let width = area.width.saturating_sub(2);
    // What a difference is worth: all of it, or as many of its columns as fit.
    let mut beside = WORTH.len();
    let fixed = |beside: usize| NUMBERS + DELTA + WORTH[..beside].iter().sum::<u16>();
    while beside > 0 && fixed(beside) + NAME.0.max(longest.min(20)) > width {
        beside -= 1;
    }
    if beside == 1 {
        beside = 0;
    }
    let name = longest.clamp(NAME.0, NAME.1).min(width.saturating_sub(fixed(beside)).max(NAME.0));
    let dim = palette.style(Role::Dim);
    let x = area.x + 1;
    let right = area.right();
    let put_number = |buffer: &mut Buffer, end: u16, y: u16, text: &str, role: Role| {
        if end <= right {
            put_right(buffer, end, y, 20, text, palette.style(role), palette);
        }
    };
    // The names of the columns.
    put(buffer, x, area.y, name, "system", dim, palette);
    let mut end = x + name;
    for (at, (label, width, _)) in COLUMNS.iter().enumerate() {
        end += width;
        put_number(buffer, end, area.y, label, Role::Dim);
        if at == 0 {
            end += DELTA;
            put_number(buffer, end, area.y, "to base", Role::Dim);
        }
    }
    for (at, label) in ["vs", "95 %", "p", "won same lost"].iter().take(beside).enumerate() {
        if at == 0 {
            put(buffer, end + 3, area.y, WORTH[0], label, dim, palette);
        }
        end += WORTH[at];
        if at > 0 {
            put_number(buffer, end, area.y, label, Role::Dim);
        }
    }
    for (line, system) in systems.iter().enumerate() {
        let y = area.y + 1 + line as u16;
        let top = system.metrics.mrr10 == best;
        let shown = cut(&visible(&label(findings, system), palette), usize::from(name), palette);
        put(buffer, x, y, name, &shown, palette.style(if top { Role::Title } else { Role::Text }), palette);
        let mut end = x + name;
        for (at, (_, width, of)) in COLUMNS.iter().enumerate() {
            end += width;
            let role = if at == 0 && top { Role::Title } else { Role::Text };
            put_number(buffer, end, y, &format!("{:.3}", of(system)), role);
            if at > 0 {
                continue;
            }
            end += DELTA;
            if let Some(base) = base.filter(|base| base.name != system.name) {
                let delta = system.metrics.mrr10 - base.metrics.mrr10;
                let role = if delta > 0.0 { Role::Good } else { Role::Bad };
                put_number(buffer, end, y, &signed(delta), if signed(delta) == "0.000" { Role::Dim } else { role });
            }
        }
        let Some(delta) = worth(findings, system) else { continue };
        let of = findings.systems.iter().find(|system| system.name == delta.b);
        let against =
            of.map_or("", |system| if system.kind == SystemKind::Tuned { "tuned" } else { "base" }).to_owned();
        let texts = [
            against,
            format!("{} to {}", signed(delta.ci95[0]), signed(delta.ci95[1])),
            if delta.p_value < 0.0001 { "<0.0001".to_owned() } else { format!("{:.4}", delta.p_value) },
            format!("{:>3} {:>4} {:>4}", delta.wins, delta.ties, delta.losses),
        ];
        for (at, text) in texts.iter().take(beside).enumerate() {
            if at == 0 {
                put_parts(buffer, end + 3, y, WORTH[0], &[(text.as_str(), dim)], palette);
            }
            end += WORTH[at];
            if at > 0 {
                put_number(buffer, end, y, text, Role::Text);
            }
        }
    }
}

/// A difference with its sign; none where it rounds to nothing.
fn signed(value: f64) -> String {
    let text = format!("{value:+.3}");
    if text.ends_with("0.000") { "0.000".to_owned() } else { text }
}

/// The evaluation, for the clipboard.
pub(super) fn copied(judged: &Judged) -> String {
    let findings = &judged.findings;
    let mut text =
        format!("{}\n{}\n\nsystem\tMRR@10\tP@1\tP@5\tP@10\tnDCG@10\n", judged.reference, judged.verdict.text);
    for system in &findings.systems {
        text.push_str(&system.name);
        for (_, _, of) in COLUMNS {
            text.push_str(&format!("\t{:.3}", of(system)));
        }
        text.push('\n');
    }
    text
}
