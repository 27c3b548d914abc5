//! `config.json` of a BERT encoder, as Hugging Face writes it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, Result};

/// The shape of a BERT encoder (Devlin et al. 2018).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// Rows of the token embeddings.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Attention heads a layer.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Rows of the position embeddings: the longest text.
    pub max_position_embeddings: usize,
    /// Rows of the token type embeddings.
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    /// Added to the variance in layer normalisation.
    #[serde(default = "tiny")]
    pub layer_norm_eps: f64,
    /// Share of hidden values dropped in training.
    #[serde(default = "tenth")]
    pub hidden_dropout_prob: f64,
    /// Share of attention probabilities dropped in training.
    #[serde(default = "tenth")]
    pub attention_probs_dropout_prob: f64,
    /// The token id of padding.
    #[serde(default)]
    pub pad_token_id: u32,
}

const fn two() -> usize {
    2
}

const fn tiny() -> f64 {
    1e-12
}

const fn tenth() -> f64 {
    0.1
}

/// What else a `config.json` may say that decides whether we can compute it.
#[derive(Deserialize)]
struct Peculiarities {
    model_type: Option<String>,
    hidden_act: Option<String>,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

impl BertConfig {
    /// Reads a configuration and refuses what is not a BERT encoder.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let malformed = |error: serde_json::Error| Error::malformed(path, error);
        let peculiar: Peculiarities = serde_json::from_str(&text).map_err(malformed)?;
        let mut wants = vec![
            ("model_type", peculiar.model_type, "bert"),
            ("hidden_act", peculiar.hidden_act, "gelu"),
            ("position_embedding_type", peculiar.position_embedding_type, "absolute"),
        ];
        if peculiar.is_decoder {
            wants.push(("is_decoder", Some("true".to_owned()), "false"));
        }
        for (key, found, supported) in wants {
            if let Some(found) = found.filter(|found| found != supported) {
                let problem = format!(
                    "{key} is {found:?}, and only {supported:?} can be trained here: choose a BERT encoder such as all-MiniLM-L6-v2"
                );
                return Err(Error::malformed(path, problem));
            }
        }
        let config: Self = serde_json::from_str(&text).map_err(malformed)?;
        if config.num_attention_heads == 0 || !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            let problem = format!(
                "hidden_size {} is no multiple of num_attention_heads {}",
                config.hidden_size, config.num_attention_heads
            );
            return Err(Error::malformed(path, problem));
        }
        Ok(config)
    }

    /// One that trains in no time: 60 tokens, 24 wide, 3 heads, 48 inside, texts of at most 32.
    #[cfg(test)]
    pub(crate) const fn tiny(layers: usize) -> Self {
        Self {
            vocab_size: 60,
            hidden_size: 24,
            num_hidden_layers: layers,
            num_attention_heads: 3,
            intermediate_size: 48,
            max_position_embeddings: 32,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            pad_token_id: 0,
        }
    }

    /// The configuration as Hugging Face reads it back.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        json["architectures"] = serde_json::json!(["BertModel"]);
        json["model_type"] = "bert".into();
        json["hidden_act"] = "gelu".into();
        // Means nothing to a trained model; candle-transformers does not read a configuration without it.
        json["initializer_range"] = 0.02.into();
        json["position_embedding_type"] = "absolute".into();
        json
    }
}
