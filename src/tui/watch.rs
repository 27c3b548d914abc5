//! The thread that watches the workspace: runs, their events, artifacts. It polls: file systems over a network send no
//! notices, and a poll cannot miss anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::message::{Msg, RunEvents};
use super::shared::{Artifacts, Version};
use super::workers::Outbox;
use crate::progress::{Clock, SystemClock};
use crate::runs::{RunFolder, Status, Watcher};
use crate::workspace::{Artifact, Digest, Kind, Workspace};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Between two looks at the artifacts, where no run ended.
const LOOK_AT_ARTIFACTS: Duration = Duration::from_secs(3);
/// Events in one message.
const BATCH: usize = 5000;
/// The longest that reading one log may keep the others waiting.
const TURN: Duration = Duration::from_millis(50);
/// Looks between two looks at a run that is over.
const SELDOM: usize = 4;
/// Reading old logs, in one round.
const ROUND: Duration = Duration::from_millis(200);

/// Which runs are watched in full; shared with the thread.
#[derive(Debug, Clone, Default)]
pub struct Watched(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Watched {
    /// Watches these runs, and no others.
    pub fn set(&self, runs: Vec<String>) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = runs;
        self.0.1.notify_all();
    }

    /// Looks at once.
    pub fn nudge(&self) {
        self.0.1.notify_all();
    }

    fn get(&self) -> Vec<String> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wait(&self) {
        let guard = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.1.wait_timeout(guard, LOOK));
    }
}

/// Watches until nobody listens any more.
pub fn watch(workspace: &Workspace, watched: &Watched, outbox: &Outbox) {
    let clock = SystemClock::default();
    let mut watcher = WorkspaceWatcher::default();
    loop {
        let Some(more) = watcher.look(workspace, &watched.get(), outbox, &clock) else { return };
        if !more {
            watched.wait();
        }
    }
}

#[derive(Default)]
struct WorkspaceWatcher {
    runs: BTreeMap<String, Followed>,
    order: Vec<String>,
    artifacts: Artifacts,
    looked_at_artifacts: Option<Instant>,
    told: Vec<Told>,
    complaint: Option<String>,
    looks: usize,
}

struct Followed {
    watcher: Watcher,
    /// Whether its events are sent, not only folded into its status.
    in_full: bool,
    /// Whether the next batch is the first one sent.
    fresh: bool,
    failed: Option<String>,
}

/// What was said of a run: told again only where it changed.
#[derive(PartialEq)]
struct Told(String);

impl WorkspaceWatcher {
    /// One look at everything. `None`: nobody listens; else whether there is more to read at once.
    fn look(&mut self, workspace: &Workspace, wanted: &[String], outbox: &Outbox, clock: &SystemClock) -> Option<bool> {
        self.find_runs(workspace, outbox)?;
        self.looks += 1;
        let ended_before = self.ended();
        let mut more = false;
        let begun = Instant::now();
        // What is watched comes first, then the newest.
        let mut turns: Vec<String> = self.order.iter().rev().cloned().collect();
        turns.sort_by_key(|id| !wanted.contains(id));
        for id in turns {
            let in_full = wanted.contains(&id);
            if !in_full && begun.elapsed() > ROUND {
                more = true;
                break;
            }
            let Some(followed) = self.runs.get_mut(&id) else { continue };
            if in_full && !followed.in_full {
                let run = followed.watcher.run().clone();
                *followed = Followed { watcher: Watcher::open(&run), in_full, fresh: true, failed: None };
            }
            followed.in_full = in_full;
            let settled = !followed.watcher.status().state.is_live() && !followed.watcher.status().loading;
            // A run that is over may be resumed: it is looked at now and then.
            if settled && !in_full && followed.failed.is_none() && !self.looks.is_multiple_of(SELDOM) {
                continue;
            }
            match followed.watcher.poll(BATCH, TURN, clock.unix_ms()) {
                Ok(batch) => {
                    more |= batch.more;
                    followed.failed = None;
                    let news = !batch.events.is_empty() || batch.garbage > 0 || batch.reloaded || followed.fresh;
                    if in_full && news {
                        let reset = batch.reloaded || followed.fresh;
                        followed.fresh = false;
                        let events = RunEvents {
                            run: id.clone(),
                            events: batch.events,
                            garbage: batch.garbage,
                            reset,
                            more: batch.more,
                        };
                        if !outbox.send(Msg::Events(events)) {
                            return None;
                        }
                    }
                }
                Err(error) => followed.failed = Some(error.to_string()),
            }
        }
        self.tell(outbox)?;
        let stale = self.looked_at_artifacts.is_none_or(|at| at.elapsed() > LOOK_AT_ARTIFACTS);
        if stale || self.ended() != ended_before {
            self.looked_at_artifacts = Some(Instant::now());
            let artifacts = read_artifacts(workspace);
            if artifacts != self.artifacts {
                self.artifacts = artifacts.clone();
                if !outbox.send(Msg::Artifacts(artifacts)) {
                    return None;
                }
            }
        }
        Some(more)
    }

    fn find_runs(&mut self, workspace: &Workspace, outbox: &Outbox) -> Option<()> {
        if !workspace.root().join(crate::workspace::CONFIG_FILE).is_file() {
            let text = format!("{}: the workspace is gone; quit, or put it back", workspace.root().display());
            return self.complain(text, outbox);
        }
        match RunFolder::list(workspace) {
            Ok(runs) => {
                self.complaint = None;
                self.order = runs.iter().map(RunFolder::id).collect();
                self.runs.retain(|id, _| self.order.contains(id));
                for run in runs {
                    self.runs.entry(run.id()).or_insert_with(|| Followed {
                        watcher: Watcher::open(&run),
                        in_full: false,
                        fresh: true,
                        failed: None,
                    });
                }
                Some(())
            }
            Err(error) => self.complain(error.to_string(), outbox),
        }
    }

    /// Says what is wrong, once.
    fn complain(&mut self, text: String, outbox: &Outbox) -> Option<()> {
        if self.complaint.as_ref() == Some(&text) {
            return Some(());
        }
        self.complaint = Some(text.clone());
        outbox.send(Msg::Failed(text)).then_some(())
    }

    fn ended(&self) -> usize {
        self.runs.values().filter(|followed| !followed.watcher.status().state.is_live()).count()
    }

    fn tell(&mut self, outbox: &Outbox) -> Option<()> {
        let all: Vec<Status> = self
            .order
            .iter()
            .filter_map(|id| self.runs.get(id))
            .map(|followed| {
                let mut status = followed.watcher.status().clone();
                if let Some(failed) = &followed.failed {
                    status.problem = Some(failed.clone());
                }
                status
            })
            .collect();
        let told: Vec<Told> = all.iter().map(|status| Told(format!("{status:?}"))).collect();
        if told == self.told && self.looked_at_artifacts.is_some() {
            return Some(());
        }
        self.told = told;
        outbox.send(Msg::Runs(all)).then_some(())
    }
}

/// Everything that the workspace holds.
fn read_artifacts(workspace: &Workspace) -> Artifacts {
    let mut problems = Vec::new();
    let mut of = |kind: Kind| -> Vec<Artifact> {
        let mut found = workspace.list(kind).unwrap_or_else(|error| {
            problems.push(error.to_string());
            Vec::new()
        });
        found.sort_by_key(|artifact| std::cmp::Reverse((artifact.manifest.created_unix_ms, artifact.id.version)));
        found
    };
    let corpora = of(Kind::Corpus);
    let newest: Option<Digest> = corpora.first().map(|corpus| corpus.manifest.digest());
    let versions = |found: Vec<Artifact>| -> Vec<Version> {
        found.into_iter().map(|artifact| version(artifact, newest.as_ref())).collect()
    };
    let tokenizers = versions(of(Kind::Tokenizer));
    let pairs = versions(of(Kind::Pairs));
    let questions = versions(of(Kind::Questions));
    let models = versions(of(Kind::Model));
    let evaluations = versions(of(Kind::Evaluation));
    Artifacts { read: true, corpora: versions(corpora), tokenizers, pairs, questions, models, evaluations, problems }
}

fn version(artifact: Artifact, newest_corpus: Option<&Digest>) -> Version {
    let Artifact { id, path, manifest } = artifact;
    let of_corpus = manifest.inputs.iter().find(|input| input.role == "corpus");
    Version {
        kind: id.kind,
        reference: id.to_string(),
        path,
        made_ms: manifest.created_unix_ms,
        stale: of_corpus.is_some_and(|input| newest_corpus.is_some_and(|newest| *newest != input.sha256)),
        bytes: manifest.files.values().map(|file| file.bytes).sum(),
        job: manifest.job,
        settings: manifest.settings,
        inputs: manifest.inputs,
        details: manifest.details,
        looks: manifest.looks,
    }
}
