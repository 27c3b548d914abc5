//! `lapidary doctor`: is everything here that the work needs, and what to do about what is not.
//!
//! It looks and changes nothing. Each group of findings is a file; each finding a line with a mark, and below it the fix.

mod base;
mod machine;
mod servers;
mod terminal;
mod workspace;

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;
use serde_json::json;

use super::{Answer, Failure, Invocation, Result};
use crate::settings::{Settings as _, TuneSettings, with_overrides};
use crate::workspace::Workspace;

/// Columns of the text where no terminal says how many it has.
const WIDTH: usize = 80;
/// The widest text that reads well.
const WIDEST: usize = 100;
/// Columns before a finding's text: mark and name.
const INDENT: usize = 20;

/// How a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    /// As it should be.
    Ok,
    /// Something will not work, or not well.
    Warn,
    /// Nothing will work.
    Bad,
}

impl Mark {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "WARN",
            Self::Bad => "BAD",
        }
    }
}

/// What was looked at, and how it is.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    mark: Mark,
    /// What it is about: one or two words.
    about: &'static str,
    /// What is so.
    text: String,
    /// What to do; nothing where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Finding {
    fn ok(about: &'static str, text: impl Into<String>) -> Self {
        Self { mark: Mark::Ok, about, text: text.into(), fix: None }
    }

    fn warn(about: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { mark: Mark::Warn, about, text: text.into(), fix: Some(fix.into()) }
    }

    fn bad(about: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { mark: Mark::Bad, about, text: text.into(), fix: Some(fix.into()) }
    }
}

/// Findings of one kind.
#[derive(Debug, Serialize)]
struct Group {
    group: &'static str,
    findings: Vec<Finding>,
}

pub(super) fn define() -> Command {
    Command::new("doctor")
        .about("Look whether everything works here: device, base, terminal, servers, disk, workspace")
        .after_help("Exit code 1 if anything is BAD; what is only marked WARN is no failure.")
        .arg(
            Arg::new("base")
                .long("base")
                .value_name("M")
                .help("The base that is meant to be tuned (default: the workspace's, else `embedded`)"),
        )
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.find_workspace();
    let found: Option<&Workspace> = workspace.as_ref().ok();
    let base = match matches.get_one::<String>("base") {
        Some(base) => base.clone(),
        // Settings that are wrong are a finding of their own.
        None => {
            with_overrides::<TuneSettings>(found.and_then(|found| found.config().overrides(TuneSettings::JOB)))
                .unwrap_or_default()
                .base
        }
    };
    let groups = [
        Group { group: "machine", findings: machine::look(invocation, found) },
        Group { group: "terminal", findings: terminal::look() },
        Group { group: "workspace", findings: workspace::look(workspace.as_ref(), !invocation.names_no_workspace()) },
        Group { group: "base", findings: base::look(found, &base) },
        Group { group: "servers", findings: servers::look() },
    ];
    let worst = groups.iter().flat_map(|group| &group.findings).map(|finding| finding.mark).max().unwrap_or(Mark::Ok);
    let width = terminal::columns().unwrap_or(WIDTH).min(WIDEST);
    let answer = Answer { json: json!({ "worst": worst, "groups": groups }), plain: plain(&groups, width) };
    if worst == Mark::Bad { Err(Failure::Answered(answer, 1)) } else { Ok(answer) }
}

fn plain(groups: &[Group], width: usize) -> String {
    let mut text = String::new();
    for Group { group, findings } in groups {
        text.push_str(&format!("{group}\n"));
        for Finding { mark, about, text: what, fix } in findings {
            let lead = format!("  {:<5}{about:<width$}", mark.word(), width = INDENT - 7);
            text.push_str(&wrapped(&lead, what, width));
            if let Some(fix) = fix {
                text.push_str(&wrapped(&format!("{:INDENT$}-> ", ""), fix, width));
            }
        }
    }
    let count = |wanted: Mark| groups.iter().flat_map(|group| &group.findings).filter(|it| it.mark == wanted).count();
    text.push_str(&match (count(Mark::Bad), count(Mark::Warn)) {
        (0, 0) => "Everything is as it should be.".to_owned(),
        (0, warnings) => format!("Nothing is broken; {warnings} to look at, marked WARN."),
        (bad, warnings) => format!("{bad} broken, marked BAD; {warnings} to look at, marked WARN."),
    });
    text
}

/// A text in lines of a width, the first after a lead and the others below it.
fn wrapped(lead: &str, text: &str, width: usize) -> String {
    let indent = lead.chars().count();
    let room = width.saturating_sub(indent).max(20);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    format!("{lead}{}\n", lines.join(&format!("\n{:indent$}", "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_wrap_below_themselves() {
        let text = wrapped("  ok   disk   ", "one two three four five six seven", 34);
        assert_eq!(text, "  ok   disk   one two three four\n              five six seven\n");
        let long = wrapped("", &"x".repeat(50), 20);
        assert_eq!(long, format!("{}\n", "x".repeat(50)), "a path is never cut");
    }

    #[test]
    fn marks_are_words_and_every_warning_has_a_fix() {
        let findings = vec![Finding::ok("threads", "2"), Finding::warn("disk", "nearly full", "free some")];
        let text = plain(&[Group { group: "machine", findings }], 80);
        assert_eq!(
            text,
            "machine\n  ok   threads      2\n  WARN disk         nearly full\n                    -> free some\nNothing is broken; 1 to look at, marked WARN."
        );
    }
}
