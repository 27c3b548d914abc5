//! `lapidary embed`: the corpus's vectors, for an index.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use super::arguments::with_detach;
use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{EmbedJob, EmbedReport, Job};
use crate::settings::Precision;

pub(super) fn define() -> Command {
    let command = Command::new("embed")
        .about("Write the vectors of every passage")
        .arg(Arg::new("model").long("model").value_name("M").help("The model (default: the newest tuned one)"))
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("FILE")
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("FILE.npy (with the passage ids beside it) or FILE.parquet"),
        )
        .arg(
            Arg::new("precision")
                .long("precision")
                .value_name("FORMAT")
                .value_parser(["f32", "bf16"])
                .help("The floating-point format of matrix products: bf16 is faster where there is hardware for it, and rounds (default: f32)"),
        );
    with_detach(command)
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let Some(to) = matches.get_one::<PathBuf>("to").cloned() else {
        return Err(Failure::Usage("embed needs --to FILE".to_owned()));
    };
    if !to.extension().is_some_and(|extension| extension == "npy" || extension == "parquet") {
        return Err(Failure::Usage(format!("--to {}: must end in .npy or .parquet", to.display())));
    }
    let precision = matches.get_one::<String>("precision");
    let precision = precision.map(|format| if format == "bf16" { Precision::Bf16 } else { Precision::F32 });
    let job = EmbedJob { model: matches.get_one::<String>("model").cloned(), to, precision };
    invocation.answer(&workspace, &Job::Embed(job), matches)
}

pub(super) fn plain(report: &EmbedReport) -> String {
    format!(
        "{}  {} passages × {} dimensions   {:.1} passages/s",
        report.file, report.passages, report.dim, report.passages_per_s
    )
}
