//! How often a frame is drawn.

use std::time::{Duration, Instant};

use crate::tui::model::Dirty;

/// A send that takes longer tells of a slow link.
const SLOW: Duration = Duration::from_millis(100);

/// How often the screen may change.
#[derive(Debug)]
pub(super) struct Pace {
    input: Duration,
    data: Duration,
    last: Option<Instant>,
}

impl Pace {
    /// So many frames a second after a key, and so many for what jobs report.
    pub(super) fn new(input_fps: u32, data_fps: u32) -> Self {
        Self {
            input: Duration::from_secs(1) / input_fps.max(1),
            data: Duration::from_secs(1) / data_fps.max(1),
            last: None,
        }
    }

    /// When the next frame is due; none where nothing changed, at once where none was drawn yet.
    pub(super) fn due(&self, dirty: Dirty, last_send: Duration, now: Instant) -> Option<Instant> {
        let slow = if last_send > SLOW { 2 } else { 1 };
        let wait = match dirty {
            Dirty::Clean => return None,
            Dirty::Data => self.data * slow,
            Dirty::Input => self.input,
        };
        Some(self.last.map_or(now, |last| last + wait))
    }

    /// A frame was drawn.
    pub(super) fn drawn(&mut self, at: Instant) {
        self.last = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_drawn_sooner_than_data_and_a_slow_link_halves_the_pace() {
        let mut pace = Pace::new(30, 4);
        let now = Instant::now();
        assert_eq!(pace.due(Dirty::Data, Duration::ZERO, now), Some(now), "the first frame waits for nothing");
        pace.drawn(now);
        let wait = |dirty, ms| pace.due(dirty, Duration::from_millis(ms), now).map(|due| (due - now).as_millis());
        assert_eq!(wait(Dirty::Clean, 0), None);
        assert_eq!(wait(Dirty::Input, 500), Some(33));
        assert_eq!(wait(Dirty::Data, 0), Some(250));
        assert_eq!(wait(Dirty::Data, 101), Some(500));
    }
}
