//! The way back through the encoder on a GPU.

use std::collections::BTreeMap;

use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::{Result, Tensor};

use super::device::{self, Buffer, Gpu, Matrix, Stand, Target, launch};
use super::places::{Places, Sorted};
use super::{Drop, Engine, HALF, Layer, Norm, ROWS_PER_BLOCK, SINGLE, TILE, Tape};
use crate::encoder::Parameters;

/// Blocks of a LayerNorm's way back: each leaves one partial sum.
const NORM_BLOCKS: usize = 264;
/// Rows of a tile of a column sum.
const TILE_ROWS: usize = 128;
/// Columns of one.
const TILE_COLUMNS: usize = 128;

/// Gradients that are summed on a GPU, by the parameter's name.
#[derive(Debug, Default)]
pub(in crate::encoder) struct Sums(BTreeMap<String, Sum>);

#[derive(Debug)]
struct Sum {
    values: CudaSlice<f32>,
    shape: Vec<usize>,
    device: candle_core::CudaDevice,
}

impl Sums {
    /// The sums as tensors.
    pub(in crate::encoder) fn finish(self) -> BTreeMap<String, Tensor> {
        let tensor = |(name, sum): (String, Sum)| (name, device::tensor(sum.values, sum.shape, &sum.device));
        self.0.into_iter().map(tensor).collect()
    }

    /// Where the sum of a parameter is; zeros where nothing was added yet.
    fn at(&mut self, gpu: &Gpu, parameters: &Parameters, name: &str) -> Result<u64> {
        if !self.0.contains_key(name) {
            let shape = super::parameter(parameters, name)?.dims().to_vec();
            let values = gpu.device.alloc_zeros::<f32>(shape.iter().product())?;
            self.0.insert(name.to_owned(), Sum { values, shape, device: gpu.device.clone() });
        }
        match self.0.get_mut(name) {
            Some(sum) => Ok(device::address_mut(&mut sum.values, &gpu.stream)),
            None => candle_core::bail!("no sum of {name}"),
        }
    }
}

/// One way back.
struct Back<'a> {
    engine: &'a Engine,
    parameters: &'a Parameters,
    places: &'a Places,
    sums: &'a mut Sums,
    partial: Buffer,
}

impl Engine {
    /// Sends the gradient of the pooled hidden states `[texts, hidden]` back, and adds the parameters' to `into`.
    pub(in crate::encoder::engine) fn backward(
        &self,
        parameters: &Parameters,
        tape: Tape,
        pooled: &Tensor,
        into: &mut Sums,
    ) -> Result<()> {
        let Tape { places, drops, embedded, mut layers, frozen } = tape;
        let (gpu, hidden) = (&self.gpu, self.shape.hidden);
        let tiles = places.rows.div_ceil(TILE_ROWS);
        let widest = self.shape.inner.max(3 * hidden);
        let partial = gpu.buffer((tiles * widest).max(NORM_BLOCKS * 3 * hidden) * SINGLE)?;
        let mut back = Back { engine: self, parameters, places: &places, sums: into, partial };

        let pooled = pooled.contiguous()?;
        let mut gradient = gpu.buffer(places.rows * hidden * HALF)?;
        let pairs = places.rows * hidden / 2;
        launch!(
            gpu,
            unpool,
            (pairs.div_ceil(256), 1, 1),
            (256, 1, 1),
            [device::address_of(&pooled, &gpu.stream)?, places.text_of, places.weights, &gradient, pairs as u32,]
        )?;
        // What flows back beside the products, over the residual connections.
        let mut beside: Option<Buffer> = None;
        while let Some(layer) = layers.pop() {
            let number = layers.len();
            if number < frozen.lowest() {
                break;
            }
            let before = layers.last().map_or(&embedded.out, |layer| &layer.output.out);
            (gradient, beside) = back.layer(number, layer, before, gradient, beside, &drops[1 + 3 * number..])?;
        }
        if !frozen.embeddings {
            back.embeddings(&embedded, &gradient, beside.as_ref(), drops[0])?;
        }
        // What the way back led through and is not trained.
        back.sums.0.retain(|name, _| !frozen.holds(name));
        Ok(())
    }
}

impl Back<'_> {
    /// Through one layer: the gradient of its output, in two parts, becomes that of its input, in two parts.
    fn layer(
        &mut self,
        number: usize,
        layer: Layer,
        before: &Buffer,
        gradient: Buffer,
        beside: Option<Buffer>,
        drops: &[Drop],
    ) -> Result<(Buffer, Option<Buffer>)> {
        let (gpu, shape, rows) = (&self.engine.gpu, self.engine.shape, self.places.rows);
        let (hidden, inner) = (shape.hidden, shape.inner);
        let at = |name: &str| format!("encoder.layer.{number}.{name}");

        let (of_sum, of_product) = self.norm(
            &layer.output,
            &gradient,
            beside.as_ref(),
            drops[2],
            &at("output.LayerNorm"),
            Some(&at("output.dense.bias")),
        )?;
        drop((gradient, beside));
        let mut of_inner = gpu.buffer(rows * inner * HALF)?;
        self.linear(
            &of_product,
            &layer.weights.outer,
            &layer.activated,
            &of_inner,
            (inner, hidden),
            &at("output.dense.weight"),
        )?;
        self.column_sums(
            &mut of_inner,
            inner,
            &[(&at("intermediate.dense.bias"), inner)],
            Some((&layer.inner, &at("intermediate.dense.bias"))),
        )?;
        let of_attended = gpu.buffer(rows * hidden * HALF)?;
        self.linear(
            &of_inner,
            &layer.weights.intermediate,
            &layer.attended.out,
            &of_attended,
            (hidden, inner),
            &at("intermediate.dense.weight"),
        )?;
        drop(of_inner);

        let (of_residual, of_product) = self.norm(
            &layer.attended,
            &of_attended,
            Some(&of_sum),
            drops[1],
            &at("attention.output.LayerNorm"),
            Some(&at("attention.output.dense.bias")),
        )?;
        let of_context = of_attended;
        self.linear(
            &of_product,
            &layer.weights.output,
            &layer.context,
            &of_context,
            (hidden, hidden),
            &at("attention.output.dense.weight"),
        )?;
        let mut of_qkv = self.attention(&layer, &of_context, drops[0])?;
        let names = ["query", "key", "value"].map(|part| at(&format!("attention.self.{part}")));
        let biases = names.each_ref().map(|name| format!("{name}.bias"));
        let parts = biases.each_ref().map(|name| (name.as_str(), hidden));
        self.column_sums(&mut of_qkv, 3 * hidden, &parts, None)?;
        let of_input = of_context;
        let gradients = Matrix(of_qkv.at(), 3 * hidden, Stand::Straight);
        let weights = Matrix(layer.weights.qkv.at(), hidden, Stand::Straight);
        gpu.multiply((rows, 3 * hidden, hidden), gradients, weights, of_input.at(), Target::Half)?;
        // One product for all three is faster than three, and adding its parts up costs little.
        let square = hidden * hidden;
        let all = gpu.buffer(3 * square * SINGLE)?;
        let gradients = Matrix(of_qkv.at(), 3 * hidden, Stand::Transposed);
        let x = Matrix(before.at(), hidden, Stand::Straight);
        gpu.multiply((3 * hidden, rows, hidden), gradients, x, all.at(), Target::Single)?;
        for (part, name) in names.iter().enumerate() {
            let out = self.sums.at(gpu, self.parameters, &format!("{name}.weight"))?;
            let from = all.at() + (part * square * SINGLE) as u64;
            let grid = (square.div_ceil(256), 1, 1);
            launch!(gpu, add, grid, (256, 1, 1), [from, out, square as u32])?;
        }
        Ok((of_input, Some(of_residual)))
    }

    /// `y = x Wᵀ`: the gradient of x `[rows, from]` from that of y `[rows, to]`, and W's added to its sum.
    fn linear(
        &mut self,
        of_y: &Buffer,
        weight: &Buffer,
        x: &Buffer,
        of_x: &Buffer,
        (from, to): (usize, usize),
        name: &str,
    ) -> Result<()> {
        let (gpu, rows) = (&self.engine.gpu, self.places.rows);
        let y = |stand| Matrix(of_y.at(), to, stand);
        gpu.multiply(
            (rows, to, from),
            y(Stand::Straight),
            Matrix(weight.at(), from, Stand::Straight),
            of_x.at(),
            Target::Half,
        )?;
        let out = self.sums.at(gpu, self.parameters, name)?;
        gpu.multiply((to, rows, from), y(Stand::Transposed), Matrix(x.at(), from, Stand::Straight), out, Target::Added)
    }

    /// Through `LayerNorm(dropout(product + bias) + residual)`: the gradients of the sum, and of the product.
    fn norm(
        &mut self,
        norm: &Norm,
        gradient: &Buffer,
        beside: Option<&Buffer>,
        drop: Drop,
        name: &str,
        shift: Option<&str>,
    ) -> Result<(Buffer, Buffer)> {
        let (gpu, hidden, rows) = (&self.engine.gpu, self.engine.shape.hidden, self.places.rows);
        let of_sum = gpu.buffer(rows * hidden * HALF)?;
        let of_product = gpu.buffer(if shift.is_some() { rows * hidden * HALF } else { 0 })?;
        let weight = format!("{name}.weight");
        launch!(
            gpu,
            norm_back,
            (NORM_BLOCKS, 1, 1),
            (32 * ROWS_PER_BLOCK, 1, 1),
            [
                gradient,
                beside.map_or(0, Buffer::at),
                &norm.normal,
                &norm.inverse,
                self.engine.address(self.parameters, &weight)?,
                &of_sum,
                if shift.is_some() { of_product.at() } else { 0 },
                &self.partial,
                rows as u32,
                drop.seed,
                drop.threshold,
                drop.keep,
                u32::from(shift.is_none()),
            ]
        )?;
        let bias = format!("{name}.bias");
        let parts = [Some(weight.as_str()), Some(bias.as_str()), shift];
        for (part, name) in parts.into_iter().enumerate() {
            let Some(name) = name else { continue };
            self.sum_partial(name, hidden, NORM_BLOCKS, part * hidden, 3 * hidden)?;
        }
        Ok((of_sum, of_product))
    }

    /// Adds up partial sums, from a column on and `stride` apart, to a parameter's gradient.
    fn sum_partial(&mut self, name: &str, columns: usize, count: usize, from: usize, stride: usize) -> Result<()> {
        let gpu = &self.engine.gpu;
        let out = self.sums.at(gpu, self.parameters, name)?;
        launch!(
            gpu,
            sum_partial,
            (columns.div_ceil(32), 1, 1),
            (32, 32, 1),
            [self.partial.at() + (from * SINGLE) as u64, out, count as u32, columns as u32, stride as u32,]
        )
    }

    /// The sums of a gradient's columns, part by part to the gradients of biases; with `gelu`, its input and the bias
    /// before it, the gradient becomes that of the input first.
    fn column_sums(
        &mut self,
        gradient: &mut Buffer,
        columns: usize,
        parts: &[(&str, usize)],
        gelu: Option<(&Buffer, &str)>,
    ) -> Result<()> {
        let (gpu, rows) = (&self.engine.gpu, self.places.rows);
        let tiles = rows.div_ceil(TILE_ROWS);
        let (x, bias) = match gelu {
            Some((x, bias)) => (x.at(), self.engine.address(self.parameters, bias)?),
            None => (0, 0),
        };
        launch!(
            gpu,
            column_sums,
            (columns.div_ceil(TILE_COLUMNS), tiles, 1),
            (TILE_COLUMNS / 2, 4, 1),
            [&*gradient, x, bias, &self.partial, rows as u32, columns as u32,]
        )?;
        let mut from = 0;
        for (name, width) in parts {
            self.sum_partial(name, *width, tiles, from, columns)?;
            from += width;
        }
        Ok(())
    }

    /// Through attention: the gradients of query, key and value side by side.
    fn attention(&self, layer: &Layer, of_context: &Buffer, drop: Drop) -> Result<Buffer> {
        let (gpu, shape, places) = (&self.engine.gpu, self.engine.shape, self.places);
        let rows = places.rows;
        let deltas = gpu.buffer(rows * shape.heads * SINGLE)?;
        launch!(
            gpu,
            deltas,
            (rows.div_ceil(ROWS_PER_BLOCK), 1, 1),
            (32 * ROWS_PER_BLOCK, 1, 1),
            [&layer.context, of_context, &deltas, rows as u32,]
        )?;
        let out = gpu.buffer(rows * 3 * shape.hidden * HALF)?;
        let tiles = (places.longest.div_ceil(TILE), shape.heads, places.texts);
        for kernel in [&gpu.kernels.attend_back_keys, &gpu.kernels.attend_back_queries] {
            gpu.launch(
                kernel,
                tiles,
                (128, 1, 1),
                &[
                    (&layer.qkv).into(),
                    (&layer.weights.qkv_bias).into(),
                    of_context.into(),
                    places.starts.into(),
                    (&layer.logs).into(),
                    (&deltas).into(),
                    (&out).into(),
                    (rows as u32).into(),
                    self.engine.scale().into(),
                    drop.seed.into(),
                    drop.threshold.into(),
                    drop.keep.into(),
                ],
            )?;
        }
        Ok(out)
    }

    /// Through the embeddings: rows of one token, and of one position, are added in their order.
    fn embeddings(&mut self, norm: &Norm, gradient: &Buffer, beside: Option<&Buffer>, drop: Drop) -> Result<()> {
        let (mut of_sum, _) = self.norm(norm, gradient, beside, drop, "embeddings.LayerNorm", None)?;
        let Places { by_word, by_position, .. } = *self.places;
        self.scatter(&of_sum, by_word, "embeddings.word_embeddings.weight")?;
        self.scatter(&of_sum, by_position, "embeddings.position_embeddings.weight")?;
        let hidden = self.engine.shape.hidden;
        // All tokens are of the first type.
        let types = "embeddings.token_type_embeddings.weight";
        self.column_sums(&mut of_sum, hidden, &[(types, hidden)], None)
    }

    fn scatter(&mut self, gradient: &Buffer, rows: Sorted, name: &str) -> Result<()> {
        let gpu = &self.engine.gpu;
        let Sorted { count, numbers, bounds, order } = rows;
        let out = self.sums.at(gpu, self.parameters, name)?;
        let pairs = self.engine.shape.hidden / 2;
        // As the kernel's own LANES.
        let lanes = if pairs <= 256 { 4 } else { 2 };
        launch!(gpu, scatter, (count, 1, 1), (pairs, lanes, 1), [gradient, order, bounds, numbers, out])
    }
}
