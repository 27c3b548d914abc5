//! `AdamW` (Loshchilov and Hutter 2017), as `torch.optim.AdamW` computes it, with state that can be written down.

use std::collections::BTreeMap;

#[cfg(feature = "cuda")]
use candle_core::Device;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Tensor};
use rayon::prelude::*;
use serde::Serialize;

use super::Result;
use crate::encoder::Parameters;

/// Values that a thread takes at a time.
const CHUNK: usize = 1 << 16;

/// What does not change from step to step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AdamWOptions {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the root of the squares.
    pub epsilon: f64,
    /// Share of the rate by which weights shrink; biases and `LayerNorm` weights do not.
    pub weight_decay: f64,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

/// The optimizer with its state: two moments for each parameter, by name.
#[derive(Debug)]
pub struct AdamW {
    options: AdamWOptions,
    step: usize,
    moments: BTreeMap<String, (Tensor, Tensor)>,
}

/// Whether weight decay applies to a parameter.
fn decays(name: &str) -> bool {
    !name.ends_with("bias") && !name.ends_with("LayerNorm.weight")
}

impl AdamW {
    /// An optimizer that has seen nothing.
    pub const fn new(options: AdamWOptions) -> Self {
        Self { options, step: 0, moments: BTreeMap::new() }
    }

    /// Steps taken.
    pub const fn steps(&self) -> usize {
        self.step
    }

    /// The norm of all gradients together.
    pub fn gradient_norm(gradients: &BTreeMap<String, Tensor>) -> Result<f64> {
        #[cfg(feature = "cuda")]
        if let Some(Device::Cuda(device)) = gradients.values().next().map(Tensor::device) {
            return Ok(super::adamw_cuda::squares(device, gradients.values())?.sqrt());
        }
        // On a device the sums stay there and come over together: one wait, not one a parameter.
        let squares =
            gradients.values().map(|gradient| gradient.sqr()?.sum_all()).collect::<candle_core::Result<Vec<_>>>()?;
        if squares.is_empty() {
            return Ok(0.0);
        }
        let squares = Tensor::stack(&squares, 0)?.to_vec1::<f32>()?;
        Ok(squares.into_iter().map(f64::from).sum::<f64>().sqrt())
    }

    /// Moves every parameter that has a gradient; each gradient counts `scale` times.
    pub fn update(
        &mut self,
        parameters: &Parameters,
        gradients: &BTreeMap<String, Tensor>,
        rate: f64,
        scale: f64,
    ) -> Result<()> {
        self.step += 1;
        #[cfg(feature = "cuda")]
        let on_gpu = match gradients.values().next().map(Tensor::device) {
            Some(Device::Cuda(device)) => Some(super::adamw_cuda::Updater::new(device)?),
            _ => None,
        };
        for (name, var) in parameters.iter() {
            let Some(gradient) = gradients.get(name) else { continue };
            let gradient = gradient.contiguous()?;
            if !self.moments.contains_key(name) {
                self.moments.insert(name.to_owned(), (gradient.zeros_like()?, gradient.zeros_like()?));
            }
            let Some((first, second)) = self.moments.get_mut(name) else { continue };
            let decay = if decays(name) { self.options.weight_decay } else { 0.0 };
            let update = Update::new(&self.options, self.step, rate, scale, decay);
            #[cfg(feature = "cuda")]
            if let Some(updater) = &on_gpu {
                super::adamw_cuda::update(updater, [var.as_tensor(), first, second, &gradient], &update.on_gpu())?;
                continue;
            }
            if gradient.device().is_cpu() {
                first.inplace_op2(
                    &gradient,
                    &Moment { keep: update.beta1, add: (1.0 - update.beta1) * update.scale, squared: false },
                )?;
                second.inplace_op2(
                    &gradient,
                    &Moment {
                        keep: update.beta2,
                        add: (1.0 - update.beta2) * update.scale * update.scale,
                        squared: true,
                    },
                )?;
                var.as_tensor().inplace_op3(first, second, &update)?;
            } else {
                let gradient = (gradient * scale)?;
                let (beta1, beta2) = (self.options.beta1, self.options.beta2);
                *first = ((&*first * beta1)? + (&gradient * (1.0 - beta1))?)?;
                *second = ((&*second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
                let root = ((&*second / f64::from(update.second_correction))?.sqrt()? + self.options.epsilon)?;
                let step = ((&*first / f64::from(update.first_correction))? / root)?;
                var.set(&((var.as_tensor() * (1.0 - rate * decay))? - (step * rate)?)?)?;
            }
        }
        Ok(())
    }

    /// The state as named tensors: `first.NAME` and `second.NAME`.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let named = |(name, (first, second)): (&String, &(Tensor, Tensor))| {
            [(format!("first.{name}"), first.clone()), (format!("second.{name}"), second.clone())]
        };
        self.moments.iter().flat_map(named).collect()
    }

    /// An optimizer that goes on from such a state after so many steps.
    pub fn restore(options: AdamWOptions, step: usize, mut state: BTreeMap<String, Tensor>) -> Self {
        let names: Vec<String> = state.keys().filter_map(|key| key.strip_prefix("first.").map(str::to_owned)).collect();
        let moments = names.into_iter().filter_map(|name| {
            let first = state.remove(&format!("first.{name}"))?;
            let second = state.remove(&format!("second.{name}"))?;
            Some((name, (first, second)))
        });
        Self { options, step, moments: moments.collect() }
    }
}

/// `moment = keep * moment + add * gradient`, or its square.
struct Moment {
    keep: f32,
    add: f32,
    squared: bool,
}

fn slice_of<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("an optimizer's tensors are contiguous")
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn slice_of_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> candle_core::Result<&'a mut [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("an optimizer's tensors are contiguous")
    };
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[start..end]),
        _ => candle_core::bail!("an optimizer's tensors are f32"),
    }
}

impl InplaceOp2 for Moment {
    fn name(&self) -> &'static str {
        "adamw-moment"
    }

    fn cpu_fwd(
        &self,
        moment: &mut CpuStorage,
        of_moment: &Layout,
        gradient: &CpuStorage,
        of_gradient: &Layout,
    ) -> candle_core::Result<()> {
        let gradient = slice_of(gradient, of_gradient)?;
        let moment = slice_of_mut(moment, of_moment)?;
        moment.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK)).for_each(|(moment, gradient)| {
            for (moment, gradient) in moment.iter_mut().zip(gradient) {
                let value = if self.squared { gradient * gradient } else { *gradient };
                *moment = self.keep * *moment + self.add * value;
            }
        });
        Ok(())
    }
}

/// One step of one parameter.
struct Update {
    beta1: f32,
    beta2: f32,
    scale: f32,
    shrink: f32,
    rate: f32,
    epsilon: f32,
    first_correction: f32,
    second_correction: f32,
}

impl Update {
    fn new(options: &AdamWOptions, step: usize, rate: f64, scale: f64, decay: f64) -> Self {
        let correction = |beta: f64| (1.0 - beta.powi(i32::try_from(step).unwrap_or(i32::MAX))) as f32;
        Self {
            beta1: options.beta1 as f32,
            beta2: options.beta2 as f32,
            scale: scale as f32,
            shrink: (1.0 - rate * decay) as f32,
            rate: rate as f32,
            epsilon: options.epsilon as f32,
            first_correction: correction(options.beta1),
            second_correction: correction(options.beta2),
        }
    }
}

#[cfg(feature = "cuda")]
impl Update {
    fn on_gpu(&self) -> super::adamw_cuda::Step {
        super::adamw_cuda::Step {
            beta1: self.beta1,
            beta2: self.beta2,
            scale: self.scale,
            shrink: self.shrink,
            rate: self.rate / self.first_correction,
            epsilon: self.epsilon,
            correction: 1.0 / self.second_correction,
        }
    }
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adamw-update"
    }

    fn cpu_fwd(
        &self,
        values: &mut CpuStorage,
        of_values: &Layout,
        first: &CpuStorage,
        of_first: &Layout,
        second: &CpuStorage,
        of_second: &Layout,
    ) -> candle_core::Result<()> {
        let (first, second) = (slice_of(first, of_first)?, slice_of(second, of_second)?);
        let values = slice_of_mut(values, of_values)?;
        let rate = self.rate / self.first_correction;
        let correction = 1.0 / self.second_correction;
        values.par_chunks_mut(CHUNK).zip(first.par_chunks(CHUNK)).zip(second.par_chunks(CHUNK)).for_each(
            |((values, first), second)| {
                for ((value, first), second) in values.iter_mut().zip(first).zip(second) {
                    *value = self.shrink * *value - rate * first / ((second * correction).sqrt() + self.epsilon);
                }
            },
        );
        Ok(())
    }
}
