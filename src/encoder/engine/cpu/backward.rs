//! The gradient of pooled hidden states to those of the parameters.

use candle_core::Result;

use super::attention::Attention;
use super::rows::{Dropped, NormSums, norm_backward, renew, scatter};
use super::weights::{Locked, Sums};
use super::{Engine, Parameters, Record, Shape, Sites, Tape, activation, padded, sieve};

impl Shape {
    fn backward_scratch(&self) -> usize {
        let wide = padded(self.rows * self.inner.max(3 * self.hidden));
        self.packed() + 4 * padded(self.states()) + wide + padded(self.partial())
    }
}

impl Engine {
    /// Goes back through a tape, using it up, and adds the gradients to `into`. It goes no further down than to what is
    /// trained, and asks no weight for its gradient that is not.
    pub(super) fn unwind(
        &self,
        tape: &mut Tape,
        parameters: &Parameters,
        pooled: &[f32],
        into: &mut Sums,
    ) -> Result<()> {
        let locked = Locked::of(parameters);
        let weights = locked.weights(&tape.config)?;
        let sums = into.all(&tape.config, tape.frozen);
        let (shape, masks, products) = (tape.shape, tape.masks, tape.products);
        let (frozen, first) = (tape.frozen, tape.first);
        let Shape { rows, hidden, inner, .. } = shape;

        let mut scratch = self.scratch.take(shape.backward_scratch());
        let mut cut = scratch.cut();
        let (qkv_weight, qkv_bias) = (cut.take(3 * hidden * hidden), cut.take(3 * hidden));
        // The gradient of hidden states, of what dropout fell on, of mixed values; and inputs that are made again.
        let [gradient, dense, of_mixed, renewed] = [(); 4].map(|()| cut.take(shape.states()));
        let wide = cut.take(rows * inner.max(3 * hidden));
        let partial = cut.take(shape.partial());

        tape.unpool(pooled, gradient);
        let batch = &tape.batch;
        let mut kept = tape.slab.cut();
        let embedded = shape.cut_normal(&mut kept);
        let mut records: Vec<Record<'_>> = (first..shape.layers).map(|_| shape.cut_record(&mut kept)).collect();
        while let Some(record) = records.pop() {
            let layer = first + records.len();
            if layer < frozen.lowest() {
                return Ok(());
            }
            let trained = layer >= frozen.layers;
            let (sites, weights_here, sums) = (Sites::of(layer), &weights.layers[layer], &mut sums.layers[layer]);
            norm_backward(
                gradient,
                dense,
                record.outer_normal.rows,
                record.outer_normal.inverse,
                weights_here.outer_norm,
                (batch.sieve(masks, sites.outer), Dropped::Before),
                partial,
                &mut NormSums {
                    weight: &mut sums.outer_norm.weight,
                    bias: &mut sums.outer_norm.bias,
                    before: &mut sums.outer.bias,
                },
            );
            let of_inner = &mut wide[..rows * inner];
            let (up, down) = ((rows, hidden, inner), (rows, inner, hidden));
            products.linear_backward(down, of_inner, 0.0, dense, weights_here.outer.weight);
            activation::gelu_backward(record.inner, of_inner, partial, &mut sums.inner.bias);
            if trained {
                products.weight_gradient(down, &mut sums.outer.weight, dense, record.inner);
                renew(record.mix_normal.rows, weights_here.mix_norm, batch.sieve(None, 0), renewed);
                products.weight_gradient(up, &mut sums.inner.weight, of_inner, renewed);
            }
            products.linear_backward(up, gradient, 1.0, of_inner, weights_here.inner.weight);

            norm_backward(
                gradient,
                dense,
                record.mix_normal.rows,
                record.mix_normal.inverse,
                weights_here.mix_norm,
                (batch.sieve(masks, sites.mix), Dropped::Before),
                partial,
                &mut NormSums {
                    weight: &mut sums.mix_norm.weight,
                    bias: &mut sums.mix_norm.bias,
                    before: &mut sums.mix.bias,
                },
            );
            let across = (rows, hidden, hidden);
            if trained {
                products.weight_gradient(across, &mut sums.mix.weight, dense, record.mixed);
            }
            products.linear_backward(across, of_mixed, 0.0, dense, weights_here.mix.weight);
            weights_here.pack(qkv_weight, qkv_bias);
            let attention = Attention {
                lengths: batch.layout.lengths(),
                starts: batch.layout.starts(),
                heads: shape.heads,
                bias: qkv_bias,
                sieve: sieve(masks, sites.attention),
                products,
            };
            let of_qkv = &mut wide[..3 * shape.states()];
            let (mixed, logarithms) = (&*record.mixed, &*record.logarithms);
            attention.backward(record.qkv, mixed, logarithms, of_mixed, of_qkv, partial, &mut sums.qkv.bias);
            let three = (rows, hidden, 3 * hidden);
            if trained {
                match records.last() {
                    Some(below) => {
                        let norm = weights.layers[layer - 1].outer_norm;
                        renew(below.outer_normal.rows, norm, batch.sieve(None, 0), renewed);
                    }
                    None => renew(embedded.rows, weights.norm, batch.sieve(masks, Sites::EMBEDDINGS), renewed),
                }
                products.weight_gradient(three, &mut sums.qkv.weight, of_qkv, renewed);
            }
            if frozen.embeddings && layer == frozen.layers {
                return Ok(());
            }
            products.linear_backward(three, gradient, 1.0, of_qkv, qkv_weight);
        }

        norm_backward(
            gradient,
            dense,
            embedded.rows,
            embedded.inverse,
            weights.norm,
            (batch.sieve(masks, Sites::EMBEDDINGS), Dropped::After),
            partial,
            &mut NormSums {
                weight: &mut sums.norm.weight,
                bias: &mut sums.norm.bias,
                // Every token is of type 0.
                before: &mut sums.types[..hidden],
            },
        );
        scatter(&mut sums.words, &batch.ids, gradient, hidden);
        scatter(&mut sums.positions, &batch.positions, gradient, hidden);
        Ok(())
    }
}
