//! Pairs by a language model: a server that speaks Ollama's format over HTTP, in good days and bad.

mod asking;
mod faults;
mod servers;

use std::collections::HashMap;

use serde_json::Value;

use crate::support::Place;
use crate::support::ollama::{Ollama, Seen};

/// The model of the tests' servers.
const MODEL: &str = "qwen3:8b";

impl Place {
    /// A synthesis at these servers.
    pub(super) fn synthesis(&self, servers: &[&Ollama], more: &[&str]) -> assert_cmd::Command {
        let mut command = self.call(&["pairs", "synthesize"]);
        for server in servers {
            command.arg("--endpoint").arg(server.url());
        }
        command.args(more);
        command
    }

    pub(super) fn lines(&self, artifact: &str, file: &str) -> Vec<Value> {
        let (name, version) = artifact.split_once('@').unwrap();
        let path = self.root.join("pairs").join(name).join(version).join(file);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(super) fn manifest(&self, kind: &str, artifact: &str) -> Value {
        let (name, version) = artifact.split_once('@').unwrap();
        let path = self.root.join(kind).join(name).join(version).join("manifest.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// The passages of the corpus, by id.
    pub(super) fn passages(&self) -> HashMap<String, Value> {
        let text = std::fs::read_to_string(self.root.join("corpus/v1/passages.jsonl")).unwrap();
        let passages = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        passages.map(|passage| (passage["id"].as_str().unwrap().to_owned(), passage)).collect()
    }

    /// Everything that the runs have logged, one text a line.
    pub(super) fn logged(&self) -> String {
        let mut text = String::new();
        for run in std::fs::read_dir(self.root.join("runs")).unwrap() {
            text.push_str(&std::fs::read_to_string(run.unwrap().path().join("events.jsonl")).unwrap_or_default());
        }
        text
    }
}

/// How often each passage was asked about.
fn times(seen: &[Seen]) -> HashMap<u64, usize> {
    let mut times = HashMap::new();
    for request in seen {
        *times.entry(request.hash).or_insert(0) += 1;
    }
    times
}
