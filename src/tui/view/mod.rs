//! Draws the model: head, pane, foot, and what lies over them.

mod form;
mod overlays;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget as _};
use unicode_width::UnicodeWidthStr as _;

use super::keymap::{Action, Context, Keymap};
use super::model::{Model, PaneId};
use super::overlay::Overlay;
use super::palette::{Glyph, Palette, Role};
use super::widgets::line::{cut, put, put_parts, put_right, wrap};

/// Below this many columns or rows there is only a message.
pub const LEAST: (u16, u16) = (40, 10);

/// Draws the whole screen.
pub fn view(model: &Model, area: Rect, buffer: &mut Buffer) {
    let palette = &model.shared.palette;
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("lapidary needs {}x{}; this is {}x{}", LEAST.0, LEAST.1, area.width, area.height);
        for (line, text) in wrap(&text, usize::from(area.width)).iter().enumerate() {
            put(buffer, area.x, area.y + line as u16, area.width, text, palette.style(Role::Text), palette);
        }
        return;
    }
    head(model, Rect { height: 1, ..area }, buffer);
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    model.pane(model.pane).view(body, buffer, &model.shared);
    match &model.overlay {
        None => {}
        Some(Overlay::Help(scroll)) => overlays::help(model, scroll, body, buffer),
        Some(Overlay::Text { title, lines, scroll }) => overlays::text(title, lines, scroll, body, buffer, palette),
        Some(Overlay::Choice(choice)) => overlays::choice(choice, body, buffer, palette),
        Some(Overlay::Form(form)) => form::form(form, body, buffer, palette),
    }
    foot(model, Rect { y: area.bottom() - 1, height: 1, ..area }, buffer);
}

fn head(model: &Model, area: Rect, buffer: &mut Buffer) {
    let palette = &model.shared.palette;
    let mut x = area.x + 1;
    // The name gives way where the tabs need its place.
    if area.width >= 72 {
        x += put(buffer, x, area.y, 9, "lapidary", palette.style(Role::Title), palette) + 2;
    }
    let mut tabs = model.tabs.borrow_mut();
    tabs.clear();
    let narrow = area.width < 60;
    for (at, pane) in PaneId::ALL.iter().enumerate() {
        let open = *pane == model.pane;
        let title = match (open, narrow) {
            // Brackets say it where colour and bold cannot.
            (true, _) => format!("[{} {}]", at + 1, pane.title()),
            (false, true) => format!(" {} ", at + 1),
            (false, false) => format!(" {} {} ", at + 1, pane.title()),
        };
        let style = palette.style(if open { Role::Accent } else { Role::Text });
        let used = put(buffer, x, area.y, area.right().saturating_sub(x), &title, style, palette);
        tabs.push((x, x + used));
        x += used;
    }
    let mut right = area.right().saturating_sub(1);
    let room = |right: u16| right.saturating_sub(x + 1);
    if let Some((count, share)) = model.shared.runs.summary() {
        let share = share.map(|share| format!(" {:.0} %", (share * 100.0).floor())).unwrap_or_default();
        let long = format!("{} {count} run{}{share}", palette.glyph(Glyph::Running), if count == 1 { "" } else { "s" });
        let short = format!("{} {count}", palette.glyph(Glyph::Running));
        let text = if usize::from(room(right)) >= long.width() { long } else { short };
        if usize::from(room(right)) >= text.width() {
            right -= put_right(buffer, right, area.y, room(right), &text, palette.style(Role::Accent), palette) + 3;
        }
    }
    let name = cut(&model.shared.name, 24, palette);
    if usize::from(room(right)) > name.width() {
        put_right(buffer, right, area.y, room(right), &name, palette.style(Role::Dim), palette);
    }
}

fn foot(model: &Model, area: Rect, buffer: &mut Buffer) {
    let palette = &model.shared.palette;
    let (x, width) = (area.x + 1, area.width.saturating_sub(2));
    if let Some(notice) = &model.notice {
        let mark = if notice.wrong { format!("{} ", palette.glyph(Glyph::Failed)) } else { String::new() };
        let style = palette.style(if notice.wrong { Role::Warning } else { Role::Text });
        let text = mark + &notice.text.replace('\n', " ");
        if text.width() <= usize::from(width) {
            put(buffer, x, area.y, width, &text, style, palette);
            return;
        }
        // A long one takes the lines it needs, from the foot upwards.
        above(&text, Rect { y: area.y + 1, ..area }, buffer, style, palette);
        return;
    }
    if let (Some(welcome), None) = (&model.welcome, &model.overlay) {
        above(welcome, area, buffer, palette.style(Role::Accent), palette);
    }
    let context = model.context();
    let help = model.shared.keymap.key(context, Action::Help);
    let tail = help.map(|key| (key, "help"));
    let mut offered = model.shared.keymap.footer(context);
    match &model.overlay {
        None => {
            let pane = model.pane(model.pane);
            offered.retain(|(action, ..)| pane.offers(*action, &model.shared));
        }
        Some(Overlay::Form(_)) => {}
        Some(Overlay::Choice(_)) => offered.retain(|(action, ..)| *action != Action::Copy),
        Some(Overlay::Help(_) | Overlay::Text { .. }) => offered.retain(|(action, ..)| *action != Action::Open),
    }
    let mut offered: Vec<(String, &'static str)> = offered.into_iter().map(|(_, key, label)| (key, label)).collect();
    if let (Some(Overlay::Choice(choice)), Some(first)) = (&model.overlay, offered.first_mut()) {
        first.1 = "move";
        if !choice.marked.is_empty() {
            offered.insert(1, ("space".to_owned(), "mark"));
        }
    }
    keys(&offered, tail, Rect { x, width, ..area }, buffer, palette);
}

/// A text in as many lines as it needs, the last of them just above a place.
fn above(text: &str, area: Rect, buffer: &mut Buffer, style: Style, palette: &Palette) {
    let lines = wrap(text, usize::from(area.width.saturating_sub(2)));
    let lines = &lines[..lines.len().min(usize::from(area.y / 2).max(1))];
    for (at, line) in lines.iter().enumerate() {
        let y = area.y - (lines.len() - at) as u16;
        Clear.render(Rect { x: area.x, y, width: area.width, height: 1 }, buffer);
        put(buffer, area.x + 1, y, area.width.saturating_sub(2), line, style, palette);
    }
}

/// Keys with their words, as many as fit; the last, help, always.
fn keys(
    keys: &[(String, &'static str)],
    tail: Option<(String, &'static str)>,
    area: Rect,
    buffer: &mut Buffer,
    palette: &Palette,
) {
    // A key that has a counterpart stands for both.
    let both = |key: &str| -> String {
        let (utf8, ascii) = match key {
            "up" => ("↑↓", "up/down"),
            "left" => ("←→", "left/right"),
            "down" => ("↑↓", "up/down"),
            "right" => ("←→", "left/right"),
            "[" => ("[ ]", "[ ]"),
            "+" => ("+ −", "+ -"),
            other => return other.to_owned(),
        };
        if palette.braille() { utf8.to_owned() } else { ascii.to_owned() }
    };
    let reserved = tail.as_ref().map_or(0, |(key, label)| key.width() + label.width() + 1);
    let mut x = area.x;
    for (key, label) in keys.iter().filter(|(_, label)| *label != "help") {
        let key = both(key);
        let needed = key.width() + 1 + label.width() + 3;
        if usize::from(x - area.x) + needed + reserved > usize::from(area.width) {
            break;
        }
        let parts = [
            (key.as_str(), palette.style(Role::Key)),
            (" ", palette.style(Role::Dim)),
            (label, palette.style(Role::Dim)),
        ];
        x += put_parts(buffer, x, area.y, area.right() - x, &parts, palette) + 3;
    }
    if let Some((key, label)) = tail {
        let parts = [
            (key.as_str(), palette.style(Role::Key)),
            (" ", palette.style(Role::Dim)),
            (label, palette.style(Role::Dim)),
        ];
        put_parts(buffer, x, area.y, area.right().saturating_sub(x), &parts, palette);
    }
}

/// The keys, for `lapidary keys` and the documentation.
pub fn keys_text(keymap: &Keymap) -> String {
    let mut text = String::new();
    for context in Context::ALL {
        text.push_str(&format!("[keys.{}]\n", context.name()));
        for (_, action, keys, help) in keymap.rows().filter(|(of, ..)| *of == context) {
            let keys = keys.iter().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", ");
            text.push_str(&format!("{:<18} = [{keys}]  # {help}\n", action.name()));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
