//! `lapidary worker`: a run's job in a process of its own. People do not call it; `runs::launch` does.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Answer, Failure, Invocation, Result};
use crate::runs::RunFolder;

pub(super) fn define() -> Command {
    Command::new("worker")
        .about("Do a run's job, detached")
        .hide(true)
        .arg(Arg::new("run").value_name("RUN").required(true).help("The run's id"))
        .arg(Arg::new("resume").long("resume").action(ArgAction::SetTrue).help("Go on from its checkpoints"))
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    // First of all, out of the terminal's session: its hang-up is not ours. Whoever leads a session already, as what
    // the service manager starts does, stays where it is.
    let _ = rustix::process::setsid();
    // A hang-up sent by hand means nothing either; a stop is asked for by SIGTERM or in the control log.
    let hung_up = std::sync::Arc::default();
    signal_hook::flag::register(signal_hook::consts::SIGHUP, hung_up)
        .map_err(|error| Failure::Failed(format!("ignoring hang-ups: {error}")))?;
    let workspace = invocation.workspace()?;
    let run = RunFolder::find(&workspace, matches.get_one::<String>("run").map_or("", String::as_str))?;
    Ok(Answer::of(&invocation.work(&workspace, run, matches.get_flag("resume"))?))
}
