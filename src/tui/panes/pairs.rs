//! Pane: pairs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Pane;
use crate::tui::keymap::{Action, Context};
use crate::tui::message::Effect;
use crate::tui::shared::Shared;

/// The pane.
#[derive(Debug, Default)]
pub struct PairsPane {}

impl Pane for PairsPane {
    fn context(&self) -> Context {
        Context::Pairs
    }

    fn act(&mut self, _action: Action, _shared: &Shared) -> Vec<Effect> {
        Vec::new()
    }

    fn view(&self, _area: Rect, _buffer: &mut Buffer, _shared: &Shared) {}
}
