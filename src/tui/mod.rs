//! The workbench: terminal, model, update, view, keymap, palette, panes, widgets.
//!
//! Elm's shape: what happens is a message, `update` changes the model and says what to do next, `view` draws the model.
//! Nothing here computes a job: jobs are runs in processes of their own, and the workbench reads their logs. It must
//! never block on the disk or on a model in the thread that draws.

pub mod palette;
pub mod series;
pub mod widgets;
