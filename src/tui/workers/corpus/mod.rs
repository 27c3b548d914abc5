//! Reads the corpus, splits texts, counts tokens.
//!
//! The thread that takes questions answers what is on the screen and never does bulk work: the index of the passages,
//! the counts and the search for a word have threads of their own. What is asked faster than it can be answered is
//! dropped but for the last. Everything that goes wrong is an answer in words; nothing here may end the workbench.

mod counting;
mod index;
mod lines;
mod splitting;
mod words;

pub use counting::Counts;
pub use splitting::{Split, Splits, UPPERMOST};
pub use words::{WordTable, bare};

pub use crate::corpus::{Document, Fold};
pub use crate::tokenizer::{Fragmentation, THRESHOLD, TokenSpan, Verdict, WordPieces, WorstWord};

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::Outbox;
use crate::corpus::Corpus;
use crate::tokenizer::window;
use crate::tui::message::Msg;
use crate::workspace::{Kind, Workspace};
use counting::Counting;
use index::{Lookup, Opened};
use splitting::{Splitter, Tokenizers};

/// How often a passage that is not indexed yet is looked for.
const LOOK: Duration = Duration::from_millis(15);
/// The remedy for a damaged corpus.
const REMEDY: &str = "read the documents again with `lapidary corpus refresh`";

/// Where a passage stands: its document, counted as `documents.jsonl` does, and its number in it, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Its document.
    pub document: usize,
    /// Its number in it.
    pub nth: usize,
}

/// What can be asked. A corpus is named by its reference, a tokenizer by what `--tokenizer` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Open a corpus; none: the newest.
    Open(Option<String>),
    /// A passage, and how tokenizers split it.
    Show {
        /// Which passage.
        place: Place,
        /// By which tokenizers.
        tokenizers: Vec<String>,
    },
    /// How tokenizers split a text that was typed.
    Scratch {
        /// The text.
        text: String,
        /// By which tokenizers.
        tokenizers: Vec<String>,
    },
    /// The next passage that holds a word, after a place and round the end.
    Find {
        /// The word, without the punctuation around it.
        word: String,
        /// Behind which passage.
        after: Place,
    },
    /// Tokens of every document, and all that follows from them; the first of these tokenizers first, and before those
    /// that were asked for earlier.
    Count {
        /// By which tokenizers.
        tokenizers: Vec<String>,
    },
}

/// What went wrong concerns this.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Opening the corpus.
    Corpus,
    /// Some of its lines.
    Lines,
    /// A passage.
    Passage,
    /// The search for a word.
    Find,
    /// Counting with a tokenizer.
    Counting(String),
}

/// A passage as it is shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The corpus.
    pub corpus: String,
    /// Where it stands.
    pub place: Place,
    /// Title and headings above it, outermost first.
    pub heading: Vec<String>,
    /// What it says, at most [`UPPERMOST`] bytes of it.
    pub text: Arc<str>,
    /// Bytes of it that are left out.
    pub left_out: usize,
    /// How tokenizers split it; those that are being loaded come with a second answer.
    pub splits: Splits,
}

/// What is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A corpus is open.
    Opened {
        /// Its reference.
        corpus: String,
        /// Its documents.
        documents: Arc<Vec<Document>>,
    },
    /// How far the index of the passages is.
    Indexed {
        /// The corpus.
        corpus: String,
        /// Passages found so far.
        passages: usize,
        /// Whether these are all.
        complete: bool,
    },
    /// A passage.
    Passage(Shown),
    /// A text that was typed, split.
    Scratch {
        /// The text.
        text: Arc<str>,
        /// Its tokens.
        splits: Splits,
    },
    /// Where a word stands; none: nowhere.
    Found {
        /// The word.
        word: String,
        /// Where.
        place: Option<Place>,
    },
    /// Tokens counted so far.
    Counted {
        /// The corpus.
        corpus: String,
        /// The tokenizer.
        tokenizer: String,
        /// The counts.
        counts: Arc<Counts>,
    },
    /// How often each word stands in the corpus.
    Words {
        /// The corpus.
        corpus: String,
        /// The counts.
        words: Arc<WordTable>,
    },
    /// Something went wrong.
    Failed {
        /// With what.
        about: About,
        /// What, and the remedy.
        text: String,
    },
}

fn send(outbox: &Outbox, answer: Answer) -> bool {
    outbox.send(Msg::Answer(super::Answer::Corpus(answer)))
}

fn try_send(outbox: &Outbox, answer: Answer) -> bool {
    outbox.try_send(Msg::Answer(super::Answer::Corpus(answer)))
}

/// Answers questions until nobody asks any more.
pub(super) fn work(workspace: &Workspace, questions: &Receiver<Question>, outbox: &Outbox) {
    let tokenizers = Arc::new(Tokenizers::new(workspace.clone()));
    let mut desk = Desk {
        workspace,
        outbox,
        counting: Counting::start(workspace.clone(), Arc::clone(&tokenizers), outbox.clone()),
        splitter: Splitter::new(tokenizers),
        open: None,
        pending: None,
    };
    loop {
        let first = if desk.pending.is_some() {
            match questions.recv_timeout(LOOK) {
                Ok(question) => Some(question),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        } else {
            match questions.recv() {
                Ok(question) => Some(question),
                Err(_) => return,
            }
        };
        let asked = latest(first.into_iter().chain(questions.try_iter()).collect());
        if !asked.into_iter().all(|question| desk.take(question)) || !desk.retry() {
            return;
        }
    }
}

/// The questions without those that a later one of their kind makes pointless.
fn latest(asked: Vec<Question>) -> Vec<Question> {
    let kind = |question: &Question| match question {
        Question::Show { .. } => Some(0),
        Question::Scratch { .. } => Some(1),
        Question::Find { .. } => Some(2),
        // An opened corpus changes what the others mean; counts are all wanted.
        Question::Open(_) | Question::Count { .. } => None,
    };
    let kinds: Vec<Option<i32>> = asked.iter().map(kind).collect();
    let mut at = 0;
    let mut asked = asked;
    asked.retain(|_| {
        let pointless = kinds[at].is_some() && kinds[at + 1..].contains(&kinds[at]);
        at += 1;
        !pointless
    });
    asked
}

/// What the thread that takes questions has before it.
struct Desk<'w> {
    workspace: &'w Workspace,
    outbox: &'w Outbox,
    counting: Counting,
    splitter: Splitter,
    open: Option<Arc<Opened>>,
    /// A passage that the index does not have yet.
    pending: Option<(Place, Vec<String>)>,
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

impl Desk<'_> {
    /// Answers a question; says whether anyone listens.
    fn take(&mut self, question: Question) -> bool {
        // Started again after a panic: once a corpus is open, whatever is on the screen is asked for anew.
        if self.open.is_none() && !matches!(question, Question::Open(_) | Question::Scratch { .. }) {
            return self.take(Question::Open(None));
        }
        match question {
            Question::Open(reference) => match self.open(reference.as_deref()) {
                Ok(answer) => send(self.outbox, answer) && self.index(),
                Err(text) => self.failed(About::Corpus, text),
            },
            Question::Show { place, tokenizers } => {
                self.pending = None;
                self.show(place, tokenizers)
            }
            Question::Scratch { text, tokenizers } => {
                let text: Arc<str> = text.into();
                let splits = self.splitter.split_all(&text, &tokenizers);
                send(self.outbox, Answer::Scratch { text, splits })
            }
            Question::Find { word, after } => self.find(word, after),
            Question::Count { tokenizers } => match &self.open {
                Some(opened) => {
                    self.counting.ask(opened, tokenizers);
                    true
                }
                None => true,
            },
        }
    }

    fn failed(&self, about: About, text: String) -> bool {
        send(self.outbox, Answer::Failed { about, text })
    }

    fn close(&mut self) {
        self.pending = None;
        if let Some(opened) = self.open.take() {
            opened.close();
        }
    }

    /// Opens a corpus; where it cannot be read, the last one stays open.
    fn open(&mut self, reference: Option<&str>) -> Result<Answer, String> {
        let artifact = match reference {
            Some(reference) => self.workspace.resolve(Kind::Corpus, reference),
            None => self.workspace.newest(Kind::Corpus),
        };
        let artifact = artifact.map_err(|error| error.to_string())?;
        let documents = Corpus::open(&artifact.path).and_then(|corpus| corpus.documents());
        let documents = Arc::new(documents.map_err(|error| with_remedy(&error.to_string()))?);
        self.close();
        let corpus = artifact.id.to_string();
        self.open = Some(Arc::new(Opened::new(
            corpus.clone(),
            &artifact.path,
            artifact.manifest.digest(),
            Arc::clone(&documents),
        )));
        Ok(Answer::Opened { corpus, documents })
    }

    fn index(&self) -> bool {
        let Some(opened) = &self.open else { return true };
        let (of_index, outbox) = (Arc::clone(opened), self.outbox.clone());
        let body = move || {
            let build = std::panic::AssertUnwindSafe(|| of_index.index_all(&outbox));
            if std::panic::catch_unwind(build).is_err() {
                of_index.give_up("indexing the passages failed: open the workbench again".to_owned(), &outbox);
            }
        };
        match std::thread::Builder::new().name("workbench-index".to_owned()).spawn(body) {
            Ok(_) => true,
            Err(error) => self.failed(About::Corpus, format!("starting a thread to index the passages: {error}")),
        }
    }

    /// Looks again for a passage that was not indexed.
    fn retry(&mut self) -> bool {
        match self.pending.take() {
            Some((place, tokenizers)) => self.show(place, tokenizers),
            None => true,
        }
    }

    fn show(&mut self, place: Place, tokenizers: Vec<String>) -> bool {
        let Some(opened) = self.open.clone() else { return true };
        let passage = match opened.passage(place) {
            Lookup::Found(passage) => passage,
            Lookup::NotYet => {
                self.pending = Some((place, tokenizers));
                return true;
            }
            Lookup::Failed(text) => return self.failed(About::Passage, text),
        };
        let part = window(&passage.text, 0, UPPERMOST);
        let mut shown = Shown {
            corpus: opened.reference.clone(),
            place,
            heading: passage.heading,
            left_out: passage.text.len() - part.len(),
            text: passage.text[part].into(),
            splits: Splits::new(),
        };
        // The text first, where a tokenizer must be loaded.
        if !tokenizers.iter().all(|tokenizer| self.splitter.is_loaded(tokenizer)) {
            let known: Vec<String> =
                tokenizers.iter().filter(|tokenizer| self.splitter.is_loaded(tokenizer)).cloned().collect();
            shown.splits = self.splitter.split_all(&shown.text, &known);
            if !send(self.outbox, Answer::Passage(shown.clone())) {
                return false;
            }
        }
        shown.splits = self.splitter.split_all(&shown.text, &tokenizers);
        send(self.outbox, Answer::Passage(shown))
    }

    fn find(&self, word: String, after: Place) -> bool {
        let Some(opened) = &self.open else { return true };
        let (opened, outbox) = (Arc::clone(opened), self.outbox.clone());
        let body = move || {
            let answer = match opened.find(&word, after) {
                Ok(place) => Answer::Found { word, place },
                Err(text) => Answer::Failed { about: About::Find, text },
            };
            send(&outbox, answer);
        };
        match std::thread::Builder::new().name("workbench-find".to_owned()).spawn(body) {
            Ok(_) => true,
            Err(error) => self.failed(About::Find, format!("starting a thread to look for a word: {error}")),
        }
    }
}

/// An error of a corpus on disk, with what to do about it.
fn with_remedy(text: &str) -> String {
    if text.contains("lapidary corpus refresh") { text.to_owned() } else { format!("{text}; {REMEDY}") }
}

#[cfg(test)]
mod tests;
