//! How each tokenizer splits the query, a line each.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::ComparePane;
use super::view::short;
use crate::tui::palette::{Palette, Role};
use crate::tui::widgets::line::{put, put_right};
use crate::tui::widgets::symbols::visible;
use crate::tui::widgets::token_view::{Options, TokenLayout};
use crate::tui::workers::compare::Split;

/// Cells of the names before the tokens.
const NAMES: u16 = 24;

/// The lines that the strip takes.
pub(super) fn height(pane: &ComparePane) -> u16 {
    if !pane.splitting {
        return 0;
    }
    let splits = pane.ranking.as_ref().map_or(0, |ranking| ranking.splits.len());
    splits.clamp(1, 5) as u16 + 1
}

/// Draws it.
pub(super) fn draw(pane: &ComparePane, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    let dim = palette.style(Role::Dim);
    put(buffer, area.x + 1, area.y, area.width, "THE QUERY IN TOKENS", palette.style(Role::Title), palette);
    let splits = pane.ranking.as_ref().filter(|ranking| !ranking.query.is_empty()).map(|ranking| &ranking.splits);
    let Some((ranking, splits)) = pane.ranking.as_ref().zip(splits) else {
        put(buffer, area.x + 1, area.y + 1, area.width, "type a query to see it split", dim, palette);
        return;
    };
    for (at, split) in splits.iter().take(usize::from(area.height.saturating_sub(1))).enumerate() {
        let y = area.y + 1 + at as u16;
        put(buffer, area.x + 1, y, NAMES - 6, &visible(&names(split), palette), dim, palette);
        let x = area.x + 1 + NAMES;
        let width = area.right().saturating_sub(x + 1);
        match &split.tokens {
            Ok(tokens) => {
                put_right(buffer, x - 2, y, 4, &tokens.len().to_string(), palette.style(Role::Text), palette);
                let layout = TokenLayout::new(&ranking.query, tokens, width, Options::of(palette));
                layout.render(Rect { x, y, width, height: 1 }, buffer, palette, None, 0);
            }
            Err(problem) => {
                put(buffer, x, y, width, &visible(problem, palette), palette.style(Role::Warning), palette);
            }
        }
    }
}

/// Who splits so: the first by name, the others by their number where there is no room.
fn names(split: &Split) -> String {
    let all = split.names.iter().map(|name| short(name)).collect::<Vec<_>>().join(", ");
    if all.width() <= usize::from(NAMES) - 6 || split.names.len() < 2 {
        return all;
    }
    format!("{} +{}", short(&split.names[0]), split.names.len() - 1)
}
