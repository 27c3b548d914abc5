//! The documents by fragmentation, or the words that are split worst in their place.

use std::cmp::Ordering;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::CorpusPane;
use super::tokenizers::label_of;
use crate::tui::keymap::{Action, Context};
use crate::tui::list::ListState;
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::{Shared, thousands};
use crate::tui::widgets::line::{cut, put, put_field, put_right};
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::corpus::{Counts, WorstWord};

/// The orders of the documents.
pub(super) const ORDERS: [&str; 3] = ["by ratio", "by words", "by path"];
/// The orders of the words.
pub(super) const WORST_ORDERS: [&str; 4] = ["by cost", "by times", "by pieces", "by word"];

impl CorpusPane {
    fn counts_of_first(&self) -> Option<&Counts> {
        self.counts.get(self.first()?).map(AsRef::as_ref)
    }

    /// Tokens per word of a document, as far as it is counted.
    pub(super) fn ratio(&self, document: usize) -> Option<f64> {
        let count = self.counts_of_first()?.documents.get(document)?;
        (count.words > 0).then(|| count.ratio())
    }

    /// Chooses and orders the documents anew.
    pub(super) fn order(&mut self) {
        let mut list = std::mem::take(&mut self.list);
        let documents = &self.documents;
        let filter = filter_of(&list);
        let sort = list.sort;
        list.rebuild(
            documents.len(),
            |row| filter.passes(&documents[row].path),
            |a, b| match sort {
                0 => compare_ratios(self.ratio(a), self.ratio(b)),
                1 => documents[b].words.cmp(&documents[a].words),
                _ => documents[a].path.cmp(&documents[b].path),
            },
        );
        self.list = list;
    }

    /// Chooses and orders the words anew.
    pub(super) fn order_worst(&mut self) {
        let mut list = std::mem::take(&mut self.worst);
        let words = self.worst_words();
        let filter = filter_of(&list);
        let sort = list.sort;
        list.rebuild(
            words.len(),
            |row| filter.passes(&words[row].word),
            |a, b| {
                let (a, b) = (&words[a], &words[b]);
                match sort {
                    0 => b.cost().cmp(&a.cost()),
                    1 => b.count.cmp(&a.count),
                    2 => b.pieces.len().cmp(&a.pieces.len()),
                    _ => a.word.cmp(&b.word),
                }
            },
        );
        self.worst = list;
    }

    pub(super) fn worst_words(&self) -> &[WorstWord] {
        self.counts_of_first().map_or(&[], |counts| &counts.worst)
    }

    pub(super) fn worst_word(&self) -> Option<&WorstWord> {
        self.worst_words().get(self.worst.current()?)
    }

    /// Draws the list. Returns where its rows are and which place is the first.
    pub(super) fn draw_list(&self, area: Rect, buffer: &mut Buffer, shared: &Shared) -> (Rect, usize) {
        let palette = &shared.palette;
        let list = if self.shows_worst { &self.worst } else { &self.list };
        self.draw_title(area, buffer, palette);
        let filter = list.filtering || !list.filter.is_empty();
        let above = 1 + u16::from(self.shows_worst);
        let height = area.height.saturating_sub(above + u16::from(filter));
        let rows = Rect { y: area.y + above, height, ..area };
        if self.shows_worst {
            let heads = ["pcs", "times", "cost"].map(str::to_owned);
            let style = palette.style(Role::Dim);
            draw_columns("word", &heads, style, Rect { y: area.y + 1, height: 1, ..area }, buffer, palette);
        }
        let window = list.window(usize::from(height));
        let first = window.start;
        if list.is_empty() {
            self.draw_empty(rows, buffer, shared);
        }
        for (line, place) in window.enumerate() {
            let row = Rect { y: rows.y + line as u16, height: 1, ..rows };
            let here = place == list.position();
            let data = list.row(place);
            if self.shows_worst {
                self.draw_word(data, here, row, buffer, palette);
            } else {
                self.draw_document(data, here, row, buffer, palette);
            }
        }
        if filter {
            let y = area.bottom() - 1;
            put(buffer, area.x, y, 1, "/", palette.style(Role::Key), palette);
            put_field(buffer, area.x + 1, y, area.width.saturating_sub(1), &list.filter, list.filtering, palette);
        }
        (rows, first)
    }

    fn draw_title(&self, area: Rect, buffer: &mut Buffer, palette: &Palette) {
        let (what, count, order, down) = if self.shows_worst {
            ("WORST WORDS", self.worst.len(), WORST_ORDERS[self.worst.sort % 4], self.worst.sort < 3)
        } else {
            ("DOCUMENTS", self.list.len(), ORDERS[self.list.sort % 3], self.list.sort < 2)
        };
        let mut text = what.to_owned();
        if count > 0 {
            text.push_str(&format!(" {}", thousands(count as u64)));
        }
        let used = put(buffer, area.x, area.y, area.width, &text, palette.style(Role::Title), palette);
        let counting = self.counts_of_first().filter(|counts| !counts.complete && counts.total > 0);
        let room = usize::from(area.width.saturating_sub(used + 1));
        let note = match counting.map(|counts| format!("counting {} %", counts.done * 100 / counts.total)) {
            Some(note) if note.width() <= room => note,
            Some(note) => note.trim_start_matches("counting ").to_owned(),
            None if down => format!("{order} {}", palette.glyph(Glyph::Down)),
            None => order.to_owned(),
        };
        if room >= note.width() {
            put_right(buffer, area.right(), area.y, area.width - used, &note, palette.style(Role::Dim), palette);
        }
    }

    fn draw_empty(&self, area: Rect, buffer: &mut Buffer, shared: &Shared) {
        let palette = &shared.palette;
        let list = if self.shows_worst { &self.worst } else { &self.list };
        let clear = shared.keymap.key(Context::Corpus, Action::Back).unwrap_or_default();
        let text = match self.counts_of_first() {
            _ if !list.filter.is_empty() => format!("nothing like that; {clear} clears the filter"),
            _ if !self.shows_worst => return,
            Some(counts) if counts.complete => "every word is one token".to_owned(),
            _ => format!(
                "counting with {} first",
                visible(&self.first().map(|first| label_of(self, first)).unwrap_or_default(), palette)
            ),
        };
        put(buffer, area.x, area.y, area.width, &text, palette.style(Role::Dim), palette);
    }

    fn draw_document(&self, document: usize, here: bool, area: Rect, buffer: &mut Buffer, palette: &Palette) {
        let Some(known) = self.documents.get(document) else { return };
        let (pointer, style) = pointed(here, palette);
        put(buffer, area.x, area.y, 2, pointer, style, palette);
        // Numbers and bars keep their columns; the path takes the rest.
        let bar = (area.width / 6).clamp(3, 10);
        let number = if self.list.sort == 1 { 9 } else { 5 };
        let path = area.width.saturating_sub(2 + 1 + number + 1 + bar);
        let text = cut_left(&visible(&known.path, palette), usize::from(path), palette);
        put(buffer, area.x + 2, area.y, path, &text, style, palette);
        let right = area.x + 2 + path + 1 + number;
        let ratio = self.ratio(document);
        let value = match (self.list.sort, ratio) {
            (1, _) => thousands(known.words as u64),
            (_, Some(ratio)) => format!("{ratio:.2}"),
            (_, None) => palette.glyph(Glyph::Ellipsis).to_owned(),
        };
        put_right(buffer, right, area.y, number, &value, style, palette);
        let share = match self.list.sort {
            1 => known.words as f64 / self.most_words.max(1) as f64,
            _ => ratio.unwrap_or(0.0) / self.most().max(1.0),
        };
        put(buffer, right + 1, area.y, bar, &palette.bar(share, usize::from(bar)), palette.style(Role::Dim), palette);
    }

    /// The largest ratio among those that are no accident: a page of one odd word must not flatten all other bars.
    fn most(&self) -> f64 {
        let all = self.counts_of_first().map(Counts::all);
        all.map_or(2.5, |all| (all.ratio() * 2.0).max(2.5))
    }

    fn draw_word(&self, row: usize, here: bool, area: Rect, buffer: &mut Buffer, palette: &Palette) {
        let Some(worst) = self.worst_words().get(row) else { return };
        let (pointer, style) = pointed(here, palette);
        put(buffer, area.x, area.y, 2, pointer, style, palette);
        let numbers = [worst.pieces.len().to_string(), thousands(worst.count), thousands(worst.cost())];
        draw_columns(&visible(&worst.word, palette), &numbers, style, area, buffer, palette);
    }
}

/// A word with its pieces, times and cost; where it is narrow, without the times.
fn draw_columns(word: &str, numbers: &[String; 3], style: Style, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    let widths = [4, if area.width >= 34 { 8 } else { 0 }, 8];
    let room = area.width.saturating_sub(2 + widths.iter().sum::<u16>());
    put(buffer, area.x + 2, area.y, room, &cut(word, usize::from(room), palette), style, palette);
    let mut right = area.x + 2 + room;
    for (text, width) in numbers.iter().zip(widths) {
        right += width;
        put_right(buffer, right, area.y, width, text, style, palette);
    }
}

/// A list with the filter alone: the list itself changes while it is asked.
fn filter_of(list: &ListState) -> ListState {
    let mut filter = ListState::default();
    filter.filter.clone_from(&list.filter);
    filter
}

fn pointed(here: bool, palette: &Palette) -> (&'static str, Style) {
    if here { (palette.glyph(Glyph::Pointer), palette.style(Role::Accent)) } else { (" ", palette.style(Role::Text)) }
}

/// The worst first; what is not counted last.
fn compare_ratios(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// The end of a path that fits: the file counts most. A title, as retrieval sets have them, is known by its beginning.
pub(super) fn cut_left(text: &str, width: usize, palette: &Palette) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if text.contains(' ') && !text.contains('/') {
        return cut(text, width, palette);
    }
    let ellipsis = palette.glyph(Glyph::Ellipsis);
    let room = width.saturating_sub(ellipsis.width());
    let mut kept: Vec<&str> = Vec::new();
    let mut used = 0;
    for grapheme in text.graphemes(true).rev() {
        used += grapheme.width();
        if used > room {
            break;
        }
        kept.push(grapheme);
    }
    kept.reverse();
    if width >= ellipsis.width() { ellipsis.to_owned() + &kept.concat() } else { String::new() }
}
