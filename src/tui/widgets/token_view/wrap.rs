//! From text and byte ranges to lines of cells.

use std::ops::Range;

use ratatui::buffer::CellWidth;

use super::{Cell, Cut, Kind, Options, TokenLayout};
use crate::tui::palette::{Glyph, Palette};
use crate::tui::widgets::symbols::{Shown, pieces, symbol};

pub(super) fn lay_out(text: &str, spans: &[Range<usize>], width: u16, options: Options) -> TokenLayout {
    // Cells count bytes in 32 bits.
    let limit = text.floor_char_boundary(options.limit.min(u32::MAX as usize));
    let mut reached = 0;
    let ordered = spans.iter().map(|span| {
        let start = span.start.clamp(reached, text.len());
        reached = span.end.clamp(start, text.len());
        start..reached
    });
    let mut layout = TokenLayout {
        spans: ordered.collect(),
        text: text[..limit].to_owned(),
        cells: Vec::new(),
        lines: Vec::new(),
        homes: Vec::new(),
        cuts: Vec::new(),
        left_out: text.len() - limit,
        options,
    };
    if width == 0 {
        layout.homes = vec![0..0; spans.len()];
        return layout;
    }
    let mut wrap = Wrap::new(&layout, width);
    pieces(&layout.text, options.charset, |range, shown| wrap.piece(range, shown));
    wrap.finish();
    let Wrap { cells, lines, mut homes, cuts, .. } = wrap;
    settle(&cells, &mut homes, &layout.spans, layout.text.len());
    layout.cuts = cuts
        .into_iter()
        .map(|(cell, range, tokens)| Cut { range, tokens, line: lines.partition_point(|line| line.end <= cell) })
        .collect();
    (layout.cells, layout.lines, layout.homes) = (cells, lines, homes);
    layout
}

/// Gives every token of the text laid out a cell to show its cursor in.
fn settle(cells: &[Cell], homes: &mut [Range<usize>], spans: &[Range<usize>], laid_out: usize) {
    let mut before = 0;
    for (home, span) in homes.iter_mut().zip(spans) {
        if Range::is_empty(home) && span.is_empty() && span.start <= laid_out && !cells.is_empty() {
            *home = before..before + 1;
        }
        if cells[home.clone()].iter().all(|cell| cell.kind == Kind::Swallowed)
            && home.start > 0
            && !Range::is_empty(home)
        {
            home.start -= 1;
        }
        before = home.end.max(before + 1) - 1;
    }
}

/// Lines that grow piece by piece. A word waits until it is known whether the line has room for all of it.
struct Wrap<'l> {
    layout: &'l TokenLayout,
    width: u16,
    dot_width: u8,
    cells: Vec<Cell>,
    lines: Vec<Range<usize>>,
    homes: Vec<Range<usize>>,
    /// The index of a cell, the bytes of its character, the tokens that have part of it.
    cuts: Vec<(usize, Range<usize>, Range<usize>)>,
    /// The first cell of the line, and where its next one goes.
    line: usize,
    column: u16,
    /// The first cell of the word, and how wide it is so far.
    word: usize,
    word_width: u16,
    /// Whether the word is wider than a line: its cells wait no longer.
    broken: bool,
    /// The first token that may have part of the next piece.
    token: usize,
    /// The last token of the word so far, and whether it is underlined.
    last: Option<usize>,
    odd: bool,
}

impl<'l> Wrap<'l> {
    fn new(layout: &'l TokenLayout, width: u16) -> Self {
        let dot = Palette { charset: layout.options.charset, ..Palette::PLAINEST }.glyph(Glyph::Dot);
        Self {
            layout,
            width,
            dot_width: dot.cell_width() as u8,
            cells: Vec::with_capacity(layout.text.len()),
            lines: Vec::new(),
            homes: vec![0..0; layout.spans.len()],
            cuts: Vec::new(),
            line: 0,
            column: 0,
            word: 0,
            word_width: 0,
            broken: false,
            token: 0,
            last: None,
            odd: false,
        }
    }

    fn piece(&mut self, range: Range<usize>, shown: Shown) {
        let content = &self.layout.text[range.clone()];
        let white = content.chars().all(char::is_whitespace);
        let (tokens, cut) = self.tokens_in(&range);
        let grown = self.cells.len();
        if white {
            self.end_word();
            (self.last, self.odd) = (None, false);
        } else if let Some((first, _)) = tokens {
            self.begin_piece_of_word(first, range.start);
        }
        let from = self.cells.len();
        self.add_cells(&range, shown, white, tokens.map(|(first, _)| first as u32), cut);
        if let Some((first, last)) = tokens {
            for token in (first..=last).filter(|token| !self.layout.spans[*token].is_empty()) {
                let home = &mut self.homes[token];
                *home = if Range::is_empty(home) { from } else { home.start }..self.cells.len();
            }
            if cut {
                self.cuts.push((from, range, first..last + 1));
            }
            if !white {
                // What follows a cut character belongs to the last token in it.
                self.last = Some(last);
                self.odd ^= first != last;
            }
        }
        if white {
            self.place(from..self.cells.len());
            self.word = self.cells.len();
            if content == "\n" {
                self.end_line(self.cells.len());
            }
        } else {
            self.grow_word(grown);
        }
    }

    /// The first and the last token that have part of some bytes, and whether a boundary lies inside them.
    fn tokens_in(&mut self, range: &Range<usize>) -> (Option<(usize, usize)>, bool) {
        let spans = &self.layout.spans;
        while spans.get(self.token).is_some_and(|span| span.end <= range.start) {
            self.token += 1;
        }
        let (mut tokens, mut cut) = (None, false);
        let near = spans.iter().enumerate().skip(self.token).take_while(|(_, span)| span.start < range.end);
        for (index, span) in near.filter(|(_, span)| !span.is_empty()) {
            tokens = Some((tokens.map_or(index, |(first, _)| first), index));
            cut |= span.start > range.start || span.end < range.end;
        }
        (tokens, cut)
    }

    /// Alternates where a word goes on with another token.
    fn begin_piece_of_word(&mut self, token: usize, start: usize) {
        if self.last.is_none_or(|last| last == token) {
            return;
        }
        self.odd = !self.odd;
        if self.layout.options.dots {
            let (start, width) = (start as u32, self.dot_width);
            let kind = Kind::Dot;
            let dot =
                Cell { start, length: 0, kind, together: width, width, column: 0, token: None, odd: false, cut: false };
            self.cells.push(dot);
        }
    }

    fn add_cells(&mut self, range: &Range<usize>, shown: Shown, white: bool, token: Option<u32>, cut: bool) {
        let content = &self.layout.text[range.clone()];
        let odd = self.odd;
        let cell = |kind, width: u8, together: u8| Cell {
            start: range.start as u32,
            length: content.len() as u8,
            kind,
            together,
            width,
            column: 0,
            token,
            odd,
            cut,
        };
        match shown {
            Shown::AsIs => {
                let width = content.cell_width();
                let kind = if white { Kind::Blank } else { Kind::Text };
                let fits = width <= self.width.min(u16::from(u8::MAX));
                let width = width as u8;
                self.cells.push(if fits { cell(kind, width, width) } else { cell(Kind::TooWide, 1, 1) });
            }
            Shown::Carried => self.cells.push(cell(Kind::Carried, 1, 1)),
            Shown::Symbol(c) => {
                let all = symbol(c, self.layout.options.charset).chars().count() as u8;
                self.cells.extend((0..all).map(|nth| cell(Kind::Symbol(nth), 1, if nth == 0 { all } else { 0 })));
            }
        }
    }

    /// Takes the cells from `from` on into the word.
    fn grow_word(&mut self, from: usize) {
        if self.broken {
            return self.place(from..self.cells.len());
        }
        let more: u16 = self.cells[from..].iter().map(|cell| u16::from(cell.width)).sum();
        self.word_width = self.word_width.saturating_add(more);
        if self.word_width > self.width {
            // No line holds it: it fills this one and goes on in the next.
            self.broken = true;
            self.place(self.word..self.cells.len());
        }
    }

    fn end_word(&mut self) {
        if !self.broken {
            if self.column > 0 && self.column.saturating_add(self.word_width) > self.width {
                self.end_line(self.word);
            }
            self.place(self.word..self.cells.len());
        }
        (self.word, self.word_width, self.broken) = (self.cells.len(), 0, false);
    }

    /// Puts cells where the line goes on, or at the beginning of the next.
    fn place(&mut self, cells: Range<usize>) {
        for index in cells {
            let Cell { kind, together, width, .. } = self.cells[index];
            let over = |cells: u8| self.column.saturating_add(u16::from(cells)) > self.width;
            if over(width) && kind == Kind::Blank {
                // The blank at which a line is wrapped.
                let cell = &mut self.cells[index];
                (cell.kind, cell.width, cell.column) = (Kind::Swallowed, 0, self.column);
                self.end_line(index + 1);
                continue;
            }
            if self.column > 0 && (over(width) || (over(together) && u16::from(together) <= self.width)) {
                self.end_line(index);
            }
            self.cells[index].column = self.column;
            self.column += u16::from(width);
        }
    }

    /// Ends the line before a cell.
    fn end_line(&mut self, next: usize) {
        self.lines.push(self.line..next);
        (self.line, self.column) = (next, 0);
    }

    fn finish(&mut self) {
        self.end_word();
        if self.line < self.cells.len() {
            self.end_line(self.cells.len());
        }
    }
}
