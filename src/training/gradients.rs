//! The gradient of a batch, whatever its size: gradient caching (Gao et al. 2021).
//!
//! A contrastive loss needs every embedding of the batch at once, but not every activation. So the texts are embedded
//! in groups without a graph, the loss's gradient at the embeddings is kept, and each group is embedded again, with the
//! same dropout, and sent its share of that gradient. Memory follows the group, not the batch.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::losses::Objective;
use super::{Example, Result, mix};
use crate::encoder::{Dropout, Encoder, Gradients, Pass};

/// What a batch says.
#[derive(Debug)]
pub struct BatchGradients {
    /// The loss.
    pub loss: f64,
    /// The gradient of every parameter that has one, by name.
    pub gradients: BTreeMap<String, Tensor>,
    /// Tokens in the batch's texts.
    pub tokens: usize,
}

impl BatchGradients {
    /// Adds another batch's loss, gradients and tokens.
    pub(super) fn add(&mut self, other: Self) -> Result<()> {
        (self.loss, self.tokens) = (self.loss + other.loss, self.tokens + other.tokens);
        for (name, gradient) in other.gradients {
            let sum = match self.gradients.remove(&name) {
                Some(sum) => (sum + gradient)?,
                None => gradient,
            };
            self.gradients.insert(name, sum);
        }
        Ok(())
    }
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
    let queries = batch.iter().map(|example| example.query.as_slice());
    let positives = batch.iter().map(|example| example.positive.as_slice());
    let each = batch.iter().map(|example| example.negatives.len()).min().unwrap_or(0);
    let negatives = batch.iter().flat_map(|example| example.negatives.iter().take(each).map(Vec::as_slice));
    let texts: Vec<&[u32]> = queries.chain(positives).chain(negatives).collect();
    let tokens = texts.iter().map(|text| text.len()).sum();
    let dropout =
        |group: usize| if rate > 0.0 { Dropout::On { rate, seed: mix(seed, group as u64) } } else { Dropout::Off };
    let loss_of = |embeddings: &Tensor| -> candle_core::Result<Tensor> {
        let n = batch.len();
        let negatives = (each > 0).then(|| embeddings.narrow(0, 2 * n, n * each)).transpose()?;
        objective.loss(&embeddings.narrow(0, 0, n)?, &embeddings.narrow(0, n, n)?, negatives.as_ref())
    };

    let groups = groups(&texts, micro_batch);
    let chosen = |group: &[usize]| group.iter().map(|&at| texts[at]).collect::<Vec<_>>();
    // The embeddings stand in the order of the groups; `places` brings them into the order of the texts.
    let mut places = vec![0_u32; texts.len()];
    for (place, &at) in groups.iter().flatten().enumerate() {
        places[at] = place as u32;
    }
    let places = Tensor::new(places, encoder.device())?;

    // A batch of one group keeps its pass; of several, each group is embedded again when its share of the gradient is known.
    let mut passes: Vec<Option<Pass>> = Vec::new();
    let mut embedded = Vec::with_capacity(groups.len());
    for (at, group) in groups.iter().enumerate() {
        if groups.len() == 1 {
            let pass = encoder.pass(&chosen(group), dropout(at))?;
            embedded.push(pass.embeddings().clone());
            passes.push(Some(pass));
        } else {
            embedded.push(encoder.forward(&chosen(group), dropout(at))?);
            passes.push(None);
        }
    }
    let leaves = Var::from_tensor(&Tensor::cat(&embedded, 0)?)?;
    let loss = loss_of(&leaves.index_select(&places, 0)?)?;
    let store = loss.backward()?;
    let mut gradients = Gradients::default();
    if let Some(cached) = store.get(&leaves) {
        let mut start = 0;
        for (at, (group, pass)) in groups.iter().zip(passes).enumerate() {
            let share = cached.narrow(0, start, group.len())?.contiguous()?.detach();
            start += group.len();
            let pass = match pass {
                Some(pass) => pass,
                None => encoder.pass(&chosen(group), dropout(at))?,
            };
            encoder.backward(pass, &share, &mut gradients)?;
        }
    }
    Ok(BatchGradients { loss: scalar(&loss)?, gradients: gradients.finish()?, tokens })
}

/// Texts of like length together, as many as make no more tokens than `micro_batch` texts of the greatest length.
fn groups(texts: &[&[u32]], micro_batch: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(texts[at].len()), at));
    let budget = order.first().map_or(0, |&at| texts[at].len()) * micro_batch.max(1);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut used = usize::MAX;
    let mut widest = 0;
    for at in order {
        // Where texts are padded, each costs as much as the longest of its group.
        if used.saturating_add(widest) > budget {
            groups.push(Vec::new());
            (used, widest) = (0, texts[at].len());
        }
        used += widest;
        if let Some(group) = groups.last_mut() {
            group.push(at);
        }
    }
    groups
}

fn scalar(loss: &Tensor) -> Result<f64> {
    Ok(f64::from(loss.to_scalar::<f32>()?))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use tokenizers::Tokenizer;
    use tokenizers::models::wordlevel::WordLevel;

    use super::*;
    use crate::encoder::BertConfig;

    fn encoder() -> Encoder {
        let config = BertConfig {
            vocab_size: 60,
            hidden_size: 24,
            num_hidden_layers: 2,
            num_attention_heads: 3,
            intermediate_size: 48,
            max_position_embeddings: 32,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            pad_token_id: 0,
        };
        Encoder::random(config, Tokenizer::new(WordLevel::default()), 1, &Device::Cpu).unwrap()
    }

    fn examples() -> Vec<Example> {
        let text = |seed: u32, length: u32| (0..length).map(|at| (seed * 17 + at * 7) % 60).collect::<Vec<u32>>();
        (0..6)
            .map(|at| Example {
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
            assert!((cached.loss - whole.loss).abs() < 1e-5);
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
        assert_eq!(first.loss, again.loss);
        assert!(first.gradients.keys().all(|name| values(&first, name) == values(&again, name)));
        assert_ne!(first.loss, gradients(2, 0.0).loss);
    }
}
