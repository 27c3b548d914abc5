//! Draws what lies over a pane: help, texts, choices.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget as _};
use unicode_width::UnicodeWidthStr as _;

use crate::tui::keymap::Context;
use crate::tui::model::Model;
use crate::tui::overlay::{Choice, Scroll};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::widgets::line::{put, put_right, wrap};

/// Clears a place for an overlay and draws its title line. Returns what is left for its content.
pub(super) fn sheet(title: &str, area: Rect, buffer: &mut Buffer, palette: &Palette) -> Rect {
    Clear.render(area, buffer);
    put(buffer, area.x + 1, area.y, area.width.saturating_sub(2), title, palette.style(Role::Accent), palette);
    let rule = palette.glyph(Glyph::Horizontal).repeat(usize::from(area.width));
    put(buffer, area.x, area.y + 1, area.width, &rule, palette.style(Role::Dim), palette);
    Rect { x: area.x + 1, y: area.y + 2, width: area.width.saturating_sub(2), height: area.height.saturating_sub(2) }
}

/// The keys.
pub(super) fn help(model: &Model, scroll: &Scroll, area: Rect, buffer: &mut Buffer) {
    let palette = &model.shared.palette;
    let here = model.pane(model.pane).context();
    let mut rows: Vec<(String, String)> = Vec::new();
    for context in here.layers().iter().copied().chain([Context::Form, Context::Overlay]) {
        let title = match context {
            Context::List => "every list".to_owned(),
            Context::Form => "forms".to_owned(),
            Context::Overlay => "help, logs, choices".to_owned(),
            other => other.name().to_owned(),
        };
        rows.push((title, String::new()));
        rows.extend(
            model.shared.keymap.help(context).into_iter().map(|(keys, help)| (format!("  {keys}"), help.to_owned())),
        );
        rows.push((String::new(), String::new()));
    }
    let inner = sheet("Keys: the config file can change each of them (`lapidary keys`)", area, buffer, palette);
    let top = scroll.place(rows.len(), usize::from(inner.height));
    for (line, (keys, help)) in rows.iter().skip(top).take(usize::from(inner.height)).enumerate() {
        let y = inner.y + line as u16;
        let style = palette.style(if help.is_empty() { Role::Title } else { Role::Key });
        put(buffer, inner.x, y, 24.min(inner.width), keys, style, palette);
        put(buffer, inner.x + 24, y, inner.width.saturating_sub(24), help, palette.style(Role::Text), palette);
    }
    more(rows.len(), top, inner, buffer, palette);
}

/// A text to read.
pub(super) fn text(title: &str, lines: &[String], scroll: &Scroll, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    let inner = sheet(title, area, buffer, palette);
    let wrapped: Vec<String> = lines.iter().flat_map(|line| wrap_indented(line, usize::from(inner.width))).collect();
    let top = scroll.place(wrapped.len(), usize::from(inner.height));
    for (at, line) in wrapped.iter().skip(top).take(usize::from(inner.height)).enumerate() {
        put(buffer, inner.x, inner.y + at as u16, inner.width, line, palette.style(Role::Text), palette);
    }
    more(wrapped.len(), top, inner, buffer, palette);
}

/// Wraps a line that may be a row of a table: what fits stays as it is, spaces and all.
fn wrap_indented(line: &str, width: usize) -> Vec<String> {
    if line.width() <= width { vec![line.to_owned()] } else { wrap(line, width) }
}

/// Says how much lies above and below, at the right of the title line. Returns the cells used.
pub(super) fn more(lines: usize, top: usize, inner: Rect, buffer: &mut Buffer, palette: &Palette) -> u16 {
    let below = lines.saturating_sub(top + usize::from(inner.height));
    if top == 0 && below == 0 {
        return 0;
    }
    let text = format!("{top} above, {below} below");
    put_right(buffer, inner.right(), inner.y.saturating_sub(2), 30, &text, palette.style(Role::Dim), palette)
}

/// A choice.
pub(super) fn choice(choice: &Choice, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    let inner = sheet(&choice.title, area, buffer, palette);
    let height = usize::from(inner.height);
    let top = choice.scroll.place(choice.rows.len(), height);
    let top = if choice.selected < top {
        choice.selected
    } else if choice.selected >= top + height {
        choice.selected + 1 - height
    } else {
        top
    };
    choice.scroll.top.set(top);
    if choice.rows.is_empty() {
        put(buffer, inner.x, inner.y, inner.width, "nothing to choose from", palette.style(Role::Dim), palette);
    }
    for (at, (_, label)) in choice.rows.iter().enumerate().skip(top).take(height) {
        let y = inner.y + (at - top) as u16;
        let here = at == choice.selected;
        let pointer = if here { palette.glyph(Glyph::Pointer) } else { " " };
        let mark = match choice.marked.get(at) {
            Some(true) => "[x] ",
            Some(false) => "[ ] ",
            None => "",
        };
        let style = palette.style(if here { Role::Cursor } else { Role::Text });
        put(buffer, inner.x, y, inner.width, &format!("{pointer} {mark}{label}"), style, palette);
    }
    if !choice.marked.is_empty() {
        put_right(buffer, inner.right(), area.y, 30, "space marks, enter takes", palette.style(Role::Dim), palette);
    }
}
