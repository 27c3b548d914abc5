//! Which parameters stay as they are.

use super::{Encoder, Error, Result};

/// What training leaves alone: the lower a layer, the more general what it knows (Howard and Ruder 2018).
///
/// Frozen parameters get no gradient. Where the embeddings are frozen too, the way back ends at the first layer that is
/// trained; where they are not, it leads through frozen layers down to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Frozen {
    /// The tables of tokens, positions and types, and the `LayerNorm` after them.
    pub embeddings: bool,
    /// So many layers, from the lowest on.
    pub layers: usize,
}

impl Frozen {
    /// Whether a parameter is among what stays.
    pub fn holds(self, name: &str) -> bool {
        if name.starts_with("embeddings.") {
            return self.embeddings;
        }
        let layer = name.strip_prefix("encoder.layer.").and_then(|rest| rest.split('.').next());
        layer.and_then(|number| number.parse::<usize>().ok()).is_some_and(|number| number < self.layers)
    }

    /// The lowest layer that a gradient must reach.
    pub(super) const fn lowest(self) -> usize {
        if self.embeddings { self.layers } else { 0 }
    }
}

impl Encoder {
    /// What training leaves as it is.
    pub const fn frozen(&self) -> Frozen {
        self.frozen
    }

    /// Leaves parameters as they are from now on; call it when the dimensions are set, for a dense layer is never frozen.
    pub fn set_frozen(&mut self, frozen: Frozen) -> Result<()> {
        let layers = self.config().num_hidden_layers;
        if frozen.layers > layers {
            return Err(Error::TooManyFrozen { wanted: frozen.layers, layers });
        }
        if frozen.lowest() == layers && self.dense().is_none() {
            return Err(Error::AllFrozen(layers));
        }
        self.frozen = frozen;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_held_by_number() {
        let frozen = Frozen { embeddings: false, layers: 2 };
        assert!(
            frozen.holds("encoder.layer.1.output.dense.bias") && !frozen.holds("encoder.layer.10.output.dense.bias")
        );
        assert!(!frozen.holds("embeddings.LayerNorm.bias") && !frozen.holds("dense.weight"));
        assert_eq!((frozen.lowest(), Frozen { embeddings: true, ..frozen }.lowest()), (0, 2));
        assert!(!Frozen::default().holds("encoder.layer.0.output.dense.bias"));
    }
}
