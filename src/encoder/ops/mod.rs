//! The operators of the encoder as compositions of plain differentiable tensor operations: what engines are held to, and the
//! path of every device and configuration that has no engine.
//!
//! They take and return f32 tensors whose rows are tokens; only [`attention`] knows where one text ends and the next begins.

mod attention;
mod dropout;
mod gelu;
mod layer_norm;
mod linear;

pub(super) use attention::{Heads, attention};
pub(super) use dropout::{Masks, dropout};
pub(super) use gelu::gelu;
pub(super) use layer_norm::layer_norm;
pub(super) use linear::linear;
