//! Finding the most frequent pair of neighbours and making it one token, over and over.
//!
//! Three facts keep this cheap. A merge changes only the words that hold its pair, so each pair has a list of them. A
//! merge never makes an old pair more frequent, so a stale count in the queue is an upper bound, put right when it comes
//! to the top. And a pair that has become too rare never comes back, so all that is known of it is dropped.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ahash::AHashMap;

use super::count::Words;
use super::looks::Looks;
use super::table::Counts;
use super::vocabulary::Vocabulary;
use crate::progress::Observer;
use crate::tokenizer::Result;

/// Ids of two neighbouring tokens.
pub(super) type Pair = (u32, u32);

/// Behind the last token of a word that has become shorter.
const END: u32 = u32::MAX;

/// The words of all texts as tokens, while they are merged.
pub(super) struct Merger<'a> {
    /// The tokens of all words, one word behind the other; a word that became shorter ends with [`END`].
    symbols: Vec<u32>,
    /// One more than there are words: the last is where they end.
    words: Vec<Word>,
    /// Of those words that stand in held-out texts, by number. As long as the last of them needs.
    heldout: Vec<u64>,
    /// [`Counts::correction`], of those words that have one.
    corrections: AHashMap<u32, i64>,
    pairs: AHashMap<Pair, Places>,
    /// Most frequent first; of two as frequent, the smaller ids first.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
    /// Bytes of each token, by id.
    lengths: Vec<usize>,
    /// What a merge does to the pairs left and right of it.
    left: Neighbours,
    right: Neighbours,
    /// A pair that is rarer is not merged; at least 1.
    min_frequency: u64,
    /// A merge makes only pairs that are shorter together.
    shorter_than: usize,
    train_tokens: u64,
    heldout_tokens: u64,
    looks: Looks<'a>,
}

struct Word {
    /// Of its tokens. They end where the next word's begin, or before.
    start: usize,
    /// How often it stands in the texts to learn from.
    learned: u64,
}

/// Where a pair is.
#[derive(Default)]
struct Places {
    /// How often it stands in the texts to learn from.
    count: u64,
    /// The words that hold it, by number; some no longer do.
    words: Vec<u32>,
}

/// What stood on one side of a pair that is being merged, token by token.
#[derive(Default)]
struct Neighbours {
    /// The number of each token's entry plus one; 0: it has none.
    of: Vec<u32>,
    seen: Vec<Neighbour>,
}

struct Neighbour {
    token: u32,
    /// How often the pair with the old part of the merge is gone.
    lost: u64,
    /// Where the pair with the merged token is now.
    gained: Places,
}

impl Neighbours {
    fn entry(&mut self, token: u32) -> &mut Neighbour {
        let at = &mut self.of[token as usize];
        if *at == 0 {
            self.seen.push(Neighbour { token, lost: 0, gained: Places::default() });
            *at = self.seen.len() as u32;
        }
        &mut self.seen[*at as usize - 1]
    }

    fn take(&mut self) -> Vec<Neighbour> {
        for neighbour in &self.seen {
            self.of[neighbour.token as usize] = 0;
        }
        std::mem::take(&mut self.seen)
    }
}

impl Places {
    fn add(&mut self, word: u32, count: u64) {
        self.count += count;
        // Words are looked at one after the other: a word that is listed already is the last.
        if self.words.last() != Some(&word) {
            self.words.push(word);
        }
    }
}

impl<'a> Merger<'a> {
    /// Takes over the words, as tokens of single bytes.
    pub(super) fn new(
        words: Words,
        vocabulary: &Vocabulary,
        min_frequency: u64,
        shorter_than: Option<usize>,
        observer: &'a dyn Observer,
    ) -> Result<Self> {
        let mut lengths = vec![0; vocabulary.tokens.len()];
        for id in vocabulary.bytes.iter().flatten() {
            lengths[*id as usize] = 1;
        }
        let mut merger = Self {
            symbols: Vec::new(),
            words: Vec::new(),
            heldout: Vec::new(),
            corrections: AHashMap::new(),
            pairs: AHashMap::new(),
            queue: BinaryHeap::new(),
            left: Neighbours { of: vec![0; lengths.len()], seen: Vec::new() },
            right: Neighbours { of: vec![0; lengths.len()], seen: Vec::new() },
            lengths,
            min_frequency: min_frequency.max(1),
            shorter_than: shorter_than.unwrap_or(usize::MAX),
            train_tokens: 0,
            heldout_tokens: 0,
            looks: Looks::new(observer),
        };
        words.each(|word, counts| merger.take_in(word, counts, vocabulary))?;
        drop(words); // before the lists of pairs take their memory
        merger.words.push(Word { start: merger.symbols.len(), learned: 0 });
        merger.find_pairs(vocabulary)?;
        Ok(merger)
    }

    fn take_in(&mut self, word: &[u8], counts: Counts, vocabulary: &Vocabulary) -> Result<()> {
        self.looks.spend(word.len())?;
        let start = self.symbols.len();
        self.symbols.extend(word.iter().filter_map(|byte| vocabulary.bytes[usize::from(*byte)]));
        let len = (self.symbols.len() - start) as u64;
        self.train_tokens += counts.learned.wrapping_add_signed(counts.correction) * len;
        self.heldout_tokens += counts.heldout * len;
        if len < 2 {
            // Nothing of it can be merged.
            self.symbols.truncate(start);
            return Ok(());
        }
        let number = self.words.len();
        if counts.heldout > 0 {
            self.heldout.resize(number, 0);
            self.heldout.push(counts.heldout);
        }
        if counts.correction != 0 {
            self.corrections.insert(number as u32, counts.correction);
        }
        self.words.push(Word { start, learned: counts.learned });
        Ok(())
    }

    /// Lists the words of each pair of bytes: counted first, so that every list has the room that it needs and no more.
    fn find_pairs(&mut self, vocabulary: &Vocabulary) -> Result<()> {
        let alphabet: Vec<u32> = vocabulary.bytes.iter().flatten().copied().collect();
        let width = alphabet.len();
        let mut ranks = vec![0; vocabulary.tokens.len()];
        for (rank, id) in alphabet.iter().enumerate() {
            ranks[*id as usize] = rank;
        }
        let place = |pair: &[u32]| ranks[pair[0] as usize] * width + ranks[pair[1] as usize];
        // How often each stands in the texts, in how many words, and which of them was the last.
        let mut found: Vec<(u64, u32, u32)> = vec![(0, 0, u32::MAX); width * width];
        for (number, bounds) in self.words.windows(2).enumerate() {
            let symbols = &self.symbols[bounds[0].start..bounds[1].start];
            self.looks.spend(symbols.len())?;
            for pair in symbols.windows(2) {
                let (count, words, last) = &mut found[place(pair)];
                *count += bounds[0].learned;
                *words += u32::from(*last != number as u32);
                *last = number as u32;
            }
        }
        let min_frequency = self.min_frequency;
        let admitted = |(count, words, _): (u64, u32, u32)| {
            let room = if count >= min_frequency { words as usize } else { 0 };
            Places { count, words: Vec::with_capacity(room) }
        };
        let mut places: Vec<Places> = found.into_iter().map(admitted).collect();
        for (number, bounds) in self.words.windows(2).enumerate() {
            let symbols = &self.symbols[bounds[0].start..bounds[1].start];
            self.looks.spend(symbols.len())?;
            for pair in symbols.windows(2) {
                let places = &mut places[place(pair)];
                if places.count >= min_frequency {
                    places.add(number as u32, 0);
                }
            }
        }
        for (at, places) in places.into_iter().enumerate() {
            self.admit((alphabet[at / width], alphabet[at % width]), places);
        }
        Ok(())
    }

    /// The pair to merge next and how often it stands in the texts; none: all are too rare.
    pub(super) fn most_frequent(&mut self) -> Result<Option<(Pair, u64)>> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            self.looks.spend(32)?;
            let now = self.pairs.get(&pair).map_or(0, |places| places.count);
            if now == count {
                return Ok(Some((pair, count)));
            } else if now >= self.min_frequency {
                self.queue.push((now, Reverse(pair)));
            } else {
                self.pairs.remove(&pair);
            }
        }
        Ok(None)
    }

    /// Makes a pair one token, wherever it stands.
    pub(super) fn merge(&mut self, pair: Pair, merged: u32) -> Result<()> {
        let Some(places) = self.pairs.remove(&pair) else { return Ok(()) };
        let len = self.lengths[pair.0 as usize] + self.lengths[pair.1 as usize];
        let room = self.lengths.len().max(merged as usize + 1);
        self.lengths.resize(room, 0);
        self.lengths[merged as usize] = len;
        self.left.of.resize(room, 0);
        self.right.of.resize(room, 0);
        for &number in &places.words {
            let passed = self.merge_word(number, pair, merged);
            self.looks.spend(passed)?;
        }
        // Every pair that a merge makes has the new token in it.
        for Neighbour { token, lost, gained } in self.left.take() {
            lose(&mut self.pairs, (token, pair.0), lost);
            if len + self.lengths[token as usize] < self.shorter_than {
                self.admit((token, merged), gained);
            }
        }
        for Neighbour { token, lost, gained } in self.right.take() {
            if lost > 0 {
                lose(&mut self.pairs, (pair.1, token), lost);
            }
            if len + self.lengths[token as usize] < self.shorter_than {
                self.admit((merged, token), gained);
            }
        }
        Ok(())
    }

    /// Merges from left to right within one word, and moves what is behind to the front; returns how many tokens it looked
    /// at.
    fn merge_word(&mut self, number: u32, pair: Pair, merged: u32) -> usize {
        let [word, next] = &self.words[number as usize..number as usize + 2] else { return 0 };
        let symbols = &mut self.symbols[word.start..next.start];
        let len = symbols.iter().position(|symbol| *symbol == END).unwrap_or(symbols.len());
        let symbols = &mut symbols[..];
        let count = word.learned;
        let here = |symbols: &[u32], at: usize| at + 1 < len && symbols[at] == pair.0 && symbols[at + 1] == pair.1;
        let (mut from, mut to) = (0, 0);
        while from < len {
            if !here(symbols, from) {
                symbols[to] = symbols[from];
                from += 1;
                to += 1;
                continue;
            }
            // Where the one before was merged too, it has told what became of the pair between the two.
            if to > 0 && symbols[to - 1] != merged {
                let left = self.left.entry(symbols[to - 1]);
                left.lost += count;
                left.gained.add(number, count);
            }
            if from + 2 < len {
                self.right.entry(symbols[from + 2]).lost += count;
                let right = if here(symbols, from + 2) { merged } else { symbols[from + 2] };
                self.right.entry(right).gained.add(number, count);
            }
            symbols[to] = merged;
            from += 2;
            to += 1;
        }
        if to < symbols.len() {
            symbols[to] = END;
        }
        let shorter = (len - to) as u64;
        let correction = if self.corrections.is_empty() { 0 } else { *self.corrections.get(&number).unwrap_or(&0) };
        self.train_tokens -= shorter * count.wrapping_add_signed(correction);
        self.heldout_tokens -= shorter * self.heldout.get(number as usize).copied().unwrap_or(0);
        len
    }

    /// Takes in a new pair that is frequent enough ever to be merged. One of held-out words alone counts nothing.
    fn admit(&mut self, pair: Pair, places: Places) {
        if places.count >= self.min_frequency {
            self.queue.push((places.count, Reverse(pair)));
            self.pairs.insert(pair, places);
        }
    }

    /// Tokens of the texts to learn from, as the merges so far leave them; special tokens are not among them.
    pub(super) const fn train_tokens(&self) -> u64 {
        self.train_tokens
    }

    /// Tokens of the held-out texts, likewise.
    pub(super) const fn heldout_tokens(&self) -> u64 {
        self.heldout_tokens
    }
}

/// Lists by the hundred thousand take a tenth of a second to free: nobody who stops should wait for that.
impl Drop for Merger<'_> {
    fn drop(&mut self) {
        const MANY: usize = 1 << 15;
        if self.pairs.len() > MANY {
            let pairs = std::mem::take(&mut self.pairs);
            let _ = std::thread::Builder::new().spawn(move || drop(pairs)); // without a thread they are freed here
        }
    }
}

/// A pair stands in fewer places. One that is being merged, or was dropped as too rare, is not known any more.
fn lose(pairs: &mut AHashMap<Pair, Places>, pair: Pair, count: u64) {
    if let Some(places) = pairs.get_mut(&pair) {
        places.count -= count;
    }
}
