//! The encoder as its users see it: texts in, vectors out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{D, Device, Tensor, Var};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::bert::{self, Weights};
use super::engine::{Engine, Input};
use super::folder::Folder;
use super::layout::Layout;
use super::ops::Masks;
use super::parameters::{DENSE_BIAS, DENSE_WEIGHT, normal};
use super::pass::{Pass, Way};
use super::{Activation, BertConfig, Embeddings, Error, Frozen, Parameters, Pooling, Prompts, Result};
use crate::progress::{Event, Observer};
use crate::settings::Precision;
use crate::tokenizer::{self, Tokenizer};

/// Tokens embedded at a time without a graph.
const TOKENS_AT_A_TIME: usize = 4096;
/// The table of token embeddings.
pub(super) const WORDS: &str = "embeddings.word_embeddings.weight";
/// Positions, where nothing says otherwise.
const MAX_LENGTH: usize = 512;
/// Added under the root when a vector is scaled to length one: its gradient at zero would be no number.
const TINY: f64 = 1e-12;

/// What a text is, for the prompt before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What a user asks.
    Query,
    /// What answers.
    Passage,
}

/// Dropout of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Dropout {
    /// None: inference, or training without.
    Off,
    /// A share of the values, chosen by a seed: the same seed drops the same values.
    On {
        /// The share.
        rate: f32,
        /// The seed.
        seed: u64,
    },
}

/// How an encoder comes to other dimensions than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DimHead {
    /// The first ones are kept.
    Truncate,
    /// A trained dense layer maps to them.
    Dense {
        /// The seed of its first values.
        seed: u64,
    },
}

/// What follows pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    None,
    Truncate(usize),
    Dense(Activation),
}

/// A sentence-transformers model whose parameters can be trained.
#[derive(Debug, Clone)]
pub struct Encoder {
    pub(super) config: BertConfig,
    pub(super) parameters: Parameters,
    untrained: BTreeMap<String, Tensor>,
    pub(super) tokenizer: Tokenizer,
    pooling: Pooling,
    normalize: bool,
    head: Head,
    prompts: Prompts,
    max_length: usize,
    device: Device,
    engine: Arc<Engine>,
    precision: Precision,
    pub(super) frozen: Frozen,
}

impl Encoder {
    /// Reads a sentence-transformers folder, or a plain BERT folder (mean pooling, normalised).
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let config_file = folder.join("config.json");
        if !config_file.is_file() {
            return Err(Error::malformed(
                folder,
                "no config.json in it: name a folder with config.json, model.safetensors and tokenizer.json",
            ));
        }
        let config = BertConfig::read(&config_file)?;
        let around = Folder::read(folder)?;
        let tokenizer = tokenizer::load(folder)?;
        check_vocabulary(&folder.join("tokenizer.json"), &tokenizer, config.vocab_size)?;
        let (mut parameters, untrained) = Parameters::read(&folder.join("model.safetensors"), &config, device)?;
        let mut head = Head::None;
        if let Some(dense) = &around.dense {
            let tensors = candle_core::safetensors::load(&dense.path, device)
                .map_err(|error| Error::malformed(&dense.path, format!("no readable safetensors file: {error}")))?;
            let mut take = |from: &str, to: &str| -> Result<()> {
                let tensor =
                    tensors.get(from).ok_or_else(|| Error::malformed(&dense.path, format!("no tensor {from:?}")))?;
                parameters.insert(to, Var::from_tensor(&tensor.to_dtype(candle_core::DType::F32)?)?);
                Ok(())
            };
            take("linear.weight", DENSE_WEIGHT)?;
            if dense.bias {
                take("linear.bias", DENSE_BIAS)?;
            }
            head = Head::Dense(dense.activation);
        }
        let max_length = around.max_length.unwrap_or(MAX_LENGTH).min(config.max_position_embeddings);
        let mut encoder = Self {
            config,
            parameters,
            untrained,
            tokenizer,
            pooling: around.pooling,
            normalize: around.normalize,
            head,
            prompts: around.prompts,
            max_length,
            device: device.clone(),
            engine: Arc::new(Engine::on(device)),
            precision: Precision::F32,
            frozen: Frozen::default(),
        };
        encoder.set_max_length(max_length)?;
        Ok(encoder)
    }

    /// An encoder of random parameters: mean pooling, normalised.
    pub fn random(config: BertConfig, tokenizer: Tokenizer, seed: u64, device: &Device) -> Result<Self> {
        let parameters = Parameters::random(&config, seed, device)?;
        let max_length = config.max_position_embeddings;
        let mut encoder = Self {
            config,
            parameters,
            untrained: BTreeMap::new(),
            tokenizer,
            pooling: Pooling::Mean,
            normalize: true,
            head: Head::None,
            prompts: Prompts::default(),
            max_length,
            device: device.clone(),
            engine: Arc::new(Engine::on(device)),
            precision: Precision::F32,
            frozen: Frozen::default(),
        };
        encoder.set_max_length(max_length)?;
        Ok(encoder)
    }

    /// The same encoder on a device, with parameters of its own. What is not trained stays where it was.
    pub fn replica(&self, device: &Device) -> Result<Self> {
        let (parameters, engine) = (self.parameters.copied_to(device)?, Arc::new(Engine::on(device)));
        Ok(Self { parameters, device: device.clone(), engine, ..self.clone() })
    }

    /// The shape of the transformer.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// Everything that is trained.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What came with the weights and is not used: a pooler.
    pub fn untrained(&self) -> &BTreeMap<String, Tensor> {
        &self.untrained
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// How hidden states become one vector.
    pub const fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Whether vectors are scaled to length one.
    pub const fn normalize(&self) -> bool {
        self.normalize
    }

    /// What is put before texts.
    pub const fn prompts(&self) -> &Prompts {
        &self.prompts
    }

    /// The dense layer after pooling: weight `[dim, hidden]`, bias `[dim]`, activation.
    pub fn dense(&self) -> Option<(&Var, Option<&Var>, Activation)> {
        let Head::Dense(activation) = self.head else { return None };
        Some((self.parameters.get(DENSE_WEIGHT)?, self.parameters.get(DENSE_BIAS), activation))
    }

    /// Where it computes.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// Dimensions of the embeddings.
    pub fn dim(&self) -> usize {
        match self.head {
            Head::None => self.config.hidden_size,
            Head::Truncate(dim) => dim,
            Head::Dense(_) => {
                self.parameters.get(DENSE_WEIGHT).map_or(self.config.hidden_size, |weight| weight.dims()[0])
            }
        }
    }

    /// Tokens of a text that are read, special tokens included.
    pub const fn max_length(&self) -> usize {
        self.max_length
    }

    /// Reads more or fewer tokens of each text.
    pub fn set_max_length(&mut self, length: usize) -> Result<()> {
        if length > self.config.max_position_embeddings {
            return Err(Error::TooLong { wanted: length, positions: self.config.max_position_embeddings });
        }
        let truncation = tokenizers::TruncationParams { max_length: length, ..Default::default() };
        self.tokenizer.with_truncation(Some(truncation)).map_err(|error| Error::Tokenizing(error.to_string()))?;
        self.max_length = length;
        Ok(())
    }

    /// Whether there are products of this format for this encoder on its device.
    pub fn serves(&self, precision: Precision) -> Result<bool> {
        Ok(self.engine.serves(&self.config, precision)?)
    }

    /// Computes products in this format, where the device has an engine that does; parameters and sums stay f32.
    pub const fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    /// The format of products that was asked for.
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// Gives the embeddings `dim` dimensions.
    pub fn set_dim(&mut self, dim: usize, how: DimHead) -> Result<()> {
        let own = self.config.hidden_size;
        match how {
            _ if dim == self.dim() => {}
            DimHead::Truncate if dim > self.dim() => return Err(Error::TooWide { wanted: dim, dim: self.dim() }),
            DimHead::Truncate => self.head = Head::Truncate(dim),
            DimHead::Dense { seed } => {
                // The identity as far as it goes, so that training begins from the base's geometry; the rest is noise
                // of the size that leaves lengths about as they are.
                let mut weight = normal(&mut ChaCha8Rng::seed_from_u64(seed), dim * own, 0.01);
                for at in 0..dim.min(own) {
                    weight[at * own + at] += 1.0;
                }
                self.parameters
                    .insert(DENSE_WEIGHT, Var::from_tensor(&Tensor::from_vec(weight, (dim, own), &self.device)?)?);
                self.parameters
                    .insert(DENSE_BIAS, Var::from_tensor(&Tensor::zeros(dim, candle_core::DType::F32, &self.device)?)?);
                self.head = Head::Dense(Activation::Identity);
            }
        }
        Ok(())
    }

    /// Token ids of each text: prompt and special tokens added, cut to the greatest length.
    pub fn tokenize(&self, texts: &[&str], role: Role) -> Result<Vec<Vec<u32>>> {
        let prompt = self.prompts.of(role);
        let prompted: Vec<String> = texts.iter().map(|text| format!("{prompt}{text}")).collect();
        let encodings =
            self.tokenizer.encode_batch_fast(prompted, true).map_err(|error| Error::Tokenizing(error.to_string()))?;
        Ok(encodings.into_iter().map(|encoding| encoding.get_ids().to_vec()).collect())
    }

    /// A forward pass over texts that can be gone back through ([`Encoder::backward`]).
    pub fn pass(&self, batch: &[&[u32]], dropout: Dropout) -> Result<Pass> {
        check_not_empty(batch)?;
        if let Some((pooled, Some(tape))) = self.engine.forward(self.input(batch, dropout), true)? {
            let pooled = Var::from_tensor(&pooled)?;
            let headed = self.head(pooled.as_tensor(), true)?;
            return Ok(Pass { embeddings: headed.detach(), way: Way::Engine { tape, pooled, headed } });
        }
        let output = self.composed(batch, dropout, true)?;
        Ok(Pass { embeddings: output.detach(), way: Way::Graph(output) })
    }

    /// Embeddings `[texts, dim]` without a way back, for who needs the values first and the way back later.
    pub fn forward(&self, batch: &[&[u32]], dropout: Dropout) -> Result<Tensor> {
        check_not_empty(batch)?;
        match self.engine.forward(self.input(batch, dropout), false)? {
            Some((pooled, _)) => self.head(&pooled, false),
            None => self.composed(batch, dropout, false),
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    fn input<'a>(&'a self, batch: &'a [&'a [u32]], dropout: Dropout) -> Input<'a> {
        let (config, parameters, pooling) = (&self.config, &self.parameters, self.pooling);
        Input {
            config,
            parameters,
            batch,
            masks: masks(dropout),
            pooling,
            precision: self.precision,
            frozen: self.frozen,
        }
    }

    #[cfg(test)]
    pub(super) fn pooled_by(mut self, pooling: Pooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// Embeddings of any number of texts, in their order, without a graph.
    pub fn embed<T: AsRef<[u32]>>(&self, tokens: &[T], observer: &dyn Observer) -> Result<Embeddings> {
        let dim = self.dim();
        let mut data = vec![0.0; tokens.len() * dim];
        // Texts of like length share a batch; the longest come first, so that too little memory shows at once.
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(tokens[at].as_ref().len()));
        let mut done = 0;
        while done < order.len() {
            if observer.stop_requested() {
                return Err(Error::Stopped);
            }
            let longest = tokens[order[done]].as_ref().len().max(1);
            let count = (TOKENS_AT_A_TIME / longest).max(1).min(order.len() - done);
            let chosen = &order[done..done + count];
            let batch: Vec<&[u32]> = chosen.iter().map(|&at| tokens[at].as_ref()).collect();
            let values = self.forward(&batch, Dropout::Off)?.flatten_all()?.to_vec1::<f32>()?;
            for (row, &at) in values.chunks_exact(dim).zip(chosen) {
                data[at * dim..][..dim].copy_from_slice(row);
            }
            done += count;
            observer.on(Event::progress(done, tokens.len(), "texts"));
        }
        Ok(Embeddings::new(dim, data))
    }

    /// The composed operators, with a graph back to the parameters or without: what engines are held to.
    pub(super) fn composed(&self, batch: &[&[u32]], dropout: Dropout, graph: bool) -> Result<Tensor> {
        let get = |name: &str| self.parameter(name, graph);
        let layout = Layout::padded(batch.iter().map(|text| text.len()).collect());
        let hidden = bert::forward(&self.config, &Weights::new(&get), batch, &layout, masks(dropout))?;
        let pooled = match self.pooling {
            Pooling::Mean => layout.averaging(&self.device)?.matmul(&hidden)?,
            Pooling::Cls => {
                let starts: Vec<u32> = layout.starts().iter().map(|&start| start as u32).collect();
                hidden.index_select(&Tensor::new(starts, &self.device)?, 0)?
            }
        };
        self.head(&pooled, graph)
    }

    /// What follows pooling.
    fn head(&self, pooled: &Tensor, graph: bool) -> Result<Tensor> {
        let headed = match self.head {
            Head::None => pooled.clone(),
            Head::Truncate(dim) => pooled.narrow(1, 0, dim)?,
            Head::Dense(activation) => {
                let mut out = pooled.matmul(&self.parameter(DENSE_WEIGHT, graph)?.t()?)?;
                if self.parameters.get(DENSE_BIAS).is_some() {
                    out = out.broadcast_add(&self.parameter(DENSE_BIAS, graph)?)?;
                }
                if activation == Activation::Tanh { out.tanh()? } else { out }
            }
        };
        // A truncated vector is scaled again: its length is part of what was cut off.
        if self.normalize || matches!(self.head, Head::Truncate(_)) { Ok(unit(&headed)?) } else { Ok(headed) }
    }

    fn parameter(&self, name: &str, graph: bool) -> candle_core::Result<Tensor> {
        let Some(var) = self.parameters.get(name) else { candle_core::bail!("no parameter {name}") };
        Ok(if graph && !self.frozen.holds(name) { var.as_tensor().clone() } else { var.as_detached_tensor() })
    }
}

fn masks(dropout: Dropout) -> Option<Masks> {
    match dropout {
        Dropout::Off => None,
        Dropout::On { rate, seed } => Some(Masks { rate, seed, site: 0 }),
    }
}

fn check_not_empty(batch: &[&[u32]]) -> Result<()> {
    if batch.iter().any(|text| text.is_empty()) {
        return Err(Error::Tokenizing("a text of no tokens: the tokenizer adds no special tokens".to_owned()));
    }
    Ok(())
}

/// Rows scaled to length one.
fn unit(rows: &Tensor) -> candle_core::Result<Tensor> {
    let length = (rows.sqr()?.sum_keepdim(D::Minus1)? + TINY)?.sqrt()?;
    rows.broadcast_div(&length)
}

/// A tokenizer whose ids the embeddings have no rows for, or that uses fewer than there are, belongs to another model.
/// Rows added to make their number a multiple of 64, as some trainers do, are no difference.
fn check_vocabulary(path: &Path, tokenizer: &Tokenizer, rows: usize) -> Result<()> {
    let size = tokenizer.get_vocab_size(true);
    let rounded_up = rows.is_multiple_of(64) && size <= rows && rows - size < 64;
    if size == rows || rounded_up {
        return Ok(());
    }
    let problem = format!(
        "{size} tokens, but the embeddings have {rows} rows: tokenizer and weights are of different models; copy both from the same one"
    );
    Err(Error::malformed(path, problem))
}
