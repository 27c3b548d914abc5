//! `lapidary export`: a model for other tools.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};

use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{ExportJob, ExportReport, Job, Target};
use crate::settings::Choice as _;

pub(super) fn define() -> Command {
    Command::new("export")
        .about("Write a model in a format that other tools load")
        .arg(Arg::new("model").long("model").value_name("M").help("The model (default: the newest tuned one)"))
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("FORMAT")
                .default_value("st")
                .value_parser(PossibleValuesParser::new(Target::WORDS))
                .help("st: a sentence-transformers folder"),
        )
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("The folder to write; must not exist or be empty"),
        )
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let Some(dir) = matches.get_one::<PathBuf>("dir").cloned() else {
        return Err(Failure::Usage("export needs a folder".to_owned()));
    };
    let job = ExportJob { model: matches.get_one::<String>("model").cloned(), to: Target::SentenceTransformers, dir };
    Ok(Answer::of(&invocation.run_job(&workspace, &Job::Export(job))?))
}

pub(super) fn plain(report: &ExportReport) -> String {
    format!("{}  written to {}", report.model, report.folder)
}
