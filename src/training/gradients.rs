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

/// Loss and gradients of a batch of examples that all have as many negatives; at most `micro_batch` of them are held as
/// activations at a time. `rate` 0 is no dropout.
pub fn batch_gradients(
    encoder: &Encoder,
    batch: &[&Example],
    objective: Objective,
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
