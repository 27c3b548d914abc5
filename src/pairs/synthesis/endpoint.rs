//! A server that shares the work, and how it is.
//!
//! One that fails is set aside for a while that doubles from time to time; then one request tries whether it is back.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::board::lock;
use crate::pairs::ollama::{Chat, Thinking, Trouble};
use crate::progress::{EndpointState, Event};

/// Failures in a row after which an endpoint is set aside: one may be the question's.
const STREAK: u32 = 3;
/// How long it is left alone first; then twice as long each time.
const FIRST_REST: Duration = Duration::from_millis(250);
/// And at most.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Whether an endpoint may be asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    /// Now.
    Now,
    /// When something changes, or at this moment.
    Later(Option<Instant>),
    /// Never again.
    Never,
}

/// What is new about an endpoint, told once and not with each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    None,
    /// It is left alone for a while.
    SetAside,
    /// It answers again.
    Back,
    /// It is not asked any more.
    Gone,
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

    /// Whether it may be asked.
    pub(super) fn turn(&self) -> Turn {
        let health = self.health();
        match (health.state, health.rest_until) {
            (EndpointState::Gone, _) => Turn::Never,
            (EndpointState::Resting, Some(until)) if Instant::now() < until => Turn::Later(Some(until)),
            // One tries whether it is back.
            (EndpointState::Resting, _) if health.in_flight > 0 => Turn::Later(None),
            _ => Turn::Now,
        }
    }

    /// A request is on its way.
    pub(super) fn asked(&self) {
        self.health().in_flight += 1;
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

    /// A request ended with an answer, be it useful or not.
    pub(super) fn answered(&self) -> News {
        let mut health = self.health();
        health.in_flight = health.in_flight.saturating_sub(1);
        health.answered += 1;
        (health.streak, health.rests, health.rest_until, health.problem) = (0, 0, None, None);
        match std::mem::replace(&mut health.state, EndpointState::Ready) {
            EndpointState::Resting => News::Back,
            _ => News::None,
        }
    }

    /// A request was given up without fault of the server.
    pub(super) fn dropped(&self) {
        let mut health = self.health();
        health.in_flight = health.in_flight.saturating_sub(1);
    }

    /// A request failed.
    pub(super) fn failed(&self, trouble: &Trouble) -> News {
        let mut health = self.health();
        health.in_flight = health.in_flight.saturating_sub(1);
        health.streak += 1;
        health.problem = Some(trouble.to_string());
        let never = health.answered == 0 && matches!(trouble, Trouble::Status { status: 400, .. });
        if trouble.is_for_good() || never {
            let before = std::mem::replace(&mut health.state, EndpointState::Gone);
            return if before == EndpointState::Gone { News::None } else { News::Gone };
        }
        let resting = health.state == EndpointState::Resting;
        // Requests that began before a rest say nothing new about it.
        let already = resting && health.rest_until.is_some_and(|until| Instant::now() < until);
        let enough = resting || trouble.is_of_server() || health.streak >= STREAK;
        if health.state == EndpointState::Gone || already || !enough {
            return News::None;
        }
        let rest = (FIRST_REST * 2_u32.saturating_pow(health.rests.min(16))).min(LONGEST_REST);
        health.rests += 1;
        health.rest_until = Some(Instant::now() + rest);
        health.state = EndpointState::Resting;
        if resting { News::None } else { News::SetAside }
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
    pub(super) fn rest_is_over(&self) {
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
