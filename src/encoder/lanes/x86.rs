//! The registers of x86-64.
//!
//! A value of [`Avx512`] or [`Avx2`] is a proof that the instructions are there: only unsafe code makes one.

#[allow(clippy::wildcard_imports)] // three dozen instructions, each with a prefix of its own
use std::arch::x86_64::*;

use super::{HASH, Lanes, Sieve};

/// Sixteen values; needs avx512f and avx512dq.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The processor has avx512f and avx512dq.
    #[inline(always)]
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }
}

/// Eight values; needs avx2 and fma.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The processor has avx2 and fma.
    #[inline(always)]
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY, for every block here: `self` proves that the instructions are there; loads and stores of whole registers are
// preceded by a look at the slice's length.

// No closures: one would be compiled without the instructions, and every instruction in it become a call.

impl Avx512 {
    /// Which of eight consecutive places a mask lets through.
    #[inline(always)]
    #[allow(clippy::unused_self)] // the proof
    fn kept(self, sieve: Sieve, first: u64) -> u8 {
        // SAFETY: above.
        unsafe {
            let steps = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
            let steps = _mm512_mullo_epi64(steps, _mm512_set1_epi64(HASH[0] as i64));
            let places = _mm512_add_epi64(steps, _mm512_set1_epi64(first.wrapping_mul(HASH[0]) as i64));
            let z = _mm512_xor_si512(places, _mm512_set1_epi64(sieve.key as i64));
            let z = _mm512_xor_si512(z, _mm512_srli_epi64::<30>(z));
            let z = _mm512_mullo_epi64(z, _mm512_set1_epi64(HASH[1] as i64));
            let z = _mm512_xor_si512(z, _mm512_srli_epi64::<27>(z));
            let z = _mm512_mullo_epi64(z, _mm512_set1_epi64(HASH[2] as i64));
            let z = _mm512_xor_si512(z, _mm512_srli_epi64::<31>(z));
            _mm512_cmpge_epu64_mask(z, _mm512_set1_epi64(sieve.threshold as i64))
        }
    }
}

impl Avx2 {
    /// The lower 64 bits of products, from those of 32 bits: there is no such instruction.
    #[inline(always)]
    #[allow(clippy::unused_self)] // the proof
    fn product(self, a: __m256i, b: u64) -> __m256i {
        // SAFETY: above.
        unsafe {
            let low = _mm256_set1_epi64x((b & 0xffff_ffff) as i64);
            let high = _mm256_set1_epi64x((b >> 32) as i64);
            let cross = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64::<32>(a), low), _mm256_mul_epu32(a, high));
            _mm256_add_epi64(_mm256_mul_epu32(a, low), _mm256_slli_epi64::<32>(cross))
        }
    }

    /// All ones where a mask drops the value, for four consecutive places.
    #[inline(always)]
    fn dropped(self, sieve: Sieve, first: u64) -> __m256i {
        // SAFETY: above.
        unsafe {
            let places = _mm256_add_epi64(_mm256_set1_epi64x(first as i64), _mm256_setr_epi64x(0, 1, 2, 3));
            let z = _mm256_xor_si256(self.product(places, HASH[0]), _mm256_set1_epi64x(sieve.key as i64));
            let z = self.product(_mm256_xor_si256(z, _mm256_srli_epi64::<30>(z)), HASH[1]);
            let z = self.product(_mm256_xor_si256(z, _mm256_srli_epi64::<27>(z)), HASH[2]);
            let z = _mm256_xor_si256(z, _mm256_srli_epi64::<31>(z));
            // Compared as signed numbers: the upper 24 bits are all that counts, and moved down they are positive.
            let threshold = _mm256_set1_epi64x((sieve.threshold >> 40) as i64);
            _mm256_cmpgt_epi64(threshold, _mm256_srli_epi64::<40>(z))
        }
    }
}

/// Methods that are one instruction each.
macro_rules! instructions {
    ($($name:ident($($arg:ident),*) = $instruction:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: Self::F),*) -> Self::F {
            // SAFETY: above.
            unsafe { $instruction($($arg),*) }
        }
    )*};
}

impl Lanes for Avx512 {
    const COUNT: usize = 16;
    type F = __m512;

    instructions! {
        add(a, b) = _mm512_add_ps;
        sub(a, b) = _mm512_sub_ps;
        mul(a, b) = _mm512_mul_ps;
        div(a, b) = _mm512_div_ps;
        mul_add(a, b, c) = _mm512_fmadd_ps;
        max(a, b) = _mm512_max_ps;
        min(a, b) = _mm512_min_ps;
        sqrt(a) = _mm512_sqrt_ps;
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: above.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load_or(self, from: &[f32], at: usize, fill: f32) -> __m512 {
        let from = &from[at..];
        // SAFETY: above; the mask lets through only what the slice has.
        unsafe {
            if from.len() >= 16 {
                _mm512_loadu_ps(from.as_ptr())
            } else {
                _mm512_mask_loadu_ps(_mm512_set1_ps(fill), (1 << from.len()) - 1, from.as_ptr())
            }
        }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32], at: usize, values: __m512) {
        let to = &mut to[at..];
        // SAFETY: above; the mask lets through only what the slice has.
        unsafe {
            if to.len() >= 16 {
                _mm512_storeu_ps(to.as_mut_ptr(), values);
            } else {
                _mm512_mask_storeu_ps(to.as_mut_ptr(), (1 << to.len()) - 1, values);
            }
        }
    }

    #[inline(always)]
    fn by_sign(self, x: __m512, below: __m512, above: __m512) -> __m512 {
        // SAFETY: above.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, _mm512_setzero_ps()), above, below) }
    }

    #[inline(always)]
    fn exponent(self, bits: __m512) -> __m512 {
        // SAFETY: above.
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(bits))) }
    }

    #[inline(always)]
    fn sift(self, sieve: Sieve, first: u64) -> __m512 {
        let mask = u16::from(self.kept(sieve, first)) | (u16::from(self.kept(sieve, first + 8)) << 8);
        // SAFETY: above.
        unsafe { _mm512_maskz_mov_ps(mask, _mm512_set1_ps(sieve.factor)) }
    }

    #[inline(always)]
    fn spread(self, values: __m512, to: &mut [f32; 16]) {
        // SAFETY: above.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), values) }
    }
}

impl Lanes for Avx2 {
    const COUNT: usize = 8;
    type F = __m256;

    instructions! {
        add(a, b) = _mm256_add_ps;
        sub(a, b) = _mm256_sub_ps;
        mul(a, b) = _mm256_mul_ps;
        div(a, b) = _mm256_div_ps;
        mul_add(a, b, c) = _mm256_fmadd_ps;
        max(a, b) = _mm256_max_ps;
        min(a, b) = _mm256_min_ps;
        sqrt(a) = _mm256_sqrt_ps;
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: above.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn load_or(self, from: &[f32], at: usize, fill: f32) -> __m256 {
        let from = &from[at..];
        let mut part = [fill; 8];
        let whole = if from.len() >= 8 {
            from.as_ptr()
        } else {
            part[..from.len()].copy_from_slice(from);
            part.as_ptr()
        };
        // SAFETY: above.
        unsafe { _mm256_loadu_ps(whole) }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32], at: usize, values: __m256) {
        let to = &mut to[at..];
        if to.len() >= 8 {
            // SAFETY: above.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), values) }
        } else {
            let mut all = [0.0; 16];
            self.spread(values, &mut all);
            to.copy_from_slice(&all[..to.len()]);
        }
    }

    #[inline(always)]
    fn by_sign(self, x: __m256, below: __m256, above: __m256) -> __m256 {
        // SAFETY: above.
        unsafe { _mm256_blendv_ps(above, below, _mm256_cmp_ps::<_CMP_LT_OQ>(x, _mm256_setzero_ps())) }
    }

    #[inline(always)]
    fn exponent(self, bits: __m256) -> __m256 {
        // SAFETY: above.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(bits))) }
    }

    #[inline(always)]
    fn sift(self, sieve: Sieve, first: u64) -> __m256 {
        // SAFETY: above.
        unsafe {
            let low = _mm256_castsi256_ps(self.dropped(sieve, first));
            let high = _mm256_castsi256_ps(self.dropped(sieve, first + 4));
            // Every second 32 bits of both, in order.
            let packed = _mm256_shuffle_ps::<0b10_00_10_00>(low, high);
            let ordered = _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(packed)));
            _mm256_andnot_ps(ordered, _mm256_set1_ps(sieve.factor))
        }
    }

    #[inline(always)]
    fn spread(self, values: __m256, to: &mut [f32; 16]) {
        // SAFETY: above.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), values) }
    }
}
