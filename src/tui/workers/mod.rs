//! Threads that ask the domain what must be instant: splitting the visible passage, ranking one query.
//!
//! The only place in the workbench that may touch corpus, tokenizers, encoders, retrieval, evaluation and pairs. A worker
//! takes questions in order, answers through the message channel, and survives its own panics: they become messages.

pub mod compare;
pub mod corpus;
pub mod pairs;
pub mod vocabulary;

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};

use super::message::Msg;
use crate::workspace::Workspace;

/// A question to a worker.
#[derive(Debug)]
pub enum Question {
    /// To the one that reads the corpus and splits texts.
    Corpus(corpus::Question),
    /// To the one that reads pairs and writes reviews.
    Pairs(pairs::Question),
    /// To the one that embeds and ranks.
    Compare(compare::Question),
    /// To the one that compares vocabularies.
    Vocabulary(vocabulary::Question),
}

/// An answer of a worker.
#[derive(Debug)]
pub enum Answer {
    /// About the corpus.
    Corpus(corpus::Answer),
    /// About pairs.
    Pairs(pairs::Answer),
    /// About rankings.
    Compare(compare::Answer),
    /// About vocabularies.
    Vocabulary(vocabulary::Answer),
}

/// Where workers send what they know.
#[derive(Debug, Clone)]
pub struct Outbox(SyncSender<Msg>);

impl Outbox {
    /// An outbox into a channel.
    pub fn new(sender: SyncSender<Msg>) -> Self {
        Self(sender)
    }

    /// Sends a message; says whether anyone still listens. Waits where the channel is full.
    pub fn send(&self, message: Msg) -> bool {
        self.0.send(message).is_ok()
    }

    /// Sends a message unless the channel is full.
    pub fn try_send(&self, message: Msg) -> bool {
        self.0.try_send(message).is_ok()
    }
}

/// The worker threads of one workspace.
#[derive(Debug)]
pub struct Workers {
    corpus: Sender<corpus::Question>,
    pairs: Sender<pairs::Question>,
    compare: Sender<compare::Question>,
    vocabulary: Sender<vocabulary::Question>,
}

impl Workers {
    /// Starts them.
    pub fn spawn(workspace: &Workspace, device: &str, outbox: &Outbox) -> Self {
        let (of_corpus, of_pairs, of_compare) = (workspace.clone(), workspace.clone(), workspace.clone());
        let of_vocabulary = workspace.clone();
        let device = device.to_owned();
        Self {
            corpus: start("corpus", outbox, move |questions, outbox| corpus::work(&of_corpus, questions, outbox)),
            pairs: start("pairs", outbox, move |questions, outbox| pairs::work(&of_pairs, questions, outbox)),
            compare: start("compare", outbox, move |questions, outbox| {
                compare::work(&of_compare, &device, questions, outbox);
            }),
            vocabulary: start("vocabulary", outbox, move |questions, outbox| {
                vocabulary::work(&of_vocabulary, questions, outbox);
            }),
        }
    }

    /// Hands a question to its worker.
    pub fn ask(&self, question: Question) {
        // A worker that is gone has said so.
        let _ = match question {
            Question::Corpus(question) => self.corpus.send(question).is_ok(),
            Question::Pairs(question) => self.pairs.send(question).is_ok(),
            Question::Compare(question) => self.compare.send(question).is_ok(),
            Question::Vocabulary(question) => self.vocabulary.send(question).is_ok(),
        };
    }
}

fn start<Q: Send + 'static>(
    name: &'static str,
    outbox: &Outbox,
    work: impl Fn(&Receiver<Q>, &Outbox) + Send + 'static,
) -> Sender<Q> {
    let (sender, questions) = channel();
    let outbox = outbox.clone();
    let body = move || {
        loop {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&questions, &outbox)));
            let Err(panic) = result else { return };
            let text = panic_text(panic.as_ref());
            if !outbox.send(Msg::Failed(format!("the {name} worker failed and starts again: {text}"))) {
                return;
            }
        }
    };
    // Where not even a thread can be started, asking does nothing; the system will have said why elsewhere.
    let _ = std::thread::Builder::new().name(format!("workbench-{name}")).spawn(body);
    sender
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
