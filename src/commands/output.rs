//! What a command prints: a text for people, or one JSON object.

use std::io::Write as _;

use serde_json::Value;

use crate::jobs::Report;

/// How a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Plain,
    /// One JSON object on stdout.
    Json,
}

/// What a command has to say: the same, twice.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// For programs.
    pub(super) json: Value,
    /// For people.
    pub(super) plain: String,
}

impl Answer {
    /// What a job returned.
    pub(super) fn of(report: &Report) -> Self {
        let plain = match report {
            Report::Corpus(report) => report.artifact.clone(),
            Report::Tokenizer(report) => super::tokenizer::plain(report),
            Report::Pairs(report) => super::pairs::plain(report),
            Report::Review(report) => super::pairs::plain_review(report),
            Report::Ladder(report) => super::ladder::plain(report),
            Report::Align(report) => super::align::plain(report),
            Report::Distill(report) => super::distill::plain(report),
            Report::Tune(report) => super::tune::plain(report),
            Report::Evaluate(report) => super::evaluate::plain(report),
            Report::Embed(report) => super::embed::plain(report),
            Report::Export(report) => super::export::plain(report),
        };
        Self { json: report.json(), plain }
    }

    pub(super) fn print(&self, format: Format) {
        let mut out = std::io::stdout().lock();
        // A closed pipe is the reader's choice, not an error.
        let _ = match format {
            Format::Json => writeln!(out, "{}", self.json),
            Format::Plain => writeln!(out, "{}", self.plain.trim_end_matches('\n')),
        };
    }
}
