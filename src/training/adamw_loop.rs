//! `AdamW` on the CPU: both moments and the parameter in one pass over memory.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp2, Layout, Storage, Tensor};
use rayon::prelude::*;

use super::AdamWOptions;
use crate::encoder::lanes::vectorized;

/// Values that a thread takes at a time.
const CHUNK: usize = 1 << 16;

/// One step of one parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update {
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
    pub(super) fn new(options: &AdamWOptions, step: usize, rate: f64, scale: f64, decay: f64) -> Self {
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

    pub(super) const fn first_correction(&self) -> f32 {
        self.first_correction
    }

    pub(super) const fn second_correction(&self) -> f32 {
        self.second_correction
    }

    /// The same numbers, as a GPU's kernel takes them.
    #[cfg(feature = "cuda")]
    pub(super) fn on_gpu(&self) -> super::adamw_cuda::Step {
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

    /// Takes the step.
    pub(super) fn apply(
        self,
        parameter: &Tensor,
        gradient: &Tensor,
        first: &mut [f32],
        second: &mut [f32],
    ) -> candle_core::Result<()> {
        parameter.inplace_op2(gradient, &Step { update: self, moments: Mutex::new((first, second)) })
    }
}

/// The operator that candle lends a parameter's values to.
struct Step<'a> {
    update: Update,
    moments: Mutex<(&'a mut [f32], &'a mut [f32])>,
}

fn slice_of<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("an optimizer's tensors are contiguous")
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

impl InplaceOp2 for Step<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        values: &mut CpuStorage,
        of_values: &Layout,
        gradient: &CpuStorage,
        of_gradient: &Layout,
    ) -> candle_core::Result<()> {
        let gradient = slice_of(gradient, of_gradient)?;
        let (Some((start, end)), CpuStorage::F32(values)) = (of_values.contiguous_offsets(), values) else {
            candle_core::bail!("an optimizer's tensors are contiguous and f32")
        };
        let values = &mut values[start..end];
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, second) = &mut *moments;
        if [gradient.len(), first.len(), second.len()] != [values.len(); 3] {
            candle_core::bail!("{} values, {} gradients, {} moments", values.len(), gradient.len(), first.len());
        }
        values
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK)))
            .for_each(|((values, gradient), (first, second))| step(self.update, values, gradient, first, second));
        Ok(())
    }
}

vectorized! {
    fn step(l: Lanes, update: Update, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let Update { beta1, beta2, scale, shrink, epsilon, .. } = update;
        let (keep1, add1) = (l.splat(beta1), l.splat((1.0 - beta1) * scale));
        let (keep2, add2) = (l.splat(beta2), l.splat((1.0 - beta2) * scale * scale));
        let rate = l.splat(update.rate / update.first_correction);
        let correction = l.splat(1.0 / update.second_correction);
        let (shrink, epsilon) = (l.splat(shrink), l.splat(epsilon));
        for at in (0..values.len()).step_by(L::COUNT) {
            let gradient = l.load(gradient, at);
            let mean = l.mul_add(keep1, l.load(first, at), l.mul(add1, gradient));
            let square = l.mul_add(keep2, l.load(second, at), l.mul(add2, l.mul(gradient, gradient)));
            l.store(first, at, mean);
            l.store(second, at, square);
            let root = l.add(l.sqrt(l.mul(square, correction)), epsilon);
            let moved = l.div(l.mul(rate, mean), root);
            l.store(values, at, l.sub(l.mul(shrink, l.load(values, at)), moved));
        }
    }
}

/// The sum of the squares of a tensor's values, the same however many threads there are.
pub(super) fn squares(tensor: &Tensor) -> candle_core::Result<f64> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { candle_core::bail!("a tensor of the CPU") };
    let parts: Vec<f32> = slice_of(storage, layout)?.par_chunks(CHUNK).map(squares_of).collect();
    Ok(parts.into_iter().map(f64::from).sum())
}

vectorized! {
    fn squares_of(l: Lanes, values: &[f32]) -> f32 {
        let mut sum = l.splat(0.0);
        for at in (0..values.len()).step_by(L::COUNT) {
            let value = l.load(values, at);
            sum = l.mul_add(value, value, sum);
        }
        l.sum(sum)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn steps_are_those_of_the_formula() {
        let count = 37;
        let start: Vec<f32> = (0..count).map(|at| at as f32 / 10.0 - 1.5).collect();
        let var = Var::from_slice(&start, count, &Device::Cpu).unwrap();
        let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
        let options = AdamWOptions::default();
        let (rate, scale, decay) = (1e-2, 0.5, 0.01);
        let mut expected: Vec<(f64, f64, f64)> = start.iter().map(|value| (f64::from(*value), 0.0, 0.0)).collect();
        for number in 1..=3 {
            let gradient: Vec<f32> = (0..count).map(|at| ((at * number) as f32).sin()).collect();
            let tensor = Tensor::from_slice(&gradient, count, &Device::Cpu).unwrap();
            let update = Update::new(&options, number, rate, scale, decay);
            update.apply(var.as_tensor(), &tensor, &mut first, &mut second).unwrap();
            for ((value, mean, square), gradient) in expected.iter_mut().zip(gradient) {
                let gradient = f64::from(gradient) * scale;
                *mean = options.beta1 * *mean + (1.0 - options.beta1) * gradient;
                *square = options.beta2 * *square + (1.0 - options.beta2) * gradient * gradient;
                let steps = i32::try_from(number).unwrap();
                let mean = *mean / (1.0 - options.beta1.powi(steps));
                let root = (*square / (1.0 - options.beta2.powi(steps))).sqrt();
                *value = *value * (1.0 - rate * decay) - rate * mean / (root + options.epsilon);
            }
        }
        for (found, (expected, ..)) in var.to_vec1::<f32>().unwrap().iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found}, not {expected}");
        }
    }

    #[test]
    fn squares_add_up() {
        let values: Vec<f32> = (0..200_003).map(|at| (at % 7) as f32).collect();
        let expected: f64 = values.iter().map(|value| f64::from(value * value)).sum();
        let found = squares(&Tensor::from_vec(values, 200_003, &Device::Cpu).unwrap()).unwrap();
        assert!((found / expected - 1.0).abs() < 1e-6);
    }
}
