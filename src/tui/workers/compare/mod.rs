//! Embeds and ranks.
//!
//! Queries are answered by whatever is ready: BM25 as soon as the corpus is read, each model once its passages have
//! vectors. Reading and embedding happen in a thread beside, which a newer choice of models cancels; of queries that
//! wait, only the newest is answered.

mod library;
mod loader;
mod ranking;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use self::loader::{Dense, Loaded, Loader, Splitter};
use super::Outbox;
pub use crate::evaluation::{
    Answer as Fell, Delta, Findings, Metrics, PerQuery, System, SystemKind, Verdict, arms_table,
};
use crate::tui::message::Msg;
use crate::workspace::Workspace;

/// How often the worker looks at what its loader has done.
const LOOK: Duration = Duration::from_millis(30);

/// What can be asked.
#[derive(Debug)]
pub enum Question {
    /// Read what there is to compare, anew.
    Open(Opening),
    /// Rank the passages for a query.
    Rank(Asked),
}

/// What to compare.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Opening {
    /// Counts openings: answers carry it.
    pub number: u64,
    /// The models; none: the newest tuned one and its base.
    pub models: Vec<String>,
    /// The evaluation to show: its name and its folder.
    pub evaluation: Option<(String, PathBuf)>,
    /// Tokenizers that split the query beside those of the models: their names and folders.
    pub tokenizers: Vec<(String, PathBuf)>,
    /// The newest corpus, as the asker knows it: a newer one is a reason to open anew.
    pub corpus: Option<String>,
    /// The newest model, as the asker knows it.
    pub newest_model: Option<String>,
}

/// A query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Counts queries: answers carry it.
    pub number: u64,
    /// What is asked.
    pub query: String,
    /// The passages that answer it, where that is known.
    pub relevant: Vec<String>,
}

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    /// How far reading is.
    State(State),
    /// What the newest evaluation found, or why it cannot be read.
    Judged {
        /// Of which opening.
        number: u64,
        /// The evaluation; none: there is none.
        judged: Option<Result<Judged, String>>,
    },
    /// The passages for a query.
    Ranking(Ranking),
    /// The worker knows nothing any more, since it started again: open anew.
    Lost,
}

/// An evaluation and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its name.
    pub reference: String,
    /// Its numbers.
    pub findings: Findings,
    /// What they say.
    pub verdict: Verdict,
}

/// How far reading is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Of which opening.
    pub number: u64,
    /// The passages, once they are read, or why they cannot be.
    pub corpus: Option<Result<CorpusRead, String>>,
    /// The systems, in the order of their columns.
    pub systems: Vec<SystemState>,
    /// What one should know: no tuned model yet, a base that changed.
    pub notes: Vec<String>,
}

/// The passages that are ranked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorpusRead {
    /// The corpus.
    pub reference: String,
    /// How many passages.
    pub passages: usize,
    /// How many of them the test questions brought along.
    pub extra: usize,
}

/// A system and whether it can answer.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemState {
    /// Its name, as evaluations have it.
    pub name: String,
    /// Its kind.
    pub kind: SystemKind,
    /// Whether it can answer.
    pub stage: Stage,
}

/// Whether a system can answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Its turn has not come.
    Waiting,
    /// It is being read.
    Loading,
    /// Its passages are being embedded.
    Embedding {
        /// Passages done.
        done: usize,
        /// Passages in all.
        total: usize,
        /// Seconds left, once that can be told.
        left_s: Option<f64>,
    },
    /// It answers.
    Ready,
    /// It cannot.
    Failed(String),
}

/// What the systems answer to a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranking {
    /// Which query's it is.
    pub number: u64,
    /// The query.
    pub query: String,
    /// Whether it is known which passages answer it.
    pub is_question: bool,
    /// Each system that could answer, in the order of the columns.
    pub systems: Vec<Ranked>,
    /// The passages that the hits point into.
    pub passages: Vec<Shown>,
    /// How each tokenizer splits the query.
    pub splits: Vec<Split>,
}

/// One system's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Its name, as evaluations have it.
    pub name: String,
    /// Milliseconds from the query to its ranking.
    pub ms: f64,
    /// Its best passages, best first, or why there are none.
    pub hits: Result<Vec<RankedHit>, String>,
    /// The rank of the first relevant passage, among the first hundred.
    pub relevant_at: Option<usize>,
}

/// A passage in a ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedHit {
    /// Its place in [`Ranking::passages`].
    pub passage: usize,
    /// Its score: a cosine, BM25's sum, or a sum of standardised scores.
    pub score: f32,
    /// Where it stands against the base; none in the base's own ranking, or without one.
    pub moved: Option<Moved>,
    /// Whether it answers the question.
    pub relevant: bool,
}

/// A passage's rank against that in the base's ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The same.
    Not,
    /// Better by so many ranks.
    Up(usize),
    /// Worse by so many.
    Down(usize),
    /// Not among the base's first hundred.
    New,
}

/// A passage to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// The path of its document.
    pub document: String,
    /// Title and headings above it, outermost first.
    pub heading: Vec<String>,
    /// What it says.
    pub text: String,
    /// Where words of the query stand in the text.
    pub matches: Vec<Range<usize>>,
}

/// A query's tokens under one tokenizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Who splits so: models share tokenizers.
    pub names: Vec<String>,
    /// The bytes of each token, or why it cannot split.
    pub tokens: Result<Vec<Range<usize>>, String>,
}

/// What the worker has on its desk.
struct Desk<'a> {
    workspace: &'a Workspace,
    device: &'a str,
    outbox: &'a Outbox,
    state: State,
    library: Option<std::sync::Arc<library::Library>>,
    /// For each model of the state, in order, what ranks by it.
    models: Vec<Option<std::sync::Arc<Dense>>>,
    splitters: Vec<Splitter>,
    loader: Option<Loader>,
    /// The newest query; it is answered again as systems become ready.
    asked: Option<Asked>,
}

/// Answers questions until nobody asks any more.
pub(super) fn work(workspace: &Workspace, device: &str, questions: &Receiver<Question>, outbox: &Outbox) {
    let mut desk = Desk {
        workspace,
        device,
        outbox,
        state: State::default(),
        library: None,
        models: Vec::new(),
        splitters: Vec::new(),
        loader: None,
        asked: None,
    };
    loop {
        let first = match &desk.loader {
            Some(_) => match questions.recv_timeout(LOOK) {
                Ok(question) => Some(question),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            },
            None => match questions.recv() {
                Ok(question) => Some(question),
                Err(_) => return,
            },
        };
        // The newest of each kind counts: who types on has no use for the answers in between.
        let (mut opening, mut asked) = (None, None);
        for question in first.into_iter().chain(questions.try_iter()) {
            match question {
                Question::Open(newer) => opening = Some(newer),
                Question::Rank(newer) => asked = Some(newer),
            }
        }
        if let Some(opening) = opening {
            desk.open(opening);
        }
        let news = desk.look();
        if asked.is_some() || news {
            desk.asked = asked.or(desk.asked.take());
            desk.answer();
        }
    }
}

impl Desk<'_> {
    /// Begins to read what there is to compare; what was read before and is still wanted is kept.
    fn open(&mut self, opening: Opening) {
        let judged = opening.evaluation.as_ref().map(|(reference, folder)| {
            let findings = Findings::read(folder).map_err(|error| error.to_string())?;
            let verdict = Verdict::of(&findings);
            Ok(Judged { reference: reference.clone(), findings, verdict })
        });
        let questions = match &judged {
            Some(Ok(judged)) => Some(judged.findings.questions.clone()),
            _ => None,
        };
        self.outbox.send(Msg::Answer(super::Answer::Compare(Answer::Judged { number: opening.number, judged })));
        self.state = State { number: opening.number, ..State::default() };
        let kept = loader::Kept { library: self.library.take(), models: self.models.drain(..).flatten().collect() };
        self.splitters.clear();
        // The one before, if any, stops at its next safe point: its receiver is gone.
        self.loader = Some(Loader::start(self.workspace.clone(), self.device.to_owned(), opening, questions, kept));
        self.tell();
    }

    /// Takes what the loader has done. Says whether a query can be answered better now.
    fn look(&mut self) -> bool {
        let Some(loader) = &self.loader else { return false };
        let (mut news, mut changed, mut ended) = (false, false, false);
        while let Some(loaded) = loader.take() {
            changed = true;
            match loaded {
                Loaded::Library(library) => {
                    self.state.corpus =
                        Some(library.as_ref().map(|library| library.read.clone()).map_err(Clone::clone));
                    self.library = library.ok();
                    news = true;
                }
                Loaded::Systems(systems, notes) => {
                    self.models = systems.iter().take_while(|system| is_model(system.kind)).map(|_| None).collect();
                    (self.state.systems, self.state.notes) = (systems, notes);
                    news = true;
                }
                Loaded::Stage(at, stage) => self.state.systems[at].stage = stage,
                Loaded::Model(at, dense) => {
                    self.models[at] = Some(dense);
                    self.state.systems[at].stage = Stage::Ready;
                    news = true;
                }
                Loaded::Splitters(splitters) => {
                    self.splitters = splitters;
                    news = true;
                }
                Loaded::Ended(problem) => {
                    ended = true;
                    if let Some(problem) = problem {
                        self.state.notes.push(problem);
                    }
                }
            }
        }
        if ended {
            self.loader = None;
        }
        if changed {
            self.settle();
            self.tell();
        }
        news
    }

    /// The stages of the systems that are no models follow from the others'.
    fn settle(&mut self) {
        let words = match &self.state.corpus {
            None => Stage::Loading,
            Some(Ok(_)) => Stage::Ready,
            Some(Err(problem)) => Stage::Failed(problem.clone()),
        };
        let model = ranking::fused_model(&self.state.systems).map(|at| self.state.systems[at].stage.clone());
        for system in &mut self.state.systems {
            match system.kind {
                SystemKind::Bm25 => system.stage = words.clone(),
                SystemKind::Fusion => {
                    system.stage = match &model {
                        Some(Stage::Ready) => words.clone(),
                        Some(_) => Stage::Waiting,
                        None => Stage::Failed("no model to put together with BM25".to_owned()),
                    }
                }
                SystemKind::Base | SystemKind::Tuned => {}
            }
        }
    }

    fn tell(&self) {
        self.outbox.send(Msg::Answer(super::Answer::Compare(Answer::State(self.state.clone()))));
    }

    fn answer(&mut self) {
        let Some(asked) = &self.asked else { return };
        if self.state.number == 0 {
            self.outbox.send(Msg::Answer(super::Answer::Compare(Answer::Lost)));
            return;
        }
        let Some(library) = &self.library else { return };
        let ranking = ranking::rank(library, &self.state.systems, &self.models, &self.splitters, asked);
        self.outbox.send(Msg::Answer(super::Answer::Compare(Answer::Ranking(ranking))));
    }
}

/// Whether a system is a model alone.
const fn is_model(kind: SystemKind) -> bool {
    matches!(kind, SystemKind::Base | SystemKind::Tuned)
}
