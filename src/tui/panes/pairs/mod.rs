//! Pane 3: are these the questions my users ask?
//!
//! Shows a set of pairs passage by passage, takes what a person says of each question, and follows a job while it makes
//! pairs. What is said goes to the worker, which writes it down; the set itself changes only when a review is finished,
//! and then a job writes its next version.

mod control;
mod endpoints;
mod header;
mod health;
mod remarks;
mod review;
mod stream;
#[cfg(test)]
mod tests;
mod tolls;
mod view;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::control::{Requests, synthesis};
use self::review::Reviewed;
use super::Pane;
use crate::tui::field::Field;
use crate::tui::keymap::{Action, Context};
use crate::tui::list::ListState;
use crate::tui::live::LiveRun;
use crate::tui::message::Effect;
use crate::tui::overlay::{Choice, Overlay, Purpose, Scroll};
use crate::tui::shared::{Shared, Version, thousands};
use crate::tui::workers::pairs::{Answer, Question, Said, Set};
use crate::tui::workers::{Answer as AnyAnswer, Question as AnyQuestion};

/// The job that has a language model make pairs.
const SYNTHESIS: &str = "pairs-synthesize";
/// The jobs that make pairs.
const MAKERS: [&str; 3] = ["pairs-structural", "pairs-import", SYNTHESIS];
/// The job that finishes a review.
const REVIEW: &str = "pairs-review";
/// The orders of the passages.
const ORDERS: [&str; 3] = ["document", "most rejected", "fewest kept"];
/// Texts of passages that are kept: those around the open one.
const TEXTS: usize = 32;

/// A passage's text, or why there is none.
type PassageText = Result<Arc<str>, String>;

/// The pane.
#[derive(Debug, Default)]
pub struct PairsPane {
    /// The set that was chosen; none: the newest.
    wanted: Option<String>,
    /// The set that is being read.
    asked: Option<String>,
    set: Option<Box<Set>>,
    /// The set that could not be read, and why.
    problem: Option<(String, String)>,
    /// The passages of the set.
    list: ListState,
    /// The question under the cursor, among those of the passage.
    question: usize,
    /// The first question in view, as last drawn.
    top: Cell<usize>,
    /// Where the questions are, as last drawn: first row, row behind the last, which.
    rows: RefCell<Vec<(u16, u16, usize)>>,
    /// The question being edited.
    editing: Option<Field>,
    texts: VecDeque<(u32, PassageText)>,
    /// Passages whose texts were asked for.
    awaited: Vec<u32>,
    /// The runs that were followed, or that nobody wanted to follow: the last is the newest.
    met: Option<String>,
    /// Whether the stream of the running job is shown instead of the set.
    following: bool,
    /// What was asked of the synthesis that runs.
    requests: Requests,
}

/// The job that makes pairs now, if its stream is read.
fn maker(shared: &Shared) -> Option<&LiveRun> {
    let status = shared.runs.of(&MAKERS).find(|status| status.state.is_live())?;
    shared.runs.live(&status.id)
}

/// Asks which set is shown.
fn choose(shared: &Shared) -> Vec<Effect> {
    let rows = shared.artifacts.pairs.iter().map(|version| {
        let count = |name: &str| version.details.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let kept = thousands(count("train") + count("dev"));
        let stale = if version.stale { "  of other documents" } else { "" };
        let ago = shared.ago(version.made_ms);
        let label = format!("{:<24} {kept:>9} kept   {:<12} {ago}{stale}", version.reference, made(version));
        (version.reference.clone(), label)
    });
    vec![Effect::Open(Box::new(Overlay::Choice(Choice::one(Purpose::Pairs, "Which pairs?", rows.collect()))))]
}

/// How a set was made, in a word.
fn made(version: &Version) -> &str {
    match version.job.as_str() {
        // They came with the documents: in a retrieval set, or in a table.
        "corpus" if version.reference.starts_with("beir@") => "from BEIR",
        "corpus" => "from a table",
        job => job.strip_prefix("pairs-").map_or(job, |job| match job {
            "import" => "imported",
            "review" => "reviewed",
            "synthesize" => "synthesized",
            job => job,
        }),
    }
}

fn ask(question: Question) -> Effect {
    Effect::Ask(AnyQuestion::Pairs(question))
}

impl Pane for PairsPane {
    fn context(&self) -> Context {
        Context::Pairs
    }

    fn offers(&self, action: Action, shared: &Shared) -> bool {
        match action {
            Action::Pause | Action::More | Action::Fewer => synthesis(shared).is_some(),
            Action::Stop => maker(shared).is_some(),
            Action::New => true,
            // All else is about the set.
            _ => self.set.is_some() && !(self.following && maker(shared).is_some()),
        }
    }

    fn hint(&self, shared: &Shared) -> Option<String> {
        let key = shared.keymap.key(Context::Pairs, Action::New)?;
        (shared.artifacts.read && shared.artifacts.pairs.is_empty()).then(|| format!("{key} makes pairs"))
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<Effect> {
        let running = maker(shared).map(|run| run.id.clone());
        match action {
            Action::Follow if running.is_some() => self.following = !self.following,
            Action::Follow => return vec![Effect::Say("no job makes pairs now".to_owned())],
            Action::Stop => match running {
                Some(run) => return vec![Effect::Stop(run)],
                None => return vec![Effect::Say("no job makes pairs now".to_owned())],
            },
            Action::Pause | Action::More | Action::Fewer => return self.control(action, shared),
            Action::Tokenizer => return choose(shared),
            Action::Finish => return self.finish(shared),
            Action::Health => {
                let Some(set) = &self.set else { return Vec::new() };
                let ask = ask(Question::Health(set.reference.clone()));
                return vec![ask, Effect::Say(format!("measuring {} …", set.reference))];
            }
            Action::Back if self.following => self.following = false,
            Action::Back if !self.list.filter.is_empty() => {
                self.list.filter.set("");
                self.rebuild();
                return self.fetch();
            }
            // The stream has no cursor.
            Action::Accept | Action::Reject | Action::Edit if self.following && running.is_some() => {
                let text = "questions are reviewed in the set that the job writes at its end";
                return vec![Effect::Say(text.to_owned())];
            }
            _ if self.following && running.is_some() => {}
            Action::PreviousPassage => return self.step_passage(Action::Up),
            Action::NextPassage => return self.step_passage(Action::Down),
            Action::PageUp | Action::PageDown => return self.step_passage(action),
            Action::Up | Action::Down | Action::First | Action::Last => self.step_question(action),
            Action::Accept => return self.say(Said::Accept, shared),
            Action::Reject => return self.say(Said::Reject, shared),
            Action::Edit => self.editing = self.item().map(|item| Field::with(item.asks())),
            Action::Open => return self.read(shared),
            Action::Filter => self.list.filtering = self.set.is_some(),
            Action::Sort => {
                self.list.sort = (self.list.sort + 1) % ORDERS.len();
                self.rebuild();
                return self.fetch();
            }
            _ => {}
        }
        Vec::new()
    }

    fn typing(&mut self) -> Option<&mut Field> {
        if let Some(field) = &mut self.editing {
            return Some(field);
        }
        self.list.typing()
    }

    fn typed(&mut self, _shared: &Shared) -> Vec<Effect> {
        if self.editing.is_some() {
            return Vec::new();
        }
        self.rebuild();
        self.fetch()
    }

    fn done_typing(&mut self, kept: bool, shared: &Shared) -> Vec<Effect> {
        if let Some(field) = self.editing.take() {
            let words = field.text().split_whitespace().collect::<Vec<_>>().join(" ");
            if !kept || self.item().is_none_or(|item| item.asks() == words) {
                return self.refresh(shared);
            }
            if words.is_empty() {
                let key = shared.keymap.key(Context::Pairs, Action::Reject).unwrap_or_default();
                return vec![Effect::Say(format!("a question needs words; {key} rejects it"))];
            }
            let mut effects = self.say(Said::Edit(words), shared);
            effects.extend(self.refresh(shared));
            return effects;
        }
        if self.list.done_typing(kept) {
            self.rebuild();
        }
        self.fetch()
    }

    fn act_while_typing(&mut self, action: Action, shared: &Shared) -> Vec<Effect> {
        if self.editing.is_some() { Vec::new() } else { self.act(action, shared) }
    }

    fn answer(&mut self, answer: AnyAnswer, shared: &Shared) -> Vec<Effect> {
        let AnyAnswer::Pairs(answer) = answer else { return Vec::new() };
        match answer {
            Answer::Opened(set) => {
                if self.asked.as_deref() != Some(set.reference.as_str()) {
                    return Vec::new();
                }
                let again = self.set.as_ref().is_some_and(|open| open.reference == set.reference);
                (self.asked, self.problem) = (None, None);
                self.set = Some(set);
                self.texts.clear();
                self.awaited.clear();
                if !again {
                    (self.question, self.editing) = (0, None);
                    let sort = self.list.sort;
                    self.list = ListState::default();
                    self.list.sort = sort;
                }
                self.rebuild();
                self.fetch()
            }
            Answer::NotOpened { pairs, problem } => {
                if self.asked.as_deref() == Some(pairs.as_str()) {
                    self.asked = None;
                    self.set = None;
                    self.problem = Some((pairs, problem));
                }
                Vec::new()
            }
            Answer::Text { pairs, passage, text } => {
                if self.set.as_ref().is_none_or(|set| set.reference != pairs) {
                    return Vec::new();
                }
                self.awaited.retain(|at| *at != passage);
                if self.texts.len() == TEXTS {
                    self.texts.pop_front();
                }
                self.texts.push_back((passage, text.map(Arc::from)));
                Vec::new()
            }
            Answer::NotWritten { pairs, problem } => {
                let mut effects = vec![Effect::Complain(format!("the review was not written: {problem}"))];
                // What is shown must be what is written.
                if self.set.as_ref().is_some_and(|set| set.reference == pairs) && self.asked.is_none() {
                    self.asked = Some(pairs.clone());
                    effects.push(ask(Question::Open(pairs)));
                }
                effects
            }
            Answer::Health { pairs, health } => match health {
                Ok(health) => {
                    let lines = health::lines(&health, self.set.as_deref(), shared.palette);
                    let title = format!("Health of {pairs}");
                    vec![Effect::Open(Box::new(Overlay::Text { title, lines, scroll: Scroll::default() }))]
                }
                Err(problem) => vec![Effect::Complain(problem)],
            },
        }
    }

    fn chosen(&mut self, purpose: Purpose, values: &[String], _shared: &Shared) -> Vec<Effect> {
        let (Purpose::Pairs, Some(reference)) = (purpose, values.first()) else { return Vec::new() };
        self.wanted = Some(reference.clone());
        self.problem = None;
        self.open(reference)
    }

    fn refresh(&mut self, shared: &Shared) -> Vec<Effect> {
        let running = shared.runs.of(&MAKERS).find(|status| status.state.is_live()).map(|status| status.id.clone());
        match running {
            None => self.following = false,
            Some(run) if self.met.as_ref() != Some(&run) => {
                // Nobody is torn out of a review.
                let busy = self.editing.is_some() || self.set.as_ref().is_some_and(|set| Reviewed::of(set).all() > 0);
                self.following = !busy;
                self.met = Some(run);
            }
            Some(_) => {}
        }
        if self.editing.is_some() {
            return Vec::new();
        }
        let Some(newest) = shared.artifacts.pairs.first() else { return Vec::new() };
        let known = |reference: &str| shared.artifacts.pairs.iter().any(|version| version.reference == reference);
        if let Some(set) = &self.set
            && known(&set.reference)
        {
            // The next version of what is open follows it; other sets wait until somebody asks for them.
            let follows = newest.inputs.iter().any(|input| input.role == "pairs" && input.reference == set.reference);
            let begun = Reviewed::of(set).all() > 0;
            if !follows && (self.wanted.is_some() || begun) {
                return Vec::new();
            }
            if follows {
                self.wanted = None;
            }
        }
        let reference = match &self.wanted {
            Some(wanted) if known(wanted) => wanted.clone(),
            _ => newest.reference.clone(),
        };
        self.open(&reference)
    }

    fn watching(&self, shared: &Shared) -> Vec<String> {
        let live = shared.runs.of(&MAKERS).find(|status| status.state.is_live());
        live.map(|status| status.id.clone()).into_iter().collect()
    }

    fn attach(&mut self, run: &str, shared: &Shared) -> Vec<Effect> {
        self.following = shared.runs.status(run).is_some_and(|status| status.state.is_live());
        self.met = Some(run.to_owned());
        Vec::new()
    }

    fn copied(&self, _shared: &Shared) -> Option<String> {
        self.item().map(|item| item.asks().to_owned())
    }

    fn click(&mut self, _x: u16, y: u16, _shared: &Shared) -> Vec<Effect> {
        let hit = self.rows.borrow().iter().find(|(from, to, _)| (*from..*to).contains(&y)).map(|(.., at)| *at);
        if let (Some(at), None) = (hit, &self.editing) {
            self.question = at;
        }
        Vec::new()
    }

    fn view(&self, area: Rect, buffer: &mut Buffer, shared: &Shared) {
        view::view(self, area, buffer, shared);
    }
}
