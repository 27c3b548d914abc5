//! What lapidary does, seen from outside: one binary, so that it links once.

mod architecture;
mod bad_input;
mod compare;
mod cycle;
#[cfg(unix)]
mod detached;
mod doctor;
mod encoder;
mod fragmentation;
mod hub;
mod parity;
mod questions;
mod reviews;
mod runs;
mod support;
mod synthesis;
mod tokenizer;
mod tuning;
mod vocabularies;
#[cfg(unix)]
mod workbench;
