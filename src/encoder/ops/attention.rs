//! Scaled dot-product attention (Vaswani et al. 2017), each text for itself.

use candle_core::{D, Result, Tensor};

use super::dropout::Masks;
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
    let Some(padded) = layout.padded_to() else { candle_core::bail!("composed attention needs texts of equal rows") };
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

/// The place of a probability in the dropout mask; engines count the same.
#[inline]
fn place(text: usize, head: usize, heads: usize, row: usize, column: usize) -> u64 {
    (((text * heads + head) as u64) << 32) | ((row as u64) << 16) | column as u64
}
