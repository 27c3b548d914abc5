//! Rejections by filter, at the foot of the pane: the filters' tolls.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use crate::tui::palette::{Palette, Role};
use crate::tui::shared::thousands;
use crate::tui::widgets::line::put;
use crate::tui::widgets::symbols::visible;

const TITLE: &str = "tolls  ";
/// Lines that they may take.
const LINES: usize = 2;
/// Lines of an area in which they have a place.
const LEAST: u16 = 6;
/// What rows are called whose passage does not rank well enough for their own question.
const ROUND_TRIP: &str = "round trip";

/// What a filter is called on the screen. That of the round trip says how far down a passage may rank; `settings`:
/// those of the job that made the pairs.
pub(super) fn filter_name<'a>(reason: &'a str, settings: &Value) -> std::borrow::Cow<'a, str> {
    let settings = settings.get("settings").unwrap_or(settings);
    match settings.get("round_trip").and_then(Value::as_u64) {
        Some(deepest) if reason.replace('-', " ") == ROUND_TRIP => format!("{ROUND_TRIP} > {deepest}").into(),
        _ => reason.into(),
    }
}

/// Reasons to reject and how often each was one, in lines.
pub(super) struct Tolls {
    lines: Vec<String>,
}

impl Tolls {
    /// The most frequent first, in lines for a width.
    pub(super) fn of(counts: &BTreeMap<String, usize>, settings: &Value, width: u16, palette: &Palette) -> Self {
        let mut counts: Vec<(&String, usize)> = counts.iter().map(|(reason, count)| (reason, *count)).collect();
        counts.retain(|(_, count)| *count > 0);
        counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let width = usize::from(width).saturating_sub(TITLE.width());
        let separator = if palette.braille() { " · " } else { " | " };
        let mut lines: Vec<String> = Vec::new();
        for (reason, count) in counts {
            let name = filter_name(reason, settings);
            // Two numbers side by side would read as one.
            let colon = if name.ends_with(|last: char| last.is_ascii_digit()) { ":" } else { "" };
            let part = format!("{}{colon} {}", visible(&name, palette), thousands(count as u64));
            match lines.last_mut() {
                Some(line) if line.width() + separator.width() + part.width() <= width => {
                    line.push_str(separator);
                    line.push_str(&part);
                }
                _ => lines.push(part),
            }
        }
        lines.truncate(LINES);
        Self { lines }
    }

    /// The lines they take, a blank one above them among them.
    pub(super) fn height(&self) -> u16 {
        if self.lines.is_empty() { 0 } else { self.lines.len() as u16 + 1 }
    }

    /// Draws them on the last lines of an area, where it is high enough. Returns the lines used.
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer, palette: &Palette) -> u16 {
        if self.lines.is_empty() || area.height < LEAST {
            return 0;
        }
        let y = area.bottom() - self.lines.len() as u16;
        put(buffer, area.x, y, area.width, TITLE, palette.style(Role::Title), palette);
        let x = area.x + TITLE.width() as u16;
        for (at, line) in self.lines.iter().enumerate() {
            put(buffer, x, y + at as u16, area.right().saturating_sub(x), line, palette.style(Role::Dim), palette);
        }
        self.height()
    }
}
