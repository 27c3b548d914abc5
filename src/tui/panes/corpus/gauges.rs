//! Tokens per word of passage, document and corpus: the base's tokenizer against the other.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::CorpusPane;
use super::tokenizers::label_of;
use crate::tui::keymap::{Action, Context};
use crate::tui::palette::{Charset, Glyph, Palette, Role};
use crate::tui::shared::Shared;
use crate::tui::widgets::line::{cut, put, put_right};
use crate::tui::widgets::ratio_gauge::RatioGauge;
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::corpus::{About, Fragmentation, THRESHOLD, Verdict};
use crate::workspace::Kind;

/// Columns of what is measured.
const SCOPE: u16 = 17;
/// What the shortest bar takes with its ends and its number.
const BAR: u16 = 16;
/// By how much a bar may be longer: with more room a gauge would name the threshold, which the title line does.
const LONGER: u16 = 17;
/// From so many columns on, two tokenizers are measured beside each other.
const BESIDE: u16 = 68;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Passage,
    Document,
    Corpus,
    Unseen,
}

impl Scope {
    const fn title(self) -> &'static str {
        match self {
            Self::Passage => "passage",
            Self::Document => "document",
            Self::Corpus => "corpus",
            Self::Unseen => "unseen documents",
        }
    }
}

impl CorpusPane {
    fn scopes(&self, height: u16, shared: &Shared) -> Vec<Scope> {
        let unseen = self.shown_slots().iter().any(|slot| judged_apart(slot, shared));
        let all = [(Scope::Passage, 16), (Scope::Document, 30), (Scope::Corpus, 12), (Scope::Unseen, 14)];
        let fits = all.into_iter().filter(|(scope, least)| height >= *least && (*scope != Scope::Unseen || unseen));
        fits.map(|(scope, _)| scope).collect()
    }

    fn stacks(&self, area: Rect) -> bool {
        area.width < BESIDE && self.shown_slots().len() > 1
    }

    /// Where two tokenizers have no room beside each other, only the corpus is measured, a line for each.
    fn rows(&self, area: Rect, shared: &Shared) -> Vec<Vec<(Scope, &str)>> {
        let (slots, scopes) = (self.shown_slots(), self.scopes(area.height, shared));
        if self.stacks(area) && !scopes.is_empty() {
            return slots.into_iter().map(|slot| vec![(Scope::Corpus, slot)]).collect();
        }
        scopes.into_iter().map(|scope| slots.iter().map(|slot| (scope, *slot)).collect()).collect()
    }

    /// The lines that the gauges of a pane take, their title included.
    pub(super) fn gauge_lines(&self, area: Rect, shared: &Shared) -> u16 {
        match self.rows(area, shared).len() as u16 {
            0 => 0,
            rows => rows + 1,
        }
    }

    /// Draws them at the foot of a pane.
    pub(super) fn draw_gauges(&self, pane: Rect, buffer: &mut Buffer, shared: &Shared) {
        let palette = &shared.palette;
        let rows = self.rows(pane, shared);
        let top = pane.bottom() - rows.len() as u16 - 1;
        let columns = rows.first().map_or(1, Vec::len) as u16;
        let stacked = self.stacks(pane);
        let width = (pane.width - SCOPE.min(pane.width)) / columns;
        put(buffer, pane.x, top, SCOPE, "TOKENS PER WORD", palette.style(Role::Title), palette);
        let mut end = pane.x + SCOPE;
        if stacked {
            end += put(buffer, end, top, width, Scope::Corpus.title(), palette.style(Role::Dim), palette);
        } else {
            for (nth, (_, slot)) in rows.first().into_iter().flatten().enumerate() {
                let x = pane.x + SCOPE + nth as u16 * width;
                let name = cut(&visible(&label_of(self, slot), palette), usize::from(width - 1), palette);
                end = x + put(buffer, x, top, width, &name, palette.style(Role::Text), palette);
            }
        }
        let counting = self.shown_slots().into_iter().find_map(|slot| {
            let counts = self.counts.get(slot).filter(|counts| !counts.complete && counts.total > 0)?;
            Some(format!("counting {} %", counts.done * 100 / counts.total))
        });
        let note = counting.unwrap_or_else(|| format!("{THRESHOLD:.2} or less is good"));
        if usize::from(pane.right().saturating_sub(end + 2)) >= note.width() {
            put_right(buffer, pane.right(), top, 30, &note, palette.style(Role::Dim), palette);
        }
        // Blanks to the width of the longest verdict: all bars are as long.
        let verdicts = |brief: bool| -> Vec<Vec<String>> {
            rows.iter().map(|row| row.iter().map(|cell| self.verdict(*cell, row, brief, shared)).collect()).collect()
        };
        let longest =
            |verdicts: &[Vec<String>]| verdicts.iter().flatten().map(|verdict| verdict.width()).max().unwrap_or(0);
        let mut words = verdicts(false);
        if longest(&words) + 3 + usize::from(BAR) > usize::from(width) {
            words = verdicts(true);
        }
        let longest = longest(&words);
        for (line, row) in rows.iter().enumerate() {
            let y = top + 1 + line as u16;
            for (nth, (scope, slot)) in row.iter().enumerate() {
                let name = match (nth, stacked) {
                    (0, true) => cut(&visible(&label_of(self, slot), palette), usize::from(SCOPE - 1), palette),
                    (0, false) => scope.title().to_owned(),
                    _ => String::new(),
                };
                let x = pane.x + if nth == 0 { 0 } else { SCOPE + nth as u16 * width };
                // The name and its blank make the first as much wider; the gap is the first's.
                let room = if nth == 0 { SCOPE + width - u16::from(columns > 1) } else { width };
                let verdict = format!("{:<longest$}", words[line][nth]);
                self.draw_gauge(*scope, slot, &name, &verdict, Rect { x, y, width: room, height: 1 }, buffer, palette);
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // what is drawn, and where
    fn draw_gauge(
        &self,
        scope: Scope,
        slot: &str,
        name: &str,
        verdict: &str,
        area: Rect,
        buffer: &mut Buffer,
        palette: &Palette,
    ) {
        let column = if name.is_empty() { 0 } else { SCOPE - 1 };
        if scope == Scope::Corpus
            && let Some(problem) = self.problems.get(&About::Counting(slot.to_owned()))
        {
            put(buffer, area.x, area.y, column, name, palette.style(Role::Text), palette);
            let text = format!("{} {}", palette.glyph(Glyph::Failed), visible(problem, palette));
            let x = area.x + if column > 0 { SCOPE } else { 0 };
            put(buffer, x, area.y, area.right().saturating_sub(x), &text, palette.style(Role::Warning), palette);
            return;
        }
        let beside = if verdict.is_empty() { 0 } else { verdict.width() as u16 + 3 };
        let most = if column > 0 { SCOPE } else { 1 } + BAR + beside + LONGER;
        RatioGauge {
            label: "",
            name,
            columns: (0, column),
            ratio: self.measured(scope, slot).map(Fragmentation::ratio),
            threshold: THRESHOLD,
            verdict,
        }
        .render(Rect { width: area.width.min(most), ..area }, buffer, palette);
    }

    /// Words and tokens, where there are any.
    fn measured(&self, scope: Scope, slot: &str) -> Option<Fragmentation> {
        let counts = self.counts.get(slot);
        let count = match scope {
            Scope::Passage => self.split(slot)?.count(),
            Scope::Document => *counts?.documents.get(self.shown.as_ref()?.place.document)?,
            Scope::Corpus => counts?.all(),
            Scope::Unseen => counts?.unseen,
        };
        (count.words > 0).then_some(count)
    }

    /// What a ratio means: against the first tokenizer of its row, and in words for the whole.
    fn verdict(&self, (scope, slot): (Scope, &str), row: &[(Scope, &str)], brief: bool, shared: &Shared) -> String {
        let Some(count) = self.measured(scope, slot) else { return String::new() };
        let base = row.first().map(|(_, base)| *base).filter(|base| *base != slot);
        let change = base
            .and_then(|base| self.measured(scope, base))
            .map(|base| change(base.ratio(), count.ratio(), &shared.palette));
        let counted = self.counts.get(slot).is_some_and(|counts| counts.complete);
        let words = match (scope, count.verdict()) {
            _ if brief && change.is_some() => String::new(),
            (Scope::Corpus, _) if !counted => "so far".to_owned(),
            (Scope::Corpus, Verdict::Good) => "good".to_owned(),
            (Scope::Corpus, Verdict::Fragmented) => match advice(shared) {
                Some(keys) if row.len() == 1 && !brief && self.slots[1].is_none() => {
                    format!("fragmented: train your own: {keys}")
                }
                _ => "fragmented".to_owned(),
            },
            _ => String::new(),
        };
        let parts = [change.unwrap_or_default(), words];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    }
}

/// Whether a tokenizer was trained here, with documents left that it did not see.
fn judged_apart(slot: &str, shared: &Shared) -> bool {
    let version = shared.artifacts.find(Kind::Tokenizer, slot);
    version.is_some_and(|version| version.settings["documents"] != "all")
}

/// The keys that train a tokenizer.
fn advice(shared: &Shared) -> Option<String> {
    let pane = shared.keymap.key(Context::Everywhere, Action::PaneTokenizer)?;
    Some(format!("{pane}, {}", shared.keymap.key(Context::Tokenizer, Action::New)?))
}

/// By how much a ratio differs: `−33 %`.
fn change(before: f64, after: f64, palette: &Palette) -> String {
    let percent = (after / before - 1.0) * 100.0;
    let sign = match (percent.round() as i64, palette.charset) {
        (0, _) => " ",
        (1.., _) => "+",
        (_, Charset::Utf8) => "−",
        (_, Charset::Ascii) => "-",
    };
    format!("{:>4} %", format!("{sign}{:.0}", percent.abs()))
}
