//! Copies of an operand in the order in which the kernels read it.
//!
//! Both operands look alike here: lanes (the rows of a, the columns of b) by k. Lanes go in groups of 16, and a group
//! holds its words one k after the other, 16 lanes side by side. What lies along k in memory is transposed in
//! registers, 16 lanes by 16 words at a time.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_castpd_ps, _mm512_castps_pd, _mm512_castsi512_ps,
    _mm512_cvtne2ps_pbh, _mm512_loadu_epi16, _mm512_maskz_loadu_ps, _mm512_permutexvar_epi16, _mm512_setzero_ps,
    _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
    _mm512_unpacklo_ps,
};

use super::kernel::{LANES, bits, times};

/// Lanes by k within an operand: element (lane, p) stands at `at + lane * lane_stride + p * k_stride`.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub(super) at: *const f32,
    pub(super) lane: usize,
    pub(super) k: usize,
}

impl Source {
    pub(super) fn from(self, lane: usize, k: usize) -> Self {
        Self { at: self.at.wrapping_add(lane * self.lane + k * self.k), ..self }
    }
}

/// Where the copy goes: word w of group g at `at + g * group + w * word`, 16 lanes each, all of them written.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) at: *mut f32,
    pub(super) group: usize,
    pub(super) word: usize,
}

/// Words that are fetched before they are needed: rows lie pages apart, where the processor does not guess the next.
const AHEAD: usize = 8;

macro_rules! pack {
    ($name:ident, $features:literal, $depth:literal, $word:ident) => {
        /// Copies `lanes` x `k`. Lanes past the last one, up to a whole group, are written with anything.
        ///
        /// # Safety
        ///
        /// The processor must have the features, `source` must hold `lanes` x `k` and `target` as many groups and words.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $name(source: Source, lanes: usize, k: usize, target: Target) {
            // SAFETY: lanes and k are held to their counts by masks and by the loops; the caller promises the rest.
            unsafe {
                if source.k == 1 && source.lane != 1 {
                    for group in 0..lanes.div_ceil(LANES) {
                        let count = LANES.min(lanes - group * LANES);
                        let mut from = source.at.wrapping_add(group * LANES * source.lane);
                        let mut out = target.at.wrapping_add(group * target.group);
                        let mut rest = k;
                        while rest > 0 {
                            let mut rows = [_mm512_setzero_ps(); LANES];
                            let mut row = from;
                            times!(16, LANE, {
                                if LANE < count {
                                    rows[LANE] = $word!(along row, rest);
                                    row = row.wrapping_add(source.lane);
                                }
                            });
                            let columns = if count > LANES / 2 { transposed(&rows) } else { half_transposed(&rows) };
                            times!(16, WORD, {
                                if WORD * $depth < rest {
                                    _mm512_storeu_ps(out, columns[WORD]);
                                    out = out.wrapping_add(target.word);
                                }
                            });
                            from = from.wrapping_add(LANES * $depth);
                            rest = rest.saturating_sub(LANES * $depth);
                        }
                    }
                } else {
                    let (mut row, mut out_row, mut rest) = (source.at, target.at, k);
                    let ahead = AHEAD * $depth * source.k;
                    while rest > 0 {
                        let (mut from, mut out, mut left) = (row, out_row, lanes);
                        while left > 0 {
                            let column = if source.lane == 1 {
                                let ahead = from.wrapping_add(ahead);
                                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                                if $depth == 2 {
                                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(source.k).cast());
                                }
                                $word!(across from, source.k, bits(left), rest)
                            } else {
                                let apart = gathered(Source { at: from, ..source }, left.min(LANES), rest.min($depth));
                                $word!(across apart.as_ptr(), LANES, 0xffff, rest)
                            };
                            _mm512_storeu_ps(out, column);
                            from = from.wrapping_add(LANES * source.lane);
                            out = out.wrapping_add(target.group);
                            left = left.saturating_sub(LANES);
                        }
                        row = row.wrapping_add($depth * source.k);
                        out_row = out_row.wrapping_add(target.word);
                        rest = rest.saturating_sub($depth);
                    }
                }
            }
        }
    };
}

/// One number a word: 16 of one lane, or one of 16 lanes.
macro_rules! number {
    (along $at:expr, $rest:expr) => {
        _mm512_maskz_loadu_ps(bits($rest), $at)
    };
    (across $at:expr, $k:expr, $mask:expr, $rest:expr) => {
        _mm512_maskz_loadu_ps($mask, $at)
    };
}

/// Two numbers a word: of 32 along one lane, or of two neighbours in 16 lanes.
macro_rules! pair {
    (along $at:expr, $rest:expr) => {{
        let low = _mm512_maskz_loadu_ps(bits($rest), $at);
        let high = _mm512_maskz_loadu_ps(bits($rest.saturating_sub(LANES)), $at.wrapping_add(LANES));
        std::mem::transmute::<__m512bh, __m512>(_mm512_cvtne2ps_pbh(high, low))
    }};
    (across $at:expr, $k:expr, $mask:expr, $rest:expr) => {{
        let (at, mask) = ($at, $mask);
        let low = _mm512_maskz_loadu_ps(mask, at);
        let high = _mm512_maskz_loadu_ps(if $rest > 1 { mask } else { 0 }, at.wrapping_add($k));
        let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
        _mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_loadu_epi16(INTERLEAVED.as_ptr()), both))
    }};
}

/// Takes the low and the high half of 32 numbers by turns.
const INTERLEAVED: [i16; 32] = {
    let mut order = [0; 32];
    let mut i = 0;
    while i < 32 {
        order[i] = (i / 2 + i % 2 * 16) as i16;
        i += 1;
    }
    order
};

pack!(single, "avx512f", 1, number);
pack!(half, "avx512f,avx512bw,avx512bf16", 2, pair);

/// One or two k of up to 16 lanes that stand apart, zeros after them.
#[cold]
unsafe fn gathered(from: Source, count: usize, k: usize) -> [f32; 2 * LANES] {
    let mut values = [0.0; 2 * LANES];
    for p in 0..k {
        for lane in 0..count {
            // SAFETY: `count` lanes by `k` are there, as the caller promises.
            values[p * LANES + lane] = unsafe { *from.at.add(lane * from.lane + p * from.k) };
        }
    }
    values
}

/// Four rows to columns within every 128 bits: first neighbours, then pairs of them.
macro_rules! quad {
    ($rows:expr, $first:literal) => {{
        let (r0, r1, r2, r3) = ($rows[$first], $rows[$first + 1], $rows[$first + 2], $rows[$first + 3]);
        let (ab, cd) = (_mm512_castps_pd(_mm512_unpacklo_ps(r0, r1)), _mm512_castps_pd(_mm512_unpacklo_ps(r2, r3)));
        let (ef, gh) = (_mm512_castps_pd(_mm512_unpackhi_ps(r0, r1)), _mm512_castps_pd(_mm512_unpackhi_ps(r2, r3)));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(ef, gh)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ef, gh)),
        ]
    }};
}

/// 16 rows of 16 words become 16 columns: quarters change places after [`quad`].
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: &[__m512; LANES]) -> [__m512; LANES] {
    let (a, b, c, d) = (quad!(rows, 0), quad!(rows, 4), quad!(rows, 8), quad!(rows, 12));
    let mut columns = [_mm512_setzero_ps(); LANES];
    macro_rules! quarters {
        ($($i:literal)+) => {$(
            let (ab, cd) = (_mm512_shuffle_f32x4::<0x88>(a[$i], b[$i]), _mm512_shuffle_f32x4::<0x88>(c[$i], d[$i]));
            columns[$i] = _mm512_shuffle_f32x4::<0x88>(ab, cd);
            columns[$i + 8] = _mm512_shuffle_f32x4::<0xdd>(ab, cd);
            let (ab, cd) = (_mm512_shuffle_f32x4::<0xdd>(a[$i], b[$i]), _mm512_shuffle_f32x4::<0xdd>(c[$i], d[$i]));
            columns[$i + 4] = _mm512_shuffle_f32x4::<0x88>(ab, cd);
            columns[$i + 12] = _mm512_shuffle_f32x4::<0xdd>(ab, cd);
        )+};
    }
    quarters!(0 1 2 3);
    columns
}

/// [`transposed`] of the first 8 rows; what follows them in the columns is of no use.
#[inline]
#[target_feature(enable = "avx512f")]
fn half_transposed(rows: &[__m512; LANES]) -> [__m512; LANES] {
    let (a, b) = (quad!(rows, 0), quad!(rows, 4));
    let mut columns = [_mm512_setzero_ps(); LANES];
    macro_rules! quarters {
        ($($i:literal)+) => {$(
            let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(a[$i], b[$i]), _mm512_shuffle_f32x4::<0xdd>(a[$i], b[$i]));
            columns[$i] = _mm512_shuffle_f32x4::<0x88>(even, even);
            columns[$i + 4] = _mm512_shuffle_f32x4::<0x88>(odd, odd);
            columns[$i + 8] = _mm512_shuffle_f32x4::<0xdd>(even, even);
            columns[$i + 12] = _mm512_shuffle_f32x4::<0xdd>(odd, odd);
        )+};
    }
    quarters!(0 1 2 3);
    columns
}
