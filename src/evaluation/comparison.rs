//! Systems side by side.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Metrics, paired_test};

/// What kind of system it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemKind {
    /// A model as it was found.
    Base,
    /// A model that was tuned here.
    Tuned,
    /// Ranking by words.
    Bm25,
    /// A model and words together.
    Fusion,
}

/// A system and what it scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// What kind.
    pub kind: SystemKind,
    /// What it is called.
    pub name: String,
    /// The model in it, if any.
    pub model: Option<String>,
    /// What it scored.
    #[serde(flatten)]
    pub metrics: Metrics,
}

impl System {
    /// A system with its scores.
    pub fn new(kind: SystemKind, name: &str, model: Option<&str>, metrics: Metrics) -> Self {
        Self { kind, name: name.to_owned(), model: model.map(str::to_owned), metrics }
    }
}

/// System a against system b, by the reciprocal rank of each query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// The one system.
    pub a: String,
    /// The other.
    pub b: String,
    /// MRR@10 of a minus that of b.
    pub mrr10: f64,
    /// How often luck alone makes a difference as large.
    pub p_value: f64,
    /// The middle 95 % of the bootstrap's differences.
    pub ci95: [f64; 2],
    /// Queries that a answers better.
    pub wins: usize,
    /// Queries that both answer alike.
    pub ties: usize,
    /// Queries that b answers better.
    pub losses: usize,
}

impl Delta {
    /// The same difference seen from the other side: b against a.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            a: self.b.clone(),
            b: self.a.clone(),
            // Zero stays zero: -0.000 would puzzle.
            mrr10: 0.0 - self.mrr10,
            ci95: [0.0 - self.ci95[1], 0.0 - self.ci95[0]],
            wins: self.losses,
            losses: self.wins,
            ..*self
        }
    }
}

/// Compares the reciprocal ranks of two named systems.
pub fn compare(
    (a, b): (&str, &str),
    of_a: &[f64],
    of_b: &[f64],
    clusters: &[usize],
    resamples: usize,
    seed: u64,
) -> Delta {
    let test = paired_test(of_a, of_b, clusters, resamples, seed);
    let count = |better: fn(f64, f64) -> bool| of_a.iter().zip(of_b).filter(|(a, b)| better(**a, **b)).count();
    let (wins, losses) = (count(|a, b| a > b), count(|a, b| a < b));
    Delta {
        a: a.to_owned(),
        b: b.to_owned(),
        mrr10: test.difference,
        p_value: test.p_value,
        ci95: test.ci95,
        wins,
        ties: of_a.len() - wins - losses,
        losses,
    }
}

/// One query's ranks under every system: a line of `per-query.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerQuery {
    /// The query's id.
    pub query_id: String,
    /// Its text.
    pub query: String,
    /// Its relevant passages.
    pub relevant: Vec<String>,
    /// The rank of the first relevant passage, by system; none: not among the first hundred.
    pub rank: BTreeMap<String, Option<usize>>,
    /// The reciprocal rank, by system.
    pub rr10: BTreeMap<String, f64>,
}

impl PerQuery {
    /// A line from each system's name, rank and reciprocal rank.
    pub fn new(
        id: &str,
        text: &str,
        relevant: &BTreeMap<String, u32>,
        systems: Vec<(String, (Option<usize>, f64))>,
    ) -> Self {
        Self {
            query_id: id.to_owned(),
            query: text.to_owned(),
            relevant: relevant.keys().cloned().collect(),
            rank: systems.iter().map(|(name, (rank, _))| (name.clone(), *rank)).collect(),
            rr10: systems.into_iter().map(|(name, (_, rr))| (name, rr)).collect(),
        }
    }
}
