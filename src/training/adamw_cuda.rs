//! The optimizer's work on an NVIDIA GPU: one kernel a parameter. Loss, norm and the factor that follows from it stay there
//! until they are read, many steps at a time: a host that waits has nothing under way for the GPU to go on with.

#![allow(unsafe_code)] // kernels take addresses

use std::fmt;
use std::sync::OnceLock;

use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, CudaStream, DevicePtr as _, LaunchConfig, PushKernelArg as _,
};
use candle_core::cuda_backend::cudarc::nvrtc::compile_ptx;
use candle_core::{CudaDevice, Result, Storage, Tensor};

use super::Reading;

/// Threads of a block.
const THREADS: u32 = 256;
/// Blocks that share a sum of squares.
const SHARES: u32 = 64;
/// Steps that can wait to be read.
const READINGS: usize = 64;

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

/// Moves a parameter and its moments, in place. The number at `clip`, where it is an address, stands in for the step's
/// scale.
pub(super) fn update(updater: &Updater, tensors: [&Tensor; 4], step: &Step, clip: u64) -> Result<()> {
    let Updater { device, function } = updater;
    let stream = device.cuda_stream();
    let [values, first, second, gradient] = tensors.map(|tensor| address(tensor, &stream));
    let (values, first, second, gradient) = (values?, first?, second?, gradient?);
    let count = tensors[0].elem_count() as u32;
    let Step { beta1, beta2, scale, shrink, rate, epsilon, correction } = step;
    let mut builder = stream.launch_builder(function);
    builder.arg(&values).arg(&first).arg(&second).arg(&gradient).arg(&count);
    builder.arg(beta1).arg(beta2).arg(scale).arg(shrink).arg(rate).arg(epsilon).arg(correction).arg(&clip);
    let config =
        LaunchConfig { grid_dim: (count.div_ceil(THREADS), 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: four tensors of `count` values each, all of them alive until the stream has come past this launch.
    unsafe { builder.launch(config) }.map(|_| ()).map_err(failed)
}

/// What steps came to, kept on the GPU until somebody asks.
#[derive(Debug)]
pub(super) struct Gauge {
    device: CudaDevice,
    /// Sums of squares, so many of each gradient.
    shares: CudaSlice<f32>,
    /// Loss and norm of each step since the last reading.
    readings: CudaSlice<f64>,
    taken: usize,
    /// The factor on gradients, and whether a value was no number.
    clip: CudaSlice<f32>,
}

impl Gauge {
    pub(super) fn new(device: &CudaDevice) -> Result<Self> {
        Ok(Self {
            device: device.clone(),
            shares: device.alloc_zeros(1)?,
            readings: device.alloc_zeros(2 * READINGS)?,
            taken: 0,
            clip: device.alloc_zeros(2)?,
        })
    }

    /// Whether there is no room for another step.
    pub(super) const fn is_full(&self) -> bool {
        self.taken == READINGS
    }

    /// Measures a step, and says where on the GPU the factor on its gradients will stand. Nothing waits.
    pub(super) fn measure<'a>(
        &mut self,
        loss: Option<&Tensor>,
        gradients: impl ExactSizeIterator<Item = &'a Tensor>,
        limit: f64,
    ) -> Result<u64> {
        if self.is_full() {
            candle_core::bail!("{READINGS} steps wait to be read")
        }
        let stream = self.device.cuda_stream();
        let function = kernel(&self.device, "squares")?;
        let count = gradients.len() * SHARES as usize;
        if self.shares.len() < count {
            self.shares = self.device.alloc_zeros(count)?;
        }
        let shares = self.shares.device_ptr(&stream).0;
        for (at, gradient) in gradients.enumerate() {
            let gradient = gradient.contiguous()?;
            let values = address(&gradient, &stream)?;
            let out = shares + (at * SHARES as usize * size_of::<f32>()) as u64;
            let count = gradient.elem_count() as u32;
            let mut builder = stream.launch_builder(&function);
            builder.arg(&values).arg(&out).arg(&count);
            let config = LaunchConfig { grid_dim: (SHARES, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
            // SAFETY: `count` values are read, and each block writes its own share.
            unsafe { builder.launch(config) }.map_err(failed)?;
        }
        let loss = loss.map_or(Ok(0), |loss| address(loss, &stream))?;
        let reading = self.readings.device_ptr(&stream).0 + (2 * self.taken * size_of::<f64>()) as u64;
        let clip = self.clip.device_ptr(&stream).0;
        let (settle, count) = (kernel(&self.device, "settle")?, count as u32);
        let mut builder = stream.launch_builder(&settle);
        builder.arg(&shares).arg(&count).arg(&loss).arg(&limit).arg(&reading).arg(&clip);
        let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
        // SAFETY: the kernels before it have written `count` shares; there is room for two numbers at both places.
        unsafe { builder.launch(config) }.map_err(failed)?;
        self.taken += 1;
        Ok(clip)
    }

    /// Makes room for other steps; nobody will ask what the last ones came to.
    pub(super) const fn forget(&mut self) {
        self.taken = 0;
    }

    /// What the steps since the last call came to. Waits for them.
    pub(super) fn readings(&mut self) -> Result<Vec<Reading>> {
        let taken = std::mem::take(&mut self.taken);
        if taken == 0 {
            return Ok(Vec::new());
        }
        let values = self.device.clone_dtoh(&self.readings.slice(..2 * taken))?;
        Ok(values.chunks_exact(2).map(|pair| Reading { loss: pair[0], norm: pair[1] }).collect())
    }
}
