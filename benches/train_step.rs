//! One training step of a MiniLM-sized encoder (6 layers, 384 wide, 12 heads, 1536 inside, 30,522 tokens): MNRL with dropout,
//! forward, backward and `AdamW`, every text full length. Prints milliseconds of the median step.
//!
//!     cargo bench --bench train_step -- [--device cpu|cuda] [--precision f32|bf16] [--check] [BATCHxLENGTH ...]
//!
//! `--check` compares the gradients of the engine with those of the composed operators in f32 on a ragged batch first.

mod minilm;

use std::time::Instant;

use candle_core::Tensor;
use lapidary::encoder::{Encoder, Place};
use lapidary::settings::Precision;
use lapidary::training::{AdamW, AdamWOptions, Example, Objective, batch_gradients};

const OBJECTIVE: Objective = Objective::Mnrl { scale: 20.0, symmetric: false };
const DROPOUT: f32 = 0.1;

fn main() {
    let (mut device, mut precision, mut check, mut sizes) = ("cpu".to_owned(), "f32".to_owned(), false, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--device" => device = arguments.next().unwrap_or_default(),
            "--precision" => precision = arguments.next().unwrap_or_default(),
            "--check" => check = true,
            "--bench" => {}
            size => {
                let (batch, length) = size.split_once('x').expect("BATCHxLENGTH");
                sizes.push((batch.parse::<usize>().expect("a batch"), length.parse::<usize>().expect("a length")));
            }
        }
    }
    if sizes.is_empty() {
        sizes = if device == "cpu" { vec![(16, 128)] } else { vec![(64, 128), (256, 128), (64, 256)] };
    }
    let place = Place::find(&device).expect("a device");
    let precision = if precision == "bf16" { Precision::Bf16 } else { Precision::F32 };
    let mut encoder = minilm::encoder(&place.device);
    if check {
        compare(&mut encoder, precision);
    }
    encoder.set_precision(precision);
    for (batch, length) in sizes {
        measure(&encoder, &device, precision, batch, length);
    }
}

fn examples(batch: usize, length: usize, round: usize) -> Vec<Example> {
    let example = |at: usize| Example {
        query: minilm::text(length, round * 1000 + 2 * at),
        positive: minilm::text(length, round * 1000 + 2 * at + 1),
        negatives: Vec::new(),
        keys: Vec::new(),
    };
    (0..batch).map(example).collect()
}

fn measure(encoder: &Encoder, device: &str, precision: Precision, batch: usize, length: usize) {
    let mut optimizer = AdamW::new(AdamWOptions::default());
    let steps = if device == "cpu" { 7 } else { 35 };
    let (mut times, mut losses) = (Vec::new(), Vec::new());
    for step in 0..steps {
        let examples = examples(batch, length, step);
        let chosen: Vec<&Example> = examples.iter().collect();
        let begun = Instant::now();
        let found = batch_gradients(encoder, &chosen, &OBJECTIVE, batch, DROPOUT, step as u64).expect("gradients");
        let norm = AdamW::gradient_norm(&found.gradients).expect("a norm");
        let scale = if norm > 1.0 { 1.0 / norm } else { 1.0 };
        optimizer.update(encoder.parameters(), &found.gradients, 2e-5, scale).expect("a step");
        encoder.device().synchronize().expect("the device");
        if step >= 2 {
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        losses.push(found.loss);
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let tokens = 2.0 * (batch * length) as f64 / median * 1e3;
    println!(
        "lapidary {device} {precision:?} batch {batch} length {length}: {median:.2} ms/step ({:.2} to {:.2}), {tokens:.0} tokens/s, loss {:.4} to {:.4}",
        times[0],
        times[times.len() - 1],
        losses[0],
        losses[losses.len() - 1]
    );
}

/// The relative distance of every gradient from that of the composed operators in f32, the largest first.
fn compare(encoder: &mut Encoder, precision: Precision) {
    let lengths = [1, 3, 17, 64, 65, 128, 31, 200];
    let pair = |(at, &length): (usize, &usize)| Example {
        query: minilm::text(length, at),
        positive: minilm::text(lengths[lengths.len() - 1 - at], 100 + at),
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
    println!("loss {} composed, {} here, {} in groups", reference.loss, found.loss, cached.loss);
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
    println!("with dropout: loss {}, the same bits twice: {same}", again.loss);
}
