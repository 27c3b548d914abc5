//! Passages named by their document and a few of their words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::BrokenLine;
use super::Given;
use super::columns::{Column, DOCUMENT, QUOTE};
use crate::corpus::{Document, Fold, Passage, remedy_for_unknown_document};

/// A passage as a line names it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Quoted {
    file: PathBuf,
    line: usize,
    /// The document's path, as the corpus shows it.
    pub(super) document: String,
    quote: String,
}

impl Quoted {
    /// The line as one that is broken.
    pub(super) fn broken(&self, problem: String) -> BrokenLine {
        BrokenLine::new(&self.file, self.line, problem)
    }
}

/// A line while its columns are read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    given: Given,
    document: String,
    quote: String,
    fold: String,
}

impl Reading {
    /// Takes what stands in a column; of a column that can hold one thing only, the first.
    pub(super) fn take(&mut self, column: Column, text: &str) {
        let trimmed = text.trim();
        let Self { given, document, quote, fold } = self;
        let first = |into: &mut String| {
            if into.is_empty() {
                trimmed.clone_into(into);
            }
        };
        match column {
            Column::Id => first(given.id.get_or_insert_default()),
            Column::Query => first(&mut given.query),
            Column::Positive => given.positives.push(text.to_owned()),
            Column::Negative => given.negatives.push(text.to_owned()),
            Column::Document => first(document),
            Column::Quote => first(quote),
            Column::Fold => first(fold),
            Column::Kind => first(given.kind.get_or_insert_default()),
            Column::Language => first(given.language.get_or_insert_default()),
        }
    }

    /// What the line says. Where it brings the positive itself, a quote is not looked for.
    pub(super) fn end(self, file: &Path, line: usize) -> Result<Given, String> {
        let Self { mut given, document, quote, fold } = self;
        if !given.positives.is_empty() {
            return Ok(given);
        }
        if quote.is_empty() || document.is_empty() {
            return match (quote.is_empty(), document.is_empty()) {
                (true, true) => Ok(given),
                (true, false) => Err(format!("no {QUOTE}: a few consecutive words of the passage that answers")),
                _ => Err(format!("no {DOCUMENT}: the path of the file that holds the quote")),
            };
        }
        given.fold = Fold::named(&fold);
        if given.fold.is_none() && !fold.is_empty() {
            return Err(format!("fold {fold:?}: must be train, dev or test"));
        }
        given.quoted = Some(Quoted { file: file.to_owned(), line, document, quote });
        Ok(given)
    }
}

/// The documents that lines name, with the texts of their passages.
#[derive(Debug, Default)]
pub(super) struct Quotable {
    /// Every path of the corpus with its documents' ids: folders may hold files of the same name.
    paths: BTreeMap<String, Vec<String>>,
    /// Id and text of each passage, white space made single spaces, by document id.
    passages: BTreeMap<String, Vec<(String, String)>>,
}

impl Quotable {
    /// Ready to take the passages of the `wanted` documents.
    pub(super) fn new(documents: &[Document], wanted: &BTreeSet<&str>) -> Self {
        let mut quotable = Self::default();
        for document in documents {
            quotable.paths.entry(document.path.clone()).or_default().push(document.id.clone());
            if wanted.contains(document.path.as_str()) {
                quotable.passages.insert(document.id.clone(), Vec::new());
            }
        }
        quotable
    }

    /// Keeps a passage that may be quoted.
    pub(super) fn add(&mut self, passage: &Passage) {
        if let Some(passages) = self.passages.get_mut(&passage.document) {
            passages.push((passage.id.clone(), squeezed(&passage.text)));
        }
    }

    /// The id of the one passage that holds the quote; else what is wrong, and the remedy.
    pub(super) fn find(&self, quoted: &Quoted) -> Result<&str, String> {
        let Quoted { document, quote, .. } = quoted;
        let Some(ids) = self.paths.get(document) else {
            let remedy = remedy_for_unknown_document(document, self.paths.keys().map(String::as_str));
            return Err(format!("document {document:?} is not in the corpus: {remedy}"));
        };
        let quote = squeezed(quote);
        let of_document = || ids.iter().filter_map(|id| self.passages.get(id));
        let mut found = of_document().flatten().filter(|(_, text)| text.contains(&quote));
        match (found.next(), found.next()) {
            (Some((id, _)), None) => Ok(id),
            (Some(_), Some(_)) => Err(format!(
                "{quote:?} stands in several passages of {document}: quote words that only one of them has"
            )),
            (None, _) => {
                let over_an_end = of_document().any(|passages| {
                    let texts: Vec<&str> = passages.iter().map(|(_, text)| text.as_str()).collect();
                    texts.join(" ").contains(&quote)
                });
                Err(if over_an_end {
                    format!(
                        "{quote:?} begins in one passage of {document} and ends in the next: quote words of one of them"
                    )
                } else {
                    format!(
                        "{quote:?} is in no passage of {document}: quote a few consecutive words of its text, not of a heading"
                    )
                })
            }
        }
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
