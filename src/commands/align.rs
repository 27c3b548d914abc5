//! `lapidary align`: another vocabulary in an encoder.

use clap::{ArgMatches, Command};

use super::arguments::{settings, with_detach, with_settings};
use super::{Answer, Invocation, Result};
use crate::jobs::{AlignJob, AlignReport, Job};
use crate::settings::AlignSettings;

pub(super) fn define() -> Command {
    let about = "Put another vocabulary into an encoder and align it to the encoder it was";
    with_detach(with_settings::<AlignSettings>(Command::new("align").about(about)))
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let job = AlignJob { settings: settings::<AlignSettings>(matches, Some(&workspace))? };
    invocation.answer(&workspace, &Job::Align(job), matches)
}

pub(super) fn plain(report: &AlignReport) -> String {
    let embeddings =
        report.agreement_embeddings.map(|cosine| format!("{cosine:.3} with new embeddings, ")).unwrap_or_default();
    format!(
        "{}  {} tokens   agreement with the base {:.3} before, {embeddings}{:.3} after   {} steps in {:.0} s on {} texts",
        report.artifact,
        report.vocab_size,
        report.agreement_before,
        report.agreement,
        report.steps,
        report.train_s,
        report.texts
    )
}
