//! `lapidary runs`: what is going on, and what made what?

use std::io::Write as _;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::arguments::with_detach;
use super::output::Format;
use super::{Answer, Failure, Invocation, Result};
use crate::progress::{Clock as _, Event, Observer as _, Outcome, Scalars};
use crate::runs::{RunFolder, State, Status, Watcher};

/// How often a watcher looks for new events.
const POLL: Duration = Duration::from_millis(200);
/// What it reads at once, so that a long log is shown as it is read.
const BATCH: (usize, Duration) = (2000, Duration::from_millis(50));

pub(super) fn define() -> Command {
    let id = || Arg::new("id").value_name("ID").required(true).help("The run, or any part of its id that no other has");
    Command::new("runs")
        .about("Everything running, finished, stopped and crashed")
        .subcommand(Command::new("list").about("All runs, oldest first"))
        .subcommand(Command::new("watch").about("Follow a run to its end").arg(id()))
        .subcommand(Command::new("stop").about("Ask a run to stop at its next safe point").arg(id()))
        .subcommand(Command::new("checkpoint").about("Ask a run for a checkpoint at its next safe point").arg(id()))
        .subcommand(Command::new("pause").about("Ask a run that asks a language model to begin nothing new").arg(id()))
        .subcommand(Command::new("continue").about("Let a paused run go on").arg(id()))
        .subcommand(
            Command::new("concurrency")
                .about("Set how many requests a run has under way at each endpoint")
                .arg(id())
                .arg(
                    Arg::new("requests")
                        .value_name("N")
                        .required(true)
                        .value_parser(clap::value_parser!(u64).range(1..=64))
                        .help("Requests at once"),
                ),
        )
        .subcommand(with_detach(
            Command::new("resume").about("Go on with a run that stopped, failed or crashed").arg(id()),
        ))
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
    let now = invocation.clock.unix_ms();
    match matches.subcommand() {
        None | Some(("list", _)) => Ok(list(&RunFolder::list(&workspace)?, now)),
        Some(("watch", matches)) => watch(invocation, &find(matches)?),
        Some(("stop", matches)) => {
            let run = find(matches)?;
            Ok(asked(&run, &run.stop(now)?, "to stop at its next safe point"))
        }
        Some(("checkpoint", matches)) => {
            let run = find(matches)?;
            Ok(asked(&run, &run.ask_for_checkpoint(now)?, "for a checkpoint at its next safe point"))
        }
        Some(("pause", matches)) => {
            let run = find(matches)?;
            Ok(asked(&run, &run.pause(now)?, "to begin nothing new"))
        }
        Some(("continue", matches)) => {
            let run = find(matches)?;
            Ok(asked(&run, &run.go_on(now)?, "to go on"))
        }
        Some(("concurrency", matches)) => {
            let run = find(matches)?;
            let wanted = matches.get_one::<u64>("requests").map_or(1, |n| *n as usize);
            let request = run.set_concurrency(wanted, now)?;
            Ok(asked(&run, &request, &format!("for {wanted} requests at once at each endpoint")))
        }
        Some(("resume", matches)) if matches.get_flag("detach") => invocation.launch(&workspace, &find(matches)?, true),
        Some(("resume", matches)) => Ok(Answer::of(&invocation.resume(&workspace, find(matches)?)?)),
        Some(("prune", matches)) => prune(invocation, &RunFolder::list(&workspace)?, matches.get_flag("yes")),
        Some((name, _)) => Err(Failure::Usage(format!("runs has no command {name:?}"))),
    }
}

/// What was asked of a run.
fn asked(run: &RunFolder, request: &str, what: &str) -> Answer {
    let plain = format!("{}: asked {what}", run.id());
    Answer { json: json!({ "run": run.id(), "request": request }), plain }
}

/// A run that cannot be read is listed with the reason; it hides no other.
fn list(runs: &[RunFolder], now: u64) -> Answer {
    let (mut plain, mut all) = (Vec::new(), Vec::new());
    for run in runs {
        match Status::of(run) {
            Ok(status) => {
                plain.push(line(&status, now));
                all.push(serde_json::to_value(&status).unwrap_or_default());
            }
            Err(error) => {
                plain.push(format!("? {:<10} {:<32} {error}", "unreadable", run.id()));
                all.push(json!({ "id": run.id(), "state": "unreadable", "problem": error.to_string() }));
            }
        }
    }
    let plain = if plain.is_empty() { "no runs yet".to_owned() } else { plain.join("\n") };
    Answer { json: json!({ "runs": all }), plain }
}

fn line(status: &Status, now: u64) -> String {
    let mark = match status.state {
        State::Queued => "○",
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
    let hint = match (&status.problem, &status.state, &status.error) {
        (Some(problem), ..) => format!("   {problem}"),
        (_, State::Crashed | State::Stopped, _) => format!("   lapidary runs resume {}", status.id),
        (_, _, Some(error)) => format!("   {error}"),
        _ => String::new(),
    };
    format!("{mark} {:<10} {:<32} {progress}{hint}", status.description(now), status.id)
}

/// Shows a run's events until it ends; the exit code is how it ended.
fn watch(invocation: &Invocation, run: &RunFolder) -> Result<Answer> {
    let foreground = invocation.foreground();
    let mut watcher = Watcher::open(run);
    if let Some(problem) = &watcher.status().problem {
        eprintln!("lapidary: {problem}");
    }
    loop {
        let batch = watcher.poll(BATCH.0, BATCH.1, invocation.clock.unix_ms())?;
        if batch.reloaded {
            eprintln!("lapidary: the log of {} was replaced; from its beginning:", run.id());
        }
        for logged in &batch.events {
            print_event(invocation.format, logged)?;
        }
        let status = watcher.status();
        if batch.garbage > 0 {
            let lines = if status.garbage == 1 { "line" } else { "lines" };
            eprintln!("lapidary: {} {lines} in the log of {} that are no events", status.garbage, run.id());
        }
        if !batch.more && !status.state.is_live() {
            let json = serde_json::to_value(status).unwrap_or_default();
            let answer = Answer { json, plain: line(status, invocation.clock.unix_ms()) };
            return match status.state {
                State::Failed | State::Crashed => Err(Failure::Answered(answer, 1)),
                State::Stopped => Err(Failure::Answered(answer, 3)),
                State::Queued | State::Running | State::Finished => Ok(answer),
            };
        }
        if foreground.stop_requested() {
            return Err(Failure::Stopped(None));
        }
        if !batch.more {
            std::thread::sleep(POLL);
        }
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
    let join = |values: &Scalars, show: fn(f64) -> String| {
        values.0.iter().map(|(name, value)| format!("{name} {}", show(*value))).collect::<Vec<_>>().join("  ")
    };
    let numbers = |values: &Scalars| join(values, |value| format!("{value:.5}"));
    let rounded = |values: &Scalars| join(values, |value| format!("{value:.0}"));
    Some(match event {
        Event::Start { job, device, .. } => format!("{job} on {device}"),
        Event::Phase { name } => format!("- {name}"),
        Event::Progress { done, total: Some(total), unit } => format!("  {done} of {total} {unit}"),
        Event::Progress { done, total: None, unit } => format!("  {done} {unit}"),
        Event::Scalar { step, values } => format!("  step {step}  {}", numbers(values)),
        Event::Eval { step, values } => format!("  dev at step {step}  {}", numbers(values)),
        Event::Checkpoint { step, best, .. } => {
            format!("  checkpoint at step {step}{}", if *best { ", the best so far" } else { "" })
        }
        Event::System { values } => format!("  machine  {}", rounded(values)),
        Event::Merge { done, left, right, count } => format!("  merge {done}  {left} + {right}  {count}"),
        Event::Pair { query, source, rejected: None, .. } => format!("  kept  {query}  ({source})"),
        Event::Pair { query, source, rejected: Some(filter), .. } => {
            format!("  rejected, {filter}  {query}  ({source})")
        }
        Event::Tally { kept, rejected, failed, tokens_per_s, in_flight, paused, .. } => {
            let rejected: u64 = rejected.values().sum();
            let paused = if *paused { "  paused" } else { "" };
            format!(
                "  kept {kept}  rejected {rejected}  given up {failed}  {tokens_per_s:.0} tokens/s  {in_flight} under way{paused}"
            )
        }
        Event::Endpoint { url, state, in_flight, answered, tokens_per_s, problem } => {
            let problem = problem.as_deref().map(|problem| format!("  {problem}")).unwrap_or_default();
            let state = format!("{state:?}").to_lowercase();
            format!("  {url}  {state}  {in_flight} under way  {answered} answered  {tokens_per_s:.0} tokens/s{problem}")
        }
        Event::Ack { id } => format!("  request {id} is carried out"),
        Event::Note { text } => format!("  {text}"),
        Event::Warning { text } => format!("  warning: {text}"),
        Event::End { outcome: Outcome::Failed, error, .. } => {
            format!("failed: {}", error.as_deref().unwrap_or_default())
        }
        Event::End { outcome, .. } => format!("{outcome:?}").to_lowercase(),
        Event::Unknown => return None,
    })
}

fn prune(invocation: &Invocation, runs: &[RunFolder], yes: bool) -> Result<Answer> {
    let mut finished = Vec::new();
    for run in runs {
        // What cannot be read stays.
        if Status::of(run).is_ok_and(|status| status.state == State::Finished) {
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
