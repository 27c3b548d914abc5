//! Dropout (Srivastava et al. 2014) whose masks are a function of seed and place, so that they can be made twice.

use candle_core::{Result, Tensor};

use crate::encoder::lanes::Sieve;

/// The masks of one forward pass: the same seed gives the same masks, on any device and with any number of threads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::encoder) struct Masks {
    /// The share that is dropped.
    pub(in crate::encoder) rate: f32,
    /// What all masks of the pass grow from.
    pub(in crate::encoder) seed: u64,
    /// Where in the network: each operator has its own.
    pub(in crate::encoder) site: u64,
}

impl Masks {
    /// The masks of another place.
    pub(in crate::encoder) const fn at(self, site: u64) -> Self {
        Self { site, ..self }
    }

    /// A word of its own for this place, for who draws masks in another way.
    #[cfg(feature = "cuda")]
    pub(in crate::encoder) const fn word(self) -> u32 {
        let mut z = self.seed ^ self.site.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as u32
    }

    /// What stands in the mask for one value: 0, or the factor that keeps the mean.
    #[inline]
    pub(super) fn factor(self, index: u64) -> f32 {
        self.sieve().factor(index)
    }

    /// The masks of this place, for loops that make them as they go.
    pub(in crate::encoder) fn sieve(self) -> Sieve {
        // The upper 24 bits of the hash are the uniform number that must not be smaller than the rate.
        let threshold = (f64::from(self.rate) * f64::from(1 << 24)).ceil() as u64;
        Sieve {
            key: self.seed ^ self.site.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            threshold: threshold << 40,
            factor: 1.0 / (1.0 - self.rate),
        }
    }
}

/// Any shape; no masks, no dropout.
pub(in crate::encoder) fn dropout(x: &Tensor, masks: Option<Masks>) -> Result<Tensor> {
    let Some(masks) = masks.filter(|masks| masks.rate > 0.0) else { return Ok(x.clone()) };
    let mask: Vec<f32> = (0..x.elem_count() as u64).map(|index| masks.factor(index)).collect();
    x * Tensor::from_vec(mask, x.shape(), x.device())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_and_the_seed_decides() {
        let masks = Masks { rate: 0.1, seed: 7, site: 3 };
        let dropped = (0..100_000).filter(|index| masks.factor(*index) == 0.0).count();
        assert!((9_700..10_300).contains(&dropped), "{dropped} of 100,000");
        assert!((0..1000).all(|index| masks.factor(index) == masks.factor(index)));
        assert!((0..1000).any(|index| masks.factor(index) != masks.at(4).factor(index)));
    }
}
