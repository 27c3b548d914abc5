//! Whether a base knows the languages of the corpus: by what its tokenizer makes of them, without loading its weights.

use std::collections::BTreeMap;

use serde::Serialize;
use whatlang::Lang;

use super::{Error, Result};
use crate::corpus::{self, Corpus};
use crate::encoder::reference;
use crate::tokenizer;
use crate::workspace::{Kind, Workspace};

/// Passages that are looked at, spread over the corpus.
const SAMPLE: usize = 400;
/// A language of fewer of the passages is a quotation or a mistake of the detector's.
const LEAST_SHARE: f64 = 0.05;
/// Tokens per word from which a tokenizer spells a language letter by letter: nobody trained it on that.
const SPELT: f64 = 3.5;
/// Share of unknown tokens from which a tokenizer cannot read a language.
const UNREAD: f64 = 0.05;

/// What a base makes of one language of the corpus.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LanguageFit {
    /// The language, in English.
    pub language: String,
    /// Its ISO 639-3 code.
    pub code: String,
    /// Share of the passages.
    pub share: f64,
    /// Tokens per word; of a script that puts no spaces between words, per character.
    pub ratio: f64,
    /// Whether it puts spaces between words.
    pub spaced: bool,
    /// Share of tokens that stand for something unknown.
    pub unknown: f64,
}

impl LanguageFit {
    /// Whether the base can have learnt the language.
    pub fn is_known(&self) -> bool {
        (self.ratio < SPELT || !self.spaced) && self.unknown < UNREAD
    }
}

#[derive(Default)]
struct Counts {
    passages: usize,
    words: usize,
    tokens: usize,
    unknown: usize,
}

/// The languages of the newest corpus, the most frequent first, and what the tokenizer of `base` makes of each.
pub fn fit(workspace: &Workspace, base: &str) -> Result<Vec<LanguageFit>> {
    let tokenizer = tokenizer::load(&reference::model(workspace, base)?.path)?;
    let unknown: Option<u32> = ["[UNK]", "<unk>"].iter().find_map(|token| tokenizer.token_to_id(token));
    let corpus = Corpus::open(&workspace.newest(Kind::Corpus)?.path)?;
    let total: usize = corpus.documents()?.iter().map(|document| document.passages).sum();
    let mut counts: BTreeMap<&str, (Lang, Counts)> = BTreeMap::new();
    let mut looked_at = 0;
    for passage in corpus.passages()?.step_by(total.div_ceil(SAMPLE).max(1)) {
        let text = passage?.text;
        let Some(language) = corpus::language_of(&text) else { continue };
        let encoded = tokenizer.encode_fast(text.as_str(), false);
        let encoded = encoded.map_err(|error| Error::refused(format!("tokenizing: {error}")))?;
        let ids = encoded.get_ids();
        let (_, count) = counts.entry(language.code()).or_insert((language, Counts::default()));
        looked_at += 1;
        count.passages += 1;
        count.words += if is_spaced(language) { corpus::words(&text) } else { text.chars().count() };
        count.tokens += ids.len();
        count.unknown += ids.iter().filter(|id| Some(**id) == unknown).count();
    }
    let share = |of: usize, total: usize| of as f64 / total.max(1) as f64;
    let mut fits: Vec<LanguageFit> = counts
        .into_iter()
        .map(|(code, (language, count))| LanguageFit {
            language: language.eng_name().to_owned(),
            code: code.to_owned(),
            share: share(count.passages, looked_at),
            ratio: share(count.tokens, count.words),
            spaced: is_spaced(language),
            unknown: share(count.unknown, count.tokens),
        })
        .filter(|fit| fit.share >= LEAST_SHARE)
        .collect();
    fits.sort_by(|a, b| b.share.total_cmp(&a.share));
    Ok(fits)
}

/// Whether a language puts spaces between its words.
const fn is_spaced(language: Lang) -> bool {
    !matches!(language, Lang::Cmn | Lang::Jpn | Lang::Tha | Lang::Mya | Lang::Khm)
}
