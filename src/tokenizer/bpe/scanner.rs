//! Cutting text where its pattern cuts it, without a regular expression.
//!
//! The patterns are small and fixed, so each is written out as a scan over classes of characters. The classes come from the
//! tables that the `tokenizers` crate's own regular expressions are compiled with, and the tests hold every cut to its
//! pre-tokenizers'.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

use crate::settings::SplitPattern;

/// What cl100k and Llama 3 cut by, as a `Split` has it.
pub(super) const CL100K: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Neither of the others: punctuation, symbols, marks, controls.
const SIGN: u8 = 0;
/// `\p{L}`.
const LETTER: u8 = 1;
/// `\p{N}`.
const NUMBER: u8 = 2;
/// `\s`.
const SPACE: u8 = 3;

/// The class of every character, by its code.
static CLASSES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut classes = vec![SIGN; 1 + char::MAX as usize];
    for (pattern, class) in [(r"\p{L}", LETTER), (r"\p{N}", NUMBER), (r"\s", SPACE)] {
        let parsed = regex_syntax::parse(pattern).ok().map(regex_syntax::hir::Hir::into_kind);
        let Some(HirKind::Class(Class::Unicode(ranges))) = parsed else {
            unreachable!("{pattern} is a class of characters")
        };
        for range in ranges.ranges() {
            classes[range.start() as usize..=range.end() as usize].fill(class);
        }
    }
    classes
});

/// Cuts text into pieces, one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Scanner {
    classes: &'static [u8],
    pattern: SplitPattern,
}

/// A character, looked at.
#[derive(Clone, Copy)]
struct Seen {
    class: u8,
    /// Bytes of it.
    len: usize,
}

impl Scanner {
    pub(super) fn new(pattern: SplitPattern) -> Self {
        Self { classes: &CLASSES, pattern }
    }

    /// Where the piece that begins at `from` ends. `from` is the start of a piece, and there is text behind it.
    pub(super) fn end(&self, text: &str, from: usize) -> usize {
        match self.pattern {
            SplitPattern::Gpt2 => self.gpt2(text, from),
            SplitPattern::Cl100k => self.cl100k(text, from),
        }
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    fn gpt2(&self, text: &str, from: usize) -> usize {
        let bytes = text.as_bytes();
        if bytes[from] == b'\'' {
            match bytes[from + 1..] {
                [b's' | b't' | b'm' | b'd', ..] => return from + 2,
                [b'r' | b'v', b'e', ..] | [b'l', b'l', ..] => return from + 3,
                _ => {}
            }
        }
        let start = if bytes[from] == b' ' { from + 1 } else { from };
        match self.at(text, start) {
            Some(Seen { class, len }) if class != SPACE => self.run(text, start + len, class),
            _ => self.space(text, from),
        }
    }

    /// [`CL100K`]
    fn cl100k(&self, text: &str, from: usize) -> usize {
        let bytes = text.as_bytes();
        if bytes[from] == b'\'' {
            match bytes[from + 1..] {
                [b's' | b't' | b'm' | b'd' | b'S' | b'T' | b'M' | b'D', ..] => return from + 2,
                [b'r' | b'R' | b'v' | b'V', b'e' | b'E', ..] | [b'l' | b'L', b'l' | b'L', ..] => return from + 3,
                // ſ is an s to who ignores case.
                [0xC5, 0xBF, ..] => return from + 3,
                _ => {}
            }
        }
        let Some(first) = self.at(text, from) else { return from };
        let newline = |byte: u8| byte == b'\r' || byte == b'\n';
        let second = self.at(text, from + first.len);
        if first.class == LETTER {
            return self.run(text, from + first.len, LETTER);
        }
        if let Some(second) = second.filter(|second| second.class == LETTER)
            && first.class != NUMBER
            && !newline(bytes[from])
        {
            return self.run(text, from + first.len + second.len, LETTER);
        }
        if first.class == NUMBER {
            let more =
                |at: usize| self.at(text, at).filter(|seen| seen.class == NUMBER).map_or(at, |seen| at + seen.len);
            return more(more(from + first.len));
        }
        let signs = match second {
            _ if first.class == SIGN => Some(from + first.len),
            Some(second) if bytes[from] == b' ' && second.class == SIGN => Some(from + 1 + second.len),
            _ => None,
        };
        if let Some(start) = signs {
            let end = self.run(text, start, SIGN);
            return end + bytes[end..].iter().take_while(|byte| newline(**byte)).count();
        }
        let end = self.run(text, from, SPACE);
        match bytes[from..end].iter().rposition(|byte| newline(*byte)) {
            Some(last) => from + last + 1,
            None => self.space(text, from),
        }
    }

    /// `\s+(?!\S)|\s+`: a run of white space leaves its last character to what follows, if it has another.
    fn space(&self, text: &str, from: usize) -> usize {
        let end = self.run(text, from, SPACE);
        let last = text[from..end].chars().next_back().map_or(0, char::len_utf8);
        if end < text.len() && end - last > from { end - last } else { end }
    }

    /// Where the characters of a class that stand from `at` on end.
    fn run(&self, text: &str, mut at: usize, class: u8) -> usize {
        while let Some(seen) = self.at(text, at).filter(|seen| seen.class == class) {
            at += seen.len;
        }
        at
    }

    #[inline]
    fn at(&self, text: &str, at: usize) -> Option<Seen> {
        let first = *text.as_bytes().get(at)?;
        if first < 0x80 {
            return Some(Seen { class: self.classes[usize::from(first)], len: 1 });
        }
        let c = text[at..].chars().next()?;
        Some(Seen { class: self.classes[c as usize], len: c.len_utf8() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::pre_tokenizers::split::{Split, SplitPattern as Pattern};
    use tokenizers::{
        OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _, PreTokenizerWrapper,
        SplitDelimiterBehavior,
    };

    use super::*;
    use crate::tokenizer::hostile;

    fn ours(pattern: SplitPattern, text: &str) -> Vec<(usize, usize)> {
        let scanner = Scanner::new(pattern);
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < text.len() {
            let end = scanner.end(text, from);
            pieces.push((from, end));
            from = end;
        }
        pieces
    }

    fn theirs(pattern: SplitPattern, text: &str) -> Vec<(usize, usize)> {
        let pre_tokenizer: PreTokenizerWrapper = match pattern {
            SplitPattern::Gpt2 => ByteLevel::new(false, true, true).into(),
            SplitPattern::Cl100k => {
                Split::new(Pattern::Regex(CL100K.to_owned()), SplitDelimiterBehavior::Isolated, false).unwrap().into()
            }
        };
        let mut pieces = PreTokenizedString::from(text);
        pre_tokenizer.pre_tokenize(&mut pieces).unwrap();
        pieces.get_splits(OffsetReferential::Original, OffsetType::Byte).into_iter().map(|(_, at, _)| at).collect()
    }

    const PATTERNS: [SplitPattern; 2] = [SplitPattern::Gpt2, SplitPattern::Cl100k];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn texts_are_cut_as_the_library_cuts_them(
            text in prop_oneof![
                4 => hostile::text(),
                2 => "['sStTrRvVeElLmMdDſ \r\n\t\u{a0}1²½aй中_.]{0,40}",
                1 => "\\PC{0,60}",
                1 => any::<String>(),
            ],
        ) {
            for pattern in PATTERNS {
                prop_assert_eq!(ours(pattern, &text), theirs(pattern, &text), "{:?}", pattern);
            }
        }
    }

    #[test]
    fn every_character_is_cut_as_the_library_cuts_it() {
        // Between letters, digits, blanks, signs and line ends, where the class of each shows.
        let characters: Vec<char> = (0..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
        for few in characters.chunks(10_000) {
            let text: String = few.iter().flat_map(|c| ['a', *c, '7', *c, '!', *c, ' ']).collect();
            for pattern in PATTERNS {
                assert!(ours(pattern, &text) == theirs(pattern, &text), "{pattern:?}: U+{:04X}...", few[0] as u32);
            }
        }
    }

    #[test]
    fn cuts_by_hand() {
        let pieces = |pattern, text: &str| {
            ours(pattern, text).into_iter().map(|(from, to)| text[from..to].to_owned()).collect::<Vec<_>>()
        };
        let text = "It'S 12345  kPa\n\n (oil)!\r\n  x's";
        assert_eq!(
            pieces(SplitPattern::Gpt2, text),
            ["It", "'", "S", " 12345", " ", " kPa", "\n\n", " (", "oil", ")!", "\r\n ", " x", "'s"]
        );
        assert_eq!(
            pieces(SplitPattern::Cl100k, text),
            ["It", "'S", " ", "123", "45", " ", " kPa", "\n\n", " (", "oil", ")!\r\n", " ", " x", "'s"]
        );
    }
}
