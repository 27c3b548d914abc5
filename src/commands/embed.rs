//! `lapidary embed`: the corpus's vectors, for an index.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{EmbedJob, Job, Report};

pub(super) fn define() -> Command {
    Command::new("embed")
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
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let Some(to) = matches.get_one::<PathBuf>("to").cloned() else {
        return Err(Failure::Usage("embed needs --to FILE".to_owned()));
    };
    if !to.extension().is_some_and(|extension| extension == "npy" || extension == "parquet") {
        return Err(Failure::Usage(format!("--to {}: must end in .npy or .parquet", to.display())));
    }
    let job = EmbedJob { model: matches.get_one::<String>("model").cloned(), to };
    match invocation.run_job(&workspace, &Job::Embed(job))? {
        Report::Embed(report) => {
            let plain = format!(
                "{}  {} passages × {} dimensions   {:.1} passages/s",
                report.file, report.passages, report.dim, report.passages_per_s
            );
            Ok(Answer { json: serde_json::to_value(&report).unwrap_or_default(), plain })
        }
        _ => unreachable!("an embed job reports on vectors"),
    }
}
