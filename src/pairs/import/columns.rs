//! The names under which people keep queries, positives and negatives.

use std::path::Path;

use super::super::Error;

pub(super) const QUERY: &[&str] = &["query", "question", "anchor"];
pub(super) const POSITIVE: &[&str] = &["positive", "positives", "passage", "answer_passage", "context", "pos"];
const NEGATIVE: &[&str] = &["negative", "negatives", "neg"];
const ID: &[&str] = &["query_id", "query-id", "qid", "_id", "id"];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    Query,
    Positive,
    Negative,
}

impl Column {
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
            () => None,
        }
    }
}

/// The error for a file without a column that a pair must have; `None` where both are there.
pub(super) fn missing<'a>(path: &Path, present: impl Iterator<Item = &'a str> + Clone) -> Option<Error> {
    let has = |column| present.clone().any(|name| Column::named(name) == Some(column));
    let (wanted, accepted) = match () {
        () if !has(Column::Query) => ("query", QUERY),
        () if !has(Column::Positive) => ("positive", POSITIVE),
        () => return None,
    };
    let mut names = present.peekable();
    let present = if names.peek().is_none() { "none".to_owned() } else { names.collect::<Vec<_>>().join(", ") };
    Some(Error::UnknownColumns { path: path.to_owned(), wanted, present, accepted: accepted.join(", ") })
}
