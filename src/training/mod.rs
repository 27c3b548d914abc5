//! Fine-tuning: losses, batches, optimizer, schedule, checkpoints, the loop.
//!
//! Everything random comes from the seed in the options, so that a run that was stopped goes on to the same losses.

#[cfg(feature = "cuda")]
mod adamw_cuda;
mod adamw_loop;
mod average;
mod batches;
mod checkpoint;
mod gradients;
mod imitation;
mod interpolation;
mod losses;
mod optimizer;
mod options;
mod ranks;
mod schedule;
mod trainer;

pub use batches::{Example, Plan, text_key};
pub use checkpoint::Checkpoints;
pub use gradients::{BatchGradients, GradientOptions, batch_gradients};
pub use imitation::{AGREEMENT, ImitationOptions, ImitationOutcome, Lessons, Part, agreement, imitate};
pub use interpolation::Weights;
pub use losses::{Distance, Objective};
pub use optimizer::{AdamW, AdamWOptions, Reading};
pub use options::TrainingOptions;
pub use ranks::{Crew, Ranks};
pub use schedule::Schedule;
pub use trainer::{Judge, TrainingOutcome, train};

use std::path::PathBuf;

/// What can go wrong in training.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] crate::encoder::Error),
    /// A computation.
    #[error("computing: {0}; if the device is out of memory, use a smaller --micro-batch or --max-length")]
    Compute(#[from] candle_core::Error),
    /// A file.
    #[error(transparent)]
    Workspace(#[from] crate::workspace::Error),
    /// Fewer pairs than a batch needs.
    #[error("{0} pairs to train on: a batch needs two that share no text; make or import more pairs")]
    TooFewPairs(usize),
    /// The loss, or its gradient, is no number any more.
    #[error(
        "step {step} (epoch {epoch}, batch {batch}): the {what} is {value}; the checkpoint before it is kept. Lower --lr, or look at pairs {pairs:?}"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// The batch in the epoch, from 1.
        batch: usize,
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The examples in the batch.
        pairs: Vec<usize>,
    },
    /// A checkpoint of something else.
    #[error("{}: this checkpoint was made with other settings, pairs or base; start a new run", .0.display())]
    OtherCheckpoint(PathBuf),
    /// A checkpoint that cannot be read.
    #[error("{}: {problem}; start a new run", path.display())]
    BrokenCheckpoint {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A student that cannot be like its teacher.
    #[error(
        "the student's embeddings have {student} dimensions, the teacher's {teacher}: give it a dense layer to as many"
    )]
    OtherDimensions {
        /// The student's.
        student: usize,
        /// The teacher's.
        teacher: usize,
    },
    /// What ended another rank.
    #[error("rank {rank}, on device {} of those that --device names: {error}", rank + 1)]
    Rank {
        /// Which one, from 0.
        rank: usize,
        /// Its reason.
        error: Box<Error>,
    },
    /// Another rank ended; its own error says why.
    #[error("another rank ended")]
    RankEnded,
    /// Replicas that took different steps.
    #[error(
        "rank {0}: its parameters are no longer those of rank 0, after the same steps; train on one device, and report this"
    )]
    RanksApart(usize),
    /// No thread for a rank.
    #[error("starting a thread for rank {rank}: {source}")]
    NoThread {
        /// Which one.
        rank: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// A job's own reason, from judging a checkpoint.
    #[error("judging a checkpoint: {0}")]
    Judge(String),
}

impl Error {
    /// Whether the work stopped because it was asked to.
    pub const fn is_stop(&self) -> bool {
        matches!(self, Self::Encoder(crate::encoder::Error::Stopped))
    }
}

/// The result of training.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A seed for one place in a run, mixed so that neighbours have nothing in common (`SplitMix64`).
fn mix(seed: u64, place: u64) -> u64 {
    let mut z = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
