//! Counting is held to what the tokenizer's own encoding counts, on hostile text too.

use super::*;
use proptest::prelude::*;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::models::unigram::{Unigram, UnigramTrainerBuilder};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainerBuilder};
use tokenizers::normalizers::{BertNormalizer, Lowercase, NFC, NFKC, Sequence};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{AddedToken, NormalizerWrapper};

use crate::tokenizer::hostile;

const TEXT: &str = "The purge drum vents non-condensable gases; don't open it. Compressors, condensers and receivers: \
    they've 12 valves, 3.5 bar, #7! Аммиачный ресивер собирает жидкость, стекающую из конденсатора. 冷媒 流れる ammonia";

fn special(names: &[&str]) -> Vec<AddedToken> {
    names.iter().map(|name| AddedToken::from(*name, true)).collect()
}

fn trained(mut tokenizer: Tokenizer, trainer: impl Into<TrainerWrapper>) -> Tokenizer {
    tokenizer.train(&mut trainer.into(), TEXT.split(". ")).unwrap();
    tokenizer
}

fn word_piece() -> Tokenizer {
    let model = WordPiece::builder().unk_token("[UNK]".into()).build().unwrap();
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(BertNormalizer::default())).unwrap();
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    let names = special(&["[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    trained(
        tokenizer,
        WordPieceTrainerBuilder::new().vocab_size(160).show_progress(false).special_tokens(names).build(),
    )
}

fn byte_level(prefix_space: bool, normalizers: Vec<NormalizerWrapper>) -> Tokenizer {
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(prefix_space, true, true)));
    if !normalizers.is_empty() {
        tokenizer.with_normalizer(Some(Sequence::new(normalizers))).unwrap();
    }
    let trainer = BpeTrainerBuilder::new()
        .vocab_size(400)
        .show_progress(false)
        .special_tokens(special(&["</s>", "[SEP]"]))
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect());
    trained(tokenizer, trainer.build())
}

fn unigram(scheme: PrependScheme) -> Tokenizer {
    let mut tokenizer = Tokenizer::new(Unigram::default());
    tokenizer.with_normalizer(Some(NFKC)).unwrap();
    tokenizer.with_pre_tokenizer(Some(Metaspace::new('▁', scheme, true)));
    let trainer = UnigramTrainerBuilder::default()
        .vocab_size(120)
        .show_progress(false)
        .unk_token(Some("<unk>".into()))
        .special_tokens(special(&["<unk>", "</s>"]))
        .build()
        .unwrap();
    trained(tokenizer, trainer)
}

fn all() -> Vec<(&'static str, Tokenizer)> {
    vec![
        ("WordPiece", word_piece()),
        ("byte-level BPE", byte_level(false, Vec::new())),
        ("byte-level BPE with a prefix space", byte_level(true, vec![NFC.into()])),
        ("byte-level BPE in lower case", byte_level(false, vec![NFC.into(), Lowercase.into()])),
        ("Unigram", unigram(PrependScheme::Always)),
        ("Unigram with the first word marked", unigram(PrependScheme::First)),
    ]
}

fn same(name: &str, tokenizer: &Tokenizer, text: &str) {
    let counter = Counter::new(tokenizer.clone());
    assert!(counter.exact_by_words(), "{name} can be counted by words");
    let expected = tokenizer.encode(text, false).unwrap().len() as u64;
    // Twice: the second time from memory.
    for _ in 0..2 {
        assert_eq!(
            counter.count(&[text]).unwrap()[0].tokens,
            expected,
            "{name}: {:?}",
            text.chars().take(200).collect::<String>()
        );
    }
}

#[test]
fn counts_are_those_of_the_tokenizer() {
    let tokenizers = all();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 600, ..ProptestConfig::default() });
    let texts = prop_oneof![3 => hostile::text(), 1 => "\\PC{0,60}", 1 => any::<String>()];
    runner
        .run(&texts, |text| {
            for (name, tokenizer) in &tokenizers {
                same(name, tokenizer, &text);
            }
            Ok(())
        })
        .unwrap();
}

/// The ids of the texts, counted one by one.
fn frequencies_are_exact(name: &str, tokenizer: &Tokenizer, texts: &[String]) {
    let counter = Counter::new(tokenizer.clone());
    let counted: u64 = counter.count(texts).unwrap().iter().map(|count| count.tokens).sum();
    let found = counter.frequencies().unwrap().unwrap();
    let mut expected = vec![0; found.len()];
    for text in texts {
        for id in tokenizer.encode(text.as_str(), false).unwrap().get_ids() {
            expected[*id as usize] += 1;
        }
    }
    assert_eq!(found, expected, "{name}: {texts:?}");
    assert_eq!(found.iter().sum::<u64>(), counted);
}

#[test]
fn frequencies_are_those_of_the_tokens() {
    let tokenizers = all();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 100, ..ProptestConfig::default() });
    let texts = prop::collection::vec(prop_oneof![3 => hostile::text(), 1 => "\\PC{0,60}"], 1..4);
    runner
        .run(&texts, |texts| {
            for (name, tokenizer) in &tokenizers {
                frequencies_are_exact(name, tokenizer, &texts);
            }
            Ok(())
        })
        .unwrap();
    // Too long to be remembered.
    let long = ["valve ".repeat(3), "x".repeat(3 * LONGEST), "é".repeat(LONGEST) + " valve"];
    for (name, tokenizer) in &tokenizers {
        frequencies_are_exact(name, tokenizer, &long);
    }
    let mut unknown = byte_level(false, Vec::new());
    unknown.with_normalizer(Some(tokenizers::normalizers::Strip::new(true, true))).unwrap();
    assert_eq!(Counter::new(unknown).frequencies().unwrap(), None);
}

#[test]
fn long_texts_are_cut_where_it_does_not_matter() {
    let text = TEXT.repeat(1 + 4 * BLOCK / TEXT.len()) + &"x".repeat(2 * BLOCK) + &" \n ".repeat(BLOCK) + "end";
    for (name, tokenizer) in all() {
        same(name, &tokenizer, &text);
    }
}

#[test]
fn an_unknown_pipeline_is_encoded_in_full() {
    let mut tokenizer = byte_level(false, Vec::new());
    tokenizer.with_normalizer(Some(tokenizers::normalizers::Strip::new(true, true))).unwrap();
    let counter = Counter::new(tokenizer.clone());
    assert!(!counter.exact_by_words());
    let counted = counter.count(&["  a valve  "]).unwrap()[0];
    assert_eq!(counted.tokens, tokenizer.encode("  a valve  ", false).unwrap().len() as u64);
    assert_eq!(counted.words, 2);
}

#[test]
fn the_worst_words_are_named_with_their_pieces() {
    let vocabulary =
        ["[UNK]", "the", "thermo", "##siphon"].into_iter().zip(0..).map(|(piece, id)| (piece.to_string(), id));
    let model = WordPiece::builder()
        .vocab(vocabulary.collect::<ahash::AHashMap<String, u32>>())
        .unk_token("[UNK]".into())
        .build()
        .unwrap();
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    let counter = Counter::new(tokenizer);
    counter.count(&["(thermosiphon) thermosiphon, the thermosiphon. the the zzz"]).unwrap();
    let worst = &counter.worst(1)[0];
    assert_eq!((worst.word.as_str(), worst.count), ("thermosiphon", 3));
    assert_eq!(worst.pieces, ["thermo", "##siphon"]);
    let counter = Counter::new(byte_level(false, Vec::new()));
    counter.count(&["zz жидкостями жидкостями"]).unwrap();
    assert_eq!(counter.worst(1)[0].word, "жидкостями");
    let pieces = counter.worst(1)[0].pieces.concat();
    assert!(pieces.starts_with("Ġ"), "without a decoder a piece stays as the tokenizer names it: {pieces}");
    assert_eq!(text_of_bytes("ĠÐ"), "<D0>");
    assert_eq!(text_of_bytes("ĠÐ¶Ð"), "ж<D0>");
}
