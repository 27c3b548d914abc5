//! What lies between the base's weights and the tuned ones (`WiSE-FT`, Wortsman et al. 2022): on the straight line from one
//! to the other most of what was learnt is there before much of what was known is lost.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::Result;
use crate::encoder::Encoder;

/// A copy of the parameters that are trained, by name.
#[derive(Debug)]
pub struct Weights(BTreeMap<String, Tensor>);

impl Weights {
    /// Those that the encoder has now.
    pub fn of(encoder: &Encoder) -> Result<Self> {
        let trained = encoder.parameters().iter().filter(|(name, _)| !encoder.frozen().holds(name));
        let copies = trained.map(|(name, var)| Ok((name.to_owned(), var.as_detached_tensor().copy()?)));
        copies.collect::<Result<_>>().map(Self)
    }

    /// Sets the encoder to `share` of the tuned weights and the rest of these, the base's.
    pub fn towards(&self, tuned: &Self, share: f64, encoder: &Encoder) -> Result<()> {
        for (name, var) in encoder.parameters().iter() {
            let (Some(base), Some(tuned)) = (self.0.get(name), tuned.0.get(name)) else { continue };
            if share >= 1.0 {
                var.set(tuned)?;
            } else {
                var.set(&((base * (1.0 - share))? + (tuned * share)?)?)?;
            }
        }
        Ok(())
    }
}
