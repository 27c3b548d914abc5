//! The cursor: a token of the first tokenizer shown. It walks across passages, and keeps its byte where tokenizers change.

use std::sync::Arc;

use super::{CorpusPane, Place};
use crate::tui::keymap::Action;
use crate::tui::message::Effect;
use crate::tui::workers::corpus::{Split, bare};

/// Where the cursor goes once the passage it waits for is split.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Where it is: at this byte.
    Byte(usize),
    /// The first token.
    #[default]
    First,
    /// The last token.
    Last,
    /// The first token of a word.
    Word(String),
}

impl CorpusPane {
    /// One token on; at the ends of a passage into the next.
    pub(super) fn walk(&mut self, forward: bool) -> Vec<Effect> {
        let count = self.first().and_then(|slot| self.split(slot)).map_or(0, |split| split.spans.len());
        if forward && self.cursor + 1 < count {
            self.cursor += 1;
        } else if !forward && self.cursor > 0 {
            self.cursor -= 1;
        } else {
            return self.step_passage(forward, if forward { Arrival::First } else { Arrival::Last });
        }
        Vec::new()
    }

    /// The passage before or behind, in the order of the list where a document ends.
    pub(super) fn step_passage(&mut self, forward: bool, arrival: Arrival) -> Vec<Effect> {
        let Place { document, nth } = self.wanted;
        let count = self.documents.get(document).map_or(0, |document| document.passages);
        if forward && nth + 1 < count {
            return self.show(Place { document, nth: nth + 1 }, arrival);
        }
        if !forward && nth > 0 {
            return self.show(Place { document, nth: nth - 1 }, arrival);
        }
        self.list.select(document);
        self.list.act(if forward { Action::Down } else { Action::Up });
        match self.list.current() {
            Some(next) if next != document => {
                self.touched = true;
                let last = self.documents.get(next).map_or(0, |document| document.passages.saturating_sub(1));
                self.show(Place { document: next, nth: if forward { 0 } else { last } }, arrival)
            }
            _ => Vec::new(),
        }
    }

    /// The first byte under the cursor.
    pub(super) fn byte(&self) -> usize {
        let split = self.first().and_then(|slot| self.split(slot));
        split.and_then(|split| split.spans.get(self.cursor)).map_or(0, |span| span.range.start)
    }

    /// Puts the cursor on a token of one of the tokenizers shown.
    pub(super) fn point_at(&mut self, slot: &str, token: usize) {
        let Some(start) = self.split(slot).and_then(|split| split.spans.get(token)).map(|span| span.range.start) else {
            return;
        };
        if self.first() == Some(slot) {
            self.cursor = token;
        } else {
            self.arrival = Some(Arrival::Byte(start));
            self.arrive();
        }
    }

    /// Puts the cursor where it was to go, once there are tokens to put it on.
    pub(super) fn arrive(&mut self) {
        let Some(split) = self.first().and_then(|slot| self.split(slot)).cloned() else { return };
        let last = split.spans.len().saturating_sub(1);
        let text = self.shown.as_ref().map(|shown| Arc::clone(&shown.text));
        self.cursor = match self.arrival.take() {
            None => self.cursor.min(last),
            Some(Arrival::First) => 0,
            Some(Arrival::Last) => last,
            Some(Arrival::Byte(byte)) => token_at(&split, byte),
            Some(Arrival::Word(wanted)) => {
                let text = text.as_deref().unwrap_or_default();
                let holds = |range: &std::ops::Range<usize>| text.get(range.clone()).map(bare) == Some(&wanted);
                split.words.iter().find(|word| holds(&word.range)).map_or(0, |word| word.spans.start.min(last))
            }
        };
    }
}

/// The token that covers a byte, or the next behind it.
pub(super) fn token_at(split: &Split, byte: usize) -> usize {
    let at = split.spans.partition_point(|span| span.range.end <= byte);
    at.min(split.spans.len().saturating_sub(1))
}
