//! Widgets of our own, drawn straight on the buffer: they know no pane and no model.

pub mod line;
pub mod plot;
pub mod ratio_gauge;
pub mod symbols;
pub mod token_view;
