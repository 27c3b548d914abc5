//! Text that has tripped tokenizers up: what the tests of counting, splitting and training are made of.

use proptest::prelude::*;

/// White space of every kind, marks that combine, scripts without spaces, right-to-left text, emoji of several parts,
/// characters that normalisation changes, control characters, and what looks like a special token.
#[rustfmt::skip]
pub(super) const PIECES: &[&str] = &[
    " ", "  ", "\n", "\r\n", "\r", "\t", "\u{b}", "\u{85}", "\u{a0}", "\u{3000}", "\u{2028}", "\u{200b}",
    "\u{200d}", "\0", "\u{1b}[31m", "the", "B", "é", "e\u{301}", "\u{301}", "a\u{327}\u{301}\u{302}",
    "\u{301}\u{327}", "ß", "İ", "ю", "Ё", "й", "中", "流れ", "が", "か\u{3099}", "ไทย", "한",
    "\u{1112}\u{1161}\u{11ab}", "क्षि", "مرحبا", "שָׁלוֹם", "👩\u{200d}🔧", "👩🏽\u{200d}❤\u{fe0f}\u{200d}👨🏿", "🇫🇷",
    "🇫", "\u{600}", "\u{d4e}", "1", "42", ".", ",", "'s", "n't", "[SEP]", "[sep]", "▁", "_", "valve",
    "thermosiphon", "ﬁ", "½", "Ω", "\u{212b}", "\u{feff}", "\u{202e}", "\u{2066}", "\u{ad}", "\u{10ffff}", "𝔾",
    "ＡＢ", "\u{c}", "a", "'", "##", "</s>", "[", "-", "Receiver", "don't", "x²", "Ёж", "ёж", "流れる", "السلام",
    "नमस्ते", "한국어", "γλώσσα", "שלום", "...", "!?", "'LL", " [CLS] ", "[MASK", "Ġ", "----",
];

/// Some of them in a row.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|parts| parts.concat())
}
