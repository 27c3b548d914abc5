//! Starting a job in a process of its own that outlives the terminal, the workbench and the connection.
//!
//! The same binary is executed again as `lapidary worker`, which leaves the terminal's session as its first act. Where
//! the login manager ends everything of a login at logout, that is not enough, and the user's service manager starts it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::folder::Life;
use super::{Error, Result, RunFolder, Tail};
use crate::progress::Event;
use crate::workspace;

/// How long a worker may take to its first sign of life; it takes its lock before it does anything slow.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(10);
/// Lines of a failed worker's last words.
const LAST_WORDS: usize = 12;
/// Bytes of them, at most.
const LAST_BYTES: u64 = 4096;
/// What a job obeys; the service manager does not hand on the environment by itself.
const ENVIRONMENT: &[&str] =
    &["PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "http_proxy", "https_proxy", "no_proxy"];
/// The same, by their beginnings.
const ENVIRONMENT_PREFIXES: &[&str] = &["LAPIDARY_", "CUDA_", "NVIDIA_", "RAYON_", "OLLAMA_", "XDG_", "RUST_BACKTRACE"];

/// How to start a worker.
#[derive(Debug, Clone, Default)]
pub struct LaunchOptions {
    /// The binary; none: this one.
    pub binary: Option<PathBuf>,
    /// Where to compute, if not where the run's record says.
    pub device: Option<String>,
    /// Threads to compute with; none: all cores.
    pub threads: Option<usize>,
}

/// What keeps a worker alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detached {
    /// A session of its own.
    Session,
    /// The user's service manager.
    SystemdUser,
}

/// A worker that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// What keeps it alive.
    pub how: Detached,
    /// What may end it nevertheless, and the remedy.
    pub warning: Option<String>,
}

/// Starts a run's job in a process of its own and waits until it holds the run's lock, or is over. Its stdout and stderr
/// go to the run's `log.txt`, whose last lines an error quotes. It keeps this process's working folder, from which relative
/// paths in a job's settings are meant.
pub fn launch(run: &RunFolder, workspace: &Path, resume: bool, options: &LaunchOptions) -> Result<Launched> {
    let started = Starting::new(run, workspace, resume, options)?;
    match Login::find().fate() {
        Fate::Lives => started.in_session(None),
        Fate::EndsAtLogout { systemd_run: false } => started.in_session(Some(LINGER.to_owned())),
        Fate::EndsAtLogout { systemd_run: true } => {
            if started.by_systemd()? {
                return Ok(Launched { how: Detached::SystemdUser, warning: (!lingers()).then(|| LINGER.to_owned()) });
            }
            started.in_session(Some(format!("systemd-run could not start it; {LINGER}")))
        }
    }
}

/// What to do where nothing of a user's outlives the last logout.
const LINGER: &str = "logout will end this job: `loginctl enable-linger` lets it go on";

struct Starting<'a> {
    run: &'a RunFolder,
    binary: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    /// Where the log ended before.
    log_end: u64,
    /// The events that the worker will write.
    events: std::cell::RefCell<Tail>,
}

impl<'a> Starting<'a> {
    fn new(run: &'a RunFolder, workspace: &Path, resume: bool, options: &LaunchOptions) -> Result<Self> {
        let binary = match &options.binary {
            Some(binary) => binary.clone(),
            None => std::env::current_exe().map_err(workspace::Error::io("finding", "lapidary's own binary"))?,
        };
        let workspace = std::path::absolute(workspace).map_err(workspace::Error::io("finding", workspace))?;
        let mut arguments =
            vec!["worker".to_owned(), "--workspace".to_owned(), workspace.to_string_lossy().into_owned(), run.id()];
        if resume {
            arguments.push("--resume".to_owned());
        }
        if let Some(device) = &options.device {
            arguments.extend(["--device".to_owned(), device.clone()]);
        }
        if let Some(threads) = options.threads {
            arguments.extend(["--threads".to_owned(), threads.to_string()]);
        }
        let log = run.log_text();
        let log_end = std::fs::metadata(&log).map_or(0, |data| data.len());
        Ok(Self { run, binary, arguments, log, log_end, events: Tail::at_end(run).into() })
    }

    fn in_session(&self, warning: Option<String>) -> Result<Launched> {
        let opening = workspace::Error::io("opening", &self.log);
        let log = File::options().create(true).append(true).open(&self.log).map_err(opening)?;
        let again = log.try_clone().map_err(workspace::Error::io("opening", &self.log))?;
        let child = Command::new(&self.binary)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(again)
            .spawn()
            .map_err(|error| self.failed(&error.to_string()))?;
        self.wait(Some(child))?;
        Ok(Launched { how: Detached::Session, warning })
    }

    /// Whether the user's service manager took it.
    fn by_systemd(&self) -> Result<bool> {
        let mut command = Command::new("systemd-run");
        command.args(["--user", "--collect", "--quiet"]).arg(format!("--unit=lapidary-{}", self.run.id()));
        if let Ok(folder) = std::env::current_dir() {
            command.arg(format!("--working-directory={}", folder.display()));
        }
        for to in ["StandardOutput", "StandardError"] {
            command.arg(format!("--property={to}=append:{}", self.log.display()));
        }
        for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
            let handed_on = ENVIRONMENT.contains(&name.as_str())
                || ENVIRONMENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            if handed_on {
                // By name: a value on a command line is for every user to see.
                command.arg(format!("--setenv={name}"));
            }
        }
        let started = command
            .arg("--")
            .arg(&self.binary)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !started.is_ok_and(|status| status.success()) {
            return Ok(false);
        }
        self.wait(None).map(|()| true)
    }

    /// Waits until the worker holds the lock or has written its `end`.
    fn wait(&self, mut child: Option<Child>) -> Result<()> {
        let begun = Instant::now();
        loop {
            // Asked first: what is gone now has said all.
            let exited = child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if self.run.life(None) == Life::Held || self.has_ended()? {
                reap(child);
                return Ok(());
            }
            if let Some(status) = exited {
                return Err(self.failed(&format!("it ended before it began ({status})")));
            }
            if begun.elapsed() > PATIENCE {
                reap(child);
                return Err(self.failed(&format!("no sign of life in {} s", PATIENCE.as_secs())));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn has_ended(&self) -> Result<bool> {
        let batch = self.events.borrow_mut().poll(usize::MAX, PATIENCE)?;
        Ok(batch.events.iter().any(|logged| matches!(logged.event, Event::End { .. })))
    }

    fn failed(&self, problem: &str) -> Error {
        let words = self.last_words();
        let said = if words.is_empty() { String::new() } else { format!("; it said:\n{words}") };
        Error::Launch { run: self.run.id(), binary: self.binary.clone(), problem: format!("{problem}{said}") }
    }

    /// The last lines that this worker wrote.
    fn last_words(&self) -> String {
        let Ok(mut file) = File::open(&self.log) else { return String::new() };
        let end = file.metadata().map_or(0, |data| data.len());
        let from = self.log_end.max(end.saturating_sub(LAST_BYTES));
        let mut bytes = Vec::new();
        let _ = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(LAST_BYTES).read_to_end(&mut bytes));
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.trim().lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
    }
}

/// A child that ends before its parent stays in the process table until somebody asks for its exit code.
fn reap(child: Option<Child>) {
    if let Some(mut child) = child {
        let _ = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || child.wait());
    }
}

/// What becomes of a job at logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing.
    Lives,
    /// It is ended, unless the user's service manager starts it.
    EndsAtLogout { systemd_run: bool },
}

/// How this process is logged in.
#[derive(Debug, Default)]
struct Login {
    /// `/proc/self/cgroup`.
    cgroup: String,
    /// logind's settings, in the order in which they are read.
    logind: Vec<String>,
    /// Whether `systemd-run` is there.
    systemd_run: bool,
}

impl Login {
    fn find() -> Self {
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let mut logind: Vec<String> = ["/usr/lib/systemd/logind.conf", "/etc/systemd/logind.conf"]
            .iter()
            .filter_map(|path| read(Path::new(path)))
            .collect();
        // One order over all folders, by name; a name in a later folder stands for the same name in an earlier one.
        let mut dropped = std::collections::BTreeMap::new();
        for folder in ["/usr/lib/systemd/logind.conf.d", "/run/systemd/logind.conf.d", "/etc/systemd/logind.conf.d"] {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().extension().is_some_and(|extension| extension == "conf") {
                    dropped.insert(entry.file_name(), entry.path());
                }
            }
        }
        logind.extend(dropped.values().filter_map(|path| read(path)));
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self {
            cgroup: read(Path::new("/proc/self/cgroup")).unwrap_or_default(),
            logind,
            systemd_run: std::env::split_paths(&path).any(|folder| folder.join("systemd-run").is_file()),
        }
    }

    /// A login's processes live in a `session-*.scope` below `user.slice`, and logind ends those where it is told to.
    fn fate(&self) -> Fate {
        let in_login = self.cgroup.lines().any(|line| {
            let path = line.splitn(3, ':').nth(2).unwrap_or_default();
            let mut parts = path.split('/').skip_while(|part| *part != "user.slice");
            parts.any(|part| part.strip_prefix("session-").and_then(|rest| rest.strip_suffix(".scope")).is_some())
        });
        if in_login && kills_user_processes(&self.logind) {
            Fate::EndsAtLogout { systemd_run: self.systemd_run }
        } else {
            Fate::Lives
        }
    }
}

/// `KillUserProcesses=` in logind's settings: the last one holds, an empty one is the default again.
fn kills_user_processes(texts: &[String]) -> bool {
    let mut kills = false;
    for text in texts {
        let mut in_login = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                in_login = line == "[Login]";
            } else if in_login
                && let Some((name, value)) = line.split_once('=')
                && name.trim() == "KillUserProcesses"
            {
                let value = value.trim().to_ascii_lowercase();
                kills = matches!(value.as_str(), "yes" | "true" | "on" | "1" | "y" | "t");
            }
        }
    }
    kills
}

/// Whether the user's service manager stays after the last logout.
fn lingers() -> bool {
    let name = std::env::var_os("USER").unwrap_or_default();
    !name.is_empty() && Path::new("/var/lib/systemd/linger").join(name).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Recorder, SystemClock};
    use crate::runs::session::tests::new_run;
    use crate::runs::{Ended, Session};

    const IN_LOGIN: &str = "0::/user.slice/user-1000.slice/session-3.scope\n";

    fn fate(cgroup: &str, logind: &[&str], systemd_run: bool) -> Fate {
        let logind = logind.iter().map(|&text| text.to_owned()).collect();
        Login { cgroup: cgroup.to_owned(), logind, systemd_run }.fate()
    }

    #[test]
    fn logout_ends_what_logind_is_told_to_end() {
        let kills = "# a comment\n[Login]\n#KillUserProcesses=no\nKillUserProcesses = yes\n";
        let spares = "[Login]\nKillUserProcesses=no\n";
        for systemd_run in [true, false] {
            let ends = Fate::EndsAtLogout { systemd_run };
            assert_eq!(fate(IN_LOGIN, &[kills], systemd_run), ends);
            assert_eq!(fate(IN_LOGIN, &[spares, kills], systemd_run), ends);
            let old = "12:pids:/user.slice/user-1000.slice/session-c2.scope\n1:name=systemd:/\n";
            assert_eq!(fate(old, &[kills], systemd_run), ends);
        }
    }

    #[test]
    fn what_is_not_told_to_end_lives() {
        let kills = "[Login]\nKillUserProcesses=yes\n";
        let elsewhere = "[Sleep]\nKillUserProcesses=yes\n";
        for logind in
            [&[][..], &[elsewhere], &[kills, "[Login]\nKillUserProcesses=no"], &[kills, "[Login]\nKillUserProcesses="]]
        {
            assert_eq!(fate(IN_LOGIN, logind, true), Fate::Lives, "{logind:?}");
        }
        for cgroup in [
            "",
            "0::/",
            "0::/system.slice/sshd.service",
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope",
            "0::/system.slice/session-3.scope",
        ] {
            assert_eq!(fate(cgroup, &[kills], true), Fate::Lives, "{cgroup}");
        }
    }

    /// A worker that says how it was called, and is gone.
    fn echo() -> LaunchOptions {
        LaunchOptions { binary: Some("/bin/echo".into()), device: Some("cpu".to_owned()), threads: Some(2) }
    }

    fn start(run: &RunFolder) -> Result<Launched> {
        Starting::new(run, Path::new("/ws"), true, &echo())?.in_session(None)
    }

    #[cfg(unix)]
    #[test]
    fn a_worker_that_dies_at_once_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        std::fs::write(run.log_text(), "words of an earlier life\n").unwrap();
        let text = start(&run).unwrap_err().to_string();
        let call = format!("worker --workspace /ws {} --resume --device cpu --threads 2", run.id());
        assert!(text.contains(&call) && text.contains("exit status: 0"), "{text}");
        assert!(!text.contains("earlier"), "{text}");
        let options = LaunchOptions { binary: Some(folder.path().join("no such binary")), ..LaunchOptions::default() };
        let error = launch(&run, folder.path(), true, &options).unwrap_err().to_string();
        assert!(error.contains("no such binary"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_or_an_end_is_a_sign_of_life() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        let (clock, watcher) = (SystemClock::default(), Recorder::default());
        let session = Session::begin(run.clone(), &watcher, &clock).unwrap();
        assert_eq!(start(&run).unwrap(), Launched { how: Detached::Session, warning: None });
        session.end(&Ended::Stopped);
        drop(session);
        assert!(start(&run).is_err(), "the end of an earlier life is no sign");
        let starting = Starting::new(&run, Path::new("/ws"), true, &echo()).unwrap();
        Session::begin(run.clone(), &watcher, &clock).unwrap().end(&Ended::Failed("at once"));
        starting.in_session(None).unwrap();
    }
}
