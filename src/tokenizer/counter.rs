//! Counting tokens without encoding the same word twice.

#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahash::{AHashMap, RandomState};
use rayon::prelude::*;
use tokenizers::{DecoderWrapper, Model};

use super::byte_alphabet::byte_of;
use super::cuts::{Finer, Pipeline, finer_parts};
use super::{Error, Fragmentation, Result, Tokenizer, WorstWord};

/// Bytes of text that a thread takes at a time.
const BLOCK: usize = 1 << 16;
/// A longer part is encoded and not remembered: it will not come again.
const LONGEST: usize = 256;
/// Bytes of remembered parts, all together; what comes after is encoded again each time.
const MEMORY: usize = 512 << 20;
/// What a map entry costs beside its text.
const OVERHEAD: usize = 48;
const SHARDS: usize = 64;

/// Counts tokens as the tokenizer itself would, special tokens left out; safe to share between threads.
pub struct Counter {
    tokenizer: Tokenizer,
    pipeline: Option<Pipeline>,
    hasher: RandomState,
    parts: Vec<Mutex<Shard>>,
    finer: Vec<Mutex<AHashMap<Box<str>, u32>>>,
    used: AtomicUsize,
    /// How often each token came in parts that are not remembered.
    loose: Mutex<AHashMap<u32, u64>>,
}

#[derive(Default)]
struct Shard {
    /// Tokens of a part, and how often it came.
    seen: AHashMap<Box<str>, (u32, u64)>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A count that panicked leaves a map as valid as before.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn failed(error: &tokenizers::Error) -> Error {
    Error::Library { doing: "counting tokens", problem: error.to_string() }
}

impl Counter {
    /// A counter for a tokenizer; truncation and padding are switched off.
    pub fn new(mut tokenizer: Tokenizer) -> Self {
        let _ = tokenizer.with_truncation(None);
        tokenizer.with_padding(None);
        Self {
            pipeline: Pipeline::of(&tokenizer),
            tokenizer,
            hasher: RandomState::new(),
            parts: (0..SHARDS).map(|_| Mutex::default()).collect(),
            finer: (0..SHARDS).map(|_| Mutex::default()).collect(),
            used: AtomicUsize::new(0),
            loose: Mutex::default(),
        }
    }

    /// Whether words can be counted one by one; if not, every text is encoded in full.
    pub const fn exact_by_words(&self) -> bool {
        self.pipeline.is_some()
    }

    /// The tokenizer.
    pub const fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Words and tokens of each text.
    pub fn count<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Fragmentation>> {
        let blocks: Vec<(usize, &str)> = texts
            .iter()
            .enumerate()
            .flat_map(|(at, text)| self.blocks(text.as_ref()).into_iter().map(move |block| (at, block)))
            .collect();
        let counted = blocks.par_iter().map(|(at, block)| Ok((*at, self.count_block(block)?)));
        let counted: Vec<(usize, Fragmentation)> = counted.collect::<Result<_>>()?;
        let mut counts = vec![Fragmentation::default(); texts.len()];
        for (at, count) in counted {
            counts[at] += count;
        }
        Ok(counts)
    }

    /// A text in pieces that threads can share, cut where the pipeline allows.
    fn blocks<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let Some(pipeline) = &self.pipeline else { return vec![text] };
        let mut blocks = Vec::with_capacity(text.len() / BLOCK + 1);
        let mut start = 0;
        while text.len() - start > BLOCK {
            let mut from = start + BLOCK;
            while !text.is_char_boundary(from) {
                from += 1;
            }
            // From the middle of a run of blanks the next boundary is the one behind the word that follows.
            let cut = pipeline.next_cut(text, from);
            if cut == text.len() {
                break;
            }
            blocks.push(&text[start..cut]);
            start = cut;
        }
        blocks.push(&text[start..]);
        blocks
    }

    fn count_block(&self, block: &str) -> Result<Fragmentation> {
        let words = block.split_whitespace().count() as u64;
        let Some(pipeline) = &self.pipeline else {
            self.remember_words(block);
            return Ok(Fragmentation { words, tokens: u64::from(self.encode(block)?) });
        };
        let (mut tokens, mut start) = (0, 0);
        while start < block.len() {
            let end = pipeline.next_cut(block, start);
            tokens += u64::from(self.count_part(pipeline, &block[start..end])?);
            start = end;
        }
        Ok(Fragmentation { words, tokens })
    }

    fn count_part(&self, pipeline: &Pipeline, part: &str) -> Result<u32> {
        let part = pipeline.without_blanks(part);
        if part.len() > LONGEST {
            return self.encode_loose(part);
        }
        let shard = &self.parts[self.hasher.hash_one(part) as usize % SHARDS];
        if let Some((tokens, times)) = lock(shard).seen.get_mut(part) {
            *times += 1;
            return Ok(*tokens);
        }
        let tokens = match finer_parts(pipeline, part) {
            Some(parts) if parts.len() > 1 => {
                let mut sum = 0;
                for part in parts {
                    sum += self.count_finer(pipeline, part)?;
                }
                sum
            }
            Some(_) => self.encode_piece(pipeline, part)?,
            None => self.encode(part)?,
        };
        if self.room_for(part) {
            let mut shard = lock(shard);
            shard.seen.entry(part.into()).or_insert((tokens, 0)).1 += 1;
            return Ok(tokens);
        }
        self.encode_loose(part)
    }

    /// Tokens of a part that is not remembered; which they are is.
    fn encode_loose(&self, part: &str) -> Result<u32> {
        let encoding = self.tokenizer.encode_fast(part, false).map_err(|error| failed(&error))?;
        let mut loose = lock(&self.loose);
        for id in encoding.get_ids() {
            *loose.entry(*id).or_default() += 1;
        }
        Ok(encoding.len() as u32)
    }

    /// How often each token came, by its id, over all texts counted so far; `None` where the pipeline is encoded in full
    /// and nobody looked at the tokens. Every distinct part is encoded once more: seconds for a large corpus.
    pub fn frequencies(&self) -> Result<Option<Vec<u64>>> {
        if !self.exact_by_words() {
            return Ok(None);
        }
        let counted = self.parts.par_iter().map(|shard| {
            let parts: Vec<(Box<str>, u64)> =
                lock(shard).seen.iter().map(|(part, (_, times))| (part.clone(), *times)).collect();
            let mut counts: AHashMap<u32, u64> = AHashMap::new();
            for (part, times) in parts {
                let encoding = self.tokenizer.encode_fast(&*part, false).map_err(|error| failed(&error))?;
                for id in encoding.get_ids() {
                    *counts.entry(*id).or_default() += times;
                }
            }
            Ok(counts)
        });
        let counted: Vec<AHashMap<u32, u64>> = counted.collect::<Result<_>>()?;
        let mut frequencies = vec![0; self.tokenizer.get_vocab_size(true)];
        for (id, times) in counted.into_iter().flatten().chain(lock(&self.loose).iter().map(|(id, n)| (*id, *n))) {
            let at = id as usize;
            if at >= frequencies.len() {
                frequencies.resize(at + 1, 0);
            }
            frequencies[at] += times;
        }
        Ok(Some(frequencies))
    }

    fn count_finer(&self, pipeline: &Pipeline, part: &str) -> Result<u32> {
        if pipeline.finer == Finer::Bert && part.len() == 1 {
            return self.encode_piece(pipeline, part);
        }
        let shard = &self.finer[self.hasher.hash_one(part) as usize % SHARDS];
        if let Some(tokens) = lock(shard).get(part) {
            return Ok(*tokens);
        }
        let tokens = self.encode_piece(pipeline, part)?;
        if self.room_for(part) {
            lock(shard).insert(part.into(), tokens);
        }
        Ok(tokens)
    }

    /// Tokens of a part that the pipeline only changes in ways known here: straight to the model.
    fn encode_piece(&self, pipeline: &Pipeline, part: &str) -> Result<u32> {
        let Some(piece) = pipeline.piece(part) else { return self.encode(part) };
        let tokens = self.tokenizer.get_model().tokenize(&piece).map_err(|error| failed(&error))?;
        Ok(tokens.len() as u32)
    }

    fn room_for(&self, part: &str) -> bool {
        let cost = part.len() + OVERHEAD;
        self.used.fetch_add(cost, Ordering::Relaxed) + cost <= MEMORY
    }

    fn encode(&self, text: &str) -> Result<u32> {
        let encoding = self.tokenizer.encode_fast(text, false);
        Ok(encoding.map_err(|error| failed(&error))?.len() as u32)
    }

    /// Where texts are encoded in full, words are counted for the sake of the worst ones.
    fn remember_words(&self, block: &str) {
        for word in block.split_whitespace().filter(|word| word.len() <= LONGEST) {
            let shard = &self.parts[self.hasher.hash_one(word) as usize % SHARDS];
            let mut shard = lock(shard);
            if let Some((_, times)) = shard.seen.get_mut(word) {
                *times += 1;
            } else if self.room_for(word) {
                shard.seen.insert(word.into(), (u32::MAX, 1));
            }
        }
    }

    /// The words that cost most, over all texts counted so far: occurrences times pieces beyond the first. A word is what
    /// stands between white space, without the punctuation around it; its pieces are those it has in running text.
    pub fn worst(&self, count: usize) -> Vec<WorstWord> {
        let mut words: AHashMap<String, (u64, u64)> = AHashMap::new();
        for shard in &self.parts {
            for (part, (tokens, times)) in &lock(shard).seen {
                let word = part.trim_matches(|c: char| !c.is_alphanumeric());
                if word.is_empty() {
                    continue;
                }
                let entry = words.entry(word.to_owned()).or_default();
                entry.0 += times;
                // With its punctuation a word has no fewer pieces than alone: an upper bound on its cost.
                entry.1 += times * u64::from(*tokens).saturating_sub(1);
            }
        }
        let mut bounded: Vec<(u64, String, u64)> =
            words.into_iter().map(|(word, (times, bound))| (bound, word, times)).collect();
        bounded.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut worst: Vec<WorstWord> = Vec::new();
        let mut least = 0;
        for (bound, word, times) in bounded {
            if worst.len() >= count && bound <= least {
                break;
            }
            let found = WorstWord { pieces: self.pieces(&word), word, count: times };
            if found.cost() > 0 {
                worst.push(found);
                worst.sort_by(|a, b| b.cost().cmp(&a.cost()).then_with(|| a.word.cmp(&b.word)));
                worst.truncate(count);
                least = if worst.len() == count { worst.last().map_or(0, WorstWord::cost) } else { 0 };
            }
        }
        worst
    }

    /// What a word is split into behind a blank, as text; bytes that are no whole character as `<D0>`.
    pub fn pieces(&self, word: &str) -> Vec<String> {
        let Ok(encoding) = self.tokenizer.encode_char_offsets(format!(" {word}"), false) else { return Vec::new() };
        let byte_level = matches!(self.tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let piece = |token: &String| if byte_level { text_of_bytes(token) } else { token.clone() };
        encoding.get_tokens().iter().map(piece).filter(|piece| !piece.is_empty()).collect()
    }
}

/// The text of a byte-level token, blanks before it left out.
fn text_of_bytes(token: &str) -> String {
    let bytes: Vec<u8> = token.chars().filter_map(byte_of).collect();
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("<{byte:02X}>")));
    }
    text.trim_start().to_owned()
}
