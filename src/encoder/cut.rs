//! A smaller encoder made of a larger one's parts, as a student begins.

use candle_core::{Tensor, Var};

use super::{BertConfig, Encoder, Error, Parameters, Result};

/// The size of a student.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Layers.
    pub layers: usize,
    /// Width inside the feed-forward parts.
    pub inner: usize,
    /// Positions.
    pub positions: usize,
}

impl Encoder {
    /// An encoder of the same width with fewer layers, narrower feed-forward parts and fewer positions. The first layer stays and
    /// the last ones do, for the last matters most; of the inner neurons those whose weights, in and out, have the largest
    /// norms.
    pub fn cut(&self, to: Cut) -> Result<Self> {
        let from = self.config();
        for (what, wanted, most) in [
            ("layers", to.layers, from.num_hidden_layers),
            ("inner", to.inner, from.intermediate_size),
            ("positions", to.positions, from.max_position_embeddings),
        ] {
            if wanted > most || wanted == 0 {
                return Err(Error::Cut { what, wanted, most });
            }
        }
        let layers = kept_layers(from.num_hidden_layers, to.layers);
        let config = BertConfig {
            num_hidden_layers: to.layers,
            intermediate_size: to.inner,
            max_position_embeddings: to.positions,
            ..from.clone()
        };
        let mut parameters = Parameters::default();
        let mut keep = |name: &str, tensor: Tensor| -> Result<()> {
            parameters.insert(name, Var::from_tensor(&tensor.copy()?)?);
            Ok(())
        };
        for (name, var) in self.parameters().iter().filter(|(name, _)| !name.starts_with("encoder.layer.")) {
            let tensor = var.as_detached_tensor();
            let positions = name == "embeddings.position_embeddings.weight";
            keep(name, if positions { tensor.narrow(0, 0, to.positions)? } else { tensor })?;
        }
        for (new, old) in layers.into_iter().enumerate() {
            let (prefix, renamed) = (format!("encoder.layer.{old}."), format!("encoder.layer.{new}."));
            let neurons = self.strongest(&prefix, to.inner)?;
            for (name, var) in self.parameters().iter() {
                let Some(rest) = name.strip_prefix(&prefix) else { continue };
                let tensor = var.as_detached_tensor();
                let tensor = match rest {
                    "intermediate.dense.weight" | "intermediate.dense.bias" => tensor.index_select(&neurons, 0)?,
                    "output.dense.weight" => tensor.index_select(&neurons, 1)?,
                    _ => tensor,
                };
                keep(&format!("{renamed}{rest}"), tensor)?;
            }
        }
        let mut student = self.clone();
        (student.config, student.parameters) = (config, parameters);
        student.set_max_length(self.max_length().min(to.positions))?;
        Ok(student)
    }

    /// The neurons of a layer with the largest product of their weights' norms, in their order.
    fn strongest(&self, prefix: &str, count: usize) -> Result<Tensor> {
        let norms = |name: &str, dim: usize| -> Result<Vec<f32>> {
            let name = format!("{prefix}{name}");
            let weight =
                self.parameters().get(&name).ok_or_else(|| Error::Transplant(format!("no parameter {name}")))?;
            Ok(weight.as_detached_tensor().sqr()?.sum(dim)?.sqrt()?.to_vec1()?)
        };
        let (into, out) = (norms("intermediate.dense.weight", 1)?, norms("output.dense.weight", 0)?);
        let strength = |neuron: u32| into[neuron as usize] * out[neuron as usize];
        let mut neurons: Vec<u32> = (0..into.len() as u32).collect();
        neurons.sort_by(|a, b| strength(*b).total_cmp(&strength(*a)));
        neurons.truncate(count);
        neurons.sort_unstable();
        Ok(Tensor::new(neurons, self.device())?)
    }
}

/// The first layer and the last ones.
fn kept_layers(of: usize, count: usize) -> Vec<usize> {
    let last = of - (count - 1)..of;
    std::iter::once(0).chain(last).take(count).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use tokenizers::Tokenizer;
    use tokenizers::models::wordlevel::WordLevel;

    use super::*;
    use crate::encoder::Dropout;

    fn encoder() -> Encoder {
        Encoder::random(BertConfig::tiny(4), Tokenizer::new(WordLevel::default()), 1, &Device::Cpu).unwrap()
    }

    #[test]
    fn the_first_layer_and_the_last_stay() {
        assert_eq!(kept_layers(6, 3), [0, 4, 5]);
        assert_eq!(kept_layers(6, 6), [0, 1, 2, 3, 4, 5]);
        assert_eq!(kept_layers(6, 1), [0]);
    }

    #[test]
    fn a_cut_of_everything_is_the_same() {
        let whole = encoder();
        let same = whole.cut(Cut { layers: 4, inner: 48, positions: 32 }).unwrap();
        let values = |encoder: &Encoder| {
            encoder.forward(&[&[3, 4, 5]], Dropout::Off).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(values(&whole), values(&same));
    }

    #[test]
    fn weak_neurons_go_first() {
        let whole = encoder();
        // The neuron 7 of the last layer says nothing: without it everything is as before.
        let (name, dim) = ("encoder.layer.3.output.dense.weight", 1);
        let var = whole.parameters().get(name).unwrap();
        let rows = var.as_detached_tensor();
        let silent = rows.narrow(dim, 7, 1).unwrap().zeros_like().unwrap();
        let parts = [rows.narrow(dim, 0, 7).unwrap(), silent, rows.narrow(dim, 8, 40).unwrap()];
        var.set(&Tensor::cat(&parts, dim).unwrap()).unwrap();
        let cut = whole.cut(Cut { layers: 4, inner: 47, positions: 32 }).unwrap();
        let row = |encoder: &Encoder, at: usize| {
            let name = "encoder.layer.3.intermediate.dense.weight";
            encoder.parameters().get(name).unwrap().as_detached_tensor().get(at).unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(row(&cut, 6), row(&whole, 6));
        assert_eq!(row(&cut, 7), row(&whole, 8));
    }

    #[test]
    fn more_than_there_is_is_refused() {
        let error = encoder().cut(Cut { layers: 5, inner: 48, positions: 32 }).unwrap_err().to_string();
        assert!(error.contains("--layers 5") && error.contains('4'), "{error}");
    }
}
