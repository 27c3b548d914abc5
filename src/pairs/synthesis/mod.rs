//! Questions by a local language model: from each passage, what its readers might ask.
//!
//! A question is worth something only where its passage is a good answer, and no better than others: what the model
//! writes is filtered in the order in which filters were found to matter ([`sieve`], after Promptagator, Dai et al. 2023,
//! and doc2query--, Gospodinov et al. 2023). Answers are kept apart from filters: [`journal`] holds what was answered to a
//! [`Recipe`], and the filters run again over it whenever they change, without asking the model again.

mod answer;
mod ask;
mod board;
mod connect;
mod endpoint;
mod journal;
mod kind;
mod lenient;
mod prompt;
mod questioner;
mod recipe;
mod run;
mod sieve;
mod takings;
mod watch;

pub use connect::{free_gpus, models};
pub(super) use kind::QuestionKind;
pub use prompt::{PROMPT_ENGLISH, PROMPT_RUSSIAN, PromptError};
pub use recipe::Recipe;
pub use run::{Task, synthesize};

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::sieve::{Sieve, Sifted, within};
use super::merge::{Candidate, Strictness, merge};
use super::{PairSet, Reason, Rejected, Result};
use crate::corpus::Passage;
use crate::encoder::Embeddings;
use crate::progress::{Event, Observer};
use crate::settings::PairsSynthesisSettings;

/// The ranks for which it is told how many questions find their passage.
const RANKS: [usize; 6] = [1, 3, 5, 10, 20, 50];

/// A passage without questions, and why it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Without {
    /// The passage, by id.
    pub passage: String,
    /// Its document.
    pub document: String,
    /// What kept it from having any.
    pub reason: Reason,
    /// What happened, where there is more to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Without {
    fn new(passage: &Passage, reason: Reason, why: String) -> Self {
        Self { passage: passage.id.clone(), document: passage.document.clone(), reason, why }
    }
}

/// What a model answered, sifted but not yet merged.
pub struct Synthesized {
    passages: Arc<[Passage]>,
    sifted: Vec<(usize, Vec<Sifted>)>,
    without: Vec<Without>,
    /// What decided the answers.
    pub recipe: Recipe,
    /// Passages that were to have questions, poor ones left out.
    pub wanted: usize,
    /// Passages that were asked about this time.
    pub asked: usize,
    /// Tokens that the model wrote this time.
    pub tokens: u64,
    /// Seconds that it took.
    pub seconds: f64,
}

impl Synthesized {
    /// Passages that were given up.
    pub fn failed(&self) -> usize {
        self.without.iter().filter(|without| without.reason == Reason::NoAnswer).count()
    }

    /// The questions that no filter has rejected so far, in order: those whose round trip is to be made by vectors.
    pub fn questions(&self) -> Vec<&str> {
        let questions = self.sifted.iter().flat_map(|(_, questions)| questions);
        questions.filter(|sifted| sifted.reason.is_none()).map(|sifted| sifted.row.query.as_str()).collect()
    }

    /// Makes the round trip by vectors: a row of `asked` for each of [`Synthesized::questions`], one of `passages` for each
    /// passage of the corpus.
    pub fn round_trip(
        &mut self,
        asked: &Embeddings,
        passages: &Embeddings,
        settings: &PairsSynthesisSettings,
    ) -> Result<()> {
        let sieve = Sieve::new(&self.passages, settings, false)?;
        sieve.round_trip_by_vectors(&mut self.sifted, asked, passages);
        Ok(())
    }

    /// How many questions that passed the filters before it find their passage within 1, 3, 5, 10, 20 and 50: what another
    /// K would keep. Empty where no round trip was made.
    pub fn within(&self) -> BTreeMap<usize, usize> {
        let ranked = self.sifted.iter().flat_map(|(_, questions)| questions).any(|sifted| sifted.row.rank.is_some());
        if ranked { within(&self.sifted, &RANKS).into_iter().collect() } else { BTreeMap::new() }
    }

    /// The pairs, in the order of the passages: whatever order the answers came in, they are the same. Says of each row that
    /// merging rejects that it does.
    pub fn pairs(self, observer: &dyn Observer) -> PairSet {
        let failed = self.failed() as u64;
        let (mut candidates, mut rejected) = (Vec::new(), Vec::new());
        for (at, questions) in self.sifted {
            let fold = self.passages[at].fold;
            for Sifted { row, reason } in questions {
                match reason {
                    Some(reason) => rejected.push(Rejected { reason, row }),
                    None => candidates.push(Candidate { row, fold }),
                }
            }
        }
        let mut set = merge(candidates, Strictness::Made);
        for one in &set.rejected {
            observer.on(one.row.event(Some(one.reason)));
        }
        rejected.append(&mut set.rejected);
        let set = PairSet { rejected, without: self.without, ..set };
        // The numbers while it asked did not know what merging would reject.
        let by_reason = set.rejected_by_reason().into_iter().map(|(reason, count)| (reason, count as u64));
        observer.on(Event::Tally {
            kept: (set.train.len() + set.dev.len() + set.test.len()) as u64,
            rejected: by_reason.collect(),
            failed,
            tokens_per_s: 0.0,
            in_flight: 0,
            concurrency: 0,
            paused: false,
        });
        set
    }
}
