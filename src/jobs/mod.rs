//! One file a job: read the workspace, call the domain, write an artifact.
//!
//! A [`Job`] is a name and complete settings, so that it can be written down, started by another process, and
//! resumed. It does not know whether it runs in a run, nor who watches it: all it gets is a [`Context`].

mod align;
mod compare;
mod context;
mod corpus;
mod distill;
mod embed;
mod evaluate;
mod export;
mod fit;
mod imitation;
mod inspect;
mod ladder;
mod pairs;
mod review;
mod splitting;
mod synthesis;
mod tokenizer;
mod tune;

pub use align::{AlignJob, AlignReport};
pub use compare::{Compared, compare};
pub use context::Context;
pub use corpus::{CorpusJob, CorpusReport};
pub use distill::{DistillJob, DistillReport};
pub use embed::{EmbedJob, EmbedReport};
pub use evaluate::{EvaluateJob, EvaluateReport};
pub use export::{ExportJob, ExportReport, Target};
pub use fit::{LanguageFit, fit};
pub use inspect::{InspectReport, inspect};
pub use ladder::{LadderJob, LadderReport, Proof, Proven};
pub use pairs::{PairsImportJob, PairsReport, PairsStructuralJob};
pub use review::{ReviewJob, ReviewReport};
pub use splitting::{Resplit, Splitting, TokenizerChange, tokenizer_change};
pub use synthesis::{PairsSynthesisJob, SynthesisReport};
pub use tokenizer::{TokenizerJob, TokenizerReport};
pub use tune::{DimScore, TuneJob, TuneReport};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What can go wrong in a job.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The workspace.
    #[error(transparent)]
    Workspace(#[from] crate::workspace::Error),
    /// A setting.
    #[error(transparent)]
    Setting(#[from] crate::settings::SettingError),
    /// The documents.
    #[error(transparent)]
    Corpus(#[from] crate::corpus::Error),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] crate::tokenizer::Error),
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] crate::encoder::Error),
    /// Ranking.
    #[error(transparent)]
    Retrieval(#[from] crate::retrieval::Error),
    /// Judging.
    #[error(transparent)]
    Evaluation(#[from] crate::evaluation::Error),
    /// The pairs.
    #[error(transparent)]
    Pairs(#[from] crate::pairs::Error),
    /// Training.
    #[error(transparent)]
    Training(#[from] crate::training::Error),
    /// Export.
    #[error(transparent)]
    Export(#[from] crate::export::Error),
    /// Something that the job itself found.
    #[error("{0}")]
    Refused(String),
    /// Stopped on request.
    #[error("stopped on request")]
    Stopped,
}

/// The result of a job.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }

    /// Whether the work stopped because it was asked to, at whatever depth.
    pub const fn is_stop(&self) -> bool {
        match self {
            Self::Training(error) => error.is_stop(),
            Self::Stopped
            | Self::Corpus(crate::corpus::Error::Stopped)
            | Self::Tokenizer(crate::tokenizer::Error::Stopped)
            | Self::Encoder(
                crate::encoder::Error::Stopped | crate::encoder::Error::Hub(crate::encoder::hub::Error::Stopped),
            )
            | Self::Pairs(crate::pairs::Error::Stopped) => true,
            _ => false,
        }
    }
}

/// A job with its complete settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "job", content = "settings", rename_all = "kebab-case")]
pub enum Job {
    /// Read the documents.
    Corpus(CorpusJob),
    /// Train a tokenizer.
    Tokenizer(TokenizerJob),
    /// Make pairs from the documents' structure.
    PairsStructural(PairsStructuralJob),
    /// Let a language model make pairs.
    PairsSynthesize(PairsSynthesisJob),
    /// Import the user's pairs.
    PairsImport(PairsImportJob),
    /// Finish a review of pairs.
    PairsReview(ReviewJob),
    /// Change a vocabulary and align.
    Align(AlignJob),
    /// Distill an encoder.
    Distill(DistillJob),
    /// Fine-tune an encoder.
    Tune(TuneJob),
    /// Compare vocabularies.
    Ladder(LadderJob),
    /// Judge models.
    Evaluate(EvaluateJob),
    /// Embed the corpus.
    Embed(EmbedJob),
    /// Write a model for others.
    Export(ExportJob),
}

/// What a job returned.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Report {
    /// Of reading documents.
    Corpus(CorpusReport),
    /// Of a tokenizer.
    Tokenizer(TokenizerReport),
    /// Of pairs.
    Pairs(PairsReport),
    /// Of a review.
    Review(ReviewReport),
    /// Of alignment.
    Align(AlignReport),
    /// Of distillation.
    Distill(DistillReport),
    /// Of fine-tuning.
    Tune(TuneReport),
    /// Of comparing vocabularies.
    Ladder(LadderReport),
    /// Of judging.
    Evaluate(EvaluateReport),
    /// Of embedding.
    Embed(EmbedReport),
    /// Of an export.
    Export(ExportReport),
}

impl Report {
    /// The object that `--format json` prints.
    pub fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

impl Job {
    /// The job's name, as runs are called.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Corpus(_) => "corpus",
            Self::Tokenizer(_) => "tokenizer",
            Self::PairsStructural(_) => "pairs-structural",
            Self::PairsSynthesize(_) => "pairs-synthesize",
            Self::PairsImport(_) => "pairs-import",
            Self::PairsReview(_) => "pairs-review",
            Self::Align(_) => "align",
            Self::Distill(_) => "distill",
            Self::Tune(_) => "tune",
            Self::Ladder(_) => "ladder",
            Self::Evaluate(_) => "evaluate",
            Self::Embed(_) => "embed",
            Self::Export(_) => "export",
        }
    }

    /// Whether it trains for long on a device that it wants for itself: of these, one runs at a time.
    pub const fn trains(&self) -> bool {
        matches!(self, Self::Align(_) | Self::Distill(_) | Self::Ladder(_) | Self::Tune(_))
    }

    /// The job's settings, complete.
    pub fn settings(&self) -> Value {
        let whole = serde_json::to_value(self).unwrap_or(Value::Null);
        whole.get("settings").cloned().unwrap_or(Value::Null)
    }

    /// The job that a run's record describes.
    pub fn from_record(name: &str, settings: &Value) -> Result<Self> {
        serde_json::from_value(serde_json::json!({ "job": name, "settings": settings })).map_err(|error| {
            Error::refused(format!(
                "this lapidary cannot run the job {name:?} as its run records it: {error}; start it anew"
            ))
        })
    }

    /// Does the work.
    pub fn run(&self, context: &Context<'_>) -> Result<Report> {
        match self {
            Self::Corpus(job) => job.run(context).map(Report::Corpus),
            Self::Tokenizer(job) => job.run(context).map(Report::Tokenizer),
            Self::PairsStructural(job) => job.run(context).map(Report::Pairs),
            Self::PairsSynthesize(job) => job.run(context).map(Report::Pairs),
            Self::PairsImport(job) => job.run(context).map(Report::Pairs),
            Self::PairsReview(job) => job.run(context).map(Report::Review),
            Self::Align(job) => job.run(context).map(Report::Align),
            Self::Distill(job) => job.run(context).map(Report::Distill),
            Self::Tune(job) => job.run(context).map(Report::Tune),
            Self::Ladder(job) => job.run(context).map(Report::Ladder),
            Self::Evaluate(job) => job.run(context).map(Report::Evaluate),
            Self::Embed(job) => job.run(context).map(Report::Embed),
            Self::Export(job) => job.run(context).map(Report::Export),
        }
    }
}
