//! The parameters as the engine reads them, and the sums of their gradients.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Storage, StorageRef, Tensor};

use super::arena::zeros;
use super::rows::Norm;
use crate::encoder::{BertConfig, Frozen, Parameters};

/// Locks on the parameters' storages, held as long as a pass reads them.
pub(super) struct Locked<'a>(BTreeMap<&'a str, (StorageRef<'a>, &'a candle_core::Layout)>);

/// The weight `[out, in]` and the bias `[out]` of a dense layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dense<'a> {
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
}

/// The parameters of one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerWeights<'a> {
    pub(super) query: Dense<'a>,
    pub(super) key: Dense<'a>,
    pub(super) value: Dense<'a>,
    pub(super) mix: Dense<'a>,
    pub(super) mix_norm: Norm<'a>,
    pub(super) inner: Dense<'a>,
    pub(super) outer: Dense<'a>,
    pub(super) outer_norm: Norm<'a>,
}

/// All parameters.
#[derive(Debug)]
pub(super) struct Weights<'a> {
    pub(super) words: &'a [f32],
    pub(super) positions: &'a [f32],
    pub(super) types: &'a [f32],
    pub(super) norm: Norm<'a>,
    pub(super) layers: Vec<LayerWeights<'a>>,
}

impl<'a> Locked<'a> {
    pub(super) fn of(parameters: &'a Parameters) -> Self {
        Self(parameters.iter().map(|(name, var)| (name, var.as_tensor().storage_and_layout())).collect())
    }

    fn values(&self, name: &str) -> Result<&[f32]> {
        let Some((storage, layout)) = self.0.get(name) else { candle_core::bail!("no parameter {name}") };
        let Storage::Cpu(storage) = &**storage else { candle_core::bail!("{name} is not on the CPU") };
        let Some((start, end)) = layout.contiguous_offsets() else { candle_core::bail!("{name} is not contiguous") };
        Ok(&storage.as_slice::<f32>()?[start..end])
    }

    fn dense(&self, name: &str) -> Result<Dense<'_>> {
        Ok(Dense { weight: self.values(&format!("{name}.weight"))?, bias: self.values(&format!("{name}.bias"))? })
    }

    fn norm(&self, name: &str, epsilon: f64) -> Result<Norm<'_>> {
        let Dense { weight, bias } = self.dense(name)?;
        Ok(Norm { weight, bias, epsilon: epsilon as f32 })
    }

    /// The parameters by their places in the network.
    pub(super) fn weights(&self, config: &BertConfig) -> Result<Weights<'_>> {
        let epsilon = config.layer_norm_eps;
        let layers = (0..config.num_hidden_layers).map(|layer| {
            let at = |name: &str| format!("encoder.layer.{layer}.{name}");
            Ok(LayerWeights {
                query: self.dense(&at("attention.self.query"))?,
                key: self.dense(&at("attention.self.key"))?,
                value: self.dense(&at("attention.self.value"))?,
                mix: self.dense(&at("attention.output.dense"))?,
                mix_norm: self.norm(&at("attention.output.LayerNorm"), epsilon)?,
                inner: self.dense(&at("intermediate.dense"))?,
                outer: self.dense(&at("output.dense"))?,
                outer_norm: self.norm(&at("output.LayerNorm"), epsilon)?,
            })
        });
        Ok(Weights {
            words: self.values("embeddings.word_embeddings.weight")?,
            positions: self.values("embeddings.position_embeddings.weight")?,
            types: self.values("embeddings.token_type_embeddings.weight")?,
            norm: self.norm("embeddings.LayerNorm", epsilon)?,
            layers: layers.collect::<Result<_>>()?,
        })
    }
}

impl LayerWeights<'_> {
    /// Weights `[3 hidden, hidden]` and biases of query, key and value, one after the other: one product makes all three.
    pub(super) fn pack(&self, weight: &mut [f32], bias: &mut [f32]) {
        let three = [self.query, self.key, self.value];
        for (to, dense) in weight.chunks_exact_mut(self.query.weight.len()).zip(three) {
            to.copy_from_slice(dense.weight);
        }
        for (to, dense) in bias.chunks_exact_mut(self.query.bias.len()).zip(three) {
            to.copy_from_slice(dense.bias);
        }
    }
}

/// Sums of the gradients of a weight and a bias.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// Sums of one layer; query, key and value stand one after the other.
#[derive(Debug)]
pub(super) struct LayerSums {
    pub(super) qkv: Pair,
    pub(super) mix: Pair,
    pub(super) mix_norm: Pair,
    pub(super) inner: Pair,
    pub(super) outer: Pair,
    pub(super) outer_norm: Pair,
}

/// Sums of the gradients of all parameters.
#[derive(Debug)]
pub(super) struct All {
    pub(super) words: Vec<f32>,
    pub(super) positions: Vec<f32>,
    pub(super) types: Vec<f32>,
    pub(super) norm: Pair,
    pub(super) layers: Vec<LayerSums>,
    hidden: usize,
    frozen: Frozen,
}

/// The gradients of any number of passes; nothing is taken from memory before the first.
#[derive(Debug, Default)]
pub(in crate::encoder::engine) struct Sums(Option<All>);

impl Sums {
    /// The sums of all parameters; what is frozen has room in them too, which costs nothing while nobody writes there, and
    /// is left out at the end.
    pub(super) fn all(&mut self, config: &BertConfig, frozen: Frozen) -> &mut All {
        self.0.get_or_insert_with(|| All::zeros(config, frozen))
    }

    /// The sums as tensors, by the parameter's name.
    pub(in crate::encoder::engine) fn finish(self) -> Result<BTreeMap<String, Tensor>> {
        self.0.map_or_else(|| Ok(BTreeMap::new()), All::finish)
    }
}

impl All {
    fn zeros(config: &BertConfig, frozen: Frozen) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let pair = |out: usize, width: usize| Pair { weight: vec![0.0; out * width], bias: vec![0.0; out] };
        let layer = |_| LayerSums {
            qkv: pair(3 * hidden, hidden),
            mix: pair(hidden, hidden),
            mix_norm: pair(hidden, 1),
            inner: pair(inner, hidden),
            outer: pair(hidden, inner),
            outer_norm: pair(hidden, 1),
        };
        Self {
            words: zeros(config.vocab_size * hidden),
            positions: vec![0.0; config.max_position_embeddings * hidden],
            types: vec![0.0; config.type_vocab_size * hidden],
            norm: pair(hidden, 1),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            hidden,
            frozen,
        }
    }

    fn finish(self) -> Result<BTreeMap<String, Tensor>> {
        let hidden = self.hidden;
        let mut all = BTreeMap::new();
        let mut matrix = |name: String, values: Vec<f32>, width: usize| -> Result<()> {
            let shape = (values.len() / width, width);
            all.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
            Ok(())
        };
        let mut vectors = Vec::new();
        if !self.frozen.embeddings {
            matrix("embeddings.word_embeddings.weight".to_owned(), self.words, hidden)?;
            matrix("embeddings.position_embeddings.weight".to_owned(), self.positions, hidden)?;
            matrix("embeddings.token_type_embeddings.weight".to_owned(), self.types, hidden)?;
            vectors.push(("embeddings.LayerNorm".to_owned(), self.norm));
        }
        let mut biases = Vec::new();
        for (layer, sums) in self.layers.into_iter().enumerate().skip(self.frozen.layers) {
            let at = |name: &str| format!("encoder.layer.{layer}.{name}");
            let three = sums.qkv.weight.chunks_exact(hidden * hidden).zip(sums.qkv.bias.chunks_exact(hidden));
            for (name, (weight, bias)) in ["query", "key", "value"].into_iter().zip(three) {
                matrix(at(&format!("attention.self.{name}.weight")), weight.to_vec(), hidden)?;
                biases.push((at(&format!("attention.self.{name}.bias")), bias.to_vec()));
            }
            for (name, pair) in
                [("attention.output.dense", sums.mix), ("intermediate.dense", sums.inner), ("output.dense", sums.outer)]
            {
                let width = pair.weight.len() / pair.bias.len();
                matrix(at(&format!("{name}.weight")), pair.weight, width)?;
                biases.push((at(&format!("{name}.bias")), pair.bias));
            }
            vectors.push((at("attention.output.LayerNorm"), sums.mix_norm));
            vectors.push((at("output.LayerNorm"), sums.outer_norm));
        }
        for (name, pair) in vectors {
            biases.push((format!("{name}.weight"), pair.weight));
            biases.push((format!("{name}.bias"), pair.bias));
        }
        for (name, values) in biases {
            let count = values.len();
            all.insert(name, Tensor::from_vec(values, count, &Device::Cpu)?);
        }
        Ok(all)
    }
}
