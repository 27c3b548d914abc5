//! Pairs in JSON: a record a line, or a file with a list of records.

use std::path::Path;

use serde_json::{Map, Value};

use super::super::{BrokenLine, Error, Result, read_jsonl};
use super::columns::{self, Column};
use super::{Contents, Given, Reading, llama_index};

/// Reads a record a line.
pub(super) fn read_lines(path: &Path) -> Result<Contents> {
    let lines = read_jsonl::<Map<String, Value>>(path)?;
    contents(path, lines.rows, lines.broken)
}

/// Reads a list of records, or `LlamaIndex`'s question-answer set.
pub(super) fn read_whole(path: &Path) -> Result<Contents> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let malformed = |problem: String| Error::Malformed { path: path.to_owned(), problem };
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| malformed(format!("{error}; a file of one record a line must be called .jsonl")))?;
    match value {
        Value::Object(set) if set.contains_key("relevant_docs") => llama_index::read(path, Value::Object(set)),
        Value::Array(items) => {
            let (mut records, mut broken) = (Vec::new(), Vec::new());
            for (at, item) in items.into_iter().enumerate() {
                match item {
                    Value::Object(record) => records.push((at + 1, record)),
                    _ => broken.push(BrokenLine::new(path, at + 1, "an item of the list that is no record")),
                }
            }
            contents(path, records, broken)
        }
        _ => {
            Err(malformed("neither a list of records nor a LlamaIndex set (queries, corpus, relevant_docs)".to_owned()))
        }
    }
}

fn contents(path: &Path, records: Vec<(usize, Map<String, Value>)>, broken: Vec<BrokenLine>) -> Result<Contents> {
    let mut contents = Contents { pairs: Vec::new(), broken };
    let names = |record: &Map<String, Value>| columns::missing(path, record.keys().map(String::as_str));
    let mut unknown = None;
    for (line, record) in records {
        match given(path, line, &record) {
            Ok(given) => contents.pairs.push(given),
            Err(problem) => {
                unknown = unknown.or_else(|| names(&record));
                contents.broken.push(BrokenLine::new(path, line, problem));
            }
        }
    }
    // Not a single pair: the file calls its columns something else.
    match unknown {
        Some(error) if contents.pairs.is_empty() => Err(error),
        _ => Ok(contents),
    }
}

fn given(path: &Path, line: usize, record: &Map<String, Value>) -> Result<Given, String> {
    let mut reading = Reading::default();
    // Rows of lapidary's own hold texts that are no passages beside their ids.
    let texts = record.get("texts").and_then(Value::as_object);
    for (name, value) in record {
        let Some(column) = Column::named(name) else { continue };
        let strings = match strings(name, value) {
            Err(_) if column.is_extra() => continue,
            strings => strings?,
        };
        for text in strings.into_iter().filter(|text| !text.trim().is_empty()) {
            reading.take(column, texts.and_then(|texts| texts.get(text)?.as_str()).unwrap_or(text));
        }
    }
    match reading.end(path, line)? {
        given if given.query.is_empty() => Err(format!("no query ({})", columns::QUERY.join(", "))),
        given if given.positives.is_empty() && given.quoted.is_none() => {
            Err(format!("no positive ({})", columns::POSITIVE.join(", ")))
        }
        given => Ok(given),
    }
}

fn strings<'a>(name: &str, value: &'a Value) -> Result<Vec<&'a str>, String> {
    match value {
        Value::Null | Value::Number(_) => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text]),
        Value::Array(items) => {
            let text = |item: &'a Value| item.as_str().ok_or_else(|| format!("{name:?} has an item that is no text"));
            items.iter().map(text).collect()
        }
        _ => Err(format!("{name:?} is neither a text nor a list of texts")),
    }
}
