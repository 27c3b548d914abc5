//! The names under which people keep queries, positives and negatives, or the passages' documents and words.

use std::path::Path;

use super::super::Error;

pub(super) const QUERY: &[&str] = &["query", "question", "anchor"];
pub(super) const POSITIVE: &[&str] = &["positive", "positives", "passage", "answer_passage", "context", "pos"];
const NEGATIVE: &[&str] = &["negative", "negatives", "neg"];
/// Together they name a passage of the corpus.
pub(super) const DOCUMENT: &str = "document";
pub(super) const QUOTE: &str = "quote";
const ID: &[&str] = &["query_id", "query-id", "qid", "_id", "id"];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    Query,
    Positive,
    Negative,
    /// The document that holds the positive.
    Document,
    /// A few consecutive words of the positive.
    Quote,
    Fold,
    Kind,
    Language,
}

impl Column {
    /// Whether a pair can do without it, so that a stranger's field of that name does no harm.
    pub(super) const fn is_extra(self) -> bool {
        matches!(self, Self::Document | Self::Quote | Self::Fold | Self::Kind | Self::Language)
    }

    /// What a column of this name holds; `None`: nothing that a pair has. `negative_2` and `negative2` are negatives too.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['_', '-', ' ']);
        let whole = name.as_str();
        match () {
            () if QUERY.contains(&whole) => Some(Self::Query),
            () if POSITIVE.contains(&whole) => Some(Self::Positive),
            () if NEGATIVE.contains(&stem) => Some(Self::Negative),
            () if ID.contains(&whole) => Some(Self::Id),
            () if whole == DOCUMENT => Some(Self::Document),
            () if whole == QUOTE => Some(Self::Quote),
            () if whole == "fold" => Some(Self::Fold),
            () if whole == "kind" => Some(Self::Kind),
            () if whole == "language" => Some(Self::Language),
            () => None,
        }
    }
}

/// The error for a file without a column that a pair must have; `None` where both are there.
pub(super) fn missing<'a>(path: &Path, present: impl Iterator<Item = &'a str> + Clone) -> Option<Error> {
    let has = |column| present.clone().any(|name| Column::named(name) == Some(column));
    let (wanted, accepted) = match () {
        () if !has(Column::Query) => ("query", QUERY),
        () if !(has(Column::Positive) || has(Column::Document) && has(Column::Quote)) => ("positive", POSITIVE),
        () => return None,
    };
    let mut names = present.peekable();
    let present = if names.peek().is_none() { "none".to_owned() } else { names.collect::<Vec<_>>().join(", ") };
    Some(Error::UnknownColumns { path: path.to_owned(), wanted, present, accepted: accepted.join(", ") })
}
