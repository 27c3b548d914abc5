//! Would training train? Asked before every training.
//!
//! An operator without a backward pass cuts the graph in silence: the loss is computed, the optimizer steps, and some
//! parameters never move. So one backward pass is run, and every parameter must have got a gradient.

use std::collections::BTreeMap;

use candle_core::{D, Tensor, Var};

use super::{Dropout, Encoder, Error, Gradients, Result, Role};

/// Pairs that differ enough to leave a gradient everywhere.
const PAIRS: [(&str, &str); 4] = [
    (
        "when is the filter changed",
        "The filter is changed after five hundred hours, or when the pressure drop doubles.",
    ),
    ("who opens the main valve", "Only the shift leader may open the main valve, and never alone."),
    ("where do the spare seals lie", "Spare seals lie in the third drawer of the grey cabinet beside the door."),
    ("why does the pump hum", "A pump that hums and does not turn has lost a phase or seized its bearing."),
];

/// Parameters whose gradient is zero by mathematics: softmax does not change when all its inputs shift together.
fn exempt(name: &str) -> bool {
    name.ends_with("attention.self.key.bias")
}

/// Runs one backward pass and refuses where a trainable tensor has no finite gradient other than zero, or where one that
/// is to stay as it is has any.
pub fn self_test(encoder: &Encoder) -> Result<()> {
    let tokens = |of: fn(&(&'static str, &'static str)) -> &'static str, role| {
        encoder.tokenize(&PAIRS.iter().map(of).collect::<Vec<_>>(), role)
    };
    let queries = tokens(|pair| pair.0, Role::Query)?;
    let passages = tokens(|pair| pair.1, Role::Passage)?;
    let texts: Vec<&[u32]> = queries.iter().chain(&passages).map(Vec::as_slice).collect();
    let pass = encoder.pass(&texts, Dropout::Off)?;
    let leaves = Var::from_tensor(pass.embeddings())?;
    let (queries, passages) = (leaves.narrow(0, 0, PAIRS.len())?, leaves.narrow(0, PAIRS.len(), PAIRS.len())?);
    let scores = (queries.matmul(&passages.t()?)? * 20.0)?;
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?;
    let normalizer = shifted.exp()?.sum(D::Minus1)?.log()?.sum_all()?;
    let right = (shifted * Tensor::eye(PAIRS.len(), candle_core::DType::F32, encoder.device())?)?.sum_all()?;
    let store = (normalizer - right)?.backward()?;
    let mut gradients = Gradients::default();
    if let Some(gradient) = store.get(&leaves) {
        encoder.backward(pass, gradient, &mut gradients)?;
    }
    let gradients = gradients.finish()?;

    let frozen = encoder.frozen();
    let names = gradients.keys().filter(|name| frozen.holds(name)).cloned().collect::<Vec<_>>();
    if !names.is_empty() {
        return Err(Error::NotTrainable { problem: "a gradient where nothing is to move,", names });
    }
    let mut dead = Vec::new();
    for (name, _) in encoder.parameters().iter() {
        if exempt(name) || frozen.holds(name) {
            continue;
        }
        let size = match gradients.get(name) {
            Some(gradient) => gradient.sqr()?.sum_all()?.to_scalar::<f32>()?,
            None => 0.0,
        };
        if !(size.is_finite() && size > 0.0) {
            dead.push(name.to_owned());
        }
    }
    if dead.is_empty() {
        Ok(())
    } else {
        Err(Error::NotTrainable { problem: "no finite gradient other than zero", names: dead })
    }
}

/// A fingerprint of every parameter, to see whether a step moved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, Vec<u8>>);

impl Snapshot {
    /// Takes it.
    pub fn of(encoder: &Encoder) -> Result<Self> {
        let prints =
            encoder.parameters().iter().map(|(name, var)| Ok((name.to_owned(), fingerprint(var.as_tensor())?)));
        prints.collect::<Result<_>>().map(Self)
    }

    /// Refuses where a trainable tensor is what it was, or a frozen one is not.
    pub fn check_moved(&self, encoder: &Encoder) -> Result<()> {
        let (mut still, mut moved) = (Vec::new(), Vec::new());
        for (name, var) in encoder.parameters().iter().filter(|(name, _)| !exempt(name)) {
            let same =
                self.0.get(name).is_some_and(|before| fingerprint(var.as_tensor()).is_ok_and(|now| now == *before));
            match (same, encoder.frozen().holds(name)) {
                (true, false) => still.push(name.to_owned()),
                (false, true) => moved.push(name.to_owned()),
                _ => {}
            }
        }
        if !still.is_empty() {
            return Err(Error::NotTrainable { problem: "the first step moved nothing", names: still });
        }
        if !moved.is_empty() {
            return Err(Error::NotTrainable { problem: "the first step moved what is frozen", names: moved });
        }
        Ok(())
    }
}

/// The exact bits of a tensor, hashed: sums would hide small moves.
fn fingerprint(tensor: &Tensor) -> Result<Vec<u8>> {
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(crate::workspace::digest_bytes(bytes).as_str().as_bytes().to_vec())
}
