//! `lapidary` without a command: the workbench; and `lapidary keys`.

use std::io::IsTerminal as _;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use serde_json::json;

use super::{Answer, Failure, Invocation, Result};
use crate::jobs::Job;
use crate::progress::SystemClock;
use crate::runs::{LaunchOptions, NewRun, RunFolder, launch};
use crate::tui::message::Start;
use crate::tui::preferences::Preferences;
use crate::tui::runtime::{Ended, Launcher, Options, run as open};
use crate::tui::view::keys_text;
use crate::tui::workers::Outbox;
use crate::workspace::Workspace;

pub(super) fn define_keys() -> Command {
    Command::new("keys").about("The workbench's keys, as the configuration file may change them")
}

pub(super) fn run_keys(_invocation: &Invocation, _matches: &ArgMatches) -> Result<Answer> {
    let prepared = Preferences::prepare();
    if let Some(problem) = prepared.problem {
        return Err(Failure::Failed(problem));
    }
    let file = Preferences::file().map(|file| file.display().to_string()).unwrap_or_default();
    let rows = prepared.keymap.rows().map(|(context, action, keys, help)| {
        json!({ "context": context.name(), "action": action.name(), "keys": keys, "help": help })
    });
    let json = json!({ "config": file, "keys": rows.collect::<Vec<_>>() });
    Ok(Answer { json, plain: format!("# Change them in {file}\n\n{}", keys_text(&prepared.keymap)) })
}

/// Whether there is a terminal to open the workbench in.
pub(super) fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Opens the workbench on the nearest workspace; where there is none, on the sample corpus.
pub(super) fn run(invocation: &Invocation) -> Result<Answer> {
    if !has_terminal() {
        return Err(Failure::Usage(
            "the workbench needs a terminal; `lapidary --help` lists what works without one".to_owned(),
        ));
    }
    match invocation.workspace() {
        Ok(workspace) => show(invocation, &workspace, None, None),
        Err(_) if invocation.names_no_workspace() => {
            let workspace = super::demo::workspace(invocation, false)?;
            let welcome = "This is the sample corpus. Walk the tokens with the arrow keys; 4, then n, tunes a model; \
                           `lapidary init DIR --corpus PATH` makes a workspace of your own documents";
            show(invocation, &workspace, Some(welcome.to_owned()), None)
        }
        Err(failure) => Err(failure),
    }
}

/// What the workbench does for a demonstration, behind the screen.
pub(super) type Behind = Box<dyn FnOnce(Outbox) + Send>;

/// Opens the workbench on a workspace.
pub(super) fn show(
    invocation: &Invocation,
    workspace: &Workspace,
    welcome: Option<String>,
    behind: Option<Behind>,
) -> Result<Answer> {
    let options = Options {
        prepared: Preferences::prepare(),
        launcher: Arc::new(processes(invocation)),
        device: invocation.device().to_owned(),
        welcome,
        behind,
    };
    let (ended, living) = open(workspace, options)
        .map_err(|error| Failure::Failed(format!("the terminal failed: {error}; jobs that were started go on")))?;
    if ended == Ended::HungUp {
        return Err(Failure::Failed("the terminal is gone".to_owned()));
    }
    let plain = match living {
        0 => String::new(),
        1 => "1 job goes on; `lapidary` shows it again, `lapidary runs` lists it".to_owned(),
        n => format!("{n} jobs go on; `lapidary` shows them again, `lapidary runs` lists them"),
    };
    Ok(Answer { json: json!({ "running": living }), plain })
}

/// Starts jobs as processes of their own.
pub(super) struct Processes {
    threads: Option<usize>,
    clock: SystemClock,
}

/// What starts jobs for a workbench that was called so.
pub(super) fn processes(invocation: &Invocation) -> Processes {
    Processes { threads: invocation.threads(), clock: SystemClock::default() }
}

impl Processes {
    fn launch(&self, workspace: &Workspace, run: &RunFolder, resume: bool) -> Result<Option<String>, String> {
        let options = LaunchOptions { threads: self.threads, ..LaunchOptions::default() };
        let launched = launch(run, workspace.root(), resume, &options).map_err(|error| error.to_string())?;
        Ok(launched.warning)
    }
}

impl Launcher for Processes {
    fn start(&self, workspace: &Workspace, start: &Start) -> Result<(String, Option<String>), String> {
        let job = Job::from_record(&start.job, &start.record).map_err(|error| error.to_string())?;
        let new = NewRun { job: job.name(), settings: job.settings(), device: &start.device, trains: job.trains() };
        let run = RunFolder::create(workspace, &new, &self.clock).map_err(|error| error.to_string())?;
        let note = self.launch(workspace, &run, false)?;
        Ok((run.id(), note))
    }

    fn resume(&self, workspace: &Workspace, run: &RunFolder) -> Result<Option<String>, String> {
        run.check_resumable().map_err(|error| error.to_string())?;
        self.launch(workspace, run, true)
    }
}
