//! Scaled dot-product attention (Vaswani et al. 2017), each text for itself.

use candle_core::{CpuStorage, CustomOp3, D, Layout as TensorLayout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::dropout::Masks;
use super::kernels::{Strides, matmul, softmax_rows};
use super::{values, with_values};
use crate::encoder::layout::Layout;

/// How the hidden width is cut into heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::encoder) struct Heads {
    /// How many.
    pub(in crate::encoder) count: usize,
    /// How wide each.
    pub(in crate::encoder) width: usize,
}

/// `query`, `key`, `value` [rows, heads x width] -> [rows, heads x width]. Scores are divided by the root of the width;
/// dropout falls on the probabilities.
pub(in crate::encoder) fn attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    layout: &Layout,
    heads: Heads,
    masks: Option<Masks>,
) -> Result<Tensor> {
    let masks = masks.filter(|masks| masks.rate > 0.0);
    match layout.padded_to() {
        Some(padded) => composed(query, key, value, layout, padded, heads, masks),
        None => query.contiguous()?.apply_op3(
            &key.contiguous()?,
            &value.contiguous()?,
            Attention { layout: layout.clone(), heads, masks },
        ),
    }
}

/// The place of a probability in the dropout mask, the same in both versions.
#[inline]
fn place(text: usize, head: usize, heads: usize, row: usize, column: usize) -> u64 {
    (((text * heads + head) as u64) << 32) | ((row as u64) << 16) | column as u64
}

fn composed(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    layout: &Layout,
    padded: usize,
    heads: Heads,
    masks: Option<Masks>,
) -> Result<Tensor> {
    let texts = layout.texts();
    let split = |x: &Tensor| x.reshape((texts, padded, heads.count, heads.width))?.transpose(1, 2)?.contiguous();
    let (query, key, value) = (split(query)?, split(key)?, split(value)?);
    let scale = 1.0 / (heads.width as f64).sqrt();
    let scores = (query.matmul(&key.t()?)? * scale)?.broadcast_add(&layout.attention_bias(padded, query.device())?)?;
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
    let mut probabilities = shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)?;
    if let Some(masks) = masks {
        let mut mask = Vec::with_capacity(texts * heads.count * padded * padded);
        for text in 0..texts {
            for head in 0..heads.count {
                for row in 0..padded {
                    mask.extend((0..padded).map(|column| masks.factor(place(text, head, heads.count, row, column))));
                }
            }
        }
        probabilities =
            (probabilities * Tensor::from_vec(mask, (texts, heads.count, padded, padded), query.device())?)?;
    }
    let mixed = probabilities.matmul(&value)?;
    mixed.transpose(1, 2)?.contiguous()?.reshape((texts * padded, heads.count * heads.width))
}

struct Attention {
    layout: Layout,
    heads: Heads,
    masks: Option<Masks>,
}

/// A text's share of a `[rows, hidden]` matrix, cut so that threads can write at once.
fn per_text<'a>(mut values: &'a mut [f32], lengths: &[usize], hidden: usize) -> Vec<&'a mut [f32]> {
    lengths
        .iter()
        .map(|length| {
            let (head, tail) = std::mem::take(&mut values).split_at_mut(length * hidden);
            values = tail;
            head
        })
        .collect()
}

impl Attention {
    fn hidden(&self) -> usize {
        self.heads.count * self.heads.width
    }

    fn scale(&self) -> f32 {
        1.0 / (self.heads.width as f32).sqrt()
    }

    /// Probabilities of one head over one text, before dropout: `softmax(Q Kᵀ scale)`.
    fn probabilities(&self, out: &mut [f32], query: &[f32], key: &[f32], length: usize, head: usize) {
        let rows = Strides::rows(self.hidden()).at(head * self.heads.width);
        let shape = (length, self.heads.width, length);
        matmul(shape, out, Strides::rows(length), 0.0, query, rows, key, rows.transposed(), self.scale(), false);
        softmax_rows(out, length);
    }

    fn drop(&self, values: &mut [f32], length: usize, text: usize, head: usize) {
        let Some(masks) = self.masks else { return };
        for (row, values) in values.chunks_exact_mut(length).enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                *value *= masks.factor(place(text, head, self.heads.count, row, column));
            }
        }
    }

    fn forward_text(&self, text: usize, out: &mut [f32], query: &[f32], key: &[f32], value: &[f32]) {
        let length = self.layout.lengths()[text];
        let mut probabilities = vec![0.0; length * length];
        for head in 0..self.heads.count {
            self.probabilities(&mut probabilities, query, key, length, head);
            self.drop(&mut probabilities, length, text, head);
            let rows = Strides::rows(self.hidden()).at(head * self.heads.width);
            let shape = (length, length, self.heads.width);
            matmul(shape, out, rows, 0.0, &probabilities, Strides::rows(length), value, rows, 1.0, false);
        }
    }

    /// With P the probabilities, M the dropout factors and D = P∘M: `dV = Dᵀ dO`, `dP = (dO Vᵀ)∘M`,
    /// `dS = P∘(dP - rowsum(dP∘P))`, `dQ = dS K scale`, `dK = dSᵀ Q scale`. P is computed again: it was not kept.
    #[allow(clippy::too_many_arguments)] // three inputs, three gradients and the one they come from
    fn backward_text(
        &self,
        text: usize,
        dq: &mut [f32],
        dk: &mut [f32],
        dv: &mut [f32],
        query: &[f32],
        key: &[f32],
        value: &[f32],
        gradient: &[f32],
    ) {
        let length = self.layout.lengths()[text];
        let square = Strides::rows(length);
        let width = self.heads.width;
        let mut probabilities = vec![0.0; length * length];
        let mut dropped = vec![0.0; length * length];
        let mut of_scores = vec![0.0; length * length];
        for head in 0..self.heads.count {
            let rows = Strides::rows(self.hidden()).at(head * width);
            self.probabilities(&mut probabilities, query, key, length, head);
            dropped.copy_from_slice(&probabilities);
            self.drop(&mut dropped, length, text, head);
            matmul((length, length, width), dv, rows, 0.0, &dropped, square.transposed(), gradient, rows, 1.0, false);
            matmul(
                (length, width, length),
                &mut of_scores,
                square,
                0.0,
                gradient,
                rows,
                value,
                rows.transposed(),
                1.0,
                false,
            );
            self.drop(&mut of_scores, length, text, head);
            for (ds, p) in of_scores.chunks_exact_mut(length).zip(probabilities.chunks_exact(length)) {
                let sum: f32 = ds.iter().zip(p).map(|(ds, p)| ds * p).sum();
                for (ds, p) in ds.iter_mut().zip(p) {
                    *ds = p * (*ds - sum);
                }
            }
            let scale = self.scale();
            matmul((length, length, width), dq, rows, 0.0, &of_scores, square, key, rows, scale, false);
            matmul((length, length, width), dk, rows, 0.0, &of_scores, square.transposed(), query, rows, scale, false);
        }
    }

    /// A text's share of a matrix that is only read.
    fn share<'a>(&self, values: &'a [f32], text: usize) -> &'a [f32] {
        &values[self.layout.starts()[text] * self.hidden()..][..self.layout.lengths()[text] * self.hidden()]
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        query: &CpuStorage,
        of_query: &TensorLayout,
        key: &CpuStorage,
        of_key: &TensorLayout,
        value: &CpuStorage,
        of_value: &TensorLayout,
    ) -> Result<(CpuStorage, Shape)> {
        let (query, key, value) = (values(query, of_query)?, values(key, of_key)?, values(value, of_value)?);
        let mut out = vec![0.0; query.len()];
        per_text(&mut out, self.layout.lengths(), self.hidden()).into_par_iter().enumerate().for_each(|(text, out)| {
            self.forward_text(text, out, self.share(query, text), self.share(key, text), self.share(value, text));
        });
        Ok((CpuStorage::F32(out), of_query.shape().clone()))
    }

    fn bwd(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        _out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dq, dk, dv) = with_values([query, key, value, gradient], |[query, key, value, gradient]| {
            let mut gradients = [vec![0.0; query.len()], vec![0.0; query.len()], vec![0.0; query.len()]];
            let [dq, dk, dv] = &mut gradients;
            let cut = |values| per_text(values, self.layout.lengths(), self.hidden());
            let texts = cut(dq).into_par_iter().zip(cut(dk)).zip(cut(dv)).enumerate();
            texts.for_each(|(text, ((dq, dk), dv))| {
                let [query, key, value, gradient] =
                    [query, key, value, gradient].map(|values| self.share(values, text));
                self.backward_text(text, dq, dk, dv, query, key, value, gradient);
            });
            let [dq, dk, dv] = gradients;
            (dq, dk, dv)
        })?;
        let tensor = |values| Tensor::from_vec(values, query.shape(), query.device()).map(Some);
        Ok((tensor(dq)?, tensor(dk)?, tensor(dv)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{random, same_and_differentiable};
    use super::*;

    /// The composed version over packed rows: spread them out, and gather what came of it.
    fn composed_of_packed(a: &[Tensor], lengths: &[usize], heads: Heads, masks: Option<Masks>) -> Result<Tensor> {
        let padded = Layout::padded(lengths.to_vec());
        let longest = padded.padded_to().unwrap();
        let hidden = heads.count * heads.width;
        let spread = |x: &Tensor| {
            let mut start = 0;
            let texts = lengths.iter().map(|&length| {
                let text = x.narrow(0, start, length)?;
                start += length;
                text.pad_with_zeros(0, 0, longest - length)
            });
            Tensor::cat(&texts.collect::<Result<Vec<_>>>()?, 0)
        };
        let out = composed(&spread(&a[0])?, &spread(&a[1])?, &spread(&a[2])?, &padded, longest, heads, masks)?;
        let out = out.reshape((lengths.len(), longest, hidden))?;
        let texts = lengths.iter().enumerate().map(|(text, &length)| out.get(text)?.narrow(0, 0, length));
        Tensor::cat(&texts.collect::<Result<Vec<_>>>()?, 0)
    }

    #[test]
    fn attention_over_packed_texts_agrees_with_its_composition() {
        let heads = Heads { count: 3, width: 4 };
        let masks = Some(Masks { rate: 0.3, seed: 5, site: 2 });
        for (lengths, masks) in
            [(vec![5], None), (vec![3, 1, 9], None), (vec![7, 2], masks), (vec![1, 1, 12, 4], masks)]
        {
            let rows: usize = lengths.iter().sum();
            let arguments = [random(&[rows, 12], 1), random(&[rows, 12], 2), random(&[rows, 12], 3)];
            let packed = Layout::packed(lengths.clone());
            same_and_differentiable(
                &arguments,
                |a| attention(&a[0], &a[1], &a[2], &packed, heads, masks),
                |a| composed_of_packed(a, &lengths, heads, masks),
            );
        }
    }
}
