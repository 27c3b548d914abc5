//! Draws pane 3: a passage and its questions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use super::{MAKERS, ORDERS, PairsPane, REVIEW, Reviewed, made, stream};
use crate::runs::State;
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
    if let (true, Some(run)) = (pane.following, pane.maker(shared)) {
        return stream::view(run, pane.set.is_some(), inner, buffer, shared);
    }
    let Some(set) = &pane.set else { return nothing(pane, inner, buffer, shared) };
    let mut y = inner.y;
    y += head(pane, set, Rect { y, ..inner }, buffer, shared);
    y += remark(pane, set, Rect { y, ..inner }, buffer, shared);
    let rest = Rect { y: y + 1, height: inner.bottom().saturating_sub(y + 1), ..inner };
    let foot = tolls(set, rest, buffer, &shared.palette);
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

/// What stands there while there is no set.
fn nothing(pane: &PairsPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
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
        let text = format!("{key} makes them of your documents' titles, headings and sentences, or imports your own.");
        lines.push((text, Style::new()));
        lines.push(("On the command line: `lapidary pairs structural`, `lapidary pairs import FILE`.".to_owned(), dim));
    }
    lines.extend(failure(pane, shared).map(|text| (text, palette.style(Role::Warning))));
    let mut y = area.y + 1;
    for (text, style) in lines {
        for line in wrap(&visible(&text, palette), usize::from(area.width)) {
            if y < area.bottom() {
                put(buffer, area.x, y, area.width, &line, style, palette);
            }
            y += 1;
        }
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
    put_right(buffer, area.right(), area.y + 1, area.width, &said, palette.style(Role::Accent), palette);
    2
}

/// What one should know about the set before believing it: one line. Returns the lines used.
fn remark(pane: &PairsPane, set: &Set, area: Rect, buffer: &mut Buffer, shared: &Shared) -> u16 {
    let palette = &shared.palette;
    let (mut text, mut role) = (failure(pane, shared), Role::Warning);
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
        let command = match version.map(|version| version.job.as_str()) {
            Some("pairs-import") => "lapidary pairs import FILE",
            Some("corpus") => "lapidary corpus refresh",
            _ => "lapidary pairs structural",
        };
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
    if text.is_none() && pane.maker(shared).is_some() {
        let key = shared.keymap.key(Context::Pairs, Action::Follow).unwrap_or_default();
        (text, role) = (Some(format!("a job makes pairs; {key} watches it")), Role::Dim);
    }
    let Some(text) = text else { return 0 };
    let lines = wrap(&visible(&text, palette), usize::from(area.width));
    for (at, line) in lines.iter().take(2).enumerate() {
        put(buffer, area.x, area.y + at as u16, area.width, line, palette.style(role), palette);
    }
    lines.len().min(2) as u16
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

fn empty_filter(pane: &PairsPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let (x, width) = (area.x, area.width);
    if pane.list.filtering {
        filter(pane, Rect { height: 1, ..area }, buffer, palette);
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

fn filter(pane: &PairsPane, area: Rect, buffer: &mut Buffer, palette: &Palette) {
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
        filter(pane, Rect { height: 1, ..area }, buffer, palette);
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
    let labels: Vec<String> = items.iter().map(|item| label(item, set)).collect();
    let most = usize::from(area.width) * 2 / 5;
    let column = labels.iter().map(|label| label.width()).max().unwrap_or(0).min(most) as u16;
    let width = area.width.saturating_sub(column + 6);
    let cursor = pane.question.min(items.len().saturating_sub(1));
    let shown = visible(items.get(cursor).map_or("", Item::asks), palette);
    let mut open = wrap(&shown, usize::from(width));
    open.truncate(LINES.min(usize::from(list.height)));
    if pane.editing.is_some() {
        open = vec![String::new(); 2.min(usize::from(list.height))];
    }
    // Every question takes a line, the one under the cursor as many as it needs.
    let room = usize::from(list.height).saturating_sub(open.len() - 1);
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
        } else if here {
            for line in &open {
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

/// Kind or reason of a question, and what was said of it.
fn label(item: &Item, set: &Set) -> String {
    let of = match item.reason {
        Some(reason) => set.word(reason).to_owned(),
        None if item.altered => format!("{}, cut out", set.word(item.source)),
        None => set.word(item.source).to_owned(),
    };
    match &item.mark {
        None => of,
        Some(mark) if !mark.accepted => format!("{of}: rejected by you"),
        Some(_) if item.is_edited() => format!("{of}: edited"),
        Some(_) => format!("{of}: accepted"),
    }
}

/// Rejections per filter, at the foot. Returns the lines used.
fn tolls(set: &Set, area: Rect, buffer: &mut Buffer, palette: &Palette) -> u16 {
    let mut counts: Vec<(&str, usize)> = set.rejected.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    toll_lines(&counts, area, buffer, palette)
}

/// Draws reasons and their counts on the last lines of an area. Returns the lines used, a blank one above them among them.
pub(super) fn toll_lines(counts: &[(&str, usize)], area: Rect, buffer: &mut Buffer, palette: &Palette) -> u16 {
    const TITLE: &str = "tolls  ";
    if counts.is_empty() || area.height < 6 {
        return 0;
    }
    let parts: Vec<String> =
        counts.iter().map(|(reason, count)| format!("{reason} {}", thousands(*count as u64))).collect();
    let width = usize::from(area.width).saturating_sub(TITLE.width());
    let separator = if palette.braille() { " · " } else { " | " };
    let mut lines: Vec<String> = vec![String::new()];
    for part in parts {
        let part = visible(&part, palette).into_owned();
        let line = lines.last().map_or(0, |line| line.width());
        if line > 0 && line + separator.width() + part.width() > width {
            lines.push(part);
        } else if let Some(last) = lines.last_mut() {
            if line > 0 {
                last.push_str(separator);
            }
            last.push_str(&part);
        }
    }
    lines.truncate(2);
    let used = lines.len() as u16;
    let y = area.bottom().saturating_sub(used);
    put(buffer, area.x, y, area.width, TITLE, palette.style(Role::Title), palette);
    let x = area.x + TITLE.width() as u16;
    for (at, line) in lines.iter().enumerate() {
        put(buffer, x, y + at as u16, width as u16, line, palette.style(Role::Dim), palette);
    }
    used + 1
}
