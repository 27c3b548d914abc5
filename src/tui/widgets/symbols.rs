//! Making text from documents safe to show.
//!
//! Text comes from files, models and paths that nobody vouches for. Control characters would drive the terminal, invisible
//! ones would hide what a tokenizer sees, and direction marks would reorder the line: each becomes a symbol that can be
//! seen. Nothing from a document may reach a cell but through here.
//!
//! Letters are never replaced, also where the palette is ASCII: a missing letter is the terminal's to show as it can.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use crate::tui::palette::{Charset, Palette};

/// Characters of one cell: more marks than that on one letter are shown beside it.
const MOST: usize = 16;
/// What a mark without a letter is shown on.
pub(super) const CARRIER: char = '◌';

/// How a piece of text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// As it is: one grapheme, one cell or two.
    AsIs,
    /// A mark without a letter: on a dotted circle.
    Carried,
    /// This character, as its symbol.
    Symbol(char),
}

/// A text with every control, invisible and direction-changing character as a visible symbol; borrowed where it has none.
///
/// `␛[31m` for an escape sequence, `<U+202E>` for a direction override; in ASCII `^[[31m` and `\u202e`. Line feeds too
/// become symbols: the result is one line.
pub fn visible<'t>(text: &'t str, palette: &Palette) -> Cow<'t, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    pieces(text, palette.charset, |range, how| match how {
        Shown::AsIs => shown.push_str(&text[range]),
        Shown::Carried => {
            shown.push(CARRIER);
            shown.push_str(&text[range]);
        }
        Shown::Symbol(c) => shown.push_str(&symbol(c, palette.charset)),
    });
    if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

/// The symbol of a character: each of its own characters takes one cell.
pub(super) fn symbol(c: char, charset: Charset) -> String {
    let code = u32::from(c);
    match charset {
        Charset::Utf8 => match code {
            0..0x20 => char::from_u32(0x2400 + code).unwrap_or('?').to_string(),
            0x7F => "␡".to_owned(),
            _ => format!("<U+{code:04X}>"),
        },
        Charset::Ascii => match code {
            0..0x20 => format!("^{}", char::from(b'@' + code as u8)),
            0x7F => "^?".to_owned(),
            _ if code > 0xFFFF => format!("\\u{{{code:x}}}"),
            _ => format!("\\u{code:04x}"),
        },
    }
}

/// Calls `each` for every piece of a text, in order and without gaps.
pub(super) fn pieces(text: &str, charset: Charset, mut each: impl FnMut(Range<usize>, Shown)) {
    for (start, grapheme) in text.grapheme_indices(true) {
        if let [b' '..=b'~'] = grapheme.as_bytes() {
            each(start..start + 1, Shown::AsIs);
            continue;
        }
        let mut run = start..start;
        let mut length = 0;
        let mut last = None;
        let mut characters = grapheme.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            let at = start + at;
            let next = characters.peek().map(|(_, c)| *c);
            let hidden = match c {
                // Between the parts of an emoji, or of a conjunct: it can be seen in what it joins.
                '\u{200d}' => {
                    length == 0 || last == Some('\u{200d}') || next.is_none_or(|c| c.width().is_none_or(|w| w == 0))
                }
                // Chooses how the character before it looks.
                '\u{fe0e}' | '\u{fe0f}' => length == 0 || matches!(last, Some('\u{200d}' | '\u{fe0e}' | '\u{fe0f}')),
                _ => is_hidden(c),
            };
            if hidden || length == MOST {
                flush(text, run, charset, &mut each);
                run = at..at;
                length = 0;
            }
            if hidden {
                run = at + c.len_utf8()..at + c.len_utf8();
                each(at..at + c.len_utf8(), Shown::Symbol(c));
            } else {
                run.end = at + c.len_utf8();
                length += 1;
            }
            last = Some(c);
        }
        flush(text, run, charset, &mut each);
    }
}

/// Hands on a run of characters that can be seen, or that would be if a letter carried them.
fn flush(text: &str, run: Range<usize>, charset: Charset, each: &mut impl FnMut(Range<usize>, Shown)) {
    let content = &text[run.clone()];
    if content.is_empty() {
        return;
    }
    if content.cell_width() > 0 {
        return each(run, Shown::AsIs);
    }
    let carried = format!("{CARRIER}{content}");
    if charset == Charset::Utf8 && carried.cell_width() == 1 && carried.graphemes(true).count() == 1 {
        return each(run, Shown::Carried);
    }
    for (at, c) in content.char_indices() {
        let at = run.start + at;
        each(at..at + c.len_utf8(), Shown::Symbol(c));
    }
}

/// What a terminal obeys, or shows nothing for.
fn is_hidden(c: char) -> bool {
    if c.is_control() {
        return true;
    }
    matches!(
        u32::from(c),
        0xAD // soft hyphen
        | 0x34F // grapheme joiner
        | 0x61C // Arabic letter mark
        | 0x115F | 0x1160 | 0x3164 | 0xFFA0 // Hangul fillers
        | 0x17B4 | 0x17B5 // Khmer inherent vowels
        | 0x180B..=0x180F // Mongolian selectors
        | 0x200B..=0x200F // zero-width, direction marks
        | 0x2028..=0x202E // separators, direction embeddings
        | 0x2060..=0x206F // joiners, invisible operators, isolates
        | 0xFDD0..=0xFDEF // no characters
        | 0xFE00..=0xFE0F // variation selectors
        | 0xFEFF // byte order mark
        | 0xFFF0..=0xFFFB // annotations
        | 0x1_BCA0..=0x1_BCA3 // shorthand format controls
        | 0x1_D173..=0x1_D17A // musical format controls
        | 0xE_0000..=0xE_0FFF // tags, more selectors: text can be smuggled in them
    ) || u32::from(c) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UTF8: Palette = Palette { charset: Charset::Utf8, ..Palette::PLAINEST };

    #[test]
    fn what_cannot_be_seen_becomes_a_symbol() {
        for (text, utf8, ascii) in [
            ("plain", "plain", "plain"),
            ("a\tb\n", "a␉b␊", "a^Ib^J"),
            ("\u{1b}[31m", "␛[31m", "^[[31m"),
            ("\0\u{7f}\u{9b}", "␀␡<U+009B>", "^@^?\\u009b"),
            ("a\u{202e}b", "a<U+202E>b", "a\\u202eb"),
            ("ther\u{ad}mo\u{200b}\u{feff}", "ther<U+00AD>mo<U+200B><U+FEFF>", "ther\\u00admo\\u200b\\ufeff"),
            ("x\u{e0041}", "x<U+E0041>", "x\\u{e0041}"),
            ("аммиак é", "аммиак é", "аммиак é"),
            ("e\u{301}", "e\u{301}", "e\u{301}"),
            ("\u{301}", "◌\u{301}", "\\u0301"),
            // A joiner is seen in what it joins; at the end of a letter it is not.
            ("👩\u{200d}🔧", "👩\u{200d}🔧", "👩\u{200d}🔧"),
            ("می\u{200c}خ", "می<U+200C>خ", "می\\u200cخ"),
            ("a\u{200d}", "a<U+200D>", "a\\u200d"),
            ("❤\u{fe0f}", "❤\u{fe0f}", "❤\u{fe0f}"),
            ("a\u{fe0f}\u{fe0f}", "a\u{fe0f}<U+FE0F>", "a\u{fe0f}\\ufe0f"),
            ("\r\n", "␍␊", "^M^J"),
        ] {
            assert_eq!(visible(text, &UTF8), utf8, "{text:?}");
            assert_eq!(visible(text, &Palette::PLAINEST), ascii, "{text:?}");
        }
        assert!(matches!(visible("аммиак", &UTF8), Cow::Borrowed(_)));
    }

    #[test]
    fn a_letter_carries_only_so_many_marks() {
        let heap = format!("a{}", "\u{301}".repeat(100));
        let mut longest = 0;
        pieces(&heap, Charset::Utf8, |range, _| longest = longest.max(heap[range].chars().count()));
        assert_eq!(longest, MOST);
    }

    proptest! {
        #[test]
        fn pieces_are_the_text(text in any::<String>(), ascii in any::<bool>()) {
            let charset = if ascii { Charset::Ascii } else { Charset::Utf8 };
            let mut reached = 0;
            pieces(&text, charset, |range, shown| {
                assert_eq!(range.start, reached);
                assert!(range.end > range.start);
                if shown == Shown::AsIs {
                    assert!(text[range.clone()].cell_width() > 0);
                }
                reached = range.end;
            });
            prop_assert_eq!(reached, text.len());
            let palette = Palette { charset, ..UTF8 };
            prop_assert!(!visible(&text, &palette).chars().any(char::is_control));
        }
    }
}
