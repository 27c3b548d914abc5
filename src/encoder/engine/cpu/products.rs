//! The matrix products of a pass, in one place: what decides how they are computed is decided here.

use crate::encoder::gemm::{Strides, matmul};
use crate::settings::Precision;

/// How products are computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Products {
    /// What their operands are rounded to; sums are f32 always.
    pub(super) precision: Precision,
}

/// A matrix and how it stands in its slice.
type Matrix<'a> = (&'a [f32], Strides);

impl Products {
    /// `out = keep out + scale a b`: the one place that knows the precision.
    #[allow(clippy::too_many_arguments)] // a matrix product has these operands
    fn product(
        self,
        shape: (usize, usize, usize),
        (out, of_out): (&mut [f32], Strides),
        keep: f32,
        (a, of_a): Matrix<'_>,
        (b, of_b): Matrix<'_>,
        scale: f32,
        parallel: bool,
    ) {
        matmul(shape, out, of_out, keep, a, of_a, b, of_b, scale, None, self.precision, parallel);
    }

    /// `out = x Wᵀ`: `x` [rows, width], `weight` [out width, width]; all threads.
    pub(super) fn linear(
        self,
        (rows, width, out_width): (usize, usize, usize),
        out: &mut [f32],
        x: &[f32],
        weight: &[f32],
    ) {
        let (by_rows, to) = (Strides::rows(width), Strides::rows(out_width));
        let shape = (rows, width, out_width);
        self.product(shape, (out, to), 0.0, (x, by_rows), (weight, by_rows.transposed()), 1.0, true);
    }

    /// `out = keep out + g W`: `g` [rows, out width], `weight` [out width, width]; all threads.
    pub(super) fn linear_backward(
        self,
        (rows, width, out_width): (usize, usize, usize),
        out: &mut [f32],
        keep: f32,
        gradient: &[f32],
        weight: &[f32],
    ) {
        let (narrow, wide) = (Strides::rows(width), Strides::rows(out_width));
        self.product((rows, out_width, width), (out, narrow), keep, (gradient, wide), (weight, narrow), 1.0, true);
    }

    /// `out += gᵀ x`: the gradient of a weight [out width, width]; all threads.
    pub(super) fn weight_gradient(
        self,
        (rows, width, out_width): (usize, usize, usize),
        out: &mut [f32],
        gradient: &[f32],
        x: &[f32],
    ) {
        let (narrow, wide) = (Strides::rows(width), Strides::rows(out_width));
        self.product(
            (out_width, rows, width),
            (out, narrow),
            1.0,
            (gradient, wide.transposed()),
            (x, narrow),
            1.0,
            true,
        );
    }

    /// `out = keep out + scale a b` within one thread.
    pub(super) fn plain(
        self,
        (m, k, n): (usize, usize, usize),
        out: &mut [f32],
        keep: f32,
        a: &[f32],
        b: &[f32],
        scale: f32,
    ) {
        let (a, b) = ((a, Strides::rows(k)), (b, Strides::rows(n)));
        self.product((m, k, n), (out, Strides::rows(n)), keep, a, b, scale, false);
    }

    /// `out = a bᵀ` within one thread.
    pub(super) fn by_transposed(self, (m, k, n): (usize, usize, usize), out: &mut [f32], a: &[f32], b: &[f32]) {
        let (a, b) = ((a, Strides::rows(k)), (b, Strides::rows(k).transposed()));
        self.product((m, k, n), (out, Strides::rows(n)), 0.0, a, b, 1.0, false);
    }

    /// `out = keep out + aᵀ b` within one thread.
    pub(super) fn transposed_by(
        self,
        (m, k, n): (usize, usize, usize),
        out: &mut [f32],
        keep: f32,
        a: &[f32],
        b: &[f32],
    ) {
        let (a, b) = ((a, Strides::rows(m).transposed()), (b, Strides::rows(n)));
        self.product((m, k, n), (out, Strides::rows(n)), keep, a, b, 1.0, false);
    }
}
