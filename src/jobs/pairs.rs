//! Making training pairs: from the documents' structure, by a local language model, or from the user's files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::synthesis::SynthesisReport;
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
    pub rejected: BTreeMap<String, usize>,
    /// How a language model made them, if one did.
    #[serde(flatten)]
    pub synthesis: Option<SynthesisReport>,
}

impl PairsStructuralJob {
    /// Builds, filters, writes.
    pub fn run(&self, context: &Context<'_>) -> Result<PairsReport> {
        let artifact = context.workspace.newest(Kind::Corpus)?;
        let corpus = Corpus::open(&artifact.path)?;
        let set = pairs::structural(&corpus, &self.settings, context.observer)?;
        let made = Made { corpus: &artifact, name: &self.settings.name, synthetic: true, job: "pairs-structural" };
        made.write(context, &set, &self.settings, &Value::Null)
    }
}

impl PairsImportJob {
    /// Reads, matches to the corpus, filters, writes.
    pub fn run(&self, context: &Context<'_>) -> Result<PairsReport> {
        let artifact = context.workspace.newest(Kind::Corpus)?;
        let corpus = Corpus::open(&artifact.path)?;
        let set = pairs::import(&self.files, &corpus, &self.settings, context.observer)?;
        let made = Made { corpus: &artifact, name: &self.settings.name, synthetic: false, job: "pairs-import" };
        made.write(context, &set, self, &Value::Null)
    }
}

/// Where pairs come from, as their artifacts say it.
pub(super) struct Made<'a> {
    pub(super) corpus: &'a Artifact,
    pub(super) name: &'a str,
    /// Whether they were made rather than asked by people.
    pub(super) synthetic: bool,
    pub(super) job: &'a str,
}

impl Made<'_> {
    /// Writes the pairs, and the test questions beside them. `more` is added to what the pairs' manifest tells.
    pub(super) fn write(
        &self,
        context: &Context<'_>,
        set: &PairSet,
        settings: &impl Serialize,
        more: &Value,
    ) -> Result<PairsReport> {
        let rejected = set.rejected_by_reason();
        if set.train.is_empty() {
            let reasons: Vec<String> = rejected.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
            let reasons =
                if reasons.is_empty() { "nothing was found to make pairs of".to_owned() } else { reasons.join(", ") };
            return Err(Error::refused(format!(
                "no pairs to train on ({reasons}): change what rejects them, or import your own with `lapidary pairs import FILE`"
            )));
        }
        let staged = context.workspace.stage(Kind::Pairs, self.name)?;
        set.write(staged.path())?;
        let mut details = json!({
            "train": set.train.len(), "dev": set.dev.len(), "rejected": rejected, "synthetic": self.synthetic,
        });
        if let (Value::Object(details), Value::Object(more)) = (&mut details, more) {
            details.extend(more.clone());
        }
        let inputs = vec![self.corpus.input("corpus")];
        let made = context.commit(staged, self.job, settings, inputs, details)?;
        let mut questions = None;
        if !set.test.is_empty() {
            let staged = context.workspace.stage(Kind::Questions, self.name)?;
            pairs::write_questions(staged.path(), &set.test)?;
            let details = json!({ "questions": set.test.len(), "synthetic": self.synthetic });
            let inputs = vec![self.corpus.input("corpus"), made.input("pairs")];
            questions = Some(context.commit(staged, self.job, settings, inputs, details)?.id.to_string());
        }
        Ok(PairsReport {
            artifact: made.id.to_string(),
            questions,
            kept: set.train.len() + set.dev.len() + set.test.len(),
            train: set.train.len(),
            dev: set.dev.len(),
            test: set.test.len(),
            rejected,
            synthesis: None,
        })
    }
}
