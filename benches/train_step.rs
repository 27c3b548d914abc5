//! One training step of a MiniLM-sized encoder (6 layers, 384 wide, 12 heads, 1536 inside, 30,522 tokens): MNRL with dropout,
//! forward, backward and `AdamW`, every text full length. Prints milliseconds of the median step, where the loss of each is read
//! before the next begins, and on a GPU also as the trainer reads it, ten steps at a time.
//!
//!     cargo bench --bench train_step -- [--device cpu|cuda|cuda:0,cuda:1] [--precision f32|bf16] [--micro-batch N] [--check] [BATCHxLENGTH ...]
//!
//! Several devices take the step together; the batch is that of all of them. `--micro-batch` counts the texts that a device
//! embeds at a time, all of them where nothing is said: what it cannot take at once it embeds twice.
//! `--check` compares the gradients of the engine with those of the composed operators in f32 on a ragged batch first.

mod minilm;

use std::time::Instant;

use candle_core::Tensor;
use lapidary::encoder::{Encoder, Place};
use lapidary::settings::Precision;
use lapidary::training::{
    AdamW, AdamWOptions, BatchGradients, Error, Example, GradientOptions, Objective, Ranks, batch_gradients,
};

const OBJECTIVE: Objective = Objective::Mnrl { scale: 20.0, symmetric: false };
const DROPOUT: f32 = 0.1;
/// As many as the trainer reads at a time on a GPU.
const READ_TOGETHER: usize = 10;

fn main() {
    let (mut device, mut precision, mut check, mut sizes) = ("cpu".to_owned(), "f32".to_owned(), false, Vec::new());
    let mut micro_batch = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--device" => device = arguments.next().unwrap_or_default(),
            "--precision" => precision = arguments.next().unwrap_or_default(),
            "--micro-batch" => micro_batch = arguments.next().map(|texts| texts.parse().expect("a number of texts")),
            "--check" => check = true,
            "--bench" => {}
            size => {
                let (batch, length) = size.split_once('x').expect("BATCHxLENGTH");
                sizes.push((batch.parse::<usize>().expect("a batch"), length.parse::<usize>().expect("a length")));
            }
        }
    }
    if sizes.is_empty() {
        sizes = if device.starts_with("cpu") { vec![(16, 128)] } else { vec![(64, 128), (256, 128), (64, 256)] };
    }
    let place = Place::find(&device).expect("a device");
    let precision = if precision == "bf16" { Precision::Bf16 } else { Precision::F32 };
    let mut encoder = minilm::encoder(&place.device);
    if check {
        compare(&mut encoder, precision);
    }
    encoder.set_precision(precision);
    let ranks = Ranks::of(&encoder, &place.others).expect("replicas");
    if let Some(event) = ranks.told() {
        println!("{event:?}");
    }
    for (batch, length) in sizes {
        measure(&ranks, &place.name, precision, (batch, length), micro_batch.unwrap_or(2 * batch));
    }
}

fn examples(batch: usize, length: usize, round: usize) -> Vec<Example> {
    let example = |at: usize| Example::Pair {
        query: minilm::text(length, round * 1000 + 2 * at).into(),
        positive: minilm::text(length, round * 1000 + 2 * at + 1).into(),
        negatives: Vec::new(),
        keys: Vec::new(),
    };
    (0..batch).map(example).collect()
}

/// Steps read one by one, and as the trainer reads them on a GPU: so many at a time.
fn measure(ranks: &Ranks<'_>, device: &str, precision: Precision, (batch, length): (usize, usize), micro_batch: usize) {
    let (groups, together) = (5, if device.starts_with("cpu") { 1 } else { READ_TOGETHER });
    let count = 2 + groups * together * if together > 1 { 2 } else { 1 };
    let batches: Vec<Vec<Example>> = (0..count).map(|step| examples(batch, length, step)).collect();
    let mut optimizer = AdamW::new(AdamWOptions::default());
    let (mut alone, mut grouped) = (Vec::new(), Vec::new());
    let measured = ranks.run(AdamWOptions::default(), |crew| {
        // The replicas are where the sizes before left them, their optimizers are new: so is this.
        crew.spread(&optimizer)?;
        let mut number = 0;
        let mut group = |steps: usize| {
            let begun = Instant::now();
            for examples in &batches[number..number + steps] {
                let chosen: Vec<&Example> = examples.iter().collect();
                let options =
                    GradientOptions { objective: OBJECTIVE, micro_batch, dropout: DROPOUT, seed: number as u64 };
                let found = crew.gradients(&[chosen], &options)?;
                crew.step(&mut optimizer, &found, 2e-5, 1.0)?;
                number += 1;
            }
            let readings = optimizer.readings()?;
            ranks.first().device().synchronize()?;
            Ok((begun.elapsed().as_secs_f64() * 1e3 / steps as f64, readings[0].loss))
        };
        let mut times =
            |groups: usize, steps: usize| (0..groups).map(|_| group(steps)).collect::<Result<Vec<_>, Error>>();
        times(2, 1)?;
        alone = times(groups * together, 1)?;
        if together > 1 {
            grouped = times(groups, together)?;
        }
        crew.check_equal()
    });
    measured.expect("steps, after which all replicas are equal");
    let what = format!("lapidary {device} {precision:?} batch {batch} length {length} micro-batch {micro_batch}");
    tell(&what, alone, batch * length);
    if together > 1 {
        tell(&format!("  the loss read every {together} steps"), grouped, batch * length);
    }
}

/// The median of times of a step in milliseconds, and the first and the last loss.
fn tell(what: &str, mut steps: Vec<(f64, f64)>, tokens: usize) {
    let losses = (steps[0].1, steps[steps.len() - 1].1);
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let median = steps[steps.len() / 2].0;
    let tokens_per_s = 2.0 * tokens as f64 / median * 1e3;
    println!(
        "{what}: {median:.2} ms/step ({:.2} to {:.2}), {tokens_per_s:.0} tokens/s, loss {:.4} to {:.4}",
        steps[0].0,
        steps[steps.len() - 1].0,
        losses.0,
        losses.1
    );
}

/// The relative distance of every gradient from that of the composed operators in f32, the largest first.
fn compare(encoder: &mut Encoder, precision: Precision) {
    let lengths = [1, 3, 17, 64, 65, 128, 31, 200];
    let pair = |(at, &length): (usize, &usize)| Example::Pair {
        query: minilm::text(length, at).into(),
        positive: minilm::text(lengths[lengths.len() - 1 - at], 100 + at).into(),
        negatives: Vec::new(),
        keys: Vec::new(),
    };
    let examples: Vec<Example> = lengths.iter().enumerate().map(pair).collect();
    let chosen: Vec<&Example> = examples.iter().collect();
    encoder.set_precision(Precision::F32);
    let reference = batch_gradients(encoder, &chosen, &OBJECTIVE, 64, 0.0, 1).expect("gradients");
    encoder.set_precision(precision);
    let found = batch_gradients(encoder, &chosen, &OBJECTIVE, 64, 0.0, 1).expect("gradients");
    let again = batch_gradients(encoder, &chosen, &OBJECTIVE, 64, 0.1, 1).expect("gradients");
    let twice = batch_gradients(encoder, &chosen, &OBJECTIVE, 64, 0.1, 1).expect("gradients");
    let cached = batch_gradients(encoder, &chosen, &OBJECTIVE, 2, 0.0, 1).expect("gradients");
    let norm = |tensor: &Tensor| tensor.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    let apart = |a: &Tensor, b: &Tensor| norm(&(a - b).unwrap()) / norm(a).max(1e-12);
    let loss = |found: &BatchGradients| found.loss().expect("a loss");
    println!("loss {} composed, {} here, {} in groups", loss(&reference), loss(&found), loss(&cached));
    let mut distances: Vec<(f32, f32, f32, &String)> = reference
        .gradients
        .iter()
        .map(|(name, gradient)| {
            let Some(here) = found.gradients.get(name) else { return (f32::INFINITY, 0.0, 0.0, name) };
            (apart(gradient, here), apart(here, &cached.gradients[name]), norm(gradient), name)
        })
        .collect();
    distances.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (distance, of_groups, size, name) in distances.iter().take(12).chain(distances.iter().rev().take(3)) {
        println!("  {distance:.2e} from composed, {of_groups:.2e} in groups, norm {size:.2e}  {name}");
    }
    let same = again.gradients.iter().all(|(name, gradient)| {
        (gradient - &twice.gradients[name]).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap()
            == 0.0
    });
    let norm_of = |found: &BatchGradients| AdamW::gradient_norm(&found.gradients).expect("a norm");
    let same = same && norm_of(&again) == norm_of(&twice);
    println!("with dropout: loss {}, the same bits twice: {same}", loss(&again));
    let summed = again.gradients.values().map(|gradient| f64::from(norm(gradient)).powi(2)).sum::<f64>().sqrt();
    println!("norm {}, {summed} as candle sums", norm_of(&again));
    compare_steps(encoder, &again);
}

/// What steps leave of the parameters: where a loss is no number, nothing moves any more.
fn compare_steps(encoder: &Encoder, found: &BatchGradients) {
    let values = || -> Vec<Vec<f32>> {
        let of = |var: &candle_core::Var| var.flatten_all().unwrap().to_vec1().unwrap();
        encoder.parameters().iter().map(|(_, var)| of(var)).collect()
    };
    let start = values();
    let step = |optimizer: &mut AdamW, loss: &Tensor| {
        optimizer.step(encoder.parameters(), loss, &found.gradients, 1e-4, 1.0).expect("a step");
        values() == start
    };
    let mut optimizer = AdamW::new(AdamWOptions::default());
    let broken = (&found.loss * f64::NAN).unwrap();
    let still = [step(&mut optimizer, &broken), step(&mut optimizer, &found.loss)];
    let readings = optimizer.readings().expect("readings");
    let still_of_whole = step(&mut AdamW::new(AdamWOptions::default()), &found.loss);
    println!("nothing moves after a loss of {}: {still:?}; without it: {still_of_whole}", readings[0].loss);
}
