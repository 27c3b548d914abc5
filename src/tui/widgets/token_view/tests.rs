use std::cell::Cell as Counter;
use std::io::Write;
use std::rc::Rc;

use proptest::prelude::*;
use ratatui::backend::CrosstermBackend;
use ratatui::style::Modifier;
use ratatui::{Terminal, TerminalOptions, Viewport};
use unicode_segmentation::UnicodeSegmentation;

use super::*;
use crate::tui::palette::Background;

const UTF8: Palette = Palette { depth: Depth::Ansi16, background: Background::Dark, charset: Charset::Utf8 };
const MONO: Palette = Palette { depth: Depth::Mono, ..UTF8 };

/// Spans from a text in which `|` stands where a token ends; blanks belong to the token behind them.
fn cut(marked: &str) -> (String, Vec<Range<usize>>) {
    let mut text = String::new();
    let mut spans = Vec::new();
    for token in marked.split('|') {
        spans.push(text.len()..text.len() + token.len());
        text.push_str(token);
    }
    (text, spans)
}

fn layout(marked: &str, width: u16, palette: &Palette) -> TokenLayout {
    let (text, spans) = cut(marked);
    TokenLayout::new(&text, &spans, width, Options::of(palette))
}

fn draw(layout: &TokenLayout, width: u16, height: u16, palette: &Palette, cursor: Option<usize>) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    layout.render(buffer.area, &mut buffer, palette, cursor, 0);
    buffer
}

/// The cells of a buffer's lines, those under a wide grapheme left out.
fn lines(buffer: &Buffer) -> Vec<String> {
    let row = |y| {
        let mut x = 0;
        let mut line = String::new();
        while x < buffer.area.width {
            let cell: &ratatui::buffer::Cell = &buffer[(x, y)];
            line.push_str(cell.symbol());
            x += ratatui::buffer::CellWidth::cell_width(cell).max(1);
        }
        line.trim_end().to_owned()
    };
    (0..buffer.area.height).map(row).collect()
}

/// `u` under each underlined cell, `x` under each cut one, `c` under the cursor.
fn marks(buffer: &Buffer, y: u16) -> String {
    let mark = |x| {
        let cell: &ratatui::buffer::Cell = &buffer[(x, y)];
        match cell.modifier {
            modifier if modifier.contains(Modifier::REVERSED) => 'c',
            modifier if modifier.contains(Modifier::BOLD) => 'x',
            modifier if modifier.contains(Modifier::UNDERLINED) => 'u',
            modifier if modifier.contains(Modifier::DIM) => 'd',
            _ => '.',
        }
    };
    (0..buffer.area.width).map(mark).collect::<String>().trim_end_matches('.').to_owned()
}

#[test]
fn pieces_of_a_word_alternate_and_whole_words_are_plain() {
    let layout = layout("Purge| the| therm|osi|phon| oil|.", 40, &UTF8);
    let buffer = draw(&layout, 40, 1, &UTF8, None);
    assert_eq!(lines(&buffer), ["Purge the thermosiphon oil."]);
    assert_eq!(marks(&buffer, 0), "...............uuu........u");
}

#[test]
fn dots_stand_between_pieces_where_underlining_may_be_missing() {
    for (palette, expected) in [(MONO, "the therm·osi·phon oil"), (Palette::PLAINEST, "the therm|osi|phon oil")] {
        let layout = layout("the| therm|osi|phon| oil", 40, &palette);
        assert_eq!(lines(&draw(&layout, 40, 1, &palette, None)), [expected]);
    }
}

#[test]
fn the_cursor_is_on_all_cells_of_its_token() {
    let layout = layout("the| therm|osi|phon", 10, &UTF8);
    let buffer = draw(&layout, 10, 3, &UTF8, Some(3));
    assert_eq!(lines(&buffer), ["the thermo", "siphon", ""]);
    assert_eq!([0, 1, 2].map(|y| marks(&buffer, y)), [".........u", "uucccc", ""]);
    assert_eq!(marks(&draw(&layout, 10, 3, &UTF8, Some(0)), 0), "ccc......u");
    assert_eq!(layout.line_of_token(3), Some(1));
    assert_eq!(layout.line_of_token(4), None);
}

#[test]
fn an_accent_that_begins_a_token_is_a_cut() {
    let layout = layout("cafe|\u{301}s", 10, &UTF8);
    let buffer = draw(&layout, 10, 1, &UTF8, None);
    assert_eq!(lines(&buffer), ["cafe\u{301}s"]);
    assert_eq!(buffer[(3, 0)].symbol(), "e\u{301}");
    assert_eq!(marks(&buffer, 0), "...xu");
    assert_eq!(layout.cuts(), [Cut { range: 3..6, tokens: 0..2, line: 0 }]);
    assert_eq!(layout.half_characters(1), None, "an accent is a whole character");
    assert_eq!(marks(&draw(&layout, 10, 1, &UTF8, Some(1)), 0), "...cc");
}

#[test]
fn an_emoji_in_parts_is_one_cut_cell_and_its_bytes_are_told() {
    let text = "a👩\u{200d}🔧!";
    // 👩 is f0 9f 91 a9, the joiner e2 80 8d, 🔧 f0 9f 94 a7.
    let spans = [0..1, 1..3, 3..5, 5..7, 7..8, 8..12, 12..13];
    let layout = TokenLayout::new(text, &spans, 10, Options::of(&UTF8));
    let buffer = draw(&layout, 10, 1, &UTF8, None);
    assert_eq!(lines(&buffer), [text]);
    assert_eq!(buffer[(1, 0)].symbol(), "👩\u{200d}🔧");
    assert!(buffer[(1, 0)].modifier.contains(Modifier::BOLD));
    assert_eq!(buffer[(3, 0)].symbol(), "!");
    assert_eq!(layout.cuts(), [Cut { range: 1..12, tokens: 1..6, line: 0 }]);
    let halves: Vec<_> = (0..7).map(|token| layout.half_characters(token)).collect();
    let expected = [None, Some("<f0 9f>"), Some("<91 a9>"), Some("<e2 80>"), Some("<8d>"), None, None];
    assert_eq!(halves, expected.map(|half| half.map(str::to_owned)));
    // Every one of its tokens can be pointed at.
    for token in 1..6 {
        assert!(draw(&layout, 10, 1, &UTF8, Some(token))[(1, 0)].modifier.contains(Modifier::REVERSED), "{token}");
    }
    let mixed = TokenLayout::new("c\u{2026}d", &[0..3, 3..5], 10, Options::of(&UTF8));
    assert_eq!(mixed.half_characters(0).as_deref(), Some("c<e2 80>"));
    assert_eq!(mixed.half_characters(1).as_deref(), Some("<a6>d"));
}

#[test]
fn jamo_that_make_one_syllable_are_one_cell() {
    let layout = layout("\u{1112}\u{1161}|\u{11ab}국", 10, &UTF8);
    let buffer = draw(&layout, 10, 1, &UTF8, None);
    assert_eq!(buffer[(0, 0)].symbol(), "\u{1112}\u{1161}\u{11ab}");
    assert_eq!(buffer[(2, 0)].symbol(), "국");
    assert_eq!(layout.cuts().len(), 1);
    // Alone, a final has no width: it is shown by its number.
    let alone = super::tests::layout("\u{11ab}", 10, &UTF8);
    assert_eq!(lines(&draw(&alone, 10, 1, &UTF8, None)), ["<U+11AB>"]);
}

#[test]
fn wide_graphemes_are_never_halved() {
    let layout = layout("冷|媒|流れる", 5, &UTF8);
    assert_eq!(lines(&draw(&layout, 5, 3, &UTF8, None)), ["冷媒", "流れ", "る"]);
    // A rectangle that became narrower leaves out what does not fit.
    assert_eq!(lines(&draw(&layout, 3, 1, &UTF8, None)), ["冷"]);
    let narrow = super::tests::layout("冷a", 1, &UTF8);
    assert_eq!(lines(&draw(&narrow, 1, 2, &UTF8, None)), ["…", "a"]);
}

#[test]
fn controls_are_symbols() {
    for (palette, expected) in [
        (UTF8, ["a␉b␛[31mred␀␍␊", "<U+202E>x", "<U+200B>"]),
        (Palette::PLAINEST, ["a^Ib^[[31mred^@^M^J", "\\u202ex", "\\u200b"]),
    ] {
        let layout = layout("a\tb\u{1b}[31mred\0\r\n\u{202e}x \u{200b}", 20, &palette);
        let buffer = draw(&layout, 20, 3, &palette, None);
        let shown = lines(&buffer);
        assert_eq!(shown[0], expected[0]);
        assert_eq!(shown[1], format!("{} {}", expected[1], expected[2]));
    }
    let styled = draw(&layout("\u{1b}[", 9, &UTF8), 9, 1, &UTF8, None);
    assert_eq!(marks(&styled, 0), "d", "a symbol differs from the text around it");
}

#[test]
fn right_to_left_text_is_laid_out_as_it_is_stored() {
    let layout = layout("שלום| |مرحبا", 20, &UTF8);
    let buffer = draw(&layout, 20, 1, &UTF8, None);
    assert_eq!(buffer[(0, 0)].symbol(), "ש");
    assert_eq!(buffer[(3, 0)].symbol(), "ם");
    assert_eq!(buffer[(5, 0)].symbol(), "م");
}

#[test]
fn uncovered_text_is_dim_and_blanks_are_plain() {
    let layout = TokenLayout::new("ab cd", &[0..1, 3..5], 10, Options::of(&UTF8));
    assert_eq!(marks(&draw(&layout, 10, 1, &UTF8, None), 0), ".d");
}

#[test]
fn lines_wrap_at_white_space() {
    let options = Options::of(&UTF8);
    let shown = |text: &str, width| lines(&draw(&TokenLayout::new(text, &[], width, options), width, 6, &UTF8, None));
    assert_eq!(shown("one two three", 7)[..3], ["one two", "three", ""]);
    assert_eq!(shown("one two  three", 7)[..3], ["one two", " three", ""], "only the blank of the wrap goes");
    assert_eq!(shown("a thermosiphon", 6)[..4], ["a ther", "mosiph", "on", ""]);
    assert_eq!(shown("a\n\nb\n", 6)[..4], ["a␊", "␊", "b␊", ""]);
    assert_eq!(shown("ab \u{202e}", 9)[..2], ["ab", "<U+202E>"], "a symbol stays together");
    assert_eq!(shown("\u{202e}", 3)[..3], ["<U+", "202", "E>"]);
}

#[test]
fn the_cursor_moves_by_lines() {
    let layout = layout("one| two| three| four|\n|five", 9, &UTF8);
    assert_eq!(lines(&draw(&layout, 9, 3, &UTF8, None)), ["one two", "three", "four␊"]);
    assert_eq!((layout.lines(), layout.line_of_token(5)), (4, Some(3)));
    assert_eq!(layout.token_at(0, 5), Some(1));
    assert_eq!(layout.token_at(0, 100), Some(2), "its blank was swallowed there");
    assert_eq!(layout.token_below(0), Some(2));
    assert_eq!(layout.token_above(5), Some(3));
    assert_eq!(layout.token_above(0), None);
    assert_eq!(layout.token_below(5), None);
    assert_eq!(layout.token_at(9, 0), None);
}

#[test]
fn nothing_and_no_room_are_drawn_as_nothing() {
    let empty = TokenLayout::new("", &[0..0, 3..9], 10, Options::of(&UTF8));
    assert_eq!((empty.lines(), empty.line_of_token(0)), (0, None));
    assert_eq!(lines(&draw(&empty, 4, 2, &UTF8, Some(0))), ["", ""]);
    for width in [0, 1] {
        let layout = layout("the| de|frost 冷", width, &UTF8);
        draw(&layout, 0, 0, &UTF8, Some(1));
        draw(&layout, 3, 1, &UTF8, Some(1));
    }
    // A rectangle outside of the buffer.
    let layout = layout("the", 5, &UTF8);
    layout.render(Rect::new(90, 90, 5, 5), &mut Buffer::empty(Rect::new(0, 0, 3, 3)), &UTF8, None, 0);
}

#[test]
fn tokens_that_cover_nothing_can_be_pointed_at() {
    let spans = [0..0, 0..3, 3..3, 3..4, 4..7];
    let layout = TokenLayout::new("the fro", &spans, 10, Options::of(&UTF8));
    let lit = |token| marks(&draw(&layout, 10, 1, &UTF8, Some(token)), 0);
    assert_eq!([0, 1, 2, 3, 4].map(lit), ["c", "ccc", "..c", "...c", "....ccc"]);
}

#[test]
fn a_megabyte_on_one_line_is_bounded() {
    let text = "thermosiphon".repeat(90_000);
    let spans: Vec<_> = (0..text.len()).step_by(4).map(|at| at..at + 4).collect();
    let options = Options { limit: 10_000, ..Options::of(&UTF8) };
    let layout = TokenLayout::new(&text, &spans, 100, options);
    assert_eq!(layout.cells.len(), 10_000);
    assert_eq!((layout.lines(), layout.left_out()), (101, text.len() - 10_000));
    assert_eq!(layout.line_of_token(2_499), Some(99));
    assert_eq!(layout.line_of_token(2_500), None);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 100, 3));
    layout.render(buffer.area, &mut buffer, &UTF8, Some(9_999), 99);
    assert_eq!(lines(&buffer)[1], "… 1070000 more bytes");
    // One letter under a megabyte of accents is many cells, none of them large.
    let heap = TokenLayout::new(&format!("a{}", "\u{301}".repeat(500_000)), &[], 100, options);
    assert!(draw(&heap, 100, 50, &UTF8, None).content.iter().all(|cell| cell.symbol().len() < 64));
}

fn any_text() -> impl Strategy<Value = String> {
    let pieces = [
        " ",
        "   ",
        "\n",
        "\r\n",
        "\t",
        "\0",
        "\u{1b}[31m",
        "\u{9b}",
        "a",
        "the",
        "e\u{301}",
        "\u{301}",
        "中",
        "流れ",
        "ｶﾞ",
        "한",
        "\u{1112}\u{1161}",
        "\u{11ab}",
        "क्षि",
        "مرحبا",
        "👩\u{200d}🔧",
        "🇫🇷",
        "❤\u{fe0f}",
        "1\u{fe0f}\u{20e3}",
        "\u{202e}",
        "\u{2066}",
        "\u{feff}",
        "\u{ad}",
        "\u{200d}",
        "\u{200b}",
        "\u{3000}",
        "\u{2028}",
        "\u{e0041}",
        "\u{600}",
        "ไทย",
        "thermosiphon",
        "﷽",
    ];
    let hostile = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..30).prop_map(|parts| parts.concat());
    prop_oneof![2 => hostile, 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn every_grapheme_is_drawn_once_in_order(
        text in any_text(),
        bounds in prop::collection::vec(0..200usize, 0..30),
        width in 0..30u16,
        mono in any::<bool>(),
        ascii in any::<bool>(),
        cursor in 0..30usize,
        sorted in any::<bool>(),
    ) {
        let charset = if ascii { Charset::Ascii } else { Charset::Utf8 };
        let palette = Palette { charset, ..if mono { MONO } else { UTF8 } };
        let mut bounds = bounds;
        if sorted {
            bounds.sort_unstable();
        }
        let spans: Vec<_> = bounds.windows(2).map(|pair| pair[0]..pair[1]).collect();
        let options = Options { dots: false, ..Options::of(&palette) };
        let layout = TokenLayout::new(&text, &spans, width, options);
        let dotted = TokenLayout::new(&text, &spans, width, Options::of(&palette));
        let height = u16::try_from(layout.lines().max(dotted.lines())).unwrap();
        let mut drawn = String::new();
        for layout in [&dotted, &layout] {
            let buffer = draw(layout, width, height, &palette, Some(cursor));
            drawn = lines(&buffer).concat();
            for cell in &buffer.content {
                let forbidden = |c: char| {
                    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
                };
                prop_assert!(!cell.symbol().contains(forbidden), "{:?}", cell.symbol());
            }
        }
        if width >= 8 {
            let without_blanks = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(without_blanks(&drawn), without_blanks(&visible(&text, &palette)));
        }
        for token in 0..spans.len() {
            if let Some(line) = layout.line_of_token(token) {
                prop_assert!(line < layout.lines());
                prop_assert!(layout.token_below(token).is_none_or(|below| below > token));
            }
            layout.half_characters(token);
        }
        for found in layout.cuts() {
            prop_assert!(found.line < layout.lines());
            prop_assert!(text[found.range.clone()].graphemes(true).count() <= 1);
        }
    }
}

/// Counts what is written.
#[derive(Clone, Default)]
struct Wire(Rc<Counter<usize>>);

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Prose of 1.6 tokens a word, as a base tokenizer splits a domain's text.
fn prose(bytes: usize) -> (String, Vec<Range<usize>>) {
    let words = [
        "Purge",
        " the",
        " non|-|condens|ables",
        " thr|ough",
        " a",
        " therm|osi|phon",
        " oil",
        " cool|er",
        " before",
        " each",
        " re|start",
        " of",
        " low",
        " pres|sure",
        " re|ceiver|s",
        " and",
        " wat|ch",
        " suc|tion",
        " de|frost",
        " until",
        " it",
        " stops|.",
        " close",
        " hot",
        " gas",
        " valve|s",
        " when",
        " liq|uid",
        " am|monia",
        " drain|s",
    ];
    // A fixed sequence that looks drawn by lot, so that no line repeats the one above it.
    let mut state = 1_u32;
    let mut chosen = Vec::new();
    let mut length = 0;
    while length < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = words[(state >> 16) as usize % words.len()];
        length += word.len();
        chosen.push(word);
    }
    cut(&chosen.join("|"))
}

#[test]
fn a_page_of_tokens_costs_few_bytes() {
    let (text, spans) = prose(16_000);
    let ratio = spans.len() as f64 / text.split_whitespace().count() as f64;
    assert!((1.5..1.7).contains(&ratio), "{ratio} tokens a word");
    let layout = TokenLayout::new(&text, &spans, 200, Options::of(&UTF8));
    assert!(layout.lines() > 55);
    let wire = Wire::default();
    let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, 200, 50)) };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(wire.clone()), options).unwrap();
    let mut paint = |scroll| {
        let before = wire.0.get();
        terminal.draw(|frame| layout.render(frame.area(), frame.buffer_mut(), &UTF8, None, scroll)).unwrap();
        wire.0.get() - before
    };
    let (full, scrolled) = (paint(0), paint(1));
    assert!(full <= 30_000, "{full} bytes for a page");
    assert!(scrolled <= 22_000, "{scrolled} bytes to scroll by a line");
}
