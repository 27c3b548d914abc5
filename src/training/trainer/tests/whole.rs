//! Whole trainings of a tiny encoder: whatever the options, a stop changes nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::Device;
use tokenizers::Tokenizer;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::pre_tokenizers::whitespace::Whitespace;

use super::super::*;
use crate::encoder::{BertConfig, Frozen};
use crate::progress::{Recorder, Silent, SystemClock};
use crate::training::{AdamWOptions, Objective, Schedule, Weights};

/// Tokens of the tiny vocabulary.
const TOKENS: u32 = 60;

fn encoder(frozen: Frozen) -> Encoder {
    // Some of the self-test's words; the rest is unknown.
    let words =
        ["[UNK]", "the", "when", "is", "filter", "changed", "or", "pump", "valve", "in", "phase", "door", "who"];
    let vocabulary = words.iter().enumerate().map(|(id, word)| ((*word).to_owned(), id as u32)).collect();
    let model = WordLevel::builder().vocab(vocabulary).unk_token("[UNK]".to_owned()).build().unwrap();
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(Whitespace {}));
    let mut encoder = Encoder::random(BertConfig::tiny(3), tokenizer, 1, &Device::Cpu).unwrap();
    encoder.set_frozen(frozen).unwrap();
    encoder
}

fn examples() -> Vec<Example> {
    let text = |seed: u32, length: u32| (0..length).map(|at| (seed * 17 + at * 7) % TOKENS).collect::<Arc<[u32]>>();
    (0..24)
        .map(|at| Example::Pair {
            query: text(at, 3 + at % 5),
            positive: text(at + 20, 20 - at % 7),
            negatives: vec![text(at + 40, 9)],
            keys: vec![u64::from(at)],
        })
        .collect()
}

fn options() -> TrainingOptions {
    TrainingOptions {
        objective: Objective::Mnrl { scale: 20.0, symmetric: false },
        accumulate: 1,
        ema: None,
        optimizer: AdamWOptions::default(),
        schedule: Schedule::LinearWarmup { warmup: 0.1 },
        lr: 1e-3,
        max_grad_norm: 1.0,
        epochs: 4.0,
        batch: 4,
        micro_batch: 2,
        dropout: 0.1,
        eval_steps: Some(2),
        early_stopping: None,
        least_gain: 0.0,
        save_steps: None,
        max_steps: None,
        report_every: None,
        seed: 7,
    }
}

fn everything(encoder: &Encoder) -> BTreeMap<String, Vec<f32>> {
    let values = |(name, var): (&str, &candle_core::Var)| {
        (name.to_owned(), var.flatten_all().unwrap().to_vec1::<f32>().unwrap())
    };
    encoder.parameters().iter().map(values).collect()
}

/// A score that only the weights decide.
fn score(encoder: &Encoder) -> f64 {
    everything(encoder)
        .values()
        .flatten()
        .enumerate()
        .map(|(at, value)| f64::from(*value) * ((at % 7) as f64 - 3.0))
        .sum()
}

/// Asks to stop at the so-many-eth question whether to.
struct Impatient {
    left: AtomicUsize,
}

impl Observer for Impatient {
    fn on(&self, _event: Event) {}

    fn stop_requested(&self) -> bool {
        self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

fn run(
    encoder: &Encoder,
    options: &TrainingOptions,
    folder: &Path,
    resume: bool,
    scores: Option<&[f64]>,
    observer: &dyn Observer,
) -> TrainingOutcome {
    let looks = RefCell::new(0);
    let mut judge = |encoder: &Encoder| {
        let look = looks.replace_with(|looks| *looks + 1);
        Ok(scores.map_or_else(|| score(encoder), |scores| scores[look.min(scores.len() - 1)]))
    };
    let checkpoints = Checkpoints::new(folder, resume);
    let ranks = Ranks::of(encoder, &[]).unwrap();
    train(
        &ranks,
        &examples(),
        options,
        Some(Judge { measure: "mrr10", score: &mut judge }),
        &checkpoints,
        observer,
        &SystemClock::default(),
    )
    .unwrap()
}

#[test]
fn a_stop_changes_nothing() {
    let objective = Objective::Matryoshka { of: Box::new(options().objective), widths: vec![12, 6] };
    let options = TrainingOptions { objective, accumulate: 2, ema: Some(0.9), save_steps: Some(3), ..options() };
    let frozen = Frozen { embeddings: true, layers: 1 };
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = encoder(frozen);
    let expected = run(&whole, &options, folder.path(), false, None, &Silent);
    // Six batches an epoch, two of them a step.
    assert_eq!((expected.steps, expected.losses.len()), (12, 12));

    let parted = encoder(frozen);
    let stopped = run(&parted, &options, other.path(), false, None, &Impatient { left: AtomicUsize::new(6) });
    assert!(stopped.stopped && stopped.steps == 5, "{stopped:?}");
    let parted = encoder(frozen);
    let found = run(&parted, &options, other.path(), true, None, &Silent);
    assert_eq!((found.best_step, found.best_dev), (expected.best_step, expected.best_dev));
    // Those before the stop were read from JSON, which rounds.
    assert_eq!(found.losses[5..], expected.losses[5..]);
    assert!(found.losses.iter().zip(&expected.losses).all(|(found, expected)| (found - expected).abs() < 1e-12));
    assert_eq!(everything(&parted), everything(&whole));

    let before = everything(&encoder(frozen));
    for (name, values) in everything(&whole) {
        // A key's bias has no gradient but rounding's.
        assert!(name.ends_with("key.bias") || (values == before[&name]) == frozen.holds(&name), "{name}");
    }
}

#[test]
fn the_average_is_what_is_looked_at_and_kept() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let plain = encoder(Frozen::default());
    let without = run(&plain, &options(), folder.path(), false, None, &Silent);
    let averaged = encoder(Frozen::default());
    let options = TrainingOptions { ema: Some(0.9), ..options() };
    let with = run(&averaged, &options, other.path(), false, None, &Silent);
    assert_eq!(with.losses, without.losses, "training goes on from the weights, not from their average");
    assert_eq!(with.best_dev, Some(score(&averaged)), "what is kept is what was looked at");
    assert_ne!(everything(&averaged), everything(&plain));
}

#[test]
fn patience_ends_and_is_remembered() {
    let options = TrainingOptions { early_stopping: Some(2), ..options() };
    // The base, then the looks at steps 2, 4, 6, 8, 10: the one at 4 is the best.
    let scores = [0.1, 0.3, 0.5, 0.4, 0.5, 0.9];
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let found = run(&encoder(Frozen::default()), &options, folder.path(), false, Some(&scores), &recorder);
    assert_eq!((found.steps, found.best_step, found.early_stop), (8, 4, Some(8)));
    let told = "2 looks at dev without a better score: stopped early, at step 8 of 24";
    assert!(recorder.events().contains(&Event::note(told)));
    // It was over when it was stopped: nothing is learnt that would not have been.
    let again = run(&encoder(Frozen::default()), &options, folder.path(), true, Some(&scores), &Silent);
    assert_eq!((again.losses.len(), again.best_step, again.early_stop), (8, 4, Some(8)));

    // Stopped before its seventh step, one look after the best: the next look is the last.
    let folder = tempfile::tempdir().unwrap();
    let stopped = run(
        &encoder(Frozen::default()),
        &options,
        folder.path(),
        false,
        Some(&scores),
        &Impatient { left: AtomicUsize::new(7) },
    );
    assert_eq!((stopped.steps, stopped.early_stop), (6, None));
    let resumed = run(&encoder(Frozen::default()), &options, folder.path(), true, Some(&[0.2]), &Silent);
    assert_eq!((resumed.steps, resumed.early_stop), (8, Some(8)));
}

#[test]
fn a_step_takes_the_mean_of_its_batches() {
    let encoder = encoder(Frozen::default());
    let examples = examples();
    let of = |starts: &[usize], count: usize| {
        let batches: Vec<Vec<&Example>> = starts.iter().map(|&at| examples[at..at + 4].iter().collect()).collect();
        let how = GradientOptions { objective: options().objective, micro_batch: 2, dropout: 0.0, seed: 1 };
        let ranks = Ranks::of(&encoder, &vec![Device::Cpu; count - 1]).unwrap();
        ranks.run(AdamWOptions::default(), |crew| crew.gradients(&batches, &how)).unwrap()
    };
    let (first, second) = (of(&[0], 1), of(&[4], 1));
    for count in [1, 2] {
        let both = of(&[0, 4], count);
        let mean = f64::midpoint(first.loss().unwrap(), second.loss().unwrap());
        assert!((both.loss().unwrap() - mean).abs() < 1e-5 && both.tokens == first.tokens + second.tokens);
        for (name, gradient) in &both.gradients {
            let values = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let parts = values(&first.gradients[name]).into_iter().zip(values(&second.gradients[name]));
            let near = |(mean, (a, b)): (f32, (f32, f32))| (mean - f32::midpoint(a, b)).abs() < 1e-5;
            assert!(values(gradient).into_iter().zip(parts).all(near), "{name}");
        }
    }
}

#[test]
fn other_options_are_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let short = TrainingOptions { max_steps: Some(2), save_steps: Some(2), ..options() };
    run(&encoder(Frozen::default()), &short, folder.path(), false, None, &Silent);
    let resumes = |options: &TrainingOptions, frozen: Frozen| {
        let checkpoints = Checkpoints::new(folder.path(), true);
        let encoder = encoder(frozen);
        let ranks = Ranks::of(&encoder, &[]).unwrap();
        let found = train(&ranks, &examples(), options, None, &checkpoints, &Silent, &SystemClock::default());
        !matches!(found, Err(Error::OtherCheckpoint(_)))
    };
    assert!(resumes(&TrainingOptions { early_stopping: Some(3), ..short.clone() }, Frozen::default()));
    assert!(!resumes(&TrainingOptions { accumulate: 2, ..short.clone() }, Frozen::default()));
    assert!(!resumes(&TrainingOptions { ema: Some(0.99), ..short.clone() }, Frozen::default()));
    assert!(!resumes(&short, Frozen { embeddings: false, layers: 1 }));
}

#[test]
fn between_base_and_tuned_lies_what_the_share_says() {
    let encoder = encoder(Frozen::default());
    let base = Weights::of(&encoder).unwrap();
    let before = everything(&encoder);
    for (_, var) in encoder.parameters().iter() {
        var.set(&(var.as_tensor() + 1.0).unwrap()).unwrap();
    }
    let (tuned, after) = (Weights::of(&encoder).unwrap(), everything(&encoder));
    base.towards(&tuned, 0.25, &encoder).unwrap();
    for (name, values) in everything(&encoder) {
        assert!(
            values.iter().zip(&before[&name]).all(|(value, before)| (value - before - 0.25).abs() < 1e-6),
            "{name}"
        );
    }
    base.towards(&tuned, 1.0, &encoder).unwrap();
    assert_eq!(everything(&encoder), after, "the whole of the tuned weights, bit by bit");
}
