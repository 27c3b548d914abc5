//! Finishing a review: what was said of pairs becomes the next version of them.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Context, Error, Result};
use crate::corpus::{Corpus, Fold};
use crate::pairs::{PairSet, ReviewCounts, Reviews, apply_reviews, extra_passages, read_set};
use crate::progress::Event;
use crate::workspace::{Artifact, Kind};

/// The job's name, as runs and manifests have it.
const JOB: &str = "pairs-review";
/// Broken lines named one by one before only their number is told.
const BROKEN_LINES_NAMED: usize = 5;
/// Passages between two reports of progress.
const REPORT_EVERY: usize = 1000;

/// Finish a review.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReviewJob {
    /// The pairs that were reviewed: an artifact's name; none: the newest.
    #[serde(default)]
    pub pairs: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewReport {
    /// The new version.
    pub artifact: String,
    /// The version that was reviewed.
    pub reviewed: String,
    /// Rows to train on.
    pub train: usize,
    /// Rows that choose the checkpoint.
    pub dev: usize,
    /// What was said, and what came of it.
    pub reviews: ReviewCounts,
    /// What is left out now, by reason.
    pub rejected: std::collections::BTreeMap<String, usize>,
}

impl ReviewJob {
    /// Reads the pairs and what was said of them, and writes their next version. The version that was reviewed stays.
    pub fn run(&self, context: &Context<'_>) -> Result<ReviewReport> {
        let workspace = context.workspace;
        let old = match &self.pairs {
            Some(reference) => workspace.resolve(Kind::Pairs, reference)?,
            None => workspace.newest(Kind::Pairs)?,
        };
        let reference = old.id.to_string();
        context.observer.on(Event::phase("read reviews"));
        let reviews = Reviews::read(workspace.root(), &reference)?;
        for broken in reviews.broken.iter().take(BROKEN_LINES_NAMED) {
            let text = format!("{}:{}: skipped: {}", broken.file, broken.line, broken.problem);
            context.observer.on(Event::warning(text));
        }
        if reviews.broken.len() > BROKEN_LINES_NAMED {
            let more = reviews.broken.len() - BROKEN_LINES_NAMED;
            context.observer.on(Event::warning(format!("{more} more lines that are no reviews were skipped")));
        }
        if reviews.is_empty() {
            return Err(Error::refused(format!(
                "nothing was reviewed yet in {reference}: accept, reject or edit questions in the workbench, pane 3 (`lapidary`)"
            )));
        }
        let set = read_set(&old.path)?;
        let folds = folds(context, &old, &set)?;
        context.observer.on(Event::phase("apply reviews"));
        let (set, counts) = apply_reviews(set, &reviews, &|passage| folds.get(passage).copied());
        self.tell(context, &reference, counts);
        if set.train.is_empty() {
            return Err(Error::refused(format!(
                "{reference}: after this review there is nothing left to train on: accept some of its questions again, or make other pairs"
            )));
        }
        let staged = workspace.stage(Kind::Pairs, &old.id.name)?;
        set.write(staged.path())?;
        let rejected = set.rejected_by_reason();
        let mut details = json!({
            "train": set.train.len(), "dev": set.dev.len(), "rejected": rejected, "reviews": counts,
        });
        if let Some(synthetic) = old.manifest.details.get("synthetic") {
            details["synthetic"] = Value::clone(synthetic);
        }
        let mut inputs = vec![old.input("pairs")];
        inputs.extend(old.manifest.inputs.iter().filter(|input| input.role == "corpus").cloned());
        let settings = Self { pairs: Some(reference.clone()) };
        let made = context.commit(staged, JOB, &settings, inputs, details)?;
        Ok(ReviewReport {
            artifact: made.id.to_string(),
            reviewed: reference,
            train: set.train.len(),
            dev: set.dev.len(),
            reviews: counts,
            rejected,
        })
    }

    /// Says what did not happen although it was wanted.
    #[allow(clippy::unused_self)] // reads as what the job says
    fn tell(&self, context: &Context<'_>, reference: &str, counts: ReviewCounts) {
        if counts.held_out > 0 {
            context.observer.on(Event::note(format!(
                "{} accepted questions stay out: their passages are held out, or another fold asks the same",
                counts.held_out
            )));
        }
        if counts.unknown > 0 {
            let text = format!("{} reviews are about questions that {reference} does not have", counts.unknown);
            context.observer.on(Event::warning(text));
        }
    }
}

/// The folds of the passages that rejected rows ask for: from the corpus that the pairs were made of; what test questions
/// brought along is held out too.
fn folds(context: &Context<'_>, pairs: &Artifact, set: &PairSet) -> Result<HashMap<String, Fold>> {
    let workspace = context.workspace;
    let wanted: HashSet<&str> = set.rejected.iter().flat_map(|rejected| rejected.row.passages()).collect();
    let of_corpus = pairs.manifest.inputs.iter().find(|input| input.role == "corpus");
    let corpus = match of_corpus.map(|input| workspace.resolve(Kind::Corpus, &input.reference)) {
        Some(Ok(corpus)) => corpus,
        _ => workspace.newest(Kind::Corpus)?,
    };
    let corpus = Corpus::open(&corpus.path)?;
    let total = corpus.documents()?.iter().map(|document| document.passages).sum::<usize>();
    let mut folds = HashMap::new();
    for (done, passage) in corpus.passages()?.enumerate() {
        if done % REPORT_EVERY == 0 {
            context.observer.on(Event::progress(done, total, "passages"));
            context.check_stop()?;
        }
        let passage = passage?;
        if wanted.contains(passage.id.as_str()) {
            folds.insert(passage.id, passage.fold);
        }
    }
    for questions in workspace.list(Kind::Questions)? {
        for passage in extra_passages(&questions.path)? {
            folds.insert(passage.id, Fold::Test);
        }
    }
    Ok(folds)
}
