//! What a training needs to go on to the same tokenizer: the counted words and the merges so far.
//!
//! The words are written once, when they are counted; before that, each checkpoint adds what was counted since the last.
//! The rest is one small file, replaced whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::count::{Progress, Words};
use super::looks::Looks;
use super::merges::Pair;
use super::sorted::SortedFile;
use crate::progress::{Event, Observer};
use crate::tokenizer::{Error, Result};
use crate::workspace::Digest;

const STATE: &str = "state.json";
/// Of the state file.
const VERSION: u32 = 1;

/// Where the checkpoints of a training are, and whether to go on from them.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    resume: bool,
    of: Digest,
}

/// How far a training is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// What settings and texts it is a training of.
    of: Digest,
    pub(super) progress: Progress,
    /// Whether all words are counted, and in the files.
    pub(super) counted: bool,
    pub(super) merges: Vec<Pair>,
}

impl Checkpoints {
    /// Checkpoints in a folder, which need not exist, of a training with these settings on these texts.
    pub fn new(folder: &Path, resume: bool, of: Digest) -> Self {
        Self { folder: folder.to_owned(), resume, of }
    }

    /// Removes them: the training has ended.
    pub fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The state to go on from: the one that was saved, or a new one.
    pub(super) fn restore(&self, observer: &dyn Observer) -> Result<State> {
        let new = State {
            version: VERSION,
            of: self.of.clone(),
            progress: Progress::default(),
            counted: false,
            merges: Vec::new(),
        };
        if !self.resume {
            self.remove();
            return Ok(new);
        }
        let Ok(bytes) = std::fs::read(self.folder.join(STATE)) else { return Ok(new) };
        let state = serde_json::from_slice::<State>(&bytes).ok().filter(|state| state.version == VERSION);
        let mut looks = Looks::new(observer);
        let why = match &state {
            None => "the checkpoint cannot be read",
            Some(state) if state.of != self.of => "the documents or settings are not those of the checkpoint",
            Some(state) => {
                let mut whole = true;
                for file in &state.progress.files {
                    whole = whole && file.is_whole(&self.folder, &mut looks)?;
                }
                if whole { "" } else { "the checkpoint's words are not whole" }
            }
        };
        match state {
            Some(state) if why.is_empty() => Ok(state),
            _ => {
                observer.on(Event::warning(format!("{why}: the training begins anew")));
                self.remove();
                Ok(new)
            }
        }
    }

    /// Keeps all words, once they are counted.
    pub(super) fn keep_words(&self, words: &Words, state: &mut State, looks: &mut Looks<'_>) -> Result<()> {
        if let Words::Table(table) = words {
            let file = SortedFile::write_in_order(&self.folder, "words".to_owned(), table.iter(), looks)?;
            state.progress.files = vec![file];
        }
        state.counted = true;
        self.save(state)
    }

    /// Writes the state, whole or not at all. The disk is not waited for: who stops waits no longer than that takes, and
    /// what a power cut leaves broken is noticed.
    pub(super) fn save(&self, state: &State) -> Result<()> {
        let path = self.folder.join(STATE);
        let text = serde_json::to_vec(state).map_err(|error| crate::workspace::Error::malformed(&path, error))?;
        let failed = |source| Error::Io { doing: "writing", path: path.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut staged = tempfile::Builder::new().prefix(".writing-").tempfile_in(&self.folder).map_err(failed)?;
        staged.write_all(&text).map_err(failed)?;
        staged.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// A checkpoint, as it is told.
    pub(super) fn event(&self, state: &State) -> Event {
        Event::Checkpoint { step: state.merges.len() as u64, path: self.folder.display().to_string(), best: false }
    }
}
