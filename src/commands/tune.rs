//! `lapidary tune`: is it learning, and is it better?

use clap::{ArgMatches, Command};

use super::arguments::{settings, with_detach, with_settings};
use super::{Answer, Invocation, Result};
use crate::jobs::{Job, TuneJob, TuneReport};
use crate::settings::TuneSettings;

pub(super) fn define() -> Command {
    with_detach(with_settings::<TuneSettings>(Command::new("tune").about("Fine-tune an encoder on the pairs")))
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let job = TuneJob { settings: settings::<TuneSettings>(matches, Some(&workspace))? };
    invocation.answer(&workspace, &Job::Tune(job), matches)
}

pub(super) fn plain(report: &TuneReport) -> String {
    let dev = match (report.dev_mrr10_base, report.dev_mrr10) {
        (Some(base), Some(tuned)) => format!("   dev MRR@10 {base:.3} before, {tuned:.3} after"),
        _ => String::new(),
    };
    let anchor = match (report.anchor_mrr10_base, report.anchor_mrr10) {
        (Some(base), Some(tuned)) => format!("   everyday questions {base:.3} before, {tuned:.3} after"),
        _ => String::new(),
    };
    let early = if report.early_stop.is_some() { ", stopped early" } else { "" };
    let memory = report.peak_rss_mib.map(|mib| format!("   {mib} MiB at most")).unwrap_or_default();
    format!(
        "{}  {} steps in {:.0} s{early}, {:.1} pairs/s, {:.0} tokens/s{dev}{anchor}{memory}",
        report.artifact, report.steps, report.train_s, report.pairs_per_s, report.tokens_per_s
    )
}
