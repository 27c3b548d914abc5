//! An evaluation as it was kept: `metrics.json` and `per-query.jsonl` of its artifact.

use std::path::Path;

use serde::Deserialize;

use super::{Delta, Ladder, PerQuery, Result, System, SystemKind};
use crate::workspace::Error;

/// What was measured, read back.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Findings {
    /// How many questions were asked.
    pub queries: usize,
    /// Among how many passages.
    pub passages: usize,
    /// Which questions: an artifact, or a retrieval set's folder.
    pub questions: String,
    /// Whether they were made from the documents.
    pub synthetic: bool,
    /// How often they were looked at, that time included.
    pub looks: u32,
    /// What each system scored.
    pub systems: Vec<System>,
    /// What the differences are worth.
    pub deltas: Vec<Delta>,
    /// Each question's ranks, in the order of the questions.
    #[serde(skip)]
    pub per_query: Vec<PerQuery>,
    /// The arms, where vocabularies were compared.
    #[serde(skip)]
    pub ladder: Option<Ladder>,
}

impl Findings {
    /// Reads an evaluation's folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("metrics.json");
        let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
        let mut findings: Self = serde_json::from_str(&text).map_err(|error| broken(&path, &error.to_string()))?;
        let path = folder.join("per-query.jsonl");
        let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let row =
                serde_json::from_str(line).map_err(|error| broken(&path, &format!("line {}: {error}", at + 1)))?;
            findings.per_query.push(row);
        }
        findings.ladder = Ladder::read(folder)?;
        Ok(findings)
    }

    /// A system by its kind: of several bases, word rankings and fusions the first, of several tuned models the last, as
    /// the differences are reckoned.
    pub fn of_kind(&self, kind: SystemKind) -> Option<&System> {
        let mut of = self.systems.iter().filter(|system| system.kind == kind);
        if kind == SystemKind::Tuned { of.next_back() } else { of.next() }
    }

    /// The difference of two systems, whichever of them was reckoned against the other.
    pub fn delta(&self, a: &str, b: &str) -> Option<Delta> {
        let found = self.deltas.iter().find(|delta| delta.a == a && delta.b == b).cloned();
        found.or_else(|| self.deltas.iter().find(|delta| delta.a == b && delta.b == a).map(Delta::reversed))
    }
}

fn broken(path: &Path, problem: &str) -> Error {
    Error::malformed(path, format!("{problem}; judge the models anew with `lapidary evaluate`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_is_named_by_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let error = Findings::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("reading") && error.contains("metrics.json"), "{error}");
        std::fs::write(
            folder.path().join("metrics.json"),
            r#"{"queries":1,"passages":2,"questions":"q@v1","synthetic":true,"looks":3,"systems":[],"deltas":[]}"#,
        )
        .unwrap();
        std::fs::write(folder.path().join("per-query.jsonl"), "\n{\n").unwrap();
        let error = Findings::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("per-query.jsonl") && error.contains("line 2"), "{error}");
        std::fs::write(folder.path().join("per-query.jsonl"), "").unwrap();
        let findings = Findings::read(folder.path()).unwrap();
        assert_eq!((findings.queries, findings.looks, findings.synthetic), (1, 3, true));
    }
}
