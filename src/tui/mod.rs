//! The workbench: terminal, model, update, view, keymap, palette, panes, widgets.
//!
//! Elm's shape: what happens is a message, [`model::update`] changes the model and says what to do next, [`view::view`]
//! draws the model. Nothing here computes a job: jobs are runs in processes of their own, and the workbench reads their
//! logs. It must never block on the disk or on a model in the thread that draws.

pub mod field;
pub mod form;
pub mod keymap;
pub mod list;
pub mod live;
pub mod message;
pub mod model;
pub mod overlay;
pub mod palette;
pub mod panes;
pub mod preferences;
pub mod runs;
pub mod runtime;
pub mod series;
pub mod shared;
pub mod terminal;
#[cfg(test)]
pub(crate) mod testing;
pub mod view;
pub mod watch;
pub mod widgets;
pub mod workers;
