//! The matrix products of a pass, in one place: what decides how they are computed is decided here.

use crate::encoder::ops::{Strides, matmul};

/// How products are computed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Products;

impl Products {
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
        matmul(shape, out, to, 0.0, x, by_rows, weight, by_rows.transposed(), 1.0, true);
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
        matmul((rows, out_width, width), out, narrow, keep, gradient, wide, weight, narrow, 1.0, true);
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
        matmul((out_width, rows, width), out, narrow, 1.0, gradient, wide.transposed(), x, narrow, 1.0, true);
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
        let shape = (m, k, n);
        matmul(shape, out, Strides::rows(n), keep, a, Strides::rows(k), b, Strides::rows(n), scale, false);
    }

    /// `out = a bᵀ` within one thread.
    pub(super) fn by_transposed(self, (m, k, n): (usize, usize, usize), out: &mut [f32], a: &[f32], b: &[f32]) {
        let of_b = Strides::rows(k).transposed();
        matmul((m, k, n), out, Strides::rows(n), 0.0, a, Strides::rows(k), b, of_b, 1.0, false);
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
        let of_a = Strides::rows(m).transposed();
        matmul((m, k, n), out, Strides::rows(n), keep, a, of_a, b, Strides::rows(n), 1.0, false);
    }
}
