//! The vocabulary before the first merge: special tokens, then the alphabet of bytes.

use std::collections::BTreeMap;

use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::count::Words;
use super::looks::Looks;
use crate::settings::{InitialAlphabet, TokenizerSettings};
use crate::tokenizer::Result;
use crate::tokenizer::byte_alphabet::byte_of;

/// The tokens that a BERT encoder expects, with the ids 0 to 4.
pub(crate) const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// All special tokens of a training, each once, in the order of their ids.
pub(crate) fn special_tokens(settings: &TokenizerSettings) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let wanted = SPECIAL.iter().map(|&token| token.to_owned()).chain(settings.special_tokens.iter().cloned());
    for token in wanted.filter(|token| !token.is_empty()) {
        if !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    tokens
}

/// Tokens by id, and the ids of the bytes.
#[derive(Debug, Clone)]
pub(super) struct Vocabulary {
    /// Each token's text, at its id.
    pub(super) tokens: Vec<String>,
    /// How many special tokens there are; they come first.
    pub(super) special: usize,
    /// The token of each byte; none: a text loses it.
    pub(super) bytes: [Option<u32>; 256],
}

impl Vocabulary {
    /// Special tokens and all bytes.
    pub(super) fn whole(special: &[String]) -> Self {
        Self::with(special, characters().into_iter())
    }

    /// Special tokens and the bytes that the settings ask for; which these are may depend on the words.
    pub(super) fn of(
        settings: &TokenizerSettings,
        special: &[String],
        words: &Words,
        looks: &mut Looks<'_>,
    ) -> Result<Self> {
        let limit = settings.limit_alphabet.unwrap_or(256);
        if settings.initial_alphabet == InitialAlphabet::Bytes && limit >= 256 {
            return Ok(Self::whole(special));
        }
        let mut counts = [0_u64; 256];
        words.each(|word, count| {
            for byte in word {
                counts[usize::from(*byte)] += count.learned;
            }
            looks.spend(word.len())
        })?;
        let seen = |byte: u8| settings.initial_alphabet == InitialAlphabet::Bytes || counts[usize::from(byte)] > 0;
        let mut kept: Vec<(char, u8)> = characters().into_iter().filter(|(_, byte)| seen(*byte)).collect();
        // As frequent: the one whose character comes first. The library leaves that to chance.
        kept.sort_by_key(|(_, byte)| std::cmp::Reverse(counts[usize::from(*byte)]));
        kept.truncate(limit);
        kept.sort_unstable();
        Ok(Self::with(special, kept.into_iter()))
    }

    fn with(special: &[String], characters: impl Iterator<Item = (char, u8)>) -> Self {
        let mut vocabulary = Self { tokens: special.to_vec(), special: special.len(), bytes: [None; 256] };
        // A special token that is a character of the alphabet is that character, wanted or not.
        for (character, byte) in self::characters() {
            vocabulary.bytes[usize::from(byte)] = vocabulary.special_id(&character.to_string());
        }
        for (character, byte) in characters {
            if vocabulary.bytes[usize::from(byte)].is_none() {
                vocabulary.bytes[usize::from(byte)] = Some(vocabulary.tokens.len() as u32);
                vocabulary.tokens.push(character.to_string());
            }
        }
        vocabulary
    }

    /// The id that a text has as a special token.
    pub(super) fn special_id(&self, text: &str) -> Option<u32> {
        self.tokens[..self.special].iter().position(|token| token == text).map(|at| at as u32)
    }
}

/// The stand-ins of all bytes, in the order of their codes: the order of their ids.
fn characters() -> BTreeMap<char, u8> {
    ByteLevel::alphabet().into_iter().filter_map(|c| Some((c, byte_of(c)?))).collect()
}
