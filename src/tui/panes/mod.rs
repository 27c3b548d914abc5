//! The six panes. Each answers one question, which its title line asks.

mod compare;
mod corpus;
mod pairs;
mod runs;
mod tokenizer;
mod tuning;

pub use compare::ComparePane;
pub use corpus::CorpusPane;
pub use pairs::PairsPane;
pub use runs::RunsPane;
pub use tokenizer::TokenizerPane;
pub use tuning::TuningPane;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::field::Field;
use super::keymap::{Action, Context};
use super::message::Effect;
use super::overlay::Purpose;
use super::shared::Shared;
use super::workers::Answer;

/// A pane: state that knows no terminal, and a way to draw it.
pub trait Pane {
    /// Where its keys are bound.
    fn context(&self) -> Context;

    /// Whether the footer may offer an action now: what has a key everywhere in the pane may do nothing at the moment.
    fn offers(&self, _action: Action, _shared: &Shared) -> bool {
        true
    }

    /// What the user should press first, for the first screen; empty: nothing in particular.
    fn hint(&self, _shared: &Shared) -> Option<String> {
        None
    }

    /// Does what a key says.
    fn act(&mut self, action: Action, shared: &Shared) -> Vec<Effect>;

    /// The field being typed into, if any: keys go there first.
    fn typing(&mut self) -> Option<&mut Field> {
        None
    }

    /// The field's text changed.
    fn typed(&mut self, _shared: &Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// Typing ended: with Enter (kept) or Esc.
    fn done_typing(&mut self, _kept: bool, _shared: &Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// Keys that move a list while its filter or query is typed (up, down, page keys).
    fn act_while_typing(&mut self, action: Action, shared: &Shared) -> Vec<Effect> {
        self.act(action, shared)
    }

    /// A worker answered.
    fn answer(&mut self, _answer: Answer, _shared: &Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// Something was chosen that this pane asked for.
    fn chosen(&mut self, _purpose: Purpose, _values: &[String], _shared: &Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// Runs, artifacts or the workspace changed, or the pane was opened.
    fn refresh(&mut self, _shared: &Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// It came into view: what is costly to load need not be loaded before.
    fn opened(&mut self, shared: &Shared) -> Vec<Effect> {
        self.refresh(shared)
    }

    /// The runs whose events it shows.
    fn watching(&self, _shared: &Shared) -> Vec<String> {
        Vec::new()
    }

    /// Shows a run from now on, one of this pane's jobs.
    fn attach(&mut self, _run: &str, _shared: &Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// What `y` copies.
    fn copied(&self, _shared: &Shared) -> Option<String> {
        None
    }

    /// A click at a cell of its area.
    fn click(&mut self, _x: u16, _y: u16, _shared: &Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// Draws it.
    fn view(&self, area: Rect, buffer: &mut Buffer, shared: &Shared);
}
