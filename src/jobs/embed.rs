//! Writing the corpus's vectors for an index.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Context, Result};
use crate::corpus::Corpus;
use crate::encoder::{Encoder, Role};
use crate::evaluation;
use crate::export;
use crate::settings::Precision;
use crate::workspace::Kind;

/// Embed every passage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EmbedJob {
    /// The model; none: the newest tuned one.
    pub model: Option<String>,
    /// The file: `.npy` or `.parquet`.
    pub to: PathBuf,
    /// The format of matrix products; none: f32.
    #[serde(default)]
    pub precision: Option<Precision>,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct EmbedReport {
    /// The model.
    pub model: String,
    /// The file.
    pub file: String,
    /// Its rows.
    pub passages: usize,
    /// Its columns.
    pub dim: usize,
    /// How fast, from tokenizing on; huge where the cache had them.
    pub passages_per_s: f64,
}

impl EmbedJob {
    /// Embeds and writes.
    pub fn run(&self, context: &Context<'_>) -> Result<EmbedReport> {
        let model = match &self.model {
            Some(wanted) => context.model(wanted)?,
            None => evaluation::newest_tuned(context.workspace)?,
        };
        let passages = Corpus::open(&context.workspace.newest(Kind::Corpus)?.path)?.all_passages()?;
        let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
        let mut encoder = Encoder::load(&model.path, &context.place.device)?;
        context.set_precision(&mut encoder, self.precision.unwrap_or(Precision::F32))?;
        let begun = context.clock.monotonic();
        let embeddings = context.vectors().embed(&encoder, &model, &texts, Role::Passage, "passages")?;
        let seconds = context.clock.monotonic().checked_sub(begun).unwrap().as_secs_f64();
        let ids: Vec<&str> = passages.iter().map(|passage| passage.id.as_str()).collect();
        export::write_vectors(&self.to, &ids, &embeddings)?;
        Ok(EmbedReport {
            model: model.reference,
            file: self.to.to_string_lossy().into_owned(),
            passages: embeddings.len(),
            dim: embeddings.dim,
            passages_per_s: embeddings.len() as f64 / seconds.max(1e-9),
        })
    }
}
