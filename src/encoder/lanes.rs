//! Vector registers: loops over f32 values written once, compiled for each kind of processor, picked when they run.
//!
//! The compiler vectorises no loop at the optimisation of the development profile, and at any it keeps to the oldest
//! processor that the build may run on. So loops that are passed often are written over [`Lanes`], and [`vectorized!`]
//! makes of each a function that takes the widest registers that this processor has.

#![allow(unsafe_code)] // the instructions of one processor
#![allow(clippy::inline_always)] // a call would forget which registers it may use

/// Which values a dropout mask lets through: `SplitMix64`'s finaliser of each value's place, compared with a threshold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sieve {
    /// Mixed into every place.
    pub(crate) key: u64,
    /// Values whose hash is smaller are dropped; only its upper 24 bits are used.
    pub(crate) threshold: u64,
    /// What the others are multiplied by.
    pub(crate) factor: f32,
}

/// The multipliers of the hash: of the place, and of its two rounds.
pub(crate) const HASH: [u64; 3] = [0xd1b5_4a32_d192_ed03, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

impl Sieve {
    /// The factor of one place.
    #[inline(always)]
    pub(crate) fn factor(self, place: u64) -> f32 {
        let mut z = self.key ^ place.wrapping_mul(HASH[0]);
        z = (z ^ (z >> 30)).wrapping_mul(HASH[1]);
        z = (z ^ (z >> 27)).wrapping_mul(HASH[2]);
        z ^= z >> 31;
        if z < self.threshold { 0.0 } else { self.factor }
    }
}

/// A register of f32 values and what can be done with it.
pub(crate) trait Lanes: Copy {
    /// Values in a register.
    const COUNT: usize;
    /// A register.
    type F: Copy;

    /// The same value everywhere.
    fn splat(self, value: f32) -> Self::F;
    /// Values from `at` on; `fill` where the slice has no more.
    fn load_or(self, from: &[f32], at: usize, fill: f32) -> Self::F;
    /// Puts the values at `at`, as many as the slice has room for.
    fn store(self, to: &mut [f32], at: usize, values: Self::F);
    /// a + b
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    /// a - b
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// a b
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// a / b
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// a b + c
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The greater.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// The smaller.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// The root.
    fn sqrt(self, a: Self::F) -> Self::F;
    /// `below` where x < 0, else `above`.
    fn by_sign(self, x: Self::F, below: Self::F, above: Self::F) -> Self::F;
    /// The lowest bits of each value moved to where a float's exponent stands.
    fn exponent(self, bits: Self::F) -> Self::F;
    /// The mask's factors for consecutive places.
    fn sift(self, sieve: Sieve, first: u64) -> Self::F;
    /// Values in memory order.
    fn spread(self, values: Self::F, to: &mut [f32; 16]);

    /// Values from `at` on; 0 where the slice has no more.
    #[inline(always)]
    fn load(self, from: &[f32], at: usize) -> Self::F {
        self.load_or(from, at, 0.0)
    }

    /// The sum of the values.
    #[inline(always)]
    fn sum(self, values: Self::F) -> f32 {
        let mut all = [0.0; 16];
        self.spread(values, &mut all);
        let mut half = 8;
        while half > 0 {
            for at in 0..half {
                all[at] += all[at + half];
            }
            half /= 2;
        }
        all[0]
    }

    /// The greatest of the values.
    #[inline(always)]
    fn largest(self, values: Self::F) -> f32 {
        let mut all = [f32::NEG_INFINITY; 16];
        self.spread(values, &mut all);
        all.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    /// `e^x` to 2e-7 relative (Cephes' polynomial), for x up to 88.
    #[inline(always)]
    #[allow(clippy::excessive_precision)] // the constants as published
    fn exp(self, x: Self::F) -> Self::F {
        // 1.5 * 2^23 and the bias of an exponent: adding it rounds to an integer and leaves 2^n's exponent in the low bits.
        const MAGIC: f32 = 12_582_912.0 + 127.0;
        let x = self.min(self.max(x, self.splat(-87.0)), self.splat(88.0));
        let shifted = self.mul_add(x, self.splat(std::f32::consts::LOG2_E), self.splat(MAGIC));
        let n = self.sub(shifted, self.splat(MAGIC));
        let r = self.mul_add(n, self.splat(-0.693_359_375), x);
        let r = self.mul_add(n, self.splat(2.121_944_4e-4), r);
        let p = self.splat(1.987_569_15e-4);
        let p = self.mul_add(p, r, self.splat(1.398_199_95e-3));
        let p = self.mul_add(p, r, self.splat(8.333_451_9e-3));
        let p = self.mul_add(p, r, self.splat(4.166_579_6e-2));
        let p = self.mul_add(p, r, self.splat(1.666_666_54e-1));
        let p = self.mul_add(p, r, self.splat(0.5));
        let y = self.mul_add(self.mul(p, r), r, self.add(r, self.splat(1.0)));
        self.mul(y, self.exponent(shifted))
    }
}

/// Eight values in an array: for processors that have no type of their own here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

impl Portable {
    #[inline(always)]
    fn zip(a: [f32; 8], b: [f32; 8], f: impl Fn(f32, f32) -> f32) -> [f32; 8] {
        std::array::from_fn(|at| f(a[at], b[at]))
    }
}

impl Lanes for Portable {
    const COUNT: usize = 8;
    type F = [f32; 8];

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 8] {
        [value; 8]
    }
    #[inline(always)]
    fn load_or(self, from: &[f32], at: usize, fill: f32) -> [f32; 8] {
        match from[at..].first_chunk() {
            Some(whole) => *whole,
            None => std::array::from_fn(|lane| from.get(at + lane).copied().unwrap_or(fill)),
        }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], at: usize, values: [f32; 8]) {
        for (to, value) in to[at..].iter_mut().zip(values) {
            *to = value;
        }
    }
    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        Self::zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        Self::zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        Self::zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        Self::zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        // In two steps: where there is no such instruction, the exact one is a call.
        self.add(self.mul(a, b), c)
    }
    #[inline(always)]
    fn max(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        Self::zip(a, b, f32::max)
    }
    #[inline(always)]
    fn min(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        Self::zip(a, b, f32::min)
    }
    #[inline(always)]
    fn sqrt(self, a: [f32; 8]) -> [f32; 8] {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    fn by_sign(self, x: [f32; 8], below: [f32; 8], above: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|at| if x[at] < 0.0 { below[at] } else { above[at] })
    }
    #[inline(always)]
    fn exponent(self, bits: [f32; 8]) -> [f32; 8] {
        bits.map(|value| f32::from_bits(value.to_bits() << 23))
    }
    #[inline(always)]
    fn sift(self, sieve: Sieve, first: u64) -> [f32; 8] {
        std::array::from_fn(|at| sieve.factor(first + at as u64))
    }
    #[inline(always)]
    fn spread(self, values: [f32; 8], to: &mut [f32; 16]) {
        to[..8].copy_from_slice(&values);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

/// The registers that loops use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// Whatever the compiler makes of arrays.
    Portable,
    /// 256 bits.
    Avx2,
    /// 512 bits.
    Avx512,
}

impl Width {
    /// The widest that this processor has.
    #[inline]
    pub(crate) fn found() -> Self {
        #[cfg(test)]
        if let Some(forced) = tests::FORCED.get() {
            return forced;
        }
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }
}

/// Makes of a loop over [`Lanes`] a function that runs it in the widest registers of this processor.
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($l:ident: Lanes $(, $arg:ident: $ty:ty)* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code, clippy::too_many_arguments, clippy::inline_always)]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body<L: $crate::encoder::lanes::Lanes>($l: L, $($arg: $ty),*) $(-> $ret)? $body
            match $crate::encoder::lanes::Width::found() {
                #[cfg(target_arch = "x86_64")]
                $crate::encoder::lanes::Width::Avx512 => {
                    #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
                    fn wide($($arg: $ty),*) $(-> $ret)? {
                        // SAFETY: this function has the instructions, and is called only where the processor has.
                        body(unsafe { $crate::encoder::lanes::Avx512::new() }, $($arg),*)
                    }
                    // SAFETY: `Width::found` saw the features on this processor.
                    unsafe { wide($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                $crate::encoder::lanes::Width::Avx2 => {
                    #[target_feature(enable = "avx2,fma")]
                    fn half($($arg: $ty),*) $(-> $ret)? {
                        // SAFETY: this function has the instructions, and is called only where the processor has.
                        body(unsafe { $crate::encoder::lanes::Avx2::new() }, $($arg),*)
                    }
                    // SAFETY: `Width::found` saw the features on this processor.
                    unsafe { half($($arg),*) }
                }
                _ => body($crate::encoder::lanes::Portable, $($arg),*),
            }
        }
    };
}
pub(crate) use vectorized;

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// The width that this thread's loops take, to try those that this processor would not choose.
        pub(crate) static FORCED: Cell<Option<Width>> = const { Cell::new(None) };
    }

    /// Runs a check under each width that this processor has.
    pub(crate) fn under_each_width(check: impl Fn()) {
        let widest = Width::found();
        for width in [Width::Portable, Width::Avx2, Width::Avx512] {
            let there = width == Width::Portable || width == widest || widest == Width::Avx512;
            if there {
                FORCED.set(Some(width));
                check();
                FORCED.set(None);
            }
        }
    }

    vectorized! {
        fn exps(l: Lanes, values: &mut [f32]) {
            for at in (0..values.len()).step_by(L::COUNT) {
                l.store(values, at, l.exp(l.load(values, at)));
            }
        }
    }

    vectorized! {
        fn sifted(l: Lanes, sieve: Sieve, first: u64, out: &mut [f32]) {
            for at in (0..out.len()).step_by(L::COUNT) {
                l.store(out, at, l.sift(sieve, first + at as u64));
            }
        }
    }

    vectorized! {
        fn total(l: Lanes, values: &[f32]) -> (f32, f32) {
            let (mut sum, mut largest) = (l.splat(0.0), l.splat(f32::NEG_INFINITY));
            for at in (0..values.len()).step_by(L::COUNT) {
                sum = l.add(sum, l.load(values, at));
                largest = l.max(largest, l.load_or(values, at, f32::NEG_INFINITY));
            }
            (l.sum(sum), l.largest(largest))
        }
    }

    #[test]
    fn exp_is_accurate() {
        under_each_width(|| {
            let inputs: Vec<f32> = (-8000..8000).map(|step| step as f32 / 100.0).collect();
            let mut values = inputs.clone();
            exps(&mut values);
            for (x, found) in inputs.iter().zip(&values) {
                let exact = f64::from(*x).exp();
                assert!((f64::from(*found) - exact).abs() <= 3e-7 * exact, "exp({x})");
            }
        });
    }

    #[test]
    fn masks_are_the_same_in_every_width() {
        let sieve = Sieve { key: 0x1234_5678_9abc_def0, threshold: 1_677_722 << 40, factor: 1.25 };
        let expected: Vec<f32> = (0..1003).map(|at| sieve.factor((7 << 32) + at)).collect();
        under_each_width(|| {
            let mut found = vec![9.0; 1003];
            sifted(sieve, 7 << 32, &mut found);
            assert_eq!(found, expected);
        });
    }

    #[test]
    fn sums_take_all_values_and_no_more() {
        under_each_width(|| {
            for count in [1, 7, 16, 33] {
                let values: Vec<f32> = (0..count).map(|at| -1.0 - at as f32).collect();
                assert_eq!(total(&values), (values.iter().sum(), -1.0), "{count} values");
            }
        });
    }
}
