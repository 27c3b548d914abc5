//! Draws a job while it makes pairs: how far it is, and the pairs as they come.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::control::{Requests, settings};
use super::endpoints;
use super::tolls::{Tolls, filter_name};
use super::{SYNTHESIS, header};
use crate::progress::EndpointState;
use crate::tui::keymap::{Action, Context};
use crate::tui::live::{LiveRun, Made};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::Shared;
use crate::tui::widgets::line::{cut, put, put_parts, put_right, wrap};
use crate::tui::widgets::symbols::visible;

/// Lines that a question may take.
const LINES: usize = 2;

/// Draws the stream; `requests`: what was asked of the job; `has_set`: there is a set to go back to.
pub(super) fn view(
    run: &LiveRun,
    requests: &Requests,
    has_set: bool,
    area: Rect,
    buffer: &mut Buffer,
    shared: &Shared,
) {
    let palette = &shared.palette;
    let (title, dim) = (palette.style(Role::Title), palette.style(Role::Dim));
    let used = header::draw(run, requests, area, buffer, shared);
    let body = Rect { y: area.y + used + 1, height: area.height.saturating_sub(used + 1), ..area };
    let parts = [("PAIRS AS THEY COME", title), ("   newest last", dim)];
    let used = put_parts(buffer, body.x, body.y, body.width, &parts, palette);
    if has_set {
        let key = shared.keymap.key(Context::Pairs, Action::Follow).unwrap_or_default();
        let back = format!("{key} goes back to the set");
        put_right(buffer, body.right(), body.y, body.width.saturating_sub(used + 3), &back, dim, palette);
    }
    let rows = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    // Half of the pane is the questions', whatever else there is to say; their title counts.
    let least = (area.height / 2).saturating_sub(1);
    let tolls = Tolls::of(&run.rejected, &run.settings, rows.width, palette);
    let foot = endpoints::draw(run, requests, least + tolls.height(), rows, buffer, palette);
    let rows = Rect { height: rows.height.saturating_sub(foot), ..rows };
    let foot = tolls.draw(rows, buffer, palette);
    let rows = Rect { height: rows.height.saturating_sub(foot), ..rows };
    if run.pairs.is_empty() {
        for (at, line) in wrap(nothing(run), usize::from(rows.width)).iter().enumerate() {
            put(buffer, rows.x, rows.y + at as u16, rows.width, line, dim, palette);
        }
        return;
    }
    questions(run, rows, buffer, palette);
}

/// Why there is no pair yet.
fn nothing(run: &LiveRun) -> &'static str {
    let waiting = |state| state == EndpointState::Waiting;
    match run.job.as_str() {
        SYNTHESIS if run.endpoints.is_empty() => "none yet: the first ones come with the model's first answer",
        SYNTHESIS if run.endpoints.iter().any(|endpoint| endpoint.state == EndpointState::Ready) => {
            "none yet: the model is thinking about its first passages"
        }
        SYNTHESIS if run.endpoints.iter().any(|endpoint| waiting(endpoint.state)) => {
            "none yet: the model is being loaded, which can take minutes"
        }
        SYNTHESIS => "none yet: no endpoint answers",
        _ => "none yet: the first ones come when the documents were read",
    }
}

/// The last questions, as many as fit, the newest at the bottom.
fn questions(run: &LiveRun, rows: Rect, buffer: &mut Buffer, palette: &Palette) {
    let column = 22.min(rows.width * 2 / 5);
    let width = usize::from(rows.width.saturating_sub(column + 4));
    let mut shown: Vec<(&Made, Vec<String>)> = Vec::new();
    let (mut y, mut free) = (rows.y, usize::from(rows.height));
    for made in run.pairs.iter().rev() {
        let lines = asked(made, width, palette);
        if lines.len() > free {
            // What is left of the place stays empty above them: the newest stands at the bottom.
            y += free as u16;
            break;
        }
        free -= lines.len();
        shown.push((made, lines));
    }
    for (made, lines) in shown.into_iter().rev() {
        let (glyph, role, of) = match &made.rejected {
            None => (Glyph::Done, Role::Good, made.source.as_str().into()),
            Some(reason) => (Glyph::Failed, Role::Bad, filter_name(reason, settings(run))),
        };
        put(buffer, rows.x, y, 2, palette.glyph(glyph), palette.style(role), palette);
        put_right(buffer, rows.right(), y, column, &visible(&of, palette), palette.style(Role::Dim), palette);
        let style = palette.style(if made.rejected.is_none() { Role::Text } else { Role::Dim });
        for line in lines {
            put(buffer, rows.x + 2, y, width as u16, &line, style, palette);
            y += 1;
        }
    }
}

/// A question in a line or two.
fn asked(made: &Made, width: usize, palette: &Palette) -> Vec<String> {
    let mut lines = wrap(&visible(&made.query, palette), width);
    if lines.len() > LINES {
        let rest = lines.split_off(LINES - 1).join(" ");
        lines.push(cut(&rest, width, palette));
    }
    lines
}
