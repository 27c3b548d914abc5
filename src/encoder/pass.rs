//! A forward pass that can be gone back through: the graph of composed operators, or an engine's own record.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::engine::{Sums, Tape};
use super::{Encoder, Result};

/// A forward pass, kept so that a gradient can be sent back through it.
#[derive(Debug)]
pub struct Pass {
    pub(super) embeddings: Tensor,
    pub(super) way: Way,
}

/// How the way back is gone.
#[derive(Debug)]
pub(super) enum Way {
    /// Through the graph behind these embeddings.
    Graph(Tensor),
    /// Through the graph of what follows pooling, and from there through an engine's record.
    Engine {
        /// What the engine keeps.
        tape: Tape,
        /// The pooled hidden states `[texts, hidden]`, where the graph begins.
        pooled: Var,
        /// The embeddings with that graph.
        headed: Tensor,
    },
}

impl Pass {
    /// The embeddings `[texts, dim]`, without a graph.
    pub const fn embeddings(&self) -> &Tensor {
        &self.embeddings
    }
}

/// Gradients by parameter, summed over any number of passes.
#[derive(Debug, Default)]
pub struct Gradients {
    tensors: BTreeMap<String, Tensor>,
    sums: Sums,
}

impl Gradients {
    /// The gradients, by the parameter's name.
    pub fn finish(self) -> Result<BTreeMap<String, Tensor>> {
        let mut all = self.tensors;
        for (name, gradient) in self.sums.finish()? {
            let sum = match all.remove(&name) {
                Some(other) => (other + gradient)?,
                None => gradient,
            };
            all.insert(name, sum);
        }
        Ok(all)
    }

    fn add(&mut self, name: &str, gradient: Tensor) -> Result<()> {
        let sum = match self.tensors.remove(name) {
            Some(sum) => (sum + gradient)?,
            None => gradient,
        };
        self.tensors.insert(name.to_owned(), sum);
        Ok(())
    }
}

impl Encoder {
    /// Sends the gradient at a pass's embeddings `[texts, dim]` back to the parameters, and adds theirs to `into`.
    pub fn backward(&self, pass: Pass, gradient: &Tensor, into: &mut Gradients) -> Result<()> {
        let output = match &pass.way {
            Way::Graph(output) => output,
            Way::Engine { headed, .. } => headed,
        };
        let mut store = (output * gradient)?.sum_all()?.backward()?;
        for (name, var) in self.parameters().iter() {
            if let Some(gradient) = store.remove(var) {
                into.add(name, gradient)?;
            }
        }
        if let Way::Engine { tape, pooled, .. } = pass.way
            && let Some(gradient) = store.remove(&pooled)
        {
            self.engine().backward(self.parameters(), tape, &gradient, &mut into.sums)?;
        }
        Ok(())
    }
}
