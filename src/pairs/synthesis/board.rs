//! What is to be asked, and who may ask it: one queue for all endpoints, from which each takes work at its own pace, so many
//! requests at once as the user allows.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::endpoint::{Endpoint, Turn};
use super::journal::Posed;

/// Requests at once at one endpoint, at most.
pub(super) const MOST_AT_ONCE: usize = 64;

/// A passage that waits to be asked about.
#[derive(Debug, Clone)]
pub(super) struct Work {
    /// The passage, by position.
    pub(super) passage: usize,
    /// How often it was asked about in vain.
    pub(super) tries: usize,
    /// What is to be asked.
    pub(super) step: Step,
}

/// What is to be asked of a passage.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Questions.
    Ask {
        /// The last answer and what was wrong with it.
        wrong: Option<(String, String)>,
        /// Tokens of the answer.
        num_predict: usize,
    },
    /// What its questions are worth.
    Judge {
        /// The questions.
        questions: Vec<Posed>,
        /// The last answer and what was wrong with it.
        wrong: Option<(String, String)>,
    },
}

/// What a slot may do now.
#[derive(Debug)]
pub(super) enum Next {
    /// This.
    Work(Work),
    /// Nothing, until something changes or this moment comes.
    Wait(Option<Instant>),
    /// Nothing any more.
    Done,
}

/// The queue and what the user wants of it.
#[derive(Debug)]
pub(super) struct Board {
    queue: Mutex<VecDeque<Work>>,
    /// Passages of which nothing is known yet, in the queue or under way.
    left: AtomicUsize,
    stop: AtomicBool,
    paused: AtomicBool,
    concurrency: AtomicUsize,
    /// Wakes the slots that wait.
    pub(super) changed: Notify,
    /// When anything was last heard of any endpoint.
    heard: Mutex<Instant>,
}

impl Board {
    pub(super) fn new(work: VecDeque<Work>, concurrency: usize) -> Self {
        Self {
            left: AtomicUsize::new(work.len()),
            queue: Mutex::new(work),
            stop: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            concurrency: AtomicUsize::new(concurrency),
            changed: Notify::new(),
            heard: Mutex::new(Instant::now()),
        }
    }

    /// What a slot of an endpoint may do now.
    pub(super) fn next(&self, endpoint: &Endpoint, slot: usize) -> Next {
        if self.stop.load(Ordering::Relaxed) || self.left.load(Ordering::Relaxed) == 0 {
            return Next::Done;
        }
        if slot >= self.concurrency.load(Ordering::Relaxed) || self.paused.load(Ordering::Relaxed) {
            return Next::Wait(None);
        }
        match endpoint.turn() {
            Turn::Never => return Next::Done,
            Turn::Later(until) => return Next::Wait(until),
            Turn::Now => {}
        }
        match lock(&self.queue).pop_front() {
            Some(work) => {
                endpoint.asked();
                Next::Work(work)
            }
            None => Next::Wait(None),
        }
    }

    /// Puts work back, to be done next.
    pub(super) fn again(&self, work: Work) {
        lock(&self.queue).push_front(work);
        self.changed.notify_waiters();
    }

    /// One passage less to do.
    pub(super) fn finish(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.changed.notify_waiters();
        }
    }

    /// Passages of which nothing is known yet.
    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// Tells all slots to end, those that wait for an answer too.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Whether they were told so.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Takes over what the user wants.
    pub(super) fn obey(&self, paused: bool, concurrency: Option<usize>) {
        let before = self.paused.swap(paused, Ordering::Relaxed);
        let wanted = concurrency.map(|wanted| wanted.clamp(1, MOST_AT_ONCE));
        let changed = wanted.is_some_and(|wanted| self.concurrency.swap(wanted, Ordering::Relaxed) != wanted);
        if changed || before != paused {
            self.changed.notify_waiters();
        }
        if paused {
            // Nobody is impatient while nothing is asked.
            self.heard();
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    pub(super) fn concurrency(&self) -> usize {
        self.concurrency.load(Ordering::Relaxed)
    }

    /// Notes that something was heard.
    pub(super) fn heard(&self) {
        *lock(&self.heard) = Instant::now();
    }

    /// How long nothing was heard.
    pub(super) fn silence(&self) -> Duration {
        lock(&self.heard).elapsed()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::News;
    use super::*;
    use crate::pairs::ollama::{Address, Chat, Thinking, Trouble};

    fn endpoint() -> Endpoint {
        let address = Address::parse("127.0.0.1:9").unwrap();
        Endpoint::new(Chat::new(address, "m", 5).unwrap(), Thinking::Off)
    }

    fn board(passages: usize, concurrency: usize) -> Board {
        let work = |passage| Work { passage, tries: 0, step: Step::Ask { wrong: None, num_predict: 64 } };
        Board::new((0..passages).map(work).collect(), concurrency)
    }

    fn trouble() -> Trouble {
        Trouble::Cut { url: String::new(), problem: String::new() }
    }

    fn unreachable() -> Trouble {
        Trouble::Unreachable { url: String::new(), problem: "refused".to_owned() }
    }

    #[test]
    fn one_failure_is_the_questions_three_are_the_servers() {
        let (board, endpoint) = (board(9, 3), endpoint());
        for failure in 1..=3 {
            assert!(matches!(board.next(&endpoint, 0), Next::Work(_)));
            assert_eq!(endpoint.failed(&trouble()), if failure == 3 { News::SetAside } else { News::None });
        }
        assert!(matches!(board.next(&endpoint, 0), Next::Wait(Some(_))), "it is set aside");
        endpoint.rest_is_over();
        assert!(matches!(board.next(&endpoint, 0), Next::Work(_)), "one tries");
        assert!(matches!(board.next(&endpoint, 1), Next::Wait(None)), "the others wait for it");
        assert_eq!(endpoint.answered(), News::Back);
        endpoint.asked();
        assert_eq!(endpoint.answered(), News::None);
        assert!(matches!(board.next(&endpoint, 1), Next::Work(_)));
    }

    #[test]
    fn who_does_not_come_back_is_tried_less_and_less() {
        let (board, endpoint) = (board(99, 2), endpoint());
        let mut rests = Vec::new();
        for _ in 0..10 {
            assert!(matches!(board.next(&endpoint, 0), Next::Work(_)));
            let news = if rests.is_empty() { News::SetAside } else { News::None };
            assert_eq!(
                endpoint.failed(&unreachable()),
                news,
                "nobody is there: no need for three, and it is told once"
            );
            let Next::Wait(Some(until)) = board.next(&endpoint, 0) else { panic!("it is set aside") };
            rests.push((until - Instant::now()).as_secs_f64());
            endpoint.rest_is_over();
        }
        for (rest, expected) in rests.into_iter().zip([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]) {
            assert!((expected - 0.2..=expected).contains(&rest), "{rest} {expected}");
        }
        assert!(!endpoint.is_of_use() && !endpoint.is_gone());
        let missing = Trouble::NoModel { url: String::new(), model: String::new() };
        assert!(endpoint.failed(&missing) == News::Gone && endpoint.is_gone());
        assert_eq!(endpoint.failed(&missing), News::None, "what was under way says nothing new");
        assert!(matches!(board.next(&endpoint, 0), Next::Done));
    }

    #[test]
    fn the_user_is_obeyed() {
        let (board, endpoint) = (board(9, 1), endpoint());
        assert!(matches!(board.next(&endpoint, 1), Next::Wait(None)));
        board.obey(false, Some(2));
        assert!(matches!(board.next(&endpoint, 1), Next::Work(_)));
        board.obey(true, None);
        assert!(matches!(board.next(&endpoint, 0), Next::Wait(None)) && board.is_paused());
        board.obey(false, Some(9999));
        assert_eq!(board.concurrency(), MOST_AT_ONCE);
        board.stop();
        assert!(matches!(board.next(&endpoint, 0), Next::Done));
    }
}
