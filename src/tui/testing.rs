//! What the tests of the panes share: a workbench at a fixed time, and its screen as text.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::keymap::Keymap;
use super::model::{Model, SMOOTHING};
use super::palette::{Background, Charset, Depth, Palette};
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

/// Presses a key, written as in the keymap.
pub(crate) fn press(model: &mut Model, key: &str) -> Vec<super::message::Effect> {
    let event = super::keymap::Key::parse(key).expect("a key of the keymap").event();
    super::model::update(model, super::message::Msg::Key(event))
}

/// A run's status with nothing in it but its state.
pub(crate) fn status(id: &str, job: &str, state: crate::runs::State, created_ms: u64) -> crate::runs::Status {
    crate::runs::Status {
        id: id.to_owned(),
        job: job.to_owned(),
        state,
        stalled: false,
        by_heartbeat: false,
        created_unix_ms: created_ms,
        started_unix_ms: Some(created_ms),
        last_event_unix_ms: Some(created_ms),
        device: "cpu".to_owned(),
        settings: serde_json::Value::Null,
        phase: String::new(),
        progress: None,
        step_ms: None,
        error: None,
        result: serde_json::Value::Null,
        garbage: 0,
        problem: None,
        loading: false,
    }
}

/// A version of an artifact with nothing in it but its details.
pub(crate) fn version(
    kind: crate::workspace::Kind,
    reference: &str,
    made_ms: u64,
    details: serde_json::Value,
) -> super::shared::Version {
    super::shared::Version {
        kind,
        reference: reference.to_owned(),
        path: format!("/w/{reference}").into(),
        made_ms,
        job: String::new(),
        settings: serde_json::json!({}),
        inputs: Vec::new(),
        details,
        looks: 0,
        bytes: 0,
        stale: false,
    }
}

/// A screen in 16 colours: its text, then where what is drawn differently (columns, colour, attributes), row by row.
pub(crate) fn in_16_colours(model: &mut Model, width: u16, height: u16) -> String {
    let before = model.shared.palette;
    model.shared.palette = Palette { depth: Depth::Ansi16, background: Background::Dark, charset: Charset::Utf8 };
    let buffer = draw(model, width, height);
    model.shared.palette = before;
    format!("{}\n\n{}", text(&buffer), styles(&buffer))
}

/// How the cells of a screen are drawn, row by row: `3-17:cyan+b`.
fn styles(buffer: &Buffer) -> String {
    const ATTRIBUTES: [(Modifier, &str); 4] =
        [(Modifier::BOLD, "b"), (Modifier::DIM, "d"), (Modifier::UNDERLINED, "u"), (Modifier::REVERSED, "r")];
    let name = |cell: &Cell| {
        let colour = Some(format!("{:?}", cell.fg).to_lowercase()).filter(|colour| colour != "reset");
        let marks = ATTRIBUTES.iter().filter(|(modifier, _)| cell.modifier.contains(*modifier));
        let marks = marks.map(|(_, letter)| (*letter).to_owned());
        colour.into_iter().chain(marks).collect::<Vec<_>>().join("+")
    };
    let mut rows = Vec::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut row = format!("{y:>2}");
        let mut x = buffer.area.left();
        while x < buffer.area.right() {
            let (from, style) = (x, name(&buffer[(x, y)]));
            while x < buffer.area.right() && name(&buffer[(x, y)]) == style {
                x += 1;
            }
            if !style.is_empty() {
                row.push_str(&format!(" {from}-{}:{style}", x - 1));
            }
        }
        rows.push(row);
    }
    rows.join("\n")
}
