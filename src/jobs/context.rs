//! What every job gets: a workspace, who watches, the clock, a device.

use std::path::PathBuf;

use serde_json::Value;

use super::{Error, Result};
use crate::encoder::reference::{self, Found};
use crate::encoder::{Encoder, Place, Tokens, Vectors};
use crate::progress::{Clock, Event, Observer};
use crate::settings::Precision;
use crate::workspace::{Artifact, Input, Manifest, Staged, Workspace};

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

    /// The model that a reference names, downloaded from the hub where it is one of the hub's.
    pub(super) fn model(&self, wanted: &str) -> Result<Found> {
        reference::download(wanted, self.observer)?;
        Ok(reference::model(self.workspace, wanted)?)
    }

    /// Embeds through the workspace's cache.
    pub(super) fn vectors(&self) -> Vectors<'_> {
        Vectors { workspace: self.workspace, place: self.place.first(), observer: self.observer }
    }

    /// Tokenizes through the workspace's cache.
    pub(super) fn tokens(&self) -> Tokens<'_> {
        Tokens { workspace: self.workspace }
    }

    /// Lets an encoder compute in a format, or in f32 and with a warning where its device has no such products.
    pub(super) fn set_precision(&self, encoder: &mut Encoder, wanted: Precision) -> Result<()> {
        let served = encoder.serves(wanted)?;
        if !served {
            let text = format!("{} has no bf16 products for this model: f32 instead", self.place.name);
            self.observer.on(Event::warning(text));
        }
        encoder.set_precision(if served { wanted } else { Precision::F32 });
        Ok(())
    }

    pub(super) fn check_stop(&self) -> Result<()> {
        if self.observer.stop_requested() { Err(Error::Stopped) } else { Ok(()) }
    }
}
