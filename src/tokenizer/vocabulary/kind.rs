//! The ways in which a vocabulary writes where words begin.

use tokenizers::{Model as _, ModelWrapper, Tokenizer};

use crate::tokenizer::byte_alphabet::byte_of;

/// `SentencePiece`'s sign for a blank.
pub(super) const BLANK: char = '▁';
/// GPT-2's stand-in for a blank.
pub(super) const BYTE_BLANK: char = 'Ġ';
/// What `WordPiece` puts before a piece that continues a word, where the model does not say otherwise.
const CONTINUES: &str = "##";

/// How the tokens of a vocabulary are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Bytes, in GPT-2's alphabet; the blank before a word belongs to its first token.
    Bytes,
    /// Text; a piece that continues a word has a prefix (`WordPiece`).
    Continued(String),
    /// Text; the blank before a word belongs to its first piece, as `▁` (Unigram, and BPE as `SentencePiece` does it).
    Blanks,
    /// Text, whole words.
    Words,
}

/// A token as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Surface {
    /// The longest stretch of its bytes that is text, without white space around it.
    pub(super) text: String,
    /// Whether it stands at the beginning of a word.
    pub(super) initial: bool,
    /// All its bytes.
    pub(super) bytes: Vec<u8>,
}

impl Kind {
    pub(super) fn of(tokenizer: &Tokenizer) -> Self {
        match tokenizer.get_model() {
            ModelWrapper::WordPiece(model) => Self::Continued(model.continuing_subword_prefix.clone()),
            ModelWrapper::Unigram(_) => Self::Blanks,
            ModelWrapper::WordLevel(_) => Self::Words,
            ModelWrapper::BPE(model) => match &model.continuing_subword_prefix {
                Some(prefix) if !prefix.is_empty() => Self::Continued(prefix.clone()),
                // Every byte has a token there; no other vocabulary has the stand-in of the line feed.
                _ if model.token_to_id("Ċ").is_some() && model.token_to_id("Ġ").is_some() => Self::Bytes,
                _ if model.get_vocab().keys().any(|token| token.starts_with(BLANK)) => Self::Blanks,
                _ => Self::Continued(CONTINUES.to_owned()),
            },
        }
    }

    /// What a token of the vocabulary stands for.
    pub(super) fn surface(&self, token: &str) -> Surface {
        let (initial, bytes) = match self {
            Self::Bytes => {
                let bytes: Vec<u8> = token.chars().filter_map(byte_of).collect();
                (bytes.first().is_some_and(u8::is_ascii_whitespace), bytes)
            }
            Self::Continued(prefix) => match token.strip_prefix(prefix.as_str()) {
                Some(rest) => (false, rest.as_bytes().to_vec()),
                None => (true, token.as_bytes().to_vec()),
            },
            Self::Blanks => (token.starts_with(BLANK), token.replace(BLANK, " ").into_bytes()),
            Self::Words => (true, token.as_bytes().to_vec()),
        };
        let text = longest_text(&bytes).trim().to_owned();
        Surface { text, initial, bytes }
    }
}

/// The longest stretch of bytes that is text.
fn longest_text(bytes: &[u8]) -> &str {
    bytes.utf8_chunks().map(|chunk| chunk.valid()).max_by_key(|text| text.trim().len()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_text() {
        let surface = |kind: &Kind, token: &str| {
            let surface = kind.surface(token);
            (surface.text, surface.initial)
        };
        assert_eq!(surface(&Kind::Bytes, "Ġde"), ("de".to_owned(), true));
        assert_eq!(surface(&Kind::Bytes, "Ð°Ð¼"), ("ам".to_owned(), false));
        assert_eq!(surface(&Kind::Bytes, "ĠÐ°Ð"), ("а".to_owned(), true), "a letter and half of another");
        assert_eq!(surface(&Kind::Bytes, "Ð"), (String::new(), false));
        assert_eq!(Kind::Bytes.surface("ĠÐ").bytes, [b' ', 0xD0]);
        let wordpiece = Kind::Continued("##".to_owned());
        assert_eq!(surface(&wordpiece, "##osi"), ("osi".to_owned(), false));
        assert_eq!(surface(&wordpiece, "therm"), ("therm".to_owned(), true));
        assert_eq!(surface(&Kind::Blanks, "▁the"), ("the".to_owned(), true));
        assert_eq!(surface(&Kind::Blanks, "rm"), ("rm".to_owned(), false));
    }
}
