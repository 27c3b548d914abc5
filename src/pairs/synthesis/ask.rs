//! Asking: the slots of each endpoint, on one thread, and what they find out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::time::timeout_at;

use super::board::{Board, MOST_AT_ONCE, Next, Step, Work};
use super::endpoint::{Endpoint, News};
use super::journal::{Entry, Journal, Outcome, Posed};
use super::questioner::{Questioner, Useless};
use crate::pairs::Error;
use crate::pairs::ollama::{Limits, Reply, Thinking, Trouble};

/// What is said of a passage about which there is nothing to ask.
pub(super) const NOTHING: &str = "the model found nothing to ask about";

/// What was found out, in the order in which it happened.
#[derive(Debug)]
pub(super) enum Finding {
    /// The model asked questions of a passage.
    Questions(usize, Vec<Posed>),
    /// It judged them.
    Scores(usize, Vec<u8>),
    /// A passage was given up.
    Failed(usize, String),
    /// What is new about a server: what is wrong with it, or its address where nothing is.
    Endpoint(News, String),
    /// Nothing more can be asked.
    Broken(Error),
}

/// All that the slots share.
pub(super) struct Asker {
    pub(super) board: Board,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    pub(super) questioner: Questioner,
    pub(super) journal: Journal,
    pub(super) limits: Limits,
    /// Times that a passage is asked about.
    pub(super) tries: usize,
    /// Whether questions are judged.
    pub(super) judged: bool,
}

impl Asker {
    /// Asks until nothing is left or the board says stop. Runs on a thread of its own; what it finds goes to `found`.
    pub(super) fn run(self: &Arc<Self>, found: &Sender<Finding>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = found.send(Finding::Broken(Error::Runtime(error.to_string())));
                return;
            }
        };
        runtime.block_on(async {
            let mut slots = Vec::new();
            // A slot that may not work costs nothing but its place.
            for endpoint in &self.endpoints {
                for slot in 0..MOST_AT_ONCE {
                    let (asker, endpoint, found) = (Arc::clone(self), Arc::clone(endpoint), found.clone());
                    slots.push(tokio::spawn(async move { asker.slot(&endpoint, slot, &found).await }));
                }
            }
            for slot in slots {
                if let Err(error) = slot.await
                    && error.is_panic()
                {
                    let _ = found.send(Finding::Broken(Error::Runtime(error.to_string())));
                    self.board.stop();
                }
            }
        });
    }

    async fn slot(&self, endpoint: &Endpoint, slot: usize, found: &Sender<Finding>) {
        loop {
            // Listening begins before looking, so that nothing changes unheard in between.
            let changed = self.board.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.board.next(endpoint, slot) {
                Next::Done => return,
                Next::Wait(None) => changed.await,
                Next::Wait(Some(until)) => {
                    let _ = timeout_at(until, changed).await;
                }
                Next::Work(work) => {
                    let again = work.clone();
                    // Whoever is told to stop drops its request, and the server stops writing.
                    let done = tokio::select! {
                        done = self.work(endpoint, work, found) => done,
                        () = self.stopped() => {
                            endpoint.dropped();
                            self.board.again(again);
                            return;
                        }
                    };
                    if let Err(error) = done {
                        self.board.stop();
                        let _ = found.send(Finding::Broken(error));
                        return;
                    }
                }
            }
        }
    }

    async fn stopped(&self) {
        loop {
            let changed = self.board.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.board.is_stopped() {
                return;
            }
            changed.await;
        }
    }

    /// One request, and what follows from it. An error is one that ends it all: the disk is full.
    async fn work(&self, endpoint: &Endpoint, work: Work, found: &Sender<Finding>) -> Result<(), Error> {
        let asked = match &work.step {
            Step::Ask { wrong, num_predict } => {
                let asking = self.questioner.asking(work.passage, wrong.as_ref(), *num_predict, work.tries);
                let heard = |tokens| {
                    endpoint.tokens.fetch_add(tokens, Ordering::Relaxed);
                    endpoint.speaks();
                    self.board.heard();
                };
                endpoint.chat.ask(&asking.with(endpoint.thinking()), self.limits, heard).await
            }
            Step::Judge { questions, wrong } => {
                let asking = self.questioner.judging(work.passage, questions, wrong.as_ref(), work.tries);
                let answer = endpoint.chat.ask_at_once(&asking.with(endpoint.thinking()), self.limits.first).await;
                endpoint.tokens.fetch_add(answer.as_ref().map_or(0, |reply| reply.tokens), Ordering::Relaxed);
                answer
            }
        };
        match asked {
            Err(trouble) => self.trouble(endpoint, work, &trouble, found),
            Ok(reply) => {
                self.board.heard();
                self.tell(endpoint, endpoint.answered(), found);
                self.take(work, &reply, found)
            }
        }
    }

    /// An answer came. It is on disk before anything else is asked.
    fn take(&self, mut work: Work, reply: &Reply, found: &Sender<Finding>) -> Result<(), Error> {
        let passage = self.questioner.id(work.passage).to_owned();
        let problem = match &work.step {
            Step::Ask { num_predict, .. } => match self.questioner.questions(work.passage, reply) {
                Ok(questions) => {
                    let outcome = Outcome::Questions(questions.clone());
                    self.journal.append(&Entry { passage, outcome })?;
                    let _ = found.send(Finding::Questions(work.passage, questions.clone()));
                    if self.judged {
                        self.board.again(Work { step: Step::Judge { questions, wrong: None }, tries: 0, ..work });
                    } else {
                        self.board.finish();
                    }
                    return Ok(());
                }
                Err(Useless::NothingToAsk) => {
                    self.journal.append(&Entry { passage, outcome: Outcome::Nothing })?;
                    let _ = found.send(Finding::Failed(work.passage, NOTHING.to_owned()));
                    self.board.finish();
                    return Ok(());
                }
                Err(Useless::Wrong(problem)) => {
                    // An answer that ran out of tokens gets more of them.
                    let num_predict =
                        if reply.truncated { self.questioner.more_tokens(*num_predict) } else { *num_predict };
                    let wrong = Some((reply.text.clone(), problem.clone()));
                    work.step = Step::Ask { wrong, num_predict };
                    problem
                }
            },
            Step::Judge { questions, .. } => match Questioner::scores(questions, reply) {
                Ok(scores) => {
                    self.journal.append(&Entry { passage, outcome: Outcome::Scores(scores.clone()) })?;
                    let _ = found.send(Finding::Scores(work.passage, scores));
                    self.board.finish();
                    return Ok(());
                }
                Err(problem) => {
                    let (questions, wrong) = (questions.clone(), Some((reply.text.clone(), problem.clone())));
                    work.step = Step::Judge { questions, wrong };
                    problem
                }
            },
        };
        self.try_again(work, &problem, found)
    }

    /// A request failed. The server's trouble is not the passage's.
    fn trouble(
        &self,
        endpoint: &Endpoint,
        work: Work,
        trouble: &Trouble,
        found: &Sender<Finding>,
    ) -> Result<(), Error> {
        if let Trouble::Status { status: 400, text, .. } = trouble
            && text.contains("think")
            && endpoint.forget_thinking()
        {
            endpoint.dropped();
            self.board.again(work);
            return Ok(());
        }
        self.tell(endpoint, endpoint.failed(trouble), found);
        if trouble.is_of_server() || trouble.is_for_good() || endpoint.is_gone() {
            self.board.again(work);
            return Ok(());
        }
        self.try_again(work, &trouble.to_string(), found)
    }

    /// News of an endpoint concern who watches, and the slots that wait for it.
    fn tell(&self, endpoint: &Endpoint, news: News, found: &Sender<Finding>) {
        if news != News::None {
            let about = endpoint.problem().unwrap_or_else(|| endpoint.chat.address().to_string());
            let _ = found.send(Finding::Endpoint(news, about));
            self.board.changed.notify_waiters();
        }
    }

    fn try_again(&self, mut work: Work, problem: &str, found: &Sender<Finding>) -> Result<(), Error> {
        work.tries += 1;
        if work.tries < self.tries {
            self.board.again(work);
            return Ok(());
        }
        // Questions that could not be judged are kept: they only lack a score.
        if let Step::Judge { .. } = work.step {
            let _ = found.send(Finding::Scores(work.passage, Vec::new()));
        } else {
            let (passage, why) = (self.questioner.id(work.passage).to_owned(), problem.to_owned());
            self.journal.append(&Entry { passage, outcome: Outcome::Failed(why.clone()) })?;
            let _ = found.send(Finding::Failed(work.passage, why));
        }
        self.board.finish();
        Ok(())
    }
}

/// The limits that settings ask for.
pub(super) fn limits(load_timeout: f64, silence: f64) -> Limits {
    Limits { first: Duration::from_secs_f64(load_timeout), next: Duration::from_secs_f64(silence) }
}

/// A question to a model that may or may not think.
impl crate::pairs::ollama::Asking {
    fn with(mut self, thinking: Thinking) -> Self {
        self.thinking = thinking;
        self
    }
}
