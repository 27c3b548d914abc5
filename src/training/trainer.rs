//! The training loop.

use std::path::Path;
use std::time::Duration;

use candle_core::Device;

use super::average::Average;
use super::checkpoint::State;
use super::{
    AdamW, Checkpoints, Crew, Error, Example, GradientOptions, Plan, Ranks, Reading, Result, TrainingOptions, mix,
};
use crate::encoder::{Encoder, Snapshot, self_test};
use crate::progress::{Clock, Event, Observer};
use crate::workspace::{Digest, Hasher};

/// Scores an encoder on what it does not train on; more is better.
pub struct Judge<'a> {
    /// What the score is called in events.
    pub measure: &'static str,
    /// The score.
    pub score: &'a mut dyn FnMut(&Encoder) -> Result<f64>,
}

/// The smallest rate at which a step must be seen in f32 parameters.
const VISIBLE_RATE: f64 = 1e-7;
/// Steps whose values are read together on a GPU: it stands still while its host waits for them.
const READ_TOGETHER: usize = 10;
/// After so long they are read however few they are: what little is lost is nothing to steps that take their time.
const READ_AFTER: Duration = Duration::from_secs(1);

/// How old the last checkpoint is when a look at dev brings another, where nobody says: one costs a GPU more than some steps.
const SAVE_AFTER: Duration = Duration::from_mins(1);
/// How old it becomes at most.
const SAVE_AT_LAST: Duration = Duration::from_mins(5);

/// What came of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOutcome {
    /// Steps taken, those before a resume included.
    pub steps: usize,
    /// Examples a second in the median step; steps that were read together count as equals.
    pub pairs_per_s: f64,
    /// Tokens a second in the median step.
    pub tokens_per_s: f64,
    /// Seconds of the median step.
    pub step_s: f64,
    /// Seconds of this training, looks at dev included.
    pub train_s: f64,
    /// The dev score before the first step.
    pub base_dev: Option<f64>,
    /// The dev score of what the encoder holds now.
    pub best_dev: Option<f64>,
    /// The step that it comes from.
    pub best_step: usize,
    /// The loss of every step.
    pub losses: Vec<f64>,
    /// Whether it stopped on request, with a checkpoint, before its last step.
    pub stopped: bool,
    /// The step after which it stopped because dev did not become better any more.
    pub early_stop: Option<usize>,
}

/// Trains the encoder of rank 0 in place, together with its replicas, but for what is frozen in it; at the end it holds the
/// parameters that scored best on dev, or the last ones without dev. With `ema` these are averages.
pub fn train(
    ranks: &Ranks<'_>,
    examples: &[Example],
    options: &TrainingOptions,
    judge: Option<Judge<'_>>,
    checkpoints: &Checkpoints,
    observer: &dyn Observer,
    clock: &dyn Clock,
) -> Result<TrainingOutcome> {
    let encoder = ranks.first();
    let plan = Plan::new(examples, options.batch, options.seed);
    let mut steps = plan.steps(options.epochs, options.accumulate)?;
    steps = steps.min(options.max_steps.unwrap_or(steps));
    let of = identity(encoder, &plan, options)?;
    if examples.len() < options.batch {
        let text =
            format!("{} pairs are fewer than a batch of {}: one batch holds them all", examples.len(), options.batch);
        observer.on(Event::warning(text));
    }
    observer.on(Event::phase("self-test"));
    self_test(encoder)?;

    let (optimizer, average, state) = if let Some(restored) = checkpoints.restore(encoder, options, &of)? {
        observer.on(Event::note(format!("going on from step {} of {steps}", restored.2.step)));
        restored
    } else {
        let average = options.ema.map(|decay| Average::of(encoder, decay)).transpose()?;
        let state = State { of, step: 0, base_dev: None, best: None, waited: 0, losses: Vec::new() };
        (AdamW::new(options.optimizer), average, state)
    };
    ranks.run(options.optimizer, |crew| {
        if state.step > 0 {
            crew.spread(&optimizer)?;
        }
        let mut trainer = Trainer {
            encoder,
            crew,
            examples,
            options,
            checkpoints,
            observer,
            clock,
            judge,
            optimizer,
            average,
            state,
            steps,
            read_together: options.report_every.unwrap_or(match encoder.device() {
                Device::Cuda(_) => READ_TOGETHER,
                Device::Cpu | Device::Metal(_) => 1,
            }),
            unread: Vec::new(),
            unread_since: Duration::ZERO,
            saved: clock.monotonic(),
            times: Vec::new(),
        };
        let begun = clock.monotonic();
        match trainer.run(&plan, begun) {
            // Asked to stop while dev was scored.
            Err(error) if error.is_stop() => trainer.stop(begun),
            // The steps before it are told; where one of them diverged, that is the cause.
            Err(error) => match trainer.read() {
                Err(diverged @ Error::Diverged { .. }) => Err(diverged),
                _ => Err(error),
            },
            finished => finished,
        }
    })
}

/// What a checkpoint must be a checkpoint of: settings that decide losses, examples, the parameters at the start.
fn identity(encoder: &Encoder, plan: &Plan<'_>, options: &TrainingOptions) -> Result<Digest> {
    let mut decisive = options.clone();
    // These decide when to look, to save and to stop, not what is learnt.
    (decisive.eval_steps, decisive.save_steps, decisive.early_stopping) = (None, None, None);
    let mut hasher = Hasher::default()
        .part(serde_json::to_vec(&decisive).unwrap_or_default())
        .part(plan.digest().as_str())
        .part(encoder.max_length().to_le_bytes())
        .part(encoder.dim().to_le_bytes())
        .part(serde_json::to_vec(&encoder.frozen()).unwrap_or_default());
    for (name, var) in encoder.parameters().iter() {
        let sum = var.as_detached_tensor().sqr()?.sum_all()?.to_scalar::<f32>()?;
        hasher = hasher.part(name).part(format!("{sum:.4e}"));
    }
    Ok(hasher.finish())
}

struct Trainer<'a, 'e, 'j> {
    encoder: &'a Encoder,
    crew: &'a Crew<'e>,
    examples: &'e [Example],
    options: &'a TrainingOptions,
    checkpoints: &'a Checkpoints,
    observer: &'a dyn Observer,
    clock: &'a dyn Clock,
    judge: Option<Judge<'j>>,
    optimizer: AdamW,
    /// The running average of the weights, where one is kept: what dev looks at and what stays at the end.
    average: Option<Average>,
    state: State,
    steps: usize,
    /// Steps whose values are read together.
    read_together: usize,
    /// The steps taken since the last reading: nobody knows yet what they came to.
    unread: Vec<Step>,
    /// When the first of them began.
    unread_since: Duration,
    /// When the last checkpoint was written, or training began.
    saved: Duration,
    /// Each step of this process.
    times: Vec<Pace>,
}

/// A step that was taken.
struct Step {
    number: usize,
    epoch: usize,
    batch: usize,
    pairs: Vec<usize>,
    tokens: usize,
    rate: f64,
}

/// How fast a step was: as fast as those that were read with it.
#[derive(Clone, Copy)]
struct Pace {
    seconds: f64,
    pairs_per_s: f64,
    tokens_per_s: f64,
}

impl Trainer<'_, '_, '_> {
    fn run(&mut self, plan: &Plan<'_>, begun: Duration) -> Result<TrainingOutcome> {
        if self.state.step == 0 && self.state.base_dev.is_none() {
            self.state.base_dev = self.score(0)?;
        }
        self.observer.on(Event::phase("train"));
        let (mut epoch, mut passed) = (0, 0);
        while self.state.step < self.steps && !self.gives_up() {
            let batches = plan.epoch(epoch);
            for (number, batches) in batches.chunks(self.options.accumulate.max(1)).enumerate() {
                passed += 1;
                // A resumed run walks through the plan to where it was.
                if passed <= self.state.step {
                    continue;
                }
                if self.observer.stop_requested() {
                    return self.stop(begun);
                }
                self.step(batches, epoch + 1, number * self.options.accumulate + 1)?;
                if self.state.step == self.steps || self.gives_up() {
                    break;
                }
            }
            epoch += 1;
        }
        self.finish(begun)
    }

    /// Whether dev has not become better for as many looks as one had patience for.
    fn gives_up(&self) -> bool {
        self.options.early_stopping.is_some_and(|patience| self.state.waited >= patience)
    }

    fn step(&mut self, batches: &[Vec<usize>], epoch: usize, batch: usize) -> Result<()> {
        if self.unread.is_empty() {
            self.unread_since = self.clock.monotonic();
        }
        let number = self.state.step + 1;
        let chosen = |batch: &Vec<usize>| batch.iter().map(|&at| &self.examples[at]).collect();
        let chosen: Vec<Vec<&Example>> = batches.iter().map(chosen).collect();
        let options = GradientOptions {
            objective: self.options.objective.clone(),
            micro_batch: self.options.micro_batch,
            dropout: self.options.dropout,
            seed: mix(self.options.seed, number as u64),
        };
        let found = self.crew.gradients(&chosen, &options)?;
        let rate = self.options.lr * self.options.schedule.factor(number, self.steps);
        let first = self.times.is_empty() && self.unread.is_empty() && rate > VISIBLE_RATE;
        let before = first.then(|| Snapshot::of(self.encoder)).transpose()?;
        self.crew.step(&mut self.optimizer, &found, rate, self.options.max_grad_norm)?;
        if let Some(average) = &mut self.average {
            average.take_in(self.encoder.parameters(), number)?;
        }
        self.state.step = number;
        self.unread.push(Step { number, epoch, batch, pairs: batches.concat(), tokens: found.tokens, rate });
        if let Some(before) = before {
            let norm = self.read()?.map_or(0.0, |reading| reading.norm);
            if norm > 0.0 {
                before.check_moved(self.encoder)?;
            }
            self.crew.check_equal()?;
        }
        let since = self.clock.monotonic().saturating_sub(self.unread_since);
        if self.unread.len() >= self.read_together || since >= READ_AFTER {
            self.read()?;
        }

        let look = number.is_multiple_of(self.options.eval_every(self.steps)) || number == self.steps;
        if look {
            self.look()?;
        }
        // Asked first: whatever the reason for this checkpoint, it answers the request.
        let asked = self.observer.checkpoint_requested();
        let last = number == self.steps || self.gives_up();
        let due = if let Some(steps) = self.options.save_steps {
            number.is_multiple_of(steps.max(1)) || last
        } else {
            let age = self.clock.monotonic().saturating_sub(self.saved);
            age >= if look || last { SAVE_AFTER } else { SAVE_AT_LAST }
        };
        if asked || due {
            self.save()?;
        }
        if look && !last {
            self.observer.on(Event::phase("train"));
        }
        Ok(())
    }

    /// Reads what the unread steps came to, checks and reports it; says what the last one did. Nothing that depends on a
    /// step is kept before.
    fn read(&mut self) -> Result<Option<Reading>> {
        let steps = std::mem::take(&mut self.unread);
        if steps.is_empty() {
            return Ok(None);
        }
        let readings = self.optimizer.readings()?;
        let seconds = self.clock.monotonic().saturating_sub(self.unread_since).as_secs_f64().max(1e-9);
        let of_steps = |count: fn(&Step) -> usize| steps.iter().map(count).sum::<usize>() as f64 / seconds;
        let pace = Pace {
            seconds: seconds / steps.len() as f64,
            pairs_per_s: of_steps(|step| step.pairs.len()),
            tokens_per_s: of_steps(|step| step.tokens),
        };
        for (step, reading) in steps.into_iter().zip(&readings) {
            for (what, value) in [("loss", reading.loss), ("gradient norm", reading.norm)] {
                if !value.is_finite() {
                    let Step { number, epoch, batch, pairs, .. } = step;
                    return Err(Error::Diverged { step: number, epoch, batch, what, value, pairs });
                }
            }
            self.state.losses.push(reading.loss);
            self.times.push(pace);
            let values = [
                ("loss", reading.loss),
                ("learning_rate", step.rate),
                ("gradient_norm", reading.norm),
                ("tokens_per_s", pace.tokens_per_s),
                ("pairs_per_s", pace.pairs_per_s),
            ];
            self.observer.on(Event::Scalar { step: step.number as u64, values: values.into() });
        }
        self.observer.on(Event::progress(self.state.step, self.steps, "steps"));
        Ok(readings.last().copied())
    }

    fn score(&mut self, step: usize) -> Result<Option<f64>> {
        let Some(judge) = self.judge.as_mut() else { return Ok(None) };
        self.observer.on(Event::phase("dev"));
        let score = (judge.score)(self.encoder)?;
        self.observer.on(Event::Eval { step: step as u64, values: [(judge.measure, score)].into() });
        Ok(Some(score))
    }

    /// Puts the running average in the place of the weights, or back; nothing where none is kept.
    fn exchange(&mut self) -> Result<()> {
        self.average.as_mut().map_or(Ok(()), |average| average.exchange(self.encoder.parameters()))
    }

    /// Looks at dev and keeps the parameters where they are the best so far.
    fn look(&mut self) -> Result<()> {
        self.read()?;
        self.exchange()?;
        let looked = self.look_at_these();
        // Also where the look was cut short: training, and a checkpoint, go on from the weights themselves.
        self.exchange()?;
        looked
    }

    fn look_at_these(&mut self) -> Result<()> {
        let step = self.state.step;
        let Some(score) = self.score(step)? else { return Ok(()) };
        self.state.waited += 1;
        if self.state.best.is_none_or(|(best, _)| score > best + self.options.least_gain) {
            self.state.waited = 0;
            match self.checkpoints.save_best(self.encoder) {
                Ok(folder) => {
                    self.state.best = Some((score, step));
                    self.announce(&folder, true);
                }
                Err(error) => self.warn_of_checkpoint(&error),
            }
        }
        Ok(())
    }

    /// A checkpoint that cannot be written costs safety, not the training.
    fn save(&mut self) -> Result<()> {
        self.read()?;
        self.saved = self.clock.monotonic();
        match self.checkpoints.save(self.encoder, &self.optimizer, self.average.as_ref(), &self.state) {
            Ok(folder) => self.announce(&folder, false),
            Err(error) => self.warn_of_checkpoint(&error),
        }
        Ok(())
    }

    fn announce(&self, folder: &Path, best: bool) {
        let path = folder.to_string_lossy().into_owned();
        self.observer.on(Event::Checkpoint { step: self.state.step as u64, path, best });
    }

    fn warn_of_checkpoint(&self, error: &Error) {
        self.observer
            .on(Event::warning(format!("no checkpoint at step {}: {error}; training goes on", self.state.step)));
    }

    fn stop(&mut self, begun: Duration) -> Result<TrainingOutcome> {
        self.read()?;
        self.checkpoints
            .save(self.encoder, &self.optimizer, self.average.as_ref(), &self.state)
            .map(|folder| self.announce(&folder, false))?;
        Ok(self.outcome(begun, None, self.state.step, true))
    }

    fn finish(&mut self, begun: Duration) -> Result<TrainingOutcome> {
        self.crew.check_equal()?;
        if let Some(step) = self.early_stop() {
            let text = format!(
                "{} looks at dev without a better score: stopped early, at step {step} of {}",
                self.state.waited, self.steps
            );
            self.observer.on(Event::note(text));
        }
        let Some((score, step)) = self.state.best else {
            self.exchange()?;
            return Ok(self.outcome(begun, None, self.state.step, false));
        };
        if step != self.state.step || self.average.is_some() {
            self.checkpoints.load_best(self.encoder)?;
            self.crew.spread(&self.optimizer)?;
        }
        if step != self.state.step {
            self.observer.on(Event::note(format!("step {step} was the best on dev: its parameters are kept")));
        }
        if self.state.base_dev.is_some_and(|base| score < base) {
            self.observer.on(Event::warning("no checkpoint beat the base on dev: lower --lr, or make better pairs"));
        }
        Ok(self.outcome(begun, Some(score), step, false))
    }

    /// The step at which patience ended, if that was before the last.
    fn early_stop(&self) -> Option<usize> {
        (self.gives_up() && self.state.step < self.steps).then_some(self.state.step)
    }

    fn outcome(&self, begun: Duration, best_dev: Option<f64>, best_step: usize, stopped: bool) -> TrainingOutcome {
        let median = |of: fn(&Pace) -> f64| {
            let mut values: Vec<f64> = self.times.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        TrainingOutcome {
            steps: self.state.step,
            pairs_per_s: median(|pace| pace.pairs_per_s),
            tokens_per_s: median(|pace| pace.tokens_per_s),
            step_s: median(|pace| pace.seconds),
            train_s: self.clock.monotonic().checked_sub(begun).unwrap().as_secs_f64(),
            base_dev: self.state.base_dev,
            best_dev,
            best_step,
            losses: self.state.losses.clone(),
            stopped,
            early_stop: self.early_stop(),
        }
    }
}

#[cfg(test)]
mod tests;
