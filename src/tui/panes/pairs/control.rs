//! What a person asks of a synthesis while it runs: wait, go on, more at once, fewer.
//!
//! A request lies in the run's control log until the job looks there. Until the job's own numbers show that it was
//! carried out, the pane shows what is wanted beside what is.

use serde_json::Value;

use super::{PairsPane, SYNTHESIS, maker};
use crate::tui::keymap::{Action, Context};
use crate::tui::live::LiveRun;
use crate::tui::message::Effect;
use crate::tui::shared::Shared;

/// Requests that may be under way at once at an endpoint: no fewer and no more can be asked for.
const CONCURRENCY: std::ops::RangeInclusive<u64> = 1..=64;
/// Milliseconds of the job's own clock after which what it says holds, whatever was asked.
const PATIENCE_MS: u64 = 10_000;

/// What was asked of a synthesis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Requests {
    /// Of which run.
    run: String,
    /// Whether it shall wait.
    paused: Option<Asked<bool>>,
    /// How many requests shall be under way at each endpoint.
    concurrency: Option<Asked<u64>>,
}

/// What was asked, and when: on the job's clock, which may be another machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked<T> {
    what: T,
    at_ms: u64,
}

impl<T: PartialEq + Copy> Asked<T> {
    /// What was asked, as long as the job does not show it and may still do so.
    fn open(self, is: Option<T>, run: &LiveRun) -> Option<T> {
        (is != Some(self.what) && run.last_ms <= self.at_ms + PATIENCE_MS).then_some(self.what)
    }
}

impl Requests {
    /// Whether the run shall wait, where it does not do so yet, or waits still.
    pub(super) fn paused(&self, run: &LiveRun) -> Option<bool> {
        let asked = self.paused.filter(|_| self.run == run.id)?;
        asked.open(Some(is_paused(run)), run)
    }

    /// How many requests shall be under way at each endpoint, where the run has not said so yet.
    pub(super) fn concurrency(&self, run: &LiveRun) -> Option<u64> {
        let asked = self.concurrency.filter(|_| self.run == run.id)?;
        asked.open(run.tally.as_ref().map(|tally| tally.concurrency), run)
    }

    /// Begins anew where it is about another run.
    fn of(&mut self, run: &LiveRun) -> &mut Self {
        if self.run != run.id {
            *self = Self { run: run.id.clone(), ..Self::default() };
        }
        self
    }
}

/// Whether the run waits for its user, as it last said.
fn is_paused(run: &LiveRun) -> bool {
    run.tally.as_ref().is_some_and(|tally| tally.paused)
}

/// The settings of a run, without what surrounds them.
pub(super) fn settings(run: &LiveRun) -> &Value {
    run.settings.get("settings").unwrap_or(&run.settings)
}

/// The synthesis that runs now.
pub(super) fn synthesis(shared: &Shared) -> Option<&LiveRun> {
    maker(shared).filter(|run| shared.runs.status(&run.id).is_some_and(|status| status.job == SYNTHESIS))
}

impl PairsPane {
    /// Pauses the synthesis, lets it go on, or asks for more or fewer requests at once.
    pub(super) fn control(&mut self, action: Action, shared: &Shared) -> Vec<Effect> {
        let key = |action| shared.keymap.key(Context::Pairs, action).unwrap_or_default();
        let say = |text: String| vec![Effect::Say(text)];
        let Some(run) = synthesis(shared) else {
            let what = match action {
                Action::Pause => format!("{} pauses a synthesis of pairs and lets it go on", key(action)),
                _ => format!(
                    "{} and {} change how many requests a synthesis of pairs has under way",
                    key(Action::More),
                    key(Action::Fewer)
                ),
            };
            return say(format!("{what}: none runs now; {} starts one", key(Action::New)));
        };
        if action == Action::Pause {
            let waits = self.requests.paused(run).unwrap_or_else(|| is_paused(run));
            self.requests.of(run).paused = Some(Asked { what: !waits, at_ms: run.last_ms });
            let id = run.id.clone();
            let (effect, text) = if waits {
                (Effect::Continue(id), "the synthesis goes on".to_owned())
            } else {
                (Effect::Pause(id), format!("the synthesis waits; {} lets it go on", key(action)))
            };
            return self.shown_or_said(effect, text);
        }
        let told = run.tally.as_ref().map(|tally| tally.concurrency);
        let set = settings(run).get("concurrency").and_then(Value::as_u64);
        let Some(now) = self.requests.concurrency(run).or(told).or(set) else {
            return say("the synthesis has not begun yet".to_owned());
        };
        let next = if action == Action::More { now + 1 } else { now.saturating_sub(1) };
        if !CONCURRENCY.contains(&next) {
            return say(match action {
                Action::More => format!("{now} requests at once at each endpoint are the most"),
                _ => format!("one request at a time is the least; {} pauses the synthesis", key(Action::Pause)),
            });
        }
        self.requests.of(run).concurrency = Some(Asked { what: next, at_ms: run.last_ms });
        let effect = Effect::Concurrency(run.id.clone(), next as usize);
        self.shown_or_said(effect, format!("the synthesis was asked for {next} at once at each endpoint"))
    }

    /// What is asked stands in the head of the stream; where a set is shown instead, it is said.
    fn shown_or_said(&self, effect: Effect, text: String) -> Vec<Effect> {
        if self.following { vec![effect] } else { vec![effect, Effect::Say(text)] }
    }
}
