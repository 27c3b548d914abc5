//! How often something is told.

use std::time::Duration;

use crate::progress::Clock;

/// Lets something through at most ten times a second: as often as an eye can follow.
pub(super) struct Pace<'a> {
    clock: &'a dyn Clock,
    last: Option<Duration>,
}

impl<'a> Pace<'a> {
    const INTERVAL: Duration = Duration::from_millis(100);

    pub(super) fn new(clock: &'a dyn Clock) -> Self {
        Self { clock, last: None }
    }

    /// Whether it is time again; the first time always is.
    pub(super) fn due(&mut self) -> bool {
        let now = self.clock.monotonic();
        let due = self.last.is_none_or(|last| now.saturating_sub(last) >= Self::INTERVAL);
        if due {
            self.last = Some(now);
        }
        due
    }
}
