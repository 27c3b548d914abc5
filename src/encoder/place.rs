//! Where an encoder computes: the CPU, or a device that this build and this machine have.

use candle_core::Device;

use super::{Error, Result};

/// Where an encoder computes.
#[derive(Debug, Clone)]
pub struct Place {
    /// The device.
    pub device: Device,
    /// What it is called: `cpu`, `cuda:0`, `metal`.
    pub name: String,
}

impl Place {
    /// The place that `auto`, `cpu`, `cuda`, `cuda:N` or `metal` names.
    pub fn find(wanted: &str) -> Result<Self> {
        let cuda =
            |ordinal: usize| Device::new_cuda(ordinal).map(|device| Self { device, name: format!("cuda:{ordinal}") });
        let metal = || Device::new_metal(0).map(|device| Self { device, name: "metal".to_owned() });
        let cpu = Self { device: Device::Cpu, name: "cpu".to_owned() };
        match wanted {
            "cpu" => Ok(cpu),
            "auto" if cfg!(feature = "cuda") => Ok(cuda(0).unwrap_or(cpu)),
            "auto" if cfg!(feature = "metal") => Ok(metal().unwrap_or(cpu)),
            "auto" => Ok(cpu),
            "metal" => metal().map_err(|error| refuse("metal", &error)),
            _ => {
                let ordinal = wanted.strip_prefix("cuda").map(|rest| rest.strip_prefix(':').unwrap_or("0"));
                let Some(Ok(ordinal)) = ordinal.map(str::parse) else {
                    return Err(Error::UnknownDevice(wanted.to_owned()));
                };
                cuda(ordinal).map_err(|error| refuse("cuda", &error))
            }
        }
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
