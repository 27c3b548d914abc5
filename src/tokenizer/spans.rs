//! Which bytes of a text each token stands for.
//!
//! The library's offsets are fine to a character only: two byte-level tokens that share one both claim all of it, and its
//! post-processors trim blanks off. Here the pipeline is run stage by stage, and the bytes that reach the model are laid
//! beside the original ones. It must never claim a byte twice, nor hide that normalisation changed a text.

use std::cell::RefCell;
use std::ops::Range;

use tokenizers::normalizer::Range as Of;
use tokenizers::pre_tokenizer::OffsetType;
use tokenizers::{
    Model, NormalizedString, NormalizerWrapper, OffsetReferential, PreTokenizer, PreTokenizerWrapper, Tokenizer,
};
use unicode_segmentation::UnicodeSegmentation;

use super::byte_alphabet::byte_of;
use super::{Error, Result};

/// A token and what it covers of the text it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSpan {
    /// Its id in the vocabulary.
    pub id: u32,
    /// The piece as the vocabulary writes it: `##osi`, `Ġde`, `▁the`.
    pub piece: String,
    /// The bytes of the original text that it covers, which need not be whole characters; empty where it covers none
    /// (a prefix space), or where an earlier token holds the character that both were made from.
    pub range: Range<usize>,
    /// The bytes that the piece stands for: of byte-level pieces the bytes themselves, of others their text without the
    /// continuation mark and with blanks for `▁`. They may be part of a character.
    pub bytes: Vec<u8>,
    /// Whether the text it covers was changed before the model saw it: composed, put in lower case, accents stripped.
    /// The range is then as fine as the changed characters allow.
    pub normalized: bool,
}

/// The tokens of a text, in order; their ranges ascend and never overlap, and bytes between them are covered by none
/// (blanks that a BERT pipeline drops). There are as many as [`Counter`](super::Counter) counts: no `[CLS]`, no `[SEP]`,
/// no truncation, no padding.
///
/// Time and memory follow the length of the text. To show part of a long text, split only that part, cut by
/// [`window`](super::window).
pub fn token_spans(tokenizer: &Tokenizer, text: &str) -> Result<Vec<TokenSpan>> {
    let failed = |error: tokenizers::Error| Error::Library { doing: "splitting a text", problem: error.to_string() };
    let byte_level = is_byte_level(tokenizer);
    let mut splits = tokenizer.get_added_vocabulary().extract_and_normalize(tokenizer.get_normalizer(), text);
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut splits).map_err(failed)?;
    }
    let added: Vec<bool> = splits
        .get_splits(OffsetReferential::Original, OffsetType::Byte)
        .iter()
        .map(|(_, _, tokens)| tokens.is_some())
        .collect();
    let seen = RefCell::new(Vec::new());
    splits
        .tokenize(|normalized| {
            seen.borrow_mut().push(Units::of(normalized, byte_level));
            tokenizer.get_model().tokenize(normalized.get())
        })
        .map_err(failed)?;

    let mut seen = seen.into_inner().into_iter();
    let mut spans: Vec<TokenSpan> = Vec::new();
    let mut claims: Vec<Range<usize>> = Vec::new();
    let mut units: Vec<Unit> = Vec::new();
    for ((content, original, tokens), added) in
        splits.get_splits(OffsetReferential::Original, OffsetType::Byte).into_iter().zip(added)
    {
        let tokens = tokens.as_deref().unwrap_or_default();
        let first = units.len();
        if added {
            // A token of the added vocabulary, found in the text before any pipeline: it covers what was found.
            let found = text.as_bytes().get(original.0..original.1).unwrap_or_default();
            units.extend((original.0..).zip(found).map(|(at, byte)| Unit { byte: *byte, from: at, to: at + 1 }));
            for token in tokens {
                claims.push(first..units.len());
                spans.push(TokenSpan {
                    id: token.id,
                    piece: token.value.clone(),
                    range: 0..0,
                    bytes: token.value.clone().into_bytes(),
                    normalized: content.as_bytes() != found,
                });
            }
            continue;
        }
        // One for each split that had no tokens, in their order; none is left over.
        let Some(mine) = seen.next() else { break };
        let mut at = 0;
        while at < tokens.len() {
            let offsets = tokens[at].offsets;
            let same = tokens[at..].iter().take_while(|token| token.offsets == offsets).count();
            let range = first + mine.index(offsets.0)..first + mine.index(offsets.1);
            for (nth, token) in tokens[at..at + same].iter().enumerate() {
                // Bytes instead of an unknown character all come with its offsets: one each.
                let one = same > 1 && range.len() == same;
                claims.push(if one { range.start + nth..range.start + nth + 1 } else { range.clone() });
                spans.push(TokenSpan {
                    id: token.id,
                    piece: token.value.clone(),
                    range: 0..0,
                    bytes: bytes_of(&token.value, byte_level),
                    normalized: false,
                });
            }
            at += same;
        }
        units.extend(mine.units);
    }
    let origins = origins(text, &units);
    let mut reached = 0;
    for (span, claim) in spans.iter_mut().zip(claims) {
        let mut covered: Option<Range<usize>> = None;
        for origin in origins.get(claim).unwrap_or_default() {
            span.normalized |= origin.changed;
            if let Some(range) = &origin.range {
                covered = Some(match covered {
                    Some(before) => before.start.min(range.start)..before.end.max(range.end),
                    None => range.clone(),
                });
            }
        }
        let covered = covered.unwrap_or(reached..reached);
        let start = covered.start.max(reached);
        span.range = start..covered.end.max(start);
        reached = span.range.end;
    }
    cover_dropped_marks(text, &mut spans);
    Ok(spans)
}

/// A byte as the model sees it, and where the library says it comes from: the whole of a character.
#[derive(Debug, Clone, Copy)]
struct Unit {
    byte: u8,
    from: usize,
    to: usize,
}

/// The bytes of a split.
struct Units {
    units: Vec<Unit>,
    /// Where each unit begins in the split's own text; byte-level characters stand for one byte and may take two.
    starts: Vec<usize>,
}

impl Units {
    fn of(normalized: &NormalizedString, byte_level: bool) -> Self {
        let content = normalized.get();
        let (shift, _) = normalized.offsets_original();
        let mut units = Vec::with_capacity(content.len());
        let mut starts = Vec::with_capacity(content.len());
        for (at, c) in content.char_indices() {
            let range = normalized.convert_offsets(Of::Normalized(at..at + c.len_utf8())).unwrap_or_default();
            let (from, to) = (shift + range.start, shift + range.end);
            if let Some(byte) = byte_of(c).filter(|_| byte_level) {
                units.push(Unit { byte, from, to });
                starts.push(at);
            } else {
                let mut buffer = [0; 4];
                let bytes = c.encode_utf8(&mut buffer).bytes();
                units.extend(bytes.map(|byte| Unit { byte, from, to }));
                starts.extend(at..at + c.len_utf8());
            }
        }
        Self { units, starts }
    }

    /// The unit that begins at or after a byte of the split's own text.
    fn index(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start < at)
    }
}

/// What a byte that the model sees stands for in the original text.
#[derive(Debug, Clone, Default)]
struct Origin {
    /// Nothing where it was put in.
    range: Option<Range<usize>>,
    changed: bool,
}

fn origins(text: &str, units: &[Unit]) -> Vec<Origin> {
    let mut origins = Vec::with_capacity(units.len());
    // What was made from one character stands together, also where a pre-tokenizer then cut it.
    for group in units.chunk_by(|a, b| (a.from, a.to) == (b.from, b.to)) {
        let (from, to) = (group[0].from, group[0].to);
        let original = text.as_bytes().get(from..to).unwrap_or_default();
        if original.is_empty() {
            origins.extend(group.iter().map(|_| Origin::default()));
            continue;
        }
        let bytes: Vec<u8> = group.iter().map(|unit| unit.byte).collect();
        let kept = bytes.windows(original.len()).position(|window| window == original);
        let whole = |changed| Origin { range: Some(from..to), changed };
        let byte = |nth, changed| Origin { range: Some(from + nth..from + nth + 1), changed };
        match kept {
            // Kept; what stands around it was put in (a prefix space, blanks around an ideograph).
            Some(kept) => origins.extend((0..bytes.len()).map(|at| {
                let inside = at >= kept && at < kept + original.len();
                if inside { byte(at - kept, false) } else { Origin::default() }
            })),
            None if bytes == "▁".as_bytes() && original == b" " => origins.extend(bytes.iter().map(|_| whole(false))),
            // Changed, but as long as before: byte for byte.
            None if bytes.len() == original.len() => origins.extend((0..bytes.len()).map(|nth| byte(nth, true))),
            None => origins.extend(bytes.iter().map(|_| whole(true))),
        }
    }
    origins
}

/// An accent that was composed or stripped belongs to the token that holds its letter, or the last part of it.
fn cover_dropped_marks(text: &str, spans: &mut [TokenSpan]) {
    let mut boundaries = text.grapheme_indices(true).map(|(at, grapheme)| at + grapheme.len()).peekable();
    for at in 0..spans.len() {
        let next = spans.get(at + 1).map_or(text.len(), |span| span.range.start);
        let span = &mut spans[at];
        // A token that found its character taken may still have the accent.
        if (span.range.is_empty() && !span.normalized) || span.range.end >= next {
            continue;
        }
        while boundaries.next_if(|boundary| *boundary < span.range.end).is_some() {}
        if let Some(boundary) = boundaries.peek().filter(|boundary| **boundary != span.range.end) {
            span.range.end = next.min(*boundary);
            span.normalized = true;
        }
    }
}

fn is_byte_level(tokenizer: &Tokenizer) -> bool {
    fn pre_tokenizer(wrapper: &PreTokenizerWrapper) -> bool {
        match wrapper {
            PreTokenizerWrapper::ByteLevel(_) => true,
            PreTokenizerWrapper::Sequence(sequence) => sequence.as_ref().iter().any(pre_tokenizer),
            _ => false,
        }
    }
    fn normalizer(wrapper: &NormalizerWrapper) -> bool {
        match wrapper {
            NormalizerWrapper::ByteLevel(_) => true,
            NormalizerWrapper::Sequence(sequence) => sequence.as_ref().iter().any(normalizer),
            _ => false,
        }
    }
    tokenizer.get_pre_tokenizer().is_some_and(pre_tokenizer) || tokenizer.get_normalizer().is_some_and(normalizer)
}

fn bytes_of(piece: &str, byte_level: bool) -> Vec<u8> {
    if byte_level && let Some(bytes) = piece.chars().map(byte_of).collect() {
        return bytes;
    }
    if let Some(byte) = piece.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'))
        && byte.len() == 2
        && let Ok(byte) = u8::from_str_radix(byte, 16)
    {
        return vec![byte];
    }
    piece.strip_prefix("##").filter(|rest| !rest.is_empty()).unwrap_or(piece).replace('▁', " ").into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::models::unigram::Unigram;
    use tokenizers::normalizers::{NFC, NFKC};
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
    use tokenizers::processors::roberta::RobertaProcessing;
    use tokenizers::{Normalizer, PostProcessorWrapper};

    use super::*;
    use crate::progress::{Silent, SystemClock};
    use crate::settings::TokenizerSettings;
    use crate::tokenizer::{Counter, train_bpe};

    const LINES: [&str; 4] = [
        "Purge the non-condensables through the thermosiphon oil cooler before each restart.",
        "Аммиачный ресивер собирает жидкость, стекающую из конденсатора. 冷媒が流れる 한국어",
        "The compressor stops; don't open valve 12 at 3.5 bar (see #7)!",
        "  indented\tcode = { 1: 'x' }\n",
    ];

    fn word_piece() -> Tokenizer {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/base-encoder/tokenizer.json");
        Tokenizer::from_file(file).unwrap()
    }

    fn byte_level(lowercase: bool) -> Tokenizer {
        let settings = TokenizerSettings { vocab_size: 420, min_frequency: 1, lowercase, ..Default::default() };
        let texts = LINES.iter().cycle().take(12).map(|line| (*line).to_owned());
        train_bpe(&settings, texts, std::iter::empty(), None, &Silent, &SystemClock::default()).unwrap().tokenizer
    }

    fn with_prefix_space() -> Tokenizer {
        let mut tokenizer = byte_level(false);
        tokenizer.with_pre_tokenizer(Some(ByteLevel::new(true, true, true)));
        // Its trimming of offsets must not matter.
        let roberta = RobertaProcessing::new(("[SEP]".into(), 3), ("[CLS]".into(), 2));
        tokenizer.with_post_processor(Some(PostProcessorWrapper::Roberta(roberta)));
        tokenizer
    }

    fn unigram(byte_fallback: bool) -> Tokenizer {
        let words = ["▁", "▁the", "▁de", "fro", "st", "ﬁ", "e", "é", "a", "b", "c"];
        let mut pieces = vec![("<unk>".to_owned(), 0.0)];
        pieces.extend(words.iter().map(|word| ((*word).to_owned(), -2.0)));
        if byte_fallback {
            pieces.extend((0..=u8::MAX).map(|byte| (format!("<0x{byte:02X}>"), -9.0)));
        }
        let mut tokenizer = Tokenizer::new(Unigram::from(pieces, Some(0), byte_fallback).unwrap());
        tokenizer.with_normalizer(Some(NFKC)).unwrap();
        tokenizer.with_pre_tokenizer(Some(Metaspace::new('▁', PrependScheme::Always, true)));
        tokenizer
    }

    fn all() -> Vec<(&'static str, Tokenizer)> {
        vec![
            ("WordPiece", word_piece()),
            ("byte-level BPE", byte_level(false)),
            ("byte-level BPE in lower case", byte_level(true)),
            ("byte-level BPE with a prefix space", with_prefix_space()),
            ("Unigram", unigram(false)),
            ("Unigram with bytes", unigram(true)),
        ]
    }

    fn shown(tokenizer: &Tokenizer, text: &str) -> Vec<(String, Range<usize>, bool)> {
        let spans = token_spans(tokenizer, text).unwrap();
        spans.into_iter().map(|span| (span.piece, span.range, span.normalized)).collect()
    }

    fn shown_is(tokenizer: &Tokenizer, text: &str, expected: &[(&str, Range<usize>, bool)]) {
        let expected: Vec<_> =
            expected.iter().map(|(piece, range, changed)| ((*piece).to_owned(), range.clone(), *changed)).collect();
        assert_eq!(shown(tokenizer, text), expected, "{text:?}");
    }

    /// A `WordPiece` vocabulary of these pieces, with BERT's pipeline.
    fn bert(pieces: &[&str]) -> Tokenizer {
        let vocabulary = ["[UNK]"].iter().chain(pieces).zip(0..).map(|(piece, id)| ((*piece).to_owned(), id));
        let model = tokenizers::models::wordpiece::WordPiece::builder()
            .vocab(vocabulary.collect::<ahash::AHashMap<String, u32>>())
            .unk_token("[UNK]".into())
            .build()
            .unwrap();
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_normalizer(Some(tokenizers::normalizers::BertNormalizer::default())).unwrap();
        tokenizer.with_pre_tokenizer(Some(tokenizers::pre_tokenizers::bert::BertPreTokenizer));
        tokenizer
    }

    #[test]
    fn word_pieces_cover_what_they_were_made_from() {
        let tokenizer = bert(&["therm", "##osi", "##phon", "cafe", "##s", ",", "中"]);
        shown_is(
            &tokenizer,
            " thermosiphon, x",
            &[
                ("therm", 1..6, false),
                ("##osi", 6..9, false),
                ("##phon", 9..13, false),
                (",", 13..14, false),
                ("[UNK]", 15..16, false),
            ],
        );
        // Lower case, accents composed and not: the accent stays with its letter.
        shown_is(&tokenizer, "Cafés", &[("cafe", 0..5, true), ("##s", 5..6, false)]);
        shown_is(&tokenizer, "cafe\u{301}s", &[("cafe", 0..6, true), ("##s", 6..7, false)]);
        shown_is(&tokenizer, "中中", &[("中", 0..3, false), ("中", 3..6, false)]);
        assert_eq!(token_spans(&tokenizer, "thermosi").unwrap()[1].bytes, b"osi");
    }

    #[test]
    fn byte_level_tokens_may_be_part_of_a_character() {
        let tokenizer = byte_level(false);
        let text = "a 👩\u{200d}🔧";
        let spans = token_spans(&tokenizer, text).unwrap();
        assert!(spans.iter().any(|span| !text.is_char_boundary(span.range.start)), "{spans:?}");
        assert_eq!(spans[0].piece, "a");
        assert_eq!(spans.iter().flat_map(|span| span.bytes.clone()).collect::<Vec<_>>(), text.as_bytes());
        assert!(spans.iter().all(|span| span.bytes == text.as_bytes()[span.range.clone()] && !span.normalized));
    }

    #[test]
    fn a_prefix_space_covers_nothing() {
        let tokenizer = with_prefix_space();
        for text in ["the", "é", "\nthe", "\t", "[SEP]the", " the"] {
            let spans = token_spans(&tokenizer, text).unwrap();
            let covered: Vec<u8> = spans.iter().flat_map(|span| text.as_bytes()[span.range.clone()].to_vec()).collect();
            assert_eq!(covered, text.as_bytes(), "{text:?}: {spans:?}");
            assert!(spans.iter().all(|span| !span.normalized), "{text:?}: {spans:?}");
        }
        let alone = token_spans(&tokenizer, "\nthe").unwrap();
        assert_eq!((alone[0].piece.as_str(), alone[0].range.clone()), ("Ġ", 0..0));
    }

    #[test]
    fn composing_and_lower_case_are_marked() {
        let lower = byte_level(true);
        let spans = token_spans(&lower, "The").unwrap();
        assert!(spans[0].normalized);
        assert_eq!(spans.iter().map(|span| span.range.len()).sum::<usize>(), 3);
        // İ becomes i and a dot: three bytes of two.
        let spans = token_spans(&lower, "İ").unwrap();
        assert_eq!(spans[0].range, 0..2);
        let composed = byte_level(false);
        let spans = token_spans(&composed, "e\u{301}").unwrap();
        assert_eq!(spans.iter().map(|span| span.range.clone()).collect::<Vec<_>>(), [0..1, 1..3], "{spans:?}");
        assert!(spans.iter().all(|span| span.normalized));
    }

    #[test]
    fn metaspace_and_bytes_instead_of_the_unknown() {
        shown_is(
            &unigram(false),
            "the defrost",
            &[("▁the", 0..3, false), ("▁de", 3..6, false), ("fro", 6..9, false), ("st", 9..11, false)],
        );
        let spans = token_spans(&unigram(true), "a中").unwrap();
        let tail: Vec<_> =
            spans[spans.len() - 3..].iter().map(|span| (span.bytes.clone(), span.range.clone())).collect();
        assert_eq!(tail, [(vec![0xE4], 1..2), (vec![0xB8], 2..3), (vec![0xAD], 3..4)]);
    }

    fn hostile() -> impl Strategy<Value = String> {
        let pieces = [
            " ",
            "  ",
            "\n",
            "\r\n",
            "\r",
            "\t",
            "\u{b}",
            "\u{85}",
            "\u{a0}",
            "\u{3000}",
            "\u{2028}",
            "\u{200b}",
            "\u{200d}",
            "\0",
            "\u{1b}[31m",
            "the",
            "B",
            "é",
            "e\u{301}",
            "\u{301}",
            "a\u{327}\u{301}\u{302}",
            "\u{301}\u{327}",
            "ß",
            "İ",
            "ю",
            "Ё",
            "й",
            "中",
            "流れ",
            "が",
            "か\u{3099}",
            "ไทย",
            "한",
            "\u{1112}\u{1161}\u{11ab}",
            "क्षि",
            "مرحبا",
            "שָׁלוֹם",
            "👩\u{200d}🔧",
            "👩🏽\u{200d}❤\u{fe0f}\u{200d}👨🏿",
            "🇫🇷",
            "🇫",
            "\u{600}",
            "\u{d4e}",
            "1",
            "42",
            ".",
            ",",
            "'s",
            "n't",
            "[SEP]",
            "[sep]",
            "▁",
            "_",
            "valve",
            "thermosiphon",
            "ﬁ",
            "½",
            "Ω",
            "\u{212b}",
            "\u{feff}",
            "\u{202e}",
            "\u{2066}",
            "\u{ad}",
            "\u{10ffff}",
            "𝔾",
            "ＡＢ",
        ];
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24).prop_map(|parts| parts.concat())
    }

    #[test]
    fn spans_are_sorted_disjoint_and_as_many_as_are_counted() {
        let tokenizers: Vec<_> =
            all().into_iter().map(|(name, tokenizer)| (name, Counter::new(tokenizer.clone()), tokenizer)).collect();
        let texts = prop_oneof![3 => hostile(), 1 => "\\PC{0,60}", 1 => any::<String>()];
        let composed = |text: &str| {
            let mut normalized = NormalizedString::from(text);
            NFC.normalize(&mut normalized).unwrap();
            normalized.get() == text
        };
        let mut exact = 0;
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 600,
            failure_persistence: None,
            ..Default::default()
        });
        let seen = RefCell::new(&mut exact);
        runner
            .run(&texts, |text| {
                for (name, counter, tokenizer) in &tokenizers {
                    let spans = token_spans(tokenizer, &text).unwrap();
                    prop_assert_eq!(spans.len() as u64, counter.count(&[&text]).unwrap()[0].tokens, "{}", name);
                    let ids = tokenizer.encode(text.as_str(), false).unwrap();
                    prop_assert_eq!(spans.iter().map(|span| span.id).collect::<Vec<_>>(), ids.get_ids(), "{}", name);
                    let mut reached = 0;
                    for span in &spans {
                        prop_assert!(span.range.start >= reached && span.range.end >= span.range.start, "{}", name);
                        reached = span.range.end;
                    }
                    prop_assert!(reached <= text.len(), "{}", name);
                    if *name == "byte-level BPE" && composed(&text) {
                        **seen.borrow_mut() += 1;
                        let bytes: Vec<u8> = spans.iter().flat_map(|span| span.bytes.clone()).collect();
                        prop_assert_eq!(&bytes, text.as_bytes());
                        for span in &spans {
                            prop_assert_eq!(&span.bytes, &text.as_bytes()[span.range.clone()]);
                            prop_assert!(!span.normalized);
                        }
                    }
                }
                Ok(())
            })
            .unwrap();
        assert!(exact > 100, "only {exact} texts were left as they are");
    }
}
