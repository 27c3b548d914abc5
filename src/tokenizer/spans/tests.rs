//! Spans are held to the text they stand for, on hostile text too.

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
use crate::tokenizer::{Counter, hostile, train_bpe, train_wordpiece};

const LINES: [&str; 4] = [
    "Purge the non-condensables through the thermosiphon oil cooler before each restart.",
    "Аммиачный ресивер собирает жидкость, стекающую из конденсатора. 冷媒が流れる 한국어",
    "The compressor stops; don't open valve 12 at 3.5 bar (see #7)!",
    "  indented\tcode = { 1: 'x' }\n",
];

fn word_piece() -> Tokenizer {
    let settings = TokenizerSettings { vocab_size: 420, min_frequency: 1, lowercase: true, ..Default::default() };
    let texts = LINES.iter().cycle().take(12).map(|line| (*line).to_owned());
    train_wordpiece(&settings, texts, std::iter::empty(), &[], &Silent).unwrap().0
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
    let tail: Vec<_> = spans[spans.len() - 3..].iter().map(|span| (span.bytes.clone(), span.range.clone())).collect();
    assert_eq!(tail, [(vec![0xE4], 1..2), (vec![0xB8], 2..3), (vec![0xAD], 3..4)]);
}

#[test]
fn spans_are_sorted_disjoint_and_as_many_as_are_counted() {
    let tokenizers: Vec<_> =
        all().into_iter().map(|(name, tokenizer)| (name, Counter::new(tokenizer.clone()), tokenizer)).collect();
    let texts = prop_oneof![3 => hostile::text(), 1 => "\\PC{0,60}", 1 => any::<String>()];
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
