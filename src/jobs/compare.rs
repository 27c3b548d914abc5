//! One query, asked of several systems.

use serde::Serialize;

use super::{Context, Result};
use crate::corpus::{Corpus, Passage};
use crate::encoder::{Encoder, Role};
use crate::evaluation;
use crate::retrieval::{Analyzer, Bm25, Hit, search};
use crate::workspace::Kind;

/// A system's answer.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// The system.
    pub name: String,
    /// Its best passages.
    pub hits: Vec<ComparedHit>,
}

/// One of a system's passages.
#[derive(Debug, Clone, Serialize)]
pub struct ComparedHit {
    /// The passage.
    pub passage: String,
    /// Where it stands.
    pub heading: Vec<String>,
    /// What it says.
    pub text: String,
    /// Its score: a cosine, or BM25's sum.
    pub score: f32,
}

/// Asks every model, and BM25, for the best `top` passages.
pub fn compare(context: &Context<'_>, query: &str, models: &[String], top: usize) -> Result<Vec<Compared>> {
    let passages = Corpus::open(&context.workspace.newest(Kind::Corpus)?.path)?.all_passages()?;
    let ids: Vec<String> = passages.iter().map(|passage| passage.id.clone()).collect();
    let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
    let mut systems = Vec::new();
    for model in evaluation::contenders(context.workspace, models, context.observer)? {
        let encoder = Encoder::load(&model.found.path, &context.place.device)?;
        let vectors = context.vectors().embed(&encoder, &model.found, &texts, Role::Passage, "passages")?;
        let asked = encoder.embed(&encoder.tokenize(&[query], Role::Query)?, context.observer)?;
        let hits = search(&asked, &vectors, &ids, top).into_iter().next().unwrap_or_default();
        systems.push(answer(model.found.reference, &hits, &passages));
    }
    let index = Bm25::index(texts.iter().copied(), Analyzer::choose(None, &texts)?);
    systems.push(answer("BM25".to_owned(), &index.search(query, &ids, top), &passages));
    Ok(systems)
}

fn answer(name: String, hits: &[Hit], passages: &[Passage]) -> Compared {
    let hits = hits.iter().map(|hit| {
        let passage = &passages[hit.passage];
        ComparedHit {
            passage: passage.id.clone(),
            heading: passage.heading.clone(),
            text: passage.text.clone(),
            score: hit.score,
        }
    });
    Compared { name, hits: hits.collect() }
}
