//! The thread that reads corpus and models and embeds passages, beside the worker that answers.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::library::Library;
use super::{Opening, Stage, SystemKind, SystemState};
use crate::encoder::{Embeddings, Encoder, Place, Role, Vectors};
use crate::evaluation::{Contender, base_of, contenders, newest_tuned};
use crate::progress::{Event, Observer};
use crate::tokenizer::{self, Tokenizer};
use crate::workspace::{Digest, Workspace, digest_file};

/// Progress is told this many times a second at most.
const TOLD_PER_S: f64 = 5.0;

/// A model that can rank.
pub(super) struct Dense {
    pub(super) encoder: Encoder,
    /// One row a passage of the library it was made for.
    pub(super) vectors: Embeddings,
    digest: Digest,
    library: Arc<Library>,
}

/// A tokenizer that splits queries, and who uses it.
pub(super) struct Splitter {
    pub(super) names: Vec<String>,
    pub(super) tokenizer: Result<Tokenizer, String>,
}

/// What an opening before has read.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) library: Option<Arc<Library>>,
    pub(super) models: Vec<Arc<Dense>>,
}

/// What the loader has done.
pub(super) enum Loaded {
    /// The passages are read, or cannot be.
    Library(Result<Arc<Library>, String>),
    /// The systems are known, and what one should know of them.
    Systems(Vec<SystemState>, Vec<String>),
    /// A model is so far.
    Stage(usize, Stage),
    /// A model can rank.
    Model(usize, Arc<Dense>),
    /// Tokenizers can split.
    Splitters(Vec<Splitter>),
    /// Nothing more comes; what went wrong, where it ended before its time.
    Ended(Option<String>),
}

/// A model's name and kind, and the model or why it cannot be found.
type Named = (String, SystemKind, Result<Contender, String>);

/// A thread that loads. Dropped, it is cancelled.
pub(super) struct Loader {
    loaded: Receiver<Loaded>,
    cancelled: Arc<AtomicBool>,
    ended: std::cell::Cell<bool>,
}

impl Loader {
    /// Starts to load.
    pub(super) fn start(
        workspace: Workspace,
        device: String,
        opening: Opening,
        questions: Option<String>,
        kept: Kept,
    ) -> Self {
        let (sender, loaded) = channel();
        let cancelled = Arc::new(AtomicBool::new(false));
        let load = Load { workspace, device, opening, questions, sender, cancelled: Arc::clone(&cancelled) };
        // Where no thread can be started, the channel ends, which is told.
        let _ = std::thread::Builder::new().name("workbench-load".to_owned()).spawn(move || load.run(kept));
        Self { loaded, cancelled, ended: std::cell::Cell::new(false) }
    }

    /// The next thing that is done, if any.
    pub(super) fn take(&self) -> Option<Loaded> {
        if self.ended.get() {
            return None;
        }
        let loaded = match self.loaded.try_recv() {
            Ok(loaded) => loaded,
            Err(std::sync::mpsc::TryRecvError::Empty) => return None,
            Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                Loaded::Ended(Some("reading what to compare ended before its time: choose the models again".to_owned()))
            }
        };
        self.ended.set(matches!(loaded, Loaded::Ended(_)));
        Some(loaded)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

struct Load {
    workspace: Workspace,
    device: String,
    opening: Opening,
    questions: Option<String>,
    sender: Sender<Loaded>,
    cancelled: Arc<AtomicBool>,
}

impl Load {
    fn run(self, kept: Kept) {
        let Kept { library, models } = kept;
        let (contenders, notes) = self.contenders();
        let library = Library::read(&self.workspace, self.questions.as_deref(), library);
        let analyzer = library.as_ref().map_or("plain", |library| library.bm25.analyzer());
        let systems = systems(&contenders, analyzer);
        self.tell(Loaded::Systems(systems, notes));
        self.tell(Loaded::Library(library.clone()));
        self.tell(Loaded::Splitters(self.splitters(&contenders)));
        if let Ok(library) = library {
            let place = Place::find(&self.device).map_err(|error| error.to_string());
            for (at, (_, _, contender)) in contenders.iter().enumerate() {
                if self.cancelled.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(contender) = contender else { continue };
                match self.model(at, contender, &library, &models, place.as_ref()) {
                    Ok(dense) => self.tell(Loaded::Model(at, dense)),
                    Err(problem) => self.tell(Loaded::Stage(at, Stage::Failed(problem))),
                }
            }
        }
        self.tell(Loaded::Ended(None));
    }

    fn tell(&self, loaded: Loaded) {
        // Where nobody listens any more, the next look at `cancelled` ends it.
        let _ = self.sender.send(loaded);
    }

    /// The models to compare, and what one should know of them: one that is gone does not take the others with it.
    fn contenders(&self) -> (Vec<Named>, Vec<String>) {
        let text = |error: crate::encoder::Error| error.to_string();
        let mut notes = Vec::new();
        if !self.opening.models.is_empty() {
            let found = self.opening.models.iter().map(|name| match Contender::named(&self.workspace, name) {
                Ok(contender) => (contender.found.reference.clone(), contender.kind, Ok(contender)),
                Err(error) => (name.clone(), SystemKind::Tuned, Err(error.to_string())),
            });
            return (found.collect(), notes);
        }
        let listener = Warnings::default();
        let found = match contenders(&self.workspace, &[], &listener) {
            Ok(found) => found.into_iter().map(|it| (it.found.reference.clone(), it.kind, Ok(it))).collect(),
            Err(error) => match newest_tuned(&self.workspace) {
                // Its base is what cannot be found.
                Ok(tuned) => {
                    let base = base_of(&tuned).map_or("base", |(name, _)| name).to_owned();
                    let name = tuned.reference.clone();
                    let tuned = Contender { found: tuned, kind: SystemKind::Tuned };
                    vec![(base, SystemKind::Base, Err(text(error))), (name, SystemKind::Tuned, Ok(tuned))]
                }
                Err(error) => {
                    notes.push(error.to_string());
                    let base = Contender::named(&self.workspace, "embedded").map_err(text);
                    vec![("embedded".to_owned(), SystemKind::Base, base)]
                }
            },
        };
        notes.extend(listener.texts());
        (found, notes)
    }

    fn model(
        &self,
        at: usize,
        contender: &Contender,
        library: &Arc<Library>,
        kept: &[Arc<Dense>],
        place: Result<&Place, &String>,
    ) -> Result<Arc<Dense>, String> {
        let found = &contender.found;
        let same = |dense: &&Arc<Dense>| dense.digest == found.digest && Arc::ptr_eq(&dense.library, library);
        if let Some(dense) = kept.iter().find(same) {
            return Ok(Arc::clone(dense));
        }
        let place = place.map_err(Clone::clone)?;
        self.tell(Loaded::Stage(at, Stage::Loading));
        let text = |error: crate::encoder::Error| error.to_string();
        let encoder = Encoder::load(&found.path, &place.device).map_err(text)?;
        let watch = Embedding { load: self, at, clock: Mutex::new((Instant::now(), 0.0)) };
        let vectors = Vectors { workspace: &self.workspace, place: &place.name, observer: &watch };
        let vectors = vectors.embed(&encoder, found, &library.texts(), Role::Passage, "passages").map_err(text)?;
        Ok(Arc::new(Dense { encoder, vectors, digest: found.digest.clone(), library: Arc::clone(library) }))
    }

    /// The models' tokenizers and those asked for beside; who shares one is named together.
    fn splitters(&self, contenders: &[Named]) -> Vec<Splitter> {
        let of_models = contenders.iter().filter_map(|(name, _, found)| {
            let path = found.as_ref().ok()?.found.path.clone();
            Some((name.clone(), path))
        });
        let mut seen: Vec<Option<Digest>> = Vec::new();
        let mut splitters: Vec<Splitter> = Vec::new();
        for (name, path) in of_models.chain(self.opening.tokenizers.iter().cloned()) {
            let digest = digest_file(&tokenizer_file(&path)).ok();
            if let Some(at) = digest.as_ref().and_then(|digest| seen.iter().position(|it| it.as_ref() == Some(digest)))
            {
                splitters[at].names.push(name);
                continue;
            }
            let tokenizer = tokenizer::load(&path).map_err(|error| error.to_string());
            splitters.push(Splitter { names: vec![name], tokenizer });
            seen.push(digest);
        }
        splitters
    }
}

fn tokenizer_file(path: &Path) -> std::path::PathBuf {
    if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() }
}

/// The columns: the models, BM25, and BM25 with the last model.
fn systems(contenders: &[Named], analyzer: &str) -> Vec<SystemState> {
    let models = contenders.iter().map(|(name, kind, found)| SystemState {
        name: name.clone(),
        kind: *kind,
        stage: found.as_ref().map_or_else(|problem| Stage::Failed(problem.clone()), |_| Stage::Waiting),
    });
    let mut systems: Vec<SystemState> = models.collect();
    let fused = super::ranking::fused_model(&systems).map(|at| systems[at].name.clone());
    let name = format!("BM25 {analyzer}");
    systems.push(SystemState { name, kind: SystemKind::Bm25, stage: Stage::Loading });
    if let Some(fused) = fused {
        let name = format!("BM25 + {fused}, scores");
        systems.push(SystemState { name, kind: SystemKind::Fusion, stage: Stage::Waiting });
    }
    systems
}

/// Tells how far the embedding of passages is, and stops it where it is no longer wanted.
struct Embedding<'a> {
    load: &'a Load,
    at: usize,
    /// When it began, and when it was last told, in seconds from there.
    clock: Mutex<(Instant, f64)>,
}

impl Observer for Embedding<'_> {
    fn on(&self, event: Event) {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Phase { .. } => *clock = (Instant::now(), 0.0),
            Event::Progress { done, total: Some(total), .. } => {
                let elapsed = clock.0.elapsed().as_secs_f64();
                if elapsed - clock.1 < 1.0 / TOLD_PER_S {
                    return;
                }
                clock.1 = elapsed;
                let left_s = Some(elapsed / (done.max(1) as f64) * total.saturating_sub(done) as f64);
                let stage = Stage::Embedding { done: done as usize, total: total as usize, left_s };
                self.load.tell(Loaded::Stage(self.at, stage));
            }
            _ => {}
        }
    }

    fn stop_requested(&self) -> bool {
        self.load.cancelled.load(Ordering::Relaxed)
    }
}

/// Keeps warnings.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    fn texts(self) -> Vec<String> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Warnings {
    fn on(&self, event: Event) {
        if let Event::Warning { text } = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }
}
