//! A curve as dots: in each column of dots what lies between its lowest and its highest value, joined to the next.

use super::axis::Mapping;
use super::canvas::Canvas;
use crate::tui::series::{Series, Values};

/// More gaps than this in one column of dots are not told apart: its extent is drawn, without joins.
const MOST_GAPS: usize = 32;

/// Draws the part of a curve that lies in the window, and the lines that enter and leave it.
pub(super) fn draw(canvas: &mut Canvas, series: &Series, values: Values, mapping: Mapping) {
    let inside = series.within(mapping.x.0, mapping.x.1);
    let mut pen = Pen { canvas, series, values, mapping, last: None };
    if let Some(before) = inside.start.checked_sub(1) {
        pen.last = pen.finite(before);
    }
    let x = series.x();
    let width = pen.canvas.width();
    let mut start = inside.start;
    while start < inside.end {
        let column = mapping.column(x[start], width);
        let end = start + x[start..inside.end].partition_point(|x| mapping.column(*x, width) <= column);
        pen.column(column, start, end);
        start = end;
    }
    if inside.end < series.len() && pen.finite(inside.end).is_some() {
        pen.join(inside.end);
    }
}

struct Pen<'a> {
    canvas: &'a mut Canvas,
    series: &'a Series,
    values: Values,
    mapping: Mapping,
    /// The point that the next one is joined to, if it follows at once.
    last: Option<usize>,
}

impl Pen<'_> {
    /// The points from `start` to before `end`, all in one column of dots.
    fn column(&mut self, column: usize, start: usize, end: usize) {
        let gaps = self.series.gaps_within(start..end);
        if gaps.len() > MOST_GAPS {
            self.span(column, start, end);
            self.last = None;
            return;
        }
        let mut from = start;
        for gap in gaps {
            self.run(column, from, *gap as usize);
            from = *gap as usize + 1;
        }
        self.run(column, from, end);
    }

    /// Points without a gap between them.
    fn run(&mut self, column: usize, start: usize, end: usize) {
        if start < end {
            self.join(start);
            self.span(column, start, end);
            self.last = Some(end - 1);
        }
    }

    fn span(&mut self, column: usize, start: usize, end: usize) {
        let extent = self.series.extent(self.values, start..end);
        if !extent.is_empty() {
            let row = |y: f32| Mapping::row(self.mapping.up(f64::from(y)), self.canvas.height());
            let (top, bottom) = (row(extent.max), row(extent.min));
            self.canvas.span(column, top, bottom);
        }
    }

    /// The line from the last point to this one, cut off where it leaves the window.
    fn join(&mut self, next: usize) {
        let Some(last) = self.last.filter(|last| last + 1 == next) else { return };
        let (from, to) = (self.place(last), self.place(next));
        if to.0 < 0.0 || from.0 > 1.0 {
            return;
        }
        let at = |across: f64| {
            let share = (across - from.0) / (to.0 - from.0);
            if share.is_finite() { from.1 + (to.1 - from.1) * share } else { to.1 }
        };
        let start = if from.0 < 0.0 { (0.0, at(0.0)) } else { from };
        let end = if to.0 > 1.0 { (1.0, at(1.0)) } else { to };
        let (start, end) = (self.on_canvas(start), self.on_canvas(end));
        self.canvas.line(start, end);
    }

    fn place(&self, index: usize) -> (f64, f64) {
        let y = self.series.values(self.values)[index];
        (self.mapping.across(self.series.x()[index]), self.mapping.up(f64::from(y)))
    }

    fn on_canvas(&self, (across, up): (f64, f64)) -> (usize, usize) {
        let width = self.canvas.width();
        (((across * width as f64) as usize).min(width.saturating_sub(1)), Mapping::row(up, self.canvas.height()))
    }

    fn finite(&self, index: usize) -> Option<usize> {
        self.series.values(self.values)[index].is_finite().then_some(index)
    }
}
