//! Pane: compare. Would my users notice?
//!
//! One query, asked of every system side by side; below, what the newest evaluation found on all test questions. The
//! pane asks the worker for rankings and draws what came last: it computes none itself.

mod details;
mod evaluation;
mod questions;
mod strip;
#[cfg(test)]
mod tests;
mod view;

use std::cell::{Cell, RefCell};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Pane;
use crate::tui::field::Field;
use crate::tui::keymap::{Action, Context};
use crate::tui::list::ListState;
use crate::tui::message::Effect;
use crate::tui::overlay::{Choice, Overlay, Purpose, Scroll};
use crate::tui::shared::Shared;
use crate::tui::workers::compare::{Answer, Asked, Judged, Opening, Question, Ranking, State, SystemKind, arms_table};
use crate::tui::workers::{Answer as AnyAnswer, Question as AnyQuestion};

/// Tokenizers of the workspace that split the query beside the models' own.
const TOKENIZERS: usize = 3;

/// The pane.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each is a state of its own, and holds with any of the others
pub struct ComparePane {
    /// Whether it was ever looked at: before, nothing is loaded.
    opened: bool,
    /// What was opened last; it is opened again when this changes.
    opening: Opening,
    /// The models that were chosen; none: the newest tuned one and its base.
    chosen: Vec<String>,
    /// The number of the last query.
    number: u64,
    query: Field,
    typing: bool,
    state: Option<State>,
    ranking: Option<Ranking>,
    judged: Option<Result<Judged, String>>,
    /// The column in focus, once somebody chose one.
    focus: Option<usize>,
    /// The hit under the cursor, in the column in focus.
    hit: usize,
    /// Whether the test questions are shown instead of the columns.
    listing: bool,
    list: ListState,
    /// Whether the query's tokens are shown.
    splitting: bool,
    /// The first column in view, as last drawn.
    first: Cell<usize>,
    /// The hits that fit, as last drawn.
    page: Cell<usize>,
    /// Where columns and rows are, as last drawn: for the mouse.
    places: RefCell<Places>,
}

/// Where things were drawn.
#[derive(Debug, Default)]
struct Places {
    columns: Vec<(u16, u16, usize)>,
    rows: (u16, u16),
    top: usize,
}

impl ComparePane {
    /// The column in focus: the tuned model's until somebody chooses.
    fn focused(&self) -> usize {
        let systems = self.state.as_ref().map_or(&[][..], |state| &state.systems);
        let tuned = || systems.iter().rposition(|system| system.kind == SystemKind::Tuned);
        self.focus.or_else(tuned).unwrap_or(0).min(systems.len().saturating_sub(1))
    }

    /// The name of the system in focus.
    fn focused_name(&self) -> Option<&str> {
        self.state.as_ref()?.systems.get(self.focused()).map(|system| system.name.as_str())
    }

    /// How many hits the system in focus has.
    fn hits(&self) -> usize {
        let of = |ranking: &Ranking| {
            let name = self.focused_name()?;
            let ranked = ranking.systems.iter().find(|system| system.name == name)?;
            Some(ranked.hits.as_ref().ok()?.len())
        };
        self.ranking.as_ref().and_then(of).unwrap_or(0)
    }

    fn findings(&self) -> Option<&Judged> {
        self.judged.as_ref()?.as_ref().ok()
    }

    /// Asks for the ranking of what the query says.
    fn ask(&mut self) -> Vec<Effect> {
        self.number += 1;
        let query = self.query.text().to_owned();
        // A query that is a test question has known answers, however it was typed.
        let wanted = query.trim();
        let rows = self.findings().map_or(&[][..], |judged| &judged.findings.per_query);
        let relevant = rows.iter().find(|row| !wanted.is_empty() && row.query.trim() == wanted);
        let relevant = relevant.map(|row| row.relevant.clone()).unwrap_or_default();
        let asked = Asked { number: self.number, query, relevant };
        vec![Effect::Ask(AnyQuestion::Compare(Question::Rank(asked)))]
    }

    /// Opens what there is to compare, where that changed, or anew in any case.
    fn open(&mut self, anew: bool, shared: &Shared) -> Vec<Effect> {
        let artifacts = &shared.artifacts;
        if !self.opened || !artifacts.read {
            return Vec::new();
        }
        let mut names: Vec<&str> = Vec::new();
        let newest = artifacts.tokenizers.iter().filter(|version| {
            let name = version.reference.split('@').next().unwrap_or_default();
            let new = !names.contains(&name);
            names.push(name);
            new
        });
        let tokenizers =
            newest.take(TOKENIZERS).map(|version| (version.reference.clone(), version.path.clone())).collect();
        let evaluation = artifacts.evaluations.first();
        let opening = Opening {
            number: self.opening.number,
            models: self.chosen.clone(),
            evaluation: evaluation.map(|version| (version.reference.clone(), version.path.clone())),
            tokenizers,
            // What the defaults depend on, so that a newer corpus or model opens anew.
            corpus: artifacts.corpora.first().map(|version| version.reference.clone()),
            newest_model: artifacts.models.first().map(|version| version.reference.clone()),
        };
        if opening == self.opening && self.opening.number > 0 && !anew {
            return Vec::new();
        }
        self.opening = Opening { number: self.opening.number + 1, ..opening };
        vec![Effect::Ask(AnyQuestion::Compare(Question::Open(self.opening.clone())))]
    }

    /// Shows the own query again, or the test questions.
    fn toggle_questions(&mut self) -> Vec<Effect> {
        if self.findings().is_none_or(|judged| judged.findings.per_query.is_empty()) {
            let text = "no test questions were asked yet: judge the models first";
            return vec![Effect::Say(text.to_owned())];
        }
        self.listing = !self.listing;
        self.order();
        Vec::new()
    }

    /// Moves the cursor among the hits. Says whether the action was one of a list's.
    fn move_hit(&mut self, action: Action) -> bool {
        let last = self.hits().saturating_sub(1);
        let page = self.page.get().saturating_sub(1).max(1);
        self.hit = match action {
            Action::Up => self.hit.min(last).saturating_sub(1),
            Action::Down => (self.hit + 1).min(last),
            Action::PageUp => self.hit.min(last).saturating_sub(page),
            Action::PageDown => (self.hit + page).min(last),
            Action::First => 0,
            Action::Last => last,
            _ => return false,
        };
        true
    }

    /// The arms of a comparison of vocabularies.
    fn show_ladder(&self, shared: &Shared) -> Vec<Effect> {
        let ladder = self.findings().and_then(|judged| Some((judged, judged.findings.ladder.as_ref()?)));
        let Some((judged, ladder)) = ladder else {
            let key = shared.keymap.key(Context::Tuning, Action::New).unwrap_or_default();
            let text = format!("no vocabularies were compared: start `ladder` in the tuning pane ({key})");
            return vec![Effect::Say(text)];
        };
        let title = format!("Vocabularies: {}", judged.reference);
        let table = arms_table(&ladder.arms, ladder.chosen, ladder.seeds) + "\n" + &ladder.recommendation;
        let lines = table.lines().map(str::to_owned).collect();
        vec![Effect::Open(Box::new(Overlay::Text { title, lines, scroll: Scroll::default() }))]
    }

    fn choose_models(&self, shared: &Shared) -> Vec<Effect> {
        let mut rows = vec![("embedded".to_owned(), "embedded    the base that every lapidary carries".to_owned())];
        for model in &shared.artifacts.models {
            let label = format!("{}    tuned {}", model.reference, shared.ago(model.made_ms));
            rows.push((model.reference.clone(), label));
        }
        for input in shared.artifacts.models.iter().flat_map(|model| &model.inputs) {
            if input.role == "base" && rows.iter().all(|(value, _)| *value != input.reference) {
                rows.push((input.reference.clone(), format!("{}    a base", input.reference)));
            }
        }
        // A folder named on no artifact may still be open.
        let open: Vec<&str> = self.state.iter().flat_map(|state| &state.systems).map(|it| it.name.as_str()).collect();
        for name in &self.chosen {
            if rows.iter().all(|(value, _)| value != name) {
                rows.push((name.clone(), name.clone()));
            }
        }
        let marked = rows.iter().map(|(value, _)| open.contains(&value.as_str())).collect();
        let palette = &shared.palette;
        for (_, label) in &mut rows {
            *label = crate::tui::widgets::symbols::visible(label, palette).into_owned();
        }
        let title = "Compare which models? None marked: the newest tuned one and its base";
        vec![Effect::Open(Box::new(Overlay::Choice(Choice::some(Purpose::Models, title, rows, marked))))]
    }

    fn take(&mut self, answer: Answer, shared: &Shared) -> Vec<Effect> {
        match answer {
            Answer::State(state) if state.number == self.opening.number => self.state = Some(state),
            Answer::Judged { number, judged } if number == self.opening.number => {
                self.judged = judged;
                self.order();
                self.listing &= !self.list.is_empty() || !self.list.filter.is_empty();
                // What is typed may be a test question now, or no longer.
                if !self.query.is_empty() {
                    return self.ask();
                }
            }
            Answer::Ranking(ranking) if ranking.number == self.number => {
                self.ranking = Some(ranking);
                self.hit = self.hit.min(self.hits().saturating_sub(1));
            }
            Answer::Lost => return self.open(true, shared),
            // An answer to what nobody asks any more.
            Answer::State(_) | Answer::Judged { .. } | Answer::Ranking(_) => {}
        }
        Vec::new()
    }

    fn open_hit(&mut self, shared: &Shared) -> Vec<Effect> {
        if self.listing {
            return self.ask_selected();
        }
        let Some((title, lines)) = self.passage_under_cursor(shared) else { return Vec::new() };
        vec![Effect::Open(Box::new(Overlay::Text { title, lines, scroll: Scroll::default() }))]
    }
}

impl Pane for ComparePane {
    fn context(&self) -> Context {
        Context::Compare
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<Effect> {
        if self.listing && self.list.act(action) {
            return Vec::new();
        }
        if !self.listing && self.move_hit(action) {
            return Vec::new();
        }
        match action {
            Action::Type => {
                (self.typing, self.listing) = (true, false);
                Vec::new()
            }
            Action::Questions => self.toggle_questions(),
            Action::Left if !self.listing => {
                self.focus = Some(self.focused().saturating_sub(1));
                Vec::new()
            }
            Action::Right if !self.listing => {
                let last = self.state.as_ref().map_or(0, |state| state.systems.len().saturating_sub(1));
                self.focus = Some((self.focused() + 1).min(last));
                Vec::new()
            }
            Action::Models => self.choose_models(shared),
            Action::Ladder => self.show_ladder(shared),
            Action::Tokenizer => {
                self.splitting = !self.splitting;
                Vec::new()
            }
            Action::Filter if self.listing => {
                self.list.filtering = true;
                Vec::new()
            }
            Action::Filter => {
                let effects = self.toggle_questions();
                self.list.filtering = self.listing;
                effects
            }
            Action::Sort if self.listing => {
                self.list.sort = (self.list.sort + 1) % questions::ORDERS.len();
                self.order();
                self.list.act(Action::First);
                Vec::new()
            }
            Action::Open => self.open_hit(shared),
            Action::Back => {
                if self.listing && !self.list.filter.is_empty() {
                    self.list.filter.set("");
                    self.order();
                } else if self.listing {
                    self.listing = false;
                } else {
                    self.splitting = false;
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn typing(&mut self) -> Option<&mut Field> {
        if self.list.filtering {
            Some(&mut self.list.filter)
        } else if self.typing {
            Some(&mut self.query)
        } else {
            None
        }
    }

    fn typed(&mut self, _shared: &Shared) -> Vec<Effect> {
        if self.list.filtering {
            self.order();
            return Vec::new();
        }
        self.hit = 0;
        self.ask()
    }

    fn done_typing(&mut self, kept: bool, _shared: &Shared) -> Vec<Effect> {
        if self.list.done_typing(kept) {
            self.order();
        }
        self.typing = false;
        Vec::new()
    }

    fn answer(&mut self, answer: AnyAnswer, shared: &Shared) -> Vec<Effect> {
        match answer {
            AnyAnswer::Compare(answer) => self.take(answer, shared),
            AnyAnswer::Corpus(_) | AnyAnswer::Pairs(_) | AnyAnswer::Vocabulary(_) => Vec::new(),
        }
    }

    fn chosen(&mut self, purpose: Purpose, values: &[String], shared: &Shared) -> Vec<Effect> {
        if purpose != Purpose::Models {
            return Vec::new();
        }
        self.chosen = values.to_vec();
        (self.focus, self.hit) = (None, 0);
        self.open(false, shared)
    }

    fn opened(&mut self, shared: &Shared) -> Vec<Effect> {
        self.opened = true;
        self.open(false, shared)
    }

    fn refresh(&mut self, shared: &Shared) -> Vec<Effect> {
        self.open(false, shared)
    }

    fn copied(&self, shared: &Shared) -> Option<String> {
        self.copy(shared)
    }

    fn click(&mut self, x: u16, y: u16, _shared: &Shared) -> Vec<Effect> {
        let places = self.places.borrow();
        let (from, to) = places.rows;
        if !(from..to).contains(&y) {
            return Vec::new();
        }
        let row = places.top + usize::from(y - from);
        let column = places.columns.iter().find(|(left, right, _)| (*left..*right).contains(&x)).map(|it| it.2);
        drop(places);
        if self.listing {
            if row < self.list.len() {
                let data = self.list.row(row);
                self.list.select(data);
            }
        } else if let Some(column) = column {
            self.focus = Some(column);
            self.hit = row.min(self.hits().saturating_sub(1));
        }
        Vec::new()
    }

    fn view(&self, area: Rect, buffer: &mut Buffer, shared: &Shared) {
        view::draw(self, area, buffer, shared);
    }
}
