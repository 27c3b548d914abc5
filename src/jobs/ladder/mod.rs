//! What should become of a base's vocabulary? Kept, extended, replaced: each arm aligned and tuned with several seeds, the best
//! chosen on dev, and only that one and the kept vocabulary asked the test questions, once.

mod arms;
mod cost;
mod proof;
mod table;

use serde::{Deserialize, Serialize};
use serde_json::json;

use self::arms::Course;
pub use self::proof::{Proof, Proven};
use super::evaluate::workspace_task;
use super::{Context, Error, Result};
use crate::evaluation::Arm;
use crate::progress::{Event, peak_rss_mib};
use crate::settings::{Choice as _, LadderSettings, Vocabulary};
use crate::workspace::{Kind, write_json_atomic};

/// The arms, in the order of the table.
const ARMS: [Vocabulary; 3] = [Vocabulary::Keep, Vocabulary::Extend, Vocabulary::Replace];

/// Compare vocabularies.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LadderJob {
    /// How.
    pub settings: LadderSettings,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct LadderReport {
    /// The artifact.
    pub artifact: String,
    /// The base.
    pub base: String,
    /// Trainings of each arm.
    pub seeds: usize,
    /// The arms.
    pub arms: Vec<Arm>,
    /// The arm that is best on dev.
    pub chosen: Vocabulary,
    /// How the chosen arm, the kept vocabulary, and words alone did on the test questions.
    #[serde(flatten)]
    pub proof: Proof,
    /// What to do, in words.
    pub recommendation: String,
    /// The most memory the process held.
    pub peak_rss_mib: Option<u64>,
    /// All of it, for people.
    #[serde(skip)]
    pub table: String,
}

impl LadderJob {
    /// Trains every arm, chooses, opens the test, writes down what came of it.
    pub fn run(&self, context: &Context<'_>) -> Result<LadderReport> {
        let settings = &self.settings;
        let course = Course::new(context, settings)?;
        let task = workspace_task(context, settings.questions.as_deref())?;
        if task.questions.is_empty() {
            return Err(Error::refused(format!("{}: no test questions to ask", task.name)));
        }
        let mut arms = Vec::new();
        let wanted = |arm: &Vocabulary| *arm == Vocabulary::Keep || settings.arms.contains(arm);
        for vocabulary in ARMS.into_iter().filter(wanted) {
            let arm = course.arm(vocabulary)?;
            context.observer.on(Event::note(format!(
                "{}: {:.3} untuned, {:.3} tuned on dev; {:.2} tokens per word, {:.0} % of the passages cut short, {:.0} passages/s",
                vocabulary.word(), arm.dev_untuned, arm.dev_tuned, arm.cost.tokens_per_word, 100.0 * arm.cost.truncated, arm.cost.passages_per_s
            )));
            arms.push(arm);
        }
        let chosen = choose(&arms);
        context.observer.on(Event::note(format!("{} is the best on dev: now the test, once", chosen.word())));
        let mut inputs = task.inputs.clone();
        inputs.extend(course.inputs());
        let (proof, per_query) = proof::prove(&course, task, chosen)?;
        let recommendation = table::recommendation(&arms, chosen, &proof);
        let mut report = LadderReport {
            artifact: String::new(),
            base: course.base_name().to_owned(),
            seeds: settings.seeds,
            table: table::render(&arms, chosen, &proof, settings.seeds, &recommendation),
            arms,
            chosen,
            proof,
            recommendation,
            peak_rss_mib: peak_rss_mib(),
        };
        let staged = context.workspace.stage(Kind::Evaluation, &settings.name)?;
        write_json_atomic(&staged.path().join("ladder.json"), &report)?;
        // The same as any evaluation keeps, so that whatever shows those shows this.
        let metrics = json!({
            "queries": report.proof.queries, "passages": report.proof.passages, "questions": report.proof.questions,
            "questions_sha256": report.proof.questions_sha256, "synthetic": report.proof.synthetic, "looks": report.proof.looks,
            "systems": report.proof.systems.iter().map(|proven| &proven.system).collect::<Vec<_>>(),
            "deltas": report.proof.deltas, "overlap": [],
        });
        write_json_atomic(&staged.path().join("metrics.json"), &metrics)?;
        crate::workspace::write_atomic(&staged.path().join("per-query.jsonl"), per_query.as_bytes())?;
        let details = json!({
            "ladder": &report.arms, "chosen": chosen, "recommendation": &report.recommendation,
            "systems": metrics["systems"], "deltas": metrics["deltas"], "looks": report.proof.looks,
        });
        let made = context.commit(staged, "ladder", self, inputs, details)?;
        report.artifact = made.id.to_string();
        Ok(report)
    }
}

/// The arm with the best mean on dev; of equals the one that changes less.
fn choose(arms: &[Arm]) -> Vocabulary {
    let best = arms.iter().rev().max_by(|a, b| a.dev_tuned.total_cmp(&b.dev_tuned));
    best.map_or(Vocabulary::Keep, |arm| arm.vocabulary)
}
