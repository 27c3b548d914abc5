mod parity;
mod support;
