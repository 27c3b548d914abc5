//! The encoder on an NVIDIA GPU: bf16 products on the matrix units, f32 sums, f32 master weights.
//!
//! Rows are packed end to end. Between two products everything is one kernel; attention stores no probabilities. Hidden
//! states, and gradients on their way, are bf16; LayerNorm, softmax, pooling and every sum over rows are f32, and no sum
//! depends on the order in which blocks finish: the same seed gives the same losses.
//!
//! A row of 384 keeps 16 KB for the way back in six layers with 1536 inside: batch 256 of 128 tokens 5.5 GB.

#![allow(unsafe_code)] // kernels, and a library that takes addresses

mod backward;
mod device;
mod places;

use candle_core::{CudaDevice, Result, Tensor, Var};

pub(super) use self::backward::Sums;
use self::device::{Buffer, Gpu, Matrix, Stand, Target, launch};
use self::places::Places;
use super::Input;
use crate::encoder::{BertConfig, Frozen, Parameters};

/// Rows that a block of row kernels takes: one a warp.
const ROWS_PER_BLOCK: usize = 8;
/// Rows and columns of a tile of attention.
const TILE: usize = 64;
/// Bytes of a bf16.
const HALF: usize = 2;
/// Bytes of an f32.
const SINGLE: usize = 4;

/// The engine of one GPU, for one shape of transformer.
#[derive(Debug)]
pub(super) struct Engine {
    gpu: Gpu,
    shape: Shape,
    vocabulary: usize,
}

/// Sizes that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    layers: usize,
    hidden: usize,
    inner: usize,
    heads: usize,
    head: usize,
}

impl Shape {
    fn of(config: &BertConfig) -> Self {
        let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
        let (layers, inner) = (config.num_hidden_layers, config.intermediate_size);
        Self { layers, hidden, inner, heads, head: hidden / heads }
    }

    /// Whether the kernels can be compiled for it: they take whole warps of pairs and heads of 32 or 64.
    fn is_served(self) -> bool {
        self.hidden.is_multiple_of(64)
            && self.hidden <= 1024
            && self.inner.is_multiple_of(128)
            && self.heads * self.head == self.hidden
            && matches!(self.head, 32 | 64)
    }
}

/// Dropout as the kernels take it.
#[derive(Debug, Clone, Copy)]
struct Drop {
    seed: u32,
    threshold: u32,
    keep: f32,
}

/// What a LayerNorm leaves: its output, its normalised input, the inverse deviations.
#[derive(Debug)]
struct Norm {
    out: Buffer,
    normal: Buffer,
    inverse: Buffer,
}

/// A layer's parameters as the products take them.
#[derive(Debug)]
struct Weights {
    qkv: Buffer,
    qkv_bias: Buffer,
    output: Buffer,
    intermediate: Buffer,
    outer: Buffer,
}

/// What a layer leaves for the way back.
#[derive(Debug)]
struct Layer {
    weights: Weights,
    qkv: Buffer,
    context: Buffer,
    logs: Buffer,
    attended: Norm,
    inner: Buffer,
    activated: Buffer,
    output: Norm,
}

/// What a forward pass leaves for the way back.
#[derive(Debug)]
pub(in crate::encoder) struct Tape {
    places: Places,
    drops: Vec<Drop>,
    embedded: Norm,
    layers: Vec<Layer>,
    frozen: Frozen,
}

impl Engine {
    /// The engine for a GPU and a shape; `None` where the kernels do not serve them.
    pub(super) fn new(device: &CudaDevice, config: &BertConfig) -> Result<Option<Self>> {
        let shape = Shape::of(config);
        if !shape.is_served() {
            return Ok(None);
        }
        let gpu = Gpu::new(device, shape.hidden, shape.inner, shape.head)?;
        Ok(gpu.map(|gpu| Self { gpu, shape, vocabulary: config.vocab_size }))
    }

    /// Pooled hidden states `[texts, hidden]` f32, and with `keep` what the way back needs.
    pub(super) fn forward(&self, input: Input<'_>, keep: bool) -> Result<(Tensor, Option<Tape>)> {
        let (gpu, shape) = (&self.gpu, self.shape);
        let epsilon = input.config.layer_norm_eps as f32;
        let places = self.places(input, keep)?;
        let drops = self.drops(input);
        let parameter = |name: &str| self.address(input.parameters, name);
        let rows = places.rows;
        let (by_rows, warps) = ((rows.div_ceil(ROWS_PER_BLOCK), 1, 1), (32 * ROWS_PER_BLOCK, 1, 1));

        let embedded = self.norm(rows)?;
        launch!(
            gpu,
            embed,
            by_rows,
            warps,
            [
                places.ids,
                places.positions,
                parameter("embeddings.word_embeddings.weight")?,
                parameter("embeddings.position_embeddings.weight")?,
                parameter("embeddings.token_type_embeddings.weight")?,
                parameter("embeddings.LayerNorm.weight")?,
                parameter("embeddings.LayerNorm.bias")?,
                &embedded.out,
                &embedded.normal,
                &embedded.inverse,
                rows as u32,
                epsilon,
                drops[0].seed,
                drops[0].threshold,
                drops[0].keep,
            ]
        )?;

        let product = gpu.buffer(rows * shape.hidden * HALF)?;
        let mut layers: Vec<Layer> = Vec::with_capacity(shape.layers);
        for number in 0..shape.layers {
            let at = |name: &str| parameter(&format!("encoder.layer.{number}.{name}"));
            let weights = self.weights(input.parameters, number)?;
            let before = layers.last().map_or(&embedded.out, |layer| &layer.output.out);
            let wide = 3 * shape.hidden;
            let qkv = gpu.buffer(rows * wide * HALF)?;
            self.linear(before, &weights.qkv, &qkv, (rows, shape.hidden, wide))?;
            let context = gpu.buffer(rows * shape.hidden * HALF)?;
            let logs = gpu.buffer(rows * shape.heads * SINGLE)?;
            let drop = drops[1 + 3 * number];
            let tiles = (places.longest.div_ceil(TILE), shape.heads, places.texts);
            launch!(
                gpu,
                attend,
                tiles,
                (128, 1, 1),
                [
                    &qkv,
                    &weights.qkv_bias,
                    places.starts,
                    &context,
                    &logs,
                    rows as u32,
                    self.scale(),
                    drop.seed,
                    drop.threshold,
                    drop.keep,
                ]
            )?;
            self.linear(&context, &weights.output, &product, (rows, shape.hidden, shape.hidden))?;
            let attended = self.norm(rows)?;
            let drop = drops[2 + 3 * number];
            let add_norm = |shift: u64, residual: &Buffer, norm: &Norm, weight: u64, bias: u64, drop: Drop| {
                launch!(
                    gpu,
                    add_norm,
                    by_rows,
                    warps,
                    [
                        &product,
                        shift,
                        residual,
                        weight,
                        bias,
                        &norm.out,
                        &norm.normal,
                        &norm.inverse,
                        rows as u32,
                        epsilon,
                        drop.seed,
                        drop.threshold,
                        drop.keep,
                    ]
                )
            };
            add_norm(
                at("attention.output.dense.bias")?,
                before,
                &attended,
                at("attention.output.LayerNorm.weight")?,
                at("attention.output.LayerNorm.bias")?,
                drop,
            )?;
            let inner = gpu.buffer(rows * shape.inner * HALF)?;
            self.linear(&attended.out, &weights.intermediate, &inner, (rows, shape.hidden, shape.inner))?;
            let activated = gpu.buffer(rows * shape.inner * HALF)?;
            let eights = rows * shape.inner / 8;
            launch!(
                gpu,
                gelu,
                (eights.div_ceil(256), 1, 1),
                (256, 1, 1),
                [&inner, at("intermediate.dense.bias")?, &activated, eights as u32,]
            )?;
            self.linear(&activated, &weights.outer, &product, (rows, shape.inner, shape.hidden))?;
            let output = self.norm(rows)?;
            add_norm(
                at("output.dense.bias")?,
                &attended.out,
                &output,
                at("output.LayerNorm.weight")?,
                at("output.LayerNorm.bias")?,
                drops[3 + 3 * number],
            )?;
            layers.push(Layer { weights, qkv, context, logs, attended, inner, activated, output });
            // Nobody goes back: what a layer left is the next but one's to write on.
            if !keep && layers.len() > 1 {
                layers.remove(0);
            }
        }

        let hidden = layers.last().map_or(&embedded.out, |layer| &layer.output.out);
        // SAFETY: the kernel below writes all of it before anyone reads it.
        let mut pooled = unsafe { gpu.device.alloc::<f32>(places.texts * shape.hidden)? };
        let out = device::address_mut(&mut pooled, &gpu.stream);
        launch!(
            gpu,
            pool,
            (places.texts, 1, 1),
            (shape.hidden / 2, 1, 1),
            [hidden, places.starts, places.weights, out,]
        )?;
        let pooled = device::tensor(pooled, (places.texts, shape.hidden), &gpu.device);
        let tape = keep.then(|| Tape { places, drops, embedded, layers, frozen: input.frozen });
        Ok((pooled, tape))
    }

    /// `out [rows, to] = x [rows, from] weightᵀ`, bf16.
    fn linear(&self, x: &Buffer, weight: &Buffer, out: &Buffer, (rows, from, to): (usize, usize, usize)) -> Result<()> {
        let x = Matrix(x.at(), from, Stand::Straight);
        let weight = Matrix(weight.at(), from, Stand::Transposed);
        self.gpu.multiply((rows, from, to), x, weight, out.at(), Target::Half)
    }

    fn norm(&self, rows: usize) -> Result<Norm> {
        let bytes = rows * self.shape.hidden * HALF;
        Ok(Norm {
            out: self.gpu.buffer(bytes)?,
            normal: self.gpu.buffer(bytes)?,
            inverse: self.gpu.buffer(rows * SINGLE)?,
        })
    }

    /// The factor on attention scores: for powers of two rather than of e.
    fn scale(&self) -> f32 {
        std::f32::consts::LOG2_E / (self.shape.head as f32).sqrt()
    }

    /// A layer's weights rounded to bf16: query, key and value one below the other.
    fn weights(&self, parameters: &Parameters, layer: usize) -> Result<Weights> {
        let Shape { hidden, inner, .. } = self.shape;
        let name = |name: &str| format!("encoder.layer.{layer}.{name}");
        let qkv = self.gpu.buffer(3 * hidden * hidden * HALF)?;
        let mut qkv_bias = self.gpu.buffer(3 * hidden * SINGLE)?;
        for (at, part) in ["query", "key", "value"].into_iter().enumerate() {
            let weight = self.address(parameters, &name(&format!("attention.self.{part}.weight")))?;
            self.round(weight, qkv.at() + (at * hidden * hidden * HALF) as u64, hidden * hidden)?;
            let bias = parameter(parameters, &name(&format!("attention.self.{part}.bias")))?;
            device::copy(&self.gpu, bias, &mut qkv_bias, at * hidden * SINGLE)?;
        }
        let rounded = |part: &str, count: usize| -> Result<Buffer> {
            let out = self.gpu.buffer(count * HALF)?;
            self.round(self.address(parameters, &name(part))?, out.at(), count)?;
            Ok(out)
        };
        Ok(Weights {
            qkv,
            qkv_bias,
            output: rounded("attention.output.dense.weight", hidden * hidden)?,
            intermediate: rounded("intermediate.dense.weight", hidden * inner)?,
            outer: rounded("output.dense.weight", hidden * inner)?,
        })
    }

    fn round(&self, from: u64, to: u64, count: usize) -> Result<()> {
        let fours = count / 4;
        launch!(self.gpu, round_to_bf16, (fours.div_ceil(256), 1, 1), (256, 1, 1), [from, to, fours as u32])
    }

    /// Where a parameter is on the GPU.
    fn address(&self, parameters: &Parameters, name: &str) -> Result<u64> {
        device::address_of(parameter(parameters, name)?, &self.gpu.stream)
    }

    /// Dropout at every place: after the embeddings; in each layer on probabilities, after attention, after the last product.
    fn drops(&self, input: Input<'_>) -> Vec<Drop> {
        let drop = |site: usize| match input.masks {
            None => Drop { seed: 0, threshold: 0, keep: 1.0 },
            Some(masks) => {
                let threshold = (masks.rate * 65536.0).round() as u32;
                let keep = 1.0 / (1.0 - threshold as f32 / 65536.0);
                Drop { seed: masks.at(site as u64).word(), threshold, keep }
            }
        };
        (0..=3 * self.shape.layers).map(|site| drop(site + 1)).collect()
    }
}

fn parameter<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a Var> {
    match parameters.get(name) {
        Some(var) => Ok(var),
        None => candle_core::bail!("no parameter {name}"),
    }
}
