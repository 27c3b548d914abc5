//! A client of [Ollama](https://ollama.com), which runs language models beside the user.
//!
//! Lists, describes, downloads and unloads models through `ollama-rs`, and reads chat streams itself: a stream must
//! neither lose an error line under status 200, nor a chunk that ends inside a character, nor wait for ever, and
//! nothing of it may reach a terminal. Everything has a time limit; whoever drops a request ends it on the server too.

mod address;
mod chat;
mod lines;
mod models;

pub use address::Address;
pub(super) use chat::{Asking, Chat, Limits, Reply, Thinking};
pub use models::Model;
pub(super) use models::choose;

use std::time::Duration;

/// Connecting takes no longer than this.
const CONNECT: Duration = Duration::from_secs(5);

/// What can go wrong between here and a language model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// An address that is none.
    #[error("{given:?} is no address of an Ollama server: {problem}; it looks like http://127.0.0.1:11434")]
    Address {
        /// What was given.
        given: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody answers.
    #[error("no Ollama answers at {url}: {problem}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the system said.
        problem: String,
    },
    /// More requests than the server takes.
    #[error(
        "{url} has too many requests waiting (503): fewer at once, with --concurrency or `-`, or OLLAMA_NUM_PARALLEL there"
    )]
    Busy {
        /// Where.
        url: String,
    },
    /// The server does not have the model.
    #[error(
        "{url} has no model {model:?}: fetch it there with `ollama pull {model}`, or let lapidary do so with --pull"
    )]
    NoModel {
        /// Where.
        url: String,
        /// Which.
        model: String,
    },
    /// The server refused, or failed.
    #[error("{url} answered {status}: {text}")]
    Status {
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// An error in the middle of an answer, under status 200.
    #[error("{url} gave up in the middle of an answer: {text}")]
    InStream {
        /// Where.
        url: String,
        /// What it said.
        text: String,
    },
    /// The connection ended before the answer did.
    #[error("the connection to {url} ended before the answer did: {problem}")]
    Cut {
        /// Where.
        url: String,
        /// What the system said.
        problem: String,
    },
    /// Nothing was heard for too long.
    #[error("{url} has been silent for {seconds} s {during}: raise --{setting}, or look at its log")]
    Silent {
        /// Where.
        url: String,
        /// How long.
        seconds: u64,
        /// In the middle of an answer, or before the first word.
        during: &'static str,
        /// The setting that decides how long to wait.
        setting: &'static str,
    },
    /// The answer does not end.
    #[error("the answer from {url} did not end after {tokens} tokens and was cut off")]
    Endless {
        /// Where.
        url: String,
        /// Pieces that had come.
        tokens: u64,
    },
    /// What came is not what Ollama speaks.
    #[error("{url} does not speak as Ollama does: {problem}; is something else listening there?")]
    Foreign {
        /// Where.
        url: String,
        /// What is wrong.
        problem: String,
    },
}

impl Trouble {
    /// Whether it is the server's trouble rather than the question's: nobody is there, or nobody has time.
    pub(super) const fn is_of_server(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// Whether asking this server again is useless.
    pub(super) const fn is_for_good(&self) -> bool {
        matches!(self, Self::NoModel { .. } | Self::Address { .. } | Self::Foreign { .. })
            || matches!(self, Self::Status { status: 401 | 403 | 404 | 405, .. })
    }
}

/// The text of an error with all that caused it: HTTP libraries hide what happened three levels down.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let said = deeper.to_string();
        // The deepest one says what happened; those above name the address, which is told anyway.
        text = said;
        cause = deeper.source();
    }
    text
}
