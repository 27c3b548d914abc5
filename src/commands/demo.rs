//! `lapidary demo`: the whole cycle on the sample corpus, with nothing to bring.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use include_dir::{Dir, include_dir};
use serde_json::json;

use super::output::Format;
use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{
    self, CorpusJob, EvaluateJob, ExportJob, Job, PairsStructuralJob, Report, Target, TokenizerJob, TuneJob,
};
use crate::settings::{InspectSettings, TokenizerSettings, TuneSettings};
use crate::workspace::{CONFIG_FILE, Source, Workspace, write_atomic};

static SAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sample-corpus");

/// A vocabulary that so few words can fill.
const VOCABULARY: usize = 3000;

pub(super) fn define() -> Command {
    Command::new("demo")
        .about("Watch the whole cycle on a sample corpus: no network, no GPU, nothing to bring")
        .arg(Arg::new("base").long("base").value_name("M").default_value("embedded").help("The model to start from"))
        .arg(Arg::new("fresh").long("fresh").action(ArgAction::SetTrue).help("Start over in an empty workspace"))
        .arg(
            Arg::new("max_steps")
                .long("max-steps")
                .value_name("N")
                .value_parser(clap::value_parser!(u64).range(1..))
                .help("Stop training after so many steps"),
        )
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let folder = home()?;
    if matches.get_flag("fresh") && folder.exists() {
        std::fs::remove_dir_all(&folder)
            .map_err(|error| Failure::Failed(format!("removing {}: {error}", folder.display())))?;
    }
    let mut story = Story { format: invocation.format, chapter: 0 };
    let documents = folder.join("documents");
    unpack(&SAMPLE, &documents)?;

    story.tell("Documents: read, cut into passages, dealt into folds");
    let root = folder.join("workspace");
    let workspace = if root.join(CONFIG_FILE).is_file() {
        let workspace = Workspace::open(&root)?;
        story.say(&format!("  {} (from an earlier demo; --fresh starts over)", root.display()));
        workspace
    } else {
        let report =
            super::corpus::create(invocation, &root, Source::Corpus(vec![documents.clone()]), CorpusJob::default())?;
        let summary = &report.summary;
        story.say(&format!(
            "  {} documents, {} passages, {} words in {}",
            summary.documents,
            summary.passages,
            summary.words,
            root.display()
        ));
        Workspace::open(&root)?
    };

    story.tell("Fragmentation: what the base's tokenizer does to these words");
    let base = matches.get_one::<String>("base").cloned().unwrap_or_else(|| "embedded".to_owned());
    let inspect = InspectSettings { tokenizer: Some(base.clone()), worst: 5 };
    let before = invocation.without_run(&workspace, |context| jobs::inspect(context, &inspect, &[]))?;
    for worst in &before.worst {
        story.say(&format!("  {:<24} {}", worst.word, worst.pieces.join("·")));
    }
    story.say(&format!("  {:.2} tokens per word, where 1.25 is good", before.ratio));

    story.tell("Tokenizer: a byte-level BPE of the corpus's own words");
    let settings = TokenizerSettings { vocab_size: VOCABULARY, lowercase: true, ..TokenizerSettings::default() };
    let tokenizer = invocation.run_job(&workspace, &Job::Tokenizer(TokenizerJob { settings }))?;
    if let Report::Tokenizer(report) = &tokenizer {
        story.say(&format!("  {}", super::tokenizer::plain(report)));
    }

    story.tell("Pairs: questions made of titles, headings and sentences");
    let pairs = invocation.run_job(&workspace, &Job::PairsStructural(PairsStructuralJob::default()))?;
    if let Report::Pairs(report) = &pairs {
        story.say(&format!("  {}", super::pairs::plain(report)));
    }

    story.tell("Tuning: the base learns which passages answer which questions");
    let settings = TuneSettings {
        base,
        max_steps: matches.get_one::<u64>("max_steps").map(|n| *n as usize),
        ..TuneSettings::default()
    };
    let tuned = invocation.run_job(&workspace, &Job::Tune(TuneJob { settings }))?;
    if let Report::Tune(report) = &tuned {
        story.say(&format!("  {}", super::tune::plain(report)));
    }

    story.tell("Proof: on questions that no training saw");
    let evaluated = invocation.run_job(&workspace, &Job::Evaluate(EvaluateJob::default()))?;
    if let Report::Evaluate(report) = &evaluated {
        story.say(&indent(&report.table));
    }

    story.tell("Export: a folder that sentence-transformers loads");
    let export = root.join("export");
    if export.exists() {
        std::fs::remove_dir_all(&export)
            .map_err(|error| Failure::Failed(format!("removing {}: {error}", export.display())))?;
    }
    let job = ExportJob { model: None, to: Target::SentenceTransformers, dir: export.clone() };
    invocation.run_job(&workspace, &Job::Export(job))?;
    story.say(&format!("  {}", export.display()));

    let json = json!({
        "workspace": root, "inspect": { "ratio": before.ratio, "verdict": before.verdict }, "tokenizer": tokenizer.json(),
        "pairs": pairs.json(), "tune": tuned.json(), "evaluate": evaluated.json(), "export": export,
    });
    let plain =
        "\nYour own documents:\n  lapidary init my-workspace --corpus PATH\n  cd my-workspace && lapidary inspect"
            .to_owned();
    Ok(Answer { json, plain })
}

/// Where the demo lives: the user's data folder.
fn home() -> Result<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "lapidary").ok_or_else(|| {
        Failure::Failed("no home folder: set HOME, or make a workspace with `lapidary init`".to_owned())
    })?;
    Ok(folders.data_dir().join("demo"))
}

fn unpack(folder: &Dir<'_>, to: &Path) -> Result<()> {
    for file in folder.files() {
        write_atomic(&to.join(file.path()), file.contents())?;
    }
    folder.dirs().try_for_each(|folder| unpack(folder, to))
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("  {line}") })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Tells the demo chapter by chapter; a program that asked for JSON gets it at the end only.
struct Story {
    format: Format,
    chapter: usize,
}

impl Story {
    fn tell(&mut self, title: &str) {
        self.chapter += 1;
        self.say(&format!("\n{}. {title}", self.chapter));
    }

    fn say(&self, line: &str) {
        if self.format == Format::Plain {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}");
        }
    }
}
