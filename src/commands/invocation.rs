//! One call of the binary: what every command needs, and how a job becomes a run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::ArgMatches;

use super::foreground::{Foreground, interrupt_flag};
use super::output::Format;
use super::{Failure, Result};
use crate::jobs::{self, Context, Job, Place, Report};
use crate::progress::SystemClock;
use crate::runs::{Ended, RunFolder, Session};
use crate::workspace::Workspace;

/// One call of the binary.
pub(super) struct Invocation {
    pub(super) format: Format,
    pub(super) clock: SystemClock,
    workspace: Option<PathBuf>,
    device: String,
    threads: Option<usize>,
    interrupted: Arc<AtomicBool>,
}

impl Invocation {
    pub(super) fn new(matches: &ArgMatches) -> Self {
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        Self {
            format: if text("format").as_deref() == Some("json") { Format::Json } else { Format::Plain },
            clock: SystemClock::default(),
            workspace: matches.get_one::<PathBuf>("workspace").cloned(),
            device: text("device").unwrap_or_else(|| "auto".to_owned()),
            threads: matches.get_one::<u64>("threads").map(|n| *n as usize),
            interrupted: interrupt_flag(),
        }
    }

    /// Limits the threads of everything that computes. Must come before anything does.
    pub(super) fn set_threads(&self) -> Result<()> {
        let Some(threads) = self.threads else { return Ok(()) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|error| Failure::Failed(format!("--threads {threads}: {error}")))
    }

    /// The workspace that the command is about.
    pub(super) fn workspace(&self) -> Result<Workspace> {
        Ok(match &self.workspace {
            Some(folder) => Workspace::open(folder)?,
            None => Workspace::find(&PathBuf::from("."))?,
        })
    }

    pub(super) fn foreground(&self) -> Foreground<'_> {
        Foreground::new(self.format, Arc::clone(&self.interrupted), &self.clock)
    }

    /// Runs a job in a new run of the workspace, watched in the foreground.
    pub(super) fn run_job(&self, workspace: &Workspace, job: &Job) -> Result<Report> {
        let place = Place::find(&self.device)?;
        let run = RunFolder::create(workspace, job.name(), job.settings(), &place.name, &self.clock)?;
        self.run_in(workspace, job, &place, run, false)
    }

    /// Goes on with a run that stopped, failed or crashed.
    pub(super) fn resume(&self, workspace: &Workspace, run: RunFolder) -> Result<Report> {
        run.check_resumable()?;
        let record = run.record()?;
        let job = Job::from_record(&record.job, &record.settings)?;
        let device = if self.device == "auto" { record.device } else { self.device.clone() };
        let place = Place::find(&device)?;
        self.run_in(workspace, &job, &place, run, true)
    }

    fn run_in(&self, workspace: &Workspace, job: &Job, place: &Place, run: RunFolder, resume: bool) -> Result<Report> {
        let foreground = self.foreground();
        let session = Session::begin(run, &foreground, &self.clock)?;
        let context = Context {
            workspace,
            observer: &session,
            clock: &self.clock,
            place,
            checkpoints: session.run().checkpoints(),
            resume,
        };
        match job.run(&context) {
            Ok(report) => {
                session.end(&Ended::Finished(&report.json()));
                Ok(report)
            }
            Err(error) if error.is_stop() => {
                session.end(&Ended::Stopped);
                Err(Failure::Stopped(Some(session.run().id())))
            }
            Err(error) => {
                session.end(&Ended::Failed(&error.to_string()));
                Err(error.into())
            }
        }
    }

    /// Does work that leaves no artifact and needs no run.
    pub(super) fn without_run<T>(
        &self,
        workspace: &Workspace,
        work: impl FnOnce(&Context<'_>) -> jobs::Result<T>,
    ) -> Result<T> {
        let place = Place::find(&self.device)?;
        let foreground = self.foreground();
        let context = Context {
            workspace,
            observer: &foreground,
            clock: &self.clock,
            place: &place,
            checkpoints: PathBuf::new(),
            resume: false,
        };
        let result = work(&context);
        foreground.clear();
        Ok(result?)
    }
}
