//! Tokens per word of passage, document and corpus: the base's tokenizer against the other.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::CorpusPane;
use super::tokenizers::name_of;
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
/// The room in which a gauge would name the threshold, which the title line does.
const THRESHOLD_ROOM: u16 = 20;

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

    /// The lines that the gauges of a pane of so many lines take, their title included.
    pub(super) fn gauge_lines(&self, height: u16, shared: &Shared) -> u16 {
        match self.scopes(height, shared).len() as u16 {
            0 => 0,
            scopes => scopes + 1,
        }
    }

    /// Draws them.
    pub(super) fn draw_gauges(&self, area: Rect, height: u16, buffer: &mut Buffer, shared: &Shared) {
        let palette = &shared.palette;
        let slots = self.shown_slots();
        let scopes = self.scopes(height, shared);
        let Some(first) = slots.first() else { return };
        let half = (area.width - SCOPE.min(area.width)) / 2;
        let seconds = slots.get(1).copied();
        put(buffer, area.x, area.y, SCOPE, "TOKENS PER WORD", palette.style(Role::Title), palette);
        let room = if seconds.is_some() { half.saturating_sub(1) } else { area.width.saturating_sub(SCOPE) };
        let good = format!("{THRESHOLD:.2} or less is good");
        let mut names = vec![(area.x + SCOPE, *first)];
        names.extend(seconds.map(|second| (area.x + SCOPE + half, second)));
        let mut end = area.x;
        for (x, slot) in names {
            let name = visible(name_of(slot), palette);
            end = x + put(
                buffer,
                x,
                area.y,
                room,
                &cut(&name, usize::from(room), palette),
                palette.style(Role::Text),
                palette,
            );
        }
        if usize::from(area.right().saturating_sub(end + 2)) >= good.width() {
            put_right(buffer, area.right(), area.y, 30, &good, palette.style(Role::Dim), palette);
        }
        let verdicts: [Vec<String>; 2] =
            [0, 1].map(|nth| scopes.iter().map(|scope| self.verdict(*scope, &slots, nth, shared)).collect());
        for (row, scope) in scopes.iter().enumerate() {
            let y = area.y + 1 + row as u16;
            let left =
                Rect { x: area.x, y, width: if seconds.is_some() { SCOPE + half - 1 } else { area.width }, height: 1 };
            self.draw_gauge(*scope, first, &verdicts[0], row, (SCOPE - 1, left), buffer, palette);
            if let Some(second) = seconds {
                let right = Rect { x: area.x + SCOPE + half, y, width: half, height: 1 };
                self.draw_gauge(*scope, second, &verdicts[1], row, (0, right), buffer, palette);
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // what is drawn, and where
    fn draw_gauge(
        &self,
        scope: Scope,
        slot: &str,
        verdicts: &[String],
        row: usize,
        (column, area): (u16, Rect),
        buffer: &mut Buffer,
        palette: &Palette,
    ) {
        if scope == Scope::Corpus
            && let Some(problem) = self.problems.get(&About::Counting(slot.to_owned()))
        {
            if column > 0 {
                put(buffer, area.x, area.y, column, scope.title(), palette.style(Role::Text), palette);
            }
            let text = format!("{} {}", palette.glyph(Glyph::Failed), visible(problem, palette));
            let x = area.x + if column > 0 { column + 1 } else { 0 };
            put(buffer, x, area.y, area.right().saturating_sub(x), &text, palette.style(Role::Warning), palette);
            return;
        }
        // Blanks to the width of the longest verdict: bars under each other are as long.
        let longest = verdicts.iter().map(|verdict| verdict.width()).max().unwrap_or(0);
        let verdict = format!("{:<longest$}", verdicts[row]);
        let least = if column > 0 { column + 1 } else { 0 } + 16 + longest as u16 + 3;
        RatioGauge {
            label: "",
            name: if column > 0 { scope.title() } else { "" },
            columns: (0, column),
            ratio: self.measured(scope, slot).map(Fragmentation::ratio),
            threshold: THRESHOLD,
            verdict: &verdict,
        }
        .render(Rect { width: area.width.min(least + THRESHOLD_ROOM), ..area }, buffer, palette);
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

    /// What a ratio means: against the first tokenizer for the second, and in words for the whole.
    fn verdict(&self, scope: Scope, slots: &[&str], nth: usize, shared: &Shared) -> String {
        let Some(slot) = slots.get(nth) else { return String::new() };
        let Some(count) = self.measured(scope, slot) else { return String::new() };
        let change = match nth {
            1 => self.measured(scope, slots[0]).map(|base| change(base.ratio(), count.ratio(), &shared.palette)),
            _ => None,
        };
        let whole = scope == Scope::Corpus;
        let counting = self.counts.get(*slot).filter(|counts| !counts.complete && counts.total > 0);
        let words = match (whole, counting, count.verdict()) {
            (false, ..) => String::new(),
            (true, Some(counts), _) => format!("counting {} %", counts.done * 100 / counts.total),
            (true, None, Verdict::Good) => "good".to_owned(),
            (true, None, Verdict::Fragmented) => match advice(shared).filter(|_| slots.len() == 1) {
                Some(keys) if !judged_apart(slot, shared) => format!("fragmented: train your own: {keys}"),
                _ => "fragmented".to_owned(),
            },
        };
        [change.unwrap_or_default(), words]
            .iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join("  ")
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
