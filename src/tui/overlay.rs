//! What lies over a pane: help, a text, a choice, a form.

use std::cell::Cell;

use super::form::Form;
use super::keymap::Action;

/// What lies over a pane.
#[derive(Debug)]
pub enum Overlay {
    /// The keys.
    Help(Scroll),
    /// A text to read: a log, a lineage, a difference.
    Text {
        /// Its title.
        title: String,
        /// Its lines.
        lines: Vec<String>,
        /// Where it is scrolled to.
        scroll: Scroll,
    },
    /// One of several things, or some of them.
    Choice(Choice),
    /// A form that starts a job.
    Form(Box<Form>),
}

/// Where a text is scrolled to.
#[derive(Debug, Clone, Default)]
pub struct Scroll {
    /// The first line in view.
    pub top: Cell<usize>,
    /// The lines that fit, as last drawn.
    pub page: Cell<usize>,
    /// The lines there are, as last drawn.
    pub lines: Cell<usize>,
}

impl Scroll {
    /// A text shown from its end.
    pub fn at_end() -> Self {
        Self { top: Cell::new(usize::MAX), ..Self::default() }
    }

    /// Scrolls. Says whether the action was one of scrolling.
    pub fn act(&self, action: Action) -> bool {
        let last = self.lines.get().saturating_sub(self.page.get());
        let page = self.page.get().saturating_sub(1).max(1);
        let top = self.top.get().min(last);
        self.top.set(match action {
            Action::Up => top.saturating_sub(1),
            Action::Down => (top + 1).min(last),
            Action::PageUp => top.saturating_sub(page),
            Action::PageDown => (top + page).min(last),
            Action::First => 0,
            Action::Last => last,
            _ => return false,
        });
        true
    }

    /// The first line to draw of `lines`, where `page` fit.
    pub fn place(&self, lines: usize, page: usize) -> usize {
        self.lines.set(lines);
        self.page.set(page);
        let top = self.top.get().min(lines.saturating_sub(page));
        self.top.set(top);
        top
    }
}

/// What a choice is for: the pane that opened it gets the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Which tokenizer stands beside the base's.
    Tokenizer,
    /// Which models are compared.
    Models,
    /// Which set of pairs is shown.
    Pairs,
    /// Which job is started.
    Job,
    /// Which run is laid over the open one.
    Overlay,
}

/// One of several things, or some of them.
#[derive(Debug)]
pub struct Choice {
    /// What it is for.
    pub purpose: Purpose,
    /// Its title: what is asked.
    pub title: String,
    /// What can be chosen: a value and what is shown for it.
    pub rows: Vec<(String, String)>,
    /// Which are marked; empty where only one can be chosen.
    pub marked: Vec<bool>,
    /// Where the cursor is.
    pub selected: usize,
    /// Where it is scrolled to.
    pub scroll: Scroll,
}

impl Choice {
    /// One of several.
    pub fn one(purpose: Purpose, title: impl Into<String>, rows: Vec<(String, String)>) -> Self {
        Self { purpose, title: title.into(), rows, marked: Vec::new(), selected: 0, scroll: Scroll::default() }
    }

    /// Some of several: space marks, Enter takes.
    pub fn some(purpose: Purpose, title: impl Into<String>, rows: Vec<(String, String)>, marked: Vec<bool>) -> Self {
        Self { marked, ..Self::one(purpose, title, rows) }
    }

    /// What was chosen.
    pub fn chosen(&self) -> Vec<String> {
        if self.marked.is_empty() {
            return self.rows.get(self.selected).map(|(value, _)| value.clone()).into_iter().collect();
        }
        self.rows.iter().zip(&self.marked).filter(|(_, marked)| **marked).map(|((value, _), _)| value.clone()).collect()
    }

    /// Moves the cursor.
    pub fn act(&mut self, action: Action) {
        let last = self.rows.len().saturating_sub(1);
        self.selected = match action {
            Action::Up => self.selected.saturating_sub(1),
            Action::Down => (self.selected + 1).min(last),
            Action::First => 0,
            Action::Last => last,
            _ => self.selected,
        };
    }

    /// Marks the row under the cursor, or takes its mark.
    pub fn mark(&mut self) {
        if let Some(marked) = self.marked.get_mut(self.selected) {
            *marked = !*marked;
        }
    }
}
