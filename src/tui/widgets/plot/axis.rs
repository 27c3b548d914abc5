//! Where an axis begins and ends.
//!
//! A chart whose axis moves is written anew, every cell of it. So an axis keeps its bounds until the data leave them, or
//! use less than a third of them, and then takes round ones.

use crate::tui::series::Extent;

/// How y is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal steps.
    #[default]
    Linear,
    /// Equal factors; what is not above zero lies on the floor.
    Log,
}

/// The bounds of one axis, from one drawing to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Bounds {
    kept: Option<(f64, f64)>,
    scale: Scale,
}

/// No coordinate lies beyond: the width of any axis then is a finite number.
const FARTHEST: f64 = 1e300;

impl Bounds {
    /// Bounds for values that grow and fall: round ones around them.
    pub(super) fn around(&mut self, data: Extent, scale: Scale) -> (f64, f64) {
        if scale != self.scale {
            *self = Self { kept: None, scale };
        }
        let (low, high) = match scale {
            Scale::Linear => (as_written(data.min), as_written(data.max)),
            Scale::Log => (as_written(data.positive), as_written(data.max)),
        };
        if low > high {
            return self.kept.unwrap_or(match scale {
                Scale::Linear => (0.0, 1.0),
                Scale::Log => (0.1, 1.0),
            });
        }
        let round = |low, high| match scale {
            Scale::Linear => round_linear(low, high),
            Scale::Log => round_log(low, high),
        };
        let length = |(low, high): (f64, f64)| match scale {
            Scale::Linear => high - low,
            Scale::Log => (high / low).log10(),
        };
        self.hold((low, high), round, length)
    }

    /// Bounds for what only moves on, steps or time: from a round number to a round number ahead, with some room, so
    /// that the next points find their place.
    pub(super) fn ahead(&mut self, data: Option<(f64, f64)>) -> (f64, f64) {
        match data {
            Some((low, high)) => {
                let ends = (low.clamp(-FARTHEST, FARTHEST), high.clamp(-FARTHEST, FARTHEST));
                self.hold(ends, round_ahead, |(low, high)| high - low)
            }
            None => self.kept.unwrap_or((0.0, 1.0)),
        }
    }

    fn hold(
        &mut self,
        data: (f64, f64),
        round: impl Fn(f64, f64) -> (f64, f64),
        length: impl Fn((f64, f64)) -> f64,
    ) -> (f64, f64) {
        let mut bounds = match self.kept {
            Some((low, high)) if low <= data.0 && data.1 <= high => (low, high),
            Some((low, high)) => round(low.min(data.0), high.max(data.1)),
            None => round(data.0, data.1),
        };
        if length(data) < length(bounds) / 3.0 {
            bounds = round(data.0, data.1);
        }
        self.kept = Some(bounds);
        bounds
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `least`.
pub(super) fn nice(least: f64) -> f64 {
    rounded_up(least, &[1.0, 2.0, 5.0])
}

/// The smallest product of a power of ten and one of `multiples` (1 to under 10, rising) that is not below `least`.
fn rounded_up(least: f64, multiples: &[f64]) -> f64 {
    let exponent = least.clamp(f64::MIN_POSITIVE, FARTHEST).log10().floor() as i32;
    let mut candidates =
        (exponent - 1..=exponent + 1).flat_map(|power| multiples.iter().map(move |m| m * ten_to(power)));
    // Ten times the power above is always enough, unless it is beyond all numbers.
    candidates.find(|candidate| *candidate >= least * (1.0 - 1e-12)).unwrap_or(least)
}

/// 10^power; a negative power divides, so that 10^-1 is the nearest number to a tenth.
pub(super) fn ten_to(power: i32) -> f64 {
    if power < 0 { 1.0 / 10f64.powi(-power) } else { 10f64.powi(power) }
}

/// The number that its shortest decimals mean: 0.6, not 0.60000002, which would need the next round number above it.
fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn round_linear(low: f64, high: f64) -> (f64, f64) {
    let magnitude = low.abs().max(high.abs());
    // What is flat gets room around it; what is flat but for the last digits is not magnified without end.
    let (low, high) = if low == high {
        match magnitude {
            0.0 => (0.0, 1.0),
            _ => (low - magnitude / 2.0, high + magnitude / 2.0),
        }
    } else if high - low < magnitude * 1e-6 {
        (low - magnitude * 5e-7, high + magnitude * 5e-7)
    } else {
        (low, high)
    };
    let step = nice((high - low) / 4.0);
    (floor_to(low, step), ceil_to(high, step))
}

fn round_log(low: f64, high: f64) -> (f64, f64) {
    if low == high || high / low >= 2.0 {
        let above = nice(if low == high { high * 2.0 } else { high });
        (below(if low == high { low / 2.0 } else { low }), above)
    } else {
        // Within a factor of two the lower bound stays above zero: the step is at most 0.625 of the distance.
        round_linear(low, high)
    }
}

/// The largest of 1, 2 and 5 times a power of ten that is not above `most`.
fn below(most: f64) -> f64 {
    let exponent = most.max(f64::MIN_POSITIVE).log10().floor() as i32;
    let mut candidates = (exponent - 1..=exponent + 1).flat_map(|power| [1.0, 2.0, 5.0].map(|m| m * ten_to(power)));
    candidates.rfind(|candidate| *candidate <= most * (1.0 + 1e-12)).unwrap_or(most)
}

fn round_ahead(low: f64, high: f64) -> (f64, f64) {
    let magnitude = low.abs().max(high.abs());
    // Counting starts at nought, also where the first point came a while after.
    let from_nought = low >= 0.0 && (low <= high / 2.0 || (low == high && high < 1e6));
    let span = if high > low { high - low } else { 1.0 }.max(magnitude * 1e-9);
    let start = if from_nought { 0.0 } else { floor_to(low, nice(span / 10.0)) };
    let room = (high - start).max(span) * 1.05;
    (start, start + rounded_up(room, &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0]))
}

fn floor_to(value: f64, step: f64) -> f64 {
    let steps = (value / step).floor();
    // A value that is a multiple of the step but for rounding is its own floor.
    let steps = if ((value / step).round() - value / step).abs() < 1e-9 { (value / step).round() } else { steps };
    multiple(steps, step).min(value)
}

fn ceil_to(value: f64, step: f64) -> f64 {
    -floor_to(-value, step)
}

/// `count * step`, dividing where the step is a fraction: 3 * 0.1 is 0.30000000000000004, 3 / 10 is 0.3.
pub(super) fn multiple(count: f64, step: f64) -> f64 {
    if step < 1.0 && step > 1e-300 { count / (1.0 / step).round().max(1.0) } else { count * step }
}

/// Where points lie between the bounds, as shares of the width and of the height.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mapping {
    /// Left and right.
    pub(super) x: (f64, f64),
    /// Bottom and top.
    pub(super) y: (f64, f64),
    pub(super) scale: Scale,
    /// Dots in a cell, one above the other.
    pub(super) tall: usize,
}

impl Mapping {
    /// 0 at the left, 1 at the right; beyond them outside the window.
    pub(super) fn across(&self, x: f64) -> f64 {
        (x - self.x.0) / (self.x.1 - self.x.0)
    }

    /// 0 at the bottom, 1 at the top; beyond them outside the bounds.
    pub(super) fn up(&self, y: f64) -> f64 {
        match self.scale {
            Scale::Linear => (y - self.y.0) / (self.y.1 - self.y.0),
            Scale::Log if y <= 0.0 => 0.0,
            Scale::Log => (y / self.y.0).ln() / (self.y.1 / self.y.0).ln(),
        }
    }

    /// The column of `width` that an x of the window falls into.
    pub(super) fn column(&self, x: f64, width: usize) -> usize {
        ((self.across(x) * width as f64) as usize).min(width.saturating_sub(1))
    }

    /// The row of cells that holds the dot of a share of the height.
    pub(super) fn cell_row(&self, up: f64, height: u16) -> u16 {
        (Self::row(up, usize::from(height) * self.tall) / self.tall.max(1)) as u16
    }

    /// The row of `height`, from the top, that a share of the height falls into.
    pub(super) fn row(up: f64, height: usize) -> usize {
        ((1.0 - up.clamp(0.0, 1.0)) * height.saturating_sub(1) as f64).round() as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn extent(low: f32, high: f32) -> Extent {
        Extent::of(low).join(Extent::of(high))
    }

    #[test]
    fn bounds_are_round_and_stay() {
        let mut y = Bounds::default();
        assert_eq!(y.around(extent(0.28, 2.1), Scale::Linear), (0.0, 2.5));
        assert_eq!(y.around(extent(0.28, 1.2), Scale::Linear), (0.0, 2.5), "within: stays, although less would do");
        assert_eq!(y.around(extent(0.28, 2.6), Scale::Linear), (0.0, 3.0), "over: grows");
        assert_eq!(y.around(extent(0.28, 0.9), Scale::Linear), (0.2, 1.0), "under a third: shrinks");
        assert_eq!(y.around(Extent::EMPTY, Scale::Linear), (0.2, 1.0));
        assert_eq!(y.around(extent(0.3, 40.0), Scale::Log), (0.2, 50.0));
        assert_eq!(y.around(extent(-1.0, 0.0), Scale::Log), (0.2, 50.0), "nothing above zero");
        assert_eq!(Bounds::default().around(extent(0.2, 0.6), Scale::Linear), (0.2, 0.6), "0.6 is more in f32");
        assert_eq!(Bounds::default().around(extent(0.7, 0.7), Scale::Linear), (0.2, 1.2));
        assert_eq!(Bounds::default().around(extent(0.0, 0.0), Scale::Linear), (0.0, 1.0));
    }

    #[test]
    fn the_axis_ahead_leaves_room() {
        let mut x = Bounds::default();
        assert_eq!(x.ahead(Some((1.0, 1000.0))), (0.0, 1200.0));
        assert_eq!(x.ahead(Some((1.0, 1200.0))), (0.0, 1200.0));
        assert_eq!(x.ahead(Some((1.0, 1201.0))), (0.0, 1500.0));
        assert_eq!(Bounds::default().ahead(Some((10.0, 10.0))), (0.0, 12.0));
        let (from, to) = Bounds::default().ahead(Some((1_790_000_123.0, 1_790_000_723.0)));
        assert!(from > 1_790_000_000.0 && to < 1_790_001_000.0, "{from} {to}");
    }

    proptest! {
        #[test]
        fn bounds_hold_whatever_comes(
            values in prop::collection::vec((any::<f32>(), any::<f32>()), 1..20),
            log in any::<bool>(),
        ) {
            let scale = if log { Scale::Log } else { Scale::Linear };
            let (mut y, mut x) = (Bounds::default(), Bounds::default());
            for (a, b) in values {
                let data = extent(a, b);
                let (low, high) = y.around(data, scale);
                prop_assert!(low.is_finite() && high.is_finite() && low < high, "{low} {high}");
                if !data.is_empty() && scale == Scale::Linear {
                    prop_assert!(low <= as_written(data.min) && as_written(data.max) <= high);
                }
                if data.positive.is_finite() && scale == Scale::Log {
                    prop_assert!(0.0 < low && low <= f64::from(data.positive) * 1.000_001);
                    prop_assert!(f64::from(data.max) <= high * 1.000_001);
                }
                // The same again changes nothing.
                prop_assert_eq!(y.around(data, scale), (low, high));
                if !data.is_empty() {
                    let ends = Some((f64::from(data.min) * 1e250, f64::from(data.max) * 1e250));
                    let (left, right) = x.ahead(ends);
                    prop_assert!(left.is_finite() && right.is_finite() && left < right);
                    prop_assert_eq!(x.ahead(ends), (left, right));
                }
            }
        }
    }
}
