//! Text with its token boundaries, laid out by our own cells.
//!
//! A token may begin inside a character, and spans of a styled line cannot say so: text is cut into graphemes once, and
//! tokens are mapped onto their cells. The pieces of a split word are told apart by underlining every other one; a word
//! that is one token stays plain, so that what is split stands out and little goes over the wire. White space is never
//! underlined, and text that no token covers is dim.
//!
//! Right-to-left text is laid out in logical order, each grapheme in its own cells, the first at the left: a terminal
//! that reorders lines itself shows it its own way. Control and direction characters are symbols (see
//! [`symbols`](super::symbols)), so that nothing of a document can drive the terminal.
//!
//! The widget knows text and byte ranges, no tokenizer.

mod wrap;

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::symbols::{CARRIER, symbol, visible};
use crate::tui::palette::{Charset, Depth, Glyph, Palette, Role};

/// How tokens are laid out: what changes with the terminal rather than with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which symbols stand for what cannot be shown.
    pub charset: Charset,
    /// Whether a dot stands between the pieces of a word: where underlining may be missing.
    pub dots: bool,
    /// Bytes of text that are laid out; what comes after is named in a last line.
    pub limit: usize,
}

impl Options {
    /// What a palette calls for: dots without colour or in ASCII; up to 256 KiB of text.
    pub fn of(palette: &Palette) -> Self {
        let dots = palette.depth == Depth::Mono || palette.charset == Charset::Ascii;
        Self { charset: palette.charset, dots, limit: 256 << 10 }
    }
}

/// A token boundary inside a character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The bytes of the character.
    pub range: Range<usize>,
    /// The tokens that have part of it.
    pub tokens: Range<usize>,
    /// Its line in the layout.
    pub line: usize,
}

/// A text laid out in lines of a width, with its tokens; made once, drawn often.
///
/// Making it takes time and memory linear in the text, at most [`Options::limit`] bytes of it; drawing takes what the
/// rectangle holds.
#[derive(Debug, Clone)]
pub struct TokenLayout {
    text: String,
    spans: Vec<Range<usize>>,
    cells: Vec<Cell>,
    /// The cells of each line.
    lines: Vec<Range<usize>>,
    /// The cells of each token: neighbours share the cell of a character that is cut.
    homes: Vec<Range<usize>>,
    cuts: Vec<Cut>,
    left_out: usize,
    options: Options,
}

impl TokenLayout {
    /// Lays out a text, wrapped at white space to `width` cells; longer words are broken.
    ///
    /// `spans` are the byte ranges of the tokens, ascending and not overlapping; an empty one stands for a token that
    /// covers nothing. What is out of place is clamped.
    pub fn new(text: &str, spans: &[Range<usize>], width: u16, options: Options) -> Self {
        wrap::lay_out(text, spans, width, options)
    }

    /// How many lines there are to scroll through, the note about text left out included.
    pub fn lines(&self) -> usize {
        self.lines.len() + usize::from(self.left_out > 0)
    }

    /// How many bytes of the text were not laid out.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The line that a token begins in; none for tokens of text that was not laid out.
    pub fn line_of_token(&self, token: usize) -> Option<usize> {
        self.place(token).map(|(line, _)| line)
    }

    /// The token at a column of a line, or else the nearest to its left, or else the first of the line.
    pub fn token_at(&self, line: usize, column: u16) -> Option<usize> {
        let cells = &self.cells[self.lines.get(line)?.clone()];
        let held = || cells.iter().filter_map(|cell| Some((cell.column, cell.token?)));
        let left = held().take_while(|(at, _)| *at <= column).last();
        left.or_else(|| held().next()).map(|(_, token)| token as usize)
    }

    /// The token above one, in the nearest line that has any.
    pub fn token_above(&self, token: usize) -> Option<usize> {
        let (line, column) = self.place(token)?;
        (0..line).rev().find_map(|line| self.token_at(line, column))
    }

    /// The token below one, in the nearest line that has any.
    pub fn token_below(&self, token: usize) -> Option<usize> {
        let (line, column) = self.place(token)?;
        (line + 1..self.lines.len()).find_map(|line| self.token_at(line, column).filter(|found| *found > token))
    }

    /// The token boundaries inside characters, in order.
    pub fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// The text of a token that is not whole characters, with the bytes of the broken ones: `c<e2 80>`. None for tokens of
    /// whole characters.
    pub fn half_characters(&self, token: usize) -> Option<String> {
        let range = self.spans.get(token)?;
        if self.text.is_char_boundary(range.start) && self.text.is_char_boundary(range.end) {
            return None;
        }
        let palette = Palette { charset: self.options.charset, ..Palette::PLAINEST };
        let mut shown = String::new();
        for chunk in self.text.as_bytes().get(range.clone())?.utf8_chunks() {
            shown.push_str(&visible(chunk.valid(), &palette));
            let bytes: Vec<String> = chunk.invalid().iter().map(|byte| format!("{byte:02x}")).collect();
            if bytes.is_empty() {
                continue;
            }
            // Bytes that continue each other are one group, though each is invalid by itself.
            match shown.strip_suffix('>').filter(|_| chunk.valid().is_empty()) {
                Some(before) => shown = format!("{before} {}>", bytes.join(" ")),
                None => shown.push_str(&format!("<{}>", bytes.join(" "))),
            }
        }
        Some(shown)
    }

    /// Draws the lines from `scroll` on. The cells of the token under the cursor are [`Role::Cursor`]; one that has no
    /// cell of its own shows in the cell before it.
    pub fn render(&self, area: Rect, buffer: &mut Buffer, palette: &Palette, cursor: Option<usize>, scroll: usize) {
        let area = area.intersection(buffer.area);
        let lit = cursor.and_then(|token| self.homes.get(token).cloned()).unwrap_or_default();
        let styles = Styles::of(*palette);
        for (y, line) in (area.top()..area.bottom()).zip(scroll..self.lines()) {
            let Some(cells) = self.lines.get(line) else {
                let note = format!("{} {} more bytes", palette.glyph(Glyph::Ellipsis), self.left_out);
                buffer.set_stringn(area.x, y, note, usize::from(area.width), palette.style(Role::Dim));
                continue;
            };
            for index in cells.clone() {
                let cell = &self.cells[index];
                if cell.column.saturating_add(u16::from(cell.width)) > area.width {
                    break;
                }
                if cell.kind == Kind::Swallowed {
                    continue;
                }
                let x = area.x + cell.column;
                let style = if lit.contains(&index) { styles.lit(cell) } else { styles.of_cell(cell) };
                self.draw(cell, &mut buffer[(x, y)], *palette);
                buffer[(x, y)].set_style(style);
                for covered in x + 1..x + u16::from(cell.width) {
                    buffer[(covered, y)].reset();
                }
            }
        }
    }

    fn draw(&self, cell: &Cell, target: &mut ratatui::buffer::Cell, palette: Palette) {
        let text = &self.text[cell.range()];
        match cell.kind {
            Kind::Blank if text.is_ascii() => target.set_symbol(" "),
            Kind::Text | Kind::Blank | Kind::Swallowed => target.set_symbol(text),
            Kind::Carried => target.set_symbol(&format!("{CARRIER}{text}")),
            Kind::Symbol(nth) => {
                let shown = text.chars().next().map(|c| symbol(c, self.options.charset)).unwrap_or_default();
                target.set_char(shown.chars().nth(usize::from(nth)).unwrap_or(' '))
            }
            Kind::Dot => target.set_symbol(palette.glyph(Glyph::Dot)),
            Kind::TooWide => target.set_symbol(palette.glyph(Glyph::Ellipsis)),
        };
    }

    /// The line and column of a token's first cell.
    fn place(&self, token: usize) -> Option<(usize, u16)> {
        let first = self.homes.get(token).filter(|home| !home.is_empty())?.start;
        let line = self.lines.partition_point(|line| line.end <= first);
        Some((line, self.cells[first].column))
    }
}

/// What a cell of the layout holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A grapheme.
    Text,
    /// White space.
    Blank,
    /// A mark on a dotted circle.
    Carried,
    /// The n-th character of a symbol.
    Symbol(u8),
    /// The dot between two pieces of a word.
    Dot,
    /// Stands for a grapheme wider than the rectangle.
    TooWide,
    /// A blank where a line was wrapped: not drawn.
    Swallowed,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    start: u32,
    length: u8,
    kind: Kind,
    /// Cells that must stay together with this one and begin at it; 0 inside such a group.
    together: u8,
    width: u8,
    column: u16,
    /// The token that has its first bytes.
    token: Option<u32>,
    /// Whether it belongs to the second, fourth, … piece of its word.
    odd: bool,
    cut: bool,
}

impl Cell {
    fn range(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.length)
    }
}

/// The styles of a page, asked for once.
struct Styles {
    even: Style,
    odd: Style,
    symbol: Style,
    cut: Style,
    dim: Style,
    cursor: Style,
}

impl Styles {
    fn of(palette: Palette) -> Self {
        Self {
            even: palette.style(Role::TokenEven),
            odd: palette.style(Role::TokenOdd),
            symbol: palette.style(Role::Symbol),
            cut: palette.style(Role::Cut),
            dim: palette.style(Role::Dim),
            cursor: palette.style(Role::Cursor),
        }
    }

    fn of_cell(&self, cell: &Cell) -> Style {
        let piece = if cell.odd { self.odd } else { self.even };
        match cell.kind {
            _ if cell.cut => self.cut,
            Kind::Symbol(_) | Kind::Carried => self.symbol.patch(piece),
            Kind::Dot => self.dim,
            Kind::Blank | Kind::Swallowed => self.even,
            Kind::Text | Kind::TooWide if cell.token.is_none() => self.dim,
            Kind::Text | Kind::TooWide => piece,
        }
    }

    fn lit(&self, cell: &Cell) -> Style {
        if cell.cut { self.cut.patch(self.cursor) } else { self.cursor }
    }
}

#[cfg(test)]
mod tests;
