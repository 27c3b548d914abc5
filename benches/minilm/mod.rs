//! An encoder of the shape of all-MiniLM-L6-v2 with random parameters, and texts for it: what benchmarks compute with.

use candle_core::Device;
use lapidary::encoder::{BertConfig, Encoder};
use tokenizers::Tokenizer;
use tokenizers::models::wordlevel::WordLevel;

/// Six layers, 384 wide, 12 heads, 1536 inside, 30,522 tokens.
pub(crate) fn encoder(device: &Device) -> Encoder {
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
    Encoder::random(config, Tokenizer::new(WordLevel::default()), 1, device).expect("a random encoder")
}

/// A text of so many tokens, another one for each seed.
pub(crate) fn text(length: usize, seed: usize) -> Vec<u32> {
    (0..length).map(|at| ((seed * 7919 + at * 104_729 + seed * at * 31) % 30_000) as u32 + 5).collect()
}
