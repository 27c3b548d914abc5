//! The Gaussian error linear unit, exact: `x Φ(x)` (Hendrycks and Gimpel 2016), not its tanh approximation.

use rayon::prelude::*;

use super::rows::{add, blocks};
use crate::encoder::lanes::{Lanes, vectorized};

/// Rows of a block, as elsewhere.
const BLOCK: usize = 32;

/// Adds the bias to `inner`, in place, and puts its GELU into `out`.
pub(super) fn gelu(inner: &mut [f32], bias: &[f32], out: &mut [f32]) {
    let chunk = BLOCK * bias.len();
    inner.par_chunks_mut(chunk).zip(out.par_chunks_mut(chunk)).for_each(|(inner, out)| gelu_block(inner, bias, out));
}

/// `inner` becomes its GELU again, and `gradient`, that of the GELU, becomes that of `inner`; `sum` gets the sums over rows.
/// `partial` has room for a row a block.
pub(super) fn gelu_backward(inner: &mut [f32], gradient: &mut [f32], partial: &mut [f32], sum: &mut [f32]) {
    let width = sum.len();
    let chunk = BLOCK * width;
    inner
        .par_chunks_mut(chunk)
        .zip(gradient.par_chunks_mut(chunk))
        .zip(partial.par_chunks_mut(width))
        .for_each(|((inner, gradient), partial)| gelu_backward_block(inner, gradient, partial));
    let rows = inner.len() / width;
    partial[..blocks(rows) * width].chunks_exact(width).for_each(|partial| add(sum, partial));
}

/// Φ(x) and `exp(-x²/2)`: Abramowitz and Stegun 7.1.26, 1.5e-7 absolute.
#[inline(always)]
#[allow(clippy::inline_always)] // a call would forget which registers it may use
#[allow(clippy::excessive_precision)] // the constants as published
fn normal<L: Lanes>(l: L, x: L::F) -> (L::F, L::F) {
    let one = l.splat(1.0);
    let z = l.mul(l.max(x, l.sub(l.splat(0.0), x)), l.splat(std::f32::consts::FRAC_1_SQRT_2));
    let t = l.div(one, l.mul_add(z, l.splat(0.327_591_1), one));
    let bell = l.exp(l.mul(l.sub(l.splat(0.0), z), z));
    let p = l.splat(1.061_405_429);
    let p = l.mul_add(p, t, l.splat(-1.453_152_027));
    let p = l.mul_add(p, t, l.splat(1.421_413_741));
    let p = l.mul_add(p, t, l.splat(-0.284_496_736));
    let p = l.mul_add(p, t, l.splat(0.254_829_592));
    let upper = l.mul(l.mul(l.splat(0.5), l.mul(p, t)), bell);
    (l.by_sign(x, upper, l.sub(one, upper)), bell)
}

vectorized! {
    fn gelu_block(l: Lanes, inner: &mut [f32], bias: &[f32], out: &mut [f32]) {
        let width = bias.len();
        for (inner, out) in inner.chunks_exact_mut(width).zip(out.chunks_exact_mut(width)) {
            for at in (0..width).step_by(L::COUNT) {
                let x = l.add(l.load(inner, at), l.load(bias, at));
                l.store(inner, at, x);
                l.store(out, at, l.mul(x, normal(l, x).0));
            }
        }
    }
}

vectorized! {
    fn gelu_backward_block(l: Lanes, inner: &mut [f32], gradient: &mut [f32], partial: &mut [f32]) {
        const INVERSE_ROOT_2_PI: f32 = 0.398_942_3;
        let width = partial.len();
        partial.fill(0.0);
        for (inner, gradient) in inner.chunks_exact_mut(width).zip(gradient.chunks_exact_mut(width)) {
            for at in (0..width).step_by(L::COUNT) {
                let x = l.load(inner, at);
                let (below, bell) = normal(l, x);
                let slope = l.mul_add(l.mul(x, bell), l.splat(INVERSE_ROOT_2_PI), below);
                let value = l.mul(l.load(gradient, at), slope);
                l.store(inner, at, l.mul(x, below));
                l.store(gradient, at, value);
                l.store(partial, at, l.add(value, l.load(partial, at)));
            }
        }
    }
}
