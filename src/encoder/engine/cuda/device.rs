//! Kernels, buffers and matrix products on one GPU, all on candle's stream.

use std::collections::VecDeque;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::cuda_backend::cudarc::cublas::{result as cublas, sys as cublas_sys};
use candle_core::cuda_backend::cudarc::driver::{
    CudaEvent, CudaFunction, CudaSlice, CudaStream, DevicePtr as _, DevicePtrMut as _, LaunchConfig, PinnedHostSlice,
    PushKernelArg as _, result as driver_result, sys as driver,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, Result, Shape, Storage, Tensor};

/// What the kernels are written in.
const SOURCE: &str = concat!(include_str!("common.cu"), include_str!("rows.cu"), include_str!("attention.cu"));
/// The least compute capability: bf16 came with Ampere.
const LEAST_CAPABILITY: i32 = 8;
/// Transfers to the GPU that can be under way at once: so far the host gets ahead of it.
const TRANSFERS: usize = 4;

/// An error of the driver or a library, as candle tells errors.
pub(super) fn failed(error: impl fmt::Display) -> candle_core::Error {
    candle_core::Error::Msg(format!("CUDA: {error}"))
}

/// The name of every kernel, in the order of its place in [`Kernels`].
macro_rules! kernels {
    ($($name:ident),+ $(,)?) => {
        /// The kernels, compiled for one shape of transformer.
        pub(super) struct Kernels {
            $(pub(super) $name: CudaFunction,)+
        }

        impl Kernels {
            fn load(device: &CudaDevice, module: &str, ptx: &str) -> Result<Self> {
                Ok(Self {
                    $($name: device.get_or_load_custom_func(stringify!($name), module, ptx)?.into_cuda_function(),)+
                })
            }
        }
    };
}

kernels! {
    embed, add_norm, norm_back, sum_partial, gelu, column_sums, pool, unpool, scatter, round_to_bf16, add,
    attend, deltas, attend_back_keys, attend_back_queries,
}

/// One GPU and the kernels compiled for one shape.
pub(super) struct Gpu {
    pub(super) device: CudaDevice,
    pub(super) stream: Arc<CudaStream>,
    pub(super) kernels: Kernels,
    pool: Arc<Mutex<Vec<Spare>>>,
    transfers: Mutex<VecDeque<Transfer>>,
}

/// Memory of the host that the GPU fetches from by itself. From any other the driver copies when all work before is done.
struct Transfer {
    values: PinnedHostSlice<u8>,
    /// Comes when it was fetched.
    fetched: CudaEvent,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let _ = self.fetched.synchronize(); // an error shows where the stream is used next
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("device", &self.device).finish_non_exhaustive()
    }
}

/// Memory that nobody uses now.
struct Spare {
    _slice: CudaSlice<u8>,
    pointer: u64,
    bytes: usize,
}

/// Memory on the GPU, of which nothing is known but its size; given back when dropped. All work is on one stream, so that
/// whoever takes it next comes after who had it.
pub(super) struct Buffer {
    spare: ManuallyDrop<Spare>,
    pool: Arc<Mutex<Vec<Spare>>>,
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.spare.bytes)
    }
}

impl Buffer {
    /// Its address.
    pub(super) fn at(&self) -> u64 {
        self.spare.pointer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: it is taken once, here, and never looked at again.
        let spare = unsafe { ManuallyDrop::take(&mut self.spare) };
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).push(spare);
    }
}

/// A kernel's argument.
pub(super) enum Value {
    /// An address on the GPU; 0: none.
    At(u64),
    /// A number.
    Int(u32),
    /// A number with a fraction.
    Float(f32),
}

impl From<&Buffer> for Value {
    fn from(buffer: &Buffer) -> Self {
        Self::At(buffer.at())
    }
}

impl From<u64> for Value {
    fn from(at: u64) -> Self {
        Self::At(at)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value)
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

/// Launches a kernel of a [`Gpu`]: grid, block, arguments in the order of its parameters.
macro_rules! launch {
    ($gpu:expr, $name:ident, $grid:expr, $block:expr, [$($argument:expr),+ $(,)?]) => {
        $gpu.launch(&$gpu.kernels.$name, $grid, $block, &[$($crate::encoder::engine::cuda::device::Value::from($argument)),+])
    };
}
pub(super) use launch;

/// How an operand of a matrix product stands in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// As it is.
    Straight,
    /// Transposed.
    Transposed,
}

/// What becomes of a matrix product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// It is rounded to bf16.
    Half,
    /// It stays f32.
    Single,
    /// It is added to what is there, f32.
    Added,
}

/// A matrix of bf16 by rows: its address, and the length of a stored row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix(pub(super) u64, pub(super) usize, pub(super) Stand);

impl Gpu {
    /// Compiles the kernels for a shape; `None` on a GPU that has no bf16.
    pub(super) fn new(device: &CudaDevice, hidden: usize, inner: usize, head: usize) -> Result<Option<Self>> {
        let stream = device.cuda_stream();
        let capability = stream.context().compute_capability().map_err(failed)?;
        if capability.0 < LEAST_CAPABILITY {
            return Ok(None);
        }
        // SAFETY: everything runs on this one stream, in order; nothing needs to be told when another is done.
        unsafe { device.disable_event_tracking() };
        keep_freed_memory(&stream)?;
        let define = |name: &str, value: usize| format!("-D{name}={value}");
        let options = CompileOptions {
            options: vec![
                "--gpu-architecture=compute_80".to_owned(),
                "--std=c++17".to_owned(),
                define("HIDDEN", hidden),
                define("INNER", inner),
                define("HEAD", head),
            ],
            ..CompileOptions::default()
        };
        let ptx = compile_ptx_with_opts(SOURCE, options).map_err(|error| failed(format!("{error:?}")))?;
        let module = format!("lapidary-encoder-{hidden}-{inner}-{head}");
        let kernels = Kernels::load(device, &module, &ptx.to_src())?;
        Ok(Some(Self { device: device.clone(), stream, kernels, pool: Arc::default(), transfers: Mutex::default() }))
    }

    /// Memory of at least so many bytes; what it holds is left from before.
    pub(super) fn buffer(&self, bytes: usize) -> Result<Buffer> {
        let bytes = bytes.max(256);
        let found = {
            let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
            let fitting = |spare: &&(usize, usize)| spare.1 >= bytes && spare.1 <= bytes * 2 + (1 << 16);
            let sizes: Vec<(usize, usize)> = pool.iter().enumerate().map(|(at, spare)| (at, spare.bytes)).collect();
            let best = sizes.iter().filter(fitting).min_by_key(|(_, size)| *size).map(|(at, _)| *at);
            best.map(|at| pool.swap_remove(at))
        };
        let spare = match found {
            Some(spare) => spare,
            None => {
                // Ragged batches differ a little from each other: room to spare serves the next one too.
                let bytes = (bytes + bytes / 8).next_multiple_of(1 << 12);
                // SAFETY: whoever reads it has written it before, on the same stream.
                let slice = unsafe { self.device.alloc::<u8>(bytes)? };
                let pointer = slice.device_ptr(&self.stream).0;
                Spare { _slice: slice, pointer, bytes }
            }
        };
        Ok(Buffer { spare: ManuallyDrop::new(spare), pool: Arc::clone(&self.pool) })
    }

    /// Memory that will hold these values for all that is launched from now on. Waits only where [`TRANSFERS`] are under
    /// way.
    pub(super) fn upload<T: plain::Plain>(&self, values: &[T]) -> Result<Buffer> {
        let bytes = T::bytes(values);
        let buffer = self.buffer(bytes.len())?;
        let mut transfers = self.transfers.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if transfers.len() < TRANSFERS { None } else { transfers.pop_front() };
        let mut transfer = match oldest {
            Some(oldest) if oldest.values.len() >= bytes.len() => oldest,
            _ => {
                let context = self.stream.context();
                // SAFETY: what is fetched from it is written to it just before.
                let values = unsafe { context.alloc_pinned(bytes.len().next_power_of_two()) }.map_err(failed)?;
                Transfer { values, fetched: context.new_event(None).map_err(failed)? }
            }
        };
        transfer.fetched.synchronize().map_err(failed)?;
        let values = &mut transfer.values.as_mut_slice().map_err(failed)?[..bytes.len()];
        values.copy_from_slice(bytes);
        // SAFETY: so many bytes are there and here, and here they stay as they are until they were fetched.
        unsafe { driver_result::memcpy_htod_async(buffer.at(), values, self.stream.cu_stream()) }.map_err(failed)?;
        transfer.fetched.record(&self.stream).map_err(failed)?;
        transfers.push_back(transfer);
        Ok(buffer)
    }

    /// Launches a kernel.
    pub(super) fn launch(
        &self,
        kernel: &CudaFunction,
        grid_dim: (usize, usize, usize),
        block_dim: (usize, usize, usize),
        arguments: &[Value],
    ) -> Result<()> {
        let whole = |(x, y, z): (usize, usize, usize)| (x as u32, y as u32, z as u32);
        let config = LaunchConfig { grid_dim: whole(grid_dim), block_dim: whole(block_dim), shared_mem_bytes: 0 };
        let mut builder = self.stream.launch_builder(kernel);
        for argument in arguments {
            match argument {
                Value::At(at) => builder.arg(at),
                Value::Int(value) => builder.arg(value),
                Value::Float(value) => builder.arg(value),
            };
        }
        // SAFETY: each call names the kernel's parameters in their order, with buffers of the sizes that it reaches.
        unsafe { builder.launch(config) }.map(|_| ()).map_err(failed)
    }

    /// `out [m, n] = a [m, k] b [k, n]`, operands bf16, sums f32.
    pub(super) fn multiply(
        &self,
        (m, k, n): (usize, usize, usize),
        a: Matrix,
        b: Matrix,
        out: u64,
        target: Target,
    ) -> Result<()> {
        use cublas_sys::cublasOperation_t::{CUBLAS_OP_N, CUBLAS_OP_T};
        use cublas_sys::{cublasComputeType_t, cublasGemmAlgo_t, cudaDataType_t};
        let operation = |stand| if stand == Stand::Straight { CUBLAS_OP_N } else { CUBLAS_OP_T };
        let (alpha, beta) = (1.0_f32, if target == Target::Added { 1.0_f32 } else { 0.0 });
        let of_out = if target == Target::Half { cudaDataType_t::CUDA_R_16BF } else { cudaDataType_t::CUDA_R_32F };
        // cuBLAS counts by columns: it is given the transposed product, `outᵀ = bᵀ aᵀ`.
        // SAFETY: the matrices are as large as the shapes say; the scalars outlive the call.
        unsafe {
            cublas::gemm_ex(
                *self.device.cublas_handle().handle(),
                operation(b.2),
                operation(a.2),
                n as i32,
                m as i32,
                k as i32,
                (&raw const alpha).cast(),
                b.0 as *const _,
                cudaDataType_t::CUDA_R_16BF,
                b.1 as i32,
                a.0 as *const _,
                cudaDataType_t::CUDA_R_16BF,
                a.1 as i32,
                (&raw const beta).cast(),
                out as *mut _,
                of_out,
                n as i32,
                cublasComputeType_t::CUBLAS_COMPUTE_32F,
                cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .map_err(|error| failed(format!("{error:?}")))
    }
}

/// The driver gives freed memory back to the system whenever somebody waits for the GPU, and that is each step: let it keep it.
fn keep_freed_memory(stream: &CudaStream) -> Result<()> {
    let context = stream.context();
    context.bind_to_thread().map_err(failed)?;
    let mut pool = std::ptr::null_mut();
    let mut threshold = u64::MAX;
    // SAFETY: the pool of a device lives as long as the device; the attribute is a u64.
    unsafe {
        driver::cuDeviceGetDefaultMemPool(&raw mut pool, context.cu_device()).result().map_err(failed)?;
        driver::cuMemPoolSetAttribute(
            pool,
            driver::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            (&raw mut threshold).cast(),
        )
        .result()
        .map_err(failed)
    }
}

/// Values that can be sent as bytes.
mod plain {
    pub(in super::super) trait Plain: Sized {
        fn bytes(values: &[Self]) -> &[u8];
    }

    macro_rules! plain {
        ($($type:ty),+) => { $(
            impl Plain for $type {
                fn bytes(values: &[Self]) -> &[u8] {
                    // SAFETY: numbers without padding, seen as the bytes that they are.
                    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
                }
            }
        )+ };
    }
    plain!(u32, f32);
}

/// Where an f32 tensor is on the GPU; it must be whole and contiguous.
pub(super) fn address_of(tensor: &Tensor, stream: &CudaStream) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cuda(storage), Some((start, _))) = (&*storage, layout.contiguous_offsets()) else {
        candle_core::bail!("an engine needs contiguous values on the GPU");
    };
    let slice = storage.as_cuda_slice::<f32>()?;
    Ok(slice.device_ptr(stream).0 + (start * size_of::<f32>()) as u64)
}

/// Where fresh memory is.
pub(super) fn address_mut(slice: &mut CudaSlice<f32>, stream: &CudaStream) -> u64 {
    slice.device_ptr_mut(stream).0
}

/// Fresh memory as a tensor.
pub(super) fn tensor(slice: CudaSlice<f32>, shape: impl Into<Shape>, device: &CudaDevice) -> Tensor {
    let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(slice, device.clone()));
    Tensor::from_storage(storage, shape, BackpropOp::none(), false)
}

/// Copies a tensor into a buffer, from a byte on.
pub(super) fn copy(gpu: &Gpu, from: &Tensor, to: &mut Buffer, at: usize) -> Result<()> {
    let bytes = from.elem_count() * size_of::<f32>();
    let address = address_of(from, &gpu.stream)?;
    // SAFETY: the tensor has so many bytes, and the buffer was made to hold them there.
    unsafe {
        driver_result::memcpy_dtod_async(to.at() + at as u64, address, bytes, gpu.stream.cu_stream()).map_err(failed)
    }
}
