//! Widgets of our own, drawn straight on the buffer: they know no pane and no model.

pub mod plot;
