//! The command line: one file per subcommand, plain and JSON output, exit codes.
//!
//! Exit codes: 0 done, 1 failed, 2 usage, 3 stopped on request, 4 nothing to stop or resume.

mod align;
mod arguments;
mod compare;
mod corpus;
mod demo;
mod distill;
mod doctor;
mod embed;
mod evaluate;
mod export;
mod foreground;
mod inspect;
mod invocation;
mod ladder;
mod output;
mod pairs;
mod runs;
mod tokenizer;
mod tune;
mod workbench;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use invocation::Invocation;
use output::{Answer, Format};

/// Why a command did not do what was asked.
#[derive(Debug)]
enum Failure {
    /// The command line makes no sense: exit code 2.
    Usage(String),
    /// It could not be done: 1.
    Failed(String),
    /// It was stopped on request: 3. The run that can be resumed.
    Stopped(Option<String>),
    /// There is nothing to stop or resume: 4.
    Nothing(String),
    /// It was answered, and the answer is no good news: the exit code says how bad.
    Answered(Answer, u8),
}

type Result<T, E = Failure> = std::result::Result<T, E>;

macro_rules! failed_from {
    ($($error:ty),+) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Failed(error.to_string())
            }
        }
    )+ };
}
failed_from!(crate::workspace::Error);
failed_from!(crate::encoder::Error);

impl From<crate::jobs::Error> for Failure {
    fn from(error: crate::jobs::Error) -> Self {
        if error.is_stop() { Self::Stopped(None) } else { Self::Failed(error.to_string()) }
    }
}

impl From<crate::settings::SettingError> for Failure {
    fn from(error: crate::settings::SettingError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<crate::runs::Error> for Failure {
    fn from(error: crate::runs::Error) -> Self {
        match error {
            crate::runs::Error::Over(..) => Self::Nothing(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Failure {
    fn report(&self, format: Format) -> ExitCode {
        let (code, text) = match self {
            Self::Usage(text) => (2, text.clone()),
            Self::Failed(text) => (1, text.clone()),
            Self::Stopped(Some(run)) => (3, format!("stopped on request; `lapidary runs resume {run}` goes on")),
            Self::Stopped(None) => (3, "stopped on request".to_owned()),
            Self::Nothing(text) => (4, text.clone()),
            Self::Answered(answer, code) => {
                answer.print(format);
                return ExitCode::from(*code);
            }
        };
        if format == Format::Json {
            Answer { json: serde_json::json!({ "error": text, "exit_code": code }), plain: String::new() }
                .print(format);
        }
        eprintln!("lapidary: {text}");
        ExitCode::from(code)
    }
}

/// A subcommand: its arguments, and what it does.
struct Subcommand {
    define: fn() -> Command,
    run: fn(&Invocation, &ArgMatches) -> Result<Answer>,
}

const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { define: demo::define, run: demo::run },
    Subcommand { define: corpus::define_init, run: corpus::run_init },
    Subcommand { define: corpus::define, run: corpus::run },
    Subcommand { define: inspect::define, run: inspect::run },
    Subcommand { define: tokenizer::define, run: tokenizer::run },
    Subcommand { define: pairs::define, run: pairs::run },
    Subcommand { define: align::define, run: align::run },
    Subcommand { define: tune::define, run: tune::run },
    Subcommand { define: ladder::define, run: ladder::run },
    Subcommand { define: distill::define, run: distill::run },
    Subcommand { define: evaluate::define, run: evaluate::run },
    Subcommand { define: compare::define, run: compare::run },
    Subcommand { define: embed::define, run: embed::run },
    Subcommand { define: export::define, run: export::run },
    Subcommand { define: runs::define, run: runs::run },
    Subcommand { define: doctor::define, run: doctor::run },
    Subcommand { define: workbench::define_keys, run: workbench::run_keys },
    Subcommand { define: worker::define, run: worker::run },
];

fn command_line() -> Command {
    let command = Command::new("lapidary")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Cuts tokenizers and polishes embeddings for one domain")
        .after_help("Without a command: the workbench. A first look, without a network or a GPU: lapidary demo");
    SUBCOMMANDS.iter().fold(arguments::with_globals(command), |command, sub| command.subcommand((sub.define)()))
}

/// Parses, dispatches, prints, and says how it went.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let matches = match command_line().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let (name, of_subcommand) = matches.subcommand().unwrap_or(("", &matches));
    let invocation = Invocation::new(of_subcommand);
    let subcommand = SUBCOMMANDS.iter().find(|sub| (sub.define)().get_name() == name);
    let answer = match subcommand {
        Some(subcommand) => invocation.set_threads().and_then(|()| (subcommand.run)(&invocation, of_subcommand)),
        None => invocation.set_threads().and_then(|()| workbench::run(&invocation)),
    };
    match answer {
        Ok(answer) => {
            answer.print(invocation.format);
            ExitCode::SUCCESS
        }
        Err(failure) => failure.report(invocation.format),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command_line().debug_assert();
    }
}
