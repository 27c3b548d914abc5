//! The demonstration without a workbench: chapter by chapter, in plain lines.

use std::io::Write as _;
use std::path::Path;

use clap::ArgMatches;
use serde_json::json;

use crate::commands::output::Format;
use crate::commands::{Answer, Failure, Invocation, Result, tokenizer, tune};
use crate::jobs::{self, EvaluateJob, ExportJob, Job, Report, Splitting, Target, TokenizerChange};
use crate::settings::InspectSettings;
use crate::workspace::{CONFIG_FILE, Kind, Workspace};

/// Words shown in their pieces.
const WORDS: usize = 6;

pub(super) fn tell(invocation: &Invocation, matches: &ArgMatches, fresh: bool) -> Result<Answer> {
    let mut story = Story { format: invocation.format, chapter: 0 };
    story.chapter("Documents: read, cut into passages, dealt into folds");
    let known = !fresh && super::home()?.join("workspace").join(CONFIG_FILE).is_file();
    let workspace = super::workspace(invocation, fresh)?;
    let root = workspace.root().to_owned();
    if known {
        story.say(&format!("{} (from an earlier demo; --fresh starts over)", root.display()));
    } else {
        story.say(&format!("{} in {}", documents(&workspace)?, root.display()));
    }

    story.chapter("Fragmentation: what the base's tokenizer does to these words");
    let base = super::base(matches);
    let inspect = InspectSettings { tokenizer: Some(base.clone()), worst: WORDS };
    let before = invocation.without_run(&workspace, |context| jobs::inspect(context, &inspect, &[]))?;
    for worst in &before.worst {
        story.say(&format!("{:<20} {}", worst.word, worst.pieces.join("·")));
    }
    story.say(&format!("{:.2} tokens per word, where 1.25 is good", before.ratio));

    story.chapter("Tokenizer: a byte-level BPE of the corpus's own words");
    let trained = invocation.run_job(&workspace, &Job::Tokenizer(super::tokenizer()))?;
    if let Report::Tokenizer(report) = &trained {
        story.say(&tokenizer::plain(report));
    }
    let change = invocation.without_run(&workspace, |context| jobs::tokenizer_change(context, &base, WORDS))?;
    changed(&story, &change);

    story.chapter("Pairs: what operators asked, with the passages that answer it");
    let pairs = pairs(&workspace)?;
    story.say(&format!("{} to train on, {} to choose by, {} kept for the proof", pairs.train, pairs.dev, pairs.test));
    story.say(
        "Without questions of your own: `lapidary pairs synthesize` lets a local model ask, `pairs structural` needs none",
    );

    story.chapter("Tuning: the base reads the documents, then learns which passages answer which questions");
    let tuned = invocation.run_job(&workspace, &Job::Tune(super::tuning(matches)))?;
    if let Report::Tune(report) = &tuned {
        story.say(&tune::plain(report));
    }

    story.chapter("Proof: on questions that no training saw");
    let evaluated = invocation.run_job(&workspace, &Job::Evaluate(EvaluateJob::default()))?;
    if let Report::Evaluate(report) = &evaluated {
        story.say(&report.table);
        let folder = workspace.resolve(Kind::Evaluation, &report.artifact)?.path;
        story.say(&format!("Question by question: {}", folder.display()));
    }

    story.chapter("Export: a folder that sentence-transformers loads");
    let export = root.join("export");
    if export.exists() {
        std::fs::remove_dir_all(&export)
            .map_err(|error| Failure::Failed(format!("removing {}: {error}", export.display())))?;
    }
    let job = ExportJob { model: None, to: Target::SentenceTransformers, dir: export.clone() };
    invocation.run_job(&workspace, &Job::Export(job))?;
    story.say(&export.display().to_string());

    let json = json!({
        "workspace": root, "inspect": { "ratio": before.ratio, "verdict": before.verdict }, "tokenizer": trained.json(),
        "tokenizer_change": change,
        "pairs": { "artifact": pairs.artifact, "train": pairs.train, "dev": pairs.dev, "test": pairs.test },
        "tune": tuned.json(), "evaluate": evaluated.json(), "export": export,
    });
    Ok(Answer { json, plain: what_next(&root) })
}

/// What the new tokenizer would change for an encoder like the base.
fn changed(story: &Story, change: &TokenizerChange) {
    let told = |name: &str, splitting: Splitting| {
        format!(
            "{name:<20} {:.2} tokens per word on unseen documents, {:.0} % of the passages cut short",
            splitting.tokens_per_word,
            100.0 * splitting.cut_short
        )
    };
    story.say(&told("the base's", change.before));
    story.say(&told("the new one", change.after));
    for word in &change.words {
        story.say(&format!("{:<20} {}  ->  {}", word.word, word.before.join("·"), word.after.join("·")));
    }
    story.say(
        "`lapidary tune --vocabulary replace` puts it into the encoder, `lapidary ladder` finds out whether that pays",
    );
}

fn what_next(root: &Path) -> String {
    format!(
        "\nLook at it again:\n  lapidary --workspace {}\n\nYour own documents:\n  lapidary init my-workspace --corpus PATH\n  cd my-workspace && lapidary",
        root.display()
    )
}

/// What the newest corpus holds.
fn documents(workspace: &Workspace) -> Result<String> {
    let details = workspace.newest(Kind::Corpus)?.manifest.details;
    let count = |name: &str| details[name].as_u64().unwrap_or(0);
    Ok(format!("{} documents, {} passages, {} words", count("documents"), count("passages"), count("words")))
}

/// The questions that came with the documents.
struct Pairs {
    artifact: String,
    train: u64,
    dev: u64,
    test: u64,
}

fn pairs(workspace: &Workspace) -> Result<Pairs> {
    let pairs = workspace.resolve(Kind::Pairs, super::PAIRS)?;
    let questions = workspace.resolve(Kind::Questions, super::PAIRS)?;
    let of = |details: &serde_json::Value, name: &str| details[name].as_u64().unwrap_or(0);
    Ok(Pairs {
        artifact: pairs.id.to_string(),
        train: of(&pairs.manifest.details, "train"),
        dev: of(&pairs.manifest.details, "dev"),
        test: of(&questions.manifest.details, "questions"),
    })
}

/// Tells the demo chapter by chapter; a program that asked for JSON gets it at the end only.
struct Story {
    format: Format,
    chapter: usize,
}

impl Story {
    fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        self.print(&format!("\n{}. {title}", self.chapter));
    }

    /// Says some lines, indented.
    fn say(&self, text: &str) {
        for line in text.lines() {
            self.print(&if line.is_empty() { String::new() } else { format!("  {line}") });
        }
    }

    fn print(&self, line: &str) {
        if self.format == Format::Plain {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}");
        }
    }
}
