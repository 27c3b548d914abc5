//! Training a byte-level BPE tokenizer (Sennrich et al. 2016; on bytes, Radford et al. 2019), for all to see.
//!
//! The seam for another trainer: texts and settings in, a tokenizer and its curve out. The tokenizer is, to the byte, the
//! one that the `tokenizers` crate's own trainer makes of the same texts; that one tells nothing while it works. Text is
//! cut here by a scanner of our own, which the tests hold to the library's pre-tokenizers, so that training never cuts a
//! text otherwise than the tokenizer will.

mod assemble;
mod checkpoint;
mod count;
mod curve;
mod looks;
mod merges;
mod normalizer;
mod pace;
mod scanner;
mod sorted;
mod table;
#[cfg(test)]
mod tests;
mod vocabulary;

pub(super) use assemble::{finish, refused};
pub use checkpoint::Checkpoints;
pub use curve::{CurvePoint, knee, meets};
pub(super) use vocabulary::special_tokens;

use std::time::Duration;

use tokenizers::Tokenizer;

use self::assemble::assemble;
use self::checkpoint::State;
use self::count::{Counting, Reader, Tally, Words};
use self::curve::Curve;
use self::looks::Looks;
use self::merges::Merger;
use self::pace::Pace;
use self::vocabulary::Vocabulary;
use super::byte_alphabet::readable;
use super::{Error, Fragmentation, Result};
use crate::progress::{Clock, Event, Observer};
use crate::settings::{SplitPattern, TokenizerSettings};

/// Time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);

/// What training made.
#[derive(Debug)]
pub struct Trained {
    /// The tokenizer. It begins a text with `[CLS]` and ends it with `[SEP]`, as BERT does. Byte-level, it has no
    /// unknown tokens.
    pub tokenizer: Tokenizer,
    /// Tokens per word as the vocabulary grew: from the bytes alone to the whole vocabulary, in rising order.
    pub curve: Vec<CurvePoint>,
    /// How often the counted words filled the memory that they may take, and went to disk.
    pub spills: usize,
    /// How often each special token stands in the texts to learn from, written out; those that do.
    pub special_in_text: Vec<(String, u64)>,
}

/// Trains on texts as they stream by, and counts what becomes of the held-out ones; memory follows the distinct words of
/// both. The held-out texts have no say in what is merged; `total` is the number of all texts, where known.
///
/// Tells the phases `count words` and `merge`, how far they are, at most ten merges a second, and each point of the curve
/// as the scalars `ratio_train` and, where there are held-out words, `ratio_heldout`, with the `knee` so far.
pub fn train_bpe(
    settings: &TokenizerSettings,
    texts: impl Iterator<Item = String> + Send,
    heldout: impl Iterator<Item = String> + Send,
    total: Option<usize>,
    observer: &dyn Observer,
    clock: &dyn Clock,
) -> Result<Trained> {
    Training { settings, total, checkpoints: None, observer, clock }.run(texts, heldout)
}

/// A training of byte-level BPE, with all that it may have.
pub struct Training<'a> {
    /// How.
    pub settings: &'a TokenizerSettings,
    /// The number of all texts, where known.
    pub total: Option<usize>,
    /// Where to keep how far it is; none: a stopped training begins anew.
    pub checkpoints: Option<&'a Checkpoints>,
    /// Who watches, and may ask to stop.
    pub observer: &'a dyn Observer,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl std::fmt::Debug for Training<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Training").field("settings", self.settings).finish_non_exhaustive()
    }
}

impl Training<'_> {
    /// Trains, or goes on from the last checkpoint, to the same tokenizer. See [`train_bpe`].
    pub fn run(
        &self,
        texts: impl Iterator<Item = String> + Send,
        heldout: impl Iterator<Item = String> + Send,
    ) -> Result<Trained> {
        let special = special_tokens(self.settings);
        if self.settings.prefix_space && self.settings.pattern == SplitPattern::Cl100k {
            self.observer.on(Event::warning(
                "--prefix-space with --pattern cl100k puts a blank before every piece of a text, not before the text \
                 alone: the pattern cuts first. --pattern gpt2 does what you may expect",
            ));
        }
        let mut state = self.checkpoints.map(|checkpoints| checkpoints.restore(self.observer)).transpose()?;
        let spilled = if self.checkpoints.is_none() { tempfile::tempdir().ok() } else { None };
        let folder = match (self.checkpoints, &spilled) {
            (Some(checkpoints), _) => checkpoints.folder().to_owned(),
            (None, Some(folder)) => folder.path().to_owned(),
            (None, None) => std::env::temp_dir(),
        };

        self.observer.on(Event::phase("count words"));
        let (words, counted) = self.count(texts, heldout, state.as_mut(), folder, &special)?;
        let special_in_text = self.special_in_text(&special, &counted.train);
        let vocabulary = Vocabulary::of(self.settings, &special, &words, &mut Looks::new(self.observer))?;

        self.observer.on(Event::phase("merge"));
        let Learned { tokens, merges, curve } = self.learn(words, &vocabulary, &counted, state)?;
        if tokens.len() < self.settings.vocab_size {
            self.observer.on(Event::warning(format!(
                "the vocabulary has {} tokens, not {}: no two neighbours are left that stand together {} times{}; more \
                 documents give more, or a lower --min-frequency",
                tokens.len(),
                self.settings.vocab_size,
                self.settings.min_frequency,
                self.settings.max_token_length.map(|_| " and make a token that is short enough").unwrap_or_default(),
            )));
        }
        let tokenizer = assemble(self.settings, &special, &tokens, &merges)?;
        Ok(Trained { tokenizer, curve, spills: counted.spills, special_in_text })
    }

    /// Counts the words of all texts, or takes up those that were counted.
    fn count(
        &self,
        texts: impl Iterator<Item = String> + Send,
        heldout: impl Iterator<Item = String> + Send,
        state: Option<&mut State>,
        folder: std::path::PathBuf,
        special: &[String],
    ) -> Result<(Words, count::Progress)> {
        if let Some(state) = &state
            && state.counted
        {
            self.observer.on(Event::note(format!(
                "going on from a checkpoint: all words are counted, {} pairs are merged",
                state.merges.len()
            )));
            return Ok((Words::Files(folder, state.progress.files.clone()), state.progress.clone()));
        }
        let empty = assemble(self.settings, special, &Vocabulary::whole(special).tokens, &[])?;
        let reader = Reader::new(self.settings, empty, special);
        let counting = Counting {
            reader: &reader,
            folder,
            memory: self.settings.count_memory.saturating_mul(1 << 20),
            total: self.total,
            observer: self.observer,
            clock: self.clock,
        };
        let (Some(checkpoints), Some(state)) = (self.checkpoints, state) else {
            let mut progress = count::Progress::default();
            let words = counting.count(texts, heldout, &mut progress, None, &mut |_| Ok(()))?;
            return Ok((words, progress));
        };
        if state.progress.read > 0 {
            let read = state.progress.read;
            self.observer.on(Event::note(format!("going on from a checkpoint: {read} passages are counted")));
        }
        let mut progress = state.progress.clone();
        let mut save = |progress: &count::Progress| {
            state.progress = progress.clone();
            checkpoints.save(state)?;
            self.observer.on(checkpoints.event(state));
            Ok(())
        };
        let words = counting.count(texts, heldout, &mut progress, Some(CHECKPOINT_EVERY), &mut save)?;
        state.progress = progress;
        checkpoints.keep_words(&words, state, &mut Looks::new(self.observer))?;
        Ok((words, state.progress.clone()))
    }

    /// Which special tokens the texts hold, and a warning if they do.
    fn special_in_text(&self, special: &[String], train: &Tally) -> Vec<(String, u64)> {
        let found = special.iter().cloned().zip(train.special.iter().copied());
        let found: Vec<(String, u64)> = found.filter(|(_, count)| *count > 0).collect();
        if !found.is_empty() {
            let told: Vec<String> = found.iter().map(|(token, count)| format!("{token} {count} times")).collect();
            self.observer.on(Event::warning(format!(
                "the documents hold special tokens as text: {}. The tokenizer will read them there as what they mark; \
                 take them out of the documents unless that is wanted",
                told.join(", ")
            )));
        }
        found
    }

    /// Merges until the vocabulary is full or no pair is frequent enough.
    fn learn(
        &self,
        words: Words,
        vocabulary: &Vocabulary,
        counted: &count::Progress,
        mut state: Option<State>,
    ) -> Result<Learned> {
        let (settings, observer) = (self.settings, self.observer);
        let wanted = settings.vocab_size.saturating_sub(vocabulary.tokens.len());
        let mut curve = Curve::between(vocabulary.tokens.len(), settings.vocab_size);
        let mut merger = Merger::new(words, vocabulary, settings.min_frequency, settings.max_token_length, observer)?;
        let mut point = |vocab_size: usize, merger: &Merger<'_>, last: bool, told: bool| {
            let of = |tally: &Tally, tokens: u64| Fragmentation {
                words: tally.words,
                tokens: tally.special.iter().sum::<u64>() + tokens,
            };
            let train = of(&counted.train, merger.train_tokens());
            let heldout = of(&counted.heldout, merger.heldout_tokens());
            if let Some(event) = curve.point(vocab_size, train, heldout, last)
                && told
            {
                observer.on(event);
            }
        };
        // What an earlier run told is not told again.
        let done = state.as_mut().map(|state| std::mem::take(&mut state.merges)).unwrap_or_default();
        let mut tokens = vocabulary.tokens.clone();
        point(tokens.len(), &merger, false, done.is_empty());

        let mut merges = Vec::with_capacity(wanted);
        let mut pace = Pace::new(self.clock);
        let mut saved = self.clock.monotonic();
        while tokens.len() < settings.vocab_size {
            let again = done.get(merges.len()).copied();
            let next = match again {
                Some(pair) => Ok(Some((pair, 0))),
                None if observer.stop_requested() => Err(Error::Stopped),
                None => merger.most_frequent(),
            };
            // No two pairs make the same string. A stretch of text is segmented in the same way wherever its two ends are
            // ends of tokens, since a merge looks at nothing outside and goes from left to right; so when a pair first
            // makes a string, no stretch is left that could become the same string in another way. Only a special token
            // may have that text already.
            let merge = next.and_then(|next| {
                let Some((pair, count)) = next else { return Ok(None) };
                let (left, right) = (&tokens[pair.0 as usize], &tokens[pair.1 as usize]);
                let text = format!("{left}{right}");
                let known = vocabulary.special_id(&text);
                merger.merge(pair, known.unwrap_or(tokens.len() as u32))?;
                Ok(Some((pair, count, known.is_none().then_some(text))))
            });
            let merge = match merge {
                Err(Error::Stopped) => {
                    // Of a run that was still repeating what was done, the older checkpoint says more.
                    if again.is_none() {
                        self.save(state.as_mut(), &merges)?;
                    }
                    return Err(Error::Stopped);
                }
                merge => merge?,
            };
            let Some((pair, count, text)) = merge else { break };
            if again.is_none() && pace.due() {
                let (left, right) = (readable(&tokens[pair.0 as usize]), readable(&tokens[pair.1 as usize]));
                observer.on(Event::Merge { done: merges.len() as u64 + 1, left, right, count });
                observer.on(Event::progress(merges.len() + 1, wanted, "merges"));
            }
            tokens.extend(text);
            merges.push(pair);
            point(tokens.len(), &merger, false, again.is_none());
            if state.is_some() && again.is_none() {
                let now = self.clock.monotonic();
                if now.saturating_sub(saved) >= CHECKPOINT_EVERY || observer.checkpoint_requested() {
                    saved = now;
                    self.save(state.as_mut(), &merges)?;
                }
            }
        }
        point(tokens.len(), &merger, true, true);
        observer.on(Event::progress(merges.len(), wanted, "merges"));
        Ok(Learned { tokens, merges, curve: curve.into_points() })
    }

    fn save(&self, state: Option<&mut State>, merges: &[merges::Pair]) -> Result<()> {
        if let (Some(checkpoints), Some(state)) = (self.checkpoints, state) {
            state.merges = merges.to_vec();
            checkpoints.save(state)?;
            self.observer.on(checkpoints.event(state));
        }
        Ok(())
    }
}

/// Tokens at their ids, merges in their order.
struct Learned {
    tokens: Vec<String>,
    merges: Vec<merges::Pair>,
    curve: Vec<CurvePoint>,
}
