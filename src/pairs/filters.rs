//! What makes a pair not worth training on, judged row by row.
//!
//! The order and the limits follow what query-synthesis pipelines found to matter: length, copied queries
//! (they make word matching look perfect), poor passages (doc2query--, Gospodinov et al. 2023; `InPars`). What
//! takes several rows to see is in [`super::merge`] and [`super::near`].

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;

/// Why a row was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// Nothing in the query, or nothing in the passage.
    #[serde(rename = "empty")]
    Empty,
    /// Too few words to ask anything.
    #[serde(rename = "short query")]
    ShortQuery,
    /// More words than a query has.
    #[serde(rename = "long query")]
    LongQuery,
    /// The query is the passage, or stands in it word for word.
    #[serde(rename = "copied query")]
    CopiedQuery,
    /// The passage says too little: too short, mostly numbers, a table of contents, boilerplate.
    #[serde(rename = "poor passage")]
    PoorPassage,
    /// The same query with the same passage is there already.
    #[serde(rename = "duplicate")]
    Duplicate,
    /// The query fits too many passages to point at any.
    #[serde(rename = "ambiguous query")]
    AmbiguousQuery,
    /// Passages of the row that belong to another fold than the row.
    #[serde(rename = "other fold")]
    OtherFold,
    /// Another query says the same in nearly the same words.
    #[serde(rename = "near-duplicate query")]
    NearDuplicateQuery,
    /// A person read it and did not want it.
    #[serde(rename = "reviewer")]
    Reviewer,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::ShortQuery => "short query",
            Self::LongQuery => "long query",
            Self::CopiedQuery => "copied query",
            Self::PoorPassage => "poor passage",
            Self::Duplicate => "duplicate",
            Self::AmbiguousQuery => "ambiguous query",
            Self::OtherFold => "other fold",
            Self::NearDuplicateQuery => "near-duplicate query",
            Self::Reviewer => "reviewer",
        })
    }
}

/// Fewest words of a query; a title may do with one less.
const LEAST_QUERY_WORDS: usize = 3;
/// Most words of a query.
const MOST_QUERY_WORDS: usize = 25;
/// Fewest words of a query that can be called copied: shorter ones are terms, which a good passage repeats.
const LEAST_COPIED_WORDS: usize = 6;
/// Fewest words of a passage that can answer something.
const LEAST_PASSAGE_WORDS: usize = 20;
/// Fewest letters among the visible characters of a passage.
const LEAST_LETTER_SHARE: f64 = 0.5;
/// Runs of dots that make a passage a table of contents.
const LEADERS_OF_A_TABLE: usize = 3;
/// A passage is boilerplate from one mark of it in so many words.
const WORDS_PER_BOILERPLATE_MARK: usize = 30;

/// Phrases of notices and banners, lower-cased.
const BOILERPLATE: &[&str] = &[
    "all rights reserved",
    "copyright ©",
    "(c) copyright",
    "cookie policy",
    "use cookies",
    "uses cookies",
    "accept cookies",
    "privacy policy",
    "terms of use",
    "terms of service",
    "licensed under",
    "this file is licensed",
    "without warranty of any kind",
    "enable javascript",
    "subscribe to our newsletter",
    "все права защищены",
    "использует файлы cookie",
    "политика конфиденциальности",
    "alle rechte vorbehalten",
    "tous droits réservés",
    "todos los derechos reservados",
];

/// What kind of query is judged: each kind has its own limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryKind {
    /// A title or a heading.
    Heading,
    /// A sentence of the passage, removed from it or deliberately left.
    Cloze,
    /// What a person wrote: only what cannot be trained on is rejected.
    Own,
}

/// The first reason to reject a query with this passage, if there is one.
pub(super) fn judge(kind: QueryKind, query: &str, passage: &str) -> Option<Reason> {
    let asked = normalised_words(query);
    if asked.is_empty() || passage.trim().is_empty() {
        return Some(Reason::Empty);
    }
    if kind == QueryKind::Own {
        return (asked == normalised_words(passage)).then_some(Reason::CopiedQuery);
    }
    let least = if kind == QueryKind::Heading { LEAST_QUERY_WORDS - 1 } else { LEAST_QUERY_WORDS };
    if asked.len() < least {
        return Some(Reason::ShortQuery);
    }
    if asked.len() > MOST_QUERY_WORDS {
        return Some(Reason::LongQuery);
    }
    if kind == QueryKind::Heading && is_copied(&asked, passage) {
        return Some(Reason::CopiedQuery);
    }
    is_poor(passage).then_some(Reason::PoorPassage)
}

/// Whether a sentence has a query's length.
pub(super) fn has_query_length(sentence: &str) -> bool {
    (LEAST_QUERY_WORDS..=MOST_QUERY_WORDS).contains(&sentence.unicode_words().count())
}

/// Words as they are compared: Unicode words (so that scripts without spaces have some), lower-cased.
pub(super) fn normalised_words(text: &str) -> Vec<String> {
    text.unicode_words().map(str::to_lowercase).collect()
}

/// Whether the whole query, if long enough to be a sentence, is one n-gram of the passage.
fn is_copied(query: &[String], passage: &str) -> bool {
    let passage = normalised_words(passage);
    query == passage || (query.len() >= LEAST_COPIED_WORDS && passage.windows(query.len()).any(|words| words == query))
}

/// Whether a passage says too little to answer anything.
pub(super) fn is_poor(passage: &str) -> bool {
    let words = passage.unicode_words().count();
    words < LEAST_PASSAGE_WORDS
        || is_mostly_symbols(passage)
        || is_table_of_contents(passage)
        || is_boilerplate(passage, words)
}

fn is_mostly_symbols(passage: &str) -> bool {
    let (mut letters, mut visible) = (0_usize, 0_usize);
    for c in passage.chars().filter(|c| !c.is_whitespace()) {
        visible += 1;
        letters += usize::from(c.is_alphabetic());
    }
    (letters as f64) < LEAST_LETTER_SHARE * visible as f64
}

/// Dot leaders, `.....` or `. . . .`, several times.
fn is_table_of_contents(passage: &str) -> bool {
    let (mut leaders, mut dots) = (0, 0);
    for c in passage.chars() {
        match c {
            '.' | '·' => {
                dots += 1;
                leaders += usize::from(dots == 4);
            }
            '…' => {
                leaders += usize::from(dots < 4);
                dots = 4;
            }
            ' ' | '\u{a0}' => {}
            _ => dots = 0,
        }
    }
    leaders >= LEADERS_OF_A_TABLE
}

fn is_boilerplate(passage: &str, words: usize) -> bool {
    let lower = passage.to_lowercase();
    let marks: usize = BOILERPLATE.iter().map(|mark| lower.matches(mark).count()).sum();
    marks * WORDS_PER_BOILERPLATE_MARK >= words
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "The suction pressure falls when the evaporator is covered with ice, because the ice keeps the heat of \
                        the room from the coil; hot gas melts it within a quarter of an hour.";

    #[test]
    fn each_filter_has_its_case() {
        let heading = |query: &str| judge(QueryKind::Heading, query, BODY);
        assert_eq!(heading("Melting ice"), None);
        assert_eq!(heading("Ice"), Some(Reason::ShortQuery));
        assert_eq!(judge(QueryKind::Cloze, "Melting ice", BODY), Some(Reason::ShortQuery));
        assert_eq!(heading(&"word ".repeat(26)), Some(Reason::LongQuery));
        assert_eq!(heading("evaporator is covered with ice, because"), Some(Reason::CopiedQuery));
        assert_eq!(heading("covered with ice"), None, "a term is no copied sentence");
        assert_eq!(heading(" - "), Some(Reason::Empty));
        assert_eq!(judge(QueryKind::Heading, "Melting ice", "Too short."), Some(Reason::PoorPassage));
        assert_eq!(judge(QueryKind::Own, "Ice?", "Too short."), None, "a person's own short answers stay");
        assert_eq!(judge(QueryKind::Own, "too  SHORT", "Too short."), Some(Reason::CopiedQuery));
    }

    #[test]
    fn poor_passages() {
        assert!(!is_poor(BODY));
        assert!(is_poor(&"12.5 -40 °C 7 bar 33 % ".repeat(20)));
        assert!(is_poor(&format!("{BODY} Intro ........ 3 Defrost . . . . . 12 Oil …… 40")));
        assert!(!is_poor(&format!("{BODY} And so on... or not...")));
        assert!(is_poor(
            "This site uses cookies to make it better for you. By going on you accept our privacy policy and the terms of use of this site."
        ));
        assert!(is_poor("短い文"));
        assert!(!is_poor("液体制冷剂在蒸发器中吸收热量并变成气体,压缩机将气体压缩后送入冷凝器放热。"));
    }
}
