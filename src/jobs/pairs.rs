//! Making training pairs: from the documents' structure, or from the user's files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Context, Error, Result};
use crate::corpus::Corpus;
use crate::pairs::{self, PairSet};
use crate::settings::{PairsImportSettings, PairsSettings};
use crate::workspace::{Artifact, Kind};

/// Make pairs from titles, headings and sentences.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PairsStructuralJob {
    /// How.
    pub settings: PairsSettings,
}

/// Import the user's own pairs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PairsImportJob {
    /// The files.
    pub files: Vec<PathBuf>,
    /// How.
    pub settings: PairsImportSettings,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct PairsReport {
    /// The pairs.
    pub artifact: String,
    /// The test questions that were made beside them.
    pub questions: Option<String>,
    /// Rows kept, test questions included.
    pub kept: usize,
    /// Rows to train on.
    pub train: usize,
    /// Rows that choose the checkpoint.
    pub dev: usize,
    /// Test questions.
    pub test: usize,
    /// What each filter rejected.
    pub rejected: std::collections::BTreeMap<String, usize>,
}

impl PairsStructuralJob {
    /// Builds, filters, writes.
    pub fn run(&self, context: &Context<'_>) -> Result<PairsReport> {
        let artifact = context.workspace.newest(Kind::Corpus)?;
        let corpus = Corpus::open(&artifact.path)?;
        let set = pairs::structural(&corpus, &self.settings, context.observer)?;
        write(context, &artifact, &set, &self.settings.name, true, "pairs-structural", &self.settings)
    }
}

impl PairsImportJob {
    /// Reads, matches to the corpus, filters, writes.
    pub fn run(&self, context: &Context<'_>) -> Result<PairsReport> {
        let artifact = context.workspace.newest(Kind::Corpus)?;
        let corpus = Corpus::open(&artifact.path)?;
        let set = pairs::import(&self.files, &corpus, &self.settings, context.observer)?;
        write(context, &artifact, &set, &self.settings.name, false, "pairs-import", self)
    }
}

fn write(
    context: &Context<'_>,
    corpus: &Artifact,
    set: &PairSet,
    name: &str,
    synthetic: bool,
    job: &str,
    settings: &impl Serialize,
) -> Result<PairsReport> {
    let rejected = set.rejected_by_reason();
    if set.train.is_empty() {
        let reasons: Vec<String> = rejected.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
        let reasons =
            if reasons.is_empty() { "nothing was found to make pairs of".to_owned() } else { reasons.join(", ") };
        return Err(Error::refused(format!(
            "no pairs to train on ({reasons}): import your own with `lapidary pairs import FILE`"
        )));
    }
    let staged = context.workspace.stage(Kind::Pairs, name)?;
    set.write(staged.path())?;
    let details =
        json!({ "train": set.train.len(), "dev": set.dev.len(), "rejected": rejected, "synthetic": synthetic });
    let made = context.commit(staged, job, settings, vec![corpus.input("corpus")], details)?;
    let mut questions = None;
    if !set.test.is_empty() {
        let staged = context.workspace.stage(Kind::Questions, name)?;
        pairs::write_questions(staged.path(), &set.test)?;
        let details = json!({ "questions": set.test.len(), "synthetic": synthetic });
        let inputs = vec![corpus.input("corpus"), made.input("pairs")];
        questions = Some(context.commit(staged, job, settings, inputs, details)?.id.to_string());
    }
    Ok(PairsReport {
        artifact: made.id.to_string(),
        questions,
        kept: set.train.len() + set.dev.len() + set.test.len(),
        train: set.train.len(),
        dev: set.dev.len(),
        test: set.test.len(),
        rejected,
    })
}
