//! A run's folder: `runs/<utc>-<job>-<4 hex>/`.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Error, Result};
use crate::progress::Clock;
use crate::workspace::{self, SCHEMA, Workspace, short_id, write_json_atomic};

/// What a run is: enough to start it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Layout version.
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// Its settings, complete.
    pub settings: Value,
    /// Where it computes, as asked for.
    pub device: String,
    /// When it was made, in milliseconds since 1970, UTC.
    pub created_unix_ms: u64,
    /// The machine it runs on.
    pub host: String,
    /// Which boot of that machine (Linux).
    pub boot: String,
    /// The process that last ran it.
    pub pid: u32,
    /// Whether its job trains: of these, one runs at a time on a device.
    #[serde(default)]
    pub trains: bool,
}

/// What a new run is to do.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// The job's name.
    pub job: &'a str,
    /// Its settings, complete.
    pub settings: Value,
    /// Where it shall compute: `auto`, `cpu`, `cuda:0`, `metal`.
    pub device: &'a str,
    /// Whether it trains.
    pub trains: bool,
}

/// What a run's lock tells, or stands in for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Its lock is held.
    Held,
    /// Its lock is free.
    Free,
    /// Its lock cannot be asked (another machine's, or a file system without locks): its last sign of life came so
    /// many milliseconds ago, if there was one.
    Heartbeat(Option<u64>),
}

impl Life {
    /// Whether somebody runs it, as far as can be told.
    pub(super) fn is_running(self) -> bool {
        match self {
            Self::Held => true,
            Self::Free => false,
            Self::Heartbeat(age) => age.is_some_and(|age| age < HEARTBEAT_LIMIT_MS),
        }
    }
}

/// A heartbeat older than this, in milliseconds, is none: six are missing.
const HEARTBEAT_LIMIT_MS: u64 = 30_000;
/// A lock is asked for so often before it counts as held: whoever looks at a run holds it for a moment.
const LOCK_TRIES: u32 = 20;
/// Between two of them.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// A run on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run.
    pub fn create(workspace: &Workspace, new: &NewRun<'_>, clock: &dyn Clock) -> Result<Self> {
        let job = new.job;
        let now = clock.unix_ms();
        let pid = std::process::id();
        let stamp = utc_stamp(now);
        // Process and clock tell apart all but runs of one millisecond; those are told apart by trying again.
        for attempt in 0_u32.. {
            let id = short_id(&[
                &pid.to_string(),
                &clock.monotonic().as_nanos().to_string(),
                &now.to_string(),
                &attempt.to_string(),
            ]);
            let path = workspace.runs().join(format!("{stamp}-{job}-{}", &id[..4]));
            std::fs::create_dir_all(workspace.runs()).map_err(workspace::Error::io("making", workspace.runs()))?;
            match std::fs::create_dir(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(workspace::Error::io("making", path)(error).into()),
            }
            let folder = Self { path };
            folder.write_record(&RunRecord {
                schema: SCHEMA,
                job: job.to_owned(),
                settings: new.settings.clone(),
                device: new.device.to_owned(),
                created_unix_ms: now,
                host: host(),
                boot: boot(),
                pid,
                trains: new.trains,
            })?;
            return Ok(folder);
        }
        unreachable!("one of four billion names is free")
    }

    /// Every run of a workspace, oldest first.
    pub fn list(workspace: &Workspace) -> Result<Vec<Self>> {
        let Ok(entries) = std::fs::read_dir(workspace.runs()) else { return Ok(Vec::new()) };
        let mut runs: Vec<Self> = entries
            .filter_map(|entry| Some(Self { path: entry.ok()?.path() }))
            .filter(|run| run.path.join("run.json").is_file())
            .collect();
        runs.sort_by_cached_key(|run| (run.created_unix_ms(), run.path.clone()));
        Ok(runs)
    }

    /// The run that `wanted` names: its id, or any part of it that no other has.
    pub fn find(workspace: &Workspace, wanted: &str) -> Result<Self> {
        let mut found: Vec<Self> = Self::list(workspace)?.into_iter().filter(|run| run.id().contains(wanted)).collect();
        if let Some(exact) = found.iter().position(|run| run.id() == wanted) {
            return Ok(found.swap_remove(exact));
        }
        match found.len() {
            0 => Err(Error::Unknown(wanted.to_owned())),
            1 => Ok(found.remove(0)),
            _ => {
                let candidates = found.iter().map(Self::id).collect::<Vec<_>>().join(", ");
                Err(Error::Ambiguous { wanted: wanted.to_owned(), candidates })
            }
        }
    }

    /// The run's id, which is its folder's name.
    pub fn id(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When it was made; where its record cannot be read, when that was written.
    fn created_unix_ms(&self) -> u64 {
        let written = || {
            let moment = std::fs::metadata(self.path.join("run.json")).and_then(|data| data.modified());
            let since = moment.ok().and_then(|moment| moment.duration_since(SystemTime::UNIX_EPOCH).ok());
            since.map_or(0, |age| age.as_millis() as u64)
        };
        self.record().map_or_else(|_| written(), |record| record.created_unix_ms)
    }

    /// Where the job keeps its checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    pub(super) fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    pub(super) fn control(&self) -> PathBuf {
        self.path.join("control.jsonl")
    }

    /// What a job without a terminal writes to stdout and stderr.
    pub fn log_text(&self) -> PathBuf {
        self.path.join("log.txt")
    }

    /// What the run is.
    pub fn record(&self) -> Result<RunRecord> {
        /// What every version has, whatever the others call the rest.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let path = self.path.join("run.json");
        let text = std::fs::read_to_string(&path).map_err(workspace::Error::io("reading", &path))?;
        let malformed = |error| workspace::Error::malformed(&path, error);
        let Version { schema } = serde_json::from_str(&text).map_err(malformed)?;
        if schema > SCHEMA {
            return Err(workspace::Error::Newer { path, found: schema }.into());
        }
        Ok(serde_json::from_str(&text).map_err(malformed)?)
    }

    pub(super) fn write_record(&self, record: &RunRecord) -> Result<()> {
        Ok(write_json_atomic(&self.path.join("run.json"), record)?)
    }

    /// Takes the run's lock, or `None` where another process holds it.
    pub(super) fn try_lock(&self) -> Result<Option<File>> {
        let path = self.path.join("lock");
        let file =
            File::options().create(true).append(true).open(&path).map_err(workspace::Error::io("locking", &path))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) if has_no_locks(&error) => {
                    return Ok((!self.heartbeat_life().is_running()).then_some(file));
                }
                Err(TryLockError::Error(error)) => return Err(workspace::Error::io("locking", path)(error).into()),
            }
        }
        Ok(None)
    }

    /// Whether somebody runs it. Looking is not holding: the lock is shared with whoever else looks, and for a moment.
    pub(super) fn life(&self, ran_on: Option<&str>) -> Life {
        if ran_on.is_some_and(|ran_on| ran_on != host()) {
            return self.heartbeat_life();
        }
        let Ok(file) = File::open(self.path.join("lock")) else { return Life::Free };
        match file.try_lock_shared() {
            Ok(()) => Life::Free,
            Err(TryLockError::WouldBlock) => Life::Held,
            Err(TryLockError::Error(_)) => self.heartbeat_life(),
        }
    }

    fn heartbeat_life(&self) -> Life {
        let beat = std::fs::metadata(self.heartbeat()).and_then(|data| data.modified()).ok();
        Life::Heartbeat(beat.map(|beat| beat.elapsed().map_or(0, |age| age.as_millis() as u64)))
    }

    /// The file that a running job touches every few seconds.
    pub(super) fn heartbeat(&self) -> PathBuf {
        self.path.join("heartbeat")
    }

    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        let mut folders = vec![self.path.clone()];
        let mut size = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(data) if data.is_dir() => folders.push(entry.path()),
                    Ok(data) => size += data.len(),
                    Err(_) => {}
                }
            }
        }
        size
    }

    /// Removes the run with all it holds; refused while it runs.
    pub fn remove(&self) -> Result<()> {
        let Some(_lock) = self.try_lock()? else { return Err(Error::Running(self.id())) };
        Ok(std::fs::remove_dir_all(&self.path).map_err(workspace::Error::io("removing", &self.path))?)
    }
}

/// Some network file systems have no locks at all.
fn has_no_locks(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::Unsupported
        || error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error())
}

fn utc_stamp(unix_ms: u64) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    OffsetDateTime::from_unix_timestamp((unix_ms / 1000) as i64)
        .ok()
        .and_then(|moment| moment.format(format).ok())
        .unwrap_or_else(|| unix_ms.to_string())
}

pub(super) fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    read("/proc/sys/kernel/hostname")
        .or_else(|| read("/etc/hostname"))
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

pub(super) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}
