//! `lapidary tokenizer train`.

use clap::{ArgMatches, Command};

use super::arguments::{settings, with_detach, with_settings};
use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{Job, TokenizerJob, TokenizerReport};
use crate::settings::TokenizerSettings;

pub(super) fn define() -> Command {
    let train = with_settings::<TokenizerSettings>(
        Command::new("train").about("Train a byte-level BPE tokenizer on the corpus"),
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
    format!(
        "{}  {} tokens   {:.3} tokens per word on the documents it was trained on, {unseen}   {:.1} s",
        report.artifact, report.vocab_size, report.ratio_train, report.seconds
    )
}
