//! The command line of a job, made from its settings: one definition serves both.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::settings::{SettingError, Settings, Shape, with_overrides};
use crate::workspace::Workspace;

/// What a switch says that is on; one that is so without being named is turned off by `=false`.
const ON: &str = "true";

/// Adds an argument for every parameter of a job.
pub(super) fn with_settings<S: Settings>(mut command: Command) -> Command {
    let defaults = S::default();
    for parameter in S::parameters() {
        let mut help = parameter.description();
        let default = defaults.get(parameter.name).unwrap_or_default();
        if !default.is_empty() && parameter.shape != Shape::Switch {
            help.push_str(&format!(" (default: {default})"));
        }
        let mut argument = Arg::new(parameter.name).long(parameter.flag()).help(help);
        argument = match parameter.shape {
            Shape::Switch if default == ON => argument
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value(ON)
                .value_parser(PossibleValuesParser::new([ON, "false"]))
                .hide_possible_values(true)
                .value_name("false"),
            Shape::Switch => argument.action(ArgAction::SetTrue),
            Shape::Choice(words) => argument.value_parser(PossibleValuesParser::new(words)).value_name("WORD"),
            Shape::Integer => argument.value_name("N"),
            Shape::Number => argument.value_name("X"),
            Shape::Text => argument.value_name(parameter.name.to_uppercase()),
        };
        command = command.arg(argument);
    }
    command
}

/// Adds `--detach` to a command that runs a job.
pub(super) fn with_detach(command: Command) -> Command {
    command.arg(
        Arg::new("detach")
            .long("detach")
            .action(ArgAction::SetTrue)
            .help("Start it in a process of its own that outlives the terminal, and return at once"),
    )
}

/// The settings that a command line asks for: defaults, then the workspace's overrides, then the arguments.
pub(super) fn settings<S: Settings>(matches: &ArgMatches, workspace: Option<&Workspace>) -> Result<S, SettingError> {
    let mut settings = with_overrides::<S>(workspace.and_then(|workspace| workspace.config().overrides(S::JOB)))?;
    let defaults = S::default();
    for parameter in S::parameters() {
        if parameter.shape == Shape::Switch && defaults.get(parameter.name).as_deref() != Some(ON) {
            if matches.get_flag(parameter.name) {
                settings.set(parameter.name, ON)?;
            }
        } else if let Some(given) = matches.get_one::<String>(parameter.name) {
            settings.set(parameter.name, given)?;
        }
    }
    Ok(settings)
}

/// What every command takes.
pub(super) fn with_globals(command: Command) -> Command {
    command
        .arg(
            Arg::new("workspace")
                .long("workspace")
                .value_name("DIR")
                .global(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("The workspace (default: the nearest lapidary.toml upwards)"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .global(true)
                .value_parser(["plain", "json"])
                .default_value("plain")
                .help("plain: for people; json: one object on stdout, events as JSON lines on stderr"),
        )
        .arg(
            Arg::new("device")
                .long("device")
                .value_name("DEVICE")
                .global(true)
                .default_value("auto")
                .help("auto, cpu, cuda, cuda:N or metal; cuda:0,cuda:1 or cuda:all to train on several GPUs"),
        )
        .arg(
            Arg::new("threads")
                .long("threads")
                .value_name("N")
                .global(true)
                .value_parser(clap::value_parser!(u64).range(1..=1024))
                .help("Threads to compute with (default: all cores)"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{PairsSettings, TuneSettings};

    fn read<S: Settings>(arguments: &[&str]) -> S {
        let command = with_settings::<S>(Command::new("job").no_binary_name(true));
        settings(&command.try_get_matches_from(arguments).unwrap(), None).unwrap()
    }

    #[test]
    fn a_switch_that_is_on_is_turned_off_by_name() {
        assert!(read::<PairsSettings>(&[]).headings);
        assert!(read::<PairsSettings>(&["--headings"]).headings);
        assert!(!read::<PairsSettings>(&["--headings=false"]).headings);
    }

    #[test]
    fn a_switch_that_is_off_is_turned_on_by_name() {
        assert!(!read::<TuneSettings>(&[]).symmetric);
        assert!(read::<TuneSettings>(&["--symmetric"]).symmetric);
    }
}
