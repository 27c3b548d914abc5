//! The matrix product.

#![allow(unsafe_code)] // it takes raw pointers

/// A strided matrix within a slice: element (i, j) stands at `offset + i * row + j * column`.
#[derive(Debug, Clone, Copy)]
pub(in crate::encoder) struct Strides {
    pub(in crate::encoder) offset: usize,
    pub(in crate::encoder) row: usize,
    pub(in crate::encoder) column: usize,
}

impl Strides {
    /// Rows one after the other.
    pub(in crate::encoder) const fn rows(width: usize) -> Self {
        Self { offset: 0, row: width, column: 1 }
    }

    pub(in crate::encoder) const fn transposed(self) -> Self {
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
pub(in crate::encoder) fn matmul(
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
