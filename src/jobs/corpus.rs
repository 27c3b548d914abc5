//! Reading the documents into a new version of the corpus; a BEIR folder or a table of questions brings pairs and test
//! questions too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Context, Error, Result};
use crate::corpus::{self, Corpus, Summary, beir};
use crate::pairs::{self, PairSet};
use crate::progress::Event;
use crate::settings::{CorpusSettings, PairsImportSettings};
use crate::workspace::{Artifact, Kind, Source};

/// The name of the pairs and questions that a BEIR folder brings.
pub(super) const BEIR: &str = "beir";
/// The name of those that a table of questions brings.
const QUESTIONS: &str = "questions";

/// Read the documents.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CorpusJob {
    /// How.
    pub settings: CorpusSettings,
}

/// What was read.
#[derive(Debug, Clone, Serialize)]
pub struct CorpusReport {
    /// The workspace's folder.
    pub workspace: String,
    /// The artifact.
    pub artifact: String,
    /// What is in it, and what was left out.
    #[serde(flatten)]
    pub summary: Summary,
    /// The pairs that came with the documents.
    pub pairs: Option<String>,
    /// How many of them train, and how many choose the checkpoint.
    pub pair_counts: Option<[usize; 2]>,
    /// The test questions that came with the documents.
    pub questions: Option<String>,
    /// How many.
    pub question_count: Option<usize>,
    /// Questions that were left out, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: BTreeMap<String, usize>,
}

impl CorpusJob {
    /// Reads, cuts, finds duplicates, chooses folds; a cluster keeps the fold it had in the last version.
    pub fn run(&self, context: &Context<'_>) -> Result<CorpusReport> {
        let workspace = context.workspace;
        let source = &workspace.config().source;
        if let (Source::Beir(_), true) = (source, self.settings.folds.is_some() || self.settings.questions.is_some()) {
            return Err(Error::refused(
                "a retrieval set brings its own folds and questions: leave out --folds and --questions",
            ));
        }
        let previous = workspace.newest(Kind::Corpus).ok().map(|artifact| Corpus::open(&artifact.path)).transpose()?;
        let staged = workspace.stage(Kind::Corpus, "corpus")?;
        let summary = corpus::build(source, &self.settings, previous.as_ref(), staged.path(), context.observer)?;
        let details = serde_json::to_value(&summary).unwrap_or_default();
        let artifact = context.commit(staged, "corpus", &self.settings, Vec::new(), details)?;
        let mut report = CorpusReport {
            workspace: workspace.root().to_string_lossy().into_owned(),
            artifact: artifact.id.to_string(),
            summary,
            pairs: None,
            pair_counts: None,
            questions: None,
            question_count: None,
            rejected: BTreeMap::new(),
        };
        if let Source::Beir(folder) = source {
            let set = self.of_retrieval_set(context, &artifact, folder)?;
            self.keep(context, &artifact, BEIR, &set, &mut report)?;
        } else if let Some(table) = &self.settings.questions {
            let settings = PairsImportSettings { name: QUESTIONS.to_owned(), ..PairsImportSettings::default() };
            let corpus = Corpus::open(&artifact.path)?;
            let set = pairs::import(&[PathBuf::from(table)], &corpus, &settings, context.observer)?;
            self.keep(context, &artifact, QUESTIONS, &set, &mut report)?;
        }
        Ok(report)
    }

    fn of_retrieval_set(&self, context: &Context<'_>, artifact: &Artifact, folder: &Path) -> Result<PairSet> {
        context.observer.on(Event::phase("read questions"));
        let corpus = Corpus::open(&artifact.path)?;
        let passages = corpus.all_passages()?;
        let questions = beir::read_questions(folder, &passages, self.settings.dev_share, self.settings.seed)?;
        Ok(pairs::from_beir(&questions, &passages))
    }

    /// Writes what came with the documents: pairs, and test questions. A retrieval set has pairs even where there are none to
    /// train on; a table that holds only test questions makes no pairs.
    fn keep(
        &self,
        context: &Context<'_>,
        corpus: &Artifact,
        name: &str,
        set: &PairSet,
        report: &mut CorpusReport,
    ) -> Result<()> {
        let inputs = || vec![corpus.input("corpus")];
        report.rejected = set.rejected_by_reason();
        if name == BEIR || !set.train.is_empty() {
            let staged = context.workspace.stage(Kind::Pairs, name)?;
            set.write(staged.path())?;
            let mut details = json!({ "train": set.train.len(), "dev": set.dev.len(), "synthetic": false });
            if !report.rejected.is_empty() {
                details["rejected"] = json!(report.rejected);
            }
            let made = context.commit(staged, "corpus", &self.settings, inputs(), details)?;
            report.pairs = Some(made.id.to_string());
            report.pair_counts = Some([set.train.len(), set.dev.len()]);
        }
        if !set.test.is_empty() {
            let staged = context.workspace.stage(Kind::Questions, name)?;
            pairs::write_questions(staged.path(), &set.test)?;
            let details = json!({ "questions": set.test.len(), "synthetic": false });
            let made = context.commit(staged, "corpus", &self.settings, inputs(), details)?;
            report.questions = Some(made.id.to_string());
            report.question_count = Some(set.test.len());
        }
        Ok(())
    }
}
