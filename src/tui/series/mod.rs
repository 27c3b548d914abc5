//! The points of one curve, kept so that any stretch of them is drawn in the time that the screen is wide.
//!
//! Knows no terminal. No point is ever thinned out: what a column of the screen stands for is looked up in a pyramid of
//! lowest and highest values, so the one loss that jumped is still there among a million that did not. About 25 bytes a
//! point.

mod column;
mod ema;

use std::ops::Range;

use column::Column;
pub use column::Extent;
use ema::Ema;

/// One point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Where: a step, an epoch, seconds.
    pub x: f64,
    /// The value; not finite where it is a gap.
    pub y: f32,
}

/// Which of the two curves that a series holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// As they came.
    Raw,
    /// The bias-corrected exponential moving average over them.
    Smoothed,
}

/// Which end of a metric is the good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// A loss.
    Lower,
    /// A reciprocal rank.
    Higher,
}

/// A curve: x never falls, y may be missing.
#[derive(Debug, Clone)]
pub struct Series {
    x: Vec<f64>,
    raw: Column,
    smoothed: Column,
    ema: Ema,
    /// Indices of the points whose y is not finite, rising.
    gaps: Vec<u32>,
}

impl Default for Series {
    fn default() -> Self {
        Self::new(Self::SMOOTHING)
    }
}

impl Series {
    /// The smoothing where nobody asked for another.
    pub const SMOOTHING: f64 = 0.9;

    /// How many values stand for a longer stretch in [`Series::usual`].
    const SAMPLE: usize = 4096;

    /// No points yet; `smoothing` from 0 (none) to just under 1, as `TensorBoard`'s slider.
    pub fn new(smoothing: f64) -> Self {
        Self {
            x: Vec::new(),
            raw: Column::default(),
            smoothed: Column::default(),
            ema: Ema::new(smoothing),
            gaps: Vec::new(),
        }
    }

    /// Adds a point at the end and says how many it displaced. An `x` below the last one means that the run went back to
    /// an earlier checkpoint: the points from that x on never happened and are dropped. A y that is not finite is kept
    /// as a gap; an x that is not finite has no place, and the point is left out.
    pub fn append(&mut self, x: f64, y: f32) -> usize {
        if !x.is_finite() {
            return 0;
        }
        let before = self.len();
        if self.x.last().is_some_and(|last| x < *last) {
            self.truncate(self.x.partition_point(|kept| *kept < x));
        }
        let displaced = before - self.len();
        let smoothed = if y.is_finite() {
            self.ema.next(y)
        } else {
            self.gaps.push(self.x.len() as u32);
            f32::NAN
        };
        self.x.push(x);
        self.raw.push(y);
        self.smoothed.push(smoothed);
        displaced
    }

    /// Drops the points from an x on: a run went back to before them.
    pub fn forget_from(&mut self, x: f64) {
        self.truncate(self.x.partition_point(|kept| *kept < x));
    }

    fn truncate(&mut self, len: usize) {
        self.x.truncate(len);
        self.raw.truncate(len);
        self.smoothed.truncate(len);
        self.gaps.truncate(self.gaps.partition_point(|gap| (*gap as usize) < len));
        let last = self.smoothed.values().iter().rev().find(|value| value.is_finite());
        self.ema.resume(last.copied().unwrap_or(0.0), len - self.gaps.len());
    }

    /// The smoothing in use.
    pub fn smoothing(&self) -> f64 {
        self.ema.factor()
    }

    /// Smooths anew, all points.
    pub fn set_smoothing(&mut self, smoothing: f64) {
        self.ema = Ema::new(smoothing);
        self.smoothed.truncate(0);
        for y in self.raw.values() {
            self.smoothed.push(if y.is_finite() { self.ema.next(*y) } else { f32::NAN });
        }
    }

    /// How many points, gaps among them.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// How many of the points are gaps.
    pub fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// Every x, in order.
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// Every y, in order; not finite at a gap, smoothed or not.
    pub fn values(&self, values: Values) -> &[f32] {
        self.column(values).values()
    }

    /// The newest point, be it a gap.
    pub fn last(&self) -> Option<Point> {
        self.len().checked_sub(1).map(|last| self.point(Values::Raw, last))
    }

    /// The best raw value and the first x that had it.
    pub fn best(&self, better: Better) -> Option<Point> {
        let all = self.raw.extent(0..self.len());
        let index = match better {
            Better::Lower => self.raw.first_where(|extent| extent.min <= all.min),
            Better::Higher => self.raw.first_where(|extent| extent.max >= all.max),
        };
        // Without a finite value nothing is found, or only a gap.
        index.filter(|_| !all.is_empty()).map(|index| self.point(Values::Raw, index))
    }

    /// The point whose x is nearest to `x`; of equals the newest. It may be a gap, which is worth telling.
    pub fn nearest(&self, values: Values, x: f64) -> Option<Point> {
        let after = self.x.partition_point(|kept| *kept <= x);
        let index = match (after.checked_sub(1), self.x.get(after)) {
            (Some(before), Some(next)) if next - x < x - self.x[before] => after,
            (Some(before), _) => before,
            (None, Some(_)) => after,
            (None, None) => return None,
        };
        Some(self.point(values, index))
    }

    /// The points with `from <= x <= to`.
    pub fn within(&self, from: f64, to: f64) -> Range<usize> {
        let start = self.x.partition_point(|x| *x < from);
        let end = self.x.partition_point(|x| *x <= to);
        start..end.max(start)
    }

    /// The lowest and highest value of a stretch of points, gaps left out.
    pub fn extent(&self, values: Values, range: Range<usize>) -> Extent {
        self.column(values).extent(range)
    }

    /// As [`Series::extent`], without the lowest and the highest hundredth. Of more than 4096 points one is taken from
    /// each of 4096 equal parts, at a place that differs from part to part so that nothing periodic is missed.
    pub fn usual(&self, values: Values, range: Range<usize>) -> Extent {
        let stretch = &self.values(values)[range];
        let sample = |part: usize| {
            let (start, end) = (part * stretch.len() / Self::SAMPLE, (part + 1) * stretch.len() / Self::SAMPLE);
            // Knuth's multiplicative hash: the same place each time, so that an axis stays where it is.
            start + (part.wrapping_mul(2_654_435_761) >> 7) % (end - start)
        };
        let mut kept: Vec<f32> = if stretch.len() <= Self::SAMPLE {
            stretch.to_vec()
        } else {
            (0..Self::SAMPLE).map(|part| stretch[sample(part)]).collect()
        };
        kept.retain(|value| value.is_finite());
        kept.sort_unstable_by(f32::total_cmp);
        let cut = kept.len() / 100;
        kept[cut..kept.len() - cut].iter().fold(Extent::EMPTY, |extent, value| extent.join(Extent::of(*value)))
    }

    /// The indices of the gaps in a stretch of points.
    pub fn gaps_within(&self, range: Range<usize>) -> &[u32] {
        let start = self.gaps.partition_point(|gap| (*gap as usize) < range.start);
        let end = self.gaps.partition_point(|gap| (*gap as usize) < range.end);
        &self.gaps[start..end.max(start)]
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        let own = self.x.capacity() * size_of::<f64>() + self.gaps.capacity() * size_of::<u32>();
        own + self.raw.memory() + self.smoothed.memory()
    }

    fn point(&self, values: Values, index: usize) -> Point {
        Point { x: self.x[index], y: self.values(values)[index] }
    }

    fn column(&self, values: Values) -> &Column {
        match values {
            Values::Raw => &self.raw,
            Values::Smoothed => &self.smoothed,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(points: &[(f64, f32)]) -> Series {
        let mut series = Series::new(0.5);
        for (x, y) in points {
            series.append(*x, *y);
        }
        series
    }

    #[test]
    fn a_step_back_displaces_the_tail() {
        let mut stepped = series(&[(1.0, 1.0), (2.0, 2.0), (3.0, f32::NAN), (4.0, 4.0)]);
        assert_eq!(stepped.append(4.0, 5.0), 0, "the same x again is not a step back");
        assert_eq!(stepped.append(3.0, 9.0), 3);
        let straight = series(&[(1.0, 1.0), (2.0, 2.0), (3.0, 9.0)]);
        assert_eq!(stepped.x(), straight.x());
        assert_eq!(stepped.values(Values::Raw), straight.values(Values::Raw));
        for (stepped, straight) in stepped.values(Values::Smoothed).iter().zip(straight.values(Values::Smoothed)) {
            assert!((stepped - straight).abs() < 1e-6);
        }
        assert_eq!(stepped.gaps(), 0);
        assert_eq!(stepped.append(f64::NAN, 1.0), 0);
        assert_eq!(stepped.len(), 3);
        assert_eq!(stepped.append(-1.0, 1.0), 3);
        assert_eq!(stepped.last(), Some(Point { x: -1.0, y: 1.0 }));
    }

    #[test]
    fn best_and_nearest() {
        let kept =
            series(&[(0.0, 3.0), (10.0, 1.0), (20.0, f32::NAN), (30.0, 1.0), (40.0, 7.0), (50.0, f32::INFINITY)]);
        assert_eq!(kept.best(Better::Lower), Some(Point { x: 10.0, y: 1.0 }));
        assert_eq!(kept.best(Better::Higher), Some(Point { x: 40.0, y: 7.0 }));
        assert_eq!(kept.gaps(), 2);
        assert_eq!(kept.nearest(Values::Raw, -5.0), Some(Point { x: 0.0, y: 3.0 }));
        assert_eq!(kept.nearest(Values::Raw, 36.0), Some(Point { x: 40.0, y: 7.0 }));
        assert_eq!(kept.nearest(Values::Raw, 34.0), Some(Point { x: 30.0, y: 1.0 }));
        assert!(kept.nearest(Values::Smoothed, 21.0).is_some_and(|point| point.x == 20.0 && point.y.is_nan()));
        assert_eq!(series(&[]).nearest(Values::Raw, 1.0), None);
        assert_eq!(series(&[]).best(Better::Lower), None);
        assert_eq!(series(&[(1.0, f32::NAN)]).best(Better::Lower), None);
        assert_eq!(series(&[(1.0, f32::INFINITY)]).best(Better::Higher), None);
    }

    #[test]
    fn an_outlier_is_left_out_of_the_usual_only() {
        let mut kept = Series::default();
        for step in 0..100_000 {
            kept.append(f64::from(step), if step == 777 { 1e9 } else { 1.0 + (step % 7) as f32 });
        }
        let all = 0..kept.len();
        assert_eq!(kept.extent(Values::Raw, all.clone()).max, 1e9);
        let usual = kept.usual(Values::Raw, all);
        assert_eq!((usual.min, usual.max), (1.0, 7.0));
        assert!(series(&[(0.0, f32::NAN)]).usual(Values::Raw, 0..1).is_empty());
    }

    #[test]
    fn a_million_points_fit() {
        let mut kept = Series::default();
        for step in 0..1_000_000 {
            kept.append(f64::from(step), f32::NAN);
        }
        assert!(kept.memory() < 40_000_000, "{} bytes", kept.memory());
    }

    proptest! {
        #[test]
        fn the_average_is_the_textbooks(
            ys in prop::collection::vec(prop_oneof![9 => -1e3f32..1e3, 1 => Just(f32::NAN)], 1..200),
            factor in 0.0f64..0.99,
            cut in 0usize..200,
        ) {
            let mut kept = Series::new(0.3);
            for (step, y) in ys.iter().enumerate() {
                kept.append(step as f64, *y);
            }
            kept.set_smoothing(factor);
            // A step back and the same points again change nothing.
            for (step, y) in ys.iter().enumerate().skip(cut) {
                kept.append(step as f64, *y);
            }
            // Kingma and Ba 2015, section 3: m_t = b m_(t-1) + (1 - b) y_t, over 1 - b^t.
            let (mut mean, mut power) = (0.0f64, 1.0f64);
            for (y, smoothed) in ys.iter().zip(kept.values(Values::Smoothed)) {
                if y.is_finite() {
                    mean = factor * mean + (1.0 - factor) * f64::from(*y);
                    power *= factor;
                    prop_assert!((f64::from(*smoothed) - mean / (1.0 - power)).abs() < 1e-3);
                } else {
                    prop_assert!(smoothed.is_nan());
                }
            }
        }

        #[test]
        fn windows_and_gaps_are_what_a_scan_finds(
            points in prop::collection::vec((-20f64..20.0, prop_oneof![3 => -5f32..5.0, 1 => Just(f32::NAN)]), 0..120),
            from in -25f64..25.0,
            to in -25f64..25.0,
        ) {
            let mut kept = Series::default();
            let mut model: Vec<(f64, f32)> = Vec::new();
            for (x, y) in points {
                let len = model.len();
                if model.last().is_some_and(|last| x < last.0) {
                    model.retain(|point| point.0 < x);
                }
                prop_assert_eq!(kept.append(x, y), len - model.len());
                model.push((x, y));
            }
            let range = kept.within(from, to);
            let inside: Vec<_> = model.iter().filter(|point| (from..=to).contains(&point.0)).collect();
            prop_assert_eq!(range.len(), inside.len());
            let gaps = inside.iter().filter(|point| !point.1.is_finite()).count();
            prop_assert_eq!(kept.gaps_within(range.clone()).len(), gaps);
            let scanned = inside.iter().fold(Extent::EMPTY, |extent, point| extent.join(Extent::of(point.1)));
            prop_assert_eq!(kept.extent(Values::Raw, range), scanned);
        }
    }
}
