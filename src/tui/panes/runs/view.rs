//! Draws pane 6.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{ORDERS, RunsPane, made};
use crate::runs::{State, Status};
use crate::tui::keymap::{Action, Context};
use crate::tui::live::Gravity;
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::{Shared, span, thousands};
use crate::tui::widgets::line::{put, put_field, put_parts, put_right, wrap};
use crate::tui::widgets::symbols::visible;

/// Lines that the run under the cursor gets, where the screen is tall enough.
const DETAIL: u16 = 9;

pub(super) fn view(pane: &RunsPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let (x, width) = (area.x + 1, area.width.saturating_sub(2));
    let living = shared.runs.living().count();
    let said = format!("{} in all, {living} alive", thousands(shared.runs.all.len() as u64));
    let order = format!("by {} {}", ORDERS[pane.list.sort], palette.glyph(Glyph::Down));
    let parts = [("RUNS  ", palette.style(Role::Title)), (&*said, palette.style(Role::Dim))];
    put_parts(buffer, x, area.y, width, &parts, palette);
    put_right(buffer, area.right() - 1, area.y, 20, &order, palette.style(Role::Dim), palette);
    let mut y = area.y + 1;
    if pane.list.filtering || !pane.list.filter.is_empty() {
        put(buffer, x, y, 1, "/", palette.style(Role::Dim), palette);
        put_field(buffer, x + 1, y, width - 1, &pane.list.filter, pane.list.filtering, palette);
        y += 1;
    }
    let detail = if area.height >= 16 { DETAIL } else { 0 };
    let height = usize::from(area.bottom().saturating_sub(y + detail));
    if pane.list.is_empty() {
        let key = shared.keymap.key(Context::Runs, Action::New).unwrap_or_default();
        let text = match (shared.runs.read, pane.list.filter.is_empty()) {
            (false, _) => "reading the runs…".to_owned(),
            (true, true) => format!("Nothing was started here yet. {key} starts a job: it goes on when you leave."),
            (true, false) => "no run passes the filter; esc clears it".to_owned(),
        };
        put(buffer, x, y + 1, width, &text, palette.style(Role::Dim), palette);
        return;
    }
    for (at, place) in pane.list.window(height).enumerate() {
        let status = &shared.runs.all[pane.list.row(place)];
        let line = Rect { x: area.x, y: y + at as u16, width: area.width, height: 1 };
        row(status, place == pane.list.position(), line, buffer, shared);
    }
    if detail > 0 {
        let place = Rect { y: area.bottom() - detail, height: detail, ..area };
        self::detail(pane, place, buffer, shared);
    }
}

/// The mark of a state.
pub(super) fn mark(state: State, palette: &Palette) -> &'static str {
    palette.glyph(match state {
        State::Running => Glyph::Running,
        State::Queued => Glyph::Queued,
        State::Finished => Glyph::Done,
        State::Failed | State::Crashed => Glyph::Failed,
        State::Stopped => Glyph::Stopped,
    })
}

fn row(status: &Status, here: bool, line: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let style = palette.style(if here { Role::Cursor } else { Role::Text });
    if here {
        for x in line.left()..line.right() {
            buffer[(x, line.y)].set_style(style);
        }
    }
    let tinted = |role: Role| if here { style } else { palette.style(role) };
    let role = match status.state {
        State::Running | State::Queued => Role::Accent,
        State::Failed | State::Crashed => Role::Warning,
        State::Finished | State::Stopped => Role::Text,
    };
    let end = line.right().saturating_sub(1);
    let mut x = line.x + 1;
    let mut cell = |x: &mut u16, cells: u16, text: &str, style| {
        put(buffer, *x, line.y, cells.min(end.saturating_sub(*x)), text, style, palette);
        *x = (*x + cells + 1).min(end);
    };
    if let Some(problem) = &status.problem {
        cell(&mut x, 1, palette.glyph(Glyph::Failed), tinted(Role::Warning));
        let text = format!("{}: {}", status.id, visible(problem, palette));
        let rest = end.saturating_sub(x);
        cell(&mut x, rest, &text, tinted(Role::Warning));
        return;
    }
    cell(&mut x, 1, mark(status.state, palette), tinted(role));
    let wide = line.width >= 100;
    cell(&mut x, if wide { 17 } else { 12 }, &status.job, style);
    cell(&mut x, if wide { 20 } else { 14 }, &visible(&made(status), palette), style);
    let word = if status.stalled { "stalled" } else { status.state.word() };
    cell(&mut x, 9, word, tinted(role));
    let rest = end.saturating_sub(x);
    cell(&mut x, rest, &happening(status, shared), tinted(Role::Dim));
}

/// How far it is, what went wrong, or when it was.
fn happening(status: &Status, shared: &Shared) -> String {
    let progress = status.progress.as_ref().map(|(done, total, unit)| match total {
        // Steps need no word: the phase beside them has it.
        Some(total) if unit == "steps" => format!("{} of {}", thousands(*done), thousands(*total)),
        Some(total) => format!("{} of {} {unit}", thousands(*done), thousands(*total)),
        None => format!("{} {unit}", thousands(*done)),
    });
    let left = match (&status.progress, status.step_ms) {
        (Some((done, Some(total), unit)), Some(ms)) if unit == "steps" => {
            format!("   {} left", span(total.saturating_sub(*done) as f64 * ms / 1000.0))
        }
        _ => String::new(),
    };
    let phase = visible(&status.phase, &shared.palette);
    let resume = shared.keymap.key(Context::Runs, Action::Resume).unwrap_or_default();
    let ago = shared.ago(status.created_unix_ms);
    match status.state {
        State::Running if status.stalled => status.description(shared.now_ms),
        State::Running => format!("{phase} {}{left}", progress.unwrap_or_default()),
        State::Queued => "waits for its device".to_owned(),
        State::Finished => ago,
        State::Failed => {
            let error = status.error.as_deref().unwrap_or("it did not say why");
            format!("{resume} resumes it   {}", visible(error, &shared.palette))
        }
        State::Stopped | State::Crashed => {
            let at = progress.map(|progress| format!("at {progress}   ")).unwrap_or_default();
            format!("{resume} resumes it   {at}{ago}")
        }
    }
}

fn detail(pane: &RunsPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let rule = palette.glyph(Glyph::Horizontal).repeat(usize::from(area.width));
    put(buffer, area.x, area.y, area.width, &rule, palette.style(Role::Dim), palette);
    let Some(status) = pane.selected(shared) else { return };
    let (x, width) = (area.x + 1, area.width.saturating_sub(2));
    let on = if status.device.is_empty() { String::new() } else { format!(" on {}", status.device) };
    let title = format!("{}{on}   {}", status.id, status.description(shared.now_ms));
    put(buffer, x, area.y + 1, width, &title, palette.style(Role::Title), palette);
    let Some(live) = shared.runs.live(&status.id) else { return };
    let mut lines: Vec<(String, Role)> = Vec::new();
    for (t, gravity, text) in &live.messages {
        let (mark, role) = match gravity {
            Gravity::Note => ("", Role::Text),
            Gravity::Warning => ("warning: ", Role::Warning),
            Gravity::Error => ("error: ", Role::Warning),
        };
        let text = format!("{}  {mark}{}", shared.time_of_day(*t), visible(text, palette));
        lines.extend(wrap(&text, usize::from(width)).into_iter().map(|line| (line, role)));
    }
    if live.garbage > 0 {
        lines.push((format!("lines of its log that are no events and were left out: {}", live.garbage), Role::Warning));
    }
    if live.more {
        lines.push(("reading its log…".to_owned(), Role::Dim));
    }
    let room = usize::from(area.height.saturating_sub(2));
    for (at, (line, role)) in lines[lines.len().saturating_sub(room)..].iter().enumerate() {
        put(buffer, x, area.y + 2 + at as u16, width, line, palette.style(*role), palette);
    }
}
