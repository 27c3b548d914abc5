//! `lapidary pairs structural`, `lapidary pairs import` and `lapidary pairs review`.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use super::arguments::{settings, with_detach, with_settings};
use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{Job, PairsImportJob, PairsReport, PairsStructuralJob, ReviewJob, ReviewReport};
use crate::settings::{PairsImportSettings, PairsSettings};

pub(super) fn define() -> Command {
    let structural =
        Command::new("structural").about("Make pairs from titles, headings and sentences: no language model needed");
    let import = Command::new("import").about("Import pairs: CSV, TSV, JSONL, a BEIR folder, LlamaIndex QA JSON").arg(
        Arg::new("files")
            .value_name("FILE")
            .required(true)
            .num_args(1..)
            .value_parser(clap::value_parser!(PathBuf))
            .help("Files, or a BEIR folder"),
    );
    let finish = Command::new("finish")
        .about("Write the next version: accepted questions in, rejected ones out, edited ones in their new words")
        .arg(
            Arg::new("pairs")
                .long("pairs")
                .value_name("PAIRS")
                .help("The pairs that were reviewed (default: the newest)"),
        );
    let review = Command::new("review")
        .about("What was said of pairs in the workbench")
        .subcommand_required(true)
        .subcommand(with_detach(finish));
    Command::new("pairs")
        .about("Training pairs: a query and the passages that answer it")
        .subcommand_required(true)
        .subcommand(with_detach(with_settings::<PairsSettings>(structural)))
        .subcommand(with_detach(with_settings::<PairsImportSettings>(import)))
        .subcommand(review)
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let (job, matches) = match matches.subcommand() {
        Some(("structural", matches)) => {
            let settings = settings::<PairsSettings>(matches, Some(&workspace))?;
            (Job::PairsStructural(PairsStructuralJob { settings }), matches)
        }
        Some(("import", matches)) => {
            let files = matches.get_many::<PathBuf>("files").into_iter().flatten().cloned().collect();
            let settings = settings::<PairsImportSettings>(matches, Some(&workspace))?;
            (Job::PairsImport(PairsImportJob { files, settings }), matches)
        }
        Some(("review", matches)) => {
            let Some(("finish", matches)) = matches.subcommand() else {
                return Err(Failure::Usage("pairs review has one command: finish".to_owned()));
            };
            (Job::PairsReview(ReviewJob { pairs: matches.get_one::<String>("pairs").cloned() }), matches)
        }
        _ => return Err(Failure::Usage("pairs has three commands: structural, import, review".to_owned())),
    };
    invocation.answer(&workspace, &job, matches)
}

pub(super) fn plain(report: &PairsReport) -> String {
    let mut text = format!("{}  {} to train on, {} to choose by", report.artifact, report.train, report.dev);
    if let Some(questions) = &report.questions {
        text.push_str(&format!("   questions {questions}: {} to test on", report.test));
    }
    let rejected: usize = report.rejected.values().sum();
    if rejected > 0 {
        let reasons: Vec<String> = report.rejected.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
        text.push_str(&format!("\n  rejected {rejected}: {} (kept in rejected.jsonl)", reasons.join(" · ")));
    }
    text
}

pub(super) fn plain_review(report: &ReviewReport) -> String {
    let ReviewReport { artifact, reviewed, train, dev, reviews, .. } = report;
    let mut said = Vec::new();
    for (count, word) in [
        (reviews.accepted, "accepted"),
        (reviews.restored, "brought back"),
        (reviews.rejected, "rejected"),
        (reviews.edited, "edited"),
        (reviews.held_out, "stay out: held out"),
        (reviews.unknown, "about questions that are not there"),
    ] {
        if count > 0 {
            said.push(format!("{count} {word}"));
        }
    }
    format!("{artifact}  {train} to train on, {dev} to choose by\n  from {reviewed}: {}", said.join(" · "))
}
