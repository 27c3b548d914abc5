//! The bias-corrected exponential moving average: what `TensorBoard` draws.

/// `m = f m + (1 - f) y`, divided by `1 - f^n` so that the first values do not lean to zero (Kingma and Ba 2015).
#[derive(Debug, Clone, Copy)]
pub(super) struct Ema {
    factor: f64,
    mean: f64,
    /// `f^n` after n values.
    power: f64,
}

impl Ema {
    /// The most that may be asked for: at 1 nothing would ever move.
    const MOST: f64 = 0.9999;

    pub(super) fn new(factor: f64) -> Self {
        let factor = if factor.is_finite() { factor.clamp(0.0, Self::MOST) } else { 0.0 };
        Self { factor, mean: 0.0, power: 1.0 }
    }

    pub(super) fn factor(&self) -> f64 {
        self.factor
    }

    /// Takes a finite value and gives the average with it.
    pub(super) fn next(&mut self, value: f32) -> f32 {
        self.mean = self.factor * self.mean + (1.0 - self.factor) * f64::from(value);
        self.power *= self.factor;
        (self.mean / (1.0 - self.power)) as f32
    }

    /// Goes back to where the average stood at `average` after `count` values.
    pub(super) fn resume(&mut self, average: f32, count: usize) {
        self.power = self.factor.powf(count as f64);
        self.mean = f64::from(average) * (1.0 - self.power);
    }
}
