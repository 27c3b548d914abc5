//! `lapidary init` and `lapidary corpus`: documents into a workspace.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

use super::arguments::{settings, with_settings};
use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{CorpusJob, CorpusReport, Job, Report};
use crate::settings::{CorpusSettings, Settings as _};
use crate::workspace::{CONFIG_FILE, Config, Source, Workspace};

/// Skipped files shown in plain output; all are in the manifest.
const SHOWN: usize = 10;

pub(super) fn define_init() -> Command {
    let path = || clap::value_parser!(PathBuf);
    let command = Command::new("init")
        .about("Make a workspace and read its documents")
        .arg(Arg::new("dir").value_name("DIR").required(true).value_parser(path()).help("The workspace's folder"))
        .arg(
            Arg::new("corpus")
                .long("corpus")
                .value_name("PATH")
                .num_args(1..)
                .action(ArgAction::Append)
                .value_parser(path())
                .help("Documents: files or folders (txt, md, rst, html, csv, tsv, json, jsonl, source code)"),
        )
        .arg(
            Arg::new("beir")
                .long("beir")
                .value_name("DIR")
                .value_parser(path())
                .help("A retrieval set in BEIR's layout"),
        )
        .group(ArgGroup::new("source").args(["corpus", "beir"]).required(true));
    with_settings::<CorpusSettings>(command)
}

pub(super) fn run_init(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let Some(folder) = matches.get_one::<PathBuf>("dir") else {
        return Err(Failure::Usage("init needs a folder".to_owned()));
    };
    let source = if let Some(folder) = matches.get_one::<PathBuf>("beir") {
        Source::Beir(absolute(folder)?)
    } else {
        let paths = matches.get_many::<PathBuf>("corpus").into_iter().flatten();
        Source::Corpus(paths.map(|path| absolute(path)).collect::<Result<_>>()?)
    };
    let job = CorpusJob { settings: corpus_settings(matches, None)? };
    let report = create(invocation, folder, source, job)?;
    Ok(answer(&report, "Next: lapidary inspect"))
}

/// Makes a workspace and reads its documents; where that fails, nothing is left behind.
pub(super) fn create(invocation: &Invocation, folder: &Path, source: Source, job: CorpusJob) -> Result<CorpusReport> {
    let existed = folder.exists();
    let name = absolute(folder)?.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut config = Config::new(name, source);
    // Part of where the documents come from: a refresh reads the tables again.
    for (name, table) in [("folds", &job.settings.folds), ("questions", &job.settings.questions)] {
        if let Some(table) = table {
            let settings = config.settings.entry(CorpusSettings::JOB.to_owned()).or_default();
            settings.insert(name.to_owned(), table.as_str().into());
        }
    }
    let workspace = Workspace::create(folder, &config)?;
    match invocation.run_job(&workspace, &Job::Corpus(job)) {
        Ok(Report::Corpus(report)) => Ok(report),
        Ok(_) => unreachable!("a corpus job reports on a corpus"),
        Err(failure) => {
            if existed {
                let _ = std::fs::remove_file(folder.join(CONFIG_FILE));
                let _ = std::fs::remove_dir_all(workspace.runs());
                for made in ["corpus", "pairs", "questions"] {
                    let _ = std::fs::remove_dir_all(folder.join(made));
                }
            } else {
                let _ = std::fs::remove_dir_all(folder);
            }
            // A run in a workspace that is gone cannot be resumed.
            Err(if let Failure::Stopped(_) = failure { Failure::Stopped(None) } else { failure })
        }
    }
}

/// The settings, with the tables by absolute paths: a run may go on from another folder.
fn corpus_settings(matches: &ArgMatches, workspace: Option<&Workspace>) -> Result<CorpusSettings> {
    let mut settings = settings::<CorpusSettings>(matches, workspace)?;
    for table in [&mut settings.folds, &mut settings.questions].into_iter().flatten() {
        *table = absolute(Path::new(table))?.to_string_lossy().into_owned();
    }
    Ok(settings)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Failure::Failed(format!("finding {}: {error}", path.display())))
}

pub(super) fn define() -> Command {
    let refresh =
        with_settings::<CorpusSettings>(Command::new("refresh").about("Read the documents again after they changed"));
    Command::new("corpus").about("The documents, passages, folds and duplicates").subcommand(refresh)
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    if let Some(("refresh", matches)) = matches.subcommand() {
        let job = CorpusJob { settings: corpus_settings(matches, Some(&workspace))? };
        return match invocation.run_job(&workspace, &Job::Corpus(job))? {
            Report::Corpus(report) => Ok(answer(&report, "")),
            _ => unreachable!("a corpus job reports on a corpus"),
        };
    }
    let artifact = workspace.newest(crate::workspace::Kind::Corpus)?;
    let mut json = artifact.manifest.details.clone();
    json["artifact"] = artifact.id.to_string().into();
    json["workspace"] = workspace.root().to_string_lossy().into();
    let count = |name: &str| json[name].as_u64().unwrap_or(0);
    let plain = format!(
        "{}  {}\n  {} documents, {} passages, {} words",
        json["artifact"].as_str().unwrap_or_default(),
        workspace.root().display(),
        count("documents"),
        count("passages"),
        count("words"),
    );
    Ok(Answer { json, plain })
}

fn answer(report: &CorpusReport, next: &str) -> Answer {
    let summary = &report.summary;
    let mut plain = format!(
        "{}  {}\n  {} documents, {} passages, {} words\n",
        report.artifact, report.workspace, summary.documents, summary.passages, summary.words
    );
    plain.push_str(&format!(
        "  documents to train on {}, to choose by {}, to test on {}; {} near-duplicate passages\n",
        summary.folds.train, summary.folds.dev, summary.folds.test, summary.near_duplicates
    ));
    if let (Some(pairs), Some([train, dev])) = (&report.pairs, report.pair_counts) {
        plain.push_str(&format!("  pairs {pairs}: {train} to train on, {dev} to choose by\n"));
    }
    if let (Some(questions), Some(count)) = (&report.questions, report.question_count) {
        plain.push_str(&format!("  questions {questions}: {count} to test on\n"));
    }
    if !report.rejected.is_empty() {
        let reasons: Vec<String> = report.rejected.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        plain.push_str(&format!("  left out of the questions: {}\n", reasons.join(", ")));
    }
    for decoded in summary.decoded.iter().take(SHOWN) {
        plain.push_str(&format!("  {}: read as {}\n", decoded.path, decoded.encoding));
    }
    for skipped in summary.skipped.iter().take(SHOWN) {
        let line = skipped.line.map(|line| format!(":{line}")).unwrap_or_default();
        plain.push_str(&format!("  skipped {}{line}: {}\n", skipped.path, skipped.reason));
    }
    if summary.skipped.len() > SHOWN {
        plain.push_str(&format!("  … and {} more, listed in the manifest\n", summary.skipped.len() - SHOWN));
    }
    plain.push_str(next);
    Answer { json: serde_json::to_value(report).unwrap_or_default(), plain }
}
