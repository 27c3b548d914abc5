//! A BEIR folder as pairs for another corpus: its judged texts, found there or brought along.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;

use super::super::{BrokenLine, Error, Result, read_jsonl};
use super::{Contents, Given};
use crate::corpus::Fold;

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "_id")]
    id: String,
    text: String,
}

/// Reads `queries.jsonl`, `qrels/{train,dev,test}.tsv` and the judged texts of `corpus.jsonl`. The folds of the
/// folder hold for texts that the workspace's corpus does not have.
pub(super) fn read(folder: &Path) -> Result<Contents> {
    let mut contents = Contents::default();
    let mut judged: Vec<(Fold, Judgements)> = Vec::new();
    for (name, fold) in [("train", Fold::Train), ("dev", Fold::Dev), ("test", Fold::Test)] {
        let path = folder.join("qrels").join(format!("{name}.tsv"));
        if path.is_file() {
            judged.push((fold, judgements(&path, &mut contents.broken)?));
        }
    }
    if judged.is_empty() {
        let problem = "no qrels/train.tsv, qrels/dev.tsv or qrels/test.tsv: is it a BEIR folder?".to_owned();
        return Err(Error::Malformed { path: folder.to_owned(), problem });
    }
    let wanted: HashSet<&String> = judged.iter().flat_map(|(_, judged)| judged.values().flatten()).collect();
    let queries = texts(&folder.join("queries.jsonl"), |_| true, &mut contents.broken)?;
    let passages = texts(&folder.join("corpus.jsonl"), |id| wanted.contains(id), &mut contents.broken)?;
    for (fold, judged) in &judged {
        for (id, documents) in judged {
            let path = folder.join("qrels");
            let Some(query) = queries.get(id) else {
                contents.broken.push(BrokenLine::new(&path, 0, format!("query {id:?} is not in queries.jsonl")));
                continue;
            };
            let mut positives = Vec::new();
            for document in documents {
                match passages.get(document) {
                    Some(text) => positives.push(text.clone()),
                    None => contents.broken.push(BrokenLine::new(
                        &path,
                        0,
                        format!("passage {document:?} is not in corpus.jsonl"),
                    )),
                }
            }
            contents.pairs.push(Given {
                id: Some(id.clone()),
                query: query.trim().to_owned(),
                positives,
                fold: Some(*fold),
                ..Given::default()
            });
        }
    }
    Ok(contents)
}

/// The ids of the relevant texts, by the query's.
type Judgements = BTreeMap<String, Vec<String>>;

fn judgements(path: &Path, broken: &mut Vec<BrokenLine>) -> Result<Judgements> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let mut judged = Judgements::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        match (fields.as_slice(), fields.get(2).map(|score| score.parse::<f64>())) {
            ([query, passage, _], Some(Ok(score))) if score > 0.0 => {
                judged.entry((*query).to_owned()).or_default().push((*passage).to_owned());
            }
            ([_, _, _], Some(Ok(_))) => {}
            // The header.
            _ if at == 0 => {}
            _ => broken.push(BrokenLine::new(
                path,
                at + 1,
                "not three fields parted by tabs: query-id, corpus-id, score",
            )),
        }
    }
    Ok(judged)
}

fn texts(
    path: &Path,
    wanted: impl Fn(&String) -> bool,
    broken: &mut Vec<BrokenLine>,
) -> Result<HashMap<String, String>> {
    let lines = read_jsonl::<Text>(path)?;
    broken.extend(lines.broken);
    Ok(lines.rows.into_iter().map(|(_, text)| (text.id, text.text)).filter(|(id, _)| wanted(id)).collect())
}
