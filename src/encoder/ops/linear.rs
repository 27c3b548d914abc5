//! `y = x Wᵀ + b`.

use candle_core::{Result, Tensor};

/// `x` [rows, in], `weight` [out, in], `bias` [out] -> [rows, out].
pub(in crate::encoder) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.matmul(&weight.t()?)?.broadcast_add(bias)
}
