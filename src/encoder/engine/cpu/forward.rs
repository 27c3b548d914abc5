//! Token ids to pooled hidden states.

use candle_core::{Device, Result, Tensor};

use super::attention::Attention;
use super::rows::{Tables, embed, residual_norm};
use super::weights::Locked;
use super::{Engine, Parameters, Pooling, Shape, Sites, Tape, activation, padded, sieve};

impl Shape {
    fn forward_scratch(&self) -> usize {
        self.packed() + 3 * padded(self.states()) + padded(self.rows * self.inner)
    }
}

impl Engine {
    /// Runs a batch through the layers and fills its tape with their records, from the first that has one.
    pub(super) fn fill(&self, tape: &mut Tape, parameters: &Parameters) -> Result<Tensor> {
        let locked = Locked::of(parameters);
        let weights = locked.weights(&tape.config)?;
        let (shape, masks, products) = (tape.shape, tape.masks, tape.products);
        let Shape { rows, hidden, inner, .. } = shape;

        let mut scratch = self.scratch.take(shape.forward_scratch());
        let mut cut = scratch.cut();
        let (qkv_weight, qkv_bias) = (cut.take(3 * hidden * hidden), cut.take(3 * hidden));
        let [x, attended, dense] = [(); 3].map(|()| cut.take(shape.states()));
        let active = cut.take(rows * inner);

        let (batch, mut kept) = (&tape.batch, tape.slab.cut());
        let tables = Tables {
            words: weights.words,
            positions: weights.positions,
            kind: &weights.types[..hidden],
            ids: &batch.ids,
            at: &batch.positions,
        };
        let mut normal = shape.cut_normal(&mut kept);
        embed(tables, weights.norm, batch.sieve(masks, Sites::EMBEDDINGS), &mut normal, x);

        let mut slot = None;
        for (layer, weights) in weights.layers.iter().enumerate() {
            let sites = Sites::of(layer);
            if layer > tape.first {
                slot = None;
            }
            let record = slot.get_or_insert_with(|| shape.cut_record(&mut kept));
            weights.pack(qkv_weight, qkv_bias);
            products.linear((rows, hidden, 3 * hidden), record.qkv, x, qkv_weight);
            let attention = Attention {
                lengths: batch.layout.lengths(),
                starts: batch.layout.starts(),
                heads: shape.heads,
                bias: qkv_bias,
                sieve: sieve(masks, sites.attention),
                products,
            };
            attention.forward(record.qkv, record.mixed, record.logarithms);
            products.linear((rows, hidden, hidden), dense, record.mixed, weights.mix.weight);
            let (bias, norm) = (weights.mix.bias, weights.mix_norm);
            residual_norm(dense, bias, x, norm, batch.sieve(masks, sites.mix), &mut record.mix_normal, attended);
            products.linear((rows, hidden, inner), record.inner, attended, weights.inner.weight);
            activation::gelu(record.inner, weights.inner.bias, active);
            products.linear((rows, inner, hidden), dense, active, weights.outer.weight);
            let (bias, norm) = (weights.outer.bias, weights.outer_norm);
            residual_norm(dense, bias, attended, norm, batch.sieve(masks, sites.outer), &mut record.outer_normal, x);
        }
        Tensor::from_vec(tape.pool(x), (shape.texts, hidden), &Device::Cpu)
    }
}

impl Tape {
    fn pool(&self, states: &[f32]) -> Vec<f32> {
        let hidden = self.shape.hidden;
        let mut pooled = vec![0.0_f32; self.shape.texts * hidden];
        let texts = self.batch.layout.starts().iter().zip(self.batch.layout.lengths());
        for (pooled, (&start, &length)) in pooled.chunks_exact_mut(hidden).zip(texts) {
            let rows = &states[start * hidden..][..length * hidden];
            match self.pooling {
                Pooling::Mean => {
                    for row in rows.chunks_exact(hidden) {
                        pooled.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                    }
                    let share = 1.0 / length as f32;
                    for sum in pooled {
                        *sum *= share;
                    }
                }
                Pooling::Cls => pooled.copy_from_slice(&rows[..hidden]),
            }
        }
        pooled
    }

    /// The gradient of hidden states from that of pooled ones.
    pub(super) fn unpool(&self, pooled: &[f32], states: &mut [f32]) {
        let hidden = self.shape.hidden;
        let texts = self.batch.layout.starts().iter().zip(self.batch.layout.lengths());
        for (pooled, (&start, &length)) in pooled.chunks_exact(hidden).zip(texts) {
            let rows = &mut states[start * hidden..][..length * hidden];
            match self.pooling {
                Pooling::Mean => {
                    let share = 1.0 / length as f32;
                    for row in rows.chunks_exact_mut(hidden) {
                        row.iter_mut().zip(pooled).for_each(|(to, value)| *to = value * share);
                    }
                }
                Pooling::Cls => {
                    rows.fill(0.0);
                    rows[..hidden].copy_from_slice(pooled);
                }
            }
        }
    }
}
