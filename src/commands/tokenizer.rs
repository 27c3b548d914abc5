//! `lapidary tokenizer train`.

use clap::{ArgMatches, Command};

use super::arguments::{settings, with_detach, with_settings};
use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{Job, TokenizerJob, TokenizerReport};
use crate::settings::TokenizerSettings;

pub(super) fn define() -> Command {
    let train = with_settings::<TokenizerSettings>(
        Command::new("train").about("Train a tokenizer on the corpus: byte-level BPE, or WordPiece"),
    );
    Command::new("tokenizer")
        .about("Tokenizers trained on the corpus")
        .subcommand_required(true)
        .subcommand(with_detach(train))
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let Some(("train", matches)) = matches.subcommand() else {
        return Err(Failure::Usage("tokenizer has one command: train".to_owned()));
    };
    let workspace = invocation.workspace()?;
    let job = TokenizerJob { settings: settings::<TokenizerSettings>(matches, Some(&workspace))? };
    invocation.answer(&workspace, &Job::Tokenizer(job), matches)
}

pub(super) fn plain(report: &TokenizerReport) -> String {
    let unseen = report.ratio_heldout.map_or_else(
        || "no documents were left to judge it on".to_owned(),
        |ratio| format!("{ratio:.3} on documents it did not see"),
    );
    let mut lines = vec![format!(
        "{}  {} tokens   {:.3} tokens per word on the documents it was trained on, {unseen}   {:.1} s",
        report.artifact, report.vocab_size, report.ratio_train, report.seconds
    )];
    if !report.compared.is_empty() {
        let documents = if report.ratio_heldout.is_some() { "unseen documents" } else { "the documents trained on" };
        lines.push(format!("tokens per word on {documents}:"));
        lines.push("  tokens       BPE  WordPiece".to_owned());
    }
    for size in &report.compared {
        let bpe = size.bpe.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        let unknown = match size.unknown {
            0 => String::new(),
            words => format!("   and {words} words unknown, each counted as one token"),
        };
        lines.push(format!("{:>8}  {bpe:>8}  {:>9.3}{unknown}", size.vocab_size, size.wordpiece));
    }
    lines.join("\n")
}
