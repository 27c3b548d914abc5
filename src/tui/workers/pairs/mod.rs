//! Reads pairs and writes reviews.

mod health;
mod load;
mod set;
#[cfg(test)]
mod tests;

pub use health::{Buckets, Health, Spread};
pub use load::Damage;
pub use set::{Item, Kept, Marked, Passage, Place, Set};

use std::sync::mpsc::Receiver;

use super::{Answer as AnyAnswer, Outbox};
use crate::pairs::{Review, Verdict, append_review};
use crate::tui::message::Msg;
use crate::workspace::Workspace;
use load::Opened;

/// What can be asked.
#[derive(Debug)]
pub enum Question {
    /// Read a set: `cold-pairs@v2`.
    Open(String),
    /// The text of a passage of the open set.
    Text {
        /// The set.
        pairs: String,
        /// Which of its passages.
        passage: u32,
        /// Where its text is.
        place: Place,
    },
    /// Write down what was said of a question.
    Review {
        /// When, in milliseconds since 1970.
        t: u64,
        /// The set.
        pairs: String,
        /// The question.
        query_id: String,
        /// The passage, by id.
        passage: String,
        /// What is said.
        said: Said,
    },
    /// Measure the open set.
    Health(String),
}

/// What is said of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It stays.
    Accept,
    /// It goes.
    Reject,
    /// It stays in these words.
    Edit(String),
}

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    /// A set was read.
    Opened(Box<Set>),
    /// A set cannot be read.
    NotOpened {
        /// Which.
        pairs: String,
        /// Why, and what to do.
        problem: String,
    },
    /// A passage's text.
    Text {
        /// The set.
        pairs: String,
        /// Which passage.
        passage: u32,
        /// Its text, or why there is none.
        text: Result<String, String>,
    },
    /// A review could not be written.
    NotWritten {
        /// Of which set.
        pairs: String,
        /// Why.
        problem: String,
    },
    /// A set's health.
    Health {
        /// Which.
        pairs: String,
        /// What was measured, or why nothing was.
        health: Result<Box<Health>, String>,
    },
}

/// Answers questions until nobody asks any more.
pub(super) fn work(workspace: &Workspace, questions: &Receiver<Question>, outbox: &Outbox) {
    let mut open: Option<Opened> = None;
    while let Ok(question) = questions.recv() {
        let answer = match question {
            Question::Open(pairs) => match Opened::read(workspace, &pairs) {
                Ok((opened, set)) => {
                    open = Some(opened);
                    Some(Answer::Opened(Box::new(set)))
                }
                Err(problem) => Some(Answer::NotOpened { pairs, problem }),
            },
            Question::Text { pairs, passage, place } => {
                let text = with(open.as_ref(), &pairs, |open| open.text(place));
                Some(Answer::Text { pairs, passage, text })
            }
            Question::Health(pairs) => {
                let health = with(open.as_ref(), &pairs, |open| health::measure(open).map(Box::new));
                Some(Answer::Health { pairs, health })
            }
            Question::Review { t, pairs, query_id, passage, said } => {
                let (verdict, query) = match said {
                    Said::Accept => (Verdict::Accept, None),
                    Said::Reject => (Verdict::Reject, None),
                    Said::Edit(words) => (Verdict::Edit, Some(words)),
                };
                let review = Review::new(t, &pairs, &query_id, &passage, verdict, query);
                let written = append_review(workspace.root(), &review);
                written.err().map(|error| Answer::NotWritten { pairs, problem: error.to_string() })
            }
        };
        if let Some(answer) = answer
            && !outbox.send(Msg::Answer(AnyAnswer::Pairs(answer)))
        {
            return;
        }
    }
}

/// Asks the open set, if it is the one that is meant.
fn with<T>(open: Option<&Opened>, pairs: &str, ask: impl FnOnce(&Opened) -> Result<T, String>) -> Result<T, String> {
    match open {
        Some(open) if open.reference() == pairs => ask(open),
        _ => Err(format!("{pairs} is not open any more")),
    }
}
