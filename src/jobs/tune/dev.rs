//! The questions that choose the checkpoint.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::corpus::{Fold, Passage};
use crate::encoder::{Embeddings, Encoder, Role, Tokens};
use crate::evaluation;
use crate::jobs::{Context, Result};
use crate::pairs::Row;
use crate::progress::Event;
use crate::retrieval::{self, Analyzer, Bm25, Hit};
use crate::training;

/// Passages beside the right ones among which dev questions are asked.
const DEV_DISTRACTORS: usize = 500;

/// The dev questions with their passages and some others, tokenized once.
pub(in crate::jobs) struct DevSet {
    queries: Vec<Arc<[u32]>>,
    passages: Vec<Arc<[u32]>>,
    ids: Vec<String>,
    relevant: Vec<BTreeMap<String, u32>>,
    /// What words alone achieve.
    pub(in crate::jobs) mrr10_bm25: f64,
}

/// A score of the first so many dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DimScore {
    /// How many dimensions.
    pub dim: usize,
    /// MRR@10 on the dev questions.
    pub mrr10: f64,
}

impl DevSet {
    pub(in crate::jobs) fn new(
        tokens: Tokens<'_>,
        encoder: &Encoder,
        rows: &[Row],
        passages: &[Passage],
        seed: u64,
    ) -> Result<Option<Self>> {
        let by_id: HashMap<&str, &Passage> = passages.iter().map(|passage| (passage.id.as_str(), passage)).collect();
        let rows: Vec<&Row> = rows.iter().filter(|row| row.passages().any(|id| by_id.contains_key(id))).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let mut chosen: BTreeSet<&str> =
            rows.iter().flat_map(|row| row.passages()).filter(|id| by_id.contains_key(id)).collect();
        // Test passages stay out of sight, even as distractors of dev.
        let mut others: Vec<&str> = passages
            .iter()
            .filter(|passage| passage.fold != Fold::Test && !chosen.contains(passage.id.as_str()))
            .map(|passage| passage.id.as_str())
            .collect();
        others.sort_unstable();
        others.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        chosen.extend(others.into_iter().take(DEV_DISTRACTORS));
        let texts: Vec<&str> = chosen.iter().map(|id| by_id[id].text.as_str()).collect();
        let queries: Vec<&str> = rows.iter().map(|row| row.query.as_str()).collect();
        let ids: Vec<String> = chosen.into_iter().map(str::to_owned).collect();
        let relevant = relevant(rows.iter().copied());
        let bm25 = Bm25::index(texts.iter().copied(), Analyzer::choose(None, &texts)?);
        let by_words: Vec<Vec<Hit>> = queries.iter().map(|query| bm25.search(query, &ids, 10)).collect();
        Ok(Some(Self {
            queries: tokens.of(encoder, &queries, Role::Query)?,
            passages: tokens.of(encoder, &texts, Role::Passage)?,
            mrr10_bm25: mrr10(&by_words, &ids, &relevant),
            ids,
            relevant,
        }))
    }

    /// How many questions there are.
    pub(in crate::jobs) const fn len(&self) -> usize {
        self.queries.len()
    }

    pub(in crate::jobs) fn mrr10(&self, encoder: &Encoder, context: &Context<'_>) -> Result<f64, training::Error> {
        let (queries, passages) = self.embed(encoder, context)?;
        Ok(self.score(&queries, &passages))
    }

    /// The scores of the first dimensions alone, at each width.
    pub(super) fn mrr10_by_dim(
        &self,
        encoder: &Encoder,
        widths: &[usize],
        context: &Context<'_>,
    ) -> Result<Vec<DimScore>> {
        let (queries, passages) = self.embed(encoder, context)?;
        let at = |&dim: &usize| DimScore { dim, mrr10: self.score(&queries.first(dim), &passages.first(dim)) };
        Ok(widths.iter().map(at).collect())
    }

    fn embed(&self, encoder: &Encoder, context: &Context<'_>) -> Result<(Embeddings, Embeddings), training::Error> {
        let passages = encoder.embed(&self.passages, context.observer)?;
        Ok((encoder.embed(&self.queries, context.observer)?, passages))
    }

    fn score(&self, queries: &Embeddings, passages: &Embeddings) -> f64 {
        mrr10(&retrieval::search(queries, passages, &self.ids, 10), &self.ids, &self.relevant)
    }
}

/// How BM25 is to read words: stemmed by the rules of the passages' language or as they are, whichever finds more on dev.
pub(in crate::jobs) fn choose_analyzer(context: &Context<'_>, rows: &[Row], passages: &[Passage]) -> Result<Analyzer> {
    // Test passages stay out of sight.
    let (ids, texts): (Vec<String>, Vec<&str>) = passages
        .iter()
        .filter(|passage| passage.fold != Fold::Test)
        .map(|passage| (passage.id.clone(), passage.text.as_str()))
        .unzip();
    let relevant = relevant(rows.iter());
    let score = |analyzer| {
        let index = Bm25::index(texts.iter().copied(), analyzer);
        let found: Vec<_> = rows.iter().map(|row| index.search(&row.query, &ids, 10)).collect();
        mrr10(&found, &ids, &relevant)
    };
    let (stemmed, plain) = (score(Analyzer::choose(None, &texts)?), score(Analyzer::plain()));
    context.observer.on(Event::note(format!("BM25 on dev: {stemmed:.3} stemmed, {plain:.3} plain")));
    if plain > stemmed { Ok(Analyzer::plain()) } else { Ok(Analyzer::choose(None, &texts)?) }
}

/// The passages that answer each question.
fn relevant<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<BTreeMap<String, u32>> {
    rows.map(|row| row.passages().map(|id| (id.to_owned(), 1)).collect()).collect()
}

/// The mean reciprocal rank of the first relevant passage among ten, over questions.
pub(super) fn mrr10(rankings: &[Vec<Hit>], ids: &[String], relevant: &[BTreeMap<String, u32>]) -> f64 {
    let rr = rankings.iter().zip(relevant).map(|(hits, relevant)| {
        let ranking: Vec<&str> = hits.iter().map(|hit| ids[hit.passage].as_str()).collect();
        evaluation::score(&ranking, relevant).rr10
    });
    rr.sum::<f64>() / rankings.len().max(1) as f64
}
