//! Where everything stands: head, legend, charts, readings.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::charts::{self, AGREEMENT, Chart};
use super::{Shown, TuningPane, header, moves, name, questions, readings};
use crate::runs::Status;
use crate::tui::keymap::{Action, Context};
use crate::tui::live::LiveRun;
use crate::tui::palette::Role;
use crate::tui::shared::Shared;
use crate::tui::widgets::line::{cut, put, put_parts, wrap};

/// From this width on two charts stand side by side.
const WIDE: u16 = 100;
/// From this height on, where it is wide, there are four charts.
const TALL: u16 = 26;
/// A chart with its title is no lower.
const LEAST_CHART: u16 = 5;
/// Columns between two charts.
const BETWEEN: u16 = 3;

/// Draws the pane.
pub(super) fn draw(pane: &TuningPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let runs = pane.shown(shared);
    let Some(open) = runs.first() else {
        empty(area, buffer, shared);
        return;
    };
    header::draw(open, Rect { height: 2, ..area }, buffer, shared);
    if runs.len() > 1 {
        legend(&runs, Rect { y: area.y + 2, height: 1, ..area }, buffer, shared);
    }
    moves::keep_up(pane, open.live);
    let lives: Vec<&LiveRun> = runs.iter().filter_map(|run| run.live).collect();
    let mut curves = pane.curves.borrow_mut();
    let names: Vec<&'static str> = Chart::ALL.into_iter().map(Chart::name).chain([AGREEMENT]).collect();
    curves.prepare(pane.axis, &lives, &names);

    let wide = area.width + 2 >= WIDE;
    let four = wide && area.height >= TALL;
    let foot = match area.height {
        0..16 => 1,
        16..TALL => 3,
        TALL..45 => 4,
        _ => 6,
    };
    let middle = Rect { y: area.y + 3, height: area.height.saturating_sub(3 + foot), ..area };
    for (chart, place) in places(wide, four, middle) {
        charts::draw(chart, pane, &runs, &curves, place, buffer, shared);
    }
    let below = Rect { y: middle.bottom(), height: foot.min(area.height.saturating_sub(3)), ..area };
    // Charts end with their axis: a line of air where there is room for one.
    let below = if foot > 1 && pane.crosshair.is_none() || four { inset(below) } else { below };
    readings::draw(pane, &runs, !four, below, buffer, shared);
}

fn inset(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

/// The charts and their places, the loss first.
fn places(wide: bool, four: bool, area: Rect) -> Vec<(Chart, Rect)> {
    let half = area.width.saturating_sub(BETWEEN) / 2;
    let left = |area: Rect| Rect { width: half, ..area };
    let right = |area: Rect| Rect { x: area.right() - half, width: half, ..area };
    let upper = Rect { height: area.height.saturating_sub(u16::from(four)) / 2, ..area };
    let upper = if four { Rect { height: upper.height + 1, ..upper } } else { upper };
    let gap = u16::from(four);
    let lower = Rect { y: upper.bottom() + gap, height: area.height.saturating_sub(upper.height + gap), ..area };
    match (wide, four) {
        (true, true) => vec![
            (Chart::Loss, left(upper)),
            (Chart::Dev, right(upper)),
            (Chart::Rate, left(lower)),
            (Chart::Norm, right(lower)),
        ],
        (true, false) => vec![(Chart::Loss, left(area)), (Chart::Dev, right(area))],
        _ if lower.height >= LEAST_CHART => vec![(Chart::Loss, upper), (Chart::Dev, lower)],
        _ => vec![(Chart::Loss, area)],
    }
}

fn legend(runs: &[Shown<'_>], area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let mut x = area.x;
    for run in runs {
        let mark = palette.series_mark(run.index);
        let role = if run.baseline { " baseline" } else { "" };
        let reading = if run.live.is_none() { " reading its log" } else { "" };
        let colour = palette.series(run.index);
        let label = format!(" {}", run.name);
        let parts: [(&str, Style); 4] = [
            (mark, colour.patch(palette.style(Role::Title))),
            (&label, colour),
            (role, palette.style(Role::Dim)),
            (reading, palette.style(Role::Dim)),
        ];
        x += put_parts(buffer, x, area.y, area.right().saturating_sub(x), &parts, palette) + 3;
    }
}

/// One line for a run in a choice.
pub(super) fn row(status: &Status, shared: &Shared) -> String {
    let palette = &shared.palette;
    let (glyph, _, _) = header::state(status, shared);
    let name = cut(&name(status, *palette), 20, palette);
    let score = status.result.get("dev_mrr10").and_then(serde_json::Value::as_f64);
    let of = if questions::synthetic(status, shared) { " on synthetic dev" } else { "" };
    let score = score.map(|score| format!("MRR@10 {score:.3}{of}")).unwrap_or_default();
    let pad = " ".repeat(20usize.saturating_sub(unicode_width::UnicodeWidthStr::width(name.as_str())));
    let state = format!("{} {}", palette.glyph(glyph), status.state.word());
    let line = format!("{name}{pad}  {state:<11}  {:<14}  {score}", shared.ago(status.created_unix_ms));
    line.trim_end().to_owned()
}

fn empty(area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let text = if shared.runs.read {
        let key = shared.keymap.key(Context::Tuning, Action::New).unwrap_or_default();
        format!(
            "No model has been tuned here yet.\n\n{key} fine-tunes one on the newest pairs; so does `lapidary tune`. \
             It runs on when the workbench is left. Here you then see whether it learns, and whether it is better \
             than its base and than BM25."
        )
    } else {
        "reading the runs".to_owned()
    };
    let width = area.width.min(76);
    for (at, line) in wrap(&text, usize::from(width)).iter().enumerate() {
        put(buffer, area.x, area.y + 1 + at as u16, width, line, palette.style(Role::Text), palette);
    }
}
