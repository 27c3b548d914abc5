//! What lapidary does, seen from outside: one binary, so that it links once.

mod architecture;
mod bad_input;
mod compare;
mod cycle;
#[cfg(unix)]
mod detached;
mod encoder;
mod fragmentation;
mod parity;
mod reviews;
mod runs;
mod support;
mod synthesis;
mod tokenizer;
mod tuning;
#[cfg(unix)]
mod workbench;
