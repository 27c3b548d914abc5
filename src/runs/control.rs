//! `control.jsonl`: what other processes ask of a run.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::Result;
use crate::workspace::{append_line, short_id};

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Stop at the next safe point, resumably.
    Stop,
    /// Write a checkpoint at the next safe point and go on.
    Checkpoint,
    /// Begin nothing new until told to go on.
    Pause,
    /// Go on after a pause.
    Continue,
    /// Have so much under way at once.
    Concurrency(usize),
}

/// A request, with an id by which it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The id.
    pub id: String,
    /// What is asked.
    pub request: Wanted,
}

/// The requests of a run, as its job reads them.
#[derive(Debug)]
pub struct ControlLog {
    path: PathBuf,
    seen: Mutex<HashSet<String>>,
}

impl ControlLog {
    /// The control log at a path; requests made before now belong to an earlier life of the run.
    pub fn open(path: PathBuf) -> Self {
        let seen = read(&path).into_iter().map(|request| request.id).collect();
        Self { path, seen: Mutex::new(seen) }
    }

    /// The control log of a run in its first life: what was asked before it began is asked of it.
    pub fn of_first_life(path: PathBuf) -> Self {
        Self { path, seen: Mutex::default() }
    }

    /// The requests that came since the last call.
    pub fn poll(&self) -> Vec<Request> {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        read(&self.path).into_iter().filter(|request| seen.insert(request.id.clone())).collect()
    }

    /// Appends a request to a run's control log and returns its id.
    pub fn request(path: &Path, wanted: Wanted, unix_ms: u64) -> Result<String> {
        let kind = format!("{wanted:?}");
        let id = short_id(&[&unix_ms.to_string(), &std::process::id().to_string(), &kind]);
        let request = Request { id: id.clone(), request: wanted };
        append_line(path, &serde_json::to_string(&request).unwrap_or_default())?;
        Ok(id)
    }
}

fn read(path: &Path) -> Vec<Request> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
