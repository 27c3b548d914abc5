//! Where it would compute, and with how much room.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::commands::Invocation;
use crate::encoder::Place;
use crate::encoder::hub::Hub;
use crate::workspace::Workspace;

const GIB: f64 = 1_073_741_824.0;
/// Less memory than this, and training the embedded base with its defaults will swap.
const LITTLE_MEMORY: f64 = 1.5;
/// Less disk than this, and a model with its checkpoints will not fit.
const LITTLE_DISK: f64 = 2.0;
/// Less disk than this, and nothing will.
const NO_DISK: f64 = 0.1;

pub(super) fn look(invocation: &Invocation, workspace: Option<&Workspace>) -> Vec<Finding> {
    let mut findings = vec![device(invocation.device()), threads(invocation.threads()), memory()];
    let here = || std::path::absolute(".").unwrap_or_else(|_| PathBuf::from("."));
    findings.push(disk("disk", &workspace.map_or_else(here, |workspace| workspace.root().to_owned())));
    if let Ok(hub) = Hub::from_env() {
        findings.push(disk("models' disk", hub.cache()));
    }
    findings
}

fn device(wanted: &str) -> Finding {
    let about = "device";
    match Place::find(wanted) {
        Err(error) => Finding::bad(about, error.to_string(), "leave --device out, or name one that is here"),
        Ok(place) if place.name == "cpu" && nvidia_is_here() => {
            let text = "cpu, though there is an NVIDIA GPU";
            if cfg!(feature = "cuda") {
                Finding::warn(about, text, "`lapidary doctor --device cuda` says why it is not used")
            } else {
                Finding::warn(about, text, "build with `cargo build --release --features cuda` to use it")
            }
        }
        Ok(place) => Finding::ok(about, place.name),
    }
}

/// Whether the kernel has NVIDIA's driver.
fn nvidia_is_here() -> bool {
    Path::new("/proc/driver/nvidia/version").exists()
}

fn threads(asked: Option<usize>) -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let used = rayon::current_num_threads();
    let text = format!("{used} on {cores} cores");
    match asked {
        Some(_) if used > cores => {
            Finding::warn("threads", text, "more threads than cores hinder each other: leave --threads out")
        }
        None if used < cores => {
            Finding::warn("threads", text, "RAYON_NUM_THREADS limits them: unset it, or name --threads")
        }
        _ => Finding::ok("threads", text),
    }
}

fn memory() -> Finding {
    let Ok(mut system) = sysinfo::System::new() else {
        return Finding::ok("memory", "the system does not tell");
    };
    system.refresh_memory();
    // A container may have less than the machine.
    let (total, free) = match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 => (limits.total_memory, limits.free_memory),
        _ => (system.total_memory(), system.available_memory()),
    };
    let (total, free) = (total as f64 / GIB, free as f64 / GIB);
    let text = format!("{free:.1} GiB free of {total:.1}");
    if free < LITTLE_MEMORY {
        Finding::warn("memory", text, "train with a smaller --micro-batch and --max-length, or end other programs")
    } else {
        Finding::ok("memory", text)
    }
}

/// The room where a folder is, or would be made.
fn disk(about: &'static str, folder: &Path) -> Finding {
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
    let Some(free) = free_bytes(existing) else {
        return Finding::warn(
            about,
            format!("{}: nobody knows how full it is", existing.display()),
            "look yourself: `df -h`",
        );
    };
    let free = free as f64 / GIB;
    let text = format!("{free:.1} GiB free in {}", existing.display());
    let fix = "free some space; `cache/` in a workspace may be deleted at any time";
    match free {
        _ if free < NO_DISK => Finding::bad(about, text, fix),
        _ if free < LITTLE_DISK => Finding::warn(about, text, fix),
        _ => Finding::ok(about, text),
    }
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}
