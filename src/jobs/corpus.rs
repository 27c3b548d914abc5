//! Reading the documents into a new version of the corpus; a BEIR folder brings pairs and questions too.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Context, Result};
use crate::corpus::{self, Corpus, Summary, beir};
use crate::pairs;
use crate::progress::Event;
use crate::settings::CorpusSettings;
use crate::workspace::{Artifact, Kind, Source};

/// The name of the pairs and questions that a BEIR folder brings.
pub(super) const BEIR: &str = "beir";

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
}

impl CorpusJob {
    /// Reads, cuts, finds duplicates, chooses folds; a cluster keeps the fold it had in the last version.
    pub fn run(&self, context: &Context<'_>) -> Result<CorpusReport> {
        let workspace = context.workspace;
        let source = &workspace.config().source;
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
        };
        if let Source::Beir(folder) = source {
            self.take_questions(context, &artifact, folder, &mut report)?;
        }
        Ok(report)
    }

    fn take_questions(
        &self,
        context: &Context<'_>,
        artifact: &Artifact,
        folder: &std::path::Path,
        report: &mut CorpusReport,
    ) -> Result<()> {
        context.observer.on(Event::phase("read questions"));
        let corpus = Corpus::open(&artifact.path)?;
        let passages = corpus.all_passages()?;
        let questions = beir::read_questions(folder, &passages, self.settings.dev_share, self.settings.seed)?;
        let set = pairs::from_beir(&questions, &passages);
        let inputs = || vec![artifact.input("corpus")];

        let staged = context.workspace.stage(Kind::Pairs, BEIR)?;
        set.write(staged.path())?;
        let details = json!({ "train": set.train.len(), "dev": set.dev.len(), "synthetic": false });
        let made = context.commit(staged, "corpus", &self.settings, inputs(), details)?;
        report.pairs = Some(made.id.to_string());
        report.pair_counts = Some([set.train.len(), set.dev.len()]);

        if !set.test.is_empty() {
            let staged = context.workspace.stage(Kind::Questions, BEIR)?;
            pairs::write_questions(staged.path(), &set.test)?;
            let details = json!({ "questions": set.test.len(), "synthetic": false });
            let made = context.commit(staged, "corpus", &self.settings, inputs(), details)?;
            report.questions = Some(made.id.to_string());
            report.question_count = Some(set.test.len());
        }
        Ok(())
    }
}
