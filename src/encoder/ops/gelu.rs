//! The Gaussian error linear unit, exact: `x Φ(x)` (Hendrycks and Gimpel 2016), not its tanh approximation.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::kernels::exp;
use super::{values, with_values};

/// Values that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Any shape.
pub(in crate::encoder) fn gelu(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.contiguous()?.apply_op1(Gelu) } else { composed(x) }
}

fn composed(x: &Tensor) -> Result<Tensor> {
    x.gelu_erf()
}

/// Φ(x) and `exp(-x²/2)`: Abramowitz and Stegun 7.1.26, 1.5e-7 absolute.
#[inline]
#[allow(clippy::excessive_precision)] // the constants as published
fn normal(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let bell = exp(-z * z);
    let p = ((((1.061_405_429 * t - 1.453_152_027) * t + 1.421_413_741) * t - 0.284_496_736) * t + 0.254_829_592) * t;
    let upper_half = 0.5 * p * bell;
    (if x < 0.0 { upper_half } else { 1.0 - upper_half }, bell)
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, of_x: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, of_x)?;
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(out, x)| {
            for (out, x) in out.iter_mut().zip(x) {
                *out = x * normal(*x).0;
            }
        });
        Ok((CpuStorage::F32(out), of_x.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        const INVERSE_ROOT_2_PI: f32 = 0.398_942_3;
        let dx = with_values([x, gradient], |[x, gradient]| {
            let mut dx = vec![0.0; x.len()];
            let chunks = dx.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).zip(gradient.par_chunks(CHUNK));
            chunks.for_each(|((dx, x), gradient)| {
                for ((dx, x), gradient) in dx.iter_mut().zip(x).zip(gradient) {
                    let (below, bell) = normal(*x);
                    *dx = gradient * (below + x * bell * INVERSE_ROOT_2_PI);
                }
            });
            dx
        })?;
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{random, same_and_differentiable};
    use super::*;

    #[test]
    fn gelu_agrees_with_its_composition() {
        let x = random(&[5, 37], 4);
        let x = candle_core::Var::from_tensor(&(x.as_tensor() * 4.0).unwrap()).unwrap();
        same_and_differentiable(&[x], |a| gelu(&a[0]), |a| composed(&a[0]));
    }
}
