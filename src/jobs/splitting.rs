//! What a tokenizer makes of the passages, and what another makes of them in its place.

use serde::Serialize;

use super::{Context, Error, Result};
use crate::corpus::{Corpus, Fold, Passage};
use crate::encoder::{Encoder, reference};
use crate::tokenizer::{self, Counter, Fragmentation, Tokenizer};
use crate::workspace::Kind;

/// How a tokenizer splits the passages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Splitting {
    /// Tokens per word on documents of the test fold, which no training saw.
    pub tokens_per_word: f64,
    /// Share of all passages of which an encoder does not read all tokens.
    pub cut_short: f64,
}

/// A base's tokenizer and one trained here, on the same passages.
#[derive(Debug, Clone, Serialize)]
pub struct TokenizerChange {
    /// The base's.
    pub before: Splitting,
    /// The other.
    pub after: Splitting,
    /// Words that cost most before, in the pieces of each.
    pub words: Vec<Resplit>,
}

/// A word in the pieces of two tokenizers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resplit {
    /// The word.
    pub word: String,
    /// The base's pieces.
    pub before: Vec<String>,
    /// The other's.
    pub after: Vec<String>,
}

impl Splitting {
    /// Counts; `max_length` is what the encoder reads of a text, special tokens included.
    pub(super) fn of(tokenizer: &Tokenizer, passages: &[Passage], max_length: usize) -> Result<Self> {
        let whole = untruncated(tokenizer)?;
        let unseen: Vec<&str> =
            passages.iter().filter(|passage| passage.fold == Fold::Test).map(|passage| passage.text.as_str()).collect();
        let counted = Counter::new(whole.clone()).count(&unseen)?;
        let counted = counted.into_iter().fold(Fragmentation::default(), |all, one| all + one);
        let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
        let lengths =
            whole.encode_batch_fast(texts, true).map_err(|error| Error::refused(format!("tokenizing: {error}")))?;
        let cut = lengths.iter().filter(|encoding| encoding.len() > max_length).count();
        Ok(Self { tokens_per_word: counted.ratio(), cut_short: cut as f64 / passages.len().max(1) as f64 })
    }
}

/// A tokenizer that reads texts to their end.
pub(super) fn untruncated(tokenizer: &Tokenizer) -> Result<Tokenizer> {
    let mut whole = tokenizer.clone();
    whole.with_truncation(None).map_err(|error| Error::refused(error.to_string()))?;
    Ok(whole)
}

/// Tokens of a text, special tokens included.
pub(super) fn tokens_of(tokenizer: &Tokenizer, text: &str) -> Result<usize> {
    let encoding = tokenizer.encode_fast(text, true).map_err(|error| Error::refused(format!("tokenizing: {error}")))?;
    Ok(encoding.len())
}

/// What the newest tokenizer trained here changes, beside that of a base; `words` of those that cost most are shown.
pub fn tokenizer_change(context: &Context<'_>, base: &str, words: usize) -> Result<TokenizerChange> {
    let base = Encoder::load(&context.model(base)?.path, &context.place.device)?;
    let newest = reference::tokenizer(context.workspace, None)?;
    let newest = tokenizer::load(&newest.path)?;
    let passages = Corpus::open(&context.workspace.newest(Kind::Corpus)?.path)?.all_passages()?;
    let (before, after) = (Counter::new(base.tokenizer().clone()), Counter::new(newest.clone()));
    before.count(&passages.iter().map(|passage| passage.text.as_str()).collect::<Vec<_>>())?;
    let resplit = |word: String| Resplit { before: before.pieces(&word), after: after.pieces(&word), word };
    Ok(TokenizerChange {
        before: Splitting::of(base.tokenizer(), &passages, base.max_length())?,
        after: Splitting::of(&newest, &passages, base.max_length())?,
        words: before.worst(words).into_iter().map(|worst| resplit(worst.word)).collect(),
    })
}
