//! `AdamW` (Loshchilov and Hutter 2017), as `torch.optim.AdamW` computes it, with state that can be written down.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use serde::Serialize;

use super::Result;
#[cfg(feature = "cuda")]
use super::adamw_cuda::Gauge;
use super::adamw_loop::{Update, squares};
use crate::encoder::Parameters;

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
    moments: BTreeMap<String, Moments>,
    readings: Vec<Reading>,
    /// Whether a loss or a norm was no number: nothing moves any more.
    broken: bool,
    #[cfg(feature = "cuda")]
    gauge: Option<Gauge>,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The loss.
    pub loss: f64,
    /// The norm of all gradients together.
    pub norm: f64,
}

/// The running means of a parameter's gradient and of its square.
#[derive(Debug)]
enum Moments {
    /// On the CPU: values that one loop changes together with the parameter.
    Host(Vec<f32>, Vec<f32>),
    /// Elsewhere.
    Device(Tensor, Tensor),
}

impl Moments {
    fn zeros(like: &Tensor) -> candle_core::Result<Self> {
        Ok(if like.device().is_cpu() {
            Self::Host(vec![0.0; like.elem_count()], vec![0.0; like.elem_count()])
        } else {
            Self::Device(like.zeros_like()?, like.zeros_like()?)
        })
    }
}

/// Whether weight decay applies to a parameter.
fn decays(name: &str) -> bool {
    !name.ends_with("bias") && !name.ends_with("LayerNorm.weight")
}

impl AdamW {
    /// An optimizer that has seen nothing.
    pub const fn new(options: AdamWOptions) -> Self {
        Self::at(options, 0, BTreeMap::new())
    }

    const fn at(options: AdamWOptions, step: usize, moments: BTreeMap<String, Moments>) -> Self {
        Self {
            options,
            step,
            moments,
            readings: Vec::new(),
            broken: false,
            #[cfg(feature = "cuda")]
            gauge: None,
        }
    }

    /// Steps taken.
    pub const fn steps(&self) -> usize {
        self.step
    }

    /// The norm of all gradients together.
    pub fn gradient_norm(gradients: &BTreeMap<String, Tensor>) -> Result<f64> {
        #[cfg(feature = "cuda")]
        if let Some(Device::Cuda(device)) = gradients.values().next().map(Tensor::device) {
            // A gauge that is used once: its loss is none.
            let mut gauge = Gauge::new(device)?;
            gauge.measure(None, gradients.values(), 0.0)?;
            return Ok(gauge.readings()?.first().map_or(0.0, |reading| reading.norm));
        }
        // On a device the sums stay there and come over together: one wait, not one a parameter.
        let (host, device): (Vec<_>, Vec<_>) = gradients.values().partition(|gradient| gradient.device().is_cpu());
        let mut sum = 0.0;
        for gradient in host {
            sum += squares(gradient)?;
        }
        let device =
            device.into_iter().map(|gradient| gradient.sqr()?.sum_all()).collect::<candle_core::Result<Vec<_>>>()?;
        if !device.is_empty() {
            sum += Tensor::stack(&device, 0)?.to_vec1::<f32>()?.into_iter().map(f64::from).sum::<f64>();
        }
        Ok(sum.sqrt())
    }

    /// Takes a step: gradients whose norm is above `limit` are scaled down to it; 0: never. Where the loss or the norm is
    /// no finite number nothing moves, then and in all steps to come.
    ///
    /// On an NVIDIA GPU nothing waits for it: [`AdamW::readings`] does.
    pub fn step(
        &mut self,
        parameters: &Parameters,
        loss: &Tensor,
        gradients: &BTreeMap<String, Tensor>,
        rate: f64,
        limit: f64,
    ) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(Device::Cuda(device)) = gradients.values().next().map(Tensor::device) {
            if self.gauge.as_ref().is_some_and(Gauge::is_full) {
                let read = self.readings()?;
                self.readings = read;
            }
            let gauge = match &mut self.gauge {
                Some(gauge) => gauge,
                none => none.insert(Gauge::new(device)?),
            };
            let clip = gauge.measure(Some(loss), gradients.values(), limit)?;
            return self.apply(parameters, gradients, rate, 1.0, clip);
        }
        let reading = Reading { loss: f64::from(loss.to_scalar::<f32>()?), norm: Self::gradient_norm(gradients)? };
        self.readings.push(reading);
        self.broken |= !(reading.loss.is_finite() && reading.norm.is_finite());
        if self.broken {
            return Ok(());
        }
        let scale = if limit > 0.0 && reading.norm > limit { limit / reading.norm } else { 1.0 };
        self.update(parameters, gradients, rate, scale)
    }

    /// What the steps taken since the last call came to, one each; waits until a GPU has taken them.
    #[cfg_attr(not(feature = "cuda"), allow(clippy::unnecessary_wraps))] // a GPU's values may not come over
    pub fn readings(&mut self) -> Result<Vec<Reading>> {
        #[cfg(feature = "cuda")]
        if let Some(gauge) = &mut self.gauge {
            self.readings.extend(gauge.readings()?);
        }
        Ok(std::mem::take(&mut self.readings))
    }

    /// Leaves what the steps so far came to unread.
    pub(super) fn forget_readings(&mut self) {
        #[cfg(feature = "cuda")]
        if let Some(gauge) = &mut self.gauge {
            gauge.forget();
        }
        self.readings.clear();
    }

    /// Moves every parameter that has a gradient; each gradient counts `scale` times.
    pub fn update(
        &mut self,
        parameters: &Parameters,
        gradients: &BTreeMap<String, Tensor>,
        rate: f64,
        scale: f64,
    ) -> Result<()> {
        self.apply(parameters, gradients, rate, scale, 0)
    }

    /// Where `clip` is an address on the GPU, the number there stands in for `scale`.
    fn apply(
        &mut self,
        parameters: &Parameters,
        gradients: &BTreeMap<String, Tensor>,
        rate: f64,
        scale: f64,
        clip: u64,
    ) -> Result<()> {
        self.step += 1;
        let _ = clip; // only a GPU's kernels look there
        #[cfg(feature = "cuda")]
        let on_gpu = match gradients.values().next().map(Tensor::device) {
            Some(Device::Cuda(device)) => Some(super::adamw_cuda::Updater::new(device)?),
            _ => None,
        };
        for (name, var) in parameters.iter() {
            let Some(gradient) = gradients.get(name) else { continue };
            let gradient = gradient.contiguous()?;
            if !self.moments.contains_key(name) {
                self.moments.insert(name.to_owned(), Moments::zeros(&gradient)?);
            }
            let Some(moments) = self.moments.get_mut(name) else { continue };
            let decay = if decays(name) { self.options.weight_decay } else { 0.0 };
            let update = Update::new(&self.options, self.step, rate, scale, decay);
            match moments {
                Moments::Host(first, second) => update.apply(var.as_tensor(), &gradient, first, second)?,
                #[cfg(feature = "cuda")]
                Moments::Device(first, second) if on_gpu.is_some() => {
                    if let Some(updater) = &on_gpu {
                        let tensors = [var.as_tensor(), &*first, &*second, &gradient];
                        super::adamw_cuda::update(updater, tensors, &update.on_gpu(), clip)?;
                    }
                }
                Moments::Device(first, second) => {
                    let gradient = (gradient * scale)?;
                    let (beta1, beta2) = (self.options.beta1, self.options.beta2);
                    *first = ((&*first * beta1)? + (&gradient * (1.0 - beta1))?)?;
                    *second = ((&*second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
                    let root = ((&*second / f64::from(update.second_correction()))?.sqrt()? + self.options.epsilon)?;
                    let step = ((&*first / f64::from(update.first_correction()))? / root)?;
                    var.set(&((var.as_tensor() * (1.0 - rate * decay))? - (step * rate)?)?)?;
                }
            }
        }
        Ok(())
    }

    /// The state as named tensors in the shapes of their parameters: `first.NAME` and `second.NAME`.
    pub fn state(&self, parameters: &Parameters) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for (name, moments) in &self.moments {
            let Some(var) = parameters.get(name) else { continue };
            let (first, second) = match moments {
                Moments::Host(first, second) => {
                    let tensor = |values: &[f32]| Tensor::from_slice(values, var.shape(), &Device::Cpu);
                    (tensor(first)?, tensor(second)?)
                }
                Moments::Device(first, second) => (first.clone(), second.clone()),
            };
            state.insert(format!("first.{name}"), first);
            state.insert(format!("second.{name}"), second);
        }
        Ok(state)
    }

    /// An optimizer that goes on from such a state after so many steps.
    pub fn restore(options: AdamWOptions, step: usize, mut state: BTreeMap<String, Tensor>) -> Result<Self> {
        let names: Vec<String> = state.keys().filter_map(|key| key.strip_prefix("first.").map(str::to_owned)).collect();
        let mut moments = BTreeMap::new();
        for name in names {
            let (Some(first), Some(second)) =
                (state.remove(&format!("first.{name}")), state.remove(&format!("second.{name}")))
            else {
                continue;
            };
            let of_name = if first.device().is_cpu() {
                Moments::Host(first.flatten_all()?.to_vec1()?, second.flatten_all()?.to_vec1()?)
            } else {
                Moments::Device(first, second)
            };
            moments.insert(name, of_name);
        }
        Ok(Self::at(options, step, moments))
    }
}
