//! What the tests of the panes share: a workbench at a fixed time, and its screen as text.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keymap::Keymap;
use super::model::{Model, SMOOTHING};
use super::palette::{Charset, Palette};
use super::runs::Runs;
use super::shared::{Artifacts, Shared};
use super::view::view;

/// A workbench of an empty workspace, on 2026-11-24 at 12:00:00 UTC.
pub(crate) fn model() -> Model {
    let shared = Shared {
        palette: Palette { charset: Charset::Utf8, ..Palette::PLAINEST },
        keymap: Keymap::default(),
        name: "cold-store".to_owned(),
        root: "/w".into(),
        device: "auto".to_owned(),
        overrides: std::collections::BTreeMap::new(),
        remembered: std::collections::BTreeMap::new(),
        now_ms: 1_795_521_600_000,
        utc_offset: 0,
        smoothing: SMOOTHING,
        runs: Runs::default(),
        artifacts: Artifacts::default(),
    };
    Model::new(shared, None)
}

/// Its screen.
pub(crate) fn draw(model: &Model, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    view(model, area, &mut buffer);
    buffer
}

/// The rows of a screen, without the blanks at their ends.
pub(crate) fn text(buffer: &Buffer) -> String {
    let row = |y| {
        let mut line = String::new();
        let mut x = buffer.area.left();
        while x < buffer.area.right() {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += (unicode_width::UnicodeWidthStr::width(symbol) as u16).max(1);
        }
        line.trim_end().to_owned()
    };
    (buffer.area.top()..buffer.area.bottom()).map(row).collect::<Vec<_>>().join("\n")
}
