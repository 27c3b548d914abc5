//! What the workspace holds, and what is wrong with it.

use super::Finding;
use crate::runs::{RunFolder, State, Status};
use crate::settings::{
    CorpusSettings, EvaluateSettings, PairsSettings, Settings, TokenizerSettings, TuneSettings, with_overrides,
};
use crate::workspace::{Error, Kind, Workspace};

/// Fewer test questions than this, and only large differences can be seen.
const FEW_QUESTIONS: u64 = 100;
const INIT: &str = "`lapidary init DIR --corpus PATH` makes one";

/// `named`: the user said which workspace is meant, and not to find it is a fault.
pub(super) fn look(workspace: Result<&Workspace, &Error>, named: bool) -> Vec<Finding> {
    match workspace {
        Ok(workspace) => {
            vec![folder(workspace), overrides(workspace), corpus(workspace), questions(workspace), runs(workspace)]
        }
        Err(Error::NotFound(_)) if !named => vec![Finding::ok("folder", format!("none here: {INIT}"))],
        Err(error @ Error::NotFound(_)) => vec![Finding::bad("folder", error.to_string(), INIT)],
        Err(error) => vec![Finding::bad("folder", error.to_string(), "mend the file that is named")],
    }
}

fn folder(workspace: &Workspace) -> Finding {
    let root = workspace.root().display();
    match tempfile::tempfile_in(workspace.root()) {
        Ok(_) => Finding::ok("folder", root.to_string()),
        Err(error) => Finding::bad(
            "folder",
            format!("{root} cannot be written: {error}"),
            "check who owns it and its permissions",
        ),
    }
}

/// Settings of `lapidary.toml` are read when their job starts; wrong ones are better known before.
fn overrides(workspace: &Workspace) -> Finding {
    fn problem<S: Settings>(workspace: &Workspace) -> Option<String> {
        let checked = with_overrides::<S>(workspace.config().overrides(S::JOB));
        checked.err().map(|error| error.to_string())
    }
    let problems = [
        problem::<CorpusSettings>(workspace),
        problem::<TokenizerSettings>(workspace),
        problem::<PairsSettings>(workspace),
        problem::<TuneSettings>(workspace),
        problem::<EvaluateSettings>(workspace),
    ];
    match problems.into_iter().flatten().next() {
        Some(problem) => {
            Finding::bad("settings", format!("lapidary.toml: {problem}"), "mend the setting, or remove it")
        }
        None => Finding::ok("settings", format!("{} jobs differ from the defaults", workspace.config().settings.len())),
    }
}

fn corpus(workspace: &Workspace) -> Finding {
    let artifact = match workspace.newest(Kind::Corpus) {
        Ok(artifact) => artifact,
        Err(error) => {
            return Finding::warn("corpus", error.to_string(), "`lapidary corpus refresh` reads the documents");
        }
    };
    let count = |name: &str| artifact.manifest.details[name].as_u64().unwrap_or(0);
    let skipped = artifact.manifest.details["skipped"].as_array().map_or(0, Vec::len);
    let text = format!("{}: {} documents, {} passages", artifact.id, count("documents"), count("passages"));
    if skipped > 0 {
        let file = artifact.path.join("manifest.json");
        let fix = format!("{} says which and why, under \"skipped\"", file.display());
        return Finding::warn("corpus", format!("{text}; {skipped} files or lines were skipped"), fix);
    }
    Finding::ok("corpus", text)
}

fn questions(workspace: &Workspace) -> Finding {
    let fix = "import your own with `lapidary pairs import FILE`: evaluation says no more than its questions do";
    let Ok(artifact) = workspace.newest(Kind::Questions) else {
        return Finding::warn("questions", "no test questions: nothing can be proven yet", fix);
    };
    let count = artifact.manifest.details["questions"].as_u64().unwrap_or(0);
    let synthetic = artifact.manifest.details["synthetic"].as_bool().unwrap_or(false);
    let text =
        format!("{}: {count} to test on{}", artifact.id, if synthetic { ", none of them asked by people" } else { "" });
    if count < FEW_QUESTIONS {
        return Finding::warn("questions", format!("{text}; under {FEW_QUESTIONS}, only large differences show"), fix);
    }
    if synthetic { Finding::warn("questions", text, fix) } else { Finding::ok("questions", text) }
}

fn runs(workspace: &Workspace) -> Finding {
    let runs = match RunFolder::list(workspace) {
        Ok(runs) => runs,
        Err(error) => return Finding::bad("runs", error.to_string(), "check the folder `runs` of the workspace"),
    };
    let statuses: Vec<_> = runs.iter().map(Status::of).collect();
    let unreadable = statuses.iter().filter(|status| status.is_err()).count();
    let living = |status: &&Status| matches!(status.state, State::Running | State::Queued);
    let alive = statuses.iter().flatten().filter(living).count();
    let crashed: Vec<&str> = statuses
        .iter()
        .flatten()
        .filter(|status| status.state == State::Crashed)
        .map(|status| status.id.as_str())
        .collect();
    let text = format!("{} in all, {alive} under way", statuses.len());
    match (crashed.last(), unreadable) {
        (Some(last), _) => Finding::warn(
            "runs",
            format!("{text}, {} crashed", crashed.len()),
            format!("`lapidary runs resume {last}` goes on; `lapidary runs prune` clears away"),
        ),
        (None, 1..) => Finding::warn("runs", format!("{text}, {unreadable} unreadable"), "`lapidary runs` names them"),
        _ => Finding::ok("runs", text),
    }
}
