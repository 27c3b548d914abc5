//! How fast texts become vectors: tokenized, embedded, put back in order. Prints the median of three rounds.
//!
//!     cargo bench --bench encoder -- [--precision f32|bf16]                          random parameters of all-MiniLM-L6-v2's shape
//!     cargo bench --bench encoder -- [--precision f32|bf16] DATA MODEL [PASSAGES]    the first passages of DATA/corpus.jsonl

mod minilm;

use std::path::Path;
use std::time::Instant;

use candle_core::Device;
use lapidary::encoder::{Encoder, Role};
use lapidary::progress::Silent;
use lapidary::settings::Precision;

const ROUNDS: usize = 3;
/// Tokens of a text, as elsewhere in training and evaluation.
const MAX_LENGTH: usize = 256;

fn main() {
    let (mut precision, mut rest) = (Precision::F32, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--precision" if arguments.next().as_deref() == Some("bf16") => precision = Precision::Bf16,
            "--precision" | "--bench" => {}
            _ => rest.push(argument),
        }
    }
    if let [data, model, count @ ..] = rest.as_slice() {
        let count = count.first().map_or(1000, |count| count.parse().expect("a number of passages"));
        passages(Path::new(data), Path::new(model), count, precision);
    } else {
        for length in [64, 128, 256] {
            tokens(length, precision);
        }
    }
}

fn passages(data: &Path, model: &Path, count: usize, precision: Precision) {
    let mut encoder = Encoder::load(model, &Device::Cpu).expect("a model");
    encoder.set_max_length(MAX_LENGTH).expect("a length");
    encoder.set_precision(precision);
    let corpus = std::fs::read_to_string(data.join("corpus.jsonl")).expect("a corpus");
    let text = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["text"].as_str().map(str::to_owned);
    let texts: Vec<String> = corpus.lines().take(count).map(|line| text(line).expect("a passage")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let tokenized = || encoder.tokenize(&texts, Role::Passage).expect("tokens");
    let tokens: usize = tokenized().iter().map(Vec::len).sum();
    let seconds = median(|| {
        encoder.embed(&tokenized(), &Silent).expect("embeddings");
    });
    println!(
        "lapidary {precision:?} {} passages: {:.2} passages/s, {:.0} tokens/s",
        texts.len(),
        texts.len() as f64 / seconds,
        tokens as f64 / seconds
    );
}

fn tokens(length: usize, precision: Precision) {
    let mut encoder = minilm::encoder(&Device::Cpu);
    encoder.set_precision(precision);
    let texts: Vec<Vec<u32>> = (0..4096 / length).map(|at| minilm::text(length, at)).collect();
    let seconds = median(|| {
        encoder.embed(&texts, &Silent).expect("embeddings");
    });
    println!("lapidary {precision:?} length {length}: {:.0} tokens/s", 4096.0 / seconds);
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
