//! The passage, and a text that was typed, split by the tokenizers that are shown.

use std::rc::Rc;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::list::cut_left;
use super::tokenizers::label_of;
use super::view::Drawn;
use super::{CorpusPane, token_at};
use crate::tui::keymap::{Action, Context};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::{Shared, thousands};
use crate::tui::widgets::line::{cut, put, put_field, put_parts, put_right, wrap};
use crate::tui::widgets::symbols::visible;
use crate::tui::widgets::token_view::{Options, TokenLayout};
use crate::tui::workers::corpus::{About, Split, Splits};

/// Layouts that are kept: of two tokenizers, for a passage and a typed text, and those before.
const KEPT: usize = 8;

/// Texts as they were laid out last: made once, drawn often.
#[derive(Debug, Default)]
pub(super) struct Layouts(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    text: Arc<str>,
    split: Option<Arc<Split>>,
    width: u16,
    options: Options,
    layout: Rc<TokenLayout>,
}

impl Layouts {
    /// A text laid out with its tokens, or plain where it is not split.
    pub(super) fn get(
        &mut self,
        text: &Arc<str>,
        split: Option<&Arc<Split>>,
        width: u16,
        options: Options,
    ) -> Rc<TokenLayout> {
        let same = |entry: &Entry| {
            let same_split = match (&entry.split, split) {
                (Some(kept), Some(split)) => Arc::ptr_eq(kept, split),
                (None, None) => true,
                _ => false,
            };
            same_split && Arc::ptr_eq(&entry.text, text) && entry.width == width && entry.options == options
        };
        if let Some(entry) = self.0.iter().find(|entry| same(entry)) {
            return Rc::clone(&entry.layout);
        }
        let spans: Vec<_> =
            split.map(|split| split.spans.iter().map(|span| span.range.clone()).collect()).unwrap_or_default();
        let layout = Rc::new(TokenLayout::new(text, &spans, width, options));
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        let (text, split) = (Arc::clone(text), split.cloned());
        self.0.push(Entry { text, split, width, options, layout: Rc::clone(&layout) });
        layout
    }
}

/// A text under one tokenizer.
struct Block<'s> {
    tokenizer: &'s str,
    label: String,
    split: Option<&'s Result<Arc<Split>, String>>,
    layout: Rc<TokenLayout>,
    cursor: Option<usize>,
    note: String,
}

impl Block<'_> {
    fn tokens(&self) -> Option<&Arc<Split>> {
        self.split?.as_ref().ok()
    }

    /// Its title line, and what is wrong with it or its text.
    fn lines(&self, width: u16) -> usize {
        match self.split {
            Some(Err(text)) => 1 + wrap(text, usize::from(width)).len().min(4),
            _ => 1 + self.layout.lines().max(1),
        }
    }

    fn draw(&self, area: Rect, buffer: &mut Buffer, palette: &Palette) -> (Rect, usize) {
        let name = visible(&self.label, palette);
        let count = self.tokens().map(|split| split.count());
        let right = match count {
            Some(count) if count.words > 0 => {
                format!("{} tokens   {:.2} a word", thousands(count.tokens), count.ratio())
            }
            Some(count) => format!("{} tokens", thousands(count.tokens)),
            None if self.split.is_none() => format!("loading the tokenizer{}", palette.glyph(Glyph::Ellipsis)),
            None => String::new(),
        };
        let room = area.width.saturating_sub(right.width() as u16 + 1);
        let parts = [
            (&*name, palette.style(Role::Title)),
            (if self.note.is_empty() { "" } else { "   " }, palette.style(Role::Dim)),
            (self.note.as_str(), palette.style(Role::Dim)),
        ];
        put_parts(buffer, area.x, area.y, room, &parts, palette);
        put_right(buffer, area.right(), area.y, area.width, &right, palette.style(Role::Dim), palette);
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        if let Some(Err(text)) = self.split {
            draw_problem(text, body, buffer, palette);
            return (Rect::ZERO, 0);
        }
        let height = usize::from(body.height);
        let line = self.cursor.and_then(|token| self.layout.line_of_token(token)).unwrap_or(0);
        let scroll = line.saturating_sub(height / 2).min(self.layout.lines().saturating_sub(height));
        self.layout.render(body, buffer, palette, self.cursor, scroll);
        (body, scroll)
    }
}

/// Draws what went wrong, in at most the lines of a place. Returns the lines used.
fn draw_problem(text: &str, area: Rect, buffer: &mut Buffer, palette: &Palette) -> u16 {
    let text = format!("{} {}", palette.glyph(Glyph::Failed), visible(text, palette));
    let lines = wrap(&text, usize::from(area.width));
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        put(buffer, area.x, y, area.width, line, palette.style(Role::Warning), palette);
    }
    (lines.len() as u16).min(area.height)
}

impl CorpusPane {
    /// Draws everything to the right of the list.
    pub(super) fn draw_right(&self, area: Rect, buffer: &mut Buffer, shared: &Shared, drawn: &mut Drawn) {
        let palette = &shared.palette;
        let airy = area.height >= 15;
        self.draw_heading(Rect { height: 1, ..area }, buffer, palette);
        let mut rest = below(area, 1);
        for about in [About::Corpus, About::Lines, About::Passage] {
            if let Some(text) = self.problems.get(&about) {
                let lines = if airy { 3 } else { 2 };
                rest =
                    below(rest, draw_problem(text, Rect { height: rest.height.min(lines), ..rest }, buffer, palette));
            }
        }
        if airy {
            rest = below(rest, 1);
        }
        if self.scratching || !self.scratch.is_empty() {
            rest = self.draw_scratch(rest, buffer, shared);
        }
        let Some(shown) = &self.shown else {
            let text = match (self.documents.is_empty(), self.problems.is_empty()) {
                (true, _) => "this corpus holds no documents".to_owned(),
                (false, true) => {
                    let far = match self.indexed {
                        (passages, false) if passages > 0 => format!("; {} found so far", thousands(passages as u64)),
                        _ => String::new(),
                    };
                    format!("reading the passage{}{far}", palette.glyph(Glyph::Ellipsis))
                }
                (false, false) => return,
            };
            put(buffer, rest.x, rest.y, rest.width, &text, palette.style(Role::Dim), palette);
            return;
        };
        let detail = self.detail(rest.width, shared);
        let most = (usize::from(rest.height) * 2 / 5).max(2);
        let detail = super::detail::shortened(detail, most, palette);
        let below_text = detail.len() as u16 + u16::from(airy && !detail.is_empty());
        let text = Rect { height: rest.height.saturating_sub(below_text), ..rest };
        let byte = self.byte();
        let note = if shown.left_out > 0 {
            let whole = thousands((shown.text.len() + shown.left_out) as u64);
            format!("first {} of {whole} bytes", thousands(shown.text.len() as u64))
        } else {
            String::new()
        };
        let slots = self.shown_slots();
        let blocks: Vec<Block<'_>> = slots
            .iter()
            .enumerate()
            .map(|(nth, slot)| {
                let mut block = self.block(slot, &shown.text, &shown.splits, text.width, palette);
                block.cursor = match nth {
                    0 => block.tokens().map(|_| self.cursor),
                    _ => block.tokens().map(|split| token_at(split, byte)),
                };
                block.note.clone_from(&note);
                block
            })
            .collect();
        let used = draw_blocks(&blocks, text, airy, buffer, palette, |block, body, scroll| {
            drawn.tokens.push((block.tokenizer.to_owned(), body, scroll, Rc::clone(&block.layout)));
        });
        for (line, y) in detail.iter().zip(text.y + used + u16::from(airy)..) {
            let parts: Vec<(&str, ratatui::style::Style)> =
                line.iter().map(|(text, role)| (text.as_str(), palette.style(*role))).collect();
            put_parts(buffer, rest.x, y, rest.width, &parts, palette);
        }
    }

    fn block<'s>(
        &self,
        tokenizer: &'s str,
        text: &Arc<str>,
        splits: &'s Splits,
        width: u16,
        palette: &Palette,
    ) -> Block<'s> {
        let split = splits.iter().find(|(name, _)| name == tokenizer).map(|(_, split)| split);
        let tokens = split.and_then(|split| split.as_ref().ok());
        let layout = self.layouts.borrow_mut().get(text, tokens, width, Options::of(palette));
        Block { tokenizer, label: label_of(self, tokenizer), split, layout, cursor: None, note: String::new() }
    }

    /// Path, headings, which passage.
    fn draw_heading(&self, area: Rect, buffer: &mut Buffer, palette: &Palette) {
        let Some(shown) = &self.shown else { return };
        let Some(document) = self.documents.get(shown.place.document) else { return };
        let of = format!("passage {} of {}", shown.place.nth + 1, document.passages);
        put_right(buffer, area.right(), area.y, area.width, &of, palette.style(Role::Dim), palette);
        let room = usize::from(area.width).saturating_sub(of.width() + 3);
        let chevron = format!(" {} ", palette.glyph(Glyph::Chevron));
        // In retrieval sets a document is its title.
        let headings = shown.heading.iter().filter(|part| **part != document.path);
        let heading = headings.map(|part| chevron.clone() + &visible(part, palette)).collect::<String>();
        // The headings need a place too: a long path gives way from its left.
        let path = visible(&document.path, palette);
        let path = cut_left(&path, room.saturating_sub(heading.width()).max(room / 2), palette);
        let heading = cut(&heading, room.saturating_sub(path.width()), palette);
        let parts = [(path.as_str(), palette.style(Role::Title)), (heading.as_str(), palette.style(Role::Text))];
        put_parts(buffer, area.x, area.y, room as u16, &parts, palette);
    }

    /// A line to type in, and how the text in it is split.
    fn draw_scratch(&self, area: Rect, buffer: &mut Buffer, shared: &Shared) -> Rect {
        let palette = &shared.palette;
        let mark = format!("{} ", palette.glyph(Glyph::Chevron));
        let style = palette.style(if self.scratching { Role::Accent } else { Role::Dim });
        let used = put(buffer, area.x, area.y, 2, &mark, style, palette);
        put_field(
            buffer,
            area.x + used,
            area.y,
            area.width.saturating_sub(used),
            &self.scratch,
            self.scratching,
            palette,
        );
        if self.scratch.is_empty() {
            let leave = shared.keymap.key(Context::Corpus, Action::Back).unwrap_or_default();
            let text = format!("type a text; {leave} leaves");
            put(
                buffer,
                area.x + used + 2,
                area.y,
                area.width.saturating_sub(used + 2),
                &text,
                palette.style(Role::Dim),
                palette,
            );
            return below(area, 2);
        }
        let Some((text, splits)) = &self.scratched else { return below(area, 2) };
        let slots = self.shown_slots();
        let blocks: Vec<Block<'_>> =
            slots.iter().map(|slot| self.block(slot, text, splits, area.width, palette)).collect();
        let most = Rect { height: (area.height / 2).max(2), ..below(area, 1) };
        let used = draw_blocks(&blocks, most, false, buffer, palette, |_, _, _| {});
        let rest = below(area, used + 1);
        let rule = palette.glyph(Glyph::DashHorizontal).repeat(usize::from(area.width));
        put(buffer, rest.x, rest.y, rest.width, &rule, palette.style(Role::Rule), palette);
        below(rest, 1)
    }
}

/// What lies below the first lines of a place.
fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}

/// Draws texts under each other; where they do not all fit, each has its share. Returns the lines used.
fn draw_blocks(
    blocks: &[Block<'_>],
    area: Rect,
    airy: bool,
    buffer: &mut Buffer,
    palette: &Palette,
    mut each: impl FnMut(&Block<'_>, Rect, usize),
) -> u16 {
    let air = u16::from(airy);
    let between = air * (blocks.len() as u16).saturating_sub(1);
    let room = usize::from(area.height.saturating_sub(between));
    let wanted: Vec<usize> = blocks.iter().map(|block| block.lines(area.width)).collect();
    let mut y = area.y;
    let mut left = room;
    for (at, block) in blocks.iter().enumerate() {
        // What those behind it want, but for half of what is left where that is more than they may have.
        let behind: usize = wanted[at + 1..].iter().sum();
        let share = left / (blocks.len() - at);
        let height = wanted[at].min(left.saturating_sub(behind).max(share));
        if height == 0 {
            break;
        }
        let place = Rect { y, height: height as u16, ..area };
        let (body, scroll) = block.draw(place, buffer, palette);
        each(block, body, scroll);
        left -= height;
        y += height as u16 + air;
    }
    y.saturating_sub(area.y + air).min(area.height)
}
