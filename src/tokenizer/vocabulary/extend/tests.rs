use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::pre_tokenizers::whitespace::Whitespace;

use super::*;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn tokens(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    tokenizer.encode(text, false).unwrap().get_tokens().to_vec()
}

fn wordpiece() -> Tokenizer {
    let vocabulary = ["[UNK]", "[unused0]", "the", "therm", "##osi", "##phon"];
    let vocabulary: ahash::AHashMap<String, u32> =
        vocabulary.iter().zip(0..).map(|(token, id)| ((*token).to_owned(), id)).collect();
    let mut tokenizer = Tokenizer::new(WordPiece::builder().vocab(vocabulary).build().unwrap());
    tokenizer.with_pre_tokenizer(Some(Whitespace {}));
    tokenizer
}

#[test]
fn what_costs_most_comes_first() {
    let texts = ["the thermosiphon the thermosi", "thermosiphon thermosi thermosi thermosi", "thermphon"];
    // Four times one piece too many, twice two: even, so the alphabet decides.
    let costly = costly_words(&wordpiece(), &texts, 10).unwrap();
    assert_eq!(costly, ["thermosi", "thermosiphon"], "thermphon is seen once");
    assert_eq!(costly_words(&wordpiece(), &texts, 1).unwrap(), ["thermosi"]);
}

#[test]
fn a_word_piece_vocabulary_uses_its_free_rows_first() {
    let extended = extend(&wordpiece(), &words(&["thermosiphon", "thermosi", "the"])).unwrap();
    assert_eq!((extended.words, extended.reused), (2, 1), "`the` is whole already");
    assert_eq!(
        tokens(&extended.tokenizer, "the thermosiphon thermosi thermphon"),
        ["the", "thermosiphon", "thermosi", "therm", "##phon"]
    );
    assert_eq!(extended.tokenizer.get_vocab_size(true), 7);
    assert_eq!(extended.tokenizer.token_to_id("thermosiphon"), Some(1), "the free row");
    assert_eq!(extended.sources[1], Source::Base(vec![3, 4, 5]));
    assert_eq!(extended.sources[6], Source::Base(vec![3, 4]));
    assert_eq!(extended.sources[3], Source::Base(vec![3]));
}

#[test]
fn a_bpe_gets_the_merges_that_lead_to_the_word() {
    let mut vocabulary: ahash::AHashMap<String, u32> = ahash::AHashMap::new();
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    for token in alphabet.iter().map(char::to_string).chain(["de", "fr", "os", "Ġde"].map(str::to_owned)) {
        vocabulary.insert(token, vocabulary.len() as u32);
    }
    let merges = [("d", "e"), ("f", "r"), ("o", "s"), ("Ġ", "de")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let model = BPE::builder().vocab_and_merges(vocabulary, merges.to_vec()).build().unwrap();
    let mut base = Tokenizer::new(model);
    base.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    assert_eq!(tokens(&base, " defrost"), ["Ġde", "fr", "os", "t"]);
    let extended = extend(&base, &words(&["Ġdefrost"])).unwrap();
    assert_eq!(extended.words, 1);
    assert_eq!(tokens(&extended.tokenizer, " defrost defr"), ["Ġdefrost", "Ġdefr"]);
    let id = |token: &str| base.token_to_id(token).unwrap();
    let row = extended.tokenizer.token_to_id("Ġdefrost").unwrap();
    assert_eq!(extended.sources[row as usize], Source::Base(vec![id("Ġde"), id("fr"), id("os"), id("t")]));
    assert_eq!(extended.sources.len(), extended.tokenizer.get_vocab_size(true));
}

#[test]
fn a_unigram_word_beats_its_pieces() {
    let pieces = [("<unk>", 0.0), ("▁com", -3.0), ("press", -4.0), ("or", -2.0), ("▁", -5.0)];
    let vocabulary = pieces.iter().map(|(piece, score)| ((*piece).to_owned(), *score)).collect();
    let mut base = Tokenizer::new(Unigram::from(vocabulary, Some(0), false).unwrap());
    base.with_pre_tokenizer(Some(Metaspace::default()));
    assert_eq!(tokens(&base, "compressor"), ["▁com", "press", "or"]);
    let extended = extend(&base, &words(&["▁compressor"])).unwrap();
    assert_eq!((extended.words, extended.reused), (1, 0));
    assert_eq!(tokens(&extended.tokenizer, "compressor compress"), ["▁compressor", "▁com", "press"]);
    assert_eq!(extended.sources[5], Source::Base(vec![1, 2, 3]));
}
