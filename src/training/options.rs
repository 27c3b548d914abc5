//! What the loop needs to know: the settings of a job, resolved.

use serde::Serialize;

use super::losses::{Distance, Objective};
use super::{AdamWOptions, Schedule};
use crate::settings::{Loss, TripletDistance, TuneSettings};

/// The margin of the triplet loss over cosine distances.
const COSINE_MARGIN: f64 = 0.2;
/// The margin over Euclidean distances: unit vectors are at most 2 apart.
const EUCLIDEAN_MARGIN: f64 = 0.5;
/// Texts encoded at a time, where nothing is said: what a laptop's memory bears, 0.7 GiB for texts of 256 tokens and a base like
/// `MiniLM`.
const MICRO_BATCH: usize = 32;
/// Looks at dev in a run, where nothing is said.
const LOOKS: usize = 5;

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingOptions {
    /// What is minimised.
    pub objective: Objective,
    /// Batches of which each step averages the gradients.
    pub accumulate: usize,
    /// How little the running average of the weights forgets in a step; none: there is no such average.
    pub ema: Option<f64>,
    /// How parameters move.
    pub optimizer: AdamWOptions,
    /// How the learning rate goes.
    pub schedule: Schedule,
    /// The highest learning rate.
    pub lr: f64,
    /// Gradients are scaled down to this norm; 0: never.
    pub max_grad_norm: f64,
    /// Passes over the examples.
    pub epochs: f64,
    /// Examples in a batch.
    pub batch: usize,
    /// Examples whose passages are encoded at a time.
    pub micro_batch: usize,
    /// Share of values dropped.
    pub dropout: f32,
    /// Steps between two looks at dev; none: five looks in the run.
    pub eval_steps: Option<usize>,
    /// Looks without a better score after which training stops; none: it never does.
    pub early_stopping: Option<usize>,
    /// A score that is better by no more than this is none that is better.
    pub least_gain: f64,
    /// Steps between two checkpoints; none: with a look where the last one is a minute old, and every five minutes.
    pub save_steps: Option<usize>,
    /// Stop after so many steps.
    pub max_steps: Option<usize>,
    /// The seed of everything random.
    pub seed: u64,
    /// Steps whose loss and gradient norm are read together; none: one, on a GPU ten. What is learnt is the same.
    #[serde(skip)]
    pub report_every: Option<usize>,
}

impl TrainingOptions {
    /// The options of a tuning job; the base's configuration names the dropout where the settings do not.
    pub fn from_settings(settings: &TuneSettings, dropout_of_base: f64) -> Self {
        let of = match settings.loss {
            Loss::Mnrl => Objective::Mnrl { scale: settings.scale, symmetric: settings.symmetric },
            Loss::Triplet => {
                let (distance, margin) = match settings.distance {
                    TripletDistance::Cosine => (Distance::Cosine, COSINE_MARGIN),
                    TripletDistance::Euclidean => (Distance::Euclidean, EUCLIDEAN_MARGIN),
                };
                Objective::Triplet { distance, margin: settings.margin.unwrap_or(margin) }
            }
        };
        let mut widths = settings.matryoshka.clone();
        widths.sort_unstable_by_key(|width| std::cmp::Reverse(*width));
        widths.dedup();
        let objective = if widths.is_empty() { of } else { Objective::Matryoshka { of: Box::new(of), widths } };
        Self {
            objective,
            accumulate: settings.accumulate.max(1),
            ema: settings.ema,
            optimizer: AdamWOptions { weight_decay: settings.weight_decay, ..AdamWOptions::default() },
            schedule: Schedule::LinearWarmup { warmup: settings.warmup },
            lr: settings.lr,
            max_grad_norm: settings.max_grad_norm,
            epochs: settings.epochs,
            batch: settings.batch,
            micro_batch: settings.micro_batch.unwrap_or(MICRO_BATCH),
            dropout: settings.dropout.unwrap_or(dropout_of_base) as f32,
            eval_steps: settings.eval_steps,
            early_stopping: settings.early_stopping,
            least_gain: 0.0,
            save_steps: settings.save_steps,
            max_steps: settings.max_steps,
            seed: settings.seed,
            report_every: None,
        }
    }

    /// Steps between two looks at dev, in a run of `steps`.
    pub(super) fn eval_every(&self, steps: usize) -> usize {
        self.eval_steps.unwrap_or_else(|| steps.div_ceil(LOOKS)).max(1)
    }
}
