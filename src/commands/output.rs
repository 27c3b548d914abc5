//! What a command prints: a text for people, or one JSON object.

use std::io::Write as _;

use serde_json::Value;

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
    pub(super) fn print(&self, format: Format) {
        let mut out = std::io::stdout().lock();
        // A closed pipe is the reader's choice, not an error.
        let _ = match format {
            Format::Json => writeln!(out, "{}", self.json),
            Format::Plain => writeln!(out, "{}", self.plain.trim_end_matches('\n')),
        };
    }
}
