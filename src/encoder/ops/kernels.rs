//! Small loops that the fused operators share.

#![allow(unsafe_code)] // the matrix product takes raw pointers

/// A strided matrix within a slice: element (i, j) stands at `offset + i * row + j * column`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strides {
    pub(super) offset: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

impl Strides {
    /// Rows one after the other.
    pub(super) const fn rows(width: usize) -> Self {
        Self { offset: 0, row: width, column: 1 }
    }

    pub(super) const fn at(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    pub(super) const fn transposed(self) -> Self {
        Self { offset: self.offset, row: self.column, column: self.row }
    }

    /// One past the last element of an m x n matrix.
    const fn end(self, m: usize, n: usize) -> usize {
        if m == 0 || n == 0 { 0 } else { self.offset + (m - 1) * self.row + (n - 1) * self.column + 1 }
    }
}

/// `out = keep * out + scale * a b`, with `a` m x k, `b` k x n, `out` m x n.
///
/// `keep` 0 overwrites. `parallel` splits the work over rayon's threads.
#[allow(clippy::too_many_arguments)] // a matrix product has these operands
pub(super) fn matmul(
    (m, k, n): (usize, usize, usize),
    out: &mut [f32],
    of_out: Strides,
    keep: f32,
    a: &[f32],
    of_a: Strides,
    b: &[f32],
    of_b: Strides,
    scale: f32,
    parallel: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(
        of_out.end(m, n) <= out.len() && of_a.end(m, k) <= a.len() && of_b.end(k, n) <= b.len(),
        "matrices within their slices"
    );
    let threads = if parallel { gemm::Parallelism::Rayon(0) } else { gemm::Parallelism::None };
    // SAFETY: the assertion above holds every element that the strides reach inside its slice; `out` is borrowed
    // mutably, so it overlaps neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr().add(of_out.offset),
            of_out.column as isize,
            of_out.row as isize,
            keep != 0.0,
            a.as_ptr().add(of_a.offset),
            of_a.column as isize,
            of_a.row as isize,
            b.as_ptr().add(of_b.offset),
            of_b.column as isize,
            of_b.row as isize,
            keep,
            scale,
            false,
            false,
            false,
            threads,
        );
    }
}

/// `e^x` to 2e-7 relative, without branches or calls, so that loops over it become SIMD (Cephes' polynomial).
#[inline]
#[allow(clippy::excessive_precision)] // the constants as published
pub(super) fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + MAGIC) - MAGIC;
    let r = (x - n * 0.693_359_375) + n * 2.121_944_4e-4;
    let p = 1.987_569_15e-4;
    let p = p * r + 1.398_199_95e-3;
    let p = p * r + 8.333_451_9e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_54e-1;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    y * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

/// Softmax of each row of a matrix, in place.
pub(super) fn softmax_rows(values: &mut [f32], width: usize) {
    for row in values.chunks_exact_mut(width) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for value in row.iter_mut() {
            *value = exp(*value - largest);
        }
        let sum: f32 = row.iter().sum();
        let factor = 1.0 / sum;
        for value in row.iter_mut() {
            *value *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate() {
        for step in -8000..8000 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= 3e-7 * exact, "exp({x})");
        }
    }
}
