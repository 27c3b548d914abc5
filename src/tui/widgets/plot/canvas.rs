//! A grid of dots over cells: two by four to a cell in Braille, one to a cell in ASCII.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Dots of one curve, before they become cells.
pub(super) struct Canvas {
    /// Cells.
    columns: usize,
    /// One byte a cell: the bits of U+2800.
    cells: Vec<u8>,
    braille: bool,
}

/// The bit of each dot of a cell, row by row (Unicode 16, block 2800).
const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    /// An empty canvas over `columns` by `rows` cells.
    pub(super) fn new(columns: u16, rows: u16, braille: bool) -> Self {
        let columns = usize::from(columns);
        Self { columns, cells: vec![0; columns * usize::from(rows)], braille }
    }

    /// Dots across.
    pub(super) fn width(&self) -> usize {
        self.columns * if self.braille { 2 } else { 1 }
    }

    /// Dots down.
    pub(super) fn height(&self) -> usize {
        self.cells.len() / self.columns.max(1) * if self.braille { 4 } else { 1 }
    }

    /// Wipes all dots.
    pub(super) fn clear(&mut self) {
        self.cells.fill(0);
    }

    /// A dot; outside, nothing.
    pub(super) fn dot(&mut self, x: usize, y: usize) {
        let (column, row, bit) = if self.braille { (x / 2, y / 4, BITS[y % 4][x % 2]) } else { (x, y, 1) };
        if column < self.columns
            && let Some(cell) = self.cells.get_mut(row * self.columns + column)
        {
            *cell |= bit;
        }
    }

    /// All dots of a column between two rows, both included.
    pub(super) fn span(&mut self, x: usize, from: usize, to: usize) {
        for y in from.min(to)..=from.max(to) {
            self.dot(x, y);
        }
    }

    /// A straight line, both ends included.
    pub(super) fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let (dx, dy) = (to.0 as f64 - from.0 as f64, to.1 as f64 - from.1 as f64);
        let steps = dx.abs().max(dy.abs());
        for step in 0..=steps as usize {
            let share = if steps > 0.0 { step as f64 / steps } else { 0.0 };
            // Both ends are on the canvas, so are the places between.
            self.dot((from.0 as f64 + dx * share).round() as usize, (from.1 as f64 + dy * share).round() as usize);
        }
    }

    /// Replaces the cells that have dots; `mark` stands for a dot in ASCII.
    pub(super) fn paint(&self, area: Rect, buf: &mut Buffer, style: Style, mark: &str) {
        for (index, bits) in self.cells.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            let at = (area.x + (index % self.columns) as u16, area.y + (index / self.columns) as u16);
            if let Some(cell) = buf.cell_mut(at) {
                cell.reset();
                cell.set_style(style);
                if self.braille {
                    cell.set_char(char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' '));
                } else {
                    cell.set_symbol(mark);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_become_cells() {
        let mut canvas = Canvas::new(2, 1, true);
        assert_eq!((canvas.width(), canvas.height()), (4, 4));
        canvas.line((0, 0), (3, 3));
        canvas.dot(9, 9);
        let area = Rect::new(0, 0, 2, 1);
        let mut buf = Buffer::empty(area);
        canvas.paint(area, &mut buf, Style::new(), "*");
        assert_eq!((buf[(0, 0)].symbol(), buf[(1, 0)].symbol()), ("⠑", "⢄"));
        canvas.clear();
        canvas.span(3, 3, 0);
        canvas.paint(area, &mut buf, Style::new(), "*");
        assert_eq!((buf[(0, 0)].symbol(), buf[(1, 0)].symbol()), ("⠑", "⢸"), "untouched cells stay");
        let mut canvas = Canvas::new(2, 1, false);
        canvas.span(1, 0, 0);
        canvas.paint(area, &mut buf, Style::new(), "*");
        assert_eq!((buf[(0, 0)].symbol(), buf[(1, 0)].symbol()), ("⠑", "*"));
    }
}
