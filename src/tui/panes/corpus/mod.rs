//! Pane 1, "what does the tokenizer do to my words?": documents by fragmentation, a passage split live.
//!
//! What is on the screen stays until something better is known: a corpus that vanished or a tokenizer that cannot be read
//! is said in its place, and everything else goes on.

mod answers;
mod cursor;
mod detail;
mod gauges;
mod list;
mod passage;
mod tokenizers;
mod view;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Pane;
use crate::tui::field::Field;
use crate::tui::keymap::{Action, Context};
use crate::tui::list::ListState;
use crate::tui::message::Effect;
use crate::tui::overlay::Purpose;
use crate::tui::shared::Shared;
use crate::tui::workers::corpus::{About, Counts, Document, Place, Question, Shown, Split, Splits, WordTable};
use crate::tui::workers::{Answer, Question as Asked};
use cursor::{Arrival, token_at};
use passage::Layouts;
use view::Drawn;

/// Which of the two tokenizers are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    /// Both, stacked.
    #[default]
    Both,
    /// The base's only.
    First,
    /// The other only.
    Second,
}

/// Which corpus was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum AskedFor {
    /// None yet.
    #[default]
    Nothing,
    /// The newest, before it was known which that is.
    Newest,
    /// This one.
    Named(String),
}

/// The pane.
#[derive(Debug, Default)]
pub struct CorpusPane {
    /// The corpus that was asked for last.
    asked: AskedFor,
    /// The corpus that is open.
    corpus: Option<String>,
    documents: Arc<Vec<Document>>,
    /// The words of the longest document.
    most_words: usize,
    list: ListState,
    /// The words that are split worst, in place of the documents.
    worst: ListState,
    shows_worst: bool,
    /// The passage that was asked for last.
    wanted: Place,
    shown: Option<Shown>,
    /// What the user chose in place of the base's tokenizer, and of the one beside it.
    chosen: [Option<String>; 2],
    /// The base's tokenizer and the one beside it.
    slots: [Option<String>; 2],
    mode: Mode,
    /// A token of the first tokenizer that is shown.
    cursor: usize,
    arrival: Option<Arrival>,
    scratch: Field,
    scratching: bool,
    scratched: Option<(Arc<str>, Splits)>,
    counts: BTreeMap<String, Arc<Counts>>,
    counting: BTreeSet<String>,
    words: Option<Arc<WordTable>>,
    /// Passages indexed so far, and whether these are all.
    indexed: (usize, bool),
    problems: BTreeMap<About, String>,
    /// Whether the user chose a document.
    touched: bool,
    layouts: RefCell<Layouts>,
    drawn: RefCell<Drawn>,
}

fn ask(question: Question) -> Effect {
    Effect::Ask(Asked::Corpus(question))
}

impl Pane for CorpusPane {
    fn context(&self) -> Context {
        Context::Corpus
    }

    fn hint(&self, shared: &Shared) -> Option<String> {
        let key = shared.keymap.key(Context::Corpus, Action::Type)?;
        Some(format!("{key} splits a text of your own"))
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<Effect> {
        match action {
            Action::Left => self.walk(false),
            Action::Right => self.walk(true),
            Action::PreviousPassage => self.step_passage(false, Arrival::First),
            Action::NextPassage => self.step_passage(true, Arrival::First),
            Action::Tokenizer => vec![self.choice(shared)],
            Action::Both => self.next_mode(),
            Action::Worst => {
                self.shows_worst = !self.shows_worst;
                self.order_worst();
                Vec::new()
            }
            Action::Type => {
                self.scratching = true;
                Vec::new()
            }
            Action::Filter => {
                self.open_list().filtering = true;
                Vec::new()
            }
            Action::Sort => {
                let orders = if self.shows_worst { list::WORST_ORDERS.len() } else { list::ORDERS.len() };
                let list = self.open_list();
                list.sort = (list.sort + 1) % orders;
                self.order();
                self.order_worst();
                Vec::new()
            }
            Action::Open if self.shows_worst => self.find_word(),
            Action::Back => self.leave(),
            action => {
                if !self.open_list().act(action) || self.shows_worst {
                    return Vec::new();
                }
                self.touched = true;
                self.show_selected()
            }
        }
    }

    fn typing(&mut self) -> Option<&mut Field> {
        if self.scratching {
            return Some(&mut self.scratch);
        }
        self.open_list().typing()
    }

    fn typed(&mut self, _shared: &Shared) -> Vec<Effect> {
        if self.scratching {
            return self.split_scratch();
        }
        self.touched = true;
        self.order();
        self.order_worst();
        if self.shows_worst { Vec::new() } else { self.show_selected() }
    }

    fn done_typing(&mut self, kept: bool, _shared: &Shared) -> Vec<Effect> {
        if std::mem::take(&mut self.scratching) {
            return Vec::new();
        }
        if self.open_list().done_typing(kept) {
            self.order();
            self.order_worst();
        }
        if self.shows_worst { Vec::new() } else { self.show_selected() }
    }

    fn answer(&mut self, answer: Answer, shared: &Shared) -> Vec<Effect> {
        match answer {
            Answer::Corpus(answer) => self.take(answer, shared),
            _ => Vec::new(),
        }
    }

    fn chosen(&mut self, purpose: Purpose, values: &[String], shared: &Shared) -> Vec<Effect> {
        let (Purpose::Tokenizer, Some(value)) = (purpose, values.first()) else { return Vec::new() };
        let slot = usize::from(self.mode != Mode::First);
        self.chosen[slot] = Some(value.clone());
        let mut effects = self.settle_slots(shared);
        if effects.is_empty() && self.corpus.is_some() {
            // The same again: what could not be read may have been put right.
            effects = self.show(self.wanted, Arrival::Byte(self.byte()));
            effects.extend(self.count());
        }
        effects
    }

    fn refresh(&mut self, shared: &Shared) -> Vec<Effect> {
        let mut effects = self.settle_slots(shared);
        let newest = shared.artifacts.corpora.first().map(|corpus| corpus.reference.clone());
        let wanted = match (&self.asked, newest) {
            (AskedFor::Nothing, None) => AskedFor::Newest,
            // Which the newest is, the answer will tell.
            (AskedFor::Newest, _) if self.corpus.is_none() && !self.problems.contains_key(&About::Corpus) => {
                return effects;
            }
            (_, Some(newest)) => AskedFor::Named(newest),
            _ => return effects,
        };
        let open = matches!((&wanted, &self.corpus), (AskedFor::Named(wanted), Some(corpus)) if wanted == corpus);
        if wanted != self.asked && !open {
            let reference = if let AskedFor::Named(reference) = &wanted { Some(reference.clone()) } else { None };
            self.asked = wanted;
            effects.push(ask(Question::Open(reference)));
        }
        effects
    }

    fn copied(&self, _shared: &Shared) -> Option<String> {
        if self.shows_worst {
            return Some(self.worst_word()?.word.clone());
        }
        let (shown, split) = (self.shown.as_ref()?, self.split(self.first()?)?);
        let range = match split.word_of(self.cursor) {
            Some(word) => word.range.clone(),
            None => split.spans.get(self.cursor)?.range.clone(),
        };
        shown.text.get(range).map(str::to_owned)
    }

    fn click(&mut self, x: u16, y: u16, _shared: &Shared) -> Vec<Effect> {
        let hit = self.drawn.borrow().hit(x, y);
        match hit {
            Some(view::Hit::Row(place)) => {
                let row = self.open_list().row(place);
                self.open_list().select(row);
                if self.shows_worst {
                    return self.find_word();
                }
                self.touched = true;
                self.show_selected()
            }
            Some(view::Hit::Token(slot, token)) => {
                self.point_at(&slot, token);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn view(&self, area: Rect, buffer: &mut Buffer, shared: &Shared) {
        view::view(self, area, buffer, shared);
    }
}

impl CorpusPane {
    fn open_list(&mut self) -> &mut ListState {
        if self.shows_worst { &mut self.worst } else { &mut self.list }
    }

    /// The tokenizers that are shown, the first first.
    fn shown_slots(&self) -> Vec<&str> {
        let [first, second] = &self.slots;
        let slots = match self.mode {
            Mode::Both => [first, second],
            Mode::First => [first, &None],
            Mode::Second => [second, &None],
        };
        slots.into_iter().flatten().map(String::as_str).collect()
    }

    /// The tokenizer that the cursor, the list and the words belong to.
    fn first(&self) -> Option<&str> {
        self.shown_slots().first().copied()
    }

    /// How a tokenizer splits the passage that is shown.
    fn split(&self, tokenizer: &str) -> Option<&Arc<Split>> {
        let splits = &self.shown.as_ref()?.splits;
        splits.iter().find(|(name, _)| name == tokenizer)?.1.as_ref().ok()
    }

    fn tokenizers(&self) -> Vec<String> {
        self.slots.iter().flatten().cloned().collect()
    }

    /// Asks for a passage; the one on the screen stays until it comes.
    fn show(&mut self, place: Place, arrival: Arrival) -> Vec<Effect> {
        self.wanted = place;
        self.arrival = Some(arrival);
        if self.documents.is_empty() {
            return Vec::new();
        }
        vec![ask(Question::Show { place, tokenizers: self.tokenizers() })]
    }

    /// Shows the first passage of the document under the cursor, unless it is the one shown.
    fn show_selected(&mut self) -> Vec<Effect> {
        match self.list.current() {
            Some(document) if document != self.wanted.document => self.show(Place { document, nth: 0 }, Arrival::First),
            _ => Vec::new(),
        }
    }

    /// Looks for the word under the cursor of the list.
    fn find_word(&mut self) -> Vec<Effect> {
        let Some(word) = self.worst_word().map(|worst| worst.word.clone()) else { return Vec::new() };
        vec![ask(Question::Find { word, after: self.wanted })]
    }

    /// Leaves what is open: the filter, the words, the typed text.
    fn leave(&mut self) -> Vec<Effect> {
        let list = self.open_list();
        if !list.filter.is_empty() {
            list.filter.set("");
            self.order();
            self.order_worst();
        } else if self.shows_worst {
            self.shows_worst = false;
        } else if !self.scratch.is_empty() {
            self.scratch.set("");
            self.scratched = None;
        } else {
            // Read and understood.
            self.problems.retain(|about, _| matches!(about, About::Counting(_)));
        }
        Vec::new()
    }

    fn split_scratch(&mut self) -> Vec<Effect> {
        if self.scratch.is_empty() {
            self.scratched = None;
            return Vec::new();
        }
        vec![ask(Question::Scratch { text: self.scratch.text().to_owned(), tokenizers: self.tokenizers() })]
    }

    /// Both tokenizers, then each alone; the cursor stays at its byte.
    fn next_mode(&mut self) -> Vec<Effect> {
        if self.slots[1].is_none() {
            return vec![Effect::Say("there is one tokenizer only: choose one to stand beside it".to_owned())];
        }
        let byte = self.byte();
        self.mode = match self.mode {
            Mode::Both => Mode::First,
            Mode::First => Mode::Second,
            Mode::Second => Mode::Both,
        };
        self.arrival = Some(Arrival::Byte(byte));
        self.arrive();
        self.order();
        self.order_worst();
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
