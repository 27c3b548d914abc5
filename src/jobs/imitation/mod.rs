//! What alignment and distillation have in common: texts, what a teacher makes of them, a student that learns it.

mod texts;
mod vocabulary;

use std::sync::Arc;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

pub(super) use self::texts::texts_of;
pub(super) use self::vocabulary::{Change, change_vocabulary};
use super::{Context, Error, Result};
use crate::encoder::{Embeddings, Encoder, Role};
use crate::progress::Event;
use crate::settings::Precision;
use crate::training::{self, Checkpoints, ImitationOptions, ImitationOutcome, Lessons};

/// Texts that a student does not learn from, by which its agreement is judged: one of so many, at most so many.
const HELD_OUT: (usize, usize) = (10, 1000);
/// Fewer texts teach nothing.
const LEAST_TEXTS: usize = 8;
/// Texts encoded at a time on a GPU, where nothing is said: 6 GB for texts of 256 tokens and a base like `MiniLM`.
const GPU_MICRO_BATCH: usize = 256;
/// The same on the CPU.
const MICRO_BATCH: usize = 32;

/// A text for the student, and what the teacher is given in its place: the same text, or what it is a translation of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taught {
    pub(super) student: String,
    pub(super) teacher: Option<String>,
}

impl From<String> for Taught {
    fn from(text: String) -> Self {
        Self { student: text, teacher: None }
    }
}

/// Lets the teacher embed the texts, and the student learn from most of them.
pub(super) fn imitate(
    context: &Context<'_>,
    teacher: &Encoder,
    student: &mut Encoder,
    mut texts: Vec<Taught>,
    options: &ImitationOptions,
    checkpoints: &Checkpoints,
) -> Result<ImitationOutcome> {
    if texts.len() < LEAST_TEXTS {
        return Err(Error::refused(format!(
            "{} sentences to learn from are too few: add documents to the corpus",
            texts.len()
        )));
    }
    texts.shuffle(&mut ChaCha8Rng::seed_from_u64(options.seed));
    context.observer.on(Event::phase("embed by the teacher"));
    let of_teacher: Vec<&str> = texts.iter().map(|text| text.teacher.as_deref().unwrap_or(&text.student)).collect();
    let tokens = teacher.tokenize(&of_teacher, Role::Passage)?;
    let targets = teacher.embed(&tokens, context.observer)?;
    drop(tokens);
    context.check_stop()?;
    context.observer.on(Event::phase("tokenize"));
    let of_student: Vec<&str> = texts.iter().map(|text| text.student.as_str()).collect();
    let tokens: Vec<Arc<[u32]>> = student.tokenize(&of_student, Role::Passage)?.into_iter().map(Arc::from).collect();
    let heldout = (texts.len() / HELD_OUT.0).clamp(2, HELD_OUT.1);
    let lessons = |range: std::ops::Range<usize>| Lessons {
        texts: tokens[range.clone()].to_vec(),
        targets: Embeddings::new(
            targets.dim,
            targets.data[range.start * targets.dim..range.end * targets.dim].to_vec(),
        ),
    };
    let (judged, learnt) = (lessons(0..heldout), lessons(heldout..texts.len()));
    drop(targets);
    let outcome = training::imitate(student, &learnt, &judged, options, checkpoints, context.observer, context.clock)?;
    if outcome.stopped {
        return Err(Error::Stopped);
    }
    let (before, after) = (outcome.before, outcome.after);
    context.observer.on(Event::note(format!(
        "agreement with the teacher on {heldout} held-out texts: {before:.3} before, {after:.3} after"
    )));
    Ok(outcome)
}

/// Texts held as activations at a time, where nothing is said.
pub(super) fn micro_batch(context: &Context<'_>, wanted: Option<usize>) -> usize {
    wanted.unwrap_or(if context.place.device.is_cpu() { MICRO_BATCH } else { GPU_MICRO_BATCH })
}

/// bf16 where a GPU is at its best with it; elsewhere where it is asked for and the machine has it.
pub(super) fn choose_precision(context: &Context<'_>, encoder: &mut Encoder, wanted: Option<Precision>) -> Result<()> {
    let best = || -> Result<Precision> {
        let gpu = !context.place.device.is_cpu();
        Ok(if gpu && encoder.serves(Precision::Bf16)? { Precision::Bf16 } else { Precision::F32 })
    };
    let wanted = wanted.map_or_else(best, Ok)?;
    context.set_precision(encoder, wanted)
}
