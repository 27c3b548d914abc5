//! The engine of the CPU: BERT forwards and backwards over texts packed end to end, no row spent on padding.
//!
//! Matrix products take all threads; between them [`rows`] and [`activation`] go over memory once; [`attention`] takes a
//! head of a text at a time. Dropout masks are computed where they fall, from the same places as in the composed version.
//!
//! What a pass keeps for the way back, per row and layer: queries, keys and values (3 hidden), mixed values (1), the
//! normalised rows of two `LayerNorm`s (2), and what GELU is given (inner), beside two scales and a logarithm a head. For
//! the shape of `MiniLM` that is 15,416 bytes: 2,048 rows (8 texts of 256 tokens) and six layers take 184 MiB, a quarter of
//! what a graph of operators holds. Buffers of a pass under way add 4 hidden and the wider of 3 hidden and inner: 25 MiB.
//! Both are taken once and used again ([`arena`]).

mod activation;
mod arena;
mod attention;
mod backward;
mod forward;
mod products;
mod rows;
mod weights;

#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor};

use self::arena::{Arena, Cut, Slab, padded};
use self::products::Products;
use self::rows::{Normal, RowSieve, blocks};
pub(in crate::encoder::engine) use self::weights::Sums;
use super::Input;
use crate::encoder::lanes::Sieve;
use crate::encoder::layout::Layout;
use crate::encoder::ops::{Heads, Masks};
use crate::encoder::{BertConfig, Frozen, Parameters, Pooling};

/// The engine, with the memory of its last passes.
#[derive(Debug, Default)]
pub(in crate::encoder::engine) struct Engine {
    kept: Arena,
    scratch: Arena,
}

/// What a forward pass leaves for the way back.
#[derive(Debug)]
pub(in crate::encoder) struct Tape {
    shape: Shape,
    config: BertConfig,
    pooling: Pooling,
    masks: Option<Masks>,
    products: Products,
    batch: Batch,
    slab: Slab,
    frozen: Frozen,
    /// The lowest layer with a record of its own; those below it wrote over one another in it.
    first: usize,
}

/// The rows of a batch.
#[derive(Debug)]
struct Batch {
    layout: Layout,
    /// The token of each row.
    ids: Vec<u32>,
    /// Its position in its text.
    positions: Vec<u32>,
    /// Its row where every text is padded to the longest: what dropout counts by.
    places: Vec<u32>,
}

/// Sizes of a pass.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    texts: usize,
    hidden: usize,
    inner: usize,
    heads: Heads,
    layers: usize,
}

/// What one layer keeps.
struct Record<'a> {
    qkv: &'a mut [f32],
    logarithms: &'a mut [f32],
    mixed: &'a mut [f32],
    mix_normal: Normal<'a>,
    inner: &'a mut [f32],
    outer_normal: Normal<'a>,
}

impl Shape {
    fn new(config: &BertConfig, layout: &Layout) -> Self {
        let (hidden, count) = (config.hidden_size, config.num_attention_heads);
        Self {
            rows: layout.lengths().iter().sum(),
            texts: layout.texts(),
            hidden,
            inner: config.intermediate_size,
            heads: Heads { count, width: hidden / count },
            layers: config.num_hidden_layers,
        }
    }

    /// Values of a hidden state of every row.
    const fn states(&self) -> usize {
        self.rows * self.hidden
    }

    /// What the embeddings keep.
    const fn embedding_record(&self) -> usize {
        padded(self.states()) + padded(self.rows)
    }

    /// What a layer keeps.
    const fn record(&self) -> usize {
        padded(3 * self.states())
            + padded(self.rows * self.heads.count)
            + 3 * padded(self.states())
            + 2 * padded(self.rows)
            + padded(self.rows * self.inner)
    }

    fn cut_normal<'a>(&self, cut: &mut Cut<'a>) -> Normal<'a> {
        Normal { rows: cut.take(self.states()), inverse: cut.take(self.rows) }
    }

    fn cut_record<'a>(&self, cut: &mut Cut<'a>) -> Record<'a> {
        Record {
            qkv: cut.take(3 * self.states()),
            logarithms: cut.take(self.rows * self.heads.count),
            mixed: cut.take(self.states()),
            mix_normal: self.cut_normal(cut),
            inner: cut.take(self.rows * self.inner),
            outer_normal: self.cut_normal(cut),
        }
    }

    /// Query, key and value weights and biases side by side.
    const fn packed(&self) -> usize {
        padded(3 * self.hidden * self.hidden) + padded(3 * self.hidden)
    }

    /// The sums of blocks or of tasks, whichever are more.
    fn partial(&self) -> usize {
        let of_blocks = blocks(self.rows) * (3 * self.hidden).max(self.inner);
        of_blocks.max(self.texts * 3 * self.hidden)
    }
}

impl Batch {
    /// The rows of texts; refuses what the tables have no rows for.
    fn new(config: &BertConfig, texts: &[&[u32]]) -> Result<Self> {
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        if longest > config.max_position_embeddings {
            candle_core::bail!("a text of {longest} tokens: there are {} positions", config.max_position_embeddings);
        }
        if let Some(id) = texts.iter().copied().flatten().find(|id| **id as usize >= config.vocab_size) {
            candle_core::bail!("token {id}: the vocabulary has {} rows", config.vocab_size);
        }
        let layout = Layout::packed(texts.iter().map(|text| text.len()).collect());
        Ok(Self {
            ids: texts.concat(),
            positions: layout.spread(|_, at| at as u32),
            places: layout.spread(|text, at| (text * longest + at) as u32),
            layout,
        })
    }

    /// Dropout at one place of the network.
    fn sieve(&self, masks: Option<Masks>, site: u64) -> RowSieve<'_> {
        RowSieve { sieve: sieve(masks, site), places: &self.places }
    }
}

fn sieve(masks: Option<Masks>, site: u64) -> Option<Sieve> {
    masks.filter(|masks| masks.rate > 0.0).map(|masks| masks.at(site).sieve())
}

/// Where dropout falls in a layer, numbered as the composed version numbers them; 1 is after the embeddings.
struct Sites {
    attention: u64,
    mix: u64,
    outer: u64,
}

impl Sites {
    const EMBEDDINGS: u64 = 1;

    const fn of(layer: usize) -> Self {
        let before = 1 + 3 * layer as u64;
        Self { attention: before + 1, mix: before + 2, outer: before + 3 }
    }
}

impl Engine {
    /// Pooled hidden states `[texts, hidden]`, and with `keep` what the way back needs.
    pub(in crate::encoder::engine) fn forward(&self, input: Input<'_>, keep: bool) -> Result<(Tensor, Option<Tape>)> {
        let batch = Batch::new(input.config, input.batch)?;
        let shape = Shape::new(input.config, &batch.layout);
        // Below the way back, and without one, every layer writes over what the one before it would have kept. The lowest
        // that is gone back through needs what it was given: the record of the one below.
        let lowest = if keep { input.frozen.lowest() } else { shape.layers };
        let first = lowest.saturating_sub(1);
        let slab = self.kept.take(shape.embedding_record() + (shape.layers - first) * shape.record());
        let Input { config, pooling, masks, parameters, frozen, .. } = input;
        let products = Products { precision: input.precision };
        let mut tape = Tape { shape, config: config.clone(), pooling, masks, products, batch, slab, frozen, first };
        let pooled = self.fill(&mut tape, parameters)?;
        Ok((pooled, keep.then_some(tape)))
    }

    /// Sends the gradient of the pooled hidden states back, and adds the parameters' to `into`.
    pub(in crate::encoder::engine) fn backward(
        &self,
        parameters: &Parameters,
        mut tape: Tape,
        pooled: &Tensor,
        into: &mut Sums,
    ) -> Result<()> {
        let gradient = pooled.flatten_all()?.to_vec1::<f32>()?;
        self.unwind(&mut tape, parameters, &gradient, into)
    }
}
