//! What every job gets: a workspace, who watches, the clock, a device.

use std::path::PathBuf;

use candle_core::Device;
use serde_json::Value;

use super::{Error, Result};
use crate::progress::{Clock, Observer};
use crate::workspace::{Artifact, Input, Manifest, Staged, Workspace};

/// Where a job computes.
#[derive(Debug, Clone)]
pub struct Place {
    /// The device.
    pub device: Device,
    /// What it is called: `cpu`, `cuda:0`, `metal`.
    pub name: String,
}

impl Place {
    /// The place that `auto`, `cpu`, `cuda`, `cuda:N` or `metal` names.
    pub fn find(wanted: &str) -> Result<Self> {
        let cuda =
            |ordinal: usize| Device::new_cuda(ordinal).map(|device| Self { device, name: format!("cuda:{ordinal}") });
        let metal = || Device::new_metal(0).map(|device| Self { device, name: "metal".to_owned() });
        let cpu = Self { device: Device::Cpu, name: "cpu".to_owned() };
        match wanted {
            "cpu" => Ok(cpu),
            "auto" if cfg!(feature = "cuda") => Ok(cuda(0).unwrap_or(cpu)),
            "auto" if cfg!(feature = "metal") => Ok(metal().unwrap_or(cpu)),
            "auto" => Ok(cpu),
            "metal" => metal().map_err(|error| refuse("metal", &error)),
            _ => {
                let ordinal = wanted.strip_prefix("cuda").map(|rest| rest.strip_prefix(':').unwrap_or("0"));
                let Some(Ok(ordinal)) = ordinal.map(str::parse) else {
                    return Err(Error::refused(format!("--device {wanted}: must be auto, cpu, cuda, cuda:N or metal")));
                };
                cuda(ordinal).map_err(|error| refuse("cuda", &error))
            }
        }
    }
}

fn refuse(feature: &str, error: &candle_core::Error) -> Error {
    let built = (feature == "cuda" && cfg!(feature = "cuda")) || (feature == "metal" && cfg!(feature = "metal"));
    if built {
        Error::refused(format!("cannot use {feature}: {error}; `--device cpu` works everywhere"))
    } else {
        let remedy = format!("build with `--features {feature}`, or use `--device cpu`");
        Error::refused(format!("this lapidary was built without {feature}: {remedy}"))
    }
}

/// What a job works with.
pub struct Context<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// Who watches, and may ask to stop.
    pub observer: &'a dyn Observer,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where to compute.
    pub place: &'a Place,
    /// Where to keep checkpoints.
    pub checkpoints: PathBuf,
    /// Whether to go on from the checkpoints that are there.
    pub resume: bool,
}

impl Context<'_> {
    /// Commits an artifact with a manifest that says what made it.
    pub(super) fn commit(
        &self,
        staged: Staged,
        job: &str,
        settings: &impl serde::Serialize,
        inputs: Vec<Input>,
        details: Value,
    ) -> Result<Artifact> {
        let manifest = Manifest::new(job, settings, &self.place.name, inputs, details, self.clock.unix_ms());
        Ok(staged.commit(manifest)?)
    }

    pub(super) fn check_stop(&self) -> Result<()> {
        if self.observer.stop_requested() { Err(Error::Stopped) } else { Ok(()) }
    }
}
