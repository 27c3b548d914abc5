//! A list's state: what is shown, in which order, where the cursor is. Drawing belongs to the panes.

use std::cell::Cell;
use std::cmp::Ordering;
use std::ops::Range;

use super::field::Field;
use super::keymap::Action;

/// The rows of a list that pass its filter, in its order, and the cursor among them.
#[derive(Debug, Clone, Default)]
pub struct ListState {
    /// What is typed after `/`.
    pub filter: Field,
    /// Whether it is being typed.
    pub filtering: bool,
    /// Which of the pane's orders.
    pub sort: usize,
    visible: Vec<u32>,
    selected: usize,
    offset: Cell<usize>,
    page: Cell<usize>,
}

impl ListState {
    /// Chooses and orders the rows anew. The cursor stays on its row where that is still shown.
    pub fn rebuild(&mut self, count: usize, keep: impl Fn(usize) -> bool, order: impl Fn(usize, usize) -> Ordering) {
        let current = self.current();
        self.visible.clear();
        self.visible.extend((0..count).filter(|row| keep(*row)).map(|row| row as u32));
        // Stable: equals stay in the order of the data.
        self.visible.sort_by(|a, b| order(*a as usize, *b as usize));
        let found = current.and_then(|row| self.visible.iter().position(|shown| *shown as usize == row));
        self.selected = found.unwrap_or(self.selected).min(self.visible.len().saturating_sub(1));
    }

    /// Whether a text passes the filter: every word of it stands in the text, whatever the case.
    pub fn passes(&self, text: &str) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let text = text.to_lowercase();
        self.filter.text().to_lowercase().split_whitespace().all(|word| text.contains(word))
    }

    /// The filter while it is typed.
    pub fn typing(&mut self) -> Option<&mut Field> {
        self.filtering.then_some(&mut self.filter)
    }

    /// Typing the filter ended; one that was given up is emptied. Says whether the rows must be chosen anew.
    pub fn done_typing(&mut self, kept: bool) -> bool {
        let ended = std::mem::take(&mut self.filtering);
        if ended && !kept {
            self.filter.set("");
        }
        ended && !kept
    }

    /// The row under the cursor, by its place in the data.
    pub fn current(&self) -> Option<usize> {
        self.visible.get(self.selected).map(|row| *row as usize)
    }

    /// Puts the cursor on a row of the data, if it is shown.
    pub fn select(&mut self, row: usize) {
        if let Some(at) = self.visible.iter().position(|shown| *shown as usize == row) {
            self.selected = at;
        }
    }

    /// Where the cursor is among the rows shown.
    pub fn position(&self) -> usize {
        self.selected
    }

    /// How many rows are shown.
    pub fn len(&self) -> usize {
        self.visible.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.visible.is_empty()
    }

    /// Moves the cursor. Says whether the action was one of a list's.
    pub fn act(&mut self, action: Action) -> bool {
        let page = self.page.get().max(1);
        let last = self.visible.len().saturating_sub(1);
        self.selected = match action {
            Action::Up => self.selected.saturating_sub(1),
            Action::Down => (self.selected + 1).min(last),
            Action::PageUp => self.selected.saturating_sub(page),
            Action::PageDown => (self.selected + page).min(last),
            Action::First => 0,
            Action::Last => last,
            _ => return false,
        };
        true
    }

    /// The places of the rows that fit `height` lines, scrolled as little as keeps the cursor in view.
    pub fn window(&self, height: usize) -> Range<usize> {
        self.page.set(height.saturating_sub(1));
        let mut offset = self.offset.get().min(self.visible.len().saturating_sub(height));
        if self.selected < offset {
            offset = self.selected;
        } else if height > 0 && self.selected >= offset + height {
            offset = self.selected + 1 - height;
        }
        self.offset.set(offset);
        offset..(offset + height).min(self.visible.len())
    }

    /// The row of the data at a place among those shown.
    pub fn row(&self, place: usize) -> usize {
        self.visible.get(place).map_or(0, |row| *row as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(count: usize) -> ListState {
        let mut list = ListState::default();
        list.rebuild(count, |_| true, |a, b| a.cmp(&b));
        list
    }

    #[test]
    fn the_cursor_keeps_its_row_when_the_order_changes() {
        let mut list = list(10);
        list.select(3);
        list.rebuild(10, |_| true, |a, b| b.cmp(&a));
        assert_eq!((list.current(), list.position()), (Some(3), 6));
        list.rebuild(10, |row| row > 5, |a, b| a.cmp(&b));
        assert_eq!(list.current(), Some(9), "its row is gone: it stays as near as it can");
        list.rebuild(0, |_| true, |a, b| a.cmp(&b));
        assert_eq!(list.current(), None);
    }

    #[test]
    fn the_window_follows_the_cursor() {
        let mut list = list(100);
        assert_eq!(list.window(10), 0..10);
        list.act(Action::PageDown);
        list.act(Action::Down);
        assert_eq!((list.position(), list.window(10)), (10, 1..11));
        list.act(Action::Last);
        assert_eq!(list.window(10), 90..100);
        list.act(Action::First);
        assert_eq!(list.window(10), 0..10);
        assert_eq!(list.window(0), 0..0);
    }

    #[test]
    fn a_filter_that_is_given_up_is_emptied() {
        let mut list = list(3);
        assert!(list.typing().is_none() && !list.done_typing(false), "nothing was being typed");
        for (kept, text) in [(true, "valve"), (false, "")] {
            list.filtering = true;
            list.typing().unwrap().set("valve");
            assert_eq!(list.done_typing(kept), !kept);
            assert_eq!((list.filter.text(), list.filtering), (text, false));
        }
    }

    #[test]
    fn the_filter_wants_every_word() {
        let mut list = list(3);
        list.filter.set("VALVE manual");
        assert!(list.passes("manuals/Valves.md") && !list.passes("manuals/pump.md"));
    }
}
