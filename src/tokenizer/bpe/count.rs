//! Counting the distinct words of texts as they stream by.
//!
//! A word here is what the pre-tokenizer makes of a text: the unit that merges never cross. White-space words, which ratios
//! are told in, are only counted. Each thread takes some texts at a time and counts into a table of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenizers::{OffsetReferential, OffsetType, Tokenizer};

use super::looks::Looks;
use super::normalizer::Normalizer;
use super::pace::Pace;
use super::scanner::Scanner;
use super::sorted::{SortedFile, merged};
use super::table::{Counts, Table};
use crate::progress::{Clock, Event, Observer};
use crate::settings::{SplitPattern, TokenizerSettings};
use crate::tokenizer::{Error, Result};

/// Bytes of text that a thread takes at a time, or a single longer text.
const BATCH: usize = 1 << 16;
/// White-space words that are counted between two looks.
const STRETCH: usize = 1 << 12;

/// What all texts of a kind hold, beside the words of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Texts.
    pub(super) texts: u64,
    /// Words between white space.
    pub(super) words: u64,
    /// Special tokens, written out in the text, by their place in the list of special tokens.
    pub(super) special: Vec<u64>,
}

impl Tally {
    fn take(&mut self, other: &mut Self) {
        self.texts += std::mem::take(&mut other.texts);
        self.words += std::mem::take(&mut other.words);
        self.special.resize(self.special.len().max(other.special.len()), 0);
        for (sum, count) in self.special.iter_mut().zip(&mut other.special) {
            *sum += std::mem::take(count);
        }
    }
}

/// How far counting is, for a later run to go on from: the words are in files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Texts read, of both kinds.
    pub(super) read: usize,
    pub(super) train: Tally,
    pub(super) heldout: Tally,
    /// The words that are not in memory.
    pub(super) files: Vec<SortedFile>,
    /// Times that memory was full.
    pub(super) spills: usize,
}

/// What cuts texts into words.
pub(super) struct Reader {
    normalizer: Normalizer,
    scanner: Scanner,
    /// Whether a blank is put before each piece of the text that has none; before the text alone where this is GPT-2's
    /// pattern, which cuts afterwards.
    prefix: Option<SplitPattern>,
    /// The finished tokenizer's special tokens and normalizer, for texts that hold any.
    finished: Tokenizer,
    special: Vec<String>,
}

impl Reader {
    pub(super) fn new(settings: &TokenizerSettings, finished: Tokenizer, special: &[String]) -> Self {
        Self {
            normalizer: Normalizer { form: settings.normalize, lowercase: settings.lowercase },
            scanner: Scanner::new(settings.pattern),
            prefix: settings.prefix_space.then_some(settings.pattern),
            finished,
            special: special.to_vec(),
        }
    }

    /// Whether a text holds a special token, written out.
    fn holds_special(&self, text: &str) -> bool {
        self.special.iter().any(|token| text.contains(token.as_str()))
    }
}

/// The words of all texts, when they are counted.
pub(super) enum Words {
    /// In memory.
    Table(Table),
    /// In files of a folder.
    Files(PathBuf, Vec<SortedFile>),
}

impl Words {
    /// Hands on each word once.
    pub(super) fn each(&self, mut take: impl FnMut(&[u8], Counts) -> Result<()>) -> Result<()> {
        match self {
            Self::Table(table) => table.iter().try_for_each(|(word, counts)| take(word, counts)),
            Self::Files(folder, files) => merged(folder, files, take),
        }
    }
}

/// Counts texts, with as many threads as there are.
pub(super) struct Counting<'a> {
    pub(super) reader: &'a Reader,
    /// Where words go that there is no memory for.
    pub(super) folder: PathBuf,
    /// Bytes that the tables of all threads may take.
    pub(super) memory: usize,
    /// The number of all texts, where known.
    pub(super) total: Option<usize>,
    pub(super) observer: &'a dyn Observer,
    pub(super) clock: &'a dyn Clock,
}

/// Texts as they are handed out to threads.
struct Source<'a, I> {
    texts: I,
    read: usize,
    ended: bool,
    pace: Pace<'a>,
}

/// A thread's part of the work.
#[derive(Default)]
struct Worker {
    table: Table,
    train: Tally,
    heldout: Tally,
    buffers: [String; 2],
    prefixed: String,
    word: Vec<u8>,
    /// Files written since the threads began.
    files: Vec<SortedFile>,
    outcome: Option<Result<()>>,
    /// A text or more was counted in part.
    torn: bool,
}

impl Counting<'_> {
    /// Counts both streams; `progress` is where an earlier run came to, and is kept up to date. Every so often, when `save`
    /// says that it is time, all words go to files and `save` is told.
    pub(super) fn count(
        &self,
        texts: impl Iterator<Item = String> + Send,
        heldout: impl Iterator<Item = String> + Send,
        progress: &mut Progress,
        every: Option<Duration>,
        save: &mut dyn FnMut(&Progress) -> Result<()>,
    ) -> Result<Words> {
        let texts = texts.map(|text| (text, false)).chain(heldout.map(|text| (text, true))).skip(progress.read);
        let source = Source { texts, read: progress.read, ended: false, pace: Pace::new(self.clock) };
        let source = Mutex::new(source);
        let mut workers: Vec<Worker> = (0..rayon::current_num_threads().max(1)).map(|_| Worker::default()).collect();
        let named = AtomicUsize::new(progress.files.len());
        let mut told = progress.spills > 0;
        loop {
            let until = every.map(|every| self.clock.monotonic() + every);
            let share = self.memory / workers.len();
            rayon::scope(|scope| {
                for worker in &mut workers {
                    let (source, named) = (&source, &named);
                    scope.spawn(move |_| worker.outcome = Some(worker.work(self, source, until, share, named)));
                }
            });
            let torn = workers.iter().any(|worker| worker.torn);
            for worker in &mut workers {
                progress.spills += worker.files.len();
                progress.files.append(&mut worker.files);
                progress.train.take(&mut worker.train);
                progress.heldout.take(&mut worker.heldout);
            }
            let (read, ended) = {
                let source = source.lock().unwrap_or_else(PoisonError::into_inner);
                (source.read, source.ended)
            };
            progress.read = read;
            let outcomes: Result<Vec<()>> = workers.iter_mut().filter_map(|worker| worker.outcome.take()).collect();
            if progress.spills > 0 && !std::mem::replace(&mut told, true) {
                self.tell_spill();
            }
            let stopped = self.observer.stop_requested();
            match outcomes {
                Err(error) if !matches!(error, Error::Stopped) => return Err(error),
                _ => {}
            }
            if stopped {
                // Few words are quickly kept; many are in the last checkpoint, and the rest is read again.
                let few = workers.iter().map(|worker| worker.table.len()).sum::<usize>() <= Self::KEPT_AT_STOP;
                if every.is_some() && !torn && few {
                    self.write(&mut workers, progress, &named, &mut Looks::new(&crate::progress::Silent))?;
                    save(progress)?;
                }
                return Err(Error::Stopped);
            }
            outcomes?;
            if ended {
                break;
            }
            self.write(&mut workers, progress, &named, &mut Looks::new(self.observer))?;
            save(progress)?;
        }
        self.observer.on(Event::progress(progress.read, self.total, "passages"));
        let words = self.gather(workers, progress, &named)?;
        if progress.spills > 0 && !told {
            self.tell_spill();
        }
        Ok(words)
    }

    fn tell_spill(&self) {
        self.observer.on(Event::note(format!(
            "the words counted so far take more than {} MiB: they are sorted, written to disk, and merged in the end; \
             --count-memory allows more",
            self.memory >> 20
        )));
    }

    /// Words that are written at a stop.
    const KEPT_AT_STOP: usize = 1 << 16;

    /// Empties all tables into files.
    fn write(
        &self,
        workers: &mut [Worker],
        progress: &mut Progress,
        named: &AtomicUsize,
        looks: &mut Looks<'_>,
    ) -> Result<()> {
        for worker in workers.iter_mut().filter(|worker| worker.table.len() > 0) {
            worker.spill(self, named, looks)?;
            progress.files.append(&mut worker.files);
        }
        Ok(())
    }

    /// Brings the words together: in one table, or in files where some are there already.
    fn gather(&self, mut workers: Vec<Worker>, progress: &mut Progress, named: &AtomicUsize) -> Result<Words> {
        let mut looks = Looks::new(self.observer);
        let together: usize = workers.iter().map(|worker| worker.table.memory()).sum();
        // One table may have to grow for the words of the others.
        if !progress.files.is_empty() || together * 3 / 2 > self.memory && workers.len() > 1 {
            progress.spills += usize::from(progress.files.is_empty());
            self.write(&mut workers, progress, named, &mut looks)?;
            return Ok(Words::Files(self.folder.clone(), progress.files.clone()));
        }
        workers.sort_unstable_by_key(|worker| worker.table.len());
        let mut table = workers.pop().map(|worker| worker.table).unwrap_or_default();
        for worker in workers {
            for (word, counts) in worker.table.iter() {
                looks.spend(16 + word.len())?;
                table.add(word, counts);
            }
        }
        table.close();
        Ok(Words::Table(table))
    }
}

impl<I: Iterator<Item = (String, bool)>> Source<'_, I> {
    /// Fills a batch; false: there is nothing more to do now.
    fn pull(&mut self, batch: &mut Vec<(String, bool)>, counting: &Counting<'_>, until: Option<Duration>) -> bool {
        batch.clear();
        let late = until.is_some_and(|until| counting.clock.monotonic() >= until);
        if late || self.ended || counting.observer.stop_requested() {
            return false;
        }
        let mut bytes = 0;
        while bytes < BATCH {
            let Some((text, heldout)) = self.texts.next() else {
                self.ended = true;
                break;
            };
            self.read += 1;
            bytes += text.len() + 64;
            batch.push((text, heldout));
        }
        if !batch.is_empty() && self.pace.due() {
            counting.observer.on(Event::progress(self.read, counting.total, "passages"));
        }
        !batch.is_empty()
    }
}

impl Worker {
    fn work<I: Iterator<Item = (String, bool)>>(
        &mut self,
        counting: &Counting<'_>,
        source: &Mutex<Source<'_, I>>,
        until: Option<Duration>,
        memory: usize,
        named: &AtomicUsize,
    ) -> Result<()> {
        let mut looks = Looks::new(counting.observer);
        let mut batch = Vec::new();
        while source.lock().unwrap_or_else(PoisonError::into_inner).pull(&mut batch, counting, until) {
            for (text, heldout) in &batch {
                let added = self.add(counting.reader, text, *heldout, &mut looks);
                self.torn |= added.is_err();
                added?;
            }
            if self.table.is_full(memory) {
                self.spill(counting, named, &mut looks)?;
            }
        }
        Ok(())
    }

    fn spill(&mut self, counting: &Counting<'_>, named: &AtomicUsize, looks: &mut Looks<'_>) -> Result<()> {
        let name = format!("words-{:05}", named.fetch_add(1, Ordering::Relaxed));
        self.files.push(SortedFile::write(&counting.folder, name, &self.table, looks)?);
        self.table = Table::default();
        Ok(())
    }

    fn add(&mut self, reader: &Reader, text: &str, heldout: bool, looks: &mut Looks<'_>) -> Result<()> {
        let tally = if heldout { &mut self.heldout } else { &mut self.train };
        tally.texts += 1;
        let mut words = text.split_whitespace();
        loop {
            let (mut count, mut bytes) = (0, 0);
            for word in words.by_ref().take(STRETCH) {
                count += 1;
                bytes += word.len();
            }
            if count == 0 {
                break;
            }
            tally.words += count;
            looks.spend(bytes)?;
        }
        let count = if heldout {
            Counts { heldout: 1, ..Counts::default() }
        } else {
            Counts { learned: 1, ..Counts::default() }
        };
        if !reader.holds_special(text) {
            return self.cut(reader, text, count, true, looks);
        }
        // Learned from as it stands; read as the finished tokenizer will, without what it takes for special tokens.
        let finished = if heldout { count } else { Counts { correction: 1, ..Counts::default() } };
        if !heldout {
            self.cut(reader, text, Counts { correction: -1, ..count }, true, looks)?;
        }
        let vocabulary = reader.finished.get_added_vocabulary();
        let pieces = vocabulary.extract_and_normalize(reader.finished.get_normalizer(), text);
        for (piece, _, tokens) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            let Some(tokens) = tokens else {
                self.cut(reader, piece, finished, false, looks)?;
                continue;
            };
            let tally = if heldout { &mut self.heldout } else { &mut self.train };
            tally.special.resize(reader.special.len(), 0);
            for token in tokens {
                if let Some(at) = reader.special.iter().position(|special| *special == token.value) {
                    tally.special[at] += 1;
                }
            }
        }
        Ok(())
    }

    /// Counts each word of a text, which is normalized first unless it is already.
    fn cut(&mut self, reader: &Reader, text: &str, count: Counts, raw: bool, looks: &mut Looks<'_>) -> Result<()> {
        let mut text = if raw { reader.normalizer.normalized(text, &mut self.buffers, looks)? } else { text };
        if reader.prefix == Some(SplitPattern::Gpt2) && !text.is_empty() && !text.starts_with(' ') {
            self.prefixed.clear();
            self.prefixed.push(' ');
            self.prefixed.push_str(text);
            text = &self.prefixed;
        }
        let each = reader.prefix == Some(SplitPattern::Cl100k);
        let mut from = 0;
        while from < text.len() {
            let end = reader.scanner.end(text, from);
            let word = &text.as_bytes()[from..end];
            if each && word[0] != b' ' {
                self.word.clear();
                self.word.push(b' ');
                self.word.extend_from_slice(word);
                self.table.add(&self.word, count);
            } else {
                self.table.add(word, count);
            }
            looks.spend(end - from)?;
            from = end;
        }
        Ok(())
    }
}
