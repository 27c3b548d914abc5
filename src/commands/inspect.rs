//! `lapidary inspect`: what does the tokenizer do to my words?

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use super::arguments::{settings, with_settings};
use super::{Answer, Invocation, Result};
use crate::jobs::{InspectReport, inspect};
use crate::settings::InspectSettings;
use crate::tokenizer::{THRESHOLD, Verdict};

/// Documents shown in plain output.
const DOCUMENTS: usize = 10;

pub(super) fn define() -> Command {
    let command =
        Command::new("inspect").about("Measure fragmentation: tokens per word, and the words that cost most").arg(
            Arg::new("paths")
                .value_name("PATH")
                .num_args(0..)
                .value_parser(clap::value_parser!(PathBuf))
                .help("Files or folders to count instead of the workspace's corpus"),
        );
    with_settings::<InspectSettings>(command)
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let settings = settings::<InspectSettings>(matches, Some(&workspace))?;
    let paths: Vec<PathBuf> = matches.get_many::<PathBuf>("paths").into_iter().flatten().cloned().collect();
    let report = invocation.without_run(&workspace, |context| inspect(context, &settings, &paths))?;
    Ok(Answer { json: serde_json::to_value(&report).unwrap_or_default(), plain: plain(&report) })
}

pub(super) fn plain(report: &InspectReport) -> String {
    let meaning = match report.verdict {
        Verdict::Good => "good: the tokenizer fits these documents",
        Verdict::Fragmented => "fragmented: train your own with `lapidary tokenizer train`",
    };
    let mut text = format!(
        "{}\n  {:.3} tokens per word   threshold {THRESHOLD}   {meaning}\n  {} documents, {} words, {} tokens\n",
        report.tokenizer, report.ratio, report.documents, report.words, report.tokens
    );
    if let Some(unseen) = &report.unseen {
        text.push_str(&format!(
            "  on the documents it was trained on {:.3}, on the others {:.3}: the second is what new text costs\n",
            unseen.ratio_train, unseen.ratio_heldout
        ));
    }
    if !report.worst.is_empty() {
        text.push_str("\n  costs   times  word\n");
    }
    for worst in &report.worst {
        let cost = worst.count * (worst.pieces.len() as u64).saturating_sub(1);
        text.push_str(&format!("  {cost:>5}  {:>6}  {:<24}  {}\n", worst.count, worst.word, worst.pieces.join("·")));
    }
    text.push_str("\n  ratio   words  document\n");
    for document in report.per_document.iter().take(DOCUMENTS) {
        text.push_str(&format!("  {:>5.2}  {:>6}  {}\n", document.ratio, document.words, document.path));
    }
    if report.per_document.len() > DOCUMENTS {
        text.push_str(&format!("  … and {} more (--format json lists all)\n", report.per_document.len() - DOCUMENTS));
    }
    text
}
