//! The questions artifact: test questions and their relevance judgements, a BEIR folder.
//!
//! `queries.jsonl`, `qrels.tsv`, and `corpus.jsonl` for the passages asked for that the workspace's corpus does
//! not hold (imported ones).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::row::write_lines;
use super::{BrokenLine, Error, Result, Row, read_jsonl};
use crate::corpus::{Fold, Passage};
use crate::workspace::write_atomic;

const QUERIES: &str = "queries.jsonl";
const QRELS: &str = "qrels.tsv";
const EXTRA: &str = "corpus.jsonl";
const HEADER: &str = "query-id\tcorpus-id\tscore";
const REMEDY: &str = "the questions were damaged: make them again, or mend the line";

/// A test question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its id.
    pub id: String,
    /// What is asked.
    pub text: String,
    /// The passages that answer it, and how well (1 and more).
    pub relevant: BTreeMap<String, u32>,
    /// What is known of it besides.
    pub metadata: Metadata,
}

/// What is known of a question besides its text; BEIR keeps it under the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Of what kind it is: `words`, `paraphrase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl Metadata {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Serialize, Deserialize)]
struct Query {
    #[serde(rename = "_id")]
    id: String,
    text: String,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
}

#[derive(Serialize, Deserialize)]
struct ExtraPassage {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: String,
    text: String,
}

/// Writes rows as a BEIR folder of questions.
pub fn write_questions(folder: &Path, rows: &[Row]) -> Result<()> {
    let query = |row: &Row| Query {
        id: row.query_id.clone(),
        text: row.query.clone(),
        metadata: Metadata { kind: row.kind.clone(), language: row.language.clone() },
    };
    let queries: Vec<Query> = rows.iter().map(query).collect();
    let mut qrels = format!("{HEADER}\n");
    let mut extra: BTreeMap<&str, &str> = BTreeMap::new();
    for row in rows {
        for id in &row.positives {
            // Writing into a String cannot fail.
            let _ = writeln!(qrels, "{}\t{id}\t{}", row.query_id, row.grade(id));
            extra.extend(row.texts.get_key_value(id).map(|(id, text)| (id.as_str(), text.as_str())));
        }
    }
    write_lines(&folder.join(QUERIES), &queries)?;
    write_atomic(&folder.join(QRELS), qrels.as_bytes())?;
    if !extra.is_empty() {
        let passage =
            |(id, text): (&str, &str)| ExtraPassage { id: id.into(), title: String::new(), text: text.into() };
        write_lines(&folder.join(EXTRA), &extra.into_iter().map(passage).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// The passages that questions bring along because the corpus does not hold them. Add them to the corpus's before
/// [`read_questions`], and rank them with the others.
pub fn extra_passages(folder: &Path) -> Result<Vec<Passage>> {
    let path = folder.join(EXTRA);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let rows = whole::<ExtraPassage>(&path)?;
    let passage = |ExtraPassage { id, title, text }: ExtraPassage| Passage {
        document: id.clone(),
        heading: if title.is_empty() { Vec::new() } else { vec![title] },
        fold: Fold::Test,
        cluster: u32::MAX,
        id,
        text,
    };
    Ok(rows.into_iter().map(passage).collect())
}

/// Reads the questions of a folder, in their order. Every judgement must name a question of the folder and one of
/// `passages`; questions that nothing answers are left out, as `trec_eval` does.
pub fn read_questions(folder: &Path, passages: &[Passage]) -> Result<Vec<Question>> {
    let known: HashSet<&str> = passages.iter().map(|passage| passage.id.as_str()).collect();
    let mut questions: Vec<Question> = whole::<Query>(&folder.join(QUERIES))?
        .into_iter()
        .map(|Query { id, text, metadata }| Question { id, text, relevant: BTreeMap::new(), metadata })
        .collect();
    let of_id: HashMap<String, usize> =
        questions.iter().enumerate().map(|(at, question)| (question.id.clone(), at)).collect();

    let path = folder.join(QRELS);
    let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let line_number = number + 1;
        let broken =
            |problem: &str| Error::Broken { broken: BrokenLine::new(&path, line_number, problem), remedy: REMEDY };
        let mut fields = line.split('\t');
        let (Some(query), Some(passage), Some(score), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(broken("not three fields parted by tabs: query-id, corpus-id, score"));
        };
        let score: u32 = score.trim().parse().map_err(|_| broken("the score is no whole number"))?;
        let at = *of_id.get(query).ok_or_else(|| broken(&format!("no query {query:?} in {QUERIES}")))?;
        if !known.contains(passage) {
            return Err(Error::UnknownPassage { path, line: line_number, id: passage.to_owned() });
        }
        if score > 0 {
            questions[at].relevant.insert(passage.to_owned(), score);
        }
    }
    questions.retain(|question| !question.relevant.is_empty());
    Ok(questions)
}

/// All rows of a file that lapidary wrote.
fn whole<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let lines = read_jsonl(path)?;
    match lines.broken.into_iter().next() {
        None => Ok(lines.rows.into_iter().map(|(_, row)| row).collect()),
        Some(broken) => Err(Error::Broken { broken, remedy: REMEDY }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(id: &str) -> Passage {
        Passage { id: id.into(), document: "d".into(), heading: vec![], text: "t".into(), fold: Fold::Test, cluster: 0 }
    }

    #[test]
    fn questions_survive_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let row = Row {
            query_id: "q1".into(),
            query: "why \"frost\"?".into(),
            positives: vec!["p1".into(), "x".into()],
            texts: [("x".to_owned(), "an imported text".to_owned())].into(),
            grades: [("p1".to_owned(), 2)].into(),
            kind: Some("paraphrase".into()),
            ..Row::default()
        };
        write_questions(folder.path(), &[row]).unwrap();
        let mut passages = vec![passage("p1")];
        let error = read_questions(folder.path(), &passages).unwrap_err().to_string();
        assert!(error.contains("qrels.tsv:3: passage \"x\" is not in the corpus"), "{error}");
        passages.extend(extra_passages(folder.path()).unwrap());
        assert_eq!(passages[1].text, "an imported text");
        let questions = read_questions(folder.path(), &passages).unwrap();
        assert_eq!(questions[0].relevant, [("p1".to_owned(), 2), ("x".to_owned(), 1)].into());
        assert_eq!(questions[0].text, "why \"frost\"?");
        assert_eq!(questions[0].metadata, Metadata { kind: Some("paraphrase".into()), language: None });
    }

    #[test]
    fn damaged_judgements_are_named_by_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(QUERIES), "{\"_id\":\"q\",\"text\":\"t\"}\n").unwrap();
        for (line, problem) in
            [("q p 1", "not three fields"), ("r\tp\t1", "no query \"r\""), ("q\tp\tx", "no whole number")]
        {
            std::fs::write(folder.path().join(QRELS), format!("{HEADER}\n{line}\n")).unwrap();
            let error = read_questions(folder.path(), &[passage("p")]).unwrap_err().to_string();
            assert!(error.contains("qrels.tsv:2") && error.contains(problem), "{error}");
        }
    }
}
