//! The pairs and questions that a retrieval set in BEIR's layout brings (Thakur et al. 2021).

use std::collections::HashMap;

use super::{PairSet, Row};
use crate::corpus::Passage;
use crate::corpus::beir::Questions;

/// Rows of a retrieval set: its own folds, its own ids, nothing filtered, so that scores compare with those others
/// publish. A judgement of 0 says "not relevant" and makes no positive.
pub fn from_beir(questions: &Questions, passages: &[Passage]) -> PairSet {
    let texts: HashMap<&str, &str> = questions.queries.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    let documents: HashMap<&str, &str> =
        passages.iter().map(|passage| (passage.id.as_str(), passage.document.as_str())).collect();
    let rows = |judgements: &[(String, String, u32)]| {
        let mut rows: Vec<Row> = Vec::new();
        let mut of_query: HashMap<&str, usize> = HashMap::new();
        for (query, passage, relevance) in judgements.iter().filter(|(_, _, relevance)| *relevance > 0) {
            let at = *of_query.entry(query).or_insert_with(|| {
                rows.push(Row {
                    query_id: query.clone(),
                    query: texts.get(query.as_str()).copied().unwrap_or_default().to_owned(),
                    source: "beir".to_owned(),
                    document: documents.get(passage.as_str()).copied().unwrap_or_default().to_owned(),
                    ..Row::default()
                });
                rows.len() - 1
            });
            rows[at].positives.push(passage.clone());
            if *relevance > 1 {
                rows[at].grades.insert(passage.clone(), *relevance);
            }
        }
        rows
    };
    PairSet {
        train: rows(&questions.train),
        dev: rows(&questions.dev),
        test: rows(&questions.test),
        ..PairSet::default()
    }
}
