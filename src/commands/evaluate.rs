//! `lapidary evaluate`: is it better, and what earned it?

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::arguments::{settings, with_detach, with_settings};
use super::{Answer, Invocation, Result};
use crate::jobs::{EvaluateJob, EvaluateReport, Job};
use crate::settings::EvaluateSettings;

pub(super) fn define() -> Command {
    let command = Command::new("evaluate")
        .about("Judge models on held-out questions, beside BM25 and both together")
        .arg(
            Arg::new("model")
                .long("model")
                .value_name("M")
                .action(ArgAction::Append)
                .help("A model to judge, several times if wanted (default: the newest tuned model and its base)"),
        )
        .arg(
            Arg::new("beir")
                .long("beir")
                .value_name("DIR")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Judge on this retrieval set instead of the workspace's questions"),
        );
    with_detach(with_settings::<EvaluateSettings>(command))
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let job = EvaluateJob {
        models: matches.get_many::<String>("model").into_iter().flatten().cloned().collect(),
        beir: matches.get_one::<PathBuf>("beir").cloned(),
        settings: settings::<EvaluateSettings>(matches, Some(&workspace))?,
    };
    invocation.answer(&workspace, &Job::Evaluate(job), matches)
}

pub(super) fn plain(report: &EvaluateReport) -> String {
    format!("{}\n\n{}", report.artifact, report.table)
}
