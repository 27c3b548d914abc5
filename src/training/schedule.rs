//! How the learning rate goes over a run.

use serde::Serialize;

/// The course of the learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Schedule {
    /// Always the highest.
    Constant,
    /// Up in a line over a share of the steps, then down in a line to zero.
    LinearWarmup {
        /// The share.
        warmup: f64,
    },
}

impl Schedule {
    /// The factor on the highest rate at a step (from 1) of a run of `steps`. No step has rate zero.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::LinearWarmup { warmup } => {
                let rising = (steps as f64 * warmup).round();
                let (at, last) = (step as f64, steps as f64);
                if at <= rising { at / rising } else { (last - at + 1.0) / (last - rising + 1.0) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls() {
        let schedule = Schedule::LinearWarmup { warmup: 0.1 };
        let rates: Vec<f64> = (1..=100).map(|step| schedule.factor(step, 100)).collect();
        assert!((rates[0] - 0.1).abs() < 1e-12 && (rates[9] - 1.0).abs() < 1e-12);
        assert!(rates[9..].windows(2).all(|pair| pair[1] < pair[0]) && rates[99] > 0.0);
        assert!((Schedule::LinearWarmup { warmup: 0.0 }.factor(1, 5) - 1.0).abs() < 0.2);
    }
}
