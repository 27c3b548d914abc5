//! The test questions: which were won, which were lost.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ComparePane;
use super::view::short;
use crate::tui::message::Effect;
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::{Shared, thousands};
use crate::tui::widgets::line::{put, put_field, put_parts, put_right};
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::compare::{Findings, PerQuery, SystemKind};

/// The orders of the list.
pub(super) const ORDERS: [&str; 3] = ["gain", "loss", "question"];
/// Cells of a rank.
const RANK: u16 = 6;

/// The two systems whose ranks are set against each other: base and tuned, or where one is missing, words and the model.
pub(super) fn pair(findings: &Findings) -> Option<(&str, &str)> {
    let of = |kind| findings.of_kind(kind).map(|system| system.name.as_str());
    let (base, tuned, words) = (of(SystemKind::Base), of(SystemKind::Tuned), of(SystemKind::Bm25));
    base.zip(tuned).or_else(|| words.zip(tuned.or(base)))
}

/// By how much the reciprocal rank rose: from 14 to 1 is more than from 90 to 50.
fn gain(row: &PerQuery, (before, after): (&str, &str)) -> f64 {
    let of = |name: &str| row.rank.get(name).copied().flatten().map_or(0.0, |rank| 1.0 / rank as f64);
    of(after) - of(before)
}

impl ComparePane {
    /// Filters and sorts the questions anew.
    pub(super) fn order(&mut self) {
        let rows = match &self.judged {
            Some(Ok(judged)) => judged.findings.per_query.as_slice(),
            _ => &[],
        };
        let names = match &self.judged {
            Some(Ok(judged)) => pair(&judged.findings),
            _ => None,
        };
        let keep: Vec<bool> = rows.iter().map(|row| self.list.passes(&row.query)).collect();
        let gains: Vec<f64> = rows.iter().map(|row| names.map_or(0.0, |names| gain(row, names))).collect();
        let sort = self.list.sort;
        self.list.rebuild(
            rows.len(),
            |at| keep[at],
            |a, b| match sort {
                0 => gains[b].total_cmp(&gains[a]),
                1 => gains[a].total_cmp(&gains[b]),
                _ => rows[a].query.to_lowercase().cmp(&rows[b].query.to_lowercase()),
            },
        );
    }

    /// Asks the question under the cursor.
    pub(super) fn ask_selected(&mut self) -> Vec<Effect> {
        let row = self.list.current();
        let query = row.and_then(|row| Some(self.findings()?.findings.per_query.get(row)?.query.clone()));
        let Some(query) = query else { return Vec::new() };
        self.query.set(query);
        (self.listing, self.hit) = (false, 0);
        self.ask()
    }
}

/// Draws the list: a title line, the names of the columns, the rows.
pub(super) fn draw(pane: &ComparePane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let Some(judged) = pane.findings() else { return };
    let findings = &judged.findings;
    let Some((before, after)) = pair(findings) else { return };
    let words = findings.of_kind(SystemKind::Bm25).map(|system| system.name.as_str());
    let words = words.filter(|words| *words != before && *words != after);
    title(pane, findings, area, buffer, shared);
    let mut columns: Vec<(String, &str)> = vec![(short(before), before), (short(after), after)];
    columns.extend(words.map(|words| ("BM25".to_owned(), words)));
    let width = |label: &str| (unicode_width::UnicodeWidthStr::width(label) as u16).clamp(RANK, 14);
    let mut rights = Vec::new();
    let mut x = area.x + 3;
    for (at, (label, _)) in columns.iter().enumerate() {
        x += width(label) + if at == 1 { 3 } else { 2 };
        rights.push(x);
        let label = visible(label, palette);
        put_right(buffer, x, area.y + 1, width(&label), &label, palette.style(Role::Dim), palette);
    }
    let text_x = x + 3;
    put(buffer, text_x, area.y + 1, 20, "question", palette.style(Role::Dim), palette);
    let height = usize::from(area.height.saturating_sub(2));
    let window = pane.list.window(height);
    {
        let mut places = pane.places.borrow_mut();
        places.columns.clear();
        // The mouse counts from below the head line.
        places.rows = (area.y + 1, area.y + 1 + window.len() as u16);
        places.top = window.start;
    }
    if pane.list.is_empty() {
        put(
            buffer,
            area.x + 3,
            area.y + 2,
            area.width,
            "no question has these words",
            palette.style(Role::Dim),
            palette,
        );
    }
    for (line, place) in window.enumerate() {
        let y = area.y + 2 + line as u16;
        let row = &findings.per_query[pane.list.row(place)];
        let here = place == pane.list.position();
        let change = gain(row, (before, after));
        let (mark, role) = match change {
            change if change > 0.0 => (palette.glyph(Glyph::Up), Role::Good),
            change if change < 0.0 => (palette.glyph(Glyph::Fall), Role::Bad),
            _ => (" ", Role::Dim),
        };
        let style = |role: Role| if here { palette.style(Role::Cursor) } else { palette.style(role) };
        if here {
            let blank = " ".repeat(usize::from(area.width));
            put(buffer, area.x, y, area.width, &blank, palette.style(Role::Cursor), palette);
            put(buffer, area.x + 1, y, 1, palette.glyph(Glyph::Pointer), palette.style(Role::Cursor), palette);
        }
        for (at, ((_, name), right)) in columns.iter().zip(&rights).enumerate() {
            let role = if at == 1 { role } else { Role::Text };
            put_right(buffer, *right, y, RANK, &rank(row, name), style(role), palette);
        }
        put(buffer, rights[0] + 1, y, 2, palette.glyph(Glyph::Arrow), style(Role::Dim), palette);
        put(buffer, text_x - 2, y, 1, mark, style(role), palette);
        let room = area.right().saturating_sub(text_x + 1);
        put(buffer, text_x, y, room, &visible(&row.query, palette), style(Role::Text), palette);
    }
}

fn rank(row: &PerQuery, name: &str) -> String {
    match row.rank.get(name) {
        Some(Some(rank)) => rank.to_string(),
        Some(None) => ">100".to_owned(),
        None => "-".to_owned(),
    }
}

fn title(pane: &ComparePane, findings: &Findings, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette: &Palette = &shared.palette;
    let made = if findings.synthetic { "SYNTHETIC QUESTIONS" } else { "HELD-OUT QUESTIONS" };
    let shown = thousands(pane.list.len() as u64);
    let order = format!("by {} {}", ORDERS[pane.list.sort % ORDERS.len()], palette.glyph(Glyph::Down));
    let head = format!("{made} {shown}   ");
    let parts = [(head.as_str(), palette.style(Role::Title)), (order.as_str(), palette.style(Role::Dim))];
    let used = put_parts(buffer, area.x + 1, area.y, area.width.saturating_sub(2), &parts, palette);
    let filter = &pane.list.filter;
    let x = area.x + 1 + used + 3;
    if pane.list.filtering || !filter.is_empty() {
        put(buffer, x, area.y, 1, "/", palette.style(Role::Key), palette);
        let room = area.right().saturating_sub(x + 2);
        put_field(buffer, x + 1, area.y, room, filter, pane.list.filtering, palette);
    }
}
