//! NVIDIA's library for exchanges between GPUs, looked for when several are trained on: a build, and a start on one GPU, need
//! nothing of it.
//!
//! NCCL waits for ever for a rank that does not come. So ranks meet on the host before each exchange, and whoever ends
//! between that meeting and the exchange's own end aborts the communicators of all. What remains is a GPU that neither goes on nor
//! fails.

#![allow(unsafe_code)] // a library that takes addresses

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, Device, Storage, Tensor};
use libloading::Library;

use super::exchange::{Exchange, check_alike};
use super::meeting::Meeting;
use crate::training::adamw_cuda::address;
use crate::training::{Error, Result};

/// Under these names the dynamic linker is asked for it.
const NAMES: [&str; 2] = ["libnccl.so.2", "libnccl.so"];
/// `ncclSuccess`.
const SUCCESS: c_int = 0;
/// `ncclFloat32`.
const FLOAT32: c_int = 7;
/// `ncclSum`.
const SUM: c_int = 0;

/// A communicator: one rank's end of the group.
struct Communicator(*mut c_void);

// SAFETY: NCCL lets any thread use a communicator, one at a time.
unsafe impl Send for Communicator {}

/// The functions that are used here. The library stays once it is loaded: it has threads of its own.
struct Functions {
    version: unsafe extern "C" fn(*mut c_int) -> c_int,
    init_all: unsafe extern "C" fn(*mut *mut c_void, c_int, *const c_int) -> c_int,
    all_gather: unsafe extern "C" fn(*const c_void, *mut c_void, usize, c_int, *mut c_void, *mut c_void) -> c_int,
    all_reduce:
        unsafe extern "C" fn(*const c_void, *mut c_void, usize, c_int, c_int, *mut c_void, *mut c_void) -> c_int,
    abort: unsafe extern "C" fn(*mut c_void) -> c_int,
    error: unsafe extern "C" fn(c_int) -> *const c_char,
    _library: Library,
}

impl Functions {
    fn get() -> Result<&'static Self, String> {
        static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();
        LOADED.get_or_init(Self::load).as_ref().map_err(Clone::clone)
    }

    fn load() -> Result<Self, String> {
        let mut problem = String::new();
        for name in NAMES {
            // SAFETY: a shared library of NVIDIA's, whose loading does nothing but what loading does.
            match unsafe { Library::new(name) } {
                Ok(library) => return Self::of(library).map_err(|error| format!("{name}: {error}")),
                Err(error) if problem.is_empty() => problem = error.to_string(),
                Err(_) => {}
            }
        }
        Err(problem)
    }

    fn of(library: Library) -> Result<Self, libloading::Error> {
        // SAFETY: the types are those of nccl.h, and have been since its version 2.0.
        unsafe {
            Ok(Self {
                version: *library.get(b"ncclGetVersion\0")?,
                init_all: *library.get(b"ncclCommInitAll\0")?,
                all_gather: *library.get(b"ncclAllGather\0")?,
                all_reduce: *library.get(b"ncclAllReduce\0")?,
                abort: *library.get(b"ncclCommAbort\0")?,
                error: *library.get(b"ncclGetErrorString\0")?,
                _library: library,
            })
        }
    }

    fn check(&self, status: c_int) -> Result<(), String> {
        if status == SUCCESS {
            return Ok(());
        }
        // SAFETY: NCCL answers with a text of its own that stays.
        let text = unsafe { CStr::from_ptr((self.error)(status)) };
        Err(text.to_string_lossy().into_owned())
    }
}

/// All ranks' communicators; none once they were aborted.
pub(super) struct Group {
    functions: &'static Functions,
    communicators: Vec<Mutex<Option<Communicator>>>,
}

impl Group {
    /// Joins GPUs; an error says why they cannot be.
    pub(super) fn of(devices: &[&CudaDevice]) -> Result<Self, String> {
        let functions = Functions::get()?;
        let ordinals: Vec<c_int> =
            devices.iter().map(|device| device.cuda_stream().context().ordinal() as c_int).collect();
        let mut communicators = vec![std::ptr::null_mut(); devices.len()];
        // SAFETY: room for as many communicators as there are devices.
        let status =
            unsafe { (functions.init_all)(communicators.as_mut_ptr(), devices.len() as c_int, ordinals.as_ptr()) };
        functions.check(status)?;
        let communicators = communicators.into_iter().map(|at| Mutex::new(Some(Communicator(at)))).collect();
        Ok(Self { functions, communicators })
    }

    /// The library's version, as `2.28.9`.
    pub(super) fn version(&self) -> String {
        let mut version = 0;
        // SAFETY: a number to write to.
        unsafe { (self.functions.version)(&raw mut version) };
        format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
    }

    /// Ends every exchange that is under way, on all GPUs, and makes more of them impossible.
    fn abort(&self) {
        for communicator in &self.communicators {
            let taken = communicator.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(Communicator(at)) = taken {
                // SAFETY: it was made by NCCL and is used no more: it was taken.
                unsafe { (self.functions.abort)(at) };
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nothing is under way; destroying them would wait for each other.
        self.abort();
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NCCL {} between {} GPUs", self.version(), self.communicators.len())
    }
}

/// A rank's way to the others through NCCL, on its own stream.
#[derive(Debug)]
pub(super) struct Nccl {
    rank: usize,
    group: Arc<Group>,
    meeting: Arc<Meeting>,
}

impl Nccl {
    pub(super) const fn new(rank: usize, group: Arc<Group>, meeting: Arc<Meeting>) -> Self {
        Self { rank, group, meeting }
    }

    /// Calls NCCL for `count` values, once every rank is here to do the same.
    fn call(
        &self,
        device: &CudaDevice,
        count: usize,
        function: impl FnOnce(&Functions, *mut c_void, *mut c_void) -> c_int,
    ) -> Result<()> {
        // A count needs two numbers: f32 holds whole ones up to 2^24.
        let all = self.meeting.meet(self.rank, vec![(count >> 24) as f32, (count & 0xff_ffff) as f32])?;
        check_alike(all.iter().map(|halves| halves.iter().fold(0, |count, half| count << 24 | *half as usize)))?;
        let stream = device.cuda_stream();
        let failed = |error: String| candle_core::Error::Msg(format!("NCCL: {error}"));
        stream.context().bind_to_thread().map_err(|error| failed(error.to_string()))?;
        let communicator = self.group.communicators[self.rank].lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Communicator(at)) = &*communicator else { return Err(Error::RankEnded) };
        let status = function(self.group.functions, *at, stream.cu_stream().cast());
        Ok(self.group.functions.check(status).map_err(failed)?)
    }
}

impl Exchange for Nccl {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.group.communicators.len()
    }

    fn gather(&self, rows: &Tensor) -> Result<Tensor> {
        let (rows, device) = (rows.contiguous()?, cuda(rows)?);
        let ((count, dim), ranks) = (rows.dims2()?, self.ranks());
        // SAFETY: the exchange writes all of it, and whoever reads it comes later on the same stream.
        let all = unsafe { device.alloc::<f32>(ranks * count * dim)? };
        let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(all, device.clone()));
        let all = Tensor::from_storage(storage, (ranks * count, dim), BackpropOp::none(), false);
        let stream = device.cuda_stream();
        let (from, to) = (address(&rows, &stream)?, address(&all, &stream)?);
        self.call(&device, count * dim, |functions, communicator, stream| {
            // SAFETY: `count * dim` values are read, `ranks` times as many written, and both live until the stream is past it.
            unsafe { (functions.all_gather)(from as _, to as _, count * dim, FLOAT32, communicator, stream) }
        })?;
        Ok(all)
    }

    fn sum(&self, values: Tensor) -> Result<Tensor> {
        let (values, device) = (values.contiguous()?, cuda(&values)?);
        let (at, count) = (address(&values, &device.cuda_stream())?, values.elem_count());
        self.call(&device, count, |functions, communicator, stream| {
            // SAFETY: `count` values, which NCCL may replace by their sums; they live until the stream is past it.
            unsafe { (functions.all_reduce)(at as _, at as _, count, FLOAT32, SUM, communicator, stream) }
        })?;
        Ok(values)
    }

    fn meet(&self) -> Result<()> {
        self.meeting.meet(self.rank, Vec::new()).map(|_| ())
    }

    fn abort(&self) {
        self.group.abort();
    }
}

fn cuda(tensor: &Tensor) -> Result<CudaDevice> {
    match tensor.device() {
        Device::Cuda(device) => Ok(device.clone()),
        _ => Err(candle_core::Error::Msg("NCCL joins GPUs".to_owned()).into()),
    }
}
