//! `lapidary ladder`: is a vocabulary of one's own worth it?

use clap::{ArgMatches, Command};

use super::arguments::{settings, with_detach, with_settings};
use super::{Answer, Invocation, Result};
use crate::jobs::{Job, LadderJob, LadderReport};
use crate::settings::LadderSettings;

pub(super) fn define() -> Command {
    let about = "Compare a vocabulary kept, extended and replaced, each aligned and tuned";
    with_detach(with_settings::<LadderSettings>(Command::new("ladder").about(about)))
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let job = LadderJob { settings: settings::<LadderSettings>(matches, Some(&workspace))? };
    invocation.answer(&workspace, &Job::Ladder(job), matches)
}

pub(super) fn plain(report: &LadderReport) -> String {
    format!("{}\n\n{}", report.artifact, report.table.trim_end())
}
