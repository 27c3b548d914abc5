//! Draws a job while it makes pairs: how far it is, and the pairs as they come.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::view::toll_lines;
use crate::tui::keymap::{Action, Context};
use crate::tui::live::LiveRun;
use crate::tui::palette::{Glyph, Role};
use crate::tui::shared::{Shared, span, thousands};
use crate::tui::widgets::line::{put, put_parts, put_right, wrap};
use crate::tui::widgets::symbols::visible;

/// Draws the stream; `has_set`: there is a set to go back to.
pub(super) fn view(run: &LiveRun, has_set: bool, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let (title, dim) = (palette.style(Role::Title), palette.style(Role::Dim));
    // Who makes them: a model on its endpoints names itself in its phase.
    let name = run.settings.get("settings").unwrap_or(&run.settings).get("name").and_then(|name| name.as_str());
    let name = name.map_or_else(|| run.id.clone(), str::to_owned);
    let how = run.job.strip_prefix("pairs-").unwrap_or(&run.job).to_owned();
    let head = format!("{} {name}", palette.glyph(Glyph::Running));
    let mut progress = vec![visible(&run.phase, palette).into_owned()];
    if let Some((done, total, unit)) = &run.progress {
        let one = unit.strip_suffix('s').unwrap_or(unit);
        progress.push(match total {
            Some(total) => format!("{one} {} of {}", thousands(*done), thousands(*total)),
            None => format!("{} {unit}", thousands(*done)),
        });
        if let Some(rate) = run.rate().filter(|rate| *rate > 0.0) {
            let rate = if rate < 100.0 { format!("{rate:.1}") } else { thousands(rate.round() as u64) };
            progress.push(format!("{rate} {unit}/s"));
        }
        if let Some(eta) = run.eta().filter(|eta| *eta >= 1.0) {
            progress.push(format!("ETA {}", span(eta)));
        }
    }
    let progress = progress.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("   ");
    let parts = [(&*visible(&head, palette), palette.style(Role::Accent)), ("   ", dim), (how.as_str(), dim)];
    let used = put_parts(buffer, area.x, area.y, area.width, &parts, palette);
    let rejected: usize = run.rejected.values().sum();
    let share = rejected as f64 / (run.kept + rejected).max(1) as f64 * 100.0;
    let counts =
        format!("seen: kept {}   rejected {} ({share:.0} %)", thousands(run.kept as u64), thousands(rejected as u64));
    let mut y = area.y;
    let room = usize::from(area.width.saturating_sub(used + 3));
    if room >= progress.width() + 3 + counts.width() {
        put(buffer, area.x + used + 3, y, room as u16, &progress, palette.style(Role::Text), palette);
    } else {
        y += 1;
        put(buffer, area.x, y, area.width, &progress, palette.style(Role::Text), palette);
    }
    put_right(buffer, area.right(), area.y, room as u16, &counts, palette.style(Role::Text), palette);

    let body = Rect { y: y + 2, height: area.bottom().saturating_sub(y + 2), ..area };
    let key = |action| shared.keymap.key(Context::Pairs, action).unwrap_or_default();
    let mut keys = format!("{} stops it", key(Action::Stop));
    if has_set {
        keys.push_str(&format!("   {} goes back to the set", key(Action::Follow)));
    }
    put_parts(buffer, body.x, body.y, body.width, &[("PAIRS AS THEY COME", title), ("   newest last", dim)], palette);
    put_right(buffer, body.right(), body.y, body.width.saturating_sub(36), &keys, dim, palette);
    let rows = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    let mut tolls: Vec<(&str, usize)> = run.rejected.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    tolls.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let foot = toll_lines(&tolls, rows, buffer, palette);
    let rows = Rect { height: rows.height.saturating_sub(foot), ..rows };
    if run.pairs.is_empty() {
        let text = "none yet: the first ones come when the documents were read";
        for (at, line) in wrap(text, usize::from(rows.width)).iter().enumerate() {
            put(buffer, rows.x, rows.y + at as u16, rows.width, line, dim, palette);
        }
        return;
    }
    let column = 22.min(rows.width * 2 / 5);
    let skip = run.pairs.len().saturating_sub(usize::from(rows.height));
    for (at, made) in run.pairs.iter().skip(skip).enumerate() {
        let y = rows.y + at as u16;
        let (glyph, role, of) = match &made.rejected {
            None => (Glyph::Done, Role::Good, &made.source),
            Some(reason) => (Glyph::Failed, Role::Bad, reason),
        };
        put(buffer, rows.x, y, 2, palette.glyph(glyph), palette.style(role), palette);
        let style = palette.style(if made.rejected.is_none() { Role::Text } else { Role::Dim });
        put(
            buffer,
            rows.x + 2,
            y,
            rows.width.saturating_sub(column + 4),
            &visible(&made.query, palette),
            style,
            palette,
        );
        put_right(buffer, rows.right(), y, column, &visible(of, palette), dim, palette);
    }
}
