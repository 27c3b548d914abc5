//! Tables of questions about documents: `document`, `quote`, `question`, and perhaps `fold`.
//!
//! Here they matter for two things: they are no documents, since who read them as such would search in the questions, and
//! their folds hold for the documents that they name. [`crate::pairs`] reads the questions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::decode::{Examined, Unreadable, decoded, examine};
use super::formats::Format;
use super::{Document, Error, Fold, Result};
use crate::workspace;

/// The columns that make a table one of questions.
const COLUMNS: [&str; 3] = ["document", "quote", "question"];
/// What stands around a name in a header and is no part of it.
const BLANK: [char; 5] = [' ', '\r', '\n', '"', '\u{feff}'];
/// Bytes of a first line that may be a header; no table of questions has a longer one.
const LONGEST_HEADER: u64 = 4096;

/// Whether a file is a table of questions rather than a document: its header says it.
pub(super) fn is_table(path: &Path, examined: &Examined) -> bool {
    if !matches!(Format::of(path), Format::Csv | Format::Tsv) {
        return false;
    }
    let Ok(text) = decoded(path, examined.encoding) else { return false };
    let mut header = String::new();
    if BufReader::new(text.take(LONGEST_HEADER)).read_line(&mut header).is_err() {
        return false;
    }
    let columns: Vec<String> =
        header.split(delimiter(&header)).map(|name| name.trim_matches(BLANK).to_lowercase()).collect();
    COLUMNS.iter().all(|wanted| columns.iter().any(|column| column == wanted))
}

/// The one of tab, semicolon and comma that a header has most of.
fn delimiter(header: &str) -> char {
    [',', ';', '\t'].into_iter().max_by_key(|&delimiter| header.matches(delimiter).count()).unwrap_or(',')
}

/// The folds that a table fixes, by document.
#[derive(Debug, Default)]
pub(super) struct FixedFolds {
    table: PathBuf,
    /// With the first line that says so.
    by_path: BTreeMap<String, (Fold, usize)>,
}

impl FixedFolds {
    /// Reads a table with a header; other columns than `document` and `fold` do not matter. A document without a fold is not
    /// fixed; a table without a column `fold` fixes nothing, and is refused where folds are all that is `wanted` of it.
    pub(super) fn read(table: &Path, wanted: bool) -> Result<Self> {
        let mut text = String::new();
        let examined = match examine(table) {
            Ok(examined) => examined,
            Err(Unreadable::Failed(error)) => return Err(error.into()),
            Err(Unreadable::NotText(reason)) => return Err(workspace::Error::malformed(table, reason).into()),
        };
        let reading = workspace::Error::io("reading", table);
        decoded(table, examined.encoding)?.read_to_string(&mut text).map_err(reading)?;
        let delimiter = delimiter(text.lines().next().unwrap_or_default());
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter as u8).flexible(true).from_reader(text.as_bytes());
        let broken = |line: usize, problem: String| Error::Line { path: table.to_owned(), line, problem };
        let header = reader.headers().map_err(|error| broken(1, error.to_string()))?.clone();
        let column = |wanted: &str| header.iter().position(|name| name.trim_matches(BLANK).to_lowercase() == wanted);
        let mut fixed = Self { table: table.to_owned(), by_path: BTreeMap::new() };
        let missing = |name: &str| {
            let present = header.iter().collect::<Vec<_>>().join(", ");
            broken(
                1,
                format!("no column {name:?}; it has: {present}. A table of folds has the columns document and fold"),
            )
        };
        let document = column("document").ok_or_else(|| missing("document"))?;
        let fold = match column("fold") {
            Some(fold) => fold,
            None if wanted => return Err(missing("fold")),
            None => return Ok(fixed),
        };
        for record in reader.records() {
            let record = record.map_err(|error| {
                broken(error.position().map_or(0, |position| position.line() as usize), error.to_string())
            })?;
            let line = record.position().map_or(0, |position| position.line() as usize);
            let cell = |at: usize| record.get(at).unwrap_or_default().trim();
            if cell(document).is_empty() || cell(fold).is_empty() {
                continue;
            }
            let named = Fold::named(cell(fold))
                .ok_or_else(|| broken(line, format!("fold {:?}: must be train, dev or test", cell(fold))))?;
            match fixed.by_path.entry(cell(document).to_owned()) {
                Entry::Vacant(vacant) => {
                    vacant.insert((named, line));
                }
                Entry::Occupied(before) if before.get().0 == named => {}
                Entry::Occupied(before) => {
                    let (other, at) = before.get();
                    let problem = format!(
                        "document {:?} is in the fold {named} here and in {other} on line {at}: give it one fold",
                        before.key()
                    );
                    return Err(broken(line, problem));
                }
            }
        }
        Ok(fixed)
    }

    /// The fold of a document, where the table fixes it.
    pub(super) fn of(&self, document: &Document) -> Option<Fold> {
        self.by_path.get(&document.path).map(|(fold, _)| *fold)
    }

    /// Refuses a table that names documents which are not there: their folds would be lost in silence.
    pub(super) fn check(&self, documents: &[Document]) -> Result<()> {
        for (wanted, (_, line)) in &self.by_path {
            if !documents.iter().any(|document| document.path == *wanted) {
                let remedy = remedy(wanted, documents.iter().map(|document| document.path.as_str()));
                let problem = format!("document {wanted:?} is not in the corpus: {remedy}");
                return Err(Error::Line { path: self.table.clone(), line: *line, problem });
            }
        }
        Ok(())
    }
}

/// What to do about the name of a document that none of the corpus's has.
pub fn remedy<'a>(wanted: &str, paths: impl Iterator<Item = &'a str>) -> String {
    let file = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    let mut alike = paths.filter(|path| file(path) == file(wanted));
    match (alike.next(), alike.next()) {
        (Some(alike), None) => format!("is {alike:?} meant?"),
        _ => "name it by its path from the folder that --corpus names, with forward slashes".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(path: &str) -> Document {
        Document {
            id: path.to_owned(),
            path: path.to_owned(),
            title: String::new(),
            format: "text".to_owned(),
            encoding: "UTF-8".to_owned(),
            words: 1,
            passages: 1,
            fold: Fold::Train,
        }
    }

    fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn folds(text: &str) -> Result<FixedFolds> {
        let (_folder, path) = written("folds.tsv", text);
        FixedFolds::read(&path, true)
    }

    #[test]
    fn a_header_makes_a_table_of_questions() {
        let is = |name: &str, text: &str| {
            let (_folder, path) = written(name, text);
            let Ok(examined) = examine(&path) else { panic!("not text") };
            is_table(&path, &examined)
        };
        assert!(is("q.tsv", "fold\tlanguage\tkind\tdocument\tquote\tquestion\n"));
        assert!(is("q.csv", "\u{feff}\"Question\"; \"Document\";quote\r\nx;y;z\r\n"));
        assert!(!is("q.txt", "document\tquote\tquestion\n"), "a text is a text");
        assert!(!is("terms.csv", "term,question,document\n"), "no quote");
    }

    #[test]
    fn folds_are_fixed_by_path() {
        let fixed =
            folds("quote\tdocument\tfold\nx\ta/one.md\ttest\ny\ta/one.md\tTest\nz\ttwo.md\t\nx\t\tdev\n").unwrap();
        assert_eq!((fixed.of(&document("a/one.md")), fixed.of(&document("two.md"))), (Some(Fold::Test), None));
        fixed.check(&[document("a/one.md")]).unwrap();
        let error = fixed.check(&[document("b/one.md")]).unwrap_err().to_string();
        assert!(
            error.contains("folds.tsv:2: document \"a/one.md\" is not in the corpus: is \"b/one.md\" meant?"),
            "{error}"
        );
        let error = fixed.check(&[document("b/one.md"), document("c/one.md")]).unwrap_err().to_string();
        assert!(error.contains("name it by its path"), "{error}");
    }

    #[test]
    fn what_makes_no_sense_is_named_by_line() {
        for (text, problem) in [
            ("document\tfold\na\tfinal\n", "folds.tsv:2: fold \"final\": must be train, dev or test"),
            (
                "document\tfold\na\ttest\na\tdev\n",
                "folds.tsv:3: document \"a\" is in the fold dev here and in test on line 2",
            ),
            ("document\tquote\n", "folds.tsv:1: no column \"fold\"; it has: document, quote"),
            ("path\tfold\n", "folds.tsv:1: no column \"document\""),
        ] {
            let error = folds(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn questions_need_no_folds() {
        let (_folder, path) = written("q.tsv", "document\tquote\tquestion\na\tb\tc\n");
        let fixed = FixedFolds::read(&path, false).unwrap();
        assert_eq!(fixed.of(&document("a")), None);
    }
}
