//! Values with a pyramid of their extremes.
//!
//! Level k holds one [`Extent`] for every 4^(k+1) values, complete groups only: appending then touches a level once in four
//! of the level below, cutting the tail is a truncation, and a query takes at most six entries of each level.

use std::ops::Range;

/// Children of one entry.
const FACTOR: usize = 4;

/// The lowest and highest of some values, those that are not finite left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// The lowest; above `max` where there is no finite value.
    pub min: f32,
    /// The highest.
    pub max: f32,
    /// The lowest above zero, for logarithmic axes; infinite where there is none.
    pub positive: f32,
}

impl Extent {
    /// Of no values.
    pub const EMPTY: Self = Self { min: f32::INFINITY, max: f32::NEG_INFINITY, positive: f32::INFINITY };

    /// Of one value.
    pub fn of(value: f32) -> Self {
        if value.is_finite() {
            Self { min: value, max: value, positive: if value > 0.0 { value } else { f32::INFINITY } }
        } else {
            Self::EMPTY
        }
    }

    /// Of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max), positive: self.positive.min(other.positive) }
    }

    /// Whether no value was finite.
    pub fn is_empty(&self) -> bool {
        self.min > self.max
    }
}

/// Values and the levels above them.
#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    values: Vec<f32>,
    levels: Vec<Vec<Extent>>,
}

impl Column {
    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn push(&mut self, value: f32) {
        self.values.push(value);
        let mut complete = self.values.len();
        let mut level = 0;
        while complete.is_multiple_of(FACTOR) {
            let parent = (complete - FACTOR..complete)
                .fold(Extent::EMPTY, |extent, child| extent.join(self.entry(level, child)));
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(parent);
            complete /= FACTOR;
            level += 1;
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        let mut complete = len;
        for level in &mut self.levels {
            complete /= FACTOR;
            level.truncate(complete);
        }
    }

    /// The extent of a stretch. Climbs while it lasts: what does not fill a group is taken at its own level.
    pub(super) fn extent(&self, range: Range<usize>) -> Extent {
        let (mut start, mut end) = (range.start, range.end.min(self.values.len()));
        let mut extent = Extent::EMPTY;
        let mut level = 0;
        while start < end {
            while start < end && !start.is_multiple_of(FACTOR) {
                extent = extent.join(self.entry(level, start));
                start += 1;
            }
            while start < end && !end.is_multiple_of(FACTOR) {
                end -= 1;
                extent = extent.join(self.entry(level, end));
            }
            start /= FACTOR;
            end /= FACTOR;
            level += 1;
        }
        extent
    }

    /// The first value whose extent fits `wanted`, which must hold for a group where it holds for one of its values.
    pub(super) fn first_where(&self, wanted: impl Fn(Extent) -> bool) -> Option<usize> {
        let mut ceiling = self.levels.len();
        let mut at = 0;
        while at < self.values.len() {
            let fits = |level: usize| {
                let size = FACTOR.pow(level as u32);
                at.is_multiple_of(size) && at + size <= self.values.len()
            };
            let level = (0..=ceiling).rev().find(|level| fits(*level)).unwrap_or(0);
            let size = FACTOR.pow(level as u32);
            if !wanted(self.entry(level, at / size)) {
                at += size;
            } else if level == 0 {
                return Some(at);
            } else {
                ceiling = level - 1;
            }
        }
        None
    }

    pub(super) fn memory(&self) -> usize {
        let levels: usize = self.levels.iter().map(Vec::capacity).sum();
        self.values.capacity() * size_of::<f32>() + levels * size_of::<Extent>()
    }

    /// An entry of a level; level 0 is the values.
    fn entry(&self, level: usize, index: usize) -> Extent {
        match level {
            0 => Extent::of(self.values[index]),
            _ => self.levels[level - 1][index],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_pyramid_agrees_with_a_scan(
            values in prop::collection::vec(prop_oneof![4 => -9f32..9.0, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)], 0..400),
            keep in 0usize..400,
            more in prop::collection::vec(-20f32..20.0, 0..100),
            start in 0usize..500,
            length in 0usize..500,
        ) {
            let mut column = Column::default();
            for value in &values {
                column.push(*value);
            }
            column.truncate(keep);
            for value in &more {
                column.push(*value);
            }
            let plain: Vec<f32> = values.iter().take(keep).chain(&more).copied().collect();
            prop_assert_eq!(column.values().len(), plain.len());
            let range = start.min(plain.len())..(start + length).min(plain.len());
            let scan = |values: &[f32]| values.iter().fold(Extent::EMPTY, |extent, value| extent.join(Extent::of(*value)));
            prop_assert_eq!(column.extent(range.clone()), scan(&plain[range]));
            let all = scan(&plain);
            let first = column.first_where(|extent| !extent.is_empty() && extent.max >= all.max);
            prop_assert_eq!(first, plain.iter().position(|value| value.is_finite() && *value >= all.max));
        }
    }
}
