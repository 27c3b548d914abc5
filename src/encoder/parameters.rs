//! The trainable tensors, by the names that Hugging Face gives them.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::{BertConfig, Error, Result};

/// The dense layer's parameters; the bias may be absent.
pub(super) const DENSE_WEIGHT: &str = "dense.weight";
pub(super) const DENSE_BIAS: &str = "dense.bias";

/// Named variables, f32, in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Parameters(BTreeMap<String, Var>);

impl Parameters {
    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&Var> {
        self.0.get(name)
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Var)> {
        self.0.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// How many values they hold.
    pub fn count(&self) -> usize {
        self.0.values().map(|var| var.elem_count()).sum()
    }

    /// Copies of them on a device.
    pub(super) fn copied_to(&self, device: &Device) -> Result<Self> {
        let copy = |(name, var): (&String, &Var)| {
            Ok((name.clone(), Var::from_tensor(&var.as_detached_tensor().to_device(device)?)?))
        };
        self.0.iter().map(copy).collect::<Result<_>>().map(Self)
    }

    pub(super) fn insert(&mut self, name: &str, var: Var) {
        self.0.insert(name.to_owned(), var);
    }

    /// The parameters of a BERT from a safetensors file, with or without the `bert.` prefix, whatever its
    /// floating-point format; and what else is in the file (a pooler), which is kept to be written back.
    pub(super) fn read(path: &Path, config: &BertConfig, device: &Device) -> Result<(Self, BTreeMap<String, Tensor>)> {
        if !path.is_file() {
            return Err(Error::malformed(
                path,
                "no such file; only safetensors weights are read (convert a pytorch_model.bin first)",
            ));
        }
        let mut found: BTreeMap<String, Tensor> = candle_core::safetensors::load(path, device)
            .map_err(|error| {
                Error::malformed(
                    path,
                    format!("no readable safetensors file, perhaps cut short: {error}; fetch it again"),
                )
            })?
            .into_iter()
            .map(|(name, tensor)| (name.strip_prefix("bert.").map_or_else(|| name.clone(), str::to_owned), tensor))
            .collect();
        let mut parameters = Self::default();
        for (name, shape) in shapes(config) {
            let Some(tensor) = found.remove(&name) else {
                return Err(Error::malformed(
                    path,
                    format!(
                        "no tensor {name:?} {shape:?}: these are not the weights of the BERT that config.json describes"
                    ),
                ));
            };
            if tensor.dims() != shape {
                return Err(Error::malformed(
                    path,
                    format!("tensor {name:?} has shape {:?}, config.json asks for {shape:?}", tensor.dims()),
                ));
            }
            parameters.insert(&name, Var::from_tensor(&tensor.to_dtype(DType::F32)?)?);
        }
        found.retain(|name, _| name.starts_with("pooler."));
        Ok((parameters, found))
    }

    /// Random parameters: normal with deviation 0.02, as BERT begins; `LayerNorm` at one and zero.
    pub(super) fn random(config: &BertConfig, seed: u64, device: &Device) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut parameters = Self::default();
        for (name, shape) in shapes(config) {
            let count = shape.iter().product();
            let values = if name.ends_with("LayerNorm.weight") {
                vec![1.0; count]
            } else if name.ends_with("bias") {
                vec![0.0; count]
            } else {
                normal(&mut rng, count, 0.02)
            };
            parameters.insert(&name, Var::from_tensor(&Tensor::from_vec(values, shape, device)?)?);
        }
        Ok(parameters)
    }
}

/// Normally distributed values (Box and Muller 1958).
pub(super) fn normal(rng: &mut ChaCha8Rng, count: usize, deviation: f32) -> Vec<f32> {
    use rand::Rng as _;
    (0..count)
        .map(|_| {
            let (u, v): (f32, f32) = (1.0 - rng.random::<f32>(), rng.random());
            deviation * (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
        })
        .collect()
}

/// Name and shape of every parameter.
fn shapes(config: &BertConfig) -> Vec<(String, Vec<usize>)> {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![config.vocab_size, hidden]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![config.max_position_embeddings, hidden]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![config.type_vocab_size, hidden]),
        ("embeddings.LayerNorm.weight".to_owned(), vec![hidden]),
        ("embeddings.LayerNorm.bias".to_owned(), vec![hidden]),
    ];
    for layer in 0..config.num_hidden_layers {
        let mut dense = |name: &str, rows: usize, columns: usize| {
            shapes.push((format!("encoder.layer.{layer}.{name}.weight"), vec![rows, columns]));
            shapes.push((format!("encoder.layer.{layer}.{name}.bias"), vec![rows]));
        };
        dense("attention.self.query", hidden, hidden);
        dense("attention.self.key", hidden, hidden);
        dense("attention.self.value", hidden, hidden);
        dense("attention.output.dense", hidden, hidden);
        dense("intermediate.dense", inner, hidden);
        dense("output.dense", hidden, inner);
        for norm in ["attention.output.LayerNorm", "output.LayerNorm"] {
            shapes.push((format!("encoder.layer.{layer}.{norm}.weight"), vec![hidden]));
            shapes.push((format!("encoder.layer.{layer}.{norm}.bias"), vec![hidden]));
        }
    }
    shapes
}
