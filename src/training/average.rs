//! A running average of the weights: steadier than where the last step happened to lead (Polyak and Juditsky 1992;
//! Tarvainen and Valpola 2017).

use std::collections::BTreeMap;

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor};
use rayon::prelude::*;

use super::Result;
use crate::encoder::lanes::vectorized;
use crate::encoder::{Encoder, Parameters};

/// Values that a thread takes at a time.
const CHUNK: usize = 1 << 16;

/// The average of every parameter that is trained, by name.
#[derive(Debug)]
pub(super) struct Average {
    decay: f64,
    tensors: BTreeMap<String, Tensor>,
}

impl Average {
    /// The average before the first step: the weights themselves.
    pub(super) fn of(encoder: &Encoder, decay: f64) -> Result<Self> {
        let trained = encoder.parameters().iter().filter(|(name, _)| !encoder.frozen().holds(name));
        let tensors = trained.map(|(name, var)| Ok((name.to_owned(), var.as_detached_tensor().copy()?)));
        Ok(Self { decay, tensors: tensors.collect::<Result<_>>()? })
    }

    /// An average that goes on from these values.
    pub(super) const fn restore(decay: f64, tensors: BTreeMap<String, Tensor>) -> Self {
        Self { decay, tensors }
    }

    /// Its values, to be written down.
    pub(super) const fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// Takes in the weights after a step, counted from 1. The first steps count for more than they will later, or a short
    /// run would be left with its base.
    pub(super) fn take_in(&mut self, parameters: &Parameters, step: usize) -> Result<()> {
        let decay = self.decay.min((1.0 + step as f64) / (10.0 + step as f64));
        for (name, average) in &mut self.tensors {
            let Some(var) = parameters.get(name) else { continue };
            if average.device().is_cpu() {
                average.inplace_op2(var.as_tensor(), &Blend { keep: decay as f32 })?;
            } else {
                *average = ((&*average * decay)? + (var.as_detached_tensor() * (1.0 - decay))?)?;
            }
        }
        Ok(())
    }

    /// Puts the average where the weights are, and the weights where the average was: a second time undoes it, bit by bit.
    pub(super) fn exchange(&mut self, parameters: &Parameters) -> Result<()> {
        for (name, average) in &mut self.tensors {
            let Some(var) = parameters.get(name) else { continue };
            let weights = var.as_detached_tensor().copy()?;
            var.set(average)?;
            *average = weights;
        }
        Ok(())
    }
}

/// `average = keep average + (1 - keep) weights`, in one pass over memory.
struct Blend {
    keep: f32,
}

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    fn cpu_fwd(
        &self,
        average: &mut CpuStorage,
        of_average: &Layout,
        weights: &CpuStorage,
        of_weights: &Layout,
    ) -> candle_core::Result<()> {
        let (Some((start, end)), CpuStorage::F32(average)) = (of_average.contiguous_offsets(), average) else {
            candle_core::bail!("an average is contiguous and f32")
        };
        let Some((first, last)) = of_weights.contiguous_offsets() else {
            candle_core::bail!("averaged weights are contiguous")
        };
        let (average, weights) = (&mut average[start..end], &weights.as_slice::<f32>()?[first..last]);
        average
            .par_chunks_mut(CHUNK)
            .zip(weights.par_chunks(CHUNK))
            .for_each(|(average, weights)| blend(self.keep, average, weights));
        Ok(())
    }
}

vectorized! {
    fn blend(l: Lanes, keep: f32, average: &mut [f32], weights: &[f32]) {
        let (keep, add) = (l.splat(keep), l.splat(1.0 - keep));
        for at in (0..average.len()).step_by(L::COUNT) {
            l.store(average, at, l.mul_add(keep, l.load(average, at), l.mul(add, l.load(weights, at))));
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn blends_are_those_of_the_formula() {
        let count = 70_001;
        let value = |at: usize, by: usize| ((at * by) % 13) as f32 - 6.0;
        let tensor = |by| Tensor::from_vec((0..count).map(|at| value(at, by)).collect(), count, &Device::Cpu).unwrap();
        let (average, weights) = (tensor(3), tensor(5));
        average.inplace_op2(&weights, &Blend { keep: 0.75 }).unwrap();
        for (at, found) in average.to_vec1::<f32>().unwrap().into_iter().enumerate() {
            let expected = 0.75 * value(at, 3) + 0.25 * value(at, 5);
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
    }
}
