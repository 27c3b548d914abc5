//! Curves while they grow.
//!
//! Every value counts: a column of dots reaches from the lowest to the highest value under it, a missing number is a gap
//! with a mark below it, never a line. Axes stay where they are until they must move ([`Axes`]), because a moved axis is
//! a whole chart on the wire. Of ratatui only the buffer is used: its own chart misplaces labels, joins what is missing
//! and takes a hundred times as long.

mod axis;
mod canvas;
mod columns;
mod frame;
mod ticks;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

pub use self::axis::Scale;
use self::axis::{Bounds, Mapping};
use self::canvas::Canvas;
pub use self::ticks::TickFormat;
use crate::tui::palette::{Charset, Depth, Glyph, Palette, Role};
use crate::tui::series::{Extent, Point, Series, Values};

/// Which of a series' two curves are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// The values as they came.
    Raw,
    /// The average alone.
    Smoothed,
    /// The average, and the values faint beneath it.
    #[default]
    Both,
}

/// One curve.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a> {
    /// What it is called at its end and in [`Plot::readings`].
    pub label: &'a str,
    /// Its points.
    pub series: &'a Series,
    /// The number that [`Palette::series`] and [`Palette::series_mark`] are asked for.
    pub index: usize,
    /// Values, average or both.
    pub shown: Shown,
}

/// A value to compare with: a dashed line across.
#[derive(Debug, Clone, Copy)]
pub struct Level<'a> {
    /// Written on the line, at its right end.
    pub label: &'a str,
    /// The value.
    pub y: f64,
}

/// What happened at a place on the x axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// An epoch began: E.
    Epoch,
    /// A checkpoint was kept: C.
    Checkpoint,
    /// The run went on from a checkpoint: R.
    Resume,
    /// The best value so far, and its checkpoint: B.
    Best,
}

impl Happening {
    /// All, what matters most last: it is drawn over the others.
    const ALL: [Self; 4] = [Self::Epoch, Self::Checkpoint, Self::Resume, Self::Best];

    /// The letter on the axis.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Epoch => "E",
            Self::Checkpoint => "C",
            Self::Resume => "R",
            Self::Best => "B",
        }
    }
}

/// A dashed line upwards, with a letter on the axis.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Where.
    pub x: f64,
    /// Why.
    pub kind: Happening,
}

/// What one curve says at the crosshair.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The curve's label.
    pub label: &'a str,
    /// The curve's index.
    pub index: usize,
    /// The nearest point; its y is not finite in a gap.
    pub point: Point,
    /// The average there.
    pub smoothed: f32,
}

/// A chart of curves over one x axis. Its title is the pane's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plot<'a> {
    /// The curves; a later one is drawn over the earlier ones.
    pub curves: &'a [Curve<'a>],
    /// Values to compare with.
    pub levels: &'a [Level<'a>],
    /// What happened when. A kind that would fill more than one column in six is left out.
    pub rules: &'a [Rule],
    /// The part of x to show; without it all of it, and some room ahead.
    pub window: Option<(f64, f64)>,
    /// How y is laid out.
    pub scale: Scale,
    /// Whether y leaves out the lowest and highest hundredth of the values; they are drawn at the edges.
    pub without_outliers: bool,
    /// What x counts.
    pub format: TickFormat,
    /// Where the crosshair stands; the same for all charts of a pane.
    pub crosshair: Option<f64>,
    /// Whether each curve's label is written behind its newest point, where there is room.
    pub name_ends: bool,
}

/// What a chart keeps from one drawing to the next: its bounds, and where it was drawn.
#[derive(Debug, Clone, Default)]
pub struct Axes {
    x: Bounds,
    y: Bounds,
    gutter: u16,
    area: Rect,
    window: (f64, f64),
}

impl Axes {
    /// The cells that the curves had.
    pub fn area(&self) -> Rect {
        self.area
    }

    /// The x at the left and at the right edge.
    pub fn window(&self) -> (f64, f64) {
        self.window
    }

    /// The x in the middle of a column of the screen: what the mouse points at.
    pub fn x_at(&self, column: u16) -> Option<f64> {
        let inside = (self.area.left()..self.area.right()).contains(&column);
        inside.then(|| {
            let share = (f64::from(column - self.area.x) + 0.5) / f64::from(self.area.width);
            self.window.0 + share * (self.window.1 - self.window.0)
        })
    }

    /// An x moved by so many columns, kept in the window: what the arrow keys do.
    pub fn step(&self, x: f64, columns: i32) -> f64 {
        let (from, to) = self.window;
        let width = f64::from(self.area.width.max(1));
        (x + f64::from(columns) * (to - from) / width).clamp(from.min(to), to.max(from))
    }
}

impl<'a> Plot<'a> {
    /// What every curve says at an x, in the curves' order; a curve without points says nothing.
    pub fn readings(&self, x: f64) -> impl Iterator<Item = Reading<'a>> {
        self.curves.iter().filter_map(move |curve| {
            let point = curve.series.nearest(Values::Raw, x)?;
            let smoothed = curve.series.nearest(Values::Smoothed, x)?.y;
            Some(Reading { label: curve.label, index: curve.index, point, smoothed })
        })
    }

    /// How many values are missing in the part of x that `axes` last showed.
    pub fn gaps(&self, axes: &Axes) -> usize {
        let (from, to) = axes.window;
        self.curves.iter().map(|curve| curve.series.gaps_within(curve.series.within(from, to)).len()).sum()
    }

    /// Draws the chart. Under 12 by 3 cells the curves alone.
    pub fn render(&self, area: Rect, buf: &mut Buffer, palette: &Palette, axes: &mut Axes) {
        let (area, palette) = (area.intersection(buf.area), *palette);
        if area.is_empty() {
            axes.area = Rect::default();
            return;
        }
        for position in area.positions() {
            buf[position].reset();
        }
        let x = self.fit_x(&mut axes.x);
        axes.window = x;
        let tall = if palette.braille() { 4 } else { 1 };
        let mapping = Mapping { x, y: self.fit_y(x, &mut axes.y), scale: self.scale, tall };
        let whole = area;
        let area = frame::draw(whole, buf, palette, self, &mapping, &mut axes.gutter);
        axes.area = area;
        self.draw_lines(area, buf, palette, &mapping);
        self.draw_curves(area, buf, palette, &mapping);
        self.draw_crosshair(area, buf, palette, &mapping);
        if area != whole {
            self.draw_labels(area, buf, palette, &mapping);
        }
    }

    fn fit_x(&self, bounds: &mut Bounds) -> (f64, f64) {
        if let Some((from, to)) = self.window
            && from.is_finite()
            && (to - from).is_finite()
            && from < to
        {
            return (from, to);
        }
        let ends = self.curves.iter().filter_map(|curve| Some((*curve.series.x().first()?, *curve.series.x().last()?)));
        bounds.ahead(ends.reduce(|all, ends| (all.0.min(ends.0), all.1.max(ends.1))))
    }

    fn fit_y(&self, (from, to): (f64, f64), bounds: &mut Bounds) -> (f64, f64) {
        let levels = self.levels.iter().map(|level| Extent::of(level.y as f32));
        let curves = self.curves.iter().map(|curve| {
            let values = if curve.shown == Shown::Smoothed { Values::Smoothed } else { Values::Raw };
            let range = curve.series.within(from, to);
            if self.without_outliers { curve.series.usual(values, range) } else { curve.series.extent(values, range) }
        });
        bounds.around(curves.chain(levels).fold(Extent::EMPTY, Extent::join), self.scale)
    }

    /// Whether an x lies in the window.
    fn column(mapping: &Mapping, x: f64, area: Rect) -> Option<u16> {
        let inside = mapping.x.0 <= x && x <= mapping.x.1;
        inside.then(|| area.x + mapping.column(x, usize::from(area.width)) as u16)
    }

    fn row(mapping: &Mapping, y: f64, area: Rect) -> Option<u16> {
        let up = mapping.up(y);
        let drawable = y.is_finite() && (mapping.scale == Scale::Linear || y > 0.0);
        (drawable && (-1e-9..=1.0 + 1e-9).contains(&up)).then(|| area.y + mapping.cell_row(up, area.height))
    }

    /// The rules to draw, what matters most last, with their columns.
    fn rules(&self, mapping: &Mapping, area: Rect) -> Vec<(u16, Happening)> {
        let mut drawn = Vec::new();
        for kind in Happening::ALL {
            let of_kind = self.rules.iter().filter(|rule| rule.kind == kind);
            let mut columns: Vec<u16> = of_kind.filter_map(|rule| Self::column(mapping, rule.x, area)).collect();
            columns.sort_unstable();
            columns.dedup();
            if columns.len() <= usize::from(area.width / 6).max(1) {
                drawn.extend(columns.into_iter().map(|column| (column, kind)));
            }
        }
        drawn
    }

    fn draw_lines(&self, area: Rect, buf: &mut Buffer, palette: Palette, mapping: &Mapping) {
        let style = palette.style(Role::Rule);
        for row in self.levels.iter().filter_map(|level| Self::row(mapping, level.y, area)) {
            for column in area.left()..area.right() {
                buf[(column, row)].set_symbol(palette.glyph(Glyph::DashHorizontal)).set_style(style);
            }
        }
        for (column, _) in self.rules(mapping, area) {
            for row in area.top()..area.bottom() {
                buf[(column, row)].set_symbol(palette.glyph(Glyph::DashVertical)).set_style(style);
            }
        }
        if let Some(column) = self.crosshair.and_then(|x| Self::column(mapping, x, area)) {
            for row in area.top()..area.bottom() {
                buf[(column, row)].reset();
                buf[(column, row)].set_symbol(palette.glyph(Glyph::Vertical)).set_style(palette.style(Role::Accent));
            }
        }
    }

    fn draw_curves(&self, area: Rect, buf: &mut Buffer, palette: Palette, mapping: &Mapping) {
        let mut canvas = Canvas::new(area.width, area.height, palette.braille());
        let mut draw = |curve: &Curve<'_>, values, style: Style, mark: &str| {
            canvas.clear();
            columns::draw(&mut canvas, curve.series, values, *mapping);
            canvas.paint(area, buf, style, mark);
        };
        for curve in self.curves.iter().filter(|curve| curve.shown == Shown::Both) {
            let style = palette.series(curve.index).patch(palette.style(Role::Faint));
            draw(curve, Values::Raw, style, palette.glyph(Glyph::FaintMark));
        }
        for curve in self.curves {
            let values = if curve.shown == Shown::Raw { Values::Raw } else { Values::Smoothed };
            draw(curve, values, palette.series(curve.index), self.mark(curve, palette));
        }
    }

    /// What stands for a dot of a curve in ASCII.
    fn mark(&self, curve: &Curve<'_>, palette: Palette) -> &'static str {
        if self.curves.len() > 1 { palette.series_mark(curve.index) } else { palette.glyph(Glyph::Mark) }
    }

    /// Where the crosshair meets a curve, the cell is the cursor.
    fn draw_crosshair(&self, area: Rect, buf: &mut Buffer, palette: Palette, mapping: &Mapping) {
        let Some(column) = self.crosshair.and_then(|x| Self::column(mapping, x, area)) else { return };
        for row in area.top()..area.bottom() {
            let cell = &mut buf[(column, row)];
            if cell.symbol() != palette.glyph(Glyph::Vertical) {
                cell.set_style(palette.style(Role::Cursor));
            }
        }
    }

    fn draw_labels(&self, area: Rect, buf: &mut Buffer, palette: Palette, mapping: &Mapping) {
        for curve in self.curves {
            self.draw_end(curve, area, buf, palette, mapping);
        }
        for level in self.levels {
            let Some(row) = Self::row(mapping, level.y, area) else { continue };
            let wide = level.label.width() as u16;
            if wide == 0 || wide + 2 > area.width {
                continue;
            }
            // The rightmost stretch without a curve; if there is none, the curves can spare the right end.
            let free = |start: u16| (start..start + wide + 2).all(|column| is_free(buf, (column, row).into(), palette));
            let last = area.right() - wide - 2;
            let start = (area.left()..=last).rev().find(|start| free(*start)).unwrap_or(last);
            buf.set_string(start, row, format!(" {} ", level.label), Style::reset().patch(palette.style(Role::Dim)));
        }
    }

    /// Names a curve behind its newest point: by its letter where colours cannot, by its label where asked to.
    fn draw_end(&self, curve: &Curve<'_>, area: Rect, buf: &mut Buffer, palette: Palette, mapping: &Mapping) {
        let values = if curve.shown == Shown::Raw { Values::Raw } else { Values::Smoothed };
        let range = curve.series.within(mapping.x.0, mapping.x.1);
        let y = curve.series.values(values)[range.clone()].iter().rposition(|y| y.is_finite());
        let Some(index) = y.map(|last| range.start + last) else { return };
        let place = Self::column(mapping, curve.series.x()[index], area);
        let up = mapping.up(f64::from(curve.series.values(values)[index]));
        let (Some(column), row) = (place, area.y + mapping.cell_row(up, area.height)) else { return };
        // Dots cannot tell curves apart without colour; letters for dots can.
        let lettered = self.curves.len() > 1 && palette.depth == Depth::Mono && palette.charset == Charset::Utf8;
        let mark = if lettered { palette.series_mark(curve.index) } else { "" };
        let label = if self.name_ends { curve.label } else { "" };
        let text = [mark, label].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let style = Style::reset().patch(palette.series(curve.index));
        let wide = text.width() as u16;
        let fits = u32::from(column) + 2 + u32::from(wide) <= u32::from(area.right());
        if wide > 0 && fits && (column + 1..column + 2 + wide).all(|at| is_free(buf, (at, row).into(), palette)) {
            buf.set_string(column + 2, row, text, style);
            buf[(column + 1, row)].reset();
        } else if lettered {
            buf.set_string((column + 1).min(area.right() - 1), row, mark, style);
        }
    }
}

/// Whether nothing but dashes would be lost in a cell.
fn is_free(buf: &Buffer, at: Position, palette: Palette) -> bool {
    let dashes = [Glyph::DashHorizontal, Glyph::DashVertical].map(|glyph| palette.glyph(glyph));
    let symbol = buf[at].symbol();
    symbol == " " || dashes.contains(&symbol)
}

#[cfg(test)]
mod tests;
