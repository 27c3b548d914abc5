//! A base's vocabulary with whole words added: those whose pieces cost the most.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use serde_json::{Value, json};
use tokenizers::{Model as _, Tokenizer};

use super::Source;
use super::kind::Kind;
use super::transfer::{pieces, refused, unknown};
use crate::tokenizer::{Error, Result};

/// Rows that BERT's vocabularies keep free.
const FREE: &str = "[unused";

/// A tokenizer with words added.
#[derive(Debug)]
pub struct Extended {
    /// It.
    pub tokenizer: Tokenizer,
    /// Where each row of its vocabulary comes from: the base's own row for all but the new tokens.
    pub sources: Vec<Source>,
    /// The words that are whole now.
    pub words: usize,
    /// Of the new tokens, those that took a row which the base kept free.
    pub reused: usize,
}

/// The words that cost the most beyond one token each, count x (pieces - 1), the costliest first: what the base's
/// pre-tokenizer calls a word, of letters, seen twice at least, as the base's model writes it.
pub fn costly_words(base: &Tokenizer, texts: &[&str], most: usize) -> Result<Vec<String>> {
    let counts = texts
        .par_iter()
        .map(|text| pieces(base, text))
        .try_fold(HashMap::new, |mut counts: HashMap<String, u64>, words| {
            for word in words? {
                *counts.entry(word).or_default() += 1;
            }
            Ok::<_, Error>(counts)
        })
        .try_reduce(HashMap::new, |mut all, counts| {
            for (word, count) in counts {
                *all.entry(word).or_default() += count;
            }
            Ok(all)
        })?;
    let (kind, unknown) = (Kind::of(base), unknown(base));
    let mut costs = Vec::new();
    for (word, count) in counts {
        let letters = kind.surface(&word).text;
        if count < 2 || !letters.chars().all(char::is_alphabetic) {
            continue;
        }
        let tokens = base.get_model().tokenize(&word).map_err(refused)?;
        if tokens.len() > 1 && tokens.iter().all(|token| Some(token.id) != unknown) {
            costs.push((count * (tokens.len() as u64 - 1), word));
        }
    }
    costs.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    Ok(costs.into_iter().take(most).map(|(_, word)| word).collect())
}

/// Adds words, written as the base's model writes them, so that each is one token wherever it stands. A `WordPiece` vocabulary's
/// free rows are used first; a BPE gets the merges that lead from a word's pieces to the word, after all others; a
/// Unigram word is as likely as the likeliest of its pieces.
pub fn extend(base: &Tokenizer, words: &[String]) -> Result<Extended> {
    let malformed =
        |problem: &str| Error::Library { doing: "adding words to a vocabulary", problem: problem.to_owned() };
    let mut json = serde_json::to_value(base).map_err(|error| malformed(&error.to_string()))?;
    let rows = base.get_vocab_size(true);
    let mut sources: Vec<Source> = (0..rows as u32).map(|id| Source::Base(vec![id])).collect();
    let mut addition =
        Addition { base, json: &mut json["model"], free: Vec::new(), sources: &mut sources, next: rows, reused: 0 };
    let mut added = 0;
    match Kind::of(base) {
        Kind::Continued(_) if addition.json["merges"].is_null() => {
            addition.find_free_rows();
            for word in words {
                let pieces = addition.pieces(word)?;
                added += usize::from(addition.vocabulary(word, pieces).is_some());
            }
        }
        Kind::Bytes | Kind::Blanks if !addition.json["merges"].is_null() => {
            for word in words {
                added += usize::from(addition.merged(word)?);
            }
        }
        Kind::Blanks => {
            for word in words {
                let pieces = addition.pieces(word)?;
                added += usize::from(addition.likely(word, pieces));
            }
        }
        _ => {
            return Err(malformed(
                "only WordPiece, byte-level or SentencePiece BPE, and Unigram vocabularies can be extended",
            ));
        }
    }
    let reused = addition.reused;
    let tokenizer: Tokenizer = serde_json::from_value(json).map_err(|error| malformed(&error.to_string()))?;
    Ok(Extended { tokenizer, sources, words: added, reused })
}

/// A vocabulary while it grows.
struct Addition<'a> {
    base: &'a Tokenizer,
    json: &'a mut Value,
    /// Names and ids of free rows, the next one last.
    free: Vec<(u32, String)>,
    sources: &'a mut Vec<Source>,
    next: usize,
    reused: usize,
}

impl Addition<'_> {
    fn pieces(&self, word: &str) -> Result<Vec<u32>> {
        let tokens = self.base.get_model().tokenize(word).map_err(refused)?;
        Ok(tokens.into_iter().map(|token| token.id).collect())
    }

    fn find_free_rows(&mut self) {
        let special: HashSet<u32> = self.base.get_added_tokens_decoder().into_keys().collect();
        let vocabulary = self.base.get_model().get_vocab();
        self.free = vocabulary
            .into_iter()
            .filter(|(token, id)| token.starts_with(FREE) && token.ends_with(']') && !special.contains(id))
            .map(|(token, id)| (id, token))
            .collect();
        self.free.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
    }

    /// Gives a token a row; none where it has one. Returns its id.
    fn vocabulary(&mut self, token: &str, pieces: Vec<u32>) -> Option<u32> {
        let vocabulary = self.json["vocab"].as_object_mut()?;
        if vocabulary.contains_key(token) {
            return None;
        }
        let id = if let Some((id, name)) = self.free.pop() {
            vocabulary.remove(&name);
            self.reused += 1;
            self.sources[id as usize] = Source::Base(pieces);
            id
        } else {
            self.sources.push(Source::Base(pieces));
            self.next += 1;
            self.next as u32 - 1
        };
        vocabulary.insert(token.to_owned(), json!(id));
        Some(id)
    }

    /// Adds the merges from a word's pieces to the word.
    fn merged(&mut self, word: &str) -> Result<bool> {
        let pieces = self.pieces(word)?;
        let texts: Vec<String> = pieces.iter().filter_map(|id| self.base.id_to_token(*id)).collect();
        if texts.len() < 2 || texts.len() != pieces.len() {
            return Ok(false);
        }
        // Merges are pairs, or in older files two tokens with a blank between.
        let as_pairs = self.json["merges"][0].is_array();
        let mut whole = texts[0].clone();
        for (at, text) in texts.iter().enumerate().skip(1) {
            let merge = if as_pairs { json!([whole, text]) } else { json!(format!("{whole} {text}")) };
            whole.push_str(text);
            self.vocabulary(&whole, pieces[..=at].to_vec());
            if let Some(merges) = self.json["merges"].as_array_mut()
                && !merges.contains(&merge)
            {
                merges.push(merge);
            }
        }
        Ok(whole == word)
    }

    /// Adds a Unigram piece: its logarithmic probability is the greatest of its pieces', which is more than their sum.
    fn likely(&mut self, word: &str, pieces: Vec<u32>) -> bool {
        let Some(vocabulary) = self.json["vocab"].as_array_mut() else { return false };
        let of = |id: &u32| vocabulary.get(*id as usize).and_then(|entry| entry[1].as_f64());
        let best = pieces.iter().filter_map(of).fold(f64::NEG_INFINITY, f64::max);
        // Added tokens that have no place in the model would stand behind it: their ids would move.
        if !best.is_finite() || vocabulary.len() != self.next {
            return false;
        }
        vocabulary.push(json!([word, best]));
        self.sources.push(Source::Base(pieces));
        self.next += 1;
        true
    }
}

#[cfg(test)]
mod tests;
