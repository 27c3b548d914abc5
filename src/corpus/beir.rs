//! Retrieval sets in BEIR's layout (Thakur et al. 2021): `corpus.jsonl`, `queries.jsonl`, `qrels/{train,dev,test}.tsv`.
//!
//! A line of `corpus.jsonl` is one passage, never cut again. Lines of the same title are one document.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::folds::draw;
use super::{Error, Fold, Passage, Result};
use crate::workspace;

/// A judgement: query id, passage id, relevance.
pub type Judgement = (String, String, u32);

/// The questions of a retrieval set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Id and text of each query.
    pub queries: Vec<(String, String)>,
    /// Judgements to train on.
    pub train: Vec<Judgement>,
    /// Judgements to choose by: the set's own, or those about some of the train documents.
    pub dev: Vec<Judgement>,
    /// Judgements to test on.
    pub test: Vec<Judgement>,
}

/// A line of `corpus.jsonl`.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    #[serde(rename = "_id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
    pub(super) text: String,
}

impl Line {
    /// What tells documents apart: the title, or the passage itself where it has none.
    pub(super) fn document(&self) -> &str {
        if self.title.is_empty() { &self.id } else { &self.title }
    }
}

/// The lines of `corpus.jsonl`, one after the other. A broken line is an error: judgements may be about it.
pub(super) fn lines(folder: &Path) -> Result<impl Iterator<Item = Result<Line>>> {
    let path = folder.join("corpus.jsonl");
    let file = std::fs::File::open(&path).map_err(workspace::Error::io("reading", &path))?;
    Ok(BufReader::new(file).lines().enumerate().filter_map(move |(at, line)| {
        let line = match line {
            Ok(line) if line.trim().is_empty() => return None,
            Ok(line) => line,
            Err(error) => return Some(Err(workspace::Error::io("reading", &path)(error).into())),
        };
        let parsed = serde_json::from_str(&line).map_err(|error| Error::Line {
            path: path.clone(),
            line: at + 1,
            problem: format!("{error}; a line is {{\"_id\": ..., \"title\": ..., \"text\": ...}}"),
        });
        Some(parsed)
    }))
}

/// The set's questions; where it has no dev judgements, those about `dev_share` of the train documents are dev, chosen
/// by `seed`, and leave train. `passages` is its corpus.
pub fn read_questions(folder: &Path, passages: &[Passage], dev_share: f64, seed: u64) -> Result<Questions> {
    let documents: HashMap<&str, &str> =
        passages.iter().map(|passage| (passage.id.as_str(), passage.document.as_str())).collect();
    read(folder, &|id| documents.get(id).map(|document| (*document).to_owned()), dev_share, seed)
}

/// The fold of every document that a judgement is about, by what the set calls it; all others train.
pub(super) fn folds(
    folder: &Path,
    documents: &HashMap<String, String>,
    dev_share: f64,
    seed: u64,
) -> Result<HashMap<String, Fold>> {
    let questions = read(folder, &|id| documents.get(id).cloned(), dev_share, seed)?;
    let mut folds = HashMap::new();
    for (fold, judgements) in [(Fold::Dev, &questions.dev), (Fold::Test, &questions.test)] {
        for (_, passage, _) in judgements {
            if let Some(document) = documents.get(passage) {
                folds.insert(document.clone(), fold);
            }
        }
    }
    Ok(folds)
}

fn read(folder: &Path, document_of: &dyn Fn(&str) -> Option<String>, dev_share: f64, seed: u64) -> Result<Questions> {
    let queries = read_queries(&folder.join("queries.jsonl"))?;
    let known: HashSet<&str> = queries.iter().map(|(id, _)| id.as_str()).collect();
    let judgements = |name: &str| -> Result<Option<Vec<Judgement>>> {
        let path = folder.join("qrels").join(name);
        if path.is_file() { read_judgements(&path, &known, document_of).map(Some) } else { Ok(None) }
    };
    let (train, dev, test) = (judgements("train.tsv")?, judgements("dev.tsv")?, judgements("test.tsv")?);
    if train.is_none() && dev.is_none() && test.is_none() {
        let path = folder.join("qrels");
        return Err(workspace::Error::malformed(path, "no train.tsv, dev.tsv or test.tsv in it").into());
    }
    let mut questions = Questions {
        queries: queries.clone(),
        train: train.unwrap_or_default(),
        dev: Vec::new(),
        test: test.unwrap_or_default(),
    };
    match dev {
        Some(dev) => questions.dev = dev,
        None => split_off_dev(&mut questions, document_of, dev_share, seed),
    }
    Ok(questions)
}

fn split_off_dev(questions: &mut Questions, document_of: &dyn Fn(&str) -> Option<String>, dev_share: f64, seed: u64) {
    let document = |judgement: &Judgement| document_of(&judgement.1).unwrap_or_default();
    let documents: BTreeSet<String> = questions.train.iter().map(document).collect();
    let mut drawn: Vec<(u64, String)> =
        documents.into_iter().map(|document| (draw(&document, seed), document)).collect();
    drawn.sort();
    let count = (drawn.len() as f64 * dev_share).round() as usize;
    let chosen: HashSet<String> = drawn.into_iter().take(count).map(|(_, document)| document).collect();
    // A query about several documents goes where any of them goes: it must not be on both sides.
    let queries: HashSet<String> = questions
        .train
        .iter()
        .filter(|judgement| chosen.contains(&document(judgement)))
        .map(|(query, ..)| query.clone())
        .collect();
    let (dev, train) =
        std::mem::take(&mut questions.train).into_iter().partition(|(query, ..)| queries.contains(query));
    (questions.dev, questions.train) = (dev, train);
}

fn read_queries(path: &PathBuf) -> Result<Vec<(String, String)>> {
    #[derive(Deserialize)]
    struct Query {
        #[serde(rename = "_id")]
        id: String,
        text: String,
    }
    let text = std::fs::read_to_string(path).map_err(workspace::Error::io("reading", path))?;
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    numbered
        .map(|(at, line)| {
            let query: Query = serde_json::from_str(line).map_err(|error| Error::Line {
                path: path.clone(),
                line: at + 1,
                problem: format!("{error}; a line is {{\"_id\": ..., \"text\": ...}}"),
            })?;
            Ok((query.id, query.text))
        })
        .collect()
}

fn read_judgements(
    path: &Path,
    queries: &HashSet<&str>,
    document_of: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Judgement>> {
    let text = std::fs::read_to_string(path).map_err(workspace::Error::io("reading", path))?;
    let mut judgements = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let wrong = |problem: String| Error::Line { path: path.to_owned(), line: at + 1, problem };
        let fields: Vec<&str> = line.trim_end().split('\t').collect();
        let header = at == 0 && fields.get(2).is_none_or(|score| score.parse::<i64>().is_err());
        if line.trim().is_empty() || header {
            continue;
        }
        let [query, passage, score] = fields.as_slice() else {
            return Err(wrong("expected three fields with tabs between them: query-id, corpus-id, score".to_owned()));
        };
        let score: i64 = score.parse().map_err(|_| wrong(format!("score {score:?} is no whole number")))?;
        if !queries.contains(query) {
            return Err(wrong(format!("query {query:?} is not in queries.jsonl: add it there, or remove this line")));
        }
        if document_of(passage).is_none() {
            return Err(wrong(format!(
                "passage {passage:?} is not in corpus.jsonl: add it there, or remove this line"
            )));
        }
        judgements.push(((*query).to_owned(), (*passage).to_owned(), u32::try_from(score).unwrap_or(0)));
    }
    Ok(judgements)
}
