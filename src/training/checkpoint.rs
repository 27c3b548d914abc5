//! Checkpoints: everything that a run needs to go on to the same losses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::average::Average;
use super::{AdamW, Error, Result, TrainingOptions};
use crate::encoder::Encoder;
use crate::workspace::{self, Digest, write_json_atomic};

/// Checkpoints kept beside the best one.
const KEPT: usize = 2;
const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const AVERAGE: &str = "average.safetensors";
const STATE: &str = "state.json";
const BEST: &str = "best";
const FINISHED: &str = "finished";

/// Where the checkpoints of a run are, and whether to go on from them.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    resume: bool,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// What settings, pairs and base it is a run of.
    pub(super) of: Digest,
    /// Steps taken.
    pub(super) step: usize,
    /// The dev score of the base.
    pub(super) base_dev: Option<f64>,
    /// The best dev score, and its step.
    #[serde(with = "exactly")]
    pub(super) best: Option<(f64, usize)>,
    /// Looks at dev since the best one.
    #[serde(default)]
    pub(super) waited: usize,
    /// The losses so far.
    pub(super) losses: Vec<f64>,
}

/// A score as text: read as a JSON number it may come back a hair off, and what ties with it would be better than it.
mod exactly {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[allow(clippy::ref_option)] // the signature is serde's
    pub(super) fn serialize<S: Serializer>(best: &Option<(f64, usize)>, to: S) -> Result<S::Ok, S::Error> {
        best.map(|(score, step)| (score.to_string(), step)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<(f64, usize)>, D::Error> {
        let best = Option::<(String, usize)>::deserialize(from)?;
        best.map(|(score, step)| Ok((score.parse().map_err(D::Error::custom)?, step))).transpose()
    }
}

impl Checkpoints {
    /// Checkpoints in a folder, which need not exist.
    pub fn new(folder: &Path, resume: bool) -> Self {
        Self { folder: folder.to_owned(), resume }
    }

    /// Whether a training would go on from one of these.
    pub fn go_on(&self) -> bool {
        self.resume && !self.steps().is_empty()
    }

    /// Those of one part of a training that has several.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self { folder: self.folder.join(name), resume: self.resume }
    }

    /// Keeps the parameters with which a part ended.
    pub fn finish(&self, encoder: &Encoder) -> Result<()> {
        self.publish(&self.folder.join(FINISHED), |staging| save_tensors(&weights(encoder), &staging.join(WEIGHTS)))
    }

    /// Sets the encoder to the parameters with which a part ended, if it is wanted to go on and the part did end.
    pub fn finished(&self, encoder: &Encoder) -> Result<bool> {
        let folder = self.folder.join(FINISHED);
        if !self.resume || !folder.is_dir() {
            return Ok(false);
        }
        load_weights(encoder, &folder)?;
        Ok(true)
    }

    /// Writes a checkpoint, whole or not at all, and removes the oldest. Returns its folder.
    pub(super) fn save(
        &self,
        encoder: &Encoder,
        optimizer: &AdamW,
        average: Option<&Average>,
        state: &State,
    ) -> Result<PathBuf> {
        let folder = self.folder.join(format!("step-{:08}", state.step));
        self.publish(&folder, |staging| {
            save_tensors(&weights(encoder), &staging.join(WEIGHTS))?;
            save_tensors(&optimizer.state(encoder.parameters())?, &staging.join(OPTIMIZER))?;
            if let Some(average) = average {
                save_tensors(average.tensors(), &staging.join(AVERAGE))?;
            }
            Ok(write_json_atomic(&staging.join(STATE), state)?)
        })?;
        let mut kept = self.steps();
        kept.truncate(kept.len().saturating_sub(KEPT));
        for old in kept {
            let _ = std::fs::remove_dir_all(old);
        }
        Ok(folder)
    }

    /// Keeps the parameters as the best so far.
    pub(super) fn save_best(&self, encoder: &Encoder) -> Result<PathBuf> {
        let folder = self.folder.join(BEST);
        self.publish(&folder, |staging| save_tensors(&weights(encoder), &staging.join(WEIGHTS)))?;
        Ok(folder)
    }

    /// Sets the encoder to the best parameters, every one of them.
    pub(super) fn load_best(&self, encoder: &Encoder) -> Result<()> {
        load_weights(encoder, &self.folder.join(BEST))
    }

    /// Goes on from the newest checkpoint, if that is wanted and there is one.
    pub(super) fn restore(
        &self,
        encoder: &Encoder,
        options: &TrainingOptions,
        of: &Digest,
    ) -> Result<Option<(AdamW, Option<Average>, State)>> {
        if !self.resume {
            return Ok(None);
        }
        let Some(folder) = self.steps().pop() else { return Ok(None) };
        let path = folder.join(STATE);
        let text = std::fs::read_to_string(&path).map_err(workspace::Error::io("reading", &path))?;
        let state: State = serde_json::from_str(&text)
            .map_err(|error| Error::BrokenCheckpoint { path: folder.clone(), problem: error.to_string() })?;
        if state.of != *of {
            return Err(Error::OtherCheckpoint(folder));
        }
        load_weights(encoder, &folder)?;
        let moments = load_tensors(&folder.join(OPTIMIZER), encoder.device())?;
        let average =
            |decay| Ok::<_, Error>(Average::restore(decay, load_tensors(&folder.join(AVERAGE), encoder.device())?));
        let average = options.ema.map(average).transpose()?;
        Ok(Some((AdamW::restore(options.optimizer, state.step, moments)?, average, state)))
    }

    /// The complete checkpoints, oldest first.
    fn steps(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-"));
        let mut steps: Vec<PathBuf> = entries.filter(named).collect();
        steps.sort();
        steps
    }

    /// Fills a folder aside and renames it into place.
    fn publish(&self, folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        std::fs::create_dir_all(&self.folder).map_err(workspace::Error::io("making", &self.folder))?;
        let staging = tempfile::Builder::new()
            .prefix(".staging-")
            .tempdir_in(&self.folder)
            .map_err(workspace::Error::io("making", &self.folder))?;
        fill(staging.path())?;
        // A folder cannot be renamed onto a full one: the old one steps aside first, and is back if the rename fails.
        let aside = staging.path().with_extension("old");
        let replaced = std::fs::rename(folder, &aside).is_ok();
        if let Err(error) = std::fs::rename(staging.path(), folder) {
            if replaced {
                let _ = std::fs::rename(&aside, folder);
            }
            return Err(workspace::Error::io("making", folder)(error).into());
        }
        let _ = staging.keep(); // its old name is gone: nothing is left to remove
        let _ = std::fs::remove_dir_all(&aside);
        Ok(())
    }
}

fn weights(encoder: &Encoder) -> BTreeMap<String, Tensor> {
    encoder.parameters().iter().map(|(name, var)| (name.to_owned(), var.as_detached_tensor())).collect()
}

fn save_tensors(tensors: &BTreeMap<String, Tensor>, path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::from(workspace::Error::io("writing", path)(error));
    let result = safetensors::tensor::serialize_to_file(
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)),
        None,
        path,
    );
    match result {
        Ok(()) => {}
        Err(safetensors::SafeTensorError::IoError(error)) => return Err(failed(error)),
        Err(error) => return Err(failed(std::io::Error::other(error))),
    }
    std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(failed)
}

fn load_tensors(path: &Path, device: &Device) -> Result<BTreeMap<String, Tensor>> {
    let tensors = candle_core::safetensors::load(path, device)
        .map_err(|error| Error::BrokenCheckpoint { path: path.to_owned(), problem: error.to_string() })?;
    Ok(tensors.into_iter().collect())
}

fn load_weights(encoder: &Encoder, folder: &Path) -> Result<()> {
    let path = folder.join(WEIGHTS);
    let tensors = load_tensors(&path, encoder.device())?;
    for (name, var) in encoder.parameters().iter() {
        let Some(tensor) = tensors.get(name) else {
            return Err(Error::BrokenCheckpoint { path, problem: format!("no tensor {name:?}") });
        };
        var.set(tensor)?;
    }
    Ok(())
}
