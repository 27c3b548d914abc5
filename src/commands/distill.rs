//! `lapidary distill`: a small encoder that embeds texts as a large one does.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::arguments::{settings, with_detach, with_settings};
use super::{Answer, Invocation, Result};
use crate::jobs::{DistillJob, DistillReport, Job};
use crate::settings::DistillSettings;

pub(super) fn define() -> Command {
    let files = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .num_args(1..)
            .action(ArgAction::Append)
            .value_parser(clap::value_parser!(PathBuf))
            .help(help)
    };
    let command = Command::new("distill")
        .about("Train a small encoder to embed texts as a large one does")
        .arg(files("corpus", "PATH", "Documents to learn from: files or folders (default: the workspace's corpus)"))
        .arg(files(
            "translations",
            "FILE",
            "Lines of an English text, a tab, and its translation: embedded as the English is",
        ))
        .arg(files("lines", "FILE", "Texts to learn from as they are, one a line: questions, titles"));
    with_detach(with_settings::<DistillSettings>(command))
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let paths = |name: &str| matches.get_many::<PathBuf>(name).into_iter().flatten().cloned().collect();
    let job = DistillJob {
        corpus: paths("corpus"),
        translations: paths("translations"),
        lines: paths("lines"),
        settings: settings::<DistillSettings>(matches, Some(&workspace))?,
    };
    invocation.answer(&workspace, &Job::Distill(job), matches)
}

pub(super) fn plain(report: &DistillReport) -> String {
    format!(
        "{}  {:.1} million parameters, {} dimensions   agreement with the teacher {:.3} before, {:.3} after   {} steps in {:.0} s on {} texts, {} of them translations",
        report.artifact,
        report.parameters as f64 / 1e6,
        report.dim,
        report.agreement_before,
        report.agreement,
        report.steps,
        report.train_s,
        report.texts,
        report.translations
    )
}
