//! `lapidary runs`: what is going on, and what made what?

use std::io::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::output::Format;
use super::{Answer, Failure, Invocation, Result};
use crate::jobs::Report;
use crate::progress::{Clock as _, Event, Outcome};
use crate::runs::{RunFolder, State, Status};

/// How often a watcher looks for new events.
const POLL: std::time::Duration = std::time::Duration::from_millis(200);

pub(super) fn define() -> Command {
    let id = || Arg::new("id").value_name("ID").required(true).help("The run, or any part of its id that no other has");
    Command::new("runs")
        .about("Everything running, finished, stopped and crashed")
        .subcommand(Command::new("list").about("All runs, oldest first"))
        .subcommand(Command::new("watch").about("Follow a run to its end").arg(id()))
        .subcommand(Command::new("stop").about("Ask a run to stop at its next safe point").arg(id()))
        .subcommand(Command::new("resume").about("Go on with a run that stopped, failed or crashed").arg(id()))
        .subcommand(
            Command::new("prune")
                .about("Remove the checkpoints of finished runs, after showing what that frees")
                .arg(Arg::new("yes").long("yes").action(ArgAction::SetTrue).help("Do not ask")),
        )
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let find = |matches: &ArgMatches| {
        let wanted = matches.get_one::<String>("id").cloned().unwrap_or_default();
        RunFolder::find(&workspace, &wanted)
    };
    match matches.subcommand() {
        None | Some(("list", _)) => list(&RunFolder::list(&workspace)?),
        Some(("watch", matches)) => watch(invocation, &find(matches)?),
        Some(("stop", matches)) => {
            let run = find(matches)?;
            let request = run.stop(invocation.clock.unix_ms())?;
            let plain = format!("{}: asked to stop at its next safe point", run.id());
            Ok(Answer { json: json!({ "run": run.id(), "request": request }), plain })
        }
        Some(("resume", matches)) => Ok(answer(&invocation.resume(&workspace, find(matches)?)?)),
        Some(("prune", matches)) => prune(invocation, &RunFolder::list(&workspace)?, matches.get_flag("yes")),
        Some((name, _)) => Err(Failure::Usage(format!("runs has no command {name:?}"))),
    }
}

fn list(runs: &[RunFolder]) -> Result<Answer> {
    let statuses = runs.iter().map(Status::of).collect::<Result<Vec<_>, _>>()?;
    let plain: Vec<String> = statuses.iter().map(line).collect();
    let plain = if plain.is_empty() { "no runs yet".to_owned() } else { plain.join("\n") };
    Ok(Answer { json: json!({ "runs": statuses }), plain })
}

fn line(status: &Status) -> String {
    let mark = match status.state {
        State::Running => "●",
        State::Finished => "✔",
        State::Failed | State::Crashed => "✘",
        State::Stopped => "■",
    };
    let made = status.result.get("artifact").and_then(Value::as_str).unwrap_or_default();
    let progress = match (&status.state, &status.progress) {
        (State::Finished, _) | (_, None) => made.to_owned(),
        (_, Some((done, Some(total), unit))) => format!("{}: {done} of {total} {unit}", status.phase),
        (_, Some((done, None, unit))) => format!("{}: {done} {unit}", status.phase),
    };
    let hint = match (&status.state, &status.error) {
        (State::Crashed | State::Stopped, _) => format!("   lapidary runs resume {}", status.id),
        (_, Some(error)) => format!("   {error}"),
        _ => String::new(),
    };
    format!("{mark} {:<10} {:<32} {progress}{hint}", status.state.word(), status.id)
}

fn watch(invocation: &Invocation, run: &RunFolder) -> Result<Answer> {
    let foreground = invocation.foreground();
    let mut at = 0;
    loop {
        let (events, next) = run.events_since(at)?;
        at = next;
        for logged in events {
            print_event(invocation.format, &logged)?;
        }
        let status = Status::of(run)?;
        if status.state != State::Running {
            let (rest, _) = run.events_since(at)?;
            for logged in rest {
                print_event(invocation.format, &logged)?;
            }
            let json = serde_json::to_value(&status).unwrap_or_default();
            return Ok(Answer { json, plain: line(&status) });
        }
        if crate::progress::Observer::stop_requested(&foreground) {
            return Err(Failure::Stopped(None));
        }
        std::thread::sleep(POLL);
    }
}

fn print_event(format: Format, logged: &crate::runs::LoggedEvent) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(logged).unwrap_or_default()),
        Format::Plain => plain_event(&logged.event).map_or(Ok(()), |text| writeln!(out, "{text}")),
    };
    written.map_err(|error| Failure::Failed(format!("writing events: {error}")))
}

fn plain_event(event: &Event) -> Option<String> {
    let numbers = |values: &crate::progress::Scalars| {
        values.0.iter().map(|(name, value)| format!("{name} {value:.5}")).collect::<Vec<_>>().join("  ")
    };
    Some(match event {
        Event::Start { job, device, .. } => format!("{job} on {device}"),
        Event::Phase { name } => format!("- {name}"),
        Event::Progress { done, total: Some(total), unit } => format!("  {done} of {total} {unit}"),
        Event::Scalar { step, values } => format!("  step {step}  {}", numbers(values)),
        Event::Eval { step, values } => format!("  dev at step {step}  {}", numbers(values)),
        Event::Checkpoint { step, best, .. } => {
            format!("  checkpoint at step {step}{}", if *best { ", the best so far" } else { "" })
        }
        Event::Note { text } => format!("  {text}"),
        Event::Warning { text } => format!("  warning: {text}"),
        Event::End { outcome: Outcome::Failed, error, .. } => {
            format!("failed: {}", error.as_deref().unwrap_or_default())
        }
        Event::End { outcome, .. } => format!("{outcome:?}").to_lowercase(),
        _ => return None,
    })
}

fn prune(invocation: &Invocation, runs: &[RunFolder], yes: bool) -> Result<Answer> {
    let mut finished = Vec::new();
    for run in runs {
        if Status::of(run)?.state == State::Finished {
            finished.push((run, run.size()));
        }
    }
    let total: u64 = finished.iter().map(|(_, size)| size).sum();
    if finished.is_empty() {
        return Ok(Answer { json: json!({ "removed": [], "freed_bytes": 0 }), plain: "nothing to remove".to_owned() });
    }
    let mib = total as f64 / 1_048_576.0;
    let ids: Vec<String> = finished.iter().map(|(run, _)| run.id()).collect();
    if !yes {
        let sizes =
            finished.iter().map(|(run, size)| format!("  {:>9.1} MiB  {}", *size as f64 / 1_048_576.0, run.id()));
        let shown = sizes.collect::<Vec<_>>().join("\n");
        if invocation.format == Format::Json {
            return Ok(Answer {
                json: json!({ "would_remove": ids, "would_free_bytes": total }),
                plain: String::new(),
            });
        }
        eprint!(
            "{shown}\nRemove these {} finished runs and free {mib:.1} MiB? What they made stays. [y/N] ",
            finished.len()
        );
        let mut reply = String::new();
        let _ = std::io::stdin().read_line(&mut reply);
        if !matches!(reply.trim(), "y" | "Y" | "yes") {
            return Ok(Answer { json: Value::Null, plain: "nothing was removed".to_owned() });
        }
    }
    for (run, _) in &finished {
        run.remove()?;
    }
    let plain = format!("removed {} runs, {mib:.1} MiB", ids.len());
    Ok(Answer { json: json!({ "removed": ids, "freed_bytes": total }), plain })
}

/// The answer to a resumed job is the answer to the job.
fn answer(report: &Report) -> Answer {
    let plain = match report {
        Report::Corpus(report) => report.artifact.clone(),
        Report::Tokenizer(report) => super::tokenizer::plain(report),
        Report::Pairs(report) => super::pairs::plain(report),
        Report::Tune(report) => super::tune::plain(report),
        Report::Evaluate(report) => super::evaluate::plain(report),
        Report::Embed(report) => report.file.clone(),
        Report::Export(report) => report.folder.clone(),
    };
    Answer { json: report.json(), plain }
}
