//! The word under the cursor: what it is split into, how often it comes, what it costs.

use super::tokenizers::name_of;
use super::{CorpusPane, token_at};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::{Shared, thousands};
use crate::tui::widgets::symbols::visible;
use crate::tui::widgets::token_view::{Options, TokenLayout};
use crate::tui::workers::corpus::{Split, WordPieces, bare};

/// A line in parts, each with what it means.
pub(super) type Line = Vec<(String, Role)>;

impl CorpusPane {
    /// What there is to say of the token under the cursor and of its word.
    pub(super) fn detail(&self, width: u16, shared: &Shared) -> Vec<Line> {
        let palette = &shared.palette;
        let slots = self.shown_slots();
        let (Some(shown), Some(first)) = (&self.shown, slots.first()) else { return Vec::new() };
        let Some(split) = self.split(first) else { return Vec::new() };
        let Some(span) = split.spans.get(self.cursor) else { return Vec::new() };
        let layout = self.layouts.borrow_mut().get(&shown.text, Some(split), width, Options::of(palette));
        let word = split.word_of(self.cursor).cloned();
        let word = word.unwrap_or(WordPieces { range: span.range.clone(), spans: self.cursor..self.cursor + 1 });
        let mut lines = vec![self.word_line(&shown.text, split, &word, &layout, width, palette)];
        for other in &slots[1..] {
            if let Some(line) = self.other_line(other, &shown.text, &word, width, palette) {
                lines.push(line);
            }
        }
        lines.extend(self.piece_lines(first, split, &word, width, palette));
        lines.extend(cut_lines(&shown.text, split, &word, &layout, palette));
        lines
    }

    /// `▸ therm·osi·phon   3 pieces   412 times in the corpus   costs 824 tokens`.
    fn word_line(
        &self,
        text: &str,
        split: &Split,
        word: &WordPieces,
        layout: &TokenLayout,
        width: u16,
        palette: &Palette,
    ) -> Line {
        let joined = pieces(text, split, word, Some(layout), palette);
        let mut line = vec![(format!("{} ", palette.glyph(Glyph::Pointer)), Role::Accent), (joined, Role::Title)];
        // Where it is narrow, shorter gaps and fewer words.
        let (gap, place, unit) = if width >= 64 { ("   ", " in the corpus", " tokens") } else { ("  ", "", "") };
        let count = word.spans.len();
        line.push((format!("{gap}{count} piece{}", if count == 1 { "" } else { "s" }), Role::Text));
        let bare = text.get(word.range.clone()).map(bare).filter(|bare| !bare.is_empty());
        if let (Some(bare), Some(table)) = (bare, &self.words) {
            let times = table.times(bare);
            line.push((
                format!("{gap}{} time{}{place}", thousands(times), if times == 1 { "" } else { "s" }),
                Role::Text,
            ));
            let cost = times * word.cost() as u64;
            if cost > 0 {
                line.push((format!("{gap}costs {}{unit}", thousands(cost)), Role::Text));
            }
        }
        line
    }

    /// The same word under the other tokenizer.
    fn other_line(
        &self,
        tokenizer: &str,
        text: &str,
        word: &WordPieces,
        width: u16,
        palette: &Palette,
    ) -> Option<Line> {
        let split = self.split(tokenizer)?;
        let token = token_at(split, word.range.start);
        let found = split.words.iter().find(|other| other.range == word.range).cloned();
        let found = found
            .or_else(|| Some(WordPieces { range: split.spans.get(token)?.range.clone(), spans: token..token + 1 }))?;
        let shown = self.shown.as_ref()?;
        let layout = self.layouts.borrow_mut().get(&shown.text, Some(split), width, Options::of(palette));
        let count = found.spans.len();
        Some(vec![
            ("  ".to_owned(), Role::Dim),
            (pieces(text, split, &found, Some(&layout), palette), Role::Text),
            (format!("   {count} piece{}", if count == 1 { "" } else { "s" }), Role::Dim),
            (format!(" by {}", visible(name_of(tokenizer), palette)), Role::Dim),
        ])
    }

    /// A line for each piece: id, piece as the vocabulary writes it, bytes, how often it comes.
    fn piece_lines(
        &self,
        tokenizer: &str,
        split: &Split,
        word: &WordPieces,
        width: u16,
        palette: &Palette,
    ) -> Vec<Line> {
        let spans = &split.spans[word.spans.clone()];
        let frequencies = self.counts.get(tokenizer).and_then(|counts| counts.frequencies.as_ref());
        let written: Vec<String> = spans.iter().map(|span| visible(&span.piece, palette).into_owned()).collect();
        let column =
            written.iter().map(|piece| unicode_width::UnicodeWidthStr::width(piece.as_str())).max().unwrap_or(0);
        let hexes: Vec<String> = spans.iter().map(|span| hex(&span.bytes)).collect();
        let times: Vec<String> = spans
            .iter()
            .map(|span| match frequencies.map(|all| all.get(span.id as usize).copied().unwrap_or(0)) {
                Some(times) => thousands(times),
                None => String::new(),
            })
            .collect();
        let most = times.iter().map(String::len).max().unwrap_or(0);
        let ids: Vec<String> = spans.iter().map(|span| span.id.to_string()).collect();
        let id = ids.iter().map(String::len).max().unwrap_or(0);
        // Id, gaps, the frequency: what is left is for piece and bytes.
        let numbers = 2 + id + 2 + 2 + if most > 0 { most + 8 } else { 0 };
        let room = usize::from(width).saturating_sub(numbers);
        let column = column.min(room / 2).max(1);
        let bytes = hexes.iter().map(String::len).max().unwrap_or(0).min(room.saturating_sub(column));
        let lines = spans.iter().enumerate().map(|(nth, span)| {
            let here = word.spans.start + nth == self.cursor;
            let role = if here { Role::Text } else { Role::Dim };
            let piece = padded(&written[nth], column, palette);
            let mut line = vec![
                (format!("  {:>id$}  ", ids[nth]), role),
                (piece, if here { Role::Title } else { Role::Text }),
                (format!("  {}", padded(&hexes[nth], bytes, palette)), role),
            ];
            if most > 0 {
                line.push((format!("  {:>most$} times", times[nth]), role));
            }
            if span.normalized {
                line.push(("  normalised".to_owned(), Role::Dim));
            }
            line
        });
        lines.collect()
    }
}

/// Lines of a detail that fit: the first, then as many as there is room for, around the piece under the cursor.
pub(super) fn shortened(mut lines: Vec<Line>, most: usize, palette: &Palette) -> Vec<Line> {
    if lines.len() <= most {
        return lines;
    }
    // The piece under the cursor is the one in bold below the first line.
    let bold = |line: &Line| line.iter().any(|(_, role)| *role == Role::Title);
    let here = lines.iter().skip(1).position(bold).map_or(1, |at| at + 1);
    let room = most.saturating_sub(2);
    let hidden = lines.len() - 1 - room;
    let from = here.saturating_sub(room / 2).clamp(1, 1 + hidden);
    let mut kept: Vec<Line> = lines.drain(..1).collect();
    kept.extend(lines.drain(from - 1..from - 1 + room));
    kept.push(vec![(format!("  {} {hidden} lines more", palette.glyph(Glyph::Ellipsis)), Role::Dim)]);
    kept.truncate(most);
    kept
}

/// A word with dots between its pieces; of pieces that are no whole characters the bytes.
fn pieces(text: &str, split: &Split, word: &WordPieces, layout: Option<&TokenLayout>, palette: &Palette) -> String {
    let mut parts = Vec::new();
    for token in word.spans.clone() {
        let Some(span) = split.spans.get(token) else { continue };
        let start = span.range.start.max(word.range.start);
        let range = start..span.range.end.min(word.range.end).max(start);
        let part = match layout.and_then(|layout| layout.half_characters(token)) {
            Some(half) => half,
            None => text.get(range).map(|part| visible(part, palette).into_owned()).unwrap_or_default(),
        };
        if !part.is_empty() {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        let whole = text.get(word.range.clone()).unwrap_or_default();
        return if whole.trim().is_empty() { "white space".to_owned() } else { visible(whole, palette).into_owned() };
    }
    let joined = parts.join(palette.glyph(Glyph::Dot));
    if joined.trim().is_empty() { "white space".to_owned() } else { joined.trim().to_owned() }
}

/// A line for each character of the word that a token boundary lies in.
fn cut_lines(text: &str, split: &Split, word: &WordPieces, layout: &TokenLayout, palette: &Palette) -> Vec<Line> {
    let inside = |range: &std::ops::Range<usize>| range.start < word.range.end && range.end > word.range.start;
    let cuts = layout.cuts().iter().filter(|cut| inside(&cut.range));
    cuts.map(|cut| {
        let halves = split.spans[cut.tokens.clone()].iter().filter_map(|span| {
            let range = span.range.start.max(cut.range.start)..span.range.end.min(cut.range.end);
            text.as_bytes().get(range).filter(|bytes| !bytes.is_empty()).map(hex)
        });
        let halves: Vec<String> = halves.collect();
        let character = text.get(cut.range.clone()).unwrap_or_default();
        let dot = format!(" {} ", palette.glyph(Glyph::Dot));
        vec![
            ("  cut inside ".to_owned(), Role::Dim),
            (visible(character, palette).into_owned(), Role::Cut),
            (format!("  {}", halves.join(&dot)), Role::Text),
        ]
    })
    .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn padded(text: &str, width: usize, palette: &Palette) -> String {
    let text = crate::tui::widgets::line::cut(text, width, palette);
    let used = unicode_width::UnicodeWidthStr::width(text.as_str());
    text + &" ".repeat(width.saturating_sub(used))
}
