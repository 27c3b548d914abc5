//! Several ranks on the CPU: the same sums as one, and an end for all of them.

use std::sync::mpsc;
use std::time::Duration;

use tokenizers::Tokenizer;
use tokenizers::models::wordlevel::WordLevel;

use super::*;
use crate::encoder::BertConfig;
use crate::progress::{Recorder, SystemClock};
use crate::training::{Checkpoints, Distance, Judge, Objective, Schedule, TrainingOptions, TrainingOutcome, train};

const WORDS: u32 = 60;
const MNRL: Objective = Objective::Mnrl { scale: 20.0, symmetric: true };
const TRIPLET: Objective = Objective::Triplet { distance: Distance::Cosine, margin: 0.5 };

fn encoder() -> Encoder {
    let words = (0..WORDS).map(|word| (format!("w{word}"), word)).collect();
    let words = WordLevel::builder().vocab(words).unk_token("w1".to_owned()).build().unwrap();
    let mut tokenizer = Tokenizer::new(words);
    tokenizer.with_pre_tokenizer(Some(tokenizers::pre_tokenizers::whitespace::WhitespaceSplit));
    Encoder::random(BertConfig::tiny(2), tokenizer, 1, &Device::Cpu).unwrap()
}

/// A text of so many tokens.
fn text<T: FromIterator<u32>>(seed: u32, length: u32) -> T {
    (0..length).map(|at| (seed * 17 + at * (7 + seed % 3)) % WORDS).collect()
}

/// Ragged examples: queries of 3 tokens and more, passages of up to 24.
fn examples(count: u32) -> Vec<Example> {
    let example = |at: u32| Example::Pair {
        query: text(at, 3 + at % 5),
        positive: text(at + 20, 24 - at % 11),
        negatives: vec![text(at + 40, 9), text(at + 90, 1 + at % 7)],
        keys: vec![u64::from(at)],
    };
    (0..count).map(example).collect()
}

/// Replicas of the first on the CPU.
fn ranks(encoder: &Encoder, count: usize) -> Ranks<'_> {
    Ranks::of(encoder, &vec![Device::Cpu; count - 1]).unwrap()
}

const fn how(objective: Objective, micro_batch: usize, dropout: f32, seed: u64) -> GradientOptions {
    GradientOptions { objective, micro_batch, dropout, seed }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn gradients(count: usize, examples: &[Example], options: &GradientOptions) -> (f64, BTreeMap<String, Vec<f32>>) {
    let encoder = encoder();
    let batches = [examples.iter().collect()];
    let found = ranks(&encoder, count).run(AdamWOptions::default(), |crew| crew.gradients(&batches, options)).unwrap();
    let all = found.gradients.iter().map(|(name, gradient)| (name.clone(), values(gradient))).collect();
    (found.loss().unwrap(), all)
}

/// Does work that must come to an end, whatever happens in it.
fn ends<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(Duration::from_mins(1)).expect("an end within a minute")
}

#[test]
fn ranks_add_up_to_one() {
    for (objective, sizes) in [(MNRL, [9, 2]), (TRIPLET, [9, 1])] {
        for (size, micro_batch) in sizes.into_iter().flat_map(|size| [(size, 64), (size, 3)]) {
            let mut examples = examples(size);
            if size < 9 {
                // Four texts, or three: fewer than ranks.
                for example in &mut examples {
                    let Example::Pair { negatives, .. } = example else { unreachable!("pairs alone") };
                    negatives.truncate(usize::from(objective == TRIPLET));
                }
            }
            let options = how(objective.clone(), micro_batch, 0.0, 3);
            let (loss, alone) = gradients(1, &examples, &options);
            for count in [2, 3, 5] {
                let (found, all) = gradients(count, &examples, &options);
                assert!((found - loss).abs() < 1e-4, "{count} ranks: a loss of {found}, not {loss}");
                assert_eq!(all.keys().collect::<Vec<_>>(), alone.keys().collect::<Vec<_>>());
                for (name, expected) in &alone {
                    for (found, expected) in all[name].iter().zip(expected) {
                        let apart = (found - expected).abs() / expected.abs().max(1.0);
                        assert!(apart < 1e-4, "{count} ranks, {name}: {found}, not {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn dropout_repeats_for_as_many_ranks_and_differs_between_them() {
    let examples = examples(6);
    let of = |count, seed| gradients(count, &examples, &how(MNRL, 64, 0.2, seed));
    assert_eq!(of(2, 3), of(2, 3));
    assert_ne!(of(2, 3).0, of(2, 4).0);
    // Two ranks with the same texts: one seed for both would drop the same values, and make embeddings that are equal.
    let twins: Vec<Example> = (0..2)
        .map(|key| Example::Pair { query: text(5, 9), positive: text(5, 9), negatives: Vec::new(), keys: vec![key] })
        .collect();
    let (twice, once) =
        (gradients(2, &twins, &how(MNRL, 64, 0.2, 3)).0, gradients(2, &twins, &how(MNRL, 64, 0.0, 3)).0);
    assert!((once - 2.0_f64.ln()).abs() < 1e-5 && (twice - once).abs() > 1e-3, "{twice}, {once}");
}

fn options(dropout: f32) -> TrainingOptions {
    TrainingOptions {
        objective: MNRL,
        optimizer: AdamWOptions::default(),
        schedule: Schedule::LinearWarmup { warmup: 0.2 },
        lr: 1e-3,
        max_grad_norm: 1.0,
        epochs: 2.0,
        batch: 8,
        micro_batch: 6,
        dropout,
        eval_steps: Some(3),
        save_steps: Some(2),
        max_steps: None,
        report_every: None,
        accumulate: 1,
        early_stopping: None,
        least_gain: 0.0,
        ema: None,
        seed: 42,
    }
}

/// Trains on so many ranks in a folder; `judge` is given the steps so far.
fn trained(
    count: usize,
    dropout: f32,
    checkpoints: &Checkpoints,
    observer: &Recorder,
    mut judge: impl FnMut(usize) -> Result<f64>,
) -> (Result<TrainingOutcome>, Vec<BTreeMap<String, Vec<f32>>>) {
    let encoder = encoder();
    let ranks = ranks(&encoder, count);
    let mut looks = 0;
    let mut judged = |_: &Encoder| {
        looks += 1;
        judge(looks)
    };
    let clock = SystemClock::default();
    let outcome = train(
        &ranks,
        &examples(30),
        &options(dropout),
        Some(Judge { measure: "mrr10", score: &mut judged }),
        checkpoints,
        observer,
        &clock,
    );
    let parameters = |encoder: &Encoder| {
        encoder.parameters().iter().map(|(name, var)| (name.to_owned(), values(var.as_tensor()))).collect()
    };
    let all = std::iter::once(ranks.first()).chain(&ranks.others).map(parameters).collect();
    (outcome, all)
}

fn fresh() -> (tempfile::TempDir, Checkpoints) {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path(), false);
    (folder, checkpoints)
}

#[test]
fn a_training_on_two_ranks_is_that_on_one() {
    let run = |count| {
        let (_folder, checkpoints) = fresh();
        // The second look is the best: what is kept is loaded at the end, into every replica.
        let judge = |look| Ok(if look == 3 { 0.9 } else { 0.1 });
        let (outcome, replicas) = trained(count, 0.0, &checkpoints, &Recorder::default(), judge);
        (outcome.unwrap(), replicas)
    };
    let ((alone, _), (both, replicas)) = (run(1), run(2));
    assert!(alone.losses.len() >= 6 && alone.best_step < alone.steps);
    assert_eq!((alone.steps, alone.best_step), (both.steps, both.best_step));
    for (found, expected) in both.losses.iter().zip(&alone.losses) {
        assert!((found - expected).abs() < 1e-4, "{:?}, not {:?}", both.losses, alone.losses);
    }
    assert!(replicas[0] == replicas[1], "replicas are apart");
}

#[test]
fn a_stopped_training_goes_on_to_the_same_losses_on_every_rank() {
    let (_folder, checkpoints) = fresh();
    let (whole, expected) = trained(3, 0.1, &checkpoints, &Recorder::default(), |_| Ok(0.5));
    let (folder, checkpoints) = fresh();
    let observer = Recorder::default();
    let stop = |look| {
        if look == 2 {
            observer.request_stop();
        }
        Ok(0.5)
    };
    let (stopped, _) = trained(3, 0.1, &checkpoints, &observer, stop);
    assert!(stopped.unwrap().stopped);
    let checkpoints = Checkpoints::new(folder.path(), true);
    let (resumed, replicas) = trained(3, 0.1, &checkpoints, &Recorder::default(), |_| Ok(0.4));
    assert_eq!(resumed.unwrap().losses, whole.unwrap().losses);
    // Here the first look was the best, there the second: the parameters of each are in every replica.
    assert!(replicas.iter().chain(&expected).all(|replica| !replica.is_empty()));
    assert!(replicas.windows(2).chain(expected.windows(2)).all(|two| two[0] == two[1]));
}

/// Gradients on two ranks of so many pairs, one of which has an empty query: the rank whose it is, and what comes of it.
fn with_empty_query(pairs: u32) -> (usize, Error) {
    let mut examples = examples(pairs);
    for (at, example) in examples.iter_mut().enumerate() {
        let Example::Pair { query, negatives, .. } = example else { unreachable!("pairs alone") };
        negatives.clear();
        if at == 0 {
            *query = text(0, 0);
        }
    }
    let encoder = encoder();
    let batch: Vec<&Example> = examples.iter().collect();
    let side = |side: usize| batch.iter().filter_map(move |example| example.texts().nth(side));
    let texts: Vec<&[u32]> = side(0).chain(side(1)).collect();
    let owner = deal(&texts, 2).iter().position(|share| share.contains(&0)).unwrap();
    let ranks = ranks(&encoder, 2);
    let result =
        ranks.run(AdamWOptions::default(), |crew| crew.gradients(std::slice::from_ref(&batch), &how(MNRL, 2, 0.0, 1)));
    (owner, result.unwrap_err())
}

#[test]
fn the_error_of_a_rank_ends_all_with_it() {
    let mut owners = Vec::new();
    for pairs in 2..6 {
        let (owner, error) = ends(move || with_empty_query(pairs));
        assert!(error.to_string().contains("a text of no tokens"), "{error}");
        assert_eq!(owner == 1, matches!(error, Error::Rank { rank: 1, .. }), "{error:?}");
        owners.push(owner);
    }
    assert!(owners.contains(&0) && owners.contains(&1));
}

/// What comes of work on three ranks, or the text of its panic.
fn of_three(work: fn(&Crew<'_>) -> Result<()>) -> Result<Result<()>, String> {
    ends(move || {
        let encoder = encoder();
        let ranks = ranks(&encoder, 3);
        let run = AssertUnwindSafe(|| ranks.run(AdamWOptions::default(), |crew| work(crew)));
        catch_unwind(run).map_err(|panic| {
            let text = panic.downcast::<String>().map(|text| *text);
            text.unwrap_or_else(|panic| (*panic.downcast::<&str>().unwrap()).to_owned())
        })
    })
}

#[test]
fn the_panic_of_a_rank_goes_on_in_the_caller() {
    fn fault(crew: &Crew<'_>) -> Result<()> {
        crew.orders[1].send(Order::Panic).map_err(|_| Error::RankEnded)
    }
    // Whether rank 0 waits for it, is done already, or has an error by then that comes of it.
    assert_eq!(of_three(|crew| fault(crew).and_then(|()| crew.exchange.meet())).unwrap_err(), "rank 2 has a fault");
    assert_eq!(of_three(fault).unwrap_err(), "rank 2 has a fault");
    let late = of_three(|crew| {
        fault(crew)?;
        assert!(crew.exchange.meet().is_err());
        Err(Error::TooFewPairs(0))
    });
    assert_eq!(late.unwrap_err(), "rank 2 has a fault");
}

#[test]
fn a_rank_that_ends_while_others_wait_frees_them() {
    // Whoever has taken these waits until all have.
    fn wait(crew: &Crew<'_>) -> Result<()> {
        let whole = Whole { parameters: BTreeMap::new(), moments: BTreeMap::new(), steps: 0 };
        let whole = Arc::new(whole);
        crew.order(|| Order::Take(Arc::clone(&whole)))
    }
    let error = of_three(|crew| wait(crew).and(Err(Error::TooFewPairs(0)))).unwrap().unwrap_err();
    assert!(matches!(error, Error::TooFewPairs(0)), "{error:?}");
    let panic = of_three(|crew| {
        wait(crew)?;
        panic!("rank 0 has a fault")
    });
    assert_eq!(panic.unwrap_err(), "rank 0 has a fault");
    // Ranks that bring different numbers of values are told so.
    let error = of_three(|crew| {
        wait(crew)?;
        crew.exchange.sum(Tensor::zeros(3, candle_core::DType::F32, &Device::Cpu)?).map(|_| ())
    });
    assert!(error.unwrap().unwrap_err().to_string().contains("to one exchange"));
}

#[test]
fn the_first_reason_is_kept() {
    let meeting = Meeting::new(2);
    meeting.fail(1, Failure::Panic(Box::new("rank 1 has a fault")));
    meeting.fail(0, Failure::Error(Error::TooFewPairs(0)));
    assert!(matches!(meeting.meet(0, vec![1.0]), Err(Error::RankEnded)));
    assert!(matches!(meeting.take_failure(), Some((1, Failure::Panic(_)))));
}

#[test]
fn replicas_that_are_apart_are_found() {
    let encoder = encoder();
    let ranks = ranks(&encoder, 3);
    let result = ranks.run(AdamWOptions::default(), |crew| {
        crew.check_equal()?;
        let (_, bias) = ranks.others[1].parameters().iter().find(|(name, _)| name.ends_with("bias")).unwrap();
        bias.set(&(bias.as_tensor() + 1e-6)?)?;
        assert!(matches!(crew.check_equal(), Err(Error::RanksApart(2))));
        crew.spread(&AdamW::new(AdamWOptions::default()))?;
        crew.check_equal()
    });
    result.unwrap();
}
