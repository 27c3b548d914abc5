//! Tables and JSON: a record becomes lines of `name: value`; a title or term heads it.

use std::io::{BufRead as _, BufReader, Read};

use serde_json::Value;

use super::{BadLine, Sink};
use crate::corpus::Result;
use crate::corpus::blocks::{Block, squeeze};

/// Fields that name a record rather than tell about it, the best first.
const NAMES: &[&str] = &["title", "name", "term", "heading", "code"];
/// Fields that say nothing to a reader.
const KEYS: &[&str] = &["id", "_id", "uuid", "url", "source"];
/// The level of a record's own heading: below any title.
const LEVEL: usize = 2;

pub(super) fn table<R: Read>(reader: R, delimiter: u8, sink: &mut dyn Sink) -> Result<()> {
    let mut table = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(reader);
    let headers: Vec<String> = match table.headers() {
        Ok(headers) => headers.iter().map(squeeze).collect(),
        Err(error) => {
            sink.bad_line(BadLine { line: 1, reason: error.to_string() });
            return Ok(());
        }
    };
    for record in table.records() {
        match record {
            Ok(record) => {
                let unnamed = String::new();
                let name = |at: usize| headers.get(at).unwrap_or(&unnamed).clone();
                let fields = record.iter().enumerate().map(|(at, value)| (name(at), squeeze(value)));
                emit(fields.collect(), sink)?;
            }
            Err(error) => {
                let line = error.position().map_or(0, |position| position.line() as usize);
                sink.bad_line(BadLine { line, reason: error.to_string() });
            }
        }
    }
    Ok(())
}

pub(super) fn json_lines<R: Read>(reader: BufReader<R>, sink: &mut dyn Sink) -> std::io::Result<Result<()>> {
    for (at, line) in reader.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let written = match serde_json::from_str::<Value>(&line) {
            Ok(value) => emit(fields_of(&value), sink),
            Err(error) => {
                sink.bad_line(BadLine { line: at + 1, reason: format!("broken JSON: {error}") });
                Ok(())
            }
        };
        if written.is_err() {
            return Ok(written);
        }
    }
    Ok(Ok(()))
}

pub(super) fn json(text: &str, sink: &mut dyn Sink) -> Result<()> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(records)) => records.iter().try_for_each(|record| emit(fields_of(record), sink)),
        Ok(value) => emit(fields_of(&value), sink),
        Err(error) => {
            sink.bad_line(BadLine { line: error.line(), reason: format!("broken JSON: {error}") });
            Ok(())
        }
    }
}

/// The texts in a value, each with the name of its field.
fn fields_of(value: &Value) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    gather("", value, &mut fields);
    fields
}

fn gather(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => into.push((name.to_owned(), number.to_string())),
        Value::String(text) => into.push((name.to_owned(), squeeze(text))),
        Value::Array(values) => values.iter().for_each(|value| gather(name, value, into)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| gather(name, value, into)),
    }
}

fn emit(fields: Vec<(String, String)>, sink: &mut dyn Sink) -> Result<()> {
    let mut fields: Vec<(String, String)> = fields
        .into_iter()
        .filter(|(name, value)| !value.is_empty() && !KEYS.contains(&name.to_lowercase().as_str()))
        .collect();
    let named = NAMES.iter().find_map(|name| fields.iter().position(|(field, _)| field.to_lowercase() == *name));
    if let Some(at) = named.filter(|_| fields.len() > 1) {
        sink.block(Block::heading(LEVEL, &fields[at].1))?;
        // A term and what it means: a heading and its text. Of more fields than that the record is told whole.
        if fields.len() == 2 {
            fields.remove(at);
        }
    }
    if fields.is_empty() {
        return Ok(());
    }
    // One field is running text; several are told apart by their names.
    if let [(_, text)] = fields.as_slice() {
        return sink.block(Block::Paragraph(text.clone()));
    }
    let line =
        |(name, value): &(String, String)| if name.is_empty() { value.clone() } else { format!("{name}: {value}") };
    sink.block(Block::Lines(fields.iter().map(line).collect::<Vec<_>>().join("\n")))
}
