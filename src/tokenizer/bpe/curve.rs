//! Tokens per word as a vocabulary grows, and where growing it stops paying.

use crate::progress::{Event, Scalars};
use crate::tokenizer::{Fragmentation, THRESHOLD};

/// Steps in which the vocabulary is followed, beside the start.
const STEPS: usize = 40;

/// What texts become with the merges up to a vocabulary size: what the finished tokenizer would count if its later merges
/// were struck out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurvePoint {
    /// Tokens in the vocabulary, special tokens included.
    pub vocab_size: usize,
    /// The texts that it was learned from.
    pub train: Fragmentation,
    /// The held-out texts; none where there are none.
    pub heldout: Option<Fragmentation>,
}

impl CurvePoint {
    /// The point as it is told while training, with the knee of the curve so far.
    pub(super) fn event(&self, knee: Option<usize>) -> Event {
        let mut values = Scalars::from([("ratio_train", self.train.ratio())]);
        if let Some(heldout) = self.heldout {
            values.0.insert("ratio_heldout".to_owned(), heldout.ratio());
        }
        if let Some(knee) = knee {
            values.0.insert("knee".to_owned(), knee as f64);
        }
        Event::Scalar { step: self.vocab_size as u64, values }
    }

    /// The ratio that says more: on the held-out texts where there are any.
    fn ratio(&self) -> f64 {
        self.heldout.unwrap_or(self.train).ratio()
    }
}

/// Takes its points at sizes that lie evenly between the first and the last.
pub(super) struct Curve {
    first: usize,
    /// Tokens to be added in all.
    growth: usize,
    /// The step that comes next.
    step: usize,
    points: Vec<CurvePoint>,
}

impl Curve {
    pub(super) fn between(first: usize, last: usize) -> Self {
        Self { first, growth: last.saturating_sub(first), step: 0, points: Vec::with_capacity(STEPS + 1) }
    }

    /// Takes a point if its size is due, or if it is the last and not taken yet; returns how it is told.
    pub(super) fn point(
        &mut self,
        vocab_size: usize,
        train: Fragmentation,
        heldout: Fragmentation,
        last: bool,
    ) -> Option<Event> {
        let taken = self.points.last().is_some_and(|point| point.vocab_size == vocab_size);
        let due = vocab_size >= self.first + self.growth * self.step / STEPS;
        if taken || !(due || last) {
            return None;
        }
        while self.step <= STEPS && self.first + self.growth * self.step / STEPS <= vocab_size {
            self.step += 1;
        }
        let point = CurvePoint { vocab_size, train, heldout: (heldout.words > 0).then_some(heldout) };
        self.points.push(point);
        Some(point.event(knee(&self.points)))
    }

    pub(super) fn into_points(self) -> Vec<CurvePoint> {
        self.points
    }
}

/// The vocabulary size from which growing pays less than it did on average: the point farthest under the line between the
/// curve's ends, as Kneedle finds it (Satopaa et al. 2011, "Finding a 'Kneedle' in a Haystack"), without its smoothing,
/// for the curve has no noise. None: no point is under the line.
pub fn knee(curve: &[CurvePoint]) -> Option<usize> {
    let (first, last) = (curve.first()?, curve.last()?);
    let slope = (last.ratio() - first.ratio()) / (last.vocab_size - first.vocab_size).max(1) as f64;
    let line = |point: &CurvePoint| first.ratio() + slope * (point.vocab_size - first.vocab_size) as f64;
    // Measured straight down: the distance at a right angle to the line is that times a constant.
    let under = curve.iter().map(|point| (line(point) - point.ratio(), point.vocab_size));
    // The ends are on the line, but for the rounding.
    under
        .filter(|(under, _)| *under > 1e-9)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
        .map(|(_, size)| size)
}

/// The first vocabulary size of the curve that leaves the held-out texts whole enough, by [`THRESHOLD`]; none: none does, or
/// there are no held-out texts.
pub fn meets(curve: &[CurvePoint]) -> Option<usize> {
    let meets = |point: &&CurvePoint| point.heldout.is_some_and(|heldout| heldout.ratio() <= THRESHOLD);
    curve.iter().find(meets).map(|point| point.vocab_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(vocab_size: usize, tokens: u64) -> CurvePoint {
        let counted = Fragmentation { words: 100, tokens };
        CurvePoint { vocab_size, train: counted, heldout: Some(counted) }
    }

    #[test]
    fn the_knee_is_where_the_curve_bends_most() {
        let bent = [(261, 600), (1000, 250), (2000, 150), (3000, 140), (4000, 135)].map(|(size, n)| point(size, n));
        // Under the line from 600 to 135: 258 at 1,000, 234 at 2,000, 120 at 3,000.
        assert_eq!(knee(&bent), Some(1000));
        assert_eq!(meets(&bent), None);
        let later = [(261, 600), (1000, 450), (2000, 120), (3000, 110), (4000, 105)].map(|(size, n)| point(size, n));
        assert_eq!((knee(&later), meets(&later)), (Some(2000), Some(2000)));
        let straight = [(100, 300), (200, 200), (300, 100)].map(|(size, n)| point(size, n));
        assert_eq!(knee(&straight), None);
        assert_eq!((knee(&bent[..1]), knee(&[])), (None, None));
    }

    #[test]
    fn a_threshold_is_met_by_held_out_texts_alone() {
        let mut points = [(261, 600), (1000, 125)].map(|(size, n)| point(size, n));
        assert_eq!(meets(&points), Some(1000), "125 in 100 just meets it");
        points[1].heldout = None;
        assert_eq!(meets(&points), None);
    }

    #[test]
    fn points_are_evenly_spaced_and_the_last_is_the_end() {
        let sizes = |first: usize, last: usize, end: usize| {
            let mut curve = Curve::between(first, last);
            for size in first..=end {
                curve.point(size, Fragmentation::default(), Fragmentation::default(), false);
            }
            curve.point(end, Fragmentation::default(), Fragmentation::default(), true);
            curve.into_points().iter().map(|point| point.vocab_size).collect::<Vec<_>>()
        };
        assert_eq!(sizes(200, 4200, 4200), (0..=40).map(|step| 200 + 100 * step).collect::<Vec<_>>());
        assert_eq!(sizes(200, 4200, 333), [200, 300, 333], "where pairs ran out");
        assert_eq!(sizes(261, 270, 270), (261..=270).collect::<Vec<_>>());
        assert_eq!(sizes(261, 261, 261), [261]);
        assert_eq!(sizes(261, 100, 261), [261], "no room for merges");
    }
}
