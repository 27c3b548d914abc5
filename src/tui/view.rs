//! Draws the model: head, pane, foot, and what lies over them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget as _};
use unicode_width::UnicodeWidthStr as _;

use super::form::Form;
use super::keymap::{Context, Keymap};
use super::model::{Model, PaneId};
use super::overlay::{Choice, Overlay, Scroll};
use super::palette::{Glyph, Palette, Role};
use super::widgets::line::{cut, put, put_field, put_parts, put_right, wrap};

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
        Some(Overlay::Help(scroll)) => help(model, scroll, body, buffer),
        Some(Overlay::Text { title, lines, scroll }) => text(title, lines, scroll, body, buffer, palette),
        Some(Overlay::Choice(choice)) => self::choice(choice, body, buffer, palette),
        Some(Overlay::Form(form)) => self::form(form, body, buffer, palette),
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
        let lines = wrap(&text, usize::from(width));
        let lines = &lines[..lines.len().min(usize::from(area.y / 2).max(1))];
        for (at, line) in lines.iter().enumerate() {
            let y = area.bottom() - (lines.len() - at) as u16;
            Clear.render(Rect { x: area.x, y, width: area.width, height: 1 }, buffer);
            put(buffer, x, y, width, line, style, palette);
        }
        return;
    }
    if let (Some(welcome), None) = (&model.welcome, &model.overlay) {
        put(buffer, x, area.y, width, welcome, palette.style(Role::Accent), palette);
        return;
    }
    let context = model.context();
    let help = model.shared.keymap.key(context, super::keymap::Action::Help);
    let tail = help.map(|key| (key, "help"));
    keys(&model.shared.keymap.footer(context), tail, Rect { x, width, ..area }, buffer, palette);
}

/// Keys with their words, as many as fit; the last, help, always.
fn keys(
    keys: &[(String, &'static str)],
    tail: Option<(String, &'static str)>,
    area: Rect,
    buffer: &mut Buffer,
    palette: &Palette,
) {
    let arrow = |key: &str| -> String {
        let (utf8, ascii) = match key {
            "up" => ("↑↓", "up/down"),
            "left" => ("←→", "left/right"),
            "down" => ("↑↓", "up/down"),
            "right" => ("←→", "left/right"),
            other => return other.to_owned(),
        };
        if palette.braille() { utf8.to_owned() } else { ascii.to_owned() }
    };
    let reserved = tail.as_ref().map_or(0, |(key, label)| key.width() + label.width() + 1);
    let mut x = area.x;
    for (key, label) in keys.iter().filter(|(_, label)| *label != "help") {
        let key = arrow(key);
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

/// Clears a place for an overlay and draws its title line. Returns what is left for its content.
fn sheet(title: &str, area: Rect, buffer: &mut Buffer, palette: &Palette) -> Rect {
    Clear.render(area, buffer);
    put(buffer, area.x + 1, area.y, area.width.saturating_sub(2), title, palette.style(Role::Accent), palette);
    let rule = palette.glyph(Glyph::Horizontal).repeat(usize::from(area.width));
    put(buffer, area.x, area.y + 1, area.width, &rule, palette.style(Role::Dim), palette);
    Rect { x: area.x + 1, y: area.y + 2, width: area.width.saturating_sub(2), height: area.height.saturating_sub(2) }
}

fn help(model: &Model, scroll: &Scroll, area: Rect, buffer: &mut Buffer) {
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

fn text(title: &str, lines: &[String], scroll: &Scroll, area: Rect, buffer: &mut Buffer, palette: &Palette) {
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

/// Says how much lies above and below, at the right of the title line.
fn more(lines: usize, top: usize, inner: Rect, buffer: &mut Buffer, palette: &Palette) {
    let below = lines.saturating_sub(top + usize::from(inner.height));
    if top == 0 && below == 0 {
        return;
    }
    let text = format!("{top} above, {below} below");
    put_right(buffer, inner.right(), inner.y.saturating_sub(2), 30, &text, palette.style(Role::Dim), palette);
}

fn choice(choice: &Choice, area: Rect, buffer: &mut Buffer, palette: &Palette) {
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

fn form(form: &Form, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    let title = format!("{}: {}", form.table().command, form.table().about);
    let inner = sheet(&title, area, buffer, palette);
    // At the foot: what the field means, what is wrong with it, and the command line that does the same.
    let command = wrap(&form.command_line(), usize::from(inner.width).saturating_sub(2));
    let command: Vec<&String> = command.iter().take(2).collect();
    let selected = &form.fields()[form.selected()];
    let meaning = wrap(&selected.help(), usize::from(inner.width));
    let meaning: Vec<&String> = meaning.iter().take(2).collect();
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
        let value = width.min(28);
        match field.choices() {
            Some(choices) => {
                let mut at = x;
                for word in choices {
                    let chosen = *word == field.field.text();
                    let text = if chosen { format!("[{word}]") } else { format!(" {word} ") };
                    let style = match (chosen, here) {
                        (true, true) => palette.style(Role::Cursor),
                        (true, false) => palette.style(Role::Title),
                        (false, _) => palette.style(Role::Dim),
                    };
                    at += put(buffer, at, y, inner.right().saturating_sub(at), &text, style, palette);
                }
                if field.field.is_empty() {
                    put(
                        buffer,
                        at + 1,
                        y,
                        inner.right().saturating_sub(at + 1),
                        "(unset)",
                        palette.style(Role::Dim),
                        palette,
                    );
                }
            }
            None => {
                put_field(buffer, x, y, value, &field.field, here, palette);
                if field.field.is_empty() && !here {
                    put(buffer, x, y, value, "(unset)", palette.style(Role::Dim), palette);
                }
            }
        }
        let note = match &field.problem {
            Some(_) => format!("{} wrong", palette.glyph(Glyph::Failed)),
            None if field.changed() && field.choices().is_none() => {
                let default = if field.default.is_empty() { "unset" } else { &field.default };
                format!("default {default}")
            }
            None => String::new(),
        };
        let style = palette.style(if field.problem.is_some() { Role::Warning } else { Role::Dim });
        put_right(buffer, inner.right(), y, width.saturating_sub(value), &note, style, palette);
    }
    let mut y = inner.bottom().saturating_sub(below) + 1;
    for line in meaning {
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
    more(form.fields().len(), top, Rect { height: height as u16, ..inner }, buffer, palette);
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
