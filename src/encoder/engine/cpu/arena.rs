//! Memory that passes use again: no pass after the first asks the system for pages, which it would clear first.
//!
//! Slabs ask for large pages: a product that walks down the columns of a wide matrix meets a new small page with every row.

#![allow(unsafe_code)] // the advice to the system

use std::sync::{Arc, Mutex, PoisonError};

/// Values to the boundary that a register of 64 bytes is loaded from fastest.
const ALIGNED: usize = 16;

/// Slabs that wait for the next pass.
#[derive(Debug, Default, Clone)]
pub(super) struct Arena(Arc<Mutex<Vec<Vec<f32>>>>);

/// A piece of memory on loan; it goes back when dropped.
#[derive(Debug)]
pub(super) struct Slab {
    values: Vec<f32>,
    arena: Arena,
}

impl Arena {
    /// A slab of at least so many values, whatever they are.
    pub(super) fn take(&self, count: usize) -> Slab {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The one that fits best; else the largest makes place for a larger.
        let fits = (0..free.len()).filter(|&at| free[at].len() >= count + ALIGNED).min_by_key(|&at| free[at].len());
        let values = if let Some(at) = fits {
            free.swap_remove(at)
        } else {
            if let Some(largest) = (0..free.len()).max_by_key(|&at| free[at].len()) {
                free.swap_remove(largest);
            }
            zeros(count + ALIGNED)
        };
        Slab { values, arena: self.clone() }
    }
}

/// Zeros, in large pages where they fill any. In small ones, each page of a table that is added to here and there costs two
/// faults, one for the zeros that are read and one for the sum that is written, and the second stops the other threads too.
pub(super) fn zeros(count: usize) -> Vec<f32> {
    let mut fresh = vec![0.0; count];
    ask_for_large_pages(&mut fresh);
    fresh
}

/// Advice: where the system does not take it, nothing else changes.
fn ask_for_large_pages(values: &mut [f32]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let first = values.as_ptr().align_offset(PAGE).min(values.len());
        let bytes = size_of_val(&values[first..]) / PAGE * PAGE;
        // SAFETY: whole pages within the slice, borrowed mutably; this advice changes no value.
        let _ = unsafe {
            rustix::mm::madvise(values[first..].as_mut_ptr().cast(), bytes, rustix::mm::Advice::LinuxHugepage)
        };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = values;
}

impl Slab {
    /// Its values, to be cut up in the order that a plan says.
    pub(super) fn cut(&mut self) -> Cut<'_> {
        let skip = self.values.as_ptr().align_offset(ALIGNED * size_of::<f32>()).min(ALIGNED);
        Cut(&mut self.values[skip..])
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        let mut free = self.arena.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(std::mem::take(&mut self.values));
    }
}

/// What is left of a slab.
#[derive(Debug)]
pub(super) struct Cut<'a>(&'a mut [f32]);

impl<'a> Cut<'a> {
    /// The next `count` values.
    ///
    /// # Panics
    /// Where fewer are left: the slab was taken too small.
    pub(super) fn take(&mut self, count: usize) -> &'a mut [f32] {
        let (piece, rest) = std::mem::take(&mut self.0).split_at_mut(padded(count));
        self.0 = rest;
        &mut piece[..count]
    }
}

/// What a piece of so many values takes from a slab.
pub(super) const fn padded(count: usize) -> usize {
    count.next_multiple_of(ALIGNED)
}
