//! Texts to terms, for ranking by words.

use rust_stemmers::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation as _;
use whatlang::Lang;

use super::{Error, Result};
use crate::corpus;

/// Texts from which the language is told.
const SAMPLE: usize = 50;

/// The stemmers, by the name of their language.
const STEMMERS: &[(&str, Lang, Algorithm)] = &[
    ("arabic", Lang::Ara, Algorithm::Arabic),
    ("danish", Lang::Dan, Algorithm::Danish),
    ("dutch", Lang::Nld, Algorithm::Dutch),
    ("english", Lang::Eng, Algorithm::English),
    ("finnish", Lang::Fin, Algorithm::Finnish),
    ("french", Lang::Fra, Algorithm::French),
    ("german", Lang::Deu, Algorithm::German),
    ("greek", Lang::Ell, Algorithm::Greek),
    ("hungarian", Lang::Hun, Algorithm::Hungarian),
    ("italian", Lang::Ita, Algorithm::Italian),
    ("norwegian", Lang::Nob, Algorithm::Norwegian),
    ("portuguese", Lang::Por, Algorithm::Portuguese),
    ("romanian", Lang::Ron, Algorithm::Romanian),
    ("russian", Lang::Rus, Algorithm::Russian),
    ("spanish", Lang::Spa, Algorithm::Spanish),
    ("swedish", Lang::Swe, Algorithm::Swedish),
    ("tamil", Lang::Tam, Algorithm::Tamil),
    ("turkish", Lang::Tur, Algorithm::Turkish),
];

/// Lower-cased words, stemmed by Snowball's rules for a language or as they are.
pub struct Analyzer {
    name: &'static str,
    stemmer: Option<Stemmer>,
}

impl Analyzer {
    /// Words as they are.
    pub const fn plain() -> Self {
        Self { name: "plain", stemmer: None }
    }

    /// Stems of a language; words as they are, where there is no stemmer for it.
    pub fn for_language(language: Lang) -> Self {
        let found = STEMMERS.iter().find(|(_, of, _)| *of == language);
        found.map_or_else(Self::plain, |(name, _, algorithm)| Self { name, stemmer: Some(Stemmer::create(*algorithm)) })
    }

    /// The analyzer that a setting names: a language, or `none`.
    pub fn from_setting(wanted: &str) -> Result<Self> {
        if wanted == "none" {
            return Ok(Self::plain());
        }
        let found = STEMMERS.iter().find(|(name, ..)| *name == wanted.to_lowercase());
        found.map(|(name, _, algorithm)| Self { name, stemmer: Some(Stemmer::create(*algorithm)) }).ok_or_else(|| {
            Error::UnknownStemmer {
                wanted: wanted.to_owned(),
                known: STEMMERS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", "),
            }
        })
    }

    /// The analyzer that a setting names, or where there is none, that the language of the texts calls for: a sample of
    /// them tells.
    pub fn choose(wanted: Option<&str>, texts: &[&str]) -> Result<Self> {
        if let Some(wanted) = wanted {
            return Self::from_setting(wanted);
        }
        let step = (texts.len() / SAMPLE).max(1);
        let sample = texts.iter().step_by(step).copied().collect::<Vec<_>>().join("\n");
        Ok(corpus::language_of(&sample).map_or_else(Self::plain, Self::for_language))
    }

    /// The language of the stemmer, or `plain`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The terms of a text, in order.
    pub fn terms(&self, text: &str) -> Vec<String> {
        let words = text.unicode_words().map(str::to_lowercase);
        match &self.stemmer {
            Some(stemmer) => words.map(|word| stemmer.stem(&word).into_owned()).collect(),
            None => words.collect(),
        }
    }
}
