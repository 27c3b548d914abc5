//! The engine beside the composed operators, which are its reference.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokenizers::Tokenizer;
use tokenizers::models::wordlevel::WordLevel;

use crate::encoder::lanes::tests::under_each_width;
use crate::encoder::pass::{Pass, Way};
use crate::encoder::{BertConfig, Dropout, Encoder, Frozen, Gradients, Pooling};

fn config(layers: usize, heads: usize, width: usize, inner: usize) -> BertConfig {
    BertConfig {
        vocab_size: 41,
        hidden_size: heads * width,
        num_attention_heads: heads,
        intermediate_size: inner,
        max_position_embeddings: 160,
        ..BertConfig::tiny(layers)
    }
}

/// An encoder whose parameters are all random: at one and zero, `LayerNorm`s and biases would hide mistakes.
fn encoder(config: BertConfig, seed: u64) -> Encoder {
    let encoder = Encoder::random(config, Tokenizer::new(WordLevel::default()), seed, &Device::Cpu).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xabc);
    for (name, var) in encoder.parameters().iter() {
        let middle = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
        let values: Vec<f32> = (0..var.elem_count()).map(|_| middle + rng.random_range(-0.25..0.25)).collect();
        var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap()).unwrap();
    }
    encoder
}

fn texts(lengths: &[usize], seed: u64) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    lengths.iter().map(|&length| (0..length).map(|_| rng.random_range(0..41)).collect()).collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// A gradient of embeddings that is nowhere zero.
fn given(like: &Tensor) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(77);
    let values: Vec<f32> = (0..like.elem_count()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, like.dims(), &Device::Cpu).unwrap()
}

type Found = (Vec<f32>, BTreeMap<String, Vec<f32>>);

fn gradients(encoder: &Encoder, pass: Pass) -> Found {
    let embeddings = values(pass.embeddings());
    let given = given(pass.embeddings());
    let mut sums = Gradients::default();
    encoder.backward(pass, &given, &mut sums).unwrap();
    let all = sums.finish().unwrap();
    (embeddings, all.iter().map(|(name, gradient)| (name.clone(), values(gradient))).collect())
}

fn of_engine(encoder: &Encoder, batch: &[&[u32]], dropout: Dropout) -> Found {
    let pass = encoder.pass(batch, dropout).unwrap();
    assert!(matches!(pass.way, Way::Engine { .. }));
    gradients(encoder, pass)
}

fn of_composition(encoder: &Encoder, batch: &[&[u32]], dropout: Dropout) -> Found {
    let output = encoder.composed(batch, dropout, true).unwrap();
    gradients(encoder, Pass { embeddings: output.detach(), way: Way::Graph(output) })
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn check_same(found: &Found, expected: &Found, tolerance: f32) {
    assert!(largest_difference(&found.0, &expected.0) < 1e-5, "{}", largest_difference(&found.0, &expected.0));
    let names = |found: &Found| found.1.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    for (name, gradient) in &found.1 {
        let expected = &expected.1[name];
        let size = expected.iter().fold(1.0_f32, |size, value| size.max(value.abs()));
        let difference = largest_difference(gradient, expected);
        assert!(difference < tolerance * size, "{name}: {difference} of {size}");
    }
}

const DROPOUT: Dropout = Dropout::On { rate: 0.2, seed: 9 };

#[test]
fn the_engine_agrees_with_the_composed_operators() {
    let shapes: [(BertConfig, &[usize]); 4] = [
        (config(1, 1, 4, 8), &[3]),
        (config(2, 3, 4, 20), &[5, 1, 9]),
        (config(3, 2, 16, 64), &[17, 2, 40, 8]),
        // More rows than a block of attention, or of anything else, holds.
        (config(1, 2, 8, 24), &[150, 33]),
    ];
    for (at, (config, lengths)) in shapes.into_iter().enumerate() {
        for pooling in [Pooling::Mean, Pooling::Cls] {
            for dropout in [Dropout::Off, DROPOUT] {
                let encoder = encoder(config.clone(), at as u64).pooled_by(pooling);
                let texts = texts(lengths, 3);
                let batch: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
                let found = of_engine(&encoder, &batch, dropout);
                check_same(&found, &of_composition(&encoder, &batch, dropout), 3e-5);
                let forward = values(&encoder.forward(&batch, dropout).unwrap());
                assert_eq!(forward, found.0, "a pass without a way back gives the same");
            }
        }
    }
}

#[test]
fn what_is_frozen_gets_no_gradient_and_the_rest_the_same() {
    let texts = texts(&[17, 2, 30], 3);
    let batch: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let whole = of_engine(&encoder(config(3, 2, 8, 24), 4), &batch, DROPOUT);
    for (embeddings, layers) in [(true, 0), (false, 1), (true, 1), (true, 2), (false, 3)] {
        let frozen = Frozen { embeddings, layers };
        let mut encoder = encoder(config(3, 2, 8, 24), 4);
        encoder.set_frozen(frozen).unwrap();
        let found = of_engine(&encoder, &batch, DROPOUT);
        check_same(&found, &of_composition(&encoder, &batch, DROPOUT), 3e-5);
        // Bit by bit, since nothing above it is computed differently.
        let rest = whole.1.iter().filter(|(name, _)| !frozen.holds(name));
        assert_eq!(found.1, rest.map(|(name, values)| (name.clone(), values.clone())).collect(), "{frozen:?}");
    }
}

#[test]
fn freezing_more_than_there_is_is_refused() {
    let mut encoder = encoder(config(2, 1, 4, 8), 1);
    let error = encoder.set_frozen(Frozen { embeddings: false, layers: 3 }).unwrap_err();
    assert_eq!(error.to_string(), "--freeze-layers 3: the model has 2 layers");
    assert!(encoder.set_frozen(Frozen { embeddings: true, layers: 2 }).is_err(), "nothing would be left");
    assert!(encoder.set_frozen(Frozen { embeddings: false, layers: 2 }).is_ok());
}

#[test]
fn gradients_are_slopes() {
    const STEP: f32 = 1e-2;
    let encoder = encoder(config(2, 2, 8, 24), 5);
    let texts = texts(&[6, 11, 3], 4);
    let batch: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let (_, gradients) = of_engine(&encoder, &batch, DROPOUT);
    let loss = || {
        let embeddings = encoder.forward(&batch, DROPOUT).unwrap();
        f64::from((&embeddings * given(&embeddings)).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap())
    };
    for (name, var) in encoder.parameters().iter() {
        let before = values(var.as_tensor());
        let moved = |index: usize, by: f32| {
            let mut values = before.clone();
            values[index] += by;
            var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap()).unwrap();
            loss()
        };
        // The value that matters most, and one that is as good as any.
        let gradient = &gradients[name];
        let steepest = (0..gradient.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
        for index in [steepest, gradient.len() / 2] {
            let slope = (moved(index, STEP) - moved(index, -STEP)) / (2.0 * f64::from(STEP));
            let expected = f64::from(gradient[index]);
            assert!((slope - expected).abs() < 2e-2 * expected.abs().max(0.3), "{name}: {slope}, not {expected}");
        }
        var.set(&Tensor::from_vec(before.clone(), var.dims(), &Device::Cpu).unwrap()).unwrap();
    }
}

#[test]
fn the_same_pass_gives_the_same_bits() {
    let encoder = encoder(config(2, 3, 8, 40), 6);
    let texts = texts(&[30, 7, 64, 1, 12], 8);
    let batch: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let first = of_engine(&encoder, &batch, DROPOUT);
    // Another batch leaves other values in the memory that is used again.
    let _ = of_engine(&encoder, &batch[..2], Dropout::Off);
    let again = of_engine(&encoder, &batch, DROPOUT);
    assert_eq!(first, again);
}

#[test]
fn passes_add_up() {
    let encoder = encoder(config(2, 2, 8, 16), 7);
    let texts = texts(&[9, 4, 13], 2);
    let batch: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let together = of_engine(&encoder, &batch, Dropout::Off);
    let mut sums = Gradients::default();
    let all = given(encoder.forward(&batch, Dropout::Off).as_ref().unwrap());
    for at in 0..batch.len() {
        let pass = encoder.pass(&batch[at..=at], Dropout::Off).unwrap();
        encoder.backward(pass, &all.narrow(0, at, 1).unwrap(), &mut sums).unwrap();
    }
    for (name, gradient) in sums.finish().unwrap() {
        let difference = largest_difference(&values(&gradient), &together.1[&name]);
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

#[test]
fn every_width_of_register_gives_the_same_rows() {
    use super::rows::{Norm, Normal, RowSieve, residual_norm};
    let masks = crate::encoder::ops::Masks { rate: 0.3, seed: 4, site: 2 };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut random = |count: usize| (0..count).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    let (dense, residual) = (random(3 * 21), random(3 * 21));
    let (bias, weight, shift) = (random(21), random(21), random(21));
    let outputs = std::cell::RefCell::new(Vec::new());
    under_each_width(|| {
        let (mut rows, mut inverse, mut y) = (vec![0.0; 63], vec![0.0; 3], vec![0.0; 63]);
        let norm = Norm { weight: &weight, bias: &shift, epsilon: 1e-12 };
        let sieve = RowSieve { sieve: Some(masks.sieve()), places: &[0, 1, 5] };
        let mut normal = Normal { rows: &mut rows, inverse: &mut inverse };
        // In this thread, which is told its width.
        super::rows::residual_norm_block(&dense, &bias, &residual, norm, sieve, &mut normal, &mut y);
        outputs.borrow_mut().push(y);
    });
    let outputs = outputs.into_inner();
    let (mut rows, mut inverse, mut y) = (vec![0.0; 63], vec![0.0; 3], vec![0.0; 63]);
    let norm = Norm { weight: &weight, bias: &shift, epsilon: 1e-12 };
    let sieve = RowSieve { sieve: Some(masks.sieve()), places: &[0, 1, 5] };
    residual_norm(
        &dense,
        &bias,
        &residual,
        norm,
        sieve,
        &mut Normal { rows: &mut rows, inverse: &mut inverse },
        &mut y,
    );
    for output in &outputs {
        assert!(largest_difference(output, &y) < 1e-5);
    }
}
