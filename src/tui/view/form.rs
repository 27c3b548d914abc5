//! Draws a form: every parameter with its value; below, what the one under the cursor means, and the command line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::overlays::{more, sheet};
use crate::tui::form::{Form, FormField};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::widgets::line::{cut, put, put_field, put_parts, put_right, wrap};

/// Cells of a value at least, whatever stands beside it.
const VALUE: u16 = 28;
/// Lines of what a field means.
const MEANING: usize = 3;

/// Draws a form.
pub(super) fn form(form: &Form, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    let inner = sheet("", area, buffer, palette);
    // At the foot: what the field means, what is wrong with it, and the command line that does the same.
    let command = wrap(&form.command_line(), usize::from(inner.width).saturating_sub(2));
    let command = at_most(&command, 2, usize::from(inner.width).saturating_sub(2), palette);
    let selected = &form.fields()[form.selected()];
    let meaning = wrap(&selected.help(), usize::from(inner.width));
    let meaning = at_most(&meaning, MEANING, usize::from(inner.width), palette);
    let below = (command.len() + meaning.len() + 3) as u16;
    let height = usize::from(inner.height.saturating_sub(below).max(1));
    let mut top = form.top.get().min(form.fields().len().saturating_sub(height));
    if form.selected() < top {
        top = form.selected();
    } else if form.selected() >= top + height {
        top = form.selected() + 1 - height;
    }
    form.top.set(top);
    let column = form.fields().iter().map(|field| field.name.len()).max().unwrap_or(0) as u16 + 4;
    for (at, field) in form.fields().iter().enumerate().skip(top).take(height) {
        let y = inner.y + (at - top) as u16;
        let here = at == form.selected();
        let pointer = if here { palette.glyph(Glyph::Pointer) } else { " " };
        let style = palette.style(if here { Role::Accent } else { Role::Text });
        put(buffer, inner.x, y, column, &format!("{pointer} {}", field.name), style, palette);
        let x = inner.x + column;
        let width = inner.right().saturating_sub(x);
        let note = match &field.problem {
            Some(_) => format!("{} wrong", palette.glyph(Glyph::Failed)),
            None if field.changed() && field.choices().is_none() => {
                let default = if field.default.is_empty() { "unset" } else { &field.default };
                format!("default {default}")
            }
            None => String::new(),
        };
        // A value gets what room there is: paths and addresses are long.
        let beside = if note.is_empty() { 0 } else { note.width() as u16 + 2 };
        let value = width.saturating_sub(beside).max(VALUE.min(width));
        if let Some(words) = field.choices() {
            choices(field, words, here, Rect { x, y, width, height: 1 }, buffer, palette);
        } else {
            put_field(buffer, x, y, value, &field.field, here, palette);
            if field.field.is_empty() && !here {
                put(buffer, x, y, value, "(unset)", palette.style(Role::Dim), palette);
            }
        }
        let style = palette.style(if field.problem.is_some() { Role::Warning } else { Role::Dim });
        put_right(buffer, inner.right(), y, width.saturating_sub(value), &note, style, palette);
    }
    let mut y = inner.bottom().saturating_sub(below) + 1;
    for line in &meaning {
        put(buffer, inner.x, y, inner.width, line, palette.style(Role::Text), palette);
        y += 1;
    }
    if let Some(problem) = &selected.problem {
        put(buffer, inner.x, y, inner.width, problem, palette.style(Role::Warning), palette);
    }
    y += 1;
    for (at, line) in command.iter().enumerate() {
        let mark = if at == 0 { "$ " } else { "  " };
        let parts = [(mark, palette.style(Role::Dim)), (line.as_str(), palette.style(Role::Dim))];
        put_parts(buffer, inner.x, y, inner.width, &parts, palette);
        y += 1;
    }
    let used = more(form.fields().len(), top, Rect { height: height as u16, ..inner }, buffer, palette);
    let title = format!("{}: {}", form.table().command, form.table().about);
    let room = inner.width.saturating_sub(if used > 0 { used + 3 } else { 0 });
    put(buffer, inner.x, area.y, room, &title, palette.style(Role::Accent), palette);
}

/// The first lines of a text; the last of them shows where it goes on.
fn at_most(lines: &[String], most: usize, width: usize, palette: &Palette) -> Vec<String> {
    let mut shown: Vec<String> = lines.iter().take(most).cloned().collect();
    if let (Some(last), Some(next)) = (shown.last_mut(), lines.get(most)) {
        *last = cut(&format!("{last} {next}"), width, palette);
    }
    shown
}

/// One of a few words: the chosen one stands in brackets.
fn choices(field: &FormField, words: &[&str], here: bool, line: Rect, buffer: &mut Buffer, palette: &Palette) {
    let mut x = line.x;
    for word in words {
        let chosen = *word == field.field.text();
        let text = if chosen { format!("[{word}]") } else { format!(" {word} ") };
        let style = match (chosen, here) {
            (true, true) => palette.style(Role::Cursor),
            (true, false) => palette.style(Role::Title),
            (false, _) => palette.style(Role::Dim),
        };
        x += put(buffer, x, line.y, line.right().saturating_sub(x), &text, style, palette);
    }
    if field.field.is_empty() {
        let room = line.right().saturating_sub(x + 1);
        put(buffer, x + 1, line.y, room, "(unset)", palette.style(Role::Dim), palette);
    }
}
