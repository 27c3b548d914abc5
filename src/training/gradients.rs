//! The gradient of a batch, whatever its size: gradient caching (Gao et al. 2021).
//!
//! A contrastive loss needs every embedding of the batch at once, but not every activation. So the texts are embedded
//! in groups without a graph, the loss's gradient at the embeddings is kept, and each group is embedded again, with the
//! same dropout, and sent its share of that gradient. Memory follows the group, not the batch.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor, Var};

use super::losses::Objective;
use super::ranks::{Alone, Exchange, deal, places, sum_gradients};
use super::{Error, Example, Result, mix};
use crate::encoder::{Dropout, Encoder, Gradients, Pass};

/// What a batch says.
#[derive(Debug)]
pub struct BatchGradients {
    /// The loss, f32 without dimensions, where it was computed: reading it waits for a GPU.
    pub loss: Tensor,
    /// The gradient of every parameter that has one, by name.
    pub gradients: BTreeMap<String, Tensor>,
    /// Tokens in the batch's texts.
    pub tokens: usize,
}

impl BatchGradients {
    /// The loss, read.
    pub fn loss(&self) -> Result<f64> {
        Ok(f64::from(self.loss.to_scalar::<f32>()?))
    }
}

/// How the gradient of a step is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientOptions {
    /// What is minimised.
    pub objective: Objective,
    /// Texts held as activations at a time, on each device.
    pub micro_batch: usize,
    /// Share of values dropped; 0: none.
    pub dropout: f32,
    /// The seed of what is dropped.
    pub seed: u64,
}

/// Loss and gradients of a batch of examples that all have as many negatives; at most `micro_batch` of them are held as
/// activations at a time. `rate` 0 is no dropout.
pub fn batch_gradients(
    encoder: &Encoder,
    batch: &[&Example],
    objective: &Objective,
    micro_batch: usize,
    rate: f32,
    seed: u64,
) -> Result<BatchGradients> {
    let options = GradientOptions { objective: objective.clone(), micro_batch, dropout: rate, seed };
    share_of_gradients(encoder, &Alone, &[batch.to_vec()], &options)
}

/// The mean loss of a step's batches and its gradients, as one rank of several, all of which are given the same batches: each
/// embeds its share of the texts and goes back through it; losses are of whole batches, and gradients are the sums of all ranks'.
pub(super) fn share_of_gradients(
    encoder: &Encoder,
    exchange: &dyn Exchange,
    batches: &[Vec<&Example>],
    options: &GradientOptions,
) -> Result<BatchGradients> {
    let part = 1.0 / batches.len().max(1) as f64;
    let (mut gradients, mut losses, mut tokens, mut passed) = (Gradients::default(), Vec::new(), 0, 0);
    for batch in batches {
        let batch = Batch::of(batch);
        let loss = batch.go_through(encoder, exchange, options, part, &mut passed, &mut gradients)?;
        losses.push(loss.detach());
        tokens += batch.tokens();
    }
    let loss = match losses.as_slice() {
        [] => return Err(Error::TooFewPairs(0)),
        [loss] => loss.clone(),
        losses => Tensor::stack(losses, 0)?.sum_all()?,
    };
    Ok(BatchGradients { loss, gradients: sum_gradients(exchange, gradients.finish()?)?, tokens })
}

/// The texts of a batch: its queries, its positives, its negatives; or its lessons.
struct Batch<'a> {
    texts: Vec<&'a [u32]>,
    /// What the loss compares.
    sides: Sides<'a>,
}

enum Sides<'a> {
    /// So many queries with their positives, and so many negatives for each.
    Pairs { count: usize, negatives: usize },
    /// The embedding that each text should have.
    Targets(Vec<&'a [f32]>),
}

impl<'a> Batch<'a> {
    /// Of examples of one kind: what is of another than the first is left out.
    fn of(batch: &[&'a Example]) -> Self {
        let lessons: Vec<(&[u32], &[f32])> = batch
            .iter()
            .filter_map(|example| match example {
                Example::Lesson { text, target } => Some((&**text, &**target)),
                Example::Pair { .. } => None,
            })
            .collect();
        if !lessons.is_empty() {
            let (texts, targets) = lessons.into_iter().unzip();
            return Self { texts, sides: Sides::Targets(targets) };
        }
        let each = batch.iter().map(|example| example.texts().count() - 2).min().unwrap_or(0);
        let side = |at: usize| batch.iter().filter_map(move |example| example.texts().nth(at));
        let negatives = batch.iter().flat_map(|example| example.texts().skip(2).take(each));
        let texts = side(0).chain(side(1)).chain(negatives).collect();
        Self { texts, sides: Sides::Pairs { count: batch.len(), negatives: each } }
    }

    fn tokens(&self) -> usize {
        self.texts.iter().map(|text| text.len()).sum()
    }

    fn loss(&self, objective: &Objective, embeddings: &Tensor) -> candle_core::Result<Tensor> {
        match &self.sides {
            Sides::Pairs { count: n, negatives } => {
                let wrong = n * negatives;
                let negatives = (wrong > 0).then(|| embeddings.narrow(0, 2 * n, wrong)).transpose()?;
                objective.loss(&embeddings.narrow(0, 0, *n)?, &embeddings.narrow(0, *n, *n)?, negatives.as_ref())
            }
            Sides::Targets(rows) => {
                let dim = rows.first().map_or(0, |row| row.len());
                let targets = Tensor::from_vec(rows.concat(), (rows.len(), dim), embeddings.device())?;
                objective.imitation(embeddings, &targets)
            }
        }
    }

    /// Embeds this rank's share, goes back through it with `part` of the loss, and returns that. `passed` counts the groups of
    /// the step so far, on all ranks, so that no two drop the same values.
    fn go_through(
        &self,
        encoder: &Encoder,
        exchange: &dyn Exchange,
        options: &GradientOptions,
        part: f64,
        passed: &mut usize,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let (texts, rank, device) = (&self.texts, exchange.rank(), encoder.device());
        let shares = deal(texts, exchange.ranks());
        let share = &shares[rank];
        let all: Vec<Vec<&[usize]>> = shares.iter().map(|share| groups(texts, share, options.micro_batch)).collect();
        let groups = &all[rank];
        let first = *passed + all[..rank].iter().map(Vec::len).sum::<usize>();
        *passed += all.iter().map(Vec::len).sum::<usize>();
        let dropout = |group: usize| match options.dropout {
            rate if rate > 0.0 => Dropout::On { rate, seed: mix(options.seed, (first + group) as u64) },
            _ => Dropout::Off,
        };
        let chosen = |group: &[usize]| group.iter().map(|&at| texts[at]).collect::<Vec<_>>();

        // The last group keeps its pass, since there is room for one; the others are embedded again when their part of the
        // gradient is known.
        let mut kept: Option<Pass> = None;
        let mut embedded = Vec::with_capacity(groups.len() + 1);
        for (at, group) in groups.iter().enumerate() {
            if at + 1 == groups.len() {
                let pass = encoder.pass(&chosen(group), dropout(at))?;
                embedded.push(pass.embeddings().clone());
                kept = Some(pass);
            } else {
                embedded.push(encoder.forward(&chosen(group), dropout(at))?);
            }
        }
        // Every rank hands in as many rows. They come back in the order of ranks and groups; `places` brings them into the
        // order of the texts, and leaves out what is there to fill up.
        let rows = shares.iter().map(Vec::len).max().unwrap_or(0);
        if share.len() < rows {
            embedded.push(Tensor::zeros((rows - share.len(), encoder.dim()), DType::F32, device)?);
        }
        let leaves = Var::from_tensor(&exchange.gather(&Tensor::cat(&embedded, 0)?)?)?;
        let places = Tensor::new(places(&shares, texts.len(), rows), device)?;
        let mut loss = self.loss(&options.objective, &leaves.index_select(&places, 0)?)?;
        if part < 1.0 {
            loss = (loss * part)?;
        }
        if let Some(cached) = loss.backward()?.get(&leaves) {
            let mut end = rank * rows + share.len();
            for (at, group) in groups.iter().enumerate().rev() {
                end -= group.len();
                let gradient = cached.narrow(0, end, group.len())?.contiguous()?.detach();
                let pass = match kept.take() {
                    Some(pass) => pass,
                    None => encoder.pass(&chosen(group), dropout(at))?,
                };
                encoder.backward(pass, &gradient, gradients)?;
            }
        }
        Ok(loss)
    }
}

/// A share's texts, which stand by length, in groups of as many as make no more tokens than `micro_batch` of the longest.
fn groups<'a>(texts: &[&[u32]], share: &'a [usize], micro_batch: usize) -> Vec<&'a [usize]> {
    let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    // Where texts are padded, each costs as much as the longest of its group.
    let mut groups = Vec::new();
    let mut rest = share;
    while let Some(&first) = rest.first() {
        let fitting = longest.saturating_mul(micro_batch.max(1)) / texts[first].len().max(1);
        let (group, others) = rest.split_at(fitting.clamp(1, rest.len()));
        groups.push(group);
        rest = others;
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::Device;
    use tokenizers::Tokenizer;
    use tokenizers::models::wordlevel::WordLevel;

    use super::*;
    use crate::encoder::BertConfig;

    fn encoder() -> Encoder {
        Encoder::random(BertConfig::tiny(2), Tokenizer::new(WordLevel::default()), 1, &Device::Cpu).unwrap()
    }

    fn examples() -> Vec<Example> {
        let text = |seed: u32, length: u32| (0..length).map(|at| (seed * 17 + at * 7) % 60).collect::<Arc<[u32]>>();
        (0..6)
            .map(|at| Example::Pair {
                query: text(at, 3 + at),
                positive: text(at + 20, 20 - 2 * at),
                negatives: vec![text(at + 40, 9)],
                keys: Vec::new(),
            })
            .collect()
    }

    const OBJECTIVE: Objective = Objective::Mnrl { scale: 20.0, symmetric: true };

    fn gradients(micro_batch: usize, rate: f32) -> BatchGradients {
        let examples = examples();
        let batch: Vec<&Example> = examples.iter().collect();
        batch_gradients(&encoder(), &batch, &OBJECTIVE, micro_batch, rate, 3).unwrap()
    }

    fn values(found: &BatchGradients, name: &str) -> Vec<f32> {
        found.gradients[name].flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn groups_add_up_to_the_batch() {
        let whole = gradients(64, 0.0);
        for micro_batch in [1, 2, 5] {
            let cached = gradients(micro_batch, 0.0);
            assert!((cached.loss().unwrap() - whole.loss().unwrap()).abs() < 1e-5);
            assert_eq!(cached.gradients.len(), whole.gradients.len());
            for name in whole.gradients.keys() {
                for (found, expected) in values(&cached, name).iter().zip(values(&whole, name)) {
                    assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{name}: {found}, {expected}");
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_step() {
        let (first, again) = (gradients(2, 0.2), gradients(2, 0.2));
        assert_eq!(first.loss().unwrap(), again.loss().unwrap());
        assert!(first.gradients.keys().all(|name| values(&first, name) == values(&again, name)));
        assert_ne!(first.loss().unwrap(), gradients(2, 0.0).loss().unwrap());
    }
}
