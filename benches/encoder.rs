//! How fast the encoder is: forward passes, and one training step, of a MiniLM-sized model with random parameters.
//!
//!     cargo bench --bench encoder

use candle_core::Device;
use divan::Bencher;
use divan::counter::ItemsCount;
use lapidary::encoder::{BertConfig, Encoder};
use lapidary::progress::Silent;
use lapidary::training::{AdamW, AdamWOptions, Example, Objective, batch_gradients};
use tokenizers::Tokenizer;
use tokenizers::models::wordlevel::WordLevel;

fn main() {
    divan::main();
}

/// Six layers, 384 wide, 30,522 tokens: the shape of all-MiniLM-L6-v2.
fn encoder() -> Encoder {
    let config = BertConfig {
        vocab_size: 30522,
        hidden_size: 384,
        num_hidden_layers: 6,
        num_attention_heads: 12,
        intermediate_size: 1536,
        max_position_embeddings: 512,
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        hidden_dropout_prob: 0.1,
        attention_probs_dropout_prob: 0.1,
        pad_token_id: 0,
    };
    Encoder::random(config, Tokenizer::new(WordLevel::default()), 1, &Device::Cpu).expect("a random encoder")
}

fn texts(count: usize, length: usize, seed: u32) -> Vec<Vec<u32>> {
    let id = |text: usize, at: usize| (seed + (text * 7919 + at * 104_729) as u32) % 30_000 + 5;
    (0..count).map(|text| (0..length).map(|at| id(text, at)).collect()).collect()
}

#[divan::bench(args = [64, 128, 256], sample_count = 5, sample_size = 1)]
fn forward_tokens(bencher: Bencher<'_, '_>, length: usize) {
    let encoder = encoder();
    let texts = texts(4096 / length, length, 0);
    bencher.counter(ItemsCount::new(4096_usize)).bench_local(|| encoder.embed(&texts, &Silent).expect("embeddings"));
}

/// One step of MNRL with `AdamW`: batch 16, every text 128 tokens; at once, and with the gradient cached in groups of 8 pairs.
#[divan::bench(args = [8, 64], sample_count = 5, sample_size = 1)]
fn training_step_16x128(bencher: Bencher<'_, '_>, micro_batch: usize) {
    let encoder = encoder();
    let pairs = texts(16, 128, 0).into_iter().zip(texts(16, 128, 11));
    let examples: Vec<Example> =
        pairs.map(|(query, positive)| Example { query, positive, negatives: Vec::new(), keys: Vec::new() }).collect();
    let batch: Vec<&Example> = examples.iter().collect();
    let mut optimizer = AdamW::new(AdamWOptions::default());
    let objective = Objective::Mnrl { scale: 20.0, symmetric: false };
    bencher.counter(ItemsCount::new(16_usize)).bench_local(|| {
        let found = batch_gradients(&encoder, &batch, objective, micro_batch, 0.0, 0).expect("gradients");
        optimizer.update(encoder.parameters(), &found.gradients, 2e-5, 1.0).expect("a step");
    });
}
