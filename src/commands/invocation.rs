//! One call of the binary: what every command needs, and how a job becomes a run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::ArgMatches;
use serde_json::json;

use super::foreground::{Foreground, interrupt_flag};
use super::output::{Answer, Format};
use super::{Failure, Result};
use crate::encoder::Place;
use crate::jobs::{self, Context, Job, Report};
use crate::progress::{Clock as _, Event, Observer as _, SystemClock};
use crate::runs::{self, Ended, LaunchOptions, NewRun, Queue, RunFolder, RunRecord, Session, Ticket, Waiting};
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

    /// The device that was named, or `auto`.
    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// The threads that were asked for.
    pub(super) const fn threads(&self) -> Option<usize> {
        self.threads
    }

    /// Whether the command line leaves it to us to find a workspace.
    pub(super) const fn names_no_workspace(&self) -> bool {
        self.workspace.is_none()
    }

    /// The workspace that the command is about.
    pub(super) fn workspace(&self) -> Result<Workspace> {
        Ok(self.find_workspace()?)
    }

    /// The same, with the error as the workspace tells it.
    pub(super) fn find_workspace(&self) -> Result<Workspace, crate::workspace::Error> {
        match &self.workspace {
            Some(folder) => Workspace::open(folder),
            None => Workspace::find(&PathBuf::from(".")),
        }
    }

    pub(super) fn foreground(&self) -> Foreground<'_> {
        Foreground::new(self.format, Arc::clone(&self.interrupted), &self.clock)
    }

    /// Runs a job in a new run of the workspace and answers with what it returned, or, where `--detach` asks for that,
    /// starts it in a process of its own and answers with the run's id.
    pub(super) fn answer(&self, workspace: &Workspace, job: &Job, matches: &ArgMatches) -> Result<Answer> {
        if !matches.get_flag("detach") {
            return Ok(Answer::of(&self.run_job(workspace, job)?));
        }
        // Where `auto` is, the worker finds out: here nothing touches a GPU.
        let run = self.create(workspace, job, &self.device)?;
        self.launch(workspace, &run, false)
    }

    /// Starts a run's job in a process of its own.
    pub(super) fn launch(&self, workspace: &Workspace, run: &RunFolder, resume: bool) -> Result<Answer> {
        if resume {
            run.check_resumable()?;
        }
        let device = (self.device != "auto").then(|| self.device.clone());
        let options = LaunchOptions { binary: None, device, threads: self.threads };
        let launched = runs::launch(run, workspace.root(), resume, &options)?;
        if let Some(warning) = launched.warning {
            eprintln!("lapidary: {warning}");
        }
        let id = run.id();
        let plain = format!("started {id}; `lapidary runs watch {id}` follows it");
        Ok(Answer { json: json!({ "run": id }), plain })
    }

    fn create(&self, workspace: &Workspace, job: &Job, device: &str) -> Result<RunFolder> {
        let new = NewRun { job: job.name(), settings: job.settings(), device, trains: job.trains() };
        Ok(RunFolder::create(workspace, &new, &self.clock)?)
    }

    /// Runs a job in a new run of the workspace, watched in the foreground.
    pub(super) fn run_job(&self, workspace: &Workspace, job: &Job) -> Result<Report> {
        let place = Place::find(&self.device)?;
        let run = self.create(workspace, job, &place.name)?;
        let foreground = self.foreground();
        let session = Session::begin(run, &foreground, &self.clock)?;
        self.perform(workspace, &session, job, &place, false)
    }

    /// Goes on with a run that stopped, failed or crashed.
    pub(super) fn resume(&self, workspace: &Workspace, run: RunFolder) -> Result<Report> {
        run.check_resumable()?;
        let record = run.record()?;
        let job = Job::from_record(&record.job, &record.settings)?;
        let place = Place::find(self.device_of(&record))?;
        let foreground = self.foreground();
        let session = Session::begin(run, &foreground, &self.clock)?;
        self.perform(workspace, &session, &job, &place, true)
    }

    /// Does a run's job in this process, which nobody watches: whatever happens is in the run's log.
    pub(super) fn work(&self, workspace: &Workspace, run: RunFolder, resume: bool) -> Result<Report> {
        let record = run.record()?;
        // On stderr, which is the run's `log.txt`, it says its warnings.
        let foreground = self.foreground();
        // The lock before anything slow: whoever started this waits for it.
        let session = Session::begin(run, &foreground, &self.clock)?;
        let device = self.device_of(&record);
        let found = Job::from_record(&record.job, &record.settings).and_then(|job| Ok((job, Place::find(device)?)));
        match found {
            Ok((job, place)) => self.perform(workspace, &session, &job, &place, resume),
            Err(error) => {
                session.start(device)?;
                session.end(&Ended::Failed(&error.to_string()));
                Err(error.into())
            }
        }
    }

    /// Where a run goes on: where it began, unless the command line says otherwise.
    fn device_of<'a>(&'a self, record: &'a RunRecord) -> &'a str {
        if self.device == "auto" { &record.device } else { &self.device }
    }

    /// The whole of a job's life, wherever it is watched: its turn, its work, its end.
    fn perform(
        &self,
        workspace: &Workspace,
        session: &Session<'_>,
        job: &Job,
        place: &Place,
        resume: bool,
    ) -> Result<Report> {
        session.start(&place.name)?;
        let context = Context {
            workspace,
            observer: session,
            clock: &self.clock,
            place,
            checkpoints: session.run().checkpoints(),
            resume,
        };
        let result = caught(|| {
            // Held until the work is done. One device after the other, in the same order for all who train: of two runs that
            // each want what the other has, both would wait for ever.
            let mut tickets = Vec::new();
            for device in if job.trains() { place.devices() } else { Vec::new() } {
                let Some(mut ticket) = self.queue(workspace, session, device, resume) else { continue };
                match ticket.wait(session) {
                    Ok(true) => {}
                    Ok(false) => return Err(jobs::Error::Stopped),
                    Err(error) => session.on(without_queue(&error)),
                }
                tickets.push(ticket);
            }
            job.run(&context)
        });
        match result {
            Ok(Ok(report)) => {
                session.end(&Ended::Finished(&report.json()));
                Ok(report)
            }
            Ok(Err(error)) if error.is_stop() => {
                session.end(&Ended::Stopped);
                Err(Failure::Stopped(Some(session.run().id())))
            }
            Ok(Err(error)) => {
                session.end(&Ended::Failed(&error.to_string()));
                Err(error.into())
            }
            Err(panic) => {
                let text = format!("lapidary has a fault: {panic}");
                session.end(&Ended::Failed(&text));
                Err(Failure::Failed(text))
            }
        }
    }

    /// A place in the queue of a device; none where there can be no queue, which stops no training.
    fn queue(&self, workspace: &Workspace, session: &Session<'_>, device: &str, resume: bool) -> Option<Ticket> {
        // A resumed run joins at the end; others stand in the order in which they were asked for.
        let now = self.clock.unix_ms();
        let since = if resume { now } else { session.run().record().map_or(now, |record| record.created_unix_ms) };
        let waiting = Waiting::new(session.run(), workspace.root());
        let ticket = Queue::of_device(workspace.root(), device).and_then(|queue| queue.enter(&waiting, since));
        ticket.map_err(|error| session.on(without_queue(&error))).ok()
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

fn without_queue(error: &runs::Error) -> Event {
    Event::warning(format!("{error}; training begins without waiting for others on this device"))
}

/// Does work; a panic in it becomes its text, after the panic itself was told on stderr.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // What the work leaves half done is its own and is not looked at again: the run ends.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_becomes_its_text() {
        assert_eq!(super::caught(|| 3), Ok(3));
        assert_eq!(super::caught(|| -> u8 { panic!("no {}", 4) }), Err("no 4".to_owned()));
        assert_eq!(super::caught(|| -> u8 { panic!("no") }), Err("no".to_owned()));
    }
}
