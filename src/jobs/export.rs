//! Writing a model for other tools, with a card that says what it scored and where it comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, Error, Result};
use crate::encoder::Encoder;
use crate::evaluation;
use crate::export::{self, Card};
use crate::progress::Event;
use crate::settings::Choice;
use crate::workspace::{Error as WorkspaceError, Input, Kind};

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A sentence-transformers folder.
    #[serde(rename = "st")]
    SentenceTransformers,
}

impl Choice for Target {
    const WORDS: &'static [&'static str] = &["st"];
    const ALL: &'static [Self] = &[Self::SentenceTransformers];
}

/// Write a model for other tools.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportJob {
    /// The model; none: the newest tuned one.
    pub model: Option<String>,
    /// The format.
    pub to: Target,
    /// The folder.
    pub dir: PathBuf,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    /// The model.
    pub model: String,
    /// The folder.
    pub folder: String,
    /// The files in it.
    pub files: Vec<String>,
}

impl ExportJob {
    /// Writes beside the folder, then renames: half an export is never there.
    pub fn run(&self, context: &Context<'_>) -> Result<ExportReport> {
        let model = match &self.model {
            Some(wanted) => context.model(wanted)?,
            None => evaluation::newest_tuned(context.workspace)?,
        };
        let taken =
            std::fs::read_dir(&self.dir).is_ok_and(|mut entries| entries.next().is_some()) || self.dir.is_file();
        if taken {
            return Err(Error::refused(format!("{}: exists and is not empty; name a new folder", self.dir.display())));
        }
        context.observer.on(Event::phase("export"));
        let encoder = Encoder::load(&model.path, &context.place.device)?;
        let measured = measured(context, &model.reference)?;
        let lineage = model.artifact.as_ref().map(|artifact| artifact.manifest.inputs.clone()).unwrap_or_default();
        let card =
            card(&model.reference, &lineage, model.artifact.as_ref().map(|a| &a.manifest.settings), measured.as_ref());

        let parent =
            self.dir.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), PathBuf::from);
        std::fs::create_dir_all(&parent).map_err(WorkspaceError::io("making", &parent))?;
        let staging = tempfile::Builder::new()
            .prefix(".exporting-")
            .tempdir_in(&parent)
            .map_err(WorkspaceError::io("making", &parent))?;
        let folder = staging.path().join("model");
        export::write_sentence_transformers(&encoder, &card.render(), &folder)?;
        let _ = std::fs::remove_dir(&self.dir);
        std::fs::rename(&folder, &self.dir).map_err(WorkspaceError::io("making", &self.dir))?;
        Ok(ExportReport {
            model: model.reference,
            folder: self.dir.to_string_lossy().into_owned(),
            files: export::list_files(&self.dir)?,
        })
    }
}

/// The newest evaluation in which the model took part.
fn measured(context: &Context<'_>, model: &str) -> Result<Option<Value>> {
    let mut evaluations = context.workspace.list(Kind::Evaluation)?;
    evaluations.sort_by_key(|artifact| artifact.manifest.created_unix_ms);
    let newest =
        evaluations.iter().rev().find(|artifact| artifact.manifest.inputs.iter().any(|input| input.reference == model));
    let Some(artifact) = newest else { return Ok(None) };
    let path = artifact.file("metrics.json");
    let text = std::fs::read_to_string(&path).map_err(WorkspaceError::io("reading", &path))?;
    serde_json::from_str(&text).map(Some).map_err(|error| WorkspaceError::malformed(path, error).into())
}

/// The card of a model.
pub(super) fn card(name: &str, lineage: &[Input], settings: Option<&Value>, measured: Option<&Value>) -> Card {
    Card {
        name: name.to_owned(),
        base: lineage.iter().find(|input| input.role == "base").map(|input| input.reference.clone()),
        lineage: lineage
            .iter()
            .map(|input| (input.role.clone(), input.reference.clone(), input.sha256.to_string()))
            .collect(),
        settings: settings.cloned(),
        metrics: measured.cloned(),
    }
}
