//! Counting tokens without encoding the same word twice.

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
    fn pieces(&self, word: &str) -> Vec<String> {
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

#[cfg(test)]
mod tests {
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

    /// Pieces that have tripped tokenizers up.
    fn hostile() -> impl Strategy<Value = String> {
        let pieces = [
            " ",
            "  ",
            "\n",
            "\r\n",
            "\t",
            "\u{b}",
            "\u{c}",
            "\u{85}",
            "\u{a0}",
            "\u{3000}",
            "\u{2028}",
            "\u{200b}",
            "\u{200d}",
            "\0",
            "a",
            "B",
            "é",
            "e\u{301}",
            "\u{301}",
            "ß",
            "İ",
            "ю",
            "Ё",
            "中",
            "流れ",
            "ไทย",
            "👩\u{200d}🔧",
            "🇫🇷",
            "\u{600}",
            "\u{d4e}",
            "1",
            "42",
            ".",
            ",",
            "'",
            "'s",
            "n't",
            "##",
            "[SEP]",
            "[sep]",
            "</s>",
            "[",
            "▁",
            "-",
            "_",
            "valve",
            "Receiver",
            "don't",
            "x²",
            "ﬁ",
            "½",
            "\u{feff}",
            "\u{202e}",
        ];
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24).prop_map(|parts| parts.concat())
    }

    #[test]
    fn counts_are_those_of_the_tokenizer() {
        let tokenizers = all();
        let mut runner =
            proptest::test_runner::TestRunner::new(ProptestConfig { cases: 600, ..ProptestConfig::default() });
        let texts = prop_oneof![3 => hostile(), 1 => "\\PC{0,60}", 1 => any::<String>()];
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
        let mut runner =
            proptest::test_runner::TestRunner::new(ProptestConfig { cases: 100, ..ProptestConfig::default() });
        let texts = prop::collection::vec(prop_oneof![3 => hostile(), 1 => "\\PC{0,60}"], 1..4);
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
}
