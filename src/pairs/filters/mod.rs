//! What makes a pair not worth training on, judged row by row.
//!
//! The order and the limits follow what query-synthesis pipelines found to matter: length, copied queries
//! (they make word matching look perfect), poor passages (doc2query--, Gospodinov et al. 2023; `InPars`). What
//! takes several rows to see is in [`super::merge`] and [`super::near`].

mod deictic;
mod language;
mod passage;
mod question;

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;
use whatlang::Lang;

use super::synthesis::QuestionKind;
pub(super) use passage::is_poor;

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
    /// The query speaks of the text that answers it, which whoever asks has not seen.
    #[serde(rename = "refers to the text")]
    Deictic,
    /// The query is in another language than the one wanted.
    #[serde(rename = "wrong language")]
    WrongLanguage,
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
    /// The query finds other passages before its own.
    #[serde(rename = "round trip")]
    RoundTrip,
    /// A language model that judged the query with its passage gave it too low a score.
    #[serde(rename = "judged low")]
    LowJudgement,
    /// The language model asked nothing of the passage that could be read.
    #[serde(rename = "no answer")]
    NoAnswer,
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
            Self::Deictic => "refers to the text",
            Self::WrongLanguage => "wrong language",
            Self::PoorPassage => "poor passage",
            Self::Duplicate => "duplicate",
            Self::AmbiguousQuery => "ambiguous query",
            Self::OtherFold => "other fold",
            Self::NearDuplicateQuery => "near-duplicate query",
            Self::RoundTrip => "round trip",
            Self::LowJudgement => "judged low",
            Self::NoAnswer => "no answer",
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
/// What kind of query is judged: each kind has its own limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryKind {
    /// A title or a heading.
    Heading,
    /// A sentence of the passage, removed from it or deliberately left.
    Cloze,
    /// What a language model wrote.
    Synthesized {
        /// As what it was asked for.
        kind: QuestionKind,
        /// The language it was to write in where that was chosen; none: the passage's own.
        language: Option<Lang>,
    },
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
    if let QueryKind::Synthesized { kind, language } = kind {
        return question::judge(kind, query, &asked, passage, language);
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
    fn a_reason_is_kept_as_it_is_shown() {
        for (reason, name) in [
            (Reason::Deictic, "refers to the text"),
            (Reason::WrongLanguage, "wrong language"),
            (Reason::RoundTrip, "round trip"),
            (Reason::LowJudgement, "judged low"),
            (Reason::NoAnswer, "no answer"),
            (Reason::NearDuplicateQuery, "near-duplicate query"),
        ] {
            assert_eq!((reason.to_string(), serde_json::to_value(reason).unwrap()), (name.to_owned(), name.into()));
        }
    }
}
