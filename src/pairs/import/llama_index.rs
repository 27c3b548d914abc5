//! `LlamaIndex`'s `EmbeddingQAFinetuneDataset`: queries, texts, and which answers which, in one JSON object.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::super::{BrokenLine, Error, Result};
use super::{Contents, Given};

#[derive(Deserialize)]
struct Set {
    queries: BTreeMap<String, String>,
    corpus: BTreeMap<String, String>,
    relevant_docs: BTreeMap<String, Vec<String>>,
}

/// Reads the set. Ids that name nothing are reported under line 0: the whole set stands on as many lines as its writer liked.
pub(super) fn read(path: &Path, value: Value) -> Result<Contents> {
    let set: Set = serde_json::from_value(value).map_err(|error| Error::Malformed {
        path: path.to_owned(),
        problem: format!(
            "{error}; wanted: queries {{id: text}}, corpus {{id: text}}, relevant_docs {{query id: [text ids]}}"
        ),
    })?;
    let mut contents = Contents::default();
    for (id, documents) in set.relevant_docs {
        let Some(query) = set.queries.get(&id) else {
            contents.broken.push(BrokenLine::new(
                path,
                0,
                format!("relevant_docs names query {id:?}, which is not in queries"),
            ));
            continue;
        };
        let mut positives = Vec::new();
        for document in documents {
            match set.corpus.get(&document) {
                Some(text) => positives.push(text.clone()),
                None => contents.broken.push(BrokenLine::new(
                    path,
                    0,
                    format!("query {id:?} names text {document:?}, which is not in corpus"),
                )),
            }
        }
        contents.pairs.push(Given { id: Some(id), query: query.trim().to_owned(), positives, ..Given::default() });
    }
    Ok(contents)
}
