//! The `lapidary` binary: parse, dispatch, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    lapidary::commands::main(std::env::args_os())
}
