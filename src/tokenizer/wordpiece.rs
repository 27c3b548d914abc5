//! `WordPiece` (Schuster & Nakajima 2012) as BERT has it, trained by the `tokenizers` crate: the other choice, so that
//! byte-level BPE is one by measurement.
//!
//! The library's trainer merges pairs as BPE does, on characters, and marks those inside a word with `##`; the tokenizer
//! then takes the longest piece that fits. It tells nothing while it works and cannot be stopped: it works in a thread of
//! its own, which is left behind where a stop is wanted.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ahash::AHashMap;
use rayon::prelude::*;
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    AddedToken, Model as _, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _, Tokenizer,
    Trainer as _,
};

use super::bpe::{finish, refused, special_tokens};
use super::{Error, Fragmentation, Result};
use crate::progress::{Event, Observer};
use crate::settings::TokenizerSettings;

/// What stands before a piece that continues a word.
const INSIDE: &str = "##";
/// Between two looks at whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// A vocabulary size of `WordPiece`, and what texts become with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordPiecePoint {
    /// Tokens in the vocabulary, special tokens included.
    pub vocab_size: usize,
    /// The texts that it was learned from.
    pub train: Fragmentation,
    /// The held-out texts; none where there are none.
    pub heldout: Option<Fragmentation>,
    /// Words that became `[UNK]`, of the held-out texts, or of those learned from where there are no others. Each counts
    /// as one token, which flatters the ratio.
    pub unknown: u64,
}

impl WordPiecePoint {
    /// The ratio that says more: on the held-out texts where there are any.
    pub fn ratio(&self) -> f64 {
        self.heldout.unwrap_or(self.train).ratio()
    }
}

/// How often a word stands in the texts.
#[derive(Default, Clone, Copy)]
struct Counts {
    train: u64,
    heldout: u64,
}

#[derive(Default)]
struct Counted {
    words: AHashMap<String, Counts>,
    train: Fragmentation,
    heldout: Fragmentation,
}

/// Trains on texts as they stream by, and judges the vocabulary as it was at some sizes, which must rise; those that are
/// smaller than the alphabet are left out, and the last point is the whole vocabulary.
///
/// Tells the phases `count words for WordPiece` and `train WordPiece`, and each point as the scalar `ratio_wordpiece`.
pub fn train_wordpiece(
    settings: &TokenizerSettings,
    texts: impl Iterator<Item = String> + Send,
    heldout: impl Iterator<Item = String> + Send,
    sizes: &[usize],
    observer: &dyn Observer,
) -> Result<(Tokenizer, Vec<WordPiecePoint>)> {
    let special = special_tokens(settings);
    let plain = pipeline(settings, WordPiece::default())?;
    // Knows the special tokens, and nothing else.
    let mut finished = pipeline(settings, model(special.iter().cloned().zip(0..).collect())?)?;
    finish(&mut finished, &special)?;

    observer.on(Event::phase("count words for WordPiece"));
    let counted = Mutex::new(Counted::default());
    let going_on = || !observer.stop_requested();
    let trainer = WordPieceTrainer::builder()
        .vocab_size(settings.vocab_size)
        .min_frequency(settings.min_frequency)
        .show_progress(false)
        .special_tokens(special.iter().map(|token| AddedToken::from(token.as_str(), true)).collect());
    let mut trainer = trainer.build();
    let read = |tokenizer: &Tokenizer, text: &str, train: bool| {
        let (words, special) = words(tokenizer, text)?;
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        let of = if train { &mut counted.train } else { &mut counted.heldout };
        *of += Fragmentation { words: text.split_whitespace().count() as u64, tokens: special };
        for word in &words {
            if !counted.words.contains_key(word) {
                counted.words.insert(word.clone(), Counts::default());
            }
            if let Some(counts) = counted.words.get_mut(word) {
                *(if train { &mut counts.train } else { &mut counts.heldout }) += 1;
            }
        }
        Ok::<_, tokenizers::Error>(words)
    };
    let holds_special = |text: &str| special.iter().any(|token| text.contains(token.as_str()));
    let learn = |text: &str| {
        let words = read(if holds_special(text) { &finished } else { &plain }, text, true)?;
        // Learned from as it stands, read as the finished tokenizer will.
        if holds_special(text) { Ok(self::words(&plain, text)?.0) } else { Ok(words) }
    };
    trainer.feed(texts.take_while(|_| going_on()), learn).map_err(|error| refused(&error))?;
    let judged = heldout.take_while(|_| going_on()).par_bridge();
    judged.try_for_each(|text| read(&finished, &text, false).map(|_| ())).map_err(|error| refused(&error))?;
    if !going_on() {
        return Err(Error::Stopped);
    }

    observer.on(Event::phase("train WordPiece"));
    let vocabulary = in_a_thread(trainer, observer)?;
    let counted = counted.into_inner().unwrap_or_else(PoisonError::into_inner);
    let whole = vocabulary.len();
    let alphabet = vocabulary.keys().filter(|token| is_letter(token)).count() + special.len();
    let mut sizes: Vec<usize> = sizes.iter().copied().filter(|size| (alphabet..whole).contains(size)).collect();
    sizes.push(whole);
    let mut points = Vec::with_capacity(sizes.len());
    for size in sizes {
        if !going_on() {
            return Err(Error::Stopped);
        }
        let known = vocabulary.iter().filter(|(_, id)| (**id as usize) < size);
        let model = model(known.map(|(token, id)| (token.clone(), *id)).collect())?;
        let point = judge(&model, &counted, size)?;
        observer.on(Event::Scalar { step: size as u64, values: [("ratio_wordpiece", point.ratio())].into() });
        points.push(point);
    }
    let mut tokenizer = pipeline(settings, model(vocabulary)?)?;
    finish(&mut tokenizer, &special)?;
    Ok((tokenizer, points))
}

/// Trains, and looks at whether to stop meanwhile.
fn in_a_thread(trainer: WordPieceTrainer, observer: &dyn Observer) -> Result<AHashMap<String, u32>> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut model = WordPiece::default();
        let trained = trainer.train(&mut model).map(|_| model.get_vocab());
        let _ = send.send(trained); // nobody waits for it any more where a stop was wanted
    });
    loop {
        match receive.recv_timeout(LOOK) {
            Ok(trained) => return Ok(trained.map_err(|error| refused(&error))?.into_iter().collect()),
            Err(RecvTimeoutError::Timeout) if observer.stop_requested() => return Err(Error::Stopped),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let problem = "its trainer gave up".to_owned();
                return Err(Error::Library { doing: "training WordPiece", problem });
            }
        }
    }
}

/// What the texts become with a vocabulary.
fn judge(model: &WordPiece, counted: &Counted, vocab_size: usize) -> Result<WordPiecePoint> {
    let tokens = counted.words.par_iter().map(|(word, counts)| {
        let pieces = model.tokenize(word).map_err(|error| refused(&error))?;
        let unknown = pieces.iter().any(|piece| piece.value == model.unk_token);
        let count = if counted.heldout.words > 0 { counts.heldout } else { counts.train };
        let tokens = pieces.len() as u64;
        Ok::<_, Error>([counts.train * tokens, counts.heldout * tokens, if unknown { count } else { 0 }])
    });
    let sum = |a: [u64; 3], b: [u64; 3]| Ok([a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
    let [train, heldout, unknown] = tokens.try_reduce(|| [0; 3], sum)?;
    let with = |of: Fragmentation, tokens: u64| Fragmentation { words: of.words, tokens: of.tokens + tokens };
    let judged = (counted.heldout.words > 0).then(|| with(counted.heldout, heldout));
    Ok(WordPiecePoint { vocab_size, train: with(counted.train, train), heldout: judged, unknown })
}

/// A text's words, and how many special tokens were cut out of it.
fn words(tokenizer: &Tokenizer, text: &str) -> tokenizers::Result<(Vec<String>, u64)> {
    let mut pieces: PreTokenizedString =
        tokenizer.get_added_vocabulary().extract_and_normalize(tokenizer.get_normalizer(), text);
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut pieces)?;
    }
    let (mut words, mut special) = (Vec::new(), 0);
    for (piece, _, tokens) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::None) {
        match tokens {
            Some(tokens) => special += tokens.len() as u64,
            None => words.push(piece.to_owned()),
        }
    }
    Ok((words, special))
}

fn is_letter(token: &str) -> bool {
    let mut characters = token.strip_prefix(INSIDE).filter(|rest| !rest.is_empty()).unwrap_or(token).chars();
    characters.next().is_some() && characters.next().is_none()
}

fn model(vocabulary: AHashMap<String, u32>) -> Result<WordPiece> {
    let builder = WordPiece::builder().vocab(vocabulary).unk_token("[UNK]".to_owned());
    builder.continuing_subword_prefix(INSIDE.to_owned()).build().map_err(|error| refused(&error))
}

/// BERT's pipeline around a model.
fn pipeline(settings: &TokenizerSettings, model: WordPiece) -> Result<Tokenizer> {
    let mut tokenizer = Tokenizer::new(model);
    let normalizer = BertNormalizer::new(true, true, None, settings.lowercase);
    tokenizer.with_normalizer(Some(normalizer)).map_err(|error| refused(&error))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
    Ok(tokenizer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Recorder, Silent};
    use crate::tokenizer::Counter;

    fn texts() -> Vec<String> {
        let text = include_str!("../../README.md");
        let mut texts: Vec<String> = text.split("\n\n").map(str::to_owned).collect();
        texts.push("A [SEP] in the text, and a word of 流 signs.".to_owned());
        texts
    }

    #[test]
    fn its_points_are_what_its_tokenizers_count() {
        let (heldout, learned): (Vec<_>, Vec<_>) = texts().into_iter().enumerate().partition(|(at, _)| at % 4 == 0);
        let plain = |texts: Vec<(usize, String)>| texts.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        let (heldout, learned) = (plain(heldout), plain(learned));
        let settings = TokenizerSettings { vocab_size: 700, lowercase: true, ..TokenizerSettings::default() };
        let (tokenizer, points) =
            train_wordpiece(&settings, learned.iter().cloned(), heldout.iter().cloned(), &[5, 400, 600], &Silent)
                .unwrap();
        let sizes: Vec<usize> = points.iter().map(|point| point.vocab_size).collect();
        assert_eq!(sizes, [400, 600, 700], "5 is less than the alphabet");
        let counted = |tokenizer: &Tokenizer, texts: &[String]| {
            let counts = Counter::new(tokenizer.clone()).count(texts).unwrap();
            counts.into_iter().fold(Fragmentation::default(), |sum, count| sum + count)
        };
        for point in &points {
            let mut json = serde_json::to_value(&tokenizer).unwrap();
            let vocabulary = json["model"]["vocab"].as_object_mut().unwrap();
            vocabulary.retain(|_, id| id.as_u64().unwrap() < point.vocab_size as u64);
            let smaller: Tokenizer = serde_json::from_value(json).unwrap();
            assert_eq!(point.train, counted(&smaller, &learned), "{}", point.vocab_size);
            assert_eq!(point.heldout, Some(counted(&smaller, &heldout)), "{}", point.vocab_size);
        }
        assert!(points.is_sorted_by(|a, b| a.train.tokens >= b.train.tokens));
        let encoding = tokenizer.encode("lapidary", true).unwrap();
        assert_eq!(encoding.get_tokens().first().map(String::as_str), Some("[CLS]"));
    }

    #[test]
    fn it_stops_before_and_while_it_trains() {
        let recorder = Recorder::default();
        recorder.request_stop();
        let settings = TokenizerSettings::default();
        let endless = texts().into_iter().cycle();
        let stopped = train_wordpiece(&settings, endless, std::iter::empty(), &[], &recorder);
        assert!(matches!(stopped, Err(Error::Stopped)));
    }
}
