//! Tokens per word as a bar with its threshold.
//!
//! Whether a ratio is good is said by a word and by the side of the mark on which the bar ends; colour only repeats it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::symbols::visible;
use crate::tui::palette::{Charset, Glyph, Palette, Role};

/// Where the scale begins: no text has fewer tokens than words.
const LEAST: f64 = 1.0;
/// Where it ends, unless the ratio is larger.
const MOST: f64 = 2.5;
/// The narrowest bar worth drawing.
const NARROWEST: usize = 8;

/// One line: what is measured, whose it is, the bar, the number, the threshold, the verdict.
#[derive(Debug, Clone, Copy)]
pub struct RatioGauge<'t> {
    /// What is measured: `tokens per word`.
    pub label: &'t str,
    /// Whose it is: `base`.
    pub name: &'t str,
    /// Columns for label and name, so that gauges align under each other.
    pub columns: (u16, u16),
    /// Tokens per word; none where there are no words yet.
    pub ratio: Option<f64>,
    /// The ratio from which a tokenizer of one's own is worth it.
    pub threshold: f64,
    /// What it means, in words: `fragmented: train your own`.
    pub verdict: &'t str,
}

impl RatioGauge<'_> {
    /// Draws into the first line of a rectangle; where it is narrow, the threshold's number goes first, then the name of
    /// what is measured, then the verdict; the bar and its number last.
    pub fn render(&self, area: Rect, buffer: &mut Buffer, palette: &Palette) {
        let (area, palette) = (area.intersection(buffer.area), *palette);
        if area.is_empty() {
            return;
        }
        let room = usize::from(area.width);
        let ratio = self.ratio.filter(|ratio| ratio.is_finite());
        let value = ratio.map_or_else(|| palette.glyph(Glyph::Gap).to_owned(), |ratio| format!("{ratio:.2}"));
        let head = |text: &str, columns: u16| {
            let text = visible(text, &palette).into_owned();
            let width = Line::raw(text.as_str()).width();
            let blanks = usize::from(columns).saturating_sub(width);
            (text + &" ".repeat(blanks), width + blanks)
        };
        let (label, label_width) = head(self.label, self.columns.0);
        let (name, name_width) = head(self.name, self.columns.1);
        let threshold = format!("threshold {:.2} {}", self.threshold, mark(palette));
        let threshold_width = Line::raw(threshold.as_str()).width();
        let verdict = visible(self.verdict, &palette);
        let verdict_width = Line::raw(&*verdict).width();

        // Its two ends and a blank before the number.
        let needed = name_width + 1 + 2 + NARROWEST + 1 + value.len().max(4);
        let mut spare = room.saturating_sub(needed);
        let mut takes = |width: usize| {
            let fits = width > 0 && width + 3 <= spare;
            spare -= if fits { width + 3 } else { 0 };
            fits
        };
        let with_verdict = takes(verdict_width);
        let with_label = takes(label_width);
        let with_threshold = takes(threshold_width);

        let mut pen = Pen { x: area.x, end: area.right(), y: area.y, buffer };
        if with_label {
            pen.write(&label, palette, Role::Dim);
            pen.skip(2);
        }
        if name_width > 0 {
            pen.write(&name, palette, Role::Text);
            pen.skip(1);
        }
        // As wide as the spare room allows, but no wider than half the line: what follows belongs near it.
        let cells = (NARROWEST + spare).min(room / 2).max(NARROWEST);
        self.bar(&mut pen, palette, ratio, cells);
        pen.skip(1);
        let over = ratio.is_some_and(|ratio| ratio > self.threshold);
        let role = match ratio {
            None => Role::Dim,
            Some(_) if over => Role::Bad,
            Some(_) => Role::Good,
        };
        pen.write(&value, palette, role);
        if with_threshold {
            pen.skip(3);
            pen.write(&threshold, palette, Role::Dim);
        }
        if with_verdict {
            pen.skip(3);
            pen.write(&verdict, palette, role);
        }
    }

    fn bar(&self, pen: &mut Pen<'_>, palette: Palette, ratio: Option<f64>, cells: usize) {
        let most = ratio.unwrap_or(MOST).max(MOST);
        let share = |ratio: f64| ((ratio - LEAST) / (most - LEAST)).clamp(0.0, 1.0);
        let bar = palette.bar(ratio.map_or(0.0, share), cells);
        let at = (share(self.threshold) * cells as f64) as usize;
        pen.write(palette.glyph(Glyph::GaugeLeft), palette, Role::Dim);
        let mut drawn = bar.chars();
        for cell in 0..cells {
            // An eighth of a cell would look like the mark.
            let part = drawn.next().filter(|part| *part != '▏').unwrap_or(' ');
            if cell == at.min(cells - 1) {
                pen.write(mark(palette), palette, Role::Warning);
            } else {
                pen.write(part.encode_utf8(&mut [0; 4]), palette, Role::Text);
            }
        }
        pen.write(palette.glyph(Glyph::GaugeRight), palette, Role::Dim);
    }
}

/// The threshold's mark: thin enough to leave a gap in a full bar.
fn mark(palette: Palette) -> &'static str {
    match palette.charset {
        Charset::Utf8 => palette.glyph(Glyph::GaugeRight),
        Charset::Ascii => palette.glyph(Glyph::Vertical),
    }
}

/// Writes from left to right and stops at the edge.
struct Pen<'b> {
    x: u16,
    end: u16,
    y: u16,
    buffer: &'b mut Buffer,
}

impl Pen<'_> {
    fn write(&mut self, text: &str, palette: Palette, role: Role) {
        let room = usize::from(self.end.saturating_sub(self.x));
        if room > 0 {
            (self.x, _) = self.buffer.set_stringn(self.x, self.y, text, room, palette.style(role));
        }
    }

    fn skip(&mut self, cells: u16) {
        self.x = self.x.saturating_add(cells).min(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::palette::{Background, Depth};

    fn drawn(gauge: &RatioGauge<'_>, width: u16, palette: &Palette) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        gauge.render(buffer.area, &mut buffer, palette);
        let cells: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        cells.trim_end().to_owned()
    }

    const GAUGE: RatioGauge<'_> = RatioGauge {
        label: "tokens per word",
        name: "base",
        columns: (16, 8),
        ratio: Some(1.94),
        threshold: 1.25,
        verdict: "fragmented: train your own",
    };
    const UTF8: Palette = Palette { depth: Depth::Ansi16, background: Background::Dark, charset: Charset::Utf8 };

    #[test]
    fn the_bar_passes_its_threshold_in_sight() {
        assert_eq!(
            drawn(&GAUGE, 120, &UTF8),
            "tokens per word   base     ▕██████▏████████████████              ▏ 1.94   threshold 1.25 ▏   fragmented: train your own"
        );
        let below = RatioGauge { ratio: Some(1.1), verdict: "fits", ..GAUGE };
        assert_eq!(drawn(&below, 60, &UTF8), "tokens per word   base     ▕█▎ ▏              ▏ 1.10   fits");
        // Larger than the scale: the scale grows, the mark moves with it.
        let far = RatioGauge { ratio: Some(5.0), label: "", verdict: "", ..GAUGE };
        assert_eq!(drawn(&far, 33, &Palette::PLAINEST), "base     [=|==============] 5.00");
    }

    #[test]
    fn ascii_has_the_same_parts() {
        let text = drawn(&GAUGE, 120, &Palette::PLAINEST);
        assert!(text.is_ascii(), "{text}");
        assert!(
            text.contains("[======|================              ] 1.94   threshold 1.25 |   fragmented"),
            "{text}"
        );
    }

    #[test]
    fn what_does_not_fit_goes_in_order() {
        assert!(drawn(&GAUGE, 75, &UTF8).contains("1.94   fragmented: train your own"));
        assert!(!drawn(&GAUGE, 75, &UTF8).contains("threshold"));
        assert_eq!(drawn(&GAUGE, 25, &UTF8), "base     ▕█▏███▋   ▏ 1.94");
        for width in 0..20 {
            drawn(&GAUGE, width, &UTF8);
        }
    }

    #[test]
    fn no_number_is_said() {
        for ratio in [None, Some(f64::NAN)] {
            let gauge = RatioGauge { ratio, verdict: "", label: "", ..GAUGE };
            assert_eq!(drawn(&gauge, 26, &UTF8), "base     ▕ ▏        ▏ ∅");
        }
    }

    #[test]
    fn nothing_of_a_name_reaches_the_terminal_raw() {
        let gauge = RatioGauge { name: "a\u{1b}[31m", columns: (0, 0), ..GAUGE };
        assert!(drawn(&gauge, 60, &UTF8).contains("a␛[31m"));
    }
}
