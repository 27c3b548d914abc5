//! What steps came to is read late on some devices: it is told all the same, and a step that diverged is named.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::*;
use crate::encoder::Role;
use crate::progress::{Recorder, SystemClock};
use crate::settings::TuneSettings;

fn encoder() -> Encoder {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/base-encoder");
    Encoder::load(&folder, &Device::Cpu).unwrap()
}

fn examples(encoder: &Encoder) -> Vec<Example> {
    let things = ["pump", "valve", "filter", "seal", "drum", "coil", "fan", "gauge", "hose", "relay", "motor", "tank"];
    let tokens = |texts: Vec<String>, role| -> Vec<Arc<[u32]>> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        encoder.tokenize(&texts, role).unwrap().into_iter().map(Arc::from).collect()
    };
    let queries = tokens(things.map(|thing| format!("where is the {thing}")).to_vec(), Role::Query);
    let passages = tokens(things.map(|thing| format!("The {thing} stands in the third room.")).to_vec(), Role::Passage);
    let pairs = queries.into_iter().zip(passages).enumerate();
    pairs
        .map(|(at, (query, positive))| Example::Pair { query, positive, negatives: Vec::new(), keys: vec![at as u64] })
        .collect()
}

fn options(report_every: usize) -> TrainingOptions {
    let options = TrainingOptions::from_settings(&TuneSettings::default(), 0.1);
    TrainingOptions {
        batch: 4,
        epochs: 4.0,
        max_steps: Some(7),
        eval_steps: Some(100),
        save_steps: Some(3),
        report_every: Some(report_every),
        ..options
    }
}

/// Keeps events, and asks to stop when it is asked for so many times.
struct Stopper {
    recorder: Recorder,
    left: AtomicUsize,
}

impl Observer for Stopper {
    fn on(&self, event: Event) {
        self.recorder.on(event);
    }

    fn stop_requested(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

struct Ran {
    encoder: Encoder,
    result: Result<TrainingOutcome>,
    events: Vec<Event>,
}

impl Ran {
    fn new(options: &TrainingOptions, checkpoints: &Checkpoints, stop_after: usize) -> Self {
        let encoder = encoder();
        let examples = examples(&encoder);
        let observer = Stopper { recorder: Recorder::default(), left: AtomicUsize::new(stop_after) };
        let ranks = Ranks::of(&encoder, &[]).unwrap();
        let result = train(&ranks, &examples, options, None, checkpoints, &observer, &SystemClock::default());
        Self { encoder, result, events: observer.recorder.events() }
    }

    fn parameters(&self) -> BTreeMap<String, Vec<u32>> {
        let bits = |var: &candle_core::Var| var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let parameters = self.encoder.parameters().iter();
        parameters.map(|(name, var)| (name.to_owned(), bits(var).into_iter().map(f32::to_bits).collect())).collect()
    }

    /// Steps with loss, rate and norm, as they were reported; a checkpoint as its step alone.
    fn told(&self) -> Vec<(u64, Option<[f64; 3]>)> {
        let told = self.events.iter().filter_map(|event| match event {
            Event::Scalar { step, values } => {
                Some((*step, Some(["loss", "learning_rate", "gradient_norm"].map(|name| values.0[name]))))
            }
            Event::Checkpoint { step, .. } => Some((*step, None)),
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn steps_read_together_are_told_one_by_one_and_before_any_checkpoint() {
    let ran = |report_every| {
        let folder = tempfile::tempdir().unwrap();
        Ran::new(&options(report_every), &Checkpoints::new(folder.path(), false), usize::MAX)
    };
    let (one_by_one, together) = (ran(1), ran(5));
    assert_eq!(one_by_one.told(), together.told());
    assert_eq!(one_by_one.parameters(), together.parameters());
    let steps: Vec<u64> = together.told().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [1, 2, 3, 3, 4, 5, 6, 6, 7, 7], "a checkpoint follows its step");
    let progress = |ran: &Ran| ran.events.iter().filter(|event| matches!(event, Event::Progress { .. })).count();
    assert_eq!((progress(&one_by_one), progress(&together)), (7, 4), "after the first, the third, the sixth, the last");
    let outcome = together.result.unwrap();
    assert_eq!(outcome.losses, one_by_one.result.unwrap().losses);
    assert!(outcome.step_s > 0.0 && (outcome.pairs_per_s * outcome.step_s - 4.0).abs() < 1e-6, "{outcome:?}");
}

#[test]
fn a_divergence_names_its_step_and_leaves_the_parameters_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let ran = |report_every, save_steps| {
        let checkpoints = Checkpoints::new(&folder.path().join(format!("{report_every}-{save_steps}")), false);
        let options = TrainingOptions { lr: 1e30, save_steps: Some(save_steps), ..options(report_every) };
        Ran::new(&options, &checkpoints, usize::MAX)
    };
    let at_once = ran(1, 100);
    let Err(Error::Diverged { step: 2, pairs, .. }) = &at_once.result else { panic!("{:?}", at_once.result) };
    assert_eq!(pairs.len(), 4);
    for (report_every, save_steps) in [(5, 100), (5, 3), (5, 1)] {
        let later = ran(report_every, save_steps);
        assert_eq!(later.result.as_ref().unwrap_err().to_string(), at_once.result.as_ref().unwrap_err().to_string());
        assert_eq!(later.parameters(), at_once.parameters(), "steps after it move nothing");
        let checkpoints = later.told().iter().filter(|(_, values)| values.is_none()).count();
        assert_eq!(checkpoints, usize::from(save_steps == 1), "none of a step that was not checked");
    }
}

#[test]
fn a_run_that_stops_among_unread_steps_goes_on_to_the_same_losses() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Ran::new(&options(1), &Checkpoints::new(&folder.path().join("whole"), false), usize::MAX);
    let stopped = Ran::new(&options(4), &Checkpoints::new(&folder.path().join("parts"), false), 5);
    let outcome = stopped.result.unwrap();
    assert!(outcome.stopped);
    assert_eq!((outcome.steps, outcome.losses.len()), (5, 5));
    let resumed = Ran::new(&options(4), &Checkpoints::new(&folder.path().join("parts"), true), usize::MAX);
    assert_eq!(resumed.parameters(), whole.parameters());
    assert_eq!(resumed.result.unwrap().losses, whole.result.unwrap().losses);
}
