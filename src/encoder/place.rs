//! Where an encoder computes: the CPU, or devices that this build and this machine have.

use candle_core::Device;

use super::{Error, Result};

/// All GPUs of the machine.
const ALL_GPUS: &str = "cuda:all";

/// Where an encoder computes, and where replicas of it are trained beside it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The device; where there are several, the first.
    pub device: Device,
    /// What it is called: `cpu`, `cuda:0`, `metal`; several, in their order, `cuda:0,cuda:1`.
    pub name: String,
    /// Devices beside it, which training alone uses.
    pub others: Vec<Device>,
}

impl Place {
    /// The place that `auto`, `cpu`, `cuda`, `cuda:N` or `metal` names, or that several names do, with commas between them:
    /// GPUs, none of them twice, or `cpu` more than once, which is of use to tests. `cuda:all` names every GPU.
    pub fn find(wanted: &str) -> Result<Self> {
        if wanted == ALL_GPUS {
            return Self::several(ALL_GPUS, &gpu::names()?);
        }
        let names: Vec<&str> = wanted.split(',').map(str::trim).collect();
        if names.len() > 1 { Self::several(wanted, &names) } else { Self::one(wanted) }
    }

    /// What the first device is called.
    pub fn first(&self) -> &str {
        self.name.split(',').next().unwrap_or_default()
    }

    /// What each device is called, once, in an order that is the same for every list of them.
    pub fn devices(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.name.split(',').collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn one(wanted: &str) -> Result<Self> {
        let at = |device, name| Self { device, name, others: Vec::new() };
        let cuda = |ordinal: usize| Device::new_cuda(ordinal).map(|device| at(device, format!("cuda:{ordinal}")));
        let metal = || Device::new_metal(0).map(|device| at(device, "metal".to_owned()));
        let cpu = at(Device::Cpu, "cpu".to_owned());
        match wanted {
            "cpu" => Ok(cpu),
            "auto" if cfg!(feature = "cuda") => Ok(cuda(0).unwrap_or(cpu)),
            "auto" if cfg!(feature = "metal") => Ok(metal().unwrap_or(cpu)),
            "auto" => Ok(cpu),
            "metal" => metal().map_err(|error| refuse("metal", &error)),
            _ => {
                let ordinal = ordinal(wanted).ok_or_else(|| Error::UnknownDevice(wanted.to_owned()))?;
                cuda(ordinal).map_err(|error| refuse("cuda", &error))
            }
        }
    }

    fn several<S: AsRef<str>>(wanted: &str, names: &[S]) -> Result<Self> {
        let refuse_list = |problem| Error::DeviceList { list: wanted.to_owned(), problem };
        if let [name] = names {
            return Self::one(name.as_ref());
        }
        if names.iter().all(|name| name.as_ref() == "cpu") {
            let others = vec![Device::Cpu; names.len().saturating_sub(1)];
            return Ok(Self { device: Device::Cpu, name: wanted.replace(' ', ""), others });
        }
        let ordinals: Option<Vec<usize>> = names.iter().map(|name| ordinal(name.as_ref())).collect();
        let ordinals = ordinals.ok_or_else(|| refuse_list("several devices are GPUs: cuda:0,cuda:1 or cuda:all"))?;
        if (1..ordinals.len()).any(|at| ordinals[..at].contains(&ordinals[at])) {
            return Err(refuse_list("names a GPU twice"));
        }
        let devices = ordinals.iter().map(|&ordinal| gpu::open(ordinal).map_err(|error| refuse("cuda", &error)));
        let mut devices = devices.collect::<Result<Vec<_>>>()?;
        if devices.is_empty() {
            return Err(refuse_list("there is no GPU"));
        }
        let device = devices.remove(0);
        let name = ordinals.iter().map(|ordinal| format!("cuda:{ordinal}")).collect::<Vec<_>>().join(",");
        Ok(Self { device, name, others: devices })
    }
}

/// The GPU that `cuda` or `cuda:N` names.
fn ordinal(name: &str) -> Option<usize> {
    name.strip_prefix("cuda")?.strip_prefix(':').map_or_else(|| (name == "cuda").then_some(0), |at| at.parse().ok())
}

#[cfg(feature = "cuda")]
#[allow(unsafe_code)] // what candle asks of who has one stream
mod gpu {
    use candle_core::cuda_backend::cudarc::driver::CudaContext;
    use candle_core::{Device, Result};

    use super::refuse;

    /// A GPU of several. Each has a stream of its own, the same whichever thread uses it: otherwise candle takes one for
    /// each thread, and what one thread begins another would not wait for.
    pub(super) fn open(ordinal: usize) -> Result<Device> {
        let device = Device::new_cuda_with_stream(ordinal)?;
        if let Device::Cuda(device) = &device {
            // SAFETY: there is one stream, which keeps everything in order.
            unsafe { device.disable_event_tracking() };
        }
        Ok(device)
    }

    /// What the GPUs are called.
    pub(super) fn names() -> super::Result<Vec<String>> {
        let count = CudaContext::device_count();
        let count = count.map_err(|error| refuse("cuda", &candle_core::Error::Msg(error.to_string())))?;
        Ok((0..count).map(|ordinal| format!("cuda:{ordinal}")).collect())
    }
}

#[cfg(not(feature = "cuda"))]
mod gpu {
    use candle_core::{Device, Result};

    /// Says what this build lacks.
    pub(super) fn open(ordinal: usize) -> Result<Device> {
        Device::new_cuda(ordinal)
    }

    /// The same.
    pub(super) fn names() -> super::Result<Vec<String>> {
        open(0).map(|_| Vec::new()).map_err(|error| super::refuse("cuda", &error))
    }
}

fn refuse(feature: &str, error: &candle_core::Error) -> Error {
    let built = (feature == "cuda" && cfg!(feature = "cuda")) || (feature == "metal" && cfg!(feature = "metal"));
    if built {
        Error::NoDevice(format!("cannot use {feature}: {error}; `--device cpu` works everywhere"))
    } else {
        let remedy = format!("build with `--features {feature}`, or use `--device cpu`");
        Error::NoDevice(format!("this lapidary was built without {feature}: {remedy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_refused() {
        assert_eq!(
            (ordinal("cuda"), ordinal("cuda:3"), ordinal("cuda3"), ordinal("cuda:x")),
            (Some(0), Some(3), None, None)
        );
        let place = Place::find("cpu, cpu,cpu").unwrap();
        assert_eq!((place.name.as_str(), place.others.len(), place.first()), ("cpu,cpu,cpu", 2, "cpu"));
        assert_eq!(place.devices(), ["cpu"]);
        assert!(Place::find("cpu").unwrap().others.is_empty());
        for list in ["cpu,cuda:0", "cuda:0,", "cuda:0,metal", "cuda,cuda:0", "auto,auto", ","] {
            let error = Place::find(list).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--device {list}: ")), "{error}");
        }
        let sorted = Place { device: Device::Cpu, name: "cuda:2,cuda:0".to_owned(), others: vec![Device::Cpu] };
        assert_eq!((sorted.devices(), sorted.first()), (vec!["cuda:0", "cuda:2"], "cuda:2"));
    }
}
