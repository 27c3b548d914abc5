//! The product by the `gemm` crate, for processors without AVX-512.

use super::Product;

/// # Safety
///
/// The product's pointers must hold its shape, and `out` must overlap no other operand.
pub(super) unsafe fn multiply(product: &Product, parallel: bool) {
    let Product { shape: (m, k, n), out, of_out, mut keep, a, of_a, b, of_b, scale, bias } = *product;
    if !bias.is_null() {
        for i in 0..m {
            for j in 0..n {
                // SAFETY: (i, j) is within m x n, and `bias` holds n values.
                unsafe {
                    let out = out.add(i * of_out.row + j * of_out.column);
                    *out = if keep == 0.0 { *bias.add(j) } else { keep * *out + *bias.add(j) };
                }
            }
        }
        keep = 1.0;
    }
    let threads = if parallel { ::gemm::Parallelism::Rayon(0) } else { gemm::Parallelism::None };
    // SAFETY: as the caller promises.
    unsafe {
        ::gemm::gemm(
            m,
            n,
            k,
            out,
            of_out.column as isize,
            of_out.row as isize,
            keep != 0.0,
            a,
            of_a.column as isize,
            of_a.row as isize,
            b,
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
