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
use crate::runs::{RunFolder, State, Status};
use crate::settings::{CorpusSettings, InspectSettings, TokenizerSettings, TuneSettings};
use crate::tui::message::{Msg, Start};
use crate::tui::model::PaneId;
use crate::tui::runtime::Launcher as _;
use crate::tui::workers::Outbox;
use crate::workspace::{CONFIG_FILE, Kind, Source, Workspace, write_atomic};

static SAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sample-corpus");

/// What the plant's operators ask, dealt into folds by document.
const QUESTIONS: &str = "questions.tsv";
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
    if invocation.format == Format::Plain && super::workbench::has_terminal() {
        let workspace = workspace(invocation, fresh)?;
        let tour = Tour { settings: jobs_of(matches), launcher: super::workbench::processes(invocation) };
        let welcome =
            "The whole cycle on the sample corpus, job after job; any key, and the screen is yours".to_owned();
        let home = workspace.clone();
        let behind = Box::new(move |outbox: Outbox| tour.take(&home, &outbox));
        return super::workbench::show(invocation, &workspace, Some(welcome), Some(behind));
    }
    tell_it_all(invocation, matches, fresh)
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

/// The jobs of the demonstration, in their order, each with a word on what it is for.
fn jobs_of(matches: &ArgMatches) -> Vec<(Job, &'static str)> {
    let tokenizer = TokenizerSettings { vocab_size: VOCABULARY, lowercase: true, ..TokenizerSettings::default() };
    let tune = TuneSettings {
        base: matches.get_one::<String>("base").cloned().unwrap_or_else(|| "embedded".to_owned()),
        max_steps: matches.get_one::<u64>("max_steps").map(|n| *n as usize),
        ..TuneSettings::default()
    };
    vec![
        (Job::Tokenizer(TokenizerJob { settings: tokenizer }), "a tokenizer of the corpus's own words is trained"),
        (Job::PairsStructural(PairsStructuralJob::default()), "questions are made of titles, headings and sentences"),
        (Job::Tune(TuneJob { settings: tune }), "the base learns which passages answer which questions"),
        (Job::Evaluate(EvaluateJob::default()), "the proof, on questions that no training saw"),
    ]
}

/// The demonstration inside the workbench: one job after the other, each in its pane.
struct Tour {
    settings: Vec<(Job, &'static str)>,
    launcher: super::workbench::Processes,
}

impl Tour {
    fn take(self, workspace: &Workspace, outbox: &Outbox) {
        let count = self.settings.len();
        for (number, (job, what)) in self.settings.into_iter().enumerate() {
            let start = Start { job: job.name().to_owned(), record: job.settings(), device: "auto".to_owned() };
            let run = match self.launcher.start(workspace, &start) {
                Ok((run, _)) => run,
                Err(error) => {
                    outbox.send(Msg::Failed(format!("the demonstration ends here: {error}")));
                    return;
                }
            };
            let pane = PaneId::of_job(job.name());
            if !outbox.send(Msg::Tour { pane, text: format!("{} of {count}: {what}", number + 1) }) {
                return;
            }
            if let Err(error) = ended_well(workspace, &run) {
                outbox.send(Msg::Failed(format!("the demonstration ends here: {error}")));
                return;
            }
        }
        let text = "That was the whole cycle: walk through the panes with 1 to 6. \
                    Your own documents: lapidary init DIR --corpus PATH";
        outbox.send(Msg::Tour { pane: PaneId::Compare, text: text.to_owned() });
    }
}

/// Waits for a run to end; an error where it did not end well.
fn ended_well(workspace: &Workspace, run: &str) -> Result<(), String> {
    let run = RunFolder::find(workspace, run).map_err(|error| error.to_string())?;
    loop {
        let status = Status::of(&run).map_err(|error| error.to_string())?;
        match status.state {
            State::Finished => return Ok(()),
            state if state.is_live() => std::thread::sleep(std::time::Duration::from_millis(300)),
            state => {
                return Err(format!(
                    "{} {}{}",
                    status.job,
                    state.word(),
                    status.error.map(|e| format!(": {e}")).unwrap_or_default()
                ));
            }
        }
    }
}

/// The demonstration without a workbench: chapter by chapter, in plain lines.
fn tell_it_all(invocation: &Invocation, matches: &ArgMatches, fresh: bool) -> Result<Answer> {
    let mut story = Story { format: invocation.format, chapter: 0 };
    story.tell("Documents: read, cut into passages, dealt into folds");
    let known = !fresh && home()?.join("workspace").join(CONFIG_FILE).is_file();
    let workspace = workspace(invocation, fresh)?;
    let root = workspace.root().to_owned();
    if known {
        story.say(&format!("  {} (from an earlier demo; --fresh starts over)", root.display()));
    } else {
        story.say(&format!("  {} in {}", summary(&workspace)?, root.display()));
    }

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

/// What the newest corpus holds.
fn summary(workspace: &Workspace) -> Result<String> {
    let details = workspace.newest(Kind::Corpus)?.manifest.details;
    let count = |name: &str| details[name].as_u64().unwrap_or(0);
    Ok(format!("{} documents, {} passages, {} words", count("documents"), count("passages"), count("words")))
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
