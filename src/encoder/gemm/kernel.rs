//! The innermost loops: a tile of the result, up to 8 rows by 48 columns, summed in registers.
//!
//! An operand is a sequence of 32-bit words along k: in f32 a word is one number, in bf16 it is two numbers of
//! neighbouring k, which `vdpbf16ps` multiplies and adds at once. But for that instruction both kernels are the same.

use std::arch::x86_64::{
    __m512, __m512bh, __mmask16, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

/// Rows of a tile.
pub(super) const ROWS: usize = 8;
/// Columns of a vector.
pub(super) const LANES: usize = 16;
/// Columns of a full tile: 8 x 3 sums, 3 vectors of b and one of a fit the 32 registers.
pub(super) const COLUMNS: usize = 3 * LANES;

/// A tile and what it is multiplied from. Strides count words.
pub(super) struct Tile {
    pub(super) a: *const f32,
    /// From a row of `a` to the next, and from a word of k to the next.
    pub(super) a_row: usize,
    pub(super) a_word: usize,
    pub(super) b: *const f32,
    pub(super) b_word: usize,
    pub(super) words: usize,
    pub(super) out: *mut f32,
    pub(super) out_row: usize,
    /// 1 to [`ROWS`]
    pub(super) rows: usize,
    /// 1 to [`COLUMNS`]
    pub(super) columns: usize,
    pub(super) keep: f32,
    pub(super) scale: f32,
    /// The tile's columns of the bias, or null.
    pub(super) bias: *const f32,
}

macro_rules! fused {
    ($a:expr, $b:expr, $sum:expr) => {
        _mm512_fmadd_ps($a, $b, $sum)
    };
}

macro_rules! paired {
    ($a:expr, $b:expr, $sum:expr) => {
        // Both are 64 bytes of plain numbers.
        _mm512_dpbf16_ps($sum, std::mem::transmute::<__m512, __m512bh>($a), std::mem::transmute::<__m512, __m512bh>($b))
    };
}

/// Repeats a block with a constant counting from 0: unrolled at any level of optimisation.
macro_rules! times {
    (1, $i:ident, $body:block) => {{
        const $i: usize = 0;
        $body
    }};
    (2, $i:ident, $body:block) => {
        times!(1, $i, $body);
        {
            const $i: usize = 1;
            $body
        }
    };
    (3, $i:ident, $body:block) => {
        times!(2, $i, $body);
        {
            const $i: usize = 2;
            $body
        }
    };
    (4, $i:ident, $body:block) => {
        times!(3, $i, $body);
        {
            const $i: usize = 3;
            $body
        }
    };
    (8, $i:ident, $body:block) => {
        times!(4, $i, $body);
        {
            const $i: usize = 4;
            $body
        }
        {
            const $i: usize = 5;
            $body
        }
        {
            const $i: usize = 6;
            $body
        }
        {
            const $i: usize = 7;
            $body
        }
    };
    (16, $i:ident, $body:block) => {
        times!(8, $i, $body);
        {
            const $i: usize = 8;
            $body
        }
        {
            const $i: usize = 9;
            $body
        }
        {
            const $i: usize = 10;
            $body
        }
        {
            const $i: usize = 11;
            $body
        }
        {
            const $i: usize = 12;
            $body
        }
        {
            const $i: usize = 13;
            $body
        }
        {
            const $i: usize = 14;
            $body
        }
        {
            const $i: usize = 15;
            $body
        }
    };
}
pub(super) use times;

/// A kernel for tiles of some rows and vectors. The last vector is masked, and rows past the tile's repeat its last row
/// unstored.
macro_rules! kernel {
    ($name:ident, $features:literal, $multiply:ident, $height:tt, $width:tt) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(tile: &Tile) {
            let last = tile.rows - 1;
            let masks: [__mmask16; 3] = match $width {
                1 => [bits(tile.columns), 0, 0],
                2 => [0xffff, bits(tile.columns - LANES), 0],
                _ => [0xffff, 0xffff, bits(tile.columns - 2 * LANES)],
            };
            let mut sums = [[_mm512_setzero_ps(); $width]; $height];
            // SAFETY: the caller promises `rows` x `words` of `a`, `words` x `columns` of `b` and `rows` x `columns`
            // of `out`. Rows are held to the last one, columns by the masks.
            unsafe {
                let mut rows = [tile.a; $height];
                times!($height, I, {
                    let row = I.min(last);
                    rows[I] = tile.a.wrapping_add(row * tile.a_row);
                    let out = tile.out.wrapping_add(row * tile.out_row);
                    times!($width, J, { _mm_prefetch::<_MM_HINT_T0>(out.wrapping_add(J * LANES).cast()) });
                    _mm_prefetch::<_MM_HINT_T0>(out.wrapping_add(tile.columns - 1).cast());
                });
                let mut b = tile.b;
                let mut at = 0;
                let mut right = [_mm512_setzero_ps(); $width];
                let mut words = tile.words;
                while words > 0 {
                    times!($width, J, { right[J] = _mm512_maskz_loadu_ps(masks[J], b.wrapping_add(J * LANES)) });
                    times!($height, I, {
                        let left = _mm512_set1_ps(*rows[I].add(at));
                        times!($width, J, { sums[I][J] = $multiply!(left, right[J], sums[I][J]) });
                    });
                    at += tile.a_word;
                    b = b.wrapping_add(tile.b_word);
                    words -= 1;
                }
                let scale = _mm512_set1_ps(tile.scale);
                times!($height, I, {
                    if I <= last {
                        times!($width, J, { store(tile, I, J, masks[J], _mm512_mul_ps(scale, sums[I][J])) });
                    }
                });
            }
        }
    };
}

/// A mask of the first lanes, of all for 16 and more.
#[inline(always)]
#[allow(clippy::inline_always)] // the kernels are called so often in builds that hardly inline
pub(super) fn bits(count: usize) -> __mmask16 {
    if count >= LANES { 0xffff } else { (1 << count) - 1 }
}

/// Adds the bias and what is kept, and stores.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(tile: &Tile, row: usize, vector: usize, mask: __mmask16, mut sum: __m512) {
    // SAFETY: the caller promises `rows` x `columns` of `out` and `columns` of the bias; the mask ends at `columns`.
    unsafe {
        if !tile.bias.is_null() {
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, tile.bias.add(vector * LANES)));
        }
        let out = tile.out.add(row * tile.out_row + vector * LANES);
        if tile.keep != 0.0 {
            sum = _mm512_fmadd_ps(_mm512_set1_ps(tile.keep), _mm512_maskz_loadu_ps(mask, out), sum);
        }
        _mm512_mask_storeu_ps(out, mask, sum);
    }
}

macro_rules! kernels {
    ($module:ident, $features:literal, $multiply:ident) => {
        pub(super) mod $module {
            #[allow(clippy::wildcard_imports)] // the kernels of this file under another instruction
            use super::*;
            kernel!(tall_3, $features, $multiply, 8, 3);
            kernel!(tall_2, $features, $multiply, 8, 2);
            kernel!(tall_1, $features, $multiply, 8, 1);
            kernel!(low_3, $features, $multiply, 4, 3);
            kernel!(low_2, $features, $multiply, 4, 2);
            kernel!(low_1, $features, $multiply, 4, 1);

            /// # Safety
            ///
            /// The processor must have the kernels' features, and the tile's pointers must hold its shape.
            pub(in super::super) unsafe fn multiply(tile: &Tile) {
                // SAFETY: as the caller promises.
                unsafe {
                    match (tile.rows > 4, tile.columns.div_ceil(LANES)) {
                        (true, 3) => tall_3(tile),
                        (true, 2) => tall_2(tile),
                        (true, _) => tall_1(tile),
                        (false, 3) => low_3(tile),
                        (false, 2) => low_2(tile),
                        (false, _) => low_1(tile),
                    }
                }
            }
        }
    };
}

kernels!(single, "avx512f", fused);
kernels!(half, "avx512f,avx512bf16", paired);
