//! One line of text, cut to its place.

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::tui::field::Field;
use crate::tui::palette::{Glyph, Palette, Role};

/// Draws a text at a cell, cut to `width` cells with an ellipsis. Returns the cells used. Control characters are the
/// caller's to replace; what slips through is left out.
pub fn put(buffer: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style, palette: &Palette) -> u16 {
    let area = buffer.area;
    if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
        return 0;
    }
    let width = width.min(area.right() - x);
    let text = cut(text, usize::from(width), palette);
    let mut at = x;
    for grapheme in text.graphemes(true) {
        let wide = grapheme.width() as u16;
        if wide == 0 || grapheme.chars().any(char::is_control) {
            continue;
        }
        if at + wide > x + width {
            break;
        }
        buffer[(at, y)].set_symbol(grapheme).set_style(style);
        for behind in 1..wide {
            buffer[(at + behind, y)].reset();
        }
        at += wide;
    }
    at - x
}

/// Draws a text so that it ends at the cell before `right`. Returns the cells used.
pub fn put_right(
    buffer: &mut Buffer,
    right: u16,
    y: u16,
    width: u16,
    text: &str,
    style: Style,
    palette: &Palette,
) -> u16 {
    let text = cut(text, usize::from(width), palette);
    let used = text.width() as u16;
    put(buffer, right.saturating_sub(used), y, used, &text, style, palette)
}

/// Draws parts one after the other, each in its own style. Returns the cells used.
pub fn put_parts(buffer: &mut Buffer, x: u16, y: u16, width: u16, parts: &[(&str, Style)], palette: &Palette) -> u16 {
    let mut used = 0;
    for (text, style) in parts {
        if used >= width {
            break;
        }
        used += put(buffer, x + used, y, width - used, text, *style, palette);
    }
    used
}

/// A text that is at most `width` cells wide; where it was longer, it ends with an ellipsis.
pub fn cut(text: &str, width: usize, palette: &Palette) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let ellipsis = palette.glyph(Glyph::Ellipsis);
    let room = width.saturating_sub(ellipsis.width());
    let (mut kept, mut used) = (String::new(), 0);
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used > room {
            break;
        }
        kept.push_str(grapheme);
    }
    if width >= ellipsis.width() {
        kept.push_str(ellipsis);
    }
    kept
}

/// A text in lines of at most `width` cells, broken at white space; longer words are broken anywhere.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            for grapheme in word.graphemes(true) {
                if !line.is_empty() && line.width() + grapheme.width() > width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push_str(grapheme);
            }
        }
        lines.push(line);
    }
    lines
}

/// Draws a field; while it is typed into, its cursor is shown.
pub fn put_field(buffer: &mut Buffer, x: u16, y: u16, width: u16, field: &Field, typing: bool, palette: &Palette) {
    let (text, cursor) = field.window(usize::from(width));
    put(buffer, x, y, width, &text, palette.style(Role::Input), palette);
    let cursor = x + cursor as u16;
    if typing && width > 0 && cursor < buffer.area.right() && y < buffer.area.bottom() {
        buffer[(cursor, y)].set_style(palette.style(Role::Cursor));
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;
    use crate::tui::palette::Charset;

    const PALETTE: Palette = Palette { charset: Charset::Utf8, ..Palette::PLAINEST };

    #[test]
    fn lines_are_cut_and_wrapped_by_cells() {
        assert_eq!(cut("defrost-cycles.txt", 8, &PALETTE), "defrost…");
        assert_eq!(cut("冷媒冷媒", 5, &PALETTE), "冷媒…");
        assert_eq!(cut("abc", 0, &PALETTE), "");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("a\n\nb", 3), ["a", "", "b"]);
    }

    #[test]
    fn nothing_is_drawn_outside() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 5, 1));
        assert_eq!(put(&mut buffer, 3, 0, 9, "冷媒", Style::new(), &PALETTE), 1);
        assert_eq!(put(&mut buffer, 9, 0, 9, "x", Style::new(), &PALETTE), 0);
        assert_eq!(put(&mut buffer, 0, 7, 9, "x", Style::new(), &PALETTE), 0);
        assert_eq!(put_right(&mut buffer, 5, 0, 3, "abcd", Style::new(), &PALETTE), 3);
    }
}
