//! The training loop.

use std::path::Path;
use std::time::Duration;

use super::average::Average;
use super::checkpoint::State;
use super::gradients::{BatchGradients, batch_gradients};
use super::{AdamW, Checkpoints, Error, Example, Plan, Result, TrainingOptions, mix};
use crate::encoder::{Encoder, Snapshot, self_test};
use crate::progress::{Clock, Event, Observer};
use crate::workspace::{Digest, Hasher};

/// Scores an encoder on dev; more is better.
pub type Judge<'a> = dyn FnMut(&Encoder) -> Result<f64> + 'a;

/// The smallest rate at which a step must be seen in f32 parameters.
const VISIBLE_RATE: f64 = 1e-7;

/// What came of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOutcome {
    /// Steps taken, those before a resume included.
    pub steps: usize,
    /// Examples a second in the median step.
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

/// Trains the encoder in place, but for what is frozen in it; at the end it holds the parameters that scored best on dev, or
/// the last ones without dev. With `ema` these are averages.
pub fn train(
    encoder: &Encoder,
    examples: &[Example],
    options: &TrainingOptions,
    judge: Option<&mut Judge<'_>>,
    checkpoints: &Checkpoints,
    observer: &dyn Observer,
    clock: &dyn Clock,
) -> Result<TrainingOutcome> {
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
    let mut trainer = Trainer {
        encoder,
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
        times: Vec::new(),
    };
    let begun = clock.monotonic();
    match trainer.run(&plan, begun) {
        // Asked to stop while dev was scored.
        Err(error) if error.is_stop() => trainer.stop(begun),
        result => result,
    }
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

struct Trainer<'a, 'j> {
    encoder: &'a Encoder,
    examples: &'a [Example],
    options: &'a TrainingOptions,
    checkpoints: &'a Checkpoints,
    observer: &'a dyn Observer,
    clock: &'a dyn Clock,
    judge: Option<&'a mut Judge<'j>>,
    optimizer: AdamW,
    /// The running average of the weights, where one is kept: what dev looks at and what stays at the end.
    average: Option<Average>,
    state: State,
    steps: usize,
    /// Seconds, examples and tokens of each step of this process.
    times: Vec<(f64, usize, usize)>,
}

impl Trainer<'_, '_> {
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

    /// The mean loss of a step's batches, and the sum of their gradients.
    fn gradients(&self, batches: &[Vec<usize>], step: usize) -> Result<BatchGradients> {
        let options = self.options;
        let mut sum: Option<BatchGradients> = None;
        for (number, batch) in batches.iter().enumerate() {
            let chosen: Vec<&Example> = batch.iter().map(|&at| &self.examples[at]).collect();
            // Every batch of the run drops other values.
            let seed = mix(options.seed, ((step - 1) * options.accumulate.max(1) + number + 1) as u64);
            let (objective, micro_batch, rate) = (&options.objective, options.micro_batch, options.dropout);
            let mut found = batch_gradients(self.encoder, &chosen, objective, micro_batch, rate, seed)?;
            found.loss /= batches.len() as f64;
            match &mut sum {
                None => sum = Some(found),
                Some(sum) => sum.add(found)?,
            }
        }
        sum.ok_or(Error::TooFewPairs(0))
    }

    fn step(&mut self, batches: &[Vec<usize>], epoch: usize, number: usize) -> Result<()> {
        let begun = self.clock.monotonic();
        let step = self.state.step + 1;
        let found = self.gradients(batches, step)?;
        let share = 1.0 / batches.len() as f64;
        let norm = AdamW::gradient_norm(&found.gradients)? * share;
        for (what, value) in [("loss", found.loss), ("gradient norm", norm)] {
            if !value.is_finite() {
                return Err(Error::Diverged { step, epoch, batch: number, what, value, pairs: batches.concat() });
            }
        }
        let limit = self.options.max_grad_norm;
        let scale = if limit > 0.0 && norm > limit { limit / norm } else { 1.0 };
        let rate = self.options.lr * self.options.schedule.factor(step, self.steps);
        let first = self.times.is_empty() && rate > VISIBLE_RATE && norm > 0.0;
        let before = first.then(|| Snapshot::of(self.encoder)).transpose()?;
        self.optimizer.update(self.encoder.parameters(), &found.gradients, rate, scale * share)?;
        if let Some(before) = before {
            before.check_moved(self.encoder)?;
        }
        if let Some(average) = &mut self.average {
            average.take_in(self.encoder.parameters(), step)?;
        }
        self.state.step = step;
        self.state.losses.push(found.loss);
        let seconds = self.clock.monotonic().checked_sub(begun).unwrap().as_secs_f64();
        let pairs = batches.iter().map(Vec::len).sum();
        self.times.push((seconds, pairs, found.tokens));
        self.report(found.loss, rate, norm, found.tokens as f64 / seconds, pairs as f64 / seconds);

        let look = step.is_multiple_of(self.options.eval_every(self.steps)) || step == self.steps;
        if look {
            self.look()?;
        }
        // Asked first: whatever the reason for this checkpoint, it answers the request.
        let asked = self.observer.checkpoint_requested();
        let last = step == self.steps || self.gives_up();
        if asked || step.is_multiple_of(self.options.save_every(self.steps)) || last {
            self.save();
        }
        if look && !last {
            self.observer.on(Event::phase("train"));
        }
        Ok(())
    }

    fn report(&self, loss: f64, rate: f64, norm: f64, tokens_per_s: f64, pairs_per_s: f64) {
        let values = [
            ("loss", loss),
            ("learning_rate", rate),
            ("gradient_norm", norm),
            ("tokens_per_s", tokens_per_s),
            ("pairs_per_s", pairs_per_s),
        ];
        self.observer.on(Event::Scalar { step: self.state.step as u64, values: values.into() });
        self.observer.on(Event::progress(self.state.step, self.steps, "steps"));
    }

    fn score(&mut self, step: usize) -> Result<Option<f64>> {
        let Some(judge) = self.judge.as_mut() else { return Ok(None) };
        self.observer.on(Event::phase("dev"));
        let score = judge(self.encoder)?;
        self.observer.on(Event::Eval { step: step as u64, values: [("mrr10", score)].into() });
        Ok(Some(score))
    }

    /// Puts the running average in the place of the weights, or back; nothing where none is kept.
    fn exchange(&mut self) -> Result<()> {
        self.average.as_mut().map_or(Ok(()), |average| average.exchange(self.encoder.parameters()))
    }

    /// Looks at dev and keeps the parameters where they are the best so far.
    fn look(&mut self) -> Result<()> {
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
        if self.state.best.is_none_or(|(best, _)| score > best) {
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
    fn save(&self) {
        match self.checkpoints.save(self.encoder, &self.optimizer, self.average.as_ref(), &self.state) {
            Ok(folder) => self.announce(&folder, false),
            Err(error) => self.warn_of_checkpoint(&error),
        }
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
        self.checkpoints
            .save(self.encoder, &self.optimizer, self.average.as_ref(), &self.state)
            .map(|folder| self.announce(&folder, false))?;
        Ok(self.outcome(begun, None, self.state.step, true))
    }

    fn finish(&mut self, begun: Duration) -> Result<TrainingOutcome> {
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
        let median = |of: &dyn Fn(&(f64, usize, usize)) -> f64| {
            let mut values: Vec<f64> = self.times.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        TrainingOutcome {
            steps: self.state.step,
            pairs_per_s: median(&|(seconds, pairs, _)| *pairs as f64 / seconds.max(1e-9)),
            tokens_per_s: median(&|(seconds, _, tokens)| *tokens as f64 / seconds.max(1e-9)),
            step_s: median(&|(seconds, ..)| *seconds),
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
