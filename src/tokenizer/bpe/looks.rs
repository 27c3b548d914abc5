//! Looking up from the work to see whether to stop.

use crate::progress::Observer;
use crate::tokenizer::{Error, Result};

/// Asks the observer whether to stop, once every so many units of work: a unit is a byte, a symbol or a queue's entry, some
/// nanoseconds each, so that a stop is noticed within a few milliseconds.
pub(super) struct Looks<'a> {
    observer: &'a dyn Observer,
    spent: usize,
}

impl<'a> Looks<'a> {
    /// Units between two looks.
    pub(super) const UNITS: usize = 1 << 17;

    pub(super) const fn new(observer: &'a dyn Observer) -> Self {
        Self { observer, spent: 0 }
    }

    /// So much was done, or is about to be.
    pub(super) fn spend(&mut self, units: usize) -> Result<()> {
        self.spent += units;
        if self.spent < Self::UNITS { Ok(()) } else { self.now() }
    }

    /// Looks at once.
    pub(super) fn now(&mut self) -> Result<()> {
        self.spent = 0;
        if self.observer.stop_requested() { Err(Error::Stopped) } else { Ok(()) }
    }
}
