//! The matrix product of training on the CPU, `out = keep * out + scale * a b + bias`, in f32 or through bf16.
//!
//! Panels of both operands are copied side by side in the order in which they are used, sized for the caches, and a
//! kernel that keeps a tile of the result in registers runs over them: Goto and van de Geijn, "Anatomy of
//! High-Performance Matrix Multiplication" (2008), in the five loops of BLIS (Van Zee and van de Geijn 2015). The
//! kernels want AVX-512; where the processor has none, the `gemm` crate multiplies.
//!
//! Every element of the result is summed in an order that the shape alone decides, so results do not depend on the
//! number of threads. `out` is never read where `keep` is 0.

#![allow(unsafe_code)] // kernels read and write through raw pointers; every file of this module says why each may

#[cfg(target_arch = "x86_64")]
mod blocks;
mod crate_gemm;
#[cfg(target_arch = "x86_64")]
mod kernel;
#[cfg(target_arch = "x86_64")]
mod pack;
#[cfg(test)]
mod tests;

use crate::settings::Precision;

/// A strided matrix within a slice: element (i, j) stands at `offset + i * row + j * column`.
#[derive(Debug, Clone, Copy)]
pub(in crate::encoder) struct Strides {
    /// Where the first element stands.
    pub(in crate::encoder) offset: usize,
    /// From a row to the next.
    pub(in crate::encoder) row: usize,
    /// From a column to the next.
    pub(in crate::encoder) column: usize,
}

impl Strides {
    /// Rows one after the other.
    pub(in crate::encoder) const fn rows(width: usize) -> Self {
        Self { offset: 0, row: width, column: 1 }
    }

    /// Rows and columns exchanged.
    #[must_use]
    pub(in crate::encoder) const fn transposed(self) -> Self {
        Self { offset: self.offset, row: self.column, column: self.row }
    }

    /// One past the last element of an m x n matrix.
    const fn end(self, m: usize, n: usize) -> usize {
        if m == 0 || n == 0 { 0 } else { self.offset + (m - 1) * self.row + (n - 1) * self.column + 1 }
    }

    /// Whether no two elements of an m x n matrix share a place.
    const fn apart(self, m: usize, n: usize) -> bool {
        let (down, across) = ((m - 1) * self.row, (n - 1) * self.column);
        (m == 1 || self.row > across) && (n == 1 || self.column > 0)
            || (n == 1 || self.column > down) && (m == 1 || self.row > 0)
    }
}

/// Whether this processor multiplies bf16: [`Precision::Bf16`] is not f32 here.
pub(in crate::encoder) fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return blocks::Path::of(Precision::Bf16).is_some_and(|path| path.halves());
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// One product of checked operands, by raw pointers: a is m x k, b is k x n, out is m x n.
#[derive(Clone, Copy)]
struct Product {
    shape: (usize, usize, usize),
    out: *mut f32,
    of_out: Strides,
    keep: f32,
    a: *const f32,
    of_a: Strides,
    b: *const f32,
    of_b: Strides,
    scale: f32,
    /// n values, or null.
    bias: *const f32,
}

// SAFETY: the pointers come from slices that `matmul` borrows until all threads are done; `a`, `b` and `bias` are only
// read, and no two tasks write the same element of `out`.
unsafe impl Send for Product {}
// SAFETY: as above.
unsafe impl Sync for Product {}

/// `out = keep * out + scale * a b + bias`, with `a` m x k, `b` k x n, `out` m x n, `bias` n values for every row.
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
    bias: Option<&[f32]>,
    precision: Precision,
    parallel: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(
        of_out.end(m, n) <= out.len() && of_a.end(m, k) <= a.len() && of_b.end(k, n) <= b.len(),
        "matrices within their slices"
    );
    assert!(of_out.apart(m, n), "an element of the result for every row and column");
    assert!(bias.is_none_or(|bias| bias.len() == n), "a bias for every column");
    let product = Product {
        shape: (m, k, n),
        out: out.as_mut_ptr().wrapping_add(of_out.offset),
        of_out,
        keep,
        a: a.as_ptr().wrapping_add(of_a.offset),
        of_a,
        b: b.as_ptr().wrapping_add(of_b.offset),
        of_b,
        scale,
        bias: bias.map_or(std::ptr::null(), <[f32]>::as_ptr),
    };
    #[cfg(target_arch = "x86_64")]
    if let Some(path) = blocks::Path::of(precision) {
        // SAFETY: the assertions above hold every element that the strides reach inside its slice; `out` is borrowed
        // mutably, so it overlaps none of the others.
        unsafe { blocks::multiply(&path, &product, parallel) };
        return;
    }
    let _ = precision;
    // SAFETY: as above.
    unsafe { crate_gemm::multiply(&product, parallel) };
}
