//! The passage under the cursor: its place, its text with the query's words, what is copied of it.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::ComparePane;
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::Shared;
use crate::tui::widgets::line::{cut, put, put_parts};
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::compare::{Moved, Ranked, RankedHit, Ranking, Shown};

/// Cells that a document's name keeps where its heading needs the room.
const NAME: usize = 8;

impl ComparePane {
    /// The hit under the cursor, and the passage it is.
    pub(super) fn selected(&self) -> Option<(&Ranking, &Ranked, &RankedHit, &Shown)> {
        let ranking = self.ranking.as_ref()?;
        let name = self.focused_name()?;
        let ranked = ranking.systems.iter().find(|system| system.name == name)?;
        let hit = ranked.hits.as_ref().ok()?.get(self.hit)?;
        Some((ranking, ranked, hit, ranking.passages.get(hit.passage)?))
    }

    /// Title and lines of the passage under the cursor.
    pub(super) fn passage_under_cursor(&self, shared: &Shared) -> Option<(String, Vec<String>)> {
        let palette = &shared.palette;
        let (ranking, _, hit, passage) = self.selected()?;
        let show = |text: &str| visible(text, palette).into_owned();
        let mut lines = vec![show(&whole_place(passage, palette)), String::new()];
        lines.extend(passage.text.lines().map(show));
        lines.push(String::new());
        for ranked in &ranking.systems {
            let at = ranked.hits.as_ref().ok().and_then(|hits| hits.iter().position(|it| it.passage == hit.passage));
            let score = |at: usize| ranked.hits.as_ref().map_or(0.0, |hits| hits[at].score);
            lines.push(match at {
                Some(at) => format!("rank {:<4} score {:<8.3} {}", at + 1, score(at), show(&ranked.name)),
                None => format!("rank {:<4} {:<14} {}", "-", "further down", show(&ranked.name)),
            });
        }
        lines.push(String::new());
        if hit.relevant {
            lines.push(format!("{} it answers the question", palette.glyph(Glyph::Relevant)));
        }
        lines.push(format!("passage   {}", show(&passage.id)));
        lines.push(format!("document  {}", show(&passage.document)));
        let title = format!("Passage: {}", show(&place_of(passage, 200, palette)));
        Some((title, lines))
    }

    /// What `y` copies: the hit under the cursor, the question, or the table of the evaluation.
    pub(super) fn copy(&self, shared: &Shared) -> Option<String> {
        if self.listing {
            let row = self.findings()?.findings.per_query.get(self.list.current()?)?;
            return Some(row.query.clone());
        }
        match self.selected() {
            Some((ranking, ranked, hit, passage)) => Some(format!(
                "{}\n{}  rank {}  score {:.3}\n{}\n{}\n\n{}\n",
                ranking.query,
                ranked.name,
                self.hit + 1,
                hit.score,
                whole_place(passage, &shared.palette),
                passage.id,
                passage.text
            )),
            None => self.findings().map(super::evaluation::copied),
        }
    }
}

/// Document and headings, in full.
fn whole_place(passage: &Shown, palette: &Palette) -> String {
    let chevron = format!(" {} ", palette.glyph(Glyph::Chevron));
    let mut parts: Vec<&str> =
        std::iter::once(passage.document.as_str()).chain(passage.heading.iter().map(String::as_str)).collect();
    // In retrieval sets a document is its title.
    parts.dedup();
    parts.join(&chevron)
}

/// The document's name and the nearest heading, in at most `width` cells: the name gives way first. Not yet safe to show.
pub(super) fn place_of(passage: &Shown, width: usize, palette: &Palette) -> String {
    let file = passage.document.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = file.rsplit_once('.').map_or(file, |(stem, _)| if stem.is_empty() { file } else { stem });
    let Some(heading) = passage.heading.last() else { return cut(name, width, palette) };
    // In retrieval sets a document is its title.
    if *heading == passage.document {
        return cut(heading, width, palette);
    }
    let chevron = format!(" {} ", palette.glyph(Glyph::Chevron));
    let room = width.saturating_sub(chevron.width() + heading.width()).max(NAME.min(width));
    cut(&format!("{}{chevron}{heading}", cut(name, room, palette)), width, palette)
}

/// How a rank compares with the base's: `▲7`, `▼2`, `new`.
pub(super) fn moved(moved: Option<Moved>, palette: &Palette) -> (String, Role) {
    match moved {
        None | Some(Moved::Not) => (String::new(), Role::Dim),
        Some(Moved::Up(by)) => (format!("{}{by}", palette.glyph(Glyph::Up)), Role::Good),
        Some(Moved::Down(by)) => (format!("{}{by}", palette.glyph(Glyph::Fall)), Role::Bad),
        Some(Moved::New) => ("new".to_owned(), Role::Good),
    }
}

/// A line of an excerpt: parts, each with whether it is a word of the query.
type Line = Vec<(String, bool)>;

/// A text wrapped to `width` cells, safe to show, its matches apart.
fn excerpt(text: &str, matches: &[Range<usize>], width: usize, palette: &Palette) -> Vec<Line> {
    let width = width.max(1);
    let mut lines: Vec<Line> = Vec::new();
    let (mut line, mut used): (Line, usize) = (Vec::new(), 0);
    let mut next = matches.iter().peekable();
    for (start, word) in words(text) {
        let end = start + word.len();
        while next.peek().is_some_and(|range| range.end <= start) {
            next.next();
        }
        let mut parts: Line = Vec::new();
        let mut at = start;
        while let Some(range) = next.peek().filter(|range| range.start < end) {
            // Words of a text may be cut where white space is not; a match never spans white space.
            let (from, to) = (range.start.clamp(at, end), range.end.clamp(at, end));
            parts.push((visible(&text[at..from], palette).into_owned(), false));
            parts.push((visible(&text[from..to], palette).into_owned(), true));
            at = to;
            next.next();
        }
        parts.push((visible(&text[at..end], palette).into_owned(), false));
        parts.retain(|(part, _)| !part.is_empty());
        let wide: usize = parts.iter().map(|(part, _)| part.width()).sum();
        if used > 0 && used + 1 + wide > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push((" ".to_owned(), false));
            used += 1;
        }
        line.extend(parts);
        used += wide;
    }
    lines.push(line);
    lines
}

/// The words of a text and where they begin.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let pieces = text.split_inclusive(char::is_whitespace);
    let placed = pieces.scan(0, |at, piece| {
        let start = *at;
        *at += piece.len();
        Some((start, piece.trim_end()))
    });
    placed.filter(|(_, word)| !word.is_empty())
}

/// Draws the passage under the cursor: where it stands, then the lines that hold most of the query's words.
pub(super) fn draw(pane: &ComparePane, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    let Some((_, _, hit, passage)) = pane.selected() else { return };
    if area.height == 0 {
        return;
    }
    let width = area.width.saturating_sub(2);
    let place = whole_place(passage, palette);
    let mark = if hit.relevant { format!("{} ", palette.glyph(Glyph::Relevant)) } else { String::new() };
    let parts = [(mark.as_str(), palette.style(Role::Accent)), (&visible(&place, palette), palette.style(Role::Dim))];
    put_parts(buffer, area.x + 1, area.y, width, &parts, palette);
    let height = usize::from(area.height) - 1;
    let lines = excerpt(&passage.text, &passage.matches, usize::from(width), palette);
    let found = |line: &Line| line.iter().filter(|(_, matched)| *matched).count();
    let last = lines.len().saturating_sub(height);
    let of = |top: usize| lines[top..(top + height).min(lines.len())].iter().map(found).sum::<usize>();
    // Of windows that hold as much, the first.
    let top = (0..=last).max_by_key(|top| (of(*top), std::cmp::Reverse(*top))).unwrap_or(0);
    for (at, line) in lines.iter().skip(top).take(height).enumerate() {
        let mut x = area.x + 1;
        for (part, matched) in line {
            let style = palette.style(if *matched { Role::Match } else { Role::Text });
            x += put(buffer, x, area.y + 1 + at as u16, area.right().saturating_sub(x), part, style, palette);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::palette::Charset;

    const PALETTE: Palette = Palette { charset: Charset::Utf8, ..Palette::PLAINEST };

    #[test]
    fn the_heading_stays_where_the_name_gives_way() {
        let passage = Shown {
            document: "manuals/startup-checklist.md".to_owned(),
            heading: vec!["Startup".to_owned(), "Suction".to_owned()],
            ..Shown::default()
        };
        assert_eq!(place_of(&passage, 40, &PALETTE), "startup-checklist › Suction");
        assert_eq!(place_of(&passage, 20, &PALETTE), "startup-c… › Suction");
        assert_eq!(place_of(&passage, 12, &PALETTE), "startup… › …");
        assert_eq!(place_of(&Shown { document: ".env".to_owned(), ..Shown::default() }, 9, &PALETTE), ".env");
    }

    #[test]
    fn matches_survive_wrapping_and_symbols() {
        let text = "the hot-gas\tvalve \u{1b}leaks";
        let matches = [4..7, 8..11, 19..24];
        let lines = excerpt(text, &matches, 11, &PALETTE);
        let matched: Vec<&str> =
            lines.iter().flatten().filter(|(_, matched)| *matched).map(|(part, _)| part.as_str()).collect();
        assert_eq!(matched, ["hot", "gas", "leaks"]);
        let plain: Vec<String> =
            lines.iter().map(|line| line.iter().map(|(part, _)| part.as_str()).collect()).collect();
        assert_eq!(plain, ["the hot-gas", "valve", "␛leaks"]);
    }
}
