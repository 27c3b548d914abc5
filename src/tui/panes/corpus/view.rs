//! Where everything goes: documents at the left, the passage at the right, gauges below.

use std::rc::Rc;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::CorpusPane;
use crate::tui::keymap::{Action, Context};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::Shared;
use crate::tui::widgets::line::{put, wrap};
use crate::tui::widgets::symbols::visible;
use crate::tui::widgets::token_view::TokenLayout;
use crate::tui::workers::corpus::About;

/// From so many columns on, documents and passage stand beside each other.
const BESIDE: u16 = 64;

/// What was drawn where, for the mouse.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    area: Rect,
    rows: Rect,
    first_row: usize,
    pub(super) tokens: Vec<(String, Rect, usize, Rc<TokenLayout>)>,
}

/// What was clicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hit {
    /// A place in the list.
    Row(usize),
    /// A token of a tokenizer.
    Token(String, usize),
}

impl Drawn {
    /// What lies at a cell of the pane.
    pub(super) fn hit(&self, x: u16, y: u16) -> Option<Hit> {
        let (x, y) = (self.area.x.saturating_add(x), self.area.y.saturating_add(y));
        if self.rows.contains(Position { x, y }) {
            return Some(Hit::Row(self.first_row + usize::from(y - self.rows.y)));
        }
        let (slot, area, scroll, layout) = self.tokens.iter().find(|(_, area, ..)| area.contains(Position { x, y }))?;
        let token = layout.token_at(scroll + usize::from(y - area.y), x - area.x)?;
        Some(Hit::Token(slot.clone(), token))
    }
}

pub(super) fn view(pane: &CorpusPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let mut drawn = Drawn { area, ..Drawn::default() };
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    if pane.corpus.is_none() {
        draw_nothing(pane, inner, buffer, shared);
    } else {
        draw_all(pane, inner, buffer, shared, &mut drawn);
    }
    *pane.drawn.borrow_mut() = drawn;
}

fn draw_all(pane: &CorpusPane, area: Rect, buffer: &mut Buffer, shared: &Shared, drawn: &mut Drawn) {
    let palette = &shared.palette;
    let gauges = pane.gauge_lines(area, shared);
    let top = Rect { height: area.height - gauges.min(area.height) - u16::from(gauges > 0), ..area };
    let mut tee = None;
    if area.width >= BESIDE {
        let left = Rect { width: (area.width * 7 / 20).clamp(24, 44), ..top };
        let right = Rect { x: left.right() + 3, width: top.width - left.width - 3, ..top };
        let x = left.right() + 1;
        for y in top.y..top.bottom() {
            put(buffer, x, y, 1, palette.glyph(Glyph::Vertical), palette.style(Role::Dim), palette);
        }
        tee = Some(x);
        (drawn.rows, drawn.first_row) = pane.draw_list(left, buffer, shared);
        pane.draw_right(right, buffer, shared, drawn);
    } else {
        let above = Rect { height: (top.height / 4).max(3).min(top.height), ..top };
        let below = Rect { y: above.bottom() + 1, height: top.height.saturating_sub(above.height + 1), ..top };
        (drawn.rows, drawn.first_row) = pane.draw_list(above, buffer, shared);
        rule(above.bottom(), area, None, buffer, palette);
        pane.draw_right(below, buffer, shared, drawn);
    }
    if gauges > 0 {
        rule(top.bottom(), area, tee, buffer, palette);
        pane.draw_gauges(area, buffer, shared);
    }
}

fn rule(y: u16, area: Rect, tee: Option<u16>, buffer: &mut Buffer, palette: &Palette) {
    let line = palette.glyph(Glyph::Horizontal).repeat(usize::from(area.width));
    put(buffer, area.x, y, area.width, &line, palette.style(Role::Dim), palette);
    if let Some(x) = tee {
        put(buffer, x, y, 1, palette.glyph(Glyph::TeeUp), palette.style(Role::Dim), palette);
    }
}

/// What is said where no corpus is open.
fn draw_nothing(pane: &CorpusPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let none = shared.artifacts.read && shared.artifacts.corpora.is_empty() && shared.artifacts.problems.is_empty();
    let (title, text) = match pane.problems.get(&About::Corpus) {
        _ if none => {
            let start = shared.keymap.key(Context::Corpus, Action::New).unwrap_or_default();
            ("No documents yet", format!("`lapidary corpus refresh` reads them; {start} starts that from here."))
        }
        Some(problem) => ("The documents cannot be shown", visible(problem, palette).into_owned()),
        None => ("", format!("reading the documents{}", palette.glyph(Glyph::Ellipsis))),
    };
    let mut y = area.y + 1;
    if !title.is_empty() {
        put(buffer, area.x, y, area.width, title, palette.style(Role::Title), palette);
        y += 2;
    }
    let style = palette.style(if title.is_empty() { Role::Dim } else { Role::Text });
    for line in wrap(&text, usize::from(area.width.min(90))) {
        put(buffer, area.x, y, area.width, &line, style, palette);
        y += 1;
        if y >= area.bottom() {
            break;
        }
    }
}
