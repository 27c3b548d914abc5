//! `lapidary demo`: the whole cycle on the sample corpus, with nothing to bring.

mod story;
mod tour;

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use include_dir::{Dir, include_dir};

use self::tour::Tour;
use super::output::Format;
use super::{Answer, Failure, Invocation, Result};
use crate::jobs::{CorpusJob, TokenizerJob, TuneJob};
use crate::settings::{CorpusSettings, TokenizerSettings, TuneSettings};
use crate::tui::workers::Outbox;
use crate::workspace::{CONFIG_FILE, Kind, Source, Workspace, write_atomic};

static SAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sample-corpus");

/// What the plant's operators ask, dealt into folds by document.
const QUESTIONS: &str = "questions.tsv";
/// The pairs that come of them.
const PAIRS: &str = "questions";
/// Passes over the documents' own sentences, then over the questions: chosen on questions of the train and dev folds alone.
const CLOZE: f64 = 2.0;
const EPOCHS: f64 = 3.0;
const LR: f64 = 1e-4;
/// Steps between two looks at dev, of which each embeds all passages anew: two looks in all.
const EVAL_STEPS: usize = 12;
/// A vocabulary that so few words can fill.
const VOCABULARY: usize = 6000;

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
    let fresh = matches.get_flag("fresh");
    if !fresh && is_of_another_version()? {
        return Err(Failure::Failed(format!(
            "{}: a demo of another version of lapidary, without the questions; `lapidary demo --fresh` makes it anew",
            home()?.display()
        )));
    }
    if invocation.format == Format::Plain && super::workbench::has_terminal() {
        let workspace = workspace(invocation, fresh)?;
        let tour = Tour::new(matches, super::workbench::processes(invocation));
        let welcome =
            "The whole cycle on the sample corpus, job after job; any key, and the screen is yours".to_owned();
        let home = workspace.clone();
        let behind = Box::new(move |outbox: Outbox| tour.take(&home, &outbox));
        return super::workbench::show(invocation, &workspace, Some(welcome), Some(behind));
    }
    story::tell(invocation, matches, fresh)
}

/// The sample corpus as a workspace in the user's data folder; made on the first call.
pub(super) fn workspace(invocation: &Invocation, fresh: bool) -> Result<Workspace> {
    let folder = home()?;
    if fresh && folder.exists() {
        std::fs::remove_dir_all(&folder)
            .map_err(|error| Failure::Failed(format!("removing {}: {error}", folder.display())))?;
    }
    let documents = folder.join("documents");
    unpack(&SAMPLE, &documents)?;
    let root = folder.join("workspace");
    if !root.join(CONFIG_FILE).is_file() {
        let questions = documents.join(QUESTIONS).to_string_lossy().into_owned();
        let settings = CorpusSettings { questions: Some(questions), ..CorpusSettings::default() };
        super::corpus::create(invocation, &root, Source::Corpus(vec![documents]), CorpusJob { settings })?;
    }
    Ok(Workspace::open(&root)?)
}

/// Whether the demo's workspace is there and lacks what this demo needs.
fn is_of_another_version() -> Result<bool> {
    let root = home()?.join("workspace");
    Ok(root.join(CONFIG_FILE).is_file() && Workspace::open(&root)?.resolve(Kind::Pairs, PAIRS).is_err())
}

/// A tokenizer of the corpus's own words.
fn tokenizer() -> TokenizerJob {
    let settings = TokenizerSettings { vocab_size: VOCABULARY, lowercase: true, ..TokenizerSettings::default() };
    TokenizerJob { settings }
}

/// The base learns from the documents' own sentences, then from the questions.
fn tuning(matches: &ArgMatches) -> TuneJob {
    let settings = TuneSettings {
        base: base(matches),
        pairs: Some(PAIRS.to_owned()),
        cloze_epochs: CLOZE,
        epochs: EPOCHS,
        lr: LR,
        eval_steps: Some(EVAL_STEPS),
        // A whole batch at a time: the corpus is small enough, and nothing is computed twice.
        micro_batch: Some(2 * TuneSettings::default().batch),
        max_steps: matches.get_one::<u64>("max_steps").map(|n| *n as usize),
        ..TuneSettings::default()
    };
    TuneJob { settings }
}

fn base(matches: &ArgMatches) -> String {
    matches.get_one::<String>("base").cloned().unwrap_or_else(|| "embedded".to_owned())
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
