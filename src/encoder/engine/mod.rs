//! Forward and backward passes over a whole encoder, driven by hand.
//!
//! An engine computes what the composed operators compute, in fewer and larger steps, with buffers of its own: from token
//! ids to pooled hidden states, and from their gradient to the parameters'. What it needs for the way back it keeps in a
//! [`Tape`]. The composed operators are its reference, and serve every device and configuration that has no engine.

mod cpu;

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor};

use super::ops::Masks;
use super::{BertConfig, Parameters, Pooling};

/// What a forward pass is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    /// The shape of the transformer.
    pub(super) config: &'a BertConfig,
    /// Its parameters.
    pub(super) parameters: &'a Parameters,
    /// Token ids of each text, none empty.
    pub(super) batch: &'a [&'a [u32]],
    /// Dropout, if any.
    pub(super) masks: Option<Masks>,
    /// How hidden states become one vector.
    pub(super) pooling: Pooling,
}

/// What computes, if anything does on this device.
#[derive(Debug)]
pub(super) struct Engine {
    device: Device,
    cpu: cpu::Engine,
}

/// What a forward pass leaves for the way back.
#[derive(Debug)]
pub(super) enum Tape {
    /// On the CPU.
    Cpu(Box<cpu::Tape>),
}

/// Gradients that engines sum up.
#[derive(Debug, Default)]
pub(super) struct Sums {
    cpu: cpu::Sums,
}

impl Engine {
    /// The engine for a device; one that serves nothing where there is none.
    pub(super) fn on(device: &Device) -> Self {
        Self { device: device.clone(), cpu: cpu::Engine::default() }
    }

    /// Pooled hidden states `[texts, hidden]`, and with `keep` what the way back needs; `None` where this engine does not
    /// serve such an input.
    pub(super) fn forward(&self, input: Input<'_>, keep: bool) -> Result<Option<(Tensor, Option<Tape>)>> {
        if self.device.is_cpu() {
            let (pooled, tape) = self.cpu.forward(input, keep)?;
            return Ok(Some((pooled, tape.map(|tape| Tape::Cpu(Box::new(tape))))));
        }
        Ok(None)
    }

    /// Sends the gradient of the pooled hidden states back, and adds the parameters' to `into`.
    pub(super) fn backward(&self, parameters: &Parameters, tape: Tape, pooled: &Tensor, into: &mut Sums) -> Result<()> {
        match tape {
            Tape::Cpu(tape) => self.cpu.backward(parameters, *tape, pooled, &mut into.cpu),
        }
    }
}

impl Sums {
    /// The sums as tensors, by the parameter's name.
    pub(super) fn finish(self) -> Result<BTreeMap<String, Tensor>> {
        self.cpu.finish()
    }
}
