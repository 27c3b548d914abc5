//! What the machine does while a job runs: a thread beside it that samples, and that shows signs of life.
//!
//! It owns all it needs and touches nothing of the job: a sample that cannot be taken is left out, a heartbeat that
//! cannot be written is not written.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sysinfo::{MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::EventLog;
use crate::progress::{Clock as _, Event, Scalars, SystemClock};

/// The first sample comes after this: what is over sooner needs none.
const FIRST: Duration = Duration::from_millis(500);
/// The others, after this.
const EVERY: Duration = Duration::from_secs(2);
/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(5);
const MIB: f64 = 1_048_576.0;

/// Samples the machine until it is dropped.
#[derive(Debug)]
pub(super) struct Sampler {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Held while something is written: after a stop, nothing is.
    stopped: Mutex<bool>,
    woken: Condvar,
}

impl Sampler {
    /// Samples for a job on `device`, into a log, with a heartbeat in a file.
    pub(super) fn start(log: Arc<EventLog>, heartbeat: PathBuf, device: String) -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        // Where no thread can be had, there are no samples.
        let _ = std::thread::Builder::new()
            .name("sampler".to_owned())
            .spawn(move || sample(&of_thread, &log, &heartbeat, &device));
        Self { shared }
    }

    /// No sample is written after this. Does not wait for the thread, which may be asking a slow driver.
    pub(super) fn stop(&self) {
        *self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.woken.notify_all();
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Does something unless it is over; says whether it did.
    fn unless_stopped(&self, work: impl FnOnce()) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*stopped {
            work();
        }
        !*stopped
    }

    fn sleep(&self, time: Duration) {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.woken.wait_timeout_while(stopped, time, |stopped| !*stopped);
    }
}

fn sample(shared: &Shared, log: &EventLog, heartbeat: &PathBuf, device: &str) {
    let clock = SystemClock::default();
    let beat = || {
        // Written anew rather than touched: the file server's clock, which every viewer sees, gives the time.
        let _ = std::fs::write(heartbeat, format!("{}\n", clock.unix_ms()));
        Instant::now()
    };
    let mut last_beat = Instant::now();
    if !shared.unless_stopped(|| last_beat = beat()) {
        return;
    }
    let mut machine = Machine::new(device);
    let mut pause = FIRST;
    loop {
        shared.sleep(pause);
        pause = EVERY;
        let values = machine.values();
        let go_on = shared.unless_stopped(|| {
            log.append(&Event::System { values }, clock.unix_ms());
            if last_beat.elapsed() + EVERY / 2 >= BEAT {
                last_beat = beat();
            }
        });
        if !go_on {
            return;
        }
    }
}

/// What can be asked about this process and its machine.
struct Machine {
    /// Where the system cannot be asked, only the GPU is.
    system: Option<System>,
    pid: Option<Pid>,
    /// Milliseconds of all cores that this process had used at the last look, and when that was.
    used: Option<(u64, Instant)>,
    cores: f64,
    gpu: gpu::Gpu,
}

impl Machine {
    fn new(device: &str) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let system = System::new().ok();
        let mut machine =
            Self { system, pid: sysinfo::get_current_pid().ok(), used: None, cores, gpu: gpu::Gpu::new(device) };
        // A share of the cores is a share since the look before.
        machine.values();
        machine
    }

    fn refresh(&mut self) {
        let Some(system) = &mut self.system else { return };
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        if let Some(pid) = self.pid {
            system.refresh_processes_specifics(
                ProcessesToUpdate::Some(&[pid]),
                false,
                ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks(),
            );
        }
    }

    /// Memory in MiB. `cpu_percent` is this process's share of all cores together, `rss_percent` of all memory.
    fn values(&mut self) -> Scalars {
        self.refresh();
        let mut values = Scalars::default();
        let mut put = |name: &str, value: f64| {
            // No more digits than mean something: the log is read over slow links.
            values.0.insert(name.to_owned(), (value * 10.0).round() / 10.0);
        };
        if let Some(system) = &self.system {
            let total = system.total_memory() as f64;
            if total > 0.0 {
                put("host_memory_used_mib", system.used_memory() as f64 / MIB);
                put("host_memory_total_mib", total / MIB);
            }
            if let Some(process) = self.pid.and_then(|pid| system.process(pid)) {
                put("rss_mib", process.memory() as f64 / MIB);
                // Counted here: the library's own share is 0 for the first looks.
                let (used, now) = (process.accumulated_cpu_time(), Instant::now());
                if let Some((before, then)) = self.used.replace((used, now)) {
                    let wall = now.duration_since(then).as_secs_f64() * 1000.0;
                    let share = used.saturating_sub(before) as f64 / (wall * self.cores);
                    put("cpu_percent", (share * 100.0).min(100.0));
                }
                if total > 0.0 {
                    put("rss_percent", process.memory() as f64 / total * 100.0);
                }
            }
        }
        self.gpu.values(&mut put);
        values
    }
}

#[cfg(feature = "nvml")]
mod gpu {
    use nvml_wrapper::{Device, Nvml};

    use super::MIB;

    /// The GPUs that a job computes on, where it does and the driver tells.
    pub(super) struct Gpu(Option<(Nvml, Vec<Which>)>);

    enum Which {
        Index(u32),
        Uuid(String),
    }

    impl Gpu {
        pub(super) fn new(device: &str) -> Self {
            let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
            let ordinals = device
                .split(',')
                .filter_map(|name| Some(name.strip_prefix("cuda")?.trim_start_matches(':').parse().unwrap_or(0)));
            let found: Vec<Which> = ordinals.filter_map(|ordinal| which(ordinal, visible.as_deref())).collect();
            let nvml = if found.is_empty() { None } else { Nvml::init().ok() };
            Self(nvml.map(|nvml| (nvml, found)))
        }

        /// Of several GPUs, the mean of what they are used and the sum of their memory.
        pub(super) fn values(&self, put: &mut impl FnMut(&str, f64)) {
            let Some((nvml, found)) = &self.0 else { return };
            let devices: Vec<Device<'_>> = found
                .iter()
                .filter_map(|which| match which {
                    Which::Index(index) => nvml.device_by_index(*index).ok(),
                    Which::Uuid(uuid) => nvml.device_by_uuid(uuid.as_str()).ok(),
                })
                .collect();
            let used: Vec<f64> =
                devices.iter().filter_map(|device| Some(f64::from(device.utilization_rates().ok()?.gpu))).collect();
            if !used.is_empty() {
                put("gpu_percent", used.iter().sum::<f64>() / used.len() as f64);
            }
            let memory: Vec<_> = devices.iter().filter_map(|device| device.memory_info().ok()).collect();
            if !memory.is_empty() {
                put("gpu_memory_used_mib", memory.iter().map(|memory| memory.used as f64).sum::<f64>() / MIB);
                put("gpu_memory_total_mib", memory.iter().map(|memory| memory.total as f64).sum::<f64>() / MIB);
            }
        }
    }

    /// CUDA counts the devices that it may see; the driver counts all.
    fn which(ordinal: usize, visible: Option<&str>) -> Option<Which> {
        let Some(visible) = visible.map(str::trim).filter(|list| !list.is_empty()) else {
            return Some(Which::Index(u32::try_from(ordinal).ok()?));
        };
        let name = visible.split(',').nth(ordinal)?.trim();
        Some(name.parse().map_or_else(|_| Which::Uuid(name.to_owned()), Which::Index))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_driver_is_asked_about_the_device_that_cuda_means() {
            let shown = |ordinal, visible| match which(ordinal, visible) {
                None => "none".to_owned(),
                Some(Which::Index(index)) => index.to_string(),
                Some(Which::Uuid(uuid)) => uuid,
            };
            assert_eq!(shown(1, None), "1");
            assert_eq!(shown(1, Some("")), "1");
            assert_eq!(shown(1, Some("4, 6")), "6");
            assert_eq!(shown(2, Some("4,6")), "none");
            assert_eq!(shown(0, Some("GPU-8f2")), "GPU-8f2");
        }
    }
}

#[cfg(not(feature = "nvml"))]
mod gpu {
    /// Without NVIDIA's library there is nothing to ask.
    pub(super) struct Gpu;

    impl Gpu {
        pub(super) const fn new(_device: &str) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as with NVIDIA's library")]
        pub(super) fn values(&self, _put: &mut impl FnMut(&str, f64)) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_of_memory_and_cores() {
        let mut machine = Machine::new("cpu");
        let mut x = 1_u64;
        for n in 0..100_000_000_u64 {
            x = std::hint::black_box(x.wrapping_mul(n | 1));
        }
        let values = machine.values().0;
        let (used, total) = (values["host_memory_used_mib"], values["host_memory_total_mib"]);
        assert!(0.0 < used && used <= total, "{values:?}");
        assert!(0.0 < values["rss_mib"] && values["rss_mib"] < total, "{values:?}");
        assert!(0.0 < values["cpu_percent"] && values["cpu_percent"] <= 100.0, "{values:?}");
    }

    #[test]
    fn nothing_is_written_after_a_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let log = Arc::new(EventLog::open(&path).unwrap());
        let sampler = Sampler::start(Arc::clone(&log), folder.path().join("heartbeat"), "cpu".to_owned());
        while std::fs::metadata(&path).unwrap().len() == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(folder.path().join("heartbeat").is_file());
        sampler.stop();
        let length = std::fs::metadata(&path).unwrap().len();
        std::thread::sleep(FIRST);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
    }
}
