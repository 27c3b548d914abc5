//! The Gaussian error linear unit, exact: `x Φ(x)` (Hendrycks and Gimpel 2016), not its tanh approximation.

use candle_core::{Result, Tensor};

/// Any shape.
pub(in crate::encoder) fn gelu(x: &Tensor) -> Result<Tensor> {
    x.gelu_erf()
}
