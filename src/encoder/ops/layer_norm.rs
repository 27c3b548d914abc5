//! Layer normalisation (Ba, Kiros and Hinton 2016) over the last dimension.

use candle_core::{D, Result, Tensor};

/// `x` [rows, width], `weight` and `bias` [width] -> [rows, width].
pub(in crate::encoder) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normal = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?;
    normal.broadcast_mul(weight)?.broadcast_add(bias)
}
