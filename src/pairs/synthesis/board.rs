//! What is to be asked, and who may ask it: one queue for all endpoints, and how each of them is.
//!
//! An endpoint takes work at its own pace, so many requests at once as the user allows. One that fails is set aside for a
//! while that doubles from time to time; then one request tries whether it is back, and the others follow.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::journal::Posed;
use crate::pairs::ollama::{Chat, Thinking, Trouble};
use crate::progress::{EndpointState, Event};

/// Requests at once at one endpoint, at most.
pub(super) const MOST_AT_ONCE: usize = 64;
/// Failures in a row after which an endpoint is set aside: one may be the question's.
const STREAK: u32 = 3;
/// How long it is left alone first; then twice as long each time.
const FIRST_REST: Duration = Duration::from_millis(250);
/// And at most.
const LONGEST_REST: Duration = Duration::from_secs(30);

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
        let mut health = endpoint.health();
        match health.state {
            EndpointState::Gone => return Next::Done,
            EndpointState::Resting => match health.rest_until {
                Some(until) if Instant::now() < until => return Next::Wait(Some(until)),
                // One tries whether it is back.
                _ if health.in_flight > 0 => return Next::Wait(None),
                _ => {}
            },
            EndpointState::Ready | EndpointState::Waiting => {}
        }
        match lock(&self.queue).pop_front() {
            Some(work) => {
                health.in_flight += 1;
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

/// A server, and how it is.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Talks to it.
    pub(super) chat: Chat,
    /// Tokens that it wrote.
    pub(super) tokens: AtomicU64,
    thinking: Mutex<Thinking>,
    health: Mutex<Health>,
}

/// How a server is.
#[derive(Debug)]
struct Health {
    state: EndpointState,
    in_flight: u64,
    answered: u64,
    /// Failures in a row.
    streak: u32,
    /// Rests in a row.
    rests: u32,
    rest_until: Option<Instant>,
    problem: Option<String>,
}

impl Endpoint {
    /// An endpoint that was not asked yet.
    pub(super) fn new(chat: Chat, thinking: Thinking) -> Self {
        let health = Health {
            state: EndpointState::Waiting,
            in_flight: 0,
            answered: 0,
            streak: 0,
            rests: 0,
            rest_until: None,
            problem: None,
        };
        Self { chat, tokens: AtomicU64::new(0), thinking: Mutex::new(thinking), health: Mutex::new(health) }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        lock(&self.health)
    }

    /// Whether the model there should think.
    pub(super) fn thinking(&self) -> Thinking {
        *lock(&self.thinking)
    }

    /// Says no more of thinking: the model cannot. Whether anything was said before.
    pub(super) fn forget_thinking(&self) -> bool {
        std::mem::replace(&mut *lock(&self.thinking), Thinking::Unsaid) != Thinking::Unsaid
    }

    /// The first word of an answer came.
    pub(super) fn speaks(&self) {
        let mut health = self.health();
        if health.state == EndpointState::Waiting {
            health.state = EndpointState::Ready;
        }
    }

    /// A request ended with an answer, be it useful or not. Whether that is news: others may ask again.
    pub(super) fn answered(&self) -> bool {
        let mut health = self.health();
        health.in_flight = health.in_flight.saturating_sub(1);
        health.answered += 1;
        (health.streak, health.rests, health.rest_until, health.problem) = (0, 0, None, None);
        std::mem::replace(&mut health.state, EndpointState::Ready) == EndpointState::Resting
    }

    /// A request was given up without fault of the server.
    pub(super) fn dropped(&self) {
        let mut health = self.health();
        health.in_flight = health.in_flight.saturating_sub(1);
    }

    /// A request failed. Whether the endpoint is out of it from now on, for a while or for good.
    pub(super) fn failed(&self, trouble: &Trouble) -> bool {
        let mut health = self.health();
        health.in_flight = health.in_flight.saturating_sub(1);
        health.streak += 1;
        health.problem = Some(trouble.to_string());
        let never = health.answered == 0 && matches!(trouble, Trouble::Status { status: 400, .. });
        if trouble.is_for_good() || never {
            health.state = EndpointState::Gone;
            return true;
        }
        let resting = health.state == EndpointState::Resting;
        if !(resting || trouble.is_of_server() || health.streak >= STREAK) {
            return false;
        }
        // Requests that began before the rest say nothing new about it.
        if resting && health.rest_until.is_some_and(|until| Instant::now() < until) {
            return true;
        }
        let rest = (FIRST_REST * 2_u32.saturating_pow(health.rests.min(16))).min(LONGEST_REST);
        health.rests += 1;
        health.rest_until = Some(Instant::now() + rest);
        health.state = EndpointState::Resting;
        true
    }

    /// Whether it works, or may soon.
    pub(super) fn is_of_use(&self) -> bool {
        !matches!(self.health().state, EndpointState::Gone | EndpointState::Resting)
    }

    /// Whether nobody asks it again.
    pub(super) fn is_gone(&self) -> bool {
        self.health().state == EndpointState::Gone
    }

    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        self.health().problem.clone()
    }

    /// Requests under way.
    pub(super) fn in_flight(&self) -> u64 {
        self.health().in_flight
    }

    #[cfg(test)]
    fn rest_is_over(&self) {
        self.health().rest_until = Some(Instant::now());
    }

    /// How it is, to be told.
    pub(super) fn event(&self, tokens_per_s: f64) -> Event {
        let health = self.health();
        Event::Endpoint {
            url: self.chat.address().to_string(),
            state: health.state,
            in_flight: health.in_flight,
            answered: health.answered,
            tokens_per_s,
            problem: health.problem.clone(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::ollama::Address;

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
            assert_eq!(endpoint.failed(&trouble()), failure == 3);
        }
        assert!(matches!(board.next(&endpoint, 0), Next::Wait(Some(_))), "it is set aside");
        endpoint.rest_is_over();
        assert!(matches!(board.next(&endpoint, 0), Next::Work(_)), "one tries");
        assert!(matches!(board.next(&endpoint, 1), Next::Wait(None)), "the others wait for it");
        assert!(endpoint.answered(), "news");
        assert!(matches!(board.next(&endpoint, 1), Next::Work(_)));
    }

    #[test]
    fn who_does_not_come_back_is_tried_less_and_less() {
        let (board, endpoint) = (board(99, 2), endpoint());
        let mut rests = Vec::new();
        for _ in 0..10 {
            assert!(matches!(board.next(&endpoint, 0), Next::Work(_)));
            assert!(endpoint.failed(&unreachable()), "nobody is there: no need for three");
            let Next::Wait(Some(until)) = board.next(&endpoint, 0) else { panic!("it is set aside") };
            rests.push((until - Instant::now()).as_secs_f64());
            endpoint.rest_is_over();
        }
        for (rest, expected) in rests.into_iter().zip([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]) {
            assert!((expected - 0.2..=expected).contains(&rest), "{rest} {expected}");
        }
        assert!(!endpoint.is_of_use() && !endpoint.is_gone());
        let missing = Trouble::NoModel { url: String::new(), model: String::new() };
        assert!(endpoint.failed(&missing) && endpoint.is_gone());
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
