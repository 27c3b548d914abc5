//! `lapidary pairs`: structural, synthesize, import, review; the models that could be asked, the prompt that asks them.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use super::arguments::{settings, with_detach, with_settings};
use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{Job, PairsImportJob, PairsReport, PairsStructuralJob, PairsSynthesisJob, ReviewJob, ReviewReport};
use crate::pairs;
use crate::pairs::ollama::Address;
use crate::settings::{PairsImportSettings, PairsSettings, PairsSynthesisSettings};
use crate::workspace::{Workspace, write_atomic};

pub(super) fn define() -> Command {
    let structural =
        Command::new("structural").about("Make pairs from titles, headings and sentences: no language model needed");
    let endpoint =
        || {
            Arg::new("endpoint").long("endpoint").value_name("URL").action(ArgAction::Append).help(
                "Where Ollama answers; several share the work (default: OLLAMA_HOST, else http://127.0.0.1:11434)",
            )
        };
    let synthesize = Command::new("synthesize")
        .about("Let a local language model (Ollama) ask questions of each passage; resumable, nothing is asked twice")
        .arg(endpoint());
    let models = Command::new("models").about("The models that Ollama has and that can ask questions").arg(endpoint());
    let prompt = Command::new("prompt")
        .about("Write the prompt into the workspace, to be edited: prompts/synthesis.md is used from then on")
        .arg(
            Arg::new("language")
                .long("language")
                .value_name("LANGUAGE")
                .default_value("english")
                .help("The language of its instructions: english or russian"),
        );
    let import = Command::new("import").about("Import pairs: CSV or TSV, with passages or with documents and quotes; JSONL, a BEIR folder, LlamaIndex QA JSON").arg(
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
        .subcommand(with_detach(with_settings::<PairsSynthesisSettings>(synthesize)))
        .subcommand(models)
        .subcommand(prompt)
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
        Some(("synthesize", matches)) => {
            let endpoints = matches.get_many::<String>("endpoint").into_iter().flatten().cloned().collect();
            let settings = settings::<PairsSynthesisSettings>(matches, Some(&workspace))?;
            (Job::PairsSynthesize(PairsSynthesisJob { endpoints, settings }), matches)
        }
        Some(("models", matches)) => return models(matches),
        Some(("prompt", matches)) => return prompt(&workspace, matches),
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
        _ => {
            return Err(Failure::Usage(
                "pairs has commands: structural, synthesize, import, review, models, prompt".to_owned(),
            ));
        }
    };
    invocation.answer(&workspace, &job, matches)
}

/// The models of every endpoint.
fn models(matches: &ArgMatches) -> Result<Answer> {
    let given: Vec<&String> = matches.get_many("endpoint").into_iter().flatten().collect();
    let failed = |trouble: pairs::ollama::Trouble| Failure::Failed(trouble.to_string());
    let addresses = if given.is_empty() {
        vec![Address::from_environment().map_err(failed)?]
    } else {
        given.into_iter().map(|text| Address::parse(text).map_err(failed)).collect::<Result<Vec<_>>>()?
    };
    let (mut plain, mut all) = (Vec::new(), Vec::new());
    for address in addresses {
        let models = pairs::models(&address).map_err(|error| Failure::Failed(error.to_string()))?;
        plain.push(format!("{address}"));
        if models.is_empty() {
            plain.push("  none that writes; fetch one with `ollama pull qwen3:8b`".to_owned());
        }
        plain.extend(models.iter().map(|model| format!("  {}", model.line())));
        all.push(json!({ "endpoint": address.to_string(), "models": models }));
    }
    Ok(Answer { json: json!({ "endpoints": all }), plain: plain.join("\n") })
}

/// Puts the prompt where its user can change it. What is there already stays.
fn prompt(workspace: &Workspace, matches: &ArgMatches) -> Result<Answer> {
    let language = matches.get_one::<String>("language").map_or("english", String::as_str);
    let text = match language {
        "english" => pairs::PROMPT_ENGLISH,
        "russian" => pairs::PROMPT_RUSSIAN,
        other => return Err(Failure::Usage(format!("--language {other}: there are: english, russian"))),
    };
    let path = workspace.root().join("prompts/synthesis.md");
    if path.exists() {
        return Err(Failure::Failed(format!("{} is there already: edit it, or move it away first", path.display())));
    }
    write_atomic(&path, text.as_bytes())?;
    let plain = format!("{}\n  edit it; `lapidary pairs synthesize` asks with it from now on", path.display());
    Ok(Answer { json: json!({ "path": path }), plain })
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
    if let Some(synthesis) = &report.synthesis {
        text.push_str(&format!(
            "\n  {} asked about {} passages in {:.0} s, {} known before",
            synthesis.model,
            synthesis.asked,
            synthesis.seconds,
            synthesis.passages.saturating_sub(synthesis.asked)
        ));
        if !synthesis.within.is_empty() {
            let ranks: Vec<String> = synthesis.within.iter().map(|(rank, n)| format!("{rank}: {n}")).collect();
            text.push_str(&format!(
                "\n  questions that find their passage within the first {} (another --round-trip asks nothing again)",
                ranks.join(" · ")
            ));
        }
        if report.test > 0 {
            text.push_str("\n  the test questions are synthetic: your own, once imported, are asked before them");
        }
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
