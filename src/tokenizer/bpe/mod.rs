//! Training a byte-level BPE tokenizer (Sennrich et al. 2016; on bytes, Radford et al. 2019), for all to see.
//!
//! The seam for another trainer: texts and settings in, a tokenizer and its curve out. The tokenizer is, to the byte, the
//! one that the `tokenizers` crate's own trainer makes of the same texts; that one tells nothing while it works. Its
//! normalizer and pre-tokenizer are used here, so that training never cuts a text otherwise than the tokenizer will.

mod curve;
mod merges;
#[cfg(test)]
mod tests;
mod words;

pub use curve::{CurvePoint, knee, meets};

use std::collections::BTreeSet;
use std::time::Duration;

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{Lowercase, NFC, Sequence};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer};

use self::curve::Curve;
use self::merges::{Merger, Pair};
use self::words::{Reader, Words};
use super::byte_alphabet::readable;
use super::{Error, Fragmentation, Result};
use crate::progress::{Clock, Event, Observer};
use crate::settings::TokenizerSettings;

/// The tokens that a BERT encoder expects, with the ids 0 to 4.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// What training made.
#[derive(Debug)]
pub struct Trained {
    /// The tokenizer. It begins a text with `[CLS]` and ends it with `[SEP]`, as BERT does. Byte-level, it has no
    /// unknown tokens.
    pub tokenizer: Tokenizer,
    /// Tokens per word as the vocabulary grew: from the bytes alone to the whole vocabulary, in rising order.
    pub curve: Vec<CurvePoint>,
}

/// Trains on texts as they stream by, and counts what becomes of the held-out ones; memory follows the distinct words of
/// both. The held-out texts have no say in what is merged; `total` is the number of all texts, where known.
///
/// Tells the phases `count words` and `merge`, how far they are, at most ten merges a second, and each point of the curve
/// as the scalars `ratio_train` and, where there are held-out words, `ratio_heldout`.
pub fn train_bpe(
    settings: &TokenizerSettings,
    texts: impl Iterator<Item = String> + Send,
    heldout: impl Iterator<Item = String> + Send,
    total: Option<usize>,
    observer: &dyn Observer,
    clock: &dyn Clock,
) -> Result<Trained> {
    let alphabet: BTreeSet<char> = ByteLevel::alphabet().into_iter().collect();
    let bytes: Vec<String> = alphabet.iter().map(char::to_string).collect();
    let mut tokens: Vec<String> = SPECIAL.iter().map(|&token| token.to_owned()).chain(bytes).collect();

    observer.on(Event::phase("count words"));
    let reader = Reader {
        plain: pipeline(settings)?,
        finished: assemble(settings, &tokens, &[])?,
        alphabet: alphabet.into_iter().collect(),
    };
    let words = Words::count(&reader, texts, heldout, total, observer, clock)?;
    drop(reader);

    observer.on(Event::phase("merge"));
    let (merges, curve) = learn(settings, words, &mut tokens, observer, clock)?;
    Ok(Trained { tokenizer: assemble(settings, &tokens, &merges)?, curve })
}

/// Merges until the vocabulary is full or no pair is frequent enough; adds the new tokens to those that are there.
fn learn(
    settings: &TokenizerSettings,
    words: Words,
    tokens: &mut Vec<String>,
    observer: &dyn Observer,
    clock: &dyn Clock,
) -> Result<(Vec<Pair>, Vec<CurvePoint>)> {
    let (train, heldout) = (words.train(), words.heldout());
    let wanted = settings.vocab_size.saturating_sub(tokens.len());
    let mut curve = Curve::between(tokens.len(), settings.vocab_size);
    let mut merger = Merger::new(words, SPECIAL.len() as u32, settings.min_frequency, observer)?;
    let mut point = |vocab_size: usize, merger: &Merger<'_>, last: bool| {
        let train = Fragmentation { words: train.words, tokens: train.special + merger.train_tokens() };
        let heldout = Fragmentation { words: heldout.words, tokens: heldout.special + merger.heldout_tokens() };
        if let Some(point) = curve.point(vocab_size, train, heldout, last) {
            observer.on(point.event());
        }
    };
    point(tokens.len(), &merger, false);

    let mut merges = Vec::with_capacity(wanted);
    let mut pace = Pace::new(clock);
    while merges.len() < wanted {
        if observer.stop_requested() {
            return Err(Error::Stopped);
        }
        let Some((pair, count)) = merger.most_frequent() else { break };
        // No two pairs make the same string. A stretch of text is segmented in the same way wherever its two ends are
        // ends of tokens, since a merge looks at nothing outside and goes from left to right; so when a pair first makes a
        // string, no stretch is left that could become the same string in another way. Nor could it be a special token:
        // the pre-tokenizer never keeps brackets and letters together.
        merger.merge(pair, tokens.len() as u32)?;
        let (left, right) = (&tokens[pair.0 as usize], &tokens[pair.1 as usize]);
        let merged = format!("{left}{right}");
        if pace.due() {
            let (left, right) = (readable(left), readable(right));
            observer.on(Event::Merge { done: merges.len() as u64 + 1, left, right, count });
            observer.on(Event::progress(merges.len() + 1, wanted, "merges"));
        }
        tokens.push(merged);
        merges.push(pair);
        point(tokens.len(), &merger, false);
    }
    point(tokens.len(), &merger, true);
    observer.on(Event::progress(merges.len(), wanted, "merges"));
    Ok((merges, curve.into_points()))
}

/// Normalizer, pre-tokenizer and decoder, without a vocabulary.
fn pipeline(settings: &TokenizerSettings) -> Result<Tokenizer> {
    let mut tokenizer = Tokenizer::new(BPE::default());
    let mut normalizers: Vec<NormalizerWrapper> = vec![NFC.into()];
    if settings.lowercase {
        normalizers.push(Lowercase.into());
    }
    tokenizer.with_normalizer(Some(Sequence::new(normalizers))).map_err(|error| refused(&error))?;
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    Ok(tokenizer)
}

/// A tokenizer of these tokens, which stand at their ids, and merges, in their order.
fn assemble(settings: &TokenizerSettings, tokens: &[String], merges: &[Pair]) -> Result<Tokenizer> {
    let mut tokenizer = pipeline(settings)?;
    let vocabulary: ahash::AHashMap<String, u32> = tokens.iter().cloned().zip(0..).collect();
    let token = |id: u32| tokens[id as usize].clone();
    let merges = merges.iter().map(|(left, right)| (token(*left), token(*right))).collect();
    tokenizer.with_model(BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(|error| refused(&error))?);
    tokenizer
        .add_special_tokens(SPECIAL.map(|token| AddedToken::from(token, true)))
        .map_err(|error| refused(&error))?;

    let id = |token: &str| (token.to_owned(), tokenizer.token_to_id(token).unwrap_or_default());
    let template = TemplateProcessing::builder()
        .try_single("[CLS]:0 $A:0 [SEP]:0")
        .and_then(|builder| builder.try_pair("[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"))
        .map_err(|problem| Error::Library { doing: "describing a text's special tokens", problem })?
        .special_tokens(vec![id("[CLS]"), id("[SEP]")])
        .build()
        .map_err(|error| Error::Library { doing: "describing a text's special tokens", problem: error.to_string() })?;
    tokenizer.with_post_processor(Some(template));
    Ok(tokenizer)
}

fn refused(error: &tokenizers::Error) -> Error {
    Error::Library { doing: "training a tokenizer", problem: error.to_string() }
}

/// Lets something through at most ten times a second: as often as an eye can follow.
struct Pace<'a> {
    clock: &'a dyn Clock,
    last: Option<Duration>,
}

impl<'a> Pace<'a> {
    const INTERVAL: Duration = Duration::from_millis(100);

    fn new(clock: &'a dyn Clock) -> Self {
        Self { clock, last: None }
    }

    /// Whether it is time again; the first time always is.
    fn due(&mut self) -> bool {
        let now = self.clock.monotonic();
        let due = self.last.is_none_or(|last| now.saturating_sub(last) >= Self::INTERVAL);
        if due {
            self.last = Some(now);
        }
        due
    }
}
