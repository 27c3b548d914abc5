use tokenizers::Tokenizer;

use super::*;

/// A `WordPiece` with BERT's normaliser and pre-tokenizer.
fn wordpiece() -> Tokenizer {
    let vocabulary = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "therm", "##osi", "##phon", "com", "##com", "##press", "press", "-",
        "а", "##м",
    ];
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        vocabulary.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id.into())).collect();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": (0..4).map(|id| serde_json::json!({
            "id": id, "content": (["[PAD]", "[UNK]", "[CLS]", "[SEP]"][id]), "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        })).collect::<Vec<_>>(),
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    serde_json::from_value(json).unwrap()
}

/// A byte-level BPE whose tokens beside the bytes are these; their merges do not matter here.
fn byte_level(tokens: &[&str]) -> Tokenizer {
    let mut vocabulary: ahash::AHashMap<String, u32> = ahash::AHashMap::new();
    for token in ["<pad>", "<unk>", "<s>", "</s>", "<mask>"] {
        vocabulary.insert(token.to_owned(), vocabulary.len() as u32);
    }
    let mut alphabet: Vec<char> = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    for token in alphabet.iter().map(char::to_string).chain(tokens.iter().map(|&token| token.to_owned())) {
        let id = vocabulary.len() as u32;
        vocabulary.entry(token).or_insert(id);
    }
    let model = tokenizers::models::bpe::BPE::builder().vocab_and_merges(vocabulary, Vec::new()).build().unwrap();
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(tokenizers::pre_tokenizers::byte_level::ByteLevel::new(false, true, true)));
    tokenizer
        .add_special_tokens(
            ["<pad>", "<unk>", "<s>", "</s>", "<mask>"].map(|token| tokenizers::AddedToken::from(token, true)),
        )
        .unwrap();
    tokenizer
}

fn of(sources: &[Source], tokenizer: &Tokenizer, token: &str) -> Source {
    sources[tokenizer.token_to_id(token).unwrap() as usize].clone()
}

#[test]
fn tokens_are_cut_as_the_base_cuts_them() {
    let base = wordpiece();
    let new = byte_level(&[
        "Ġthermosiphon",
        "osiphon",
        "ĠThe",
        "Ġcompress",
        "compress",
        "Ð°",
        "ĠÐ°",
        "ĠÐ°Ð¼",
        "ĠðŁ",
        "-press",
    ]);
    let sources = sources(&base, &new).unwrap();
    let rows = |tokens: &[&str]| Source::Base(tokens.iter().map(|token| base.token_to_id(token).unwrap()).collect());
    assert_eq!(of(&sources, &new, "Ġthermosiphon"), rows(&["therm", "##osi", "##phon"]));
    assert_eq!(of(&sources, &new, "osiphon"), rows(&["##osi", "##phon"]), "inside a word");
    assert_eq!(of(&sources, &new, "ĠThe"), rows(&["the"]), "as the base normalises");
    assert_eq!(of(&sources, &new, "Ġcompress"), rows(&["com", "##press"]));
    assert_eq!(of(&sources, &new, "compress"), rows(&["##com", "##press"]));
    assert_eq!(of(&sources, &new, "-press"), rows(&["-", "press"]), "a word begins behind the dash");
    assert_eq!(of(&sources, &new, "ĠÐ°Ð¼"), rows(&["а", "##м"]));
    assert_eq!(
        of(&sources, &new, "Ð°"),
        Source::Containing(vec![new.token_to_id("ĠÐ°").unwrap(), new.token_to_id("ĠÐ°Ð¼").unwrap(),]),
        "а continues no word of the base: it is in two others"
    );
    let Source::Containing(with) = of(&sources, &new, "Ð") else { panic!("half a letter") };
    assert_eq!(with.len(), 2);
    // What no known token contains.
    assert_eq!(of(&sources, &new, "ĠðŁ"), Source::Anything);
}

#[test]
fn special_tokens_keep_their_part() {
    let base = wordpiece();
    let new = byte_level(&[]);
    let sources = sources(&base, &new).unwrap();
    for (theirs, ours) in [("<pad>", "[PAD]"), ("<unk>", "[UNK]"), ("<s>", "[CLS]"), ("</s>", "[SEP]")] {
        assert_eq!(of(&sources, &new, theirs), Source::Base(vec![base.token_to_id(ours).unwrap()]));
    }
    assert_eq!(of(&sources, &new, "<mask>"), Source::Anything, "the base has none");
}

#[test]
fn the_same_vocabulary_is_itself() {
    let base = wordpiece();
    let sources = sources(&base, &base).unwrap();
    let expected: Vec<Source> = (0..base.get_vocab_size(true) as u32).map(|id| Source::Base(vec![id])).collect();
    assert_eq!(sources, expected);
}

#[test]
fn a_unigram_base_tells_the_beginning_of_a_word_too() {
    let pieces = ["<unk>", "▁", "▁com", "com", "press", "▁press"];
    let vocabulary: Vec<(String, f64)> = pieces.iter().map(|piece| ((*piece).to_owned(), -2.0)).collect();
    let mut base = Tokenizer::new(tokenizers::models::unigram::Unigram::from(vocabulary, Some(0), false).unwrap());
    base.with_pre_tokenizer(Some(tokenizers::pre_tokenizers::metaspace::Metaspace::default()));
    let new = byte_level(&["Ġcompress", "compress", "press"]);
    let sources = sources(&base, &new).unwrap();
    let rows = |tokens: &[&str]| Source::Base(tokens.iter().map(|token| base.token_to_id(token).unwrap()).collect());
    assert_eq!(of(&sources, &new, "Ġcompress"), rows(&["▁com", "press"]));
    assert_eq!(of(&sources, &new, "compress"), rows(&["com", "press"]));
    assert_eq!(of(&sources, &new, "press"), rows(&["press"]));
}
