//! The forward pass of BERT over rows of tokens.

use candle_core::{Result, Tensor};

use super::BertConfig;
use super::layout::Layout;
use super::ops::{Heads, Masks, attention, dropout, gelu, layer_norm, linear};

/// Where the tensors come from: variables to train through, or their bare values.
pub(super) struct Weights<'a> {
    get: &'a dyn Fn(&str) -> Result<Tensor>,
}

impl<'a> Weights<'a> {
    pub(super) fn new(get: &'a dyn Fn(&str) -> Result<Tensor>) -> Self {
        Self { get }
    }

    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        linear(x, &(self.get)(&format!("{name}.weight"))?, &(self.get)(&format!("{name}.bias"))?)
    }

    fn layer_norm(&self, name: &str, x: &Tensor, epsilon: f64) -> Result<Tensor> {
        layer_norm(x, &(self.get)(&format!("{name}.weight"))?, &(self.get)(&format!("{name}.bias"))?, epsilon)
    }

    fn rows(&self, name: &str, ids: Vec<u32>) -> Result<Tensor> {
        let table = (self.get)(name)?;
        let ids = Tensor::new(ids, table.device())?;
        table.index_select(&ids, 0)
    }
}

/// Token ids to the last hidden states, `[rows, hidden]`.
pub(super) fn forward(
    config: &BertConfig,
    weights: &Weights<'_>,
    batch: &[&[u32]],
    layout: &Layout,
    masks: Option<Masks>,
) -> Result<Tensor> {
    let words = weights.rows("embeddings.word_embeddings.weight", layout.spread(|text, at| batch[text][at]))?;
    let positions = weights.rows("embeddings.position_embeddings.weight", layout.spread(|_, at| at as u32))?;
    let types = (weights.get)("embeddings.token_type_embeddings.weight")?.narrow(0, 0, 1)?;
    let summed = (words + positions)?.broadcast_add(&types)?;
    let mut hidden = weights.layer_norm("embeddings.LayerNorm", &summed, config.layer_norm_eps)?;
    let mut site = 0;
    let mut next = || {
        site += 1;
        masks.map(|masks| masks.at(site))
    };
    hidden = dropout(&hidden, next())?;
    let heads = Heads { count: config.num_attention_heads, width: config.hidden_size / config.num_attention_heads };
    for layer in 0..config.num_hidden_layers {
        let at = |name: &str| format!("encoder.layer.{layer}.{name}");
        let query = weights.linear(&at("attention.self.query"), &hidden)?;
        let key = weights.linear(&at("attention.self.key"), &hidden)?;
        let value = weights.linear(&at("attention.self.value"), &hidden)?;
        let mixed = attention(&query, &key, &value, layout, heads, next())?;
        let mixed = dropout(&weights.linear(&at("attention.output.dense"), &mixed)?, next())?;
        let attended =
            weights.layer_norm(&at("attention.output.LayerNorm"), &(mixed + &hidden)?, config.layer_norm_eps)?;
        let inner = gelu(&weights.linear(&at("intermediate.dense"), &attended)?)?;
        let outer = dropout(&weights.linear(&at("output.dense"), &inner)?, next())?;
        hidden = weights.layer_norm(&at("output.LayerNorm"), &(outer + &attended)?, config.layer_norm_eps)?;
    }
    Ok(hidden)
}
