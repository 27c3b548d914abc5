//! Draws pane 3: a passage and its questions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::tolls::{Tolls, filter_name};
use super::{ORDERS, PairsPane, Reviewed, made, maker, remarks, stream};
use crate::tui::keymap::{Action, Context};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::{Shared, thousands};
use crate::tui::widgets::line::{cut, put, put_field, put_parts, put_right, wrap};
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::pairs::{Item, Set};

/// From this width on, passage and questions stand side by side.
const SIDE_BY_SIDE: u16 = 100;
/// Lines that the question under the cursor may take.
const LINES: usize = 4;

/// Draws the pane.
pub(super) fn view(pane: &PairsPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    pane.rows.borrow_mut().clear();
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    if let (true, Some(run)) = (pane.following, maker(shared)) {
        return stream::view(run, &pane.requests, pane.set.is_some(), inner, buffer, shared);
    }
    let Some(set) = &pane.set else { return remarks::nothing(pane, inner, buffer, shared) };
    let mut y = inner.y;
    y += head(pane, set, Rect { y, ..inner }, buffer, shared);
    y += remarks::draw(pane, set, Rect { y, ..inner }, buffer, shared);
    let rest = Rect { y: y + 1, height: inner.bottom().saturating_sub(y + 1), ..inner };
    let made_by = pane.version(shared).map_or(&Value::Null, |version| &version.settings);
    let tolls = Tolls::of(&set.rejected, made_by, rest.width, &shared.palette);
    let foot = tolls.draw(rest, buffer, &shared.palette);
    let body = Rect { height: rest.height.saturating_sub(foot), ..rest };
    if pane.list.is_empty() {
        empty_filter(pane, body, buffer, shared);
    } else if area.width >= SIDE_BY_SIDE {
        let width = (body.width * 2 / 5).clamp(36, 60);
        let left = Rect { width, ..body };
        let right = Rect { x: left.right() + 3, width: body.width.saturating_sub(width + 3), ..body };
        for y in body.top()..body.bottom() {
            put(
                buffer,
                left.right() + 1,
                y,
                1,
                shared.palette.glyph(Glyph::Vertical),
                shared.palette.style(Role::Dim),
                &shared.palette,
            );
        }
        passage(pane, set, left, buffer, shared);
        questions(pane, set, right, buffer, shared);
    } else {
        let height = (body.height * 2 / 5).max(4).min(body.height);
        let upper = Rect { height, ..body };
        let lower = Rect { y: upper.bottom() + 1, height: body.height.saturating_sub(height + 1), ..body };
        passage(pane, set, upper, buffer, shared);
        questions(pane, set, lower, buffer, shared);
    }
}

/// The set, how it was made, what is in it, what was reviewed. Returns the lines used.
fn head(pane: &PairsPane, set: &Set, area: Rect, buffer: &mut Buffer, shared: &Shared) -> u16 {
    let palette = &shared.palette;
    let (title, dim, text) = (palette.style(Role::Title), palette.style(Role::Dim), palette.style(Role::Text));
    let name = visible(&set.reference, palette);
    let how = pane.version(shared).map(made).unwrap_or_default();
    let used = put_parts(buffer, area.x, area.y, area.width, &[(&name, title), ("   ", dim), (how, dim)], palette);
    let kept = set.train + set.dev;
    let rejected = set.rejected_rows();
    let share = rejected as f64 / (kept + rejected).max(1) as f64 * 100.0;
    let counts = format!("kept {}   rejected {} ({share:.0} %)", thousands(kept as u64), thousands(rejected as u64));
    let reviewed = Reviewed::of(set);
    let mut said = Vec::new();
    for (count, word) in [(reviewed.accepted, "accepted"), (reviewed.rejected, "rejected"), (reviewed.edited, "edited")]
    {
        if count > 0 {
            said.push(format!("{} {word}", thousands(count as u64)));
        }
    }
    let said = if said.is_empty() {
        String::new()
    } else {
        let finish = shared.keymap.key(Context::Pairs, Action::Finish).unwrap_or_default();
        format!("reviewed {}: {}   {finish} finishes", thousands(reviewed.all() as u64), said.join(", "))
    };
    let room = usize::from(area.width.saturating_sub(used + 3));
    let one_line = !said.is_empty() && room >= counts.width() + 3 + said.width();
    if one_line {
        let x = area.right() - (counts.width() + 3 + said.width()) as u16;
        let parts = [(said.as_str(), palette.style(Role::Accent)), ("   ", dim), (counts.as_str(), text)];
        put_parts(buffer, x, area.y, area.right() - x, &parts, palette);
        return 1;
    }
    put_right(buffer, area.right(), area.y, room as u16, &counts, text, palette);
    if said.is_empty() {
        return 1;
    }
    put(buffer, area.x, area.y + 1, area.width, &said, palette.style(Role::Accent), palette);
    2
}

fn empty_filter(pane: &PairsPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let (x, width) = (area.x, area.width);
    if pane.list.filtering {
        filter(pane, Rect { height: 1, ..area }, buffer, *palette);
    }
    let text = if pane.list.filter.is_empty() {
        "this set has no questions at all".to_owned()
    } else {
        let back = shared.keymap.key(Context::Pairs, Action::Back).unwrap_or_default();
        format!(
            "no passage has {:?} in its path, headings or questions; {back} clears the filter",
            pane.list.filter.text()
        )
    };
    for (at, line) in wrap(&visible(&text, palette), usize::from(width)).iter().enumerate() {
        put(buffer, x, area.y + 1 + at as u16, width, line, palette.style(Role::Dim), palette);
    }
}

fn filter(pane: &PairsPane, area: Rect, buffer: &mut Buffer, palette: Palette) {
    let palette = &palette;
    let used = put(buffer, area.x, area.y, area.width, "/", palette.style(Role::Key), palette);
    let width = area.width.saturating_sub(used);
    put_field(buffer, area.x + used, area.y, width, &pane.list.filter, pane.list.filtering, palette);
}

/// The passage: where it stands, its title, its text.
fn passage(pane: &PairsPane, set: &Set, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let (dim, width) = (palette.style(Role::Dim), usize::from(area.width));
    let Some(at) = pane.passage() else { return };
    let Some(passage) = set.passages.get(at) else { return };
    if pane.list.filtering {
        filter(pane, Rect { height: 1, ..area }, buffer, *palette);
    } else {
        let (place, of) = (pane.list.position() as u64 + 1, pane.list.len() as u64);
        let order = format!("by {} {}", ORDERS[pane.list.sort], palette.glyph(Glyph::Down));
        let filtered = if pane.list.filter.is_empty() {
            String::new()
        } else {
            format!("   /{}", visible(pane.list.filter.text(), palette))
        };
        let where_ = format!("PASSAGE {} of {}", thousands(place), thousands(of));
        let parts = [(where_.as_str(), palette.style(Role::Title)), (filtered.as_str(), palette.style(Role::Accent))];
        let used = put_parts(buffer, area.x, area.y, area.width, &parts, palette);
        put_right(buffer, area.right(), area.y, area.width.saturating_sub(used + 2), &order, dim, palette);
    }
    let chevron = palette.glyph(Glyph::Chevron);
    let title = visible(&passage.title, palette).replace('›', chevron);
    let title = wrap(&title, width);
    let mut y = area.y + 1;
    for line in title.iter().take(2) {
        put(buffer, area.x, y, area.width, line, palette.style(Role::Accent), palette);
        y += 1;
    }
    let height = usize::from(area.bottom().saturating_sub(y));
    let (lines, style) = match pane.text(at) {
        None => (vec![palette.glyph(Glyph::Ellipsis).to_owned()], dim),
        Some(Err(problem)) => (wrap(&visible(problem, palette), width), palette.style(Role::Warning)),
        Some(Ok(text)) => {
            let lines = text.lines().flat_map(|line| wrap(&visible(line.trim_end(), palette), width));
            // More than fits is not wrapped in vain.
            (lines.take(height + 1).collect(), palette.style(Role::Text))
        }
    };
    for (place, line) in lines.iter().take(height).enumerate() {
        let is_last = place + 1 == height && lines.len() > height;
        let line = if is_last {
            let ellipsis = palette.glyph(Glyph::Ellipsis);
            cut(line, width.saturating_sub(ellipsis.width() + 1), palette) + " " + ellipsis
        } else {
            line.clone()
        };
        put(buffer, area.x, y + place as u16, area.width, &line, style, palette);
    }
}

/// The questions of the passage.
fn questions(pane: &PairsPane, set: &Set, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let Some(at) = pane.passage() else { return };
    let items = set.items_of(at);
    let stay = items.iter().filter(|item| item.stays()).count();
    let noun = if items.len() == 1 { "QUESTION" } else { "QUESTIONS" };
    let count = format!("{} {noun}", items.len());
    let parts = [(count.as_str(), palette.style(Role::Title)), (&*format!("   {stay} kept"), palette.style(Role::Dim))];
    put_parts(buffer, area.x, area.y, area.width, &parts, palette);
    let list = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if list.height == 0 {
        return;
    }
    let made_by = pane.version(shared).map_or(&Value::Null, |version| &version.settings);
    let labels: Vec<String> = items.iter().map(|item| label(item, set, made_by)).collect();
    let most = usize::from(area.width) * 2 / 5;
    let column = labels.iter().map(|label| label.width()).max().unwrap_or(0).min(most) as u16;
    let width = area.width.saturating_sub(column + 6);
    let cursor = pane.question.min(items.len().saturating_sub(1));
    let height = usize::from(list.height);
    let mut wrapped: Vec<Vec<String>> = Vec::new();
    // Whole questions where all of them fit; else each takes a line, and the one under the cursor what it needs.
    let mut whole = items.len() <= height;
    if whole {
        wrapped.extend(items.iter().map(|item| wrap(&visible(item.asks(), palette), usize::from(width))));
        whole = wrapped.iter().map(Vec::len).sum::<usize>() <= height;
    }
    let shown = visible(items.get(cursor).map_or("", Item::asks), palette);
    let mut open = wrap(&shown, usize::from(width));
    open.truncate(LINES.min(height));
    if pane.editing.is_some() {
        open = vec![String::new(); 2.min(height)];
        whole = false;
    }
    let room = if whole { items.len() } else { height.saturating_sub(open.len().saturating_sub(1)).max(1) };
    let mut top = pane.top.get().min(items.len().saturating_sub(room));
    if cursor < top {
        top = cursor;
    } else if cursor >= top + room {
        top = cursor + 1 - room;
    }
    pane.top.set(top);
    let mut y = list.y;
    for (place, item) in items.iter().enumerate().skip(top) {
        if y >= list.bottom() {
            break;
        }
        let here = place == cursor;
        let pointer = if here { palette.glyph(Glyph::Pointer) } else { " " };
        let (glyph, role) = if item.stays() { (Glyph::Done, Role::Good) } else { (Glyph::Failed, Role::Bad) };
        put(buffer, list.x, y, 2, pointer, palette.style(Role::Accent), palette);
        put(buffer, list.x + 2, y, 2, palette.glyph(glyph), palette.style(role), palette);
        let label = visible(&labels[place], palette);
        let reviewed = item.mark.is_some();
        let style = palette.style(if reviewed { Role::Title } else { Role::Dim });
        put_right(buffer, list.right(), y, column, &label, style, palette);
        let style = palette.style(match (here, item.stays()) {
            (true, _) => Role::Cursor,
            (false, true) => Role::Text,
            (false, false) => Role::Dim,
        });
        let begin = y;
        if let (true, Some(field)) = (here, &pane.editing) {
            put_field(buffer, list.x + 4, y, width, field, true, palette);
            let text = "Enter keeps the words, Esc leaves them";
            put(buffer, list.x + 4, y + 1, width, text, palette.style(Role::Dim), palette);
            y += open.len() as u16;
        } else if here || whole {
            for line in if whole { &wrapped[place] } else { &open } {
                put(buffer, list.x + 4, y, width, line, style, palette);
                y += 1;
            }
        } else {
            put(buffer, list.x + 4, y, width, &visible(item.asks(), palette), style, palette);
            y += 1;
        }
        pane.rows.borrow_mut().push((begin.saturating_sub(1), y.saturating_sub(1), place));
    }
}

/// What was said of a question; where nothing was, its kind, or the filter that rejected it. `made_by`: the settings of
/// the job that made the set.
fn label(item: &Item, set: &Set, made_by: &Value) -> String {
    match (&item.mark, item.reason) {
        (Some(mark), _) if !mark.accepted => "rejected by you".to_owned(),
        (Some(_), _) if item.is_edited() => "edited".to_owned(),
        (Some(_), _) => "accepted".to_owned(),
        (None, Some(reason)) => filter_name(set.word(reason), made_by).into_owned(),
        (None, None) if item.altered => format!("{}, cut out", set.word(item.source)),
        (None, None) => set.word(item.source).to_owned(),
    }
}
