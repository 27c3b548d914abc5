//! Where the threads of all ranks meet, and learn that one of them ended.

use std::any::Any;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::training::{Error, Result};

/// A place that is left when every rank is there, or when one will never come.
#[derive(Debug)]
pub(super) struct Meeting {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// What each rank has brought to the round that is under way.
    brought: Vec<Option<Vec<f32>>>,
    /// What they had brought to the last one: nobody can begin another before all have left it.
    shown: Arc<Vec<Vec<f32>>>,
    rounds: u64,
    over: bool,
    failure: Option<(usize, Failure)>,
}

/// What ended a rank.
#[derive(Debug)]
pub(super) enum Failure {
    /// An error.
    Error(Error),
    /// A panic, with what it carries.
    Panic(Box<dyn Any + Send>),
}

impl Meeting {
    pub(super) fn new(ranks: usize) -> Self {
        let brought = (0..ranks).map(|_| None).collect();
        let state = State { brought, shown: Arc::default(), rounds: 0, over: false, failure: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for all ranks and returns what each brought, by rank. Fails where a rank ended before it came.
    pub(super) fn meet(&self, rank: usize, values: Vec<f32>) -> Result<Arc<Vec<Vec<f32>>>> {
        let mut state = self.lock();
        if state.over {
            return Err(Error::RankEnded);
        }
        state.brought[rank] = Some(values);
        if state.brought.iter().all(Option::is_some) {
            state.shown = Arc::new(state.brought.iter_mut().filter_map(Option::take).collect());
            state.rounds += 1;
            self.changed.notify_all();
            return Ok(Arc::clone(&state.shown));
        }
        let round = state.rounds;
        let waits = |state: &mut State| state.rounds == round && !state.over;
        let state = self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        if state.rounds == round { Err(Error::RankEnded) } else { Ok(Arc::clone(&state.shown)) }
    }

    /// Nobody waits here any more.
    pub(super) fn end(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    /// The same, and why. The first reason is kept: others follow from it.
    pub(super) fn fail(&self, rank: usize, failure: Failure) {
        self.lock().failure.get_or_insert((rank, failure));
        self.end();
    }

    /// The rank that ended first, and why.
    pub(super) fn take_failure(&self) -> Option<(usize, Failure)> {
        self.lock().failure.take()
    }
}
