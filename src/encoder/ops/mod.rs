//! The operators of the encoder: the one seam for speed.
//!
//! Each has a composed version of plain differentiable tensor operations, which is the reference and the path of
//! CUDA and Metal, and on the CPU a fused one with a hand-written backward pass. Both take and return f32 tensors
//! whose rows are tokens; only [`attention`] knows where one text ends and the next begins.

mod attention;
mod dropout;
mod gelu;
mod kernels;
mod layer_norm;
mod linear;

pub(super) use attention::{Heads, attention};
pub(super) use dropout::{Masks, dropout};
pub(super) use gelu::gelu;
pub(super) use layer_norm::layer_norm;
pub(super) use linear::linear;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor};

/// The contiguous f32 values behind a storage, for a fused kernel's forward pass.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let values = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => candle_core::bail!("a fused operator needs contiguous values, not {:?}", layout.stride()),
    }
}

/// Lends the f32 values of CPU tensors to a kernel, copied only where they are not contiguous.
fn with_values<const N: usize, R>(tensors: [&Tensor; N], kernel: impl FnOnce([&[f32]; N]) -> R) -> Result<R> {
    let tensors = tensors.map(Tensor::contiguous);
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor?);
    }
    let guards: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut slices: [&[f32]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
        let Storage::Cpu(storage) = &**storage else {
            candle_core::bail!("a fused operator runs on the CPU only");
        };
        *slice = values(storage, layout)?;
    }
    Ok(kernel(slices))
}

/// Whether two versions of an operator agree, and whether the fused one's gradients are right.
#[cfg(test)]
mod checks {
    use candle_core::{Device, Result, Tensor, Var};
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    /// A variable of small random numbers.
    pub(super) fn random(shape: &[usize], seed: u64) -> Var {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
    }

    fn scalar(output: &Tensor, weights: &Tensor) -> Result<Tensor> {
        (output * weights)?.sum_all()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
    }

    /// Output and gradients of `fused` equal those of `composed`, and its gradients equal finite differences.
    pub(super) fn same_and_differentiable(
        arguments: &[Var],
        fused: impl Fn(&[Tensor]) -> Result<Tensor>,
        composed: impl Fn(&[Tensor]) -> Result<Tensor>,
    ) {
        let tensors: Vec<Tensor> = arguments.iter().map(|var| var.as_tensor().clone()).collect();
        let (a, b) = (fused(&tensors).unwrap(), composed(&tensors).unwrap());
        assert_eq!(a.dims(), b.dims());
        assert!(largest_difference(&a, &b) < 1e-5, "outputs differ by {}", largest_difference(&a, &b));
        // Random weights, so that no gradient is zero by symmetry.
        let weights = random(a.dims(), 99).as_tensor().clone();
        let of_fused = scalar(&a, &weights).unwrap().backward().unwrap();
        let of_composed = scalar(&b, &weights).unwrap().backward().unwrap();
        for (at, var) in arguments.iter().enumerate() {
            let (a, b) = (of_fused.get(var).expect("a gradient"), of_composed.get(var).expect("a gradient"));
            assert!(
                largest_difference(a, b) < 3e-5,
                "gradients of argument {at} differ by {}",
                largest_difference(a, b)
            );
            finite_differences(&tensors, at, a, |tensors| scalar(&fused(tensors)?, &weights));
        }
    }

    fn finite_differences(tensors: &[Tensor], at: usize, gradient: &Tensor, f: impl Fn(&[Tensor]) -> Result<Tensor>) {
        const STEP: f32 = 1e-2;
        let values: Vec<f32> = tensors[at].flatten_all().unwrap().to_vec1().unwrap();
        let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        // A prime stride looks at every region of the tensor without looking at every value.
        for index in (0..values.len()).step_by((values.len() / 23).max(1) | 1) {
            let moved = |by: f32| {
                let mut values = values.clone();
                values[index] += by;
                let mut tensors = tensors.to_vec();
                tensors[at] = Tensor::from_vec(values, tensors[at].dims(), &Device::Cpu).unwrap();
                f(&tensors).unwrap().to_scalar::<f32>().unwrap()
            };
            let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let expected = gradient[index];
            let tolerance = 2e-2 * expected.abs().max(0.3);
            assert!(
                (slope - expected).abs() < tolerance,
                "argument {at}, value {index}: slope {slope}, gradient {expected}"
            );
        }
    }
}
