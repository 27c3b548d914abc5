//! Pairs in CSV and TSV tables.

use std::path::Path;

use super::super::{BrokenLine, Error, Result};
use super::columns::{self, Column};
use super::{Contents, Given, Reading};

/// Reads a table with a header. Without a delimiter, the one of comma, semicolon and tab that the header has most of:
/// spreadsheets write semicolons where the comma is the decimal point.
pub(super) fn read(path: &Path, delimiter: Option<u8>) -> Result<Contents> {
    let text = decoded(path)?;
    let header = text.lines().next().unwrap_or_default();
    let guessed = b",;\t".iter().copied().max_by_key(|d| (header.bytes().filter(|b| b == d).count(), *d == b','));
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter.or(guessed).unwrap_or(b',')).from_reader(text.as_bytes());
    let malformed = |error: csv::Error| Error::Malformed { path: path.to_owned(), problem: error.to_string() };
    let header = reader.headers().map_err(malformed)?.clone();
    if let Some(missing) = columns::missing(path, header.iter()) {
        return Err(missing);
    }
    let columns: Vec<Option<Column>> = header.iter().map(Column::named).collect();
    let mut contents = Contents::default();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line) as usize;
                match given(path, line, &record, &columns) {
                    Ok(given) => contents.pairs.push(given),
                    Err(problem) => contents.broken.push(BrokenLine::new(path, line, problem)),
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line) as usize;
                contents.broken.push(BrokenLine::new(path, line, problem_of(&error)));
            }
        }
    }
    Ok(contents)
}

fn given(path: &Path, line: usize, record: &csv::StringRecord, columns: &[Option<Column>]) -> Result<Given, String> {
    let mut reading = Reading::default();
    for (cell, column) in record.iter().zip(columns).filter(|(cell, _)| !cell.trim().is_empty()) {
        if let Some(column) = column {
            reading.take(*column, cell);
        }
    }
    match reading.end(path, line)? {
        given if given.query.is_empty() => Err("no query".to_owned()),
        given if given.positives.is_empty() && given.quoted.is_none() => Err("no positive".to_owned()),
        given => Ok(given),
    }
}

fn problem_of(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the header has {expected_len}: quote fields that hold the delimiter")
        }
        _ => error.to_string(),
    }
}

/// The file's text: by its byte order mark, as UTF-8, else as detected.
fn decoded(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if encoding_rs::Encoding::for_bom(&bytes).is_none() {
        return match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(error) => {
                let bytes = error.into_bytes();
                let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
                detector.feed(&bytes, true);
                Ok(detector.guess(None, chardetng::Utf8Detection::Allow).decode(&bytes).0.into_owned())
            }
        };
    }
    Ok(encoding_rs::UTF_8.decode(&bytes).0.into_owned())
}
