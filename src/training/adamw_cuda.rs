//! The optimizer's work on an NVIDIA GPU: one kernel a parameter, and one wait for the norm of all gradients.

#![allow(unsafe_code)] // kernels take addresses

use std::fmt;
use std::sync::OnceLock;

use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaStream, DevicePtr as _, LaunchConfig, PushKernelArg as _,
};
use candle_core::cuda_backend::cudarc::nvrtc::compile_ptx;
use candle_core::{CudaDevice, Result, Storage, Tensor};

/// Threads of a block.
const THREADS: u32 = 256;
/// Blocks that share a sum of squares.
const SHARES: u32 = 64;

/// The numbers of one step.
pub(super) struct Step {
    pub(super) beta1: f32,
    pub(super) beta2: f32,
    pub(super) scale: f32,
    pub(super) shrink: f32,
    /// The rate over the first moment's correction.
    pub(super) rate: f32,
    pub(super) epsilon: f32,
    /// One over the second moment's correction.
    pub(super) correction: f32,
}

fn failed(error: impl fmt::Debug) -> candle_core::Error {
    candle_core::Error::Msg(format!("CUDA: {error:?}"))
}

fn kernel(device: &CudaDevice, name: &str) -> Result<CudaFunction> {
    static PTX: OnceLock<std::result::Result<String, String>> = OnceLock::new();
    let compiled = PTX.get_or_init(|| {
        compile_ptx(include_str!("adamw.cu")).map(|ptx| ptx.to_src()).map_err(|error| format!("{error:?}"))
    });
    let ptx = compiled.as_ref().map_err(failed)?;
    Ok(device.get_or_load_custom_func(name, "lapidary-adamw", ptx)?.into_cuda_function())
}

pub(super) fn address(tensor: &Tensor, stream: &CudaStream) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cuda(storage), Some((start, _))) = (&*storage, layout.contiguous_offsets()) else {
        candle_core::bail!("an optimizer's tensors are contiguous")
    };
    Ok(storage.as_cuda_slice::<f32>()?.device_ptr(stream).0 + (start * size_of::<f32>()) as u64)
}

/// The kernel of one step: looked up once, not for each parameter.
pub(super) struct Updater {
    device: CudaDevice,
    function: CudaFunction,
}

impl Updater {
    pub(super) fn new(device: &CudaDevice) -> Result<Self> {
        Ok(Self { device: device.clone(), function: kernel(device, "adamw")? })
    }
}

/// Moves a parameter and its moments, in place.
pub(super) fn update(updater: &Updater, tensors: [&Tensor; 4], step: &Step) -> Result<()> {
    let Updater { device, function } = updater;
    let stream = device.cuda_stream();
    let [values, first, second, gradient] = tensors.map(|tensor| address(tensor, &stream));
    let (values, first, second, gradient) = (values?, first?, second?, gradient?);
    let count = tensors[0].elem_count() as u32;
    let Step { beta1, beta2, scale, shrink, rate, epsilon, correction } = step;
    let mut builder = stream.launch_builder(function);
    builder.arg(&values).arg(&first).arg(&second).arg(&gradient).arg(&count);
    builder.arg(beta1).arg(beta2).arg(scale).arg(shrink).arg(rate).arg(epsilon).arg(correction);
    let config =
        LaunchConfig { grid_dim: (count.div_ceil(THREADS), 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: four tensors of `count` values each, all of them alive until the stream has come past this launch.
    unsafe { builder.launch(config) }.map(|_| ()).map_err(failed)
}

/// The sum of all squares.
pub(super) fn squares<'a>(device: &CudaDevice, gradients: impl ExactSizeIterator<Item = &'a Tensor>) -> Result<f64> {
    let stream = device.cuda_stream();
    let function = kernel(device, "squares")?;
    let mut shares = device.alloc_zeros::<f32>(gradients.len() * SHARES as usize)?;
    let begin = shares.device_ptr(&stream).0;
    for (at, gradient) in gradients.enumerate() {
        let values = address(gradient, &stream)?;
        let out = begin + (at * SHARES as usize * size_of::<f32>()) as u64;
        let count = gradient.elem_count() as u32;
        let mut builder = stream.launch_builder(&function);
        builder.arg(&values).arg(&out).arg(&count);
        let config = LaunchConfig { grid_dim: (SHARES, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
        // SAFETY: `count` values are read, and each block writes its own share.
        unsafe { builder.launch(config) }.map_err(failed)?;
    }
    let shares = device.clone_dtoh(&mut shares)?;
    Ok(shares.into_iter().map(f64::from).sum())
}
