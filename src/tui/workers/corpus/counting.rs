//! Counting a whole corpus by a tokenizer, in a thread of its own; what was counted is kept in the workspace's cache.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use ahash::AHashMap;
use serde::{Deserialize, Serialize};

use super::index::{Content, Opened};
use super::splitting::Tokenizers;
use super::words::{WordTable, count_words};
use super::{About, Answer, Outbox, send, try_send};
use crate::corpus::Fold;
use crate::tokenizer::{Counter, Fragmentation, WorstWord};
use crate::workspace::{Digest, Hasher, Workspace};

/// Where counts are kept.
const SHELF: &str = "fragmentation";
/// Bytes of text counted at a time, and passages.
const BATCH: (usize, usize) = (1 << 20, 2048);
/// Between two words on how far it is.
const TELL: Duration = Duration::from_millis(250);
/// Worst-split words that are named.
const WORST: usize = 500;

/// What a tokenizer does to a corpus.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Words and tokens of each document.
    pub documents: Vec<Fragmentation>,
    /// Those of documents to train on.
    pub train: Fragmentation,
    /// Those of the others.
    pub unseen: Fragmentation,
    /// Passages counted.
    pub done: usize,
    /// Passages there are.
    pub total: usize,
    /// Whether all of them are counted; until then there are no worst words and no frequencies.
    pub complete: bool,
    /// The words that cost most.
    pub worst: Vec<WorstWord>,
    /// How often each token comes, by its id; none where the pipeline does not let words be counted one by one.
    pub frequencies: Option<Vec<u64>>,
    /// Lines that could not be read.
    pub torn: usize,
}

impl Counts {
    /// Words and tokens of the corpus.
    pub fn all(&self) -> Fragmentation {
        self.train + self.unseen
    }
}

/// What is to be counted.
struct Task {
    corpus: Arc<Opened>,
    /// The first is counted first.
    tokenizers: Vec<String>,
}

/// The thread that counts.
pub(super) struct Counting(Sender<Task>);

impl Counting {
    pub(super) fn start(workspace: Workspace, tokenizers: Arc<Tokenizers>, outbox: Outbox) -> Self {
        let (sender, tasks) = channel();
        let body = move || Clerk { workspace, tokenizers, outbox, words: None }.work(&tasks);
        // Where no thread can be started, nothing is counted, and the screen says that it waits.
        let _ = std::thread::Builder::new().name("workbench-counting".to_owned()).spawn(body);
        Self(sender)
    }

    pub(super) fn ask(&self, corpus: &Arc<Opened>, tokenizers: Vec<String>) {
        // The thread lives as long as this sender.
        let _ = self.0.send(Task { corpus: Arc::clone(corpus), tokenizers });
    }
}

struct Clerk {
    workspace: Workspace,
    tokenizers: Arc<Tokenizers>,
    outbox: Outbox,
    /// The corpus whose words were told last.
    words: Option<String>,
}

/// Why counting ended early.
enum Early {
    /// Nobody waits for it.
    Unwanted,
    Failed(String),
}

impl Clerk {
    fn work(&mut self, tasks: &Receiver<Task>) {
        // The newest last.
        let mut waiting: Vec<(Arc<Opened>, String)> = Vec::new();
        loop {
            if waiting.is_empty() {
                let Ok(task) = tasks.recv() else { return };
                queue(&mut waiting, task);
            }
            for task in tasks.try_iter() {
                queue(&mut waiting, task);
            }
            waiting.retain(|(corpus, _)| !corpus.is_closed());
            let Some((corpus, name)) = waiting.pop() else { continue };
            let counted = catch_unwind(AssertUnwindSafe(|| self.count(&corpus, &name)));
            let text = match counted {
                Ok(Ok(()) | Err(Early::Unwanted)) => continue,
                Ok(Err(Early::Failed(text))) => text,
                Err(_) => format!("counting tokens with {name} failed; choose another tokenizer"),
            };
            if !send(&self.outbox, Answer::Failed { about: About::Counting(name), text }) {
                return;
            }
        }
    }

    fn count(&mut self, corpus: &Opened, name: &str) -> Result<(), Early> {
        let loaded = self.tokenizers.get(name).map_err(Early::Failed)?;
        let key = |what: &str| Hasher::default().part(what).part(corpus.digest.as_str());
        let (of_words, of_counts) = (key("words 1").finish(), key("counts 1").part(loaded.digest.as_str()).finish());
        // What cannot be read from the cache is made again.
        let kept = |key: &Digest| self.workspace.cache().get(SHELF, key).ok().flatten();
        let counts = kept(&of_counts).and_then(|bytes| serde_json::from_slice::<Counts>(&bytes).ok());
        let counts = counts.filter(|counts| counts.documents.len() == corpus.documents.len());
        let words_known = self.words.as_ref() == Some(&corpus.reference);
        let words = if words_known { None } else { kept(&of_words).and_then(|bytes| WordTable::from_bytes(&bytes)) };
        let needs_words = !words_known && words.is_none();
        if let Some(words) = words {
            self.tell_words(corpus, words)?;
        }
        if let (Some(counts), false) = (&counts, needs_words) {
            return self.tell(corpus, name, counts.clone());
        }
        let mut words = needs_words.then(AHashMap::new);
        let counter = Counter::new(loaded.tokenizer.clone());
        let mut counts = self.read(corpus, name, &counter, words.as_mut())?;
        if let Some(words) = words {
            let table = WordTable::of(&words);
            drop(words);
            let bytes = table.to_bytes();
            self.tell_words(corpus, table)?;
            self.keep(&counts, &of_words, &bytes);
        }
        let failed = |error: crate::tokenizer::Error| Early::Failed(error.to_string());
        counts.worst = counter.worst(WORST);
        counts.frequencies = counter.frequencies().map_err(failed)?;
        counts.complete = true;
        self.keep(&counts, &of_counts, &serde_json::to_vec(&counts).unwrap_or_default());
        self.tell(corpus, name, counts)
    }

    /// Counts every passage.
    fn read(
        &self,
        corpus: &Opened,
        name: &str,
        counter: &Counter,
        mut words: Option<&mut AHashMap<u64, u32>>,
    ) -> Result<Counts, Early> {
        let places = corpus.places();
        let mut counts = Counts {
            documents: vec![Fragmentation::default(); corpus.documents.len()],
            total: corpus.documents.iter().map(|document| document.passages).sum(),
            ..Counts::default()
        };
        let mut lines = corpus.lines().map_err(Early::Failed)?;
        let (mut batch, mut owners, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut told = Instant::now();
        loop {
            let line = lines.next().map_err(Early::Failed)?;
            let end = line.is_none();
            if let Some(line) = line {
                let content = serde_json::from_slice::<Content<'_>>(line.bytes).ok();
                match content.and_then(|content| Some((*places.get(&*content.document)?, content.text))) {
                    Some((document, text)) => {
                        bytes += text.len();
                        owners.push(document as usize);
                        batch.push(text.into_owned());
                    }
                    // The index says which.
                    None => counts.torn += 1,
                }
            }
            if bytes < BATCH.0 && batch.len() < BATCH.1 && !end {
                continue;
            }
            let counted = counter.count(&batch).map_err(|error| Early::Failed(error.to_string()))?;
            for (document, count) in owners.drain(..).zip(counted) {
                counts.documents[document] += count;
                let train = corpus.documents[document].fold == Fold::Train;
                *(if train { &mut counts.train } else { &mut counts.unseen }) += count;
            }
            if let Some(words) = words.as_deref_mut() {
                count_words(&batch, words);
            }
            counts.done += batch.len();
            batch.clear();
            bytes = 0;
            if corpus.is_closed() {
                return Err(Early::Unwanted);
            }
            if end {
                return Ok(counts);
            }
            if told.elapsed() > TELL {
                told = Instant::now();
                let (corpus, counts) = (corpus.reference.clone(), Arc::new(counts.clone()));
                try_send(&self.outbox, Answer::Counted { corpus, tokenizer: name.to_owned(), counts });
            }
        }
    }

    fn tell(&self, corpus: &Opened, name: &str, counts: Counts) -> Result<(), Early> {
        let (corpus, tokenizer, counts) = (corpus.reference.clone(), name.to_owned(), Arc::new(counts));
        let heard = send(&self.outbox, Answer::Counted { corpus, tokenizer, counts });
        if heard { Ok(()) } else { Err(Early::Unwanted) }
    }

    fn tell_words(&mut self, corpus: &Opened, words: WordTable) -> Result<(), Early> {
        self.words = Some(corpus.reference.clone());
        let heard = send(&self.outbox, Answer::Words { corpus: corpus.reference.clone(), words: Arc::new(words) });
        if heard { Ok(()) } else { Err(Early::Unwanted) }
    }

    /// Keeps what was counted, unless the corpus on disk is not what its digest says. A disk that is full costs the time
    /// to count again, no more.
    fn keep(&self, counts: &Counts, key: &Digest, bytes: &[u8]) {
        if counts.torn == 0 && counts.done == counts.total {
            let _ = self.workspace.cache().put(SHELF, key, bytes);
        }
    }
}

/// Puts what is asked for before what waits.
fn queue(waiting: &mut Vec<(Arc<Opened>, String)>, task: Task) {
    for name in task.tokenizers.into_iter().rev() {
        waiting.retain(|(corpus, other)| *other != name || !Arc::ptr_eq(corpus, &task.corpus));
        waiting.push((Arc::clone(&task.corpus), name));
    }
}
