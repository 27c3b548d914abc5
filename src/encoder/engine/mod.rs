//! Forward and backward passes over a whole encoder, driven by hand.
//!
//! An engine computes what the composed operators compute, in fewer and larger steps, with buffers of its own: from token
//! ids to pooled hidden states, and from their gradient to the parameters'. What it needs for the way back it keeps in a
//! [`Tape`]. The composed operators are its reference, and serve every device and configuration that has no engine.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use std::collections::BTreeMap;
#[cfg(feature = "cuda")]
use std::sync::OnceLock;

use candle_core::{Device, Result, Tensor};

use super::gemm::has_bf16;
use super::ops::Masks;
use super::{BertConfig, Frozen, Parameters, Pooling};
use crate::settings::Precision;

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
    /// The format of products.
    pub(super) precision: Precision,
    /// What gets no gradient.
    pub(super) frozen: Frozen,
}

/// What computes, if anything does on this device.
#[derive(Debug)]
pub(super) struct Engine {
    device: Device,
    cpu: cpu::Engine,
    /// Made when it is first asked for: its kernels take a second to compile.
    #[cfg(feature = "cuda")]
    cuda: OnceLock<Option<cuda::Engine>>,
}

/// What a forward pass leaves for the way back.
#[derive(Debug)]
pub(super) enum Tape {
    /// On the CPU.
    Cpu(Box<cpu::Tape>),
    /// On a GPU.
    #[cfg(feature = "cuda")]
    Cuda(cuda::Tape),
}

/// Gradients that engines sum up.
#[derive(Debug, Default)]
pub(super) struct Sums {
    cpu: cpu::Sums,
    #[cfg(feature = "cuda")]
    cuda: cuda::Sums,
}

impl Engine {
    /// The engine for a device; one that serves nothing where there is none.
    pub(super) fn on(device: &Device) -> Self {
        Self {
            device: device.clone(),
            cpu: cpu::Engine::default(),
            #[cfg(feature = "cuda")]
            cuda: OnceLock::new(),
        }
    }

    /// Whether there are products of this format for such a transformer.
    #[allow(clippy::unnecessary_wraps)] // a GPU's kernels may fail to compile
    pub(super) fn serves(&self, config: &BertConfig, precision: Precision) -> Result<bool> {
        #[cfg(feature = "cuda")]
        if self.on_gpu(config)?.is_some() {
            return Ok(true);
        }
        let _ = config;
        Ok(precision == Precision::F32 || (self.device.is_cpu() && has_bf16()))
    }

    /// The engine of this GPU for such a transformer, if it serves it.
    #[cfg(feature = "cuda")]
    fn on_gpu(&self, config: &BertConfig) -> Result<Option<&cuda::Engine>> {
        let Device::Cuda(device) = &self.device else { return Ok(None) };
        if self.cuda.get().is_none() {
            // Of two threads that make one, one is thrown away.
            let _ = self.cuda.set(cuda::Engine::new(device, config)?);
        }
        Ok(self.cuda.get().and_then(Option::as_ref))
    }

    /// Pooled hidden states `[texts, hidden]`, and with `keep` what the way back needs; `None` where this engine does not
    /// serve such an input.
    pub(super) fn forward(&self, input: Input<'_>, keep: bool) -> Result<Option<(Tensor, Option<Tape>)>> {
        if self.device.is_cpu() {
            let (pooled, tape) = self.cpu.forward(input, keep)?;
            return Ok(Some((pooled, tape.map(|tape| Tape::Cpu(Box::new(tape))))));
        }
        #[cfg(feature = "cuda")]
        if let (Some(engine), Precision::Bf16) = (self.on_gpu(input.config)?, input.precision) {
            let (pooled, tape) = engine.forward(input, keep)?;
            return Ok(Some((pooled, tape.map(Tape::Cuda))));
        }
        Ok(None)
    }

    /// Sends the gradient of the pooled hidden states back, and adds the parameters' to `into`.
    pub(super) fn backward(&self, parameters: &Parameters, tape: Tape, pooled: &Tensor, into: &mut Sums) -> Result<()> {
        match tape {
            Tape::Cpu(tape) => self.cpu.backward(parameters, *tape, pooled, &mut into.cpu),
            #[cfg(feature = "cuda")]
            Tape::Cuda(tape) => match self.cuda.get() {
                Some(Some(engine)) => engine.backward(parameters, tape, pooled, &mut into.cuda),
                _ => candle_core::bail!("a record of another engine"),
            },
        }
    }
}

impl Sums {
    /// The sums as tensors, by the parameter's name.
    pub(super) fn finish(self) -> Result<BTreeMap<String, Tensor>> {
        let sums = self.cpu.finish()?;
        #[cfg(feature = "cuda")]
        let sums = sums.into_iter().chain(self.cuda.finish()).collect();
        Ok(sums)
    }
}
