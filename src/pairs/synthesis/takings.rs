//! What came of the questions so far: sifted, counted, told.

use std::collections::{BTreeMap, HashMap};

use super::Without;
use super::ask::NOTHING;
use super::journal::Known;
use super::sieve::{Sieve, Sifted, may_be_seen};
use crate::corpus::Passage;
use crate::pairs::{Reason, Row};
use crate::progress::Observer;

/// What came of it so far.
pub(super) struct Takings<'a> {
    pub(super) passages: &'a [Passage],
    sieve: &'a Sieve<'a>,
    observer: &'a dyn Observer,
    pub(super) sifted: BTreeMap<usize, Vec<Sifted>>,
    pub(super) without: Vec<Without>,
    pub(super) kept: u64,
    pub(super) rejected: BTreeMap<String, u64>,
    pub(super) failed: u64,
}

impl<'a> Takings<'a> {
    pub(super) fn new(
        passages: &'a [Passage],
        sieve: &'a Sieve<'a>,
        poor: Vec<usize>,
        observer: &'a dyn Observer,
    ) -> Self {
        let mut rejected = BTreeMap::new();
        if !poor.is_empty() {
            rejected.insert(Reason::PoorPassage.to_string(), poor.len() as u64);
        }
        let without =
            poor.into_iter().map(|at| Without::new(&passages[at], Reason::PoorPassage, String::new())).collect();
        Self { passages, sieve, observer, sifted: BTreeMap::new(), without, kept: 0, rejected, failed: 0 }
    }

    /// Takes over what was answered before.
    pub(super) fn take_known(&mut self, known: &HashMap<String, Known>, wanted: &[usize]) {
        let answered = wanted.iter().filter_map(|at| Some((*at, known.get(&self.passages[*at].id)?)));
        let answered: Vec<(usize, Known)> =
            answered.filter(|(_, known)| !known.questions.is_empty()).map(|(at, known)| (at, known.clone())).collect();
        for (at, sifted) in self.sieve.all(&answered) {
            self.count(&sifted, true);
            self.sifted.insert(at, sifted);
        }
        for at in wanted.iter().filter(|at| known.get(&self.passages[**at].id).is_some_and(|known| known.nothing)) {
            self.give_up(*at, NOTHING.to_owned());
        }
    }

    /// Takes what is known of a passage now, and tells it.
    pub(super) fn take(&mut self, at: usize, known: &Known) {
        let sifted = self.sieve.sift(at, known);
        if let Some(before) = self.sifted.remove(&at) {
            self.count(&before, false);
        }
        for one in sifted.iter().filter(|one| may_be_seen(&self.passages[at], one)) {
            self.observer.on(one.row.event(one.reason));
        }
        self.count(&sifted, true);
        self.sifted.insert(at, sifted);
    }

    fn count(&mut self, sifted: &[Sifted], more: bool) {
        let step = |count: &mut u64| *count = if more { *count + 1 } else { count.saturating_sub(1) };
        for one in sifted {
            match one.reason {
                None => step(&mut self.kept),
                Some(reason) => step(self.rejected.entry(reason.to_string()).or_default()),
            }
        }
    }

    pub(super) fn give_up(&mut self, at: usize, why: String) {
        self.failed += 1;
        let event = Row { positives: vec![self.passages[at].id.clone()], query: why.clone(), ..Row::default() };
        self.observer.on(event.event(Some(Reason::NoAnswer)));
        *self.rejected.entry(Reason::NoAnswer.to_string()).or_default() += 1;
        self.without.push(Without::new(&self.passages[at], Reason::NoAnswer, why));
    }
}
