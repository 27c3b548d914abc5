//! What a server was told, and what it remembers of its requests and of the models in memory.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::clients::Client;
use super::models::Model;
use super::questions::mix;
use super::slots::{Line, Slot};
use super::{Reply, Request, Seen};

pub(super) struct Server {
    pub(super) slots: usize,
    pub(super) queue: usize,
    pub(super) answer_after: Duration,
    pub(super) chunks: usize,
    pub(super) keep_bodies: bool,
    pub(super) script: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    pub(super) port: u16,
    pub(super) running: AtomicBool,
    pub(super) models: Mutex<Vec<Model>>,
    pub(super) clients: Mutex<Vec<Weak<Client>>>,
    pub(super) line: Mutex<Line>,
    pub(super) log: Mutex<Log>,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) seen: Vec<Seen>,
    attempts: HashMap<u64, usize>,
    pub(super) loaded: Vec<String>,
    pub(super) loads: Vec<(String, Instant)>,
    pub(super) unloads: Vec<(String, Instant)>,
    pub(super) pulls: Vec<String>,
}

impl Server {
    pub(super) fn note(&self, path: &str, body: Value, passage: String) -> Request {
        let mut log = self.log.lock().unwrap();
        let (body, hash) = (Arc::new(body), mix(0, &passage));
        let attempts = log.attempts.entry(hash).or_default();
        let attempt = *attempts;
        *attempts += 1;
        let number = log.seen.len();
        log.seen.push(Seen {
            path: path.to_owned(),
            body: if self.keep_bodies { Arc::clone(&body) } else { Arc::default() },
            passage: passage.chars().take(40).collect(),
            hash,
            began: Instant::now(),
            ended: None,
            status: 0,
            hung_up: false,
        });
        Request { path: path.to_owned(), body, passage, number, attempt }
    }

    /// Before the last bytes of an answer, so that a client that has it all finds it noted.
    pub(super) fn end(&self, request: &Request, status: u16) {
        let seen = &mut self.log.lock().unwrap().seen[request.number];
        (seen.status, seen.ended) = (status, Some(Instant::now()));
    }

    /// Ends an answer for which a slot was used.
    pub(super) fn settle(&self, slot: Slot, request: &Request, status: u16, model: &Model) {
        drop(slot);
        if leaves(&request.body) {
            self.unload(&model.name);
        }
        self.end(request, status);
    }

    pub(super) fn unload(&self, name: &str) {
        let mut log = self.log.lock().unwrap();
        log.loaded.retain(|loaded| loaded != name);
        log.unloads.push((name.to_owned(), Instant::now()));
    }
}

impl Log {
    pub(super) fn load(&mut self, name: &str) {
        if !self.loaded.iter().any(|loaded| loaded == name) {
            self.loaded.push(name.to_owned());
        }
    }
}

/// Whether the model is to leave memory after the request.
pub(super) fn leaves(body: &Value) -> bool {
    let keep = &body["keep_alive"];
    *keep == 0 || keep.as_str().is_some_and(|keep| keep.trim_end_matches(['s', 'm', 'h']) == "0")
}
