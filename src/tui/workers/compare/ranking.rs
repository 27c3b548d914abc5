//! One query, ranked by every system that is ready.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::library::Library;
use super::loader::{Dense, Splitter};
use super::{Asked, Moved, Ranked, RankedHit, Ranking, Split, Stage, SystemKind, SystemState, is_model};
use crate::encoder::Role;
use crate::progress::Silent;
use crate::retrieval::{self, Hit};
use crate::tokenizer::token_spans;

/// Passages shown of each system.
const HITS: usize = 30;
/// How far down the base's ranking a passage's move is followed, and the relevant one looked for: as deep as evaluations.
const DEPTH: usize = 100;

/// The model that BM25 is put together with: the last that can be had, as in evaluations.
pub(super) fn fused_model(systems: &[SystemState]) -> Option<usize> {
    systems.iter().rposition(|system| is_model(system.kind) && !matches!(system.stage, Stage::Failed(_)))
}

/// Scores of all passages, or why there are none, and the milliseconds they took.
type Scored = (Result<Vec<f32>, String>, f64);

/// Ranks the passages of a library for a query; systems that are not ready are left out.
pub(super) fn rank(
    library: &Library,
    systems: &[SystemState],
    models: &[Option<Arc<Dense>>],
    splitters: &[Splitter],
    asked: &Asked,
) -> Ranking {
    let splits = splitters.iter().map(|splitter| split(splitter, &asked.query)).collect();
    let mut ranking = Ranking {
        number: asked.number,
        query: asked.query.clone(),
        is_question: !asked.relevant.is_empty(),
        splits,
        ..Ranking::default()
    };
    if asked.query.trim().is_empty() {
        return ranking;
    }
    let (words, words_ms) = timed(|| library.bm25.scores(&asked.query));
    let dense: Vec<Option<Scored>> =
        models.iter().map(|dense| dense.as_ref().map(|dense| timed(|| by_model(dense, &asked.query)))).collect();
    let fused = fused_model(systems);
    let relevant: HashSet<&str> = asked.relevant.iter().map(String::as_str).collect();
    let is_relevant = |hit: &Hit| relevant.contains(library.ids[hit.passage].as_str());
    let mut found = Vec::new();
    for (at, system) in systems.iter().enumerate() {
        let scored: Option<Scored> = match system.kind {
            SystemKind::Bm25 => Some((Ok(words.clone()), words_ms)),
            SystemKind::Base | SystemKind::Tuned => dense.get(at).cloned().flatten(),
            SystemKind::Fusion => fused.and_then(|model| dense.get(model)?.as_ref()).map(|(scores, ms)| match scores {
                Ok(scores) => {
                    let (both, own_ms) = timed(|| retrieval::fuse_standardised(&words, scores));
                    (Ok(both), own_ms + words_ms + ms)
                }
                Err(problem) => (Err(problem.clone()), *ms),
            }),
        };
        let Some((scores, scored_ms)) = scored else { continue };
        let (hits, found_ms) = timed(|| scores.map(|scores| retrieval::top(&scores, &library.ids, DEPTH)));
        // What shares no word with the query was not found by words: its order would be that of the ids.
        let hits = hits.map(|hits| match system.kind {
            SystemKind::Bm25 => hits.into_iter().filter(|hit| hit.score > 0.0).collect(),
            _ => hits,
        });
        found.push((system, hits, scored_ms + found_ms));
    }
    let base = found.iter().position(|(system, hits, _)| system.kind == SystemKind::Base && hits.is_ok());
    let of_base: Option<HashMap<usize, usize>> = base.and_then(|at| {
        let hits = found[at].1.as_ref().ok()?;
        Some(hits.iter().enumerate().map(|(rank, hit)| (hit.passage, rank)).collect())
    });
    let mut places: HashMap<usize, usize> = HashMap::new();
    for (at, (system, hits, ms)) in found.into_iter().enumerate() {
        let relevant_at = hits.as_ref().ok().and_then(|hits| hits.iter().position(is_relevant)).map(|at| at + 1);
        let hits = hits.map(|hits| {
            let show = |(rank, hit): (usize, &Hit)| {
                let passage = *places.entry(hit.passage).or_insert_with(|| {
                    ranking.passages.push(library.shown(hit.passage, &asked.query));
                    ranking.passages.len() - 1
                });
                let moved = of_base.as_ref().filter(|_| base != Some(at));
                let moved = moved.map(|ranks| moved_from(ranks.get(&hit.passage).copied(), rank));
                RankedHit { passage, score: hit.score, moved, relevant: is_relevant(hit) }
            };
            hits.iter().take(HITS).enumerate().map(show).collect()
        });
        ranking.systems.push(Ranked { name: system.name.clone(), ms, hits, relevant_at });
    }
    ranking
}

fn moved_from(base: Option<usize>, rank: usize) -> Moved {
    match base {
        None => Moved::New,
        Some(base) if base > rank => Moved::Up(base - rank),
        Some(base) if base < rank => Moved::Down(rank - base),
        Some(_) => Moved::Not,
    }
}

fn by_model(dense: &Dense, query: &str) -> Result<Vec<f32>, String> {
    let text = |error: crate::encoder::Error| error.to_string();
    let tokens = dense.encoder.tokenize(&[query], Role::Query).map_err(text)?;
    let asked = dense.encoder.embed(&tokens, &Silent).map_err(text)?;
    if asked.dim != dense.vectors.dim {
        return Err(format!(
            "the query has {} dimensions, the passages {}: the model changed while it was open; choose it again",
            asked.dim, dense.vectors.dim
        ));
    }
    Ok(retrieval::scores(asked.row(0), &dense.vectors))
}

fn split(splitter: &Splitter, query: &str) -> Split {
    let tokens = match &splitter.tokenizer {
        Ok(tokenizer) => token_spans(tokenizer, query)
            .map(|spans| spans.into_iter().map(|span| span.range).collect())
            .map_err(|error| error.to_string()),
        Err(problem) => Err(problem.clone()),
    };
    Split { names: splitter.names.clone(), tokens }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed().as_secs_f64() * 1000.0)
}
