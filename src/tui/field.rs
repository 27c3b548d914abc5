//! A line being typed: a filter, a query, a form's value, a scratch text.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// What a key did to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// The text changed.
    Changed,
    /// Only the cursor moved, or nothing happened: the key was the field's all the same.
    Moved,
    /// The key is not the field's.
    Not,
}

/// A line of text with a cursor.
#[derive(Debug, Clone, Default)]
pub struct Field {
    input: Input,
}

impl Field {
    /// A field that holds a text, the cursor at its end.
    pub fn with(text: impl Into<String>) -> Self {
        Self { input: Input::new(text.into()) }
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// Replaces the text.
    pub fn set(&mut self, text: impl Into<String>) {
        self.input = Input::new(text.into());
    }

    /// Takes pasted text; line breaks become spaces, other control characters are left out.
    pub fn paste(&mut self, text: &str) {
        for letter in text.chars() {
            let letter = if letter.is_whitespace() { ' ' } else { letter };
            if !letter.is_control() {
                self.input.handle(InputRequest::InsertChar(letter));
            }
        }
    }

    /// Takes a key.
    pub fn key(&mut self, event: &KeyEvent) -> Typed {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        let request = match event.code {
            KeyCode::Char('a') if control => InputRequest::GoToStart,
            KeyCode::Char('e') if control => InputRequest::GoToEnd,
            KeyCode::Char('b') if control => InputRequest::GoToPrevChar,
            KeyCode::Char('f') if control => InputRequest::GoToNextChar,
            KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
            KeyCode::Char('u') if control => InputRequest::DeleteLine,
            KeyCode::Char('k') if control => InputRequest::DeleteTillEnd,
            KeyCode::Char('h') if control => InputRequest::DeletePrevChar,
            KeyCode::Char(_) if control => return Typed::Not,
            KeyCode::Char('b') if alt => InputRequest::GoToPrevWord,
            KeyCode::Char('f') if alt => InputRequest::GoToNextWord,
            KeyCode::Char(_) if alt => return Typed::Not,
            KeyCode::Char(letter) if !letter.is_control() => InputRequest::InsertChar(letter),
            KeyCode::Backspace if alt => InputRequest::DeletePrevWord,
            KeyCode::Backspace => InputRequest::DeletePrevChar,
            KeyCode::Delete => InputRequest::DeleteNextChar,
            KeyCode::Left if control => InputRequest::GoToPrevWord,
            KeyCode::Right if control => InputRequest::GoToNextWord,
            KeyCode::Left => InputRequest::GoToPrevChar,
            KeyCode::Right => InputRequest::GoToNextChar,
            KeyCode::Home => InputRequest::GoToStart,
            KeyCode::End => InputRequest::GoToEnd,
            _ => return Typed::Not,
        };
        match self.input.handle(request) {
            Some(changed) if changed.value => Typed::Changed,
            _ => Typed::Moved,
        }
    }

    /// The part of the text that fits `width` cells, and the cursor's cell in it. The cursor is always in view.
    pub fn window(&self, width: usize) -> (String, usize) {
        if width == 0 {
            return (String::new(), 0);
        }
        let before: String = self.text().chars().take(self.input.cursor()).collect();
        let cursor = before.width();
        // The cursor needs a cell of its own behind the text.
        let skip = (cursor + 1).saturating_sub(width);
        let (mut shown, mut at, mut used) = (String::new(), 0, 0);
        for grapheme in self.text().graphemes(true) {
            let wide = grapheme.width();
            if at >= skip {
                if used + wide > width {
                    break;
                }
                shown.push_str(grapheme);
                used += wide;
            }
            at += wide;
        }
        (shown, cursor.saturating_sub(skip).min(width - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(field: &mut Field, code: KeyCode, modifiers: KeyModifiers) -> Typed {
        field.key(&KeyEvent::new(code, modifiers))
    }

    #[test]
    fn typing_edits_and_leaves_other_keys_alone() {
        let mut field = Field::default();
        for letter in "heat pump".chars() {
            assert_eq!(press(&mut field, KeyCode::Char(letter), KeyModifiers::NONE), Typed::Changed);
        }
        press(&mut field, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(field.text(), "heat ");
        assert_eq!(press(&mut field, KeyCode::Enter, KeyModifiers::NONE), Typed::Not);
        assert_eq!(press(&mut field, KeyCode::Char('z'), KeyModifiers::CONTROL), Typed::Not);
        field.paste("a\tb\nc\u{1b}[31m");
        assert_eq!(field.text(), "heat a b c[31m");
    }

    #[test]
    fn the_cursor_stays_in_view() {
        let field = Field::with("0123456789");
        assert_eq!(field.window(5), ("6789".to_owned(), 4));
        assert_eq!(field.window(20), ("0123456789".to_owned(), 10));
        assert_eq!(Field::with("冷媒冷媒").window(4).1, 3);
        assert_eq!(field.window(0), (String::new(), 0));
    }
}
