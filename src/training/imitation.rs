//! A student learns to embed texts as its teacher does: alignment after a change of vocabulary, and distillation.
//!
//! First the embeddings alone, at a high rate: they are what is new. Then everything, at a lower one.

use std::sync::Arc;

use serde::Serialize;

use super::{
    AdamWOptions, Checkpoints, Error, Example, Judge, Objective, Ranks, Result, Schedule, TrainingOptions,
    TrainingOutcome, train,
};
use crate::encoder::{Embeddings, Encoder, Frozen};
use crate::progress::{Clock, Event, Observer};

/// What the score of a student is called in events: the mean cosine between its embeddings and the teacher's, over texts that
/// it does not learn from.
pub const AGREEMENT: &str = "agreement";
/// Looks at the agreement in each part.
const LOOKS: f64 = 20.0;
/// An agreement that is better by less is no better.
const LEAST_GAIN: f64 = 2e-4;

/// Texts, and what the teacher makes of them.
#[derive(Debug)]
pub struct Lessons {
    /// Token ids under the student's tokenizer.
    pub texts: Vec<Arc<[u32]>>,
    /// The teacher's embedding of each.
    pub targets: Embeddings,
}

/// How long and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Part {
    /// Passes over the lessons; 0: this part is left out.
    pub epochs: f64,
    /// The highest learning rate.
    pub lr: f64,
}

/// How a student learns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImitationOptions {
    /// The embeddings alone.
    pub embeddings: Part,
    /// Everything.
    pub whole: Part,
    /// Texts in a batch.
    pub batch: usize,
    /// Texts held as activations at a time.
    pub micro_batch: usize,
    /// The weight of the similarities within a batch, beside that of the cosine to the teacher.
    pub similarities: f64,
    /// Looks without a better agreement after which a part ends.
    pub patience: Option<usize>,
    /// Stop each part after so many steps.
    pub max_steps: Option<usize>,
    /// The seed of the order.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct ImitationOutcome {
    /// The agreement of the student as it came.
    pub before: f64,
    /// After its embeddings had learned; none: that part was left out.
    pub after_embeddings: Option<f64>,
    /// At the end.
    pub after: f64,
    /// Steps taken.
    pub steps: usize,
    /// Seconds of training.
    pub train_s: f64,
    /// Texts a second in the median step of the last part.
    pub texts_per_s: f64,
    /// Whether it stopped on request; then it goes on from its checkpoint.
    pub stopped: bool,
}

/// Trains a student on lessons, and keeps the parameters that agree best with the teacher on the held-out ones. It tells the
/// phases `align embeddings` and `align all`, the agreement at each look, and what a training tells.
pub fn imitate(
    student: &mut Encoder,
    lessons: &Lessons,
    heldout: &Lessons,
    options: &ImitationOptions,
    checkpoints: &Checkpoints,
    observer: &dyn Observer,
    clock: &dyn Clock,
) -> Result<ImitationOutcome> {
    if lessons.targets.dim != student.dim() {
        return Err(Error::OtherDimensions { student: student.dim(), teacher: lessons.targets.dim });
    }
    let examples: Vec<Example> = lessons
        .texts
        .iter()
        .zip(lessons.targets.rows())
        .map(|(text, target)| Example::Lesson { text: Arc::clone(text), target: target.into() })
        .collect();
    let layers = student.config().num_hidden_layers;
    let before = agreement(student, heldout, observer)?;
    observer.on(Event::Eval { step: 0, values: [(AGREEMENT, before)].into() });
    let mut outcome = ImitationOutcome {
        before,
        after_embeddings: None,
        after: before,
        steps: 0,
        train_s: 0.0,
        texts_per_s: 0.0,
        stopped: false,
    };
    let parts = [("embeddings", options.embeddings, layers), ("all", options.whole, 0)];
    for (name, part, frozen) in parts.into_iter().filter(|(_, part, _)| part.epochs > 0.0) {
        let part_checkpoints = checkpoints.part(name);
        if part_checkpoints.finished(student)? {
            outcome.after = agreement(student, heldout, observer)?;
        } else {
            observer.on(Event::phase(format!("align {name}")));
            student.set_frozen(Frozen { embeddings: false, layers: frozen })?;
            let counted_on = CountedOn { observer, from: outcome.steps as u64 };
            let trained = learn(student, &examples, heldout, part, options, &part_checkpoints, &counted_on, clock);
            student.set_frozen(Frozen::default())?;
            let trained = trained?;
            outcome.steps += trained.steps;
            outcome.train_s += trained.train_s;
            outcome.texts_per_s = trained.pairs_per_s;
            outcome.after = trained.best_dev.unwrap_or(outcome.after);
            if trained.stopped {
                return Ok(ImitationOutcome { stopped: true, ..outcome });
            }
            part_checkpoints.finish(student)?;
        }
        if frozen > 0 {
            outcome.after_embeddings = Some(outcome.after);
        }
    }
    Ok(outcome)
}

/// Tells of a part whose steps are counted on from those of the one before.
struct CountedOn<'a> {
    observer: &'a dyn Observer,
    from: u64,
}

impl Observer for CountedOn<'_> {
    fn on(&self, event: Event) {
        self.observer.on(match event {
            Event::Scalar { step, values } => Event::Scalar { step: step + self.from, values },
            // The agreement before the first step of a part is that after the last of the one before.
            Event::Eval { step: 0, .. } => return,
            Event::Eval { step, values } => Event::Eval { step: step + self.from, values },
            Event::Checkpoint { step, path, best } => Event::Checkpoint { step: step + self.from, path, best },
            other => other,
        });
    }

    fn stop_requested(&self) -> bool {
        self.observer.stop_requested()
    }

    fn checkpoint_requested(&self) -> bool {
        self.observer.checkpoint_requested()
    }
}

#[allow(clippy::too_many_arguments)] // a training is made of as many things
fn learn(
    student: &Encoder,
    examples: &[Example],
    heldout: &Lessons,
    part: Part,
    options: &ImitationOptions,
    checkpoints: &Checkpoints,
    observer: &dyn Observer,
    clock: &dyn Clock,
) -> Result<TrainingOutcome> {
    let steps = (examples.len() as f64 / options.batch as f64 * part.epochs).ceil();
    let steps = options.max_steps.map_or(steps, |most| steps.min(most as f64));
    let training = TrainingOptions {
        objective: Objective::Imitation { similarities: options.similarities },
        accumulate: 1,
        ema: None,
        optimizer: AdamWOptions::default(),
        schedule: Schedule::LinearWarmup { warmup: 0.1 },
        lr: part.lr,
        max_grad_norm: 1.0,
        epochs: part.epochs,
        batch: options.batch,
        micro_batch: options.micro_batch,
        dropout: 0.0,
        eval_steps: Some((steps / LOOKS).ceil().max(1.0) as usize),
        early_stopping: options.patience,
        least_gain: LEAST_GAIN,
        save_steps: None,
        max_steps: options.max_steps,
        seed: options.seed,
        report_every: None,
    };
    let mut score = |encoder: &Encoder| agreement(encoder, heldout, observer);
    let judge = Judge { measure: AGREEMENT, score: &mut score };
    train(&Ranks::of(student, &[])?, examples, &training, Some(judge), checkpoints, observer, clock)
}

/// The mean cosine between an encoder's embeddings and the targets.
pub fn agreement(encoder: &Encoder, lessons: &Lessons, observer: &dyn Observer) -> Result<f64> {
    let found = encoder.embed(&lessons.texts, observer)?;
    let cosines = found.rows().zip(lessons.targets.rows()).map(|(a, b)| {
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-12)
    });
    Ok(cosines.sum::<f64>() / lessons.texts.len().max(1) as f64)
}

#[cfg(test)]
mod tests;
