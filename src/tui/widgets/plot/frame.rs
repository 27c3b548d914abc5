//! The axes around the curves: lines, ticks, labels, and the marks of what happened.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::Plot;
use super::axis::Mapping;
use super::ticks;
use crate::tui::palette::{Glyph, Palette, Role};

/// Under this many cells there are no axes.
const LEAST: (u16, u16) = (12, 3);

/// From this height on the labels of x have a row of their own; below it they stand in the axis.
const TALL: u16 = 10;

/// The labels of y are this wide at the least, so that most charts of a pane begin in the same column.
const GUTTER: u16 = 4;

/// No label of y is wider.
const WIDEST: u16 = 10;

/// Draws the axes and returns what is left for the curves.
pub(super) fn draw(
    area: Rect,
    buf: &mut Buffer,
    palette: Palette,
    plot: &Plot<'_>,
    mapping: &Mapping,
    gutter: &mut u16,
) -> Rect {
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return area;
    }
    let below = if area.height >= TALL { 2 } else { 1 };
    let height = area.height - below;
    let widest = WIDEST.min(area.width / 3);
    let upright = ticks::upright(mapping, height, widest);
    let wide = upright.iter().map(|tick| tick.label.width() as u16).max().unwrap_or(0);
    // A gutter that shrinks and grows would move the whole chart.
    *gutter = wide.max(*gutter).max(GUTTER).min(widest);
    let axis = area.x + *gutter;
    let inner = Rect::new(axis + 1, area.y, area.right() - axis - 1, height);

    let dim = palette.style(Role::Dim);
    for row in inner.top()..inner.bottom() {
        buf[(axis, row)].set_symbol(palette.glyph(Glyph::AxisVertical)).set_style(dim);
    }
    for tick in &upright {
        let row = inner.y + tick.at;
        buf[(axis, row)].set_symbol(palette.glyph(Glyph::AxisTick));
        buf.set_string(axis - tick.label.width() as u16, row, &tick.label, dim);
    }
    draw_lying(inner, buf, palette, plot, mapping, below == 2);
    inner
}

/// The x axis, under the curves.
fn draw_lying(inner: Rect, buf: &mut Buffer, palette: Palette, plot: &Plot<'_>, mapping: &Mapping, own_row: bool) {
    let dim = palette.style(Role::Dim);
    let row = inner.bottom();
    buf[(inner.x - 1, row)].set_symbol(palette.glyph(Glyph::AxisCorner)).set_style(dim);
    for column in inner.left()..inner.right() {
        buf[(column, row)].set_symbol(palette.glyph(Glyph::AxisHorizontal)).set_style(dim);
    }
    let marks = marks(inner, palette, plot, mapping);
    for tick in mapping_ticks(plot, mapping, inner.width) {
        let covered = inner.x + tick.start..inner.x + tick.end();
        if own_row {
            buf[(inner.x + tick.at, row)].set_symbol(palette.glyph(Glyph::AxisTickDown));
            buf.set_string(covered.start, row + 1, &tick.label, dim);
        } else if !marks.iter().any(|(column, _, _)| covered.contains(column)) {
            buf.set_string(covered.start, row, &tick.label, dim);
        }
    }
    for (column, symbol, role) in marks {
        buf[(column, row)].set_symbol(symbol).set_style(palette.style(role));
    }
}

fn mapping_ticks(plot: &Plot<'_>, mapping: &Mapping, width: u16) -> Vec<ticks::Tick> {
    // Without points x has no meaning yet.
    let known = plot.window.is_some() || plot.curves.iter().any(|curve| !curve.series.is_empty());
    if known { plot.format.ticks(mapping, width) } else { Vec::new() }
}

/// What stands on the x axis besides its ticks: where numbers are missing, what happened, the crosshair.
fn marks(inner: Rect, palette: Palette, plot: &Plot<'_>, mapping: &Mapping) -> Vec<(u16, &'static str, Role)> {
    let mut marks = Vec::new();
    let width = usize::from(inner.width);
    for series in plot.curves.iter().map(|curve| curve.series) {
        let mut gaps = series.gaps_within(series.within(mapping.x.0, mapping.x.1));
        while let Some(first) = gaps.first() {
            let column = mapping.column(series.x()[*first as usize], width);
            marks.push((inner.x + column as u16, palette.glyph(Glyph::Gap), Role::Warning));
            let same = gaps.partition_point(|gap| mapping.column(series.x()[*gap as usize], width) <= column);
            gaps = &gaps[same..];
        }
    }
    let rules = plot.rules(mapping, inner).into_iter();
    marks.extend(rules.map(|(column, kind)| (column, kind.letter(), Role::Accent)));
    let crosshair = plot.crosshair.and_then(|x| Plot::column(mapping, x, inner));
    marks.extend(crosshair.map(|column| (column, palette.glyph(Glyph::TeeUp), Role::Accent)));
    marks
}
