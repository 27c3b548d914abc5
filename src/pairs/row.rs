//! A row of pairs, the set they form, and the JSON lines they are kept in.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Error, Reason, Result, Without};
use crate::progress::Event;
use crate::workspace::{short_id, write_atomic};

/// What parts a passage's id from the hash of its altered text.
const ALTERED: char = '~';

/// A query with the passages that answer it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The query's id: the file's own, else a hash of its text.
    pub query_id: String,
    /// The query.
    pub query: String,
    /// Ids of what answers it: passages of the corpus, or keys of `texts`. Never empty.
    pub positives: Vec<String>,
    /// Ids of what looks like an answer and is none.
    #[serde(default)]
    pub negatives: Vec<String>,
    /// Where the row comes from: `title`, `heading`, `cloze`, `beir`, the imported file's name, or of what kind a model's
    /// question is: `natural`, `keywords`, `paraphrase`, `problem`.
    pub source: String,
    /// The document of the first positive; empty where it belongs to none.
    #[serde(default)]
    pub document: String,
    /// Texts of ids that are not passages of the corpus: imported ones, or a passage with a sentence removed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, String>,
    /// Where the passage ranks for the query in the round trip, from 1; unset where none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Relevance of the positives for which it is not 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grades: BTreeMap<String, u32>,
    /// What kind of question it is, where who asked it says so: `words`, `paraphrase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The question's language, where who asked it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl Row {
    /// The id of a query that brought none.
    pub fn id_of(query: &str) -> String {
        short_id(&["query", query])
    }

    /// The id of a passage whose text was altered: the passage's own and a hash of what became of it.
    pub fn altered_id(passage: &str, text: &str) -> String {
        format!("{passage}{ALTERED}{}", short_id(&[text]))
    }

    /// The passages that answer the query, as ids of the corpus: an altered text stands for the passage it was
    /// made from. An imported text that is no passage keeps its own id.
    pub fn passages(&self) -> impl Iterator<Item = &str> {
        self.positives.iter().map(|id| Self::passage_of(id, self.texts.contains_key(id)))
    }

    /// The passage of the corpus that a positive stands for; only an id with a text of its own can stand for another.
    pub fn passage_of(id: &str, has_text: bool) -> &str {
        let altered = if has_text { id.rsplit_once(ALTERED) } else { None };
        altered.map_or(id, |(passage, _)| passage)
    }

    /// What is told of the row as it is kept, or rejected for a reason.
    pub(super) fn event(&self, rejected: Option<Reason>) -> Event {
        Event::Pair {
            passage: self.passages().next().unwrap_or_default().to_owned(),
            query: self.query.clone(),
            source: self.source.clone(),
            rejected: rejected.map(|reason| reason.to_string()),
        }
    }

    /// How relevant a positive is; 1 where nothing else is known.
    pub fn grade(&self, id: &str) -> u32 {
        self.grades.get(id).copied().unwrap_or(1)
    }
}

/// A row that a filter rejected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// Why.
    pub reason: Reason,
    /// The row.
    #[serde(flatten)]
    pub row: Row,
}

/// A line that could not be read as what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLine {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl BrokenLine {
    pub(super) fn new(file: &Path, line: usize, problem: impl Into<String>) -> Self {
        Self { file: file.to_string_lossy().into_owned(), line, problem: problem.into() }
    }
}

/// Pairs by fold, and what was left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PairSet {
    /// Rows to train on.
    pub train: Vec<Row>,
    /// Rows that choose the checkpoint.
    pub dev: Vec<Row>,
    /// Rows that become test questions.
    pub test: Vec<Row>,
    /// Rows that a filter rejected.
    pub rejected: Vec<Rejected>,
    /// Lines of the user's files that could not be read.
    pub broken: Vec<BrokenLine>,
    /// Passages of which a model made no question.
    pub without: Vec<Without>,
}

/// The count under which broken lines are reported among the reasons.
pub const BROKEN_LINE: &str = "broken line";

impl PairSet {
    /// How many rows each filter rejected, by the filter's name; broken lines among them.
    pub fn rejected_by_reason(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for rejected in &self.rejected {
            *counts.entry(rejected.reason.to_string()).or_insert(0) += 1;
        }
        for without in &self.without {
            *counts.entry(without.reason.to_string()).or_insert(0) += 1;
        }
        if !self.broken.is_empty() {
            counts.insert(BROKEN_LINE.to_owned(), self.broken.len());
        }
        counts
    }

    /// Writes `train.jsonl`, `dev.jsonl` and `rejected.jsonl` into a folder, and `without.jsonl` where there are passages
    /// without questions. Test rows become a questions
    /// artifact of their own ([`super::write_questions`]).
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_lines(&folder.join("train.jsonl"), &self.train)?;
        write_lines(&folder.join("dev.jsonl"), &self.dev)?;
        if !self.without.is_empty() {
            write_lines(&folder.join(WITHOUT), &self.without)?;
        }
        let mut lines = to_lines(&self.rejected);
        lines.push_str(&to_lines(self.broken.iter().map(|broken| Broken { reason: BROKEN_LINE, broken })));
        Ok(write_atomic(&folder.join("rejected.jsonl"), lines.as_bytes())?)
    }
}

/// Passages without questions; only a model that was asked leaves any.
const WITHOUT: &str = "without.jsonl";

#[derive(Serialize)]
struct Broken<'a> {
    reason: &'static str,
    #[serde(flatten)]
    broken: &'a BrokenLine,
}

/// The training and dev rows of a pairs artifact. A broken line is an error: lapidary wrote the file whole.
pub fn read_rows(folder: &Path) -> Result<(Vec<Row>, Vec<Row>)> {
    Ok((read_whole(&folder.join("train.jsonl"))?, read_whole(&folder.join("dev.jsonl"))?))
}

/// All of a pairs artifact: its rows, and what `rejected.jsonl` holds. A broken line is an error, as in [`read_rows`].
pub fn read_set(folder: &Path) -> Result<PairSet> {
    let (train, dev) = read_rows(folder)?;
    let mut set = PairSet { train, dev, ..PairSet::default() };
    for line in read_whole::<LeftOut>(&folder.join("rejected.jsonl"))? {
        match line {
            LeftOut::Row(rejected) => set.rejected.push(rejected),
            LeftOut::Line(broken) => set.broken.push(broken),
        }
    }
    let without = folder.join(WITHOUT);
    if without.is_file() {
        set.without = read_whole(&without)?;
    }
    Ok(set)
}

/// All rows of a file that lapidary wrote.
fn read_whole<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let lines = read_jsonl(path)?;
    match lines.broken.into_iter().next() {
        None => Ok(lines.rows.into_iter().map(|(_, row)| row).collect()),
        Some(broken) => {
            Err(Error::Broken { broken, remedy: "the pairs were damaged: make them again, or mend the line" })
        }
    }
}

/// A line of `rejected.jsonl`.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
enum LeftOut {
    Row(Rejected),
    Line(BrokenLine),
}

impl TryFrom<Value> for LeftOut {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> std::result::Result<Self, Self::Error> {
        if value.get("reason").and_then(Value::as_str) == Some(BROKEN_LINE) {
            serde_json::from_value(value).map(Self::Line)
        } else {
            serde_json::from_value(value).map(Self::Row)
        }
    }
}

/// What a file of JSON lines held.
#[derive(Debug, Clone)]
pub struct Lines<T> {
    /// The rows, with their line numbers from 1.
    pub rows: Vec<(usize, T)>,
    /// The lines that are no rows.
    pub broken: Vec<BrokenLine>,
}

/// Reads JSON lines. A line that is no row (broken JSON, wrong fields, no UTF-8) is skipped and named; blank lines are not counted.
pub fn read_jsonl<T: DeserializeOwned>(path: &Path) -> Result<Lines<T>> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut reader = BufReader::new(std::fs::File::open(path).map_err(failed)?);
    let mut lines = Lines { rows: Vec::new(), broken: Vec::new() };
    let mut buffer = Vec::new();
    for number in 1.. {
        buffer.clear();
        if reader.read_until(b'\n', &mut buffer).map_err(failed)? == 0 {
            break;
        }
        let line = if number == 1 { buffer.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&buffer) } else { &buffer };
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(row) => lines.rows.push((number, row)),
            // The parser sees one line: its own line number would mislead.
            Err(error) => {
                let problem = error.to_string();
                let problem = problem.split(" at line ").next().unwrap_or_default();
                lines.broken.push(BrokenLine::new(path, number, format!("{problem} (column {})", error.column())));
            }
        }
    }
    Ok(lines)
}

/// Writes JSON lines, whole or not at all.
pub(super) fn write_lines<T: Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    Ok(write_atomic(path, to_lines(rows).as_bytes())?)
}

fn to_lines<T: Serialize>(rows: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for row in rows {
        // Strings, lists and maps with string keys: serialisation has nothing to fail on.
        text.push_str(&serde_json::to_string(&row).unwrap_or_default());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            query_id: "q".into(),
            query: "why frost".into(),
            positives: vec!["p".into()],
            source: "heading".into(),
            ..Row::default()
        }
    }

    #[test]
    fn rows_survive_the_disk_and_broken_lines_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let rejected = vec![Rejected { reason: Reason::ShortQuery, row: row() }];
        let broken = vec![BrokenLine { file: "a.csv".into(), line: 7, problem: "odd".into() }];
        let without = vec![Without {
            passage: "p9".into(),
            document: "d".into(),
            reason: Reason::PoorPassage,
            why: String::new(),
        }];
        let set = PairSet { train: vec![row()], dev: vec![], test: vec![], rejected, broken, without };
        set.write(folder.path()).unwrap();
        assert_eq!(read_rows(folder.path()).unwrap(), (vec![row()], vec![]));
        let kept = std::fs::read_to_string(folder.path().join("rejected.jsonl")).unwrap();
        assert!(kept.contains(r#""reason":"short query""#) && kept.contains(r#""line":7"#), "{kept}");
        assert_eq!(read_set(folder.path()).unwrap(), set);
        let counts = [("short query", 1), ("broken line", 1), ("poor passage", 1)];
        assert_eq!(set.rejected_by_reason(), counts.map(|(reason, count)| (reason.to_owned(), count)).into());

        let file = folder.path().join("train.jsonl");
        std::fs::write(
            &file,
            "\u{feff}{\"query_id\":\"q\",\"query\":\"x\",\"positives\":[],\"source\":\"s\"}\n\n{\"query\": 3\n",
        )
        .unwrap();
        let lines = read_jsonl::<Row>(&file).unwrap();
        assert_eq!((lines.rows.len(), lines.broken.len(), lines.broken[0].line), (1, 1, 3));
        let error = read_rows(folder.path()).unwrap_err().to_string();
        assert!(error.contains("train.jsonl:3: "), "{error}");
    }

    #[test]
    fn an_altered_text_stands_for_its_passage() {
        let id = Row::altered_id("doc~1", "the rest");
        let row = Row { positives: vec![id.clone(), "doc~2".into()], texts: [(id, "the rest".into())].into(), ..row() };
        assert_eq!(row.passages().collect::<Vec<_>>(), ["doc~1", "doc~2"]);
    }
}
