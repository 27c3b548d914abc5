//! How fast something counts up, over the last seconds.

use std::collections::VecDeque;

/// Milliseconds over which a pace is measured.
const WINDOW_MS: u64 = 15_000;
/// Milliseconds that are looked back over at most, where little happens.
const LONGEST_MS: u64 = 180_000;
/// What should have been counted within the window: a pace of fewer jumps with each one that comes.
const ENOUGH: u64 = 20;

/// When a count stood where: the last seconds of it, or the last minutes where it is slow.
#[derive(Debug, Default)]
pub(super) struct Pace {
    seen: VecDeque<(u64, u64)>,
}

impl Pace {
    /// The count at a moment, in milliseconds.
    pub(super) fn push(&mut self, t: u64, count: u64) {
        if self.seen.back().is_some_and(|last| last.1 > count) {
            self.seen.clear();
        }
        // While it stands still, its beginning and its end tell all.
        let still = |at: usize| self.seen.len().checked_sub(at).is_some_and(|at| self.seen[at].1 == count);
        if still(1) && still(2) {
            self.seen.pop_back();
        }
        self.seen.push_back((t, count));
        while let Some((then, of)) = self.seen.get(1).copied() {
            let old = then + WINDOW_MS < t && count - of >= ENOUGH;
            if !old && then + LONGEST_MS >= t {
                break;
            }
            self.seen.pop_front();
        }
    }

    /// Forgets what was: what comes next has another pace.
    pub(super) fn clear(&mut self) {
        self.seen.clear();
    }

    /// Counted a second.
    pub(super) fn per_second(&self) -> Option<f64> {
        let (first, last) = (self.seen.front()?, self.seen.back()?);
        let seconds = last.0.saturating_sub(first.0) as f64 / 1000.0;
        (seconds > 0.0).then(|| last.1.saturating_sub(first.1) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_that_of_the_last_seconds() {
        let mut pace = Pace::default();
        assert_eq!(pace.per_second(), None);
        for second in 0..60 {
            pace.push(second * 1000, second * 10);
        }
        assert_eq!(pace.per_second(), Some(10.0));
        // It slows down to a tenth: after a while nothing of what was before counts.
        for second in 60..120 {
            pace.push(second * 1000, 590 + (second - 59));
        }
        assert_eq!(pace.per_second(), Some(1.0));
        pace.push(121_000, 3);
        assert_eq!(pace.per_second(), None, "it begins anew");
    }

    #[test]
    fn slow_work_is_looked_at_for_longer() {
        let mut pace = Pace::default();
        // One every ten seconds, asked four times a second.
        for quarter in 0..400 {
            pace.push(quarter * 250, quarter / 40);
        }
        let rate = pace.per_second().unwrap();
        assert!((rate - 0.09).abs() < 0.01, "{rate}");
        assert!(pace.seen.len() < 30, "what stands still is not kept: {}", pace.seen.len());
        for quarter in 400..4000 {
            pace.push(quarter * 250, 9);
        }
        assert_eq!(pace.per_second(), Some(0.0));
    }
}
