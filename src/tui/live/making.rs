//! What a job that makes pairs says of itself: its pairs, what they come to, the servers that share the work.

use crate::progress::EndpointState;

/// A pair that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The passage, by id.
    pub passage: String,
    /// The query.
    pub query: String,
    /// Its kind.
    pub source: String,
    /// Why it was rejected.
    pub rejected: Option<String>,
}

/// What a job that makes pairs has come to, as it last said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Passages given up.
    pub failed: u64,
    /// Tokens that the models write a second.
    pub tokens_per_s: f64,
    /// Requests that are under way.
    pub in_flight: u64,
    /// Requests that may be under way at each endpoint.
    pub concurrency: u64,
    /// Whether it waits for its user.
    pub paused: bool,
}

/// One of the servers that share the work, as the job last told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointHealth {
    /// Its address.
    pub url: String,
    /// Whether it works.
    pub state: EndpointState,
    /// Requests that are under way there.
    pub in_flight: u64,
    /// Passages answered there.
    pub answered: u64,
    /// Tokens that it writes a second.
    pub tokens_per_s: f64,
    /// What is wrong with it.
    pub problem: Option<String>,
}
