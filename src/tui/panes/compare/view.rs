//! Draws the pane: the query, the systems' columns, the passage under the cursor, what was measured.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::details::{self, moved, place_of};
use super::{ComparePane, evaluation, questions, strip};
use crate::tui::keymap::{Action, Context};
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::shared::{Shared, span, thousands};
use crate::tui::widgets::line::{cut, put, put_field, put_parts, put_right, wrap};
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::compare::{Ranked, RankedHit, Ranking, Stage, SystemKind, SystemState};

/// Cells that a column wants.
const COLUMN: u16 = 38;
/// Hits that are shown before anything below gets room.
const LEAST_HITS: u16 = 5;
/// Rows from which there is air between the parts.
const ROOMY: u16 = 30;
/// Rows of the body under which the passage is not shown.
const FLAT: u16 = 16;

/// A system's name without the folders before it.
pub(super) fn short(name: &str) -> String {
    let base = |name: &str| name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(name).to_owned();
    match name.strip_prefix("BM25 + ") {
        Some(rest) => {
            let (model, how) = rest.rsplit_once(", ").unwrap_or((rest, ""));
            let how = if how == "ranks" { ", ranks" } else { "" };
            format!("BM25 + {}{how}", base(model))
        }
        None => base(name),
    }
}

/// Draws the pane.
pub(super) fn draw(pane: &ComparePane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let air = u16::from(area.height >= ROOMY);
    query(pane, Rect { height: 1, ..area }, buffer, shared);
    let body = Rect { y: area.y + 1 + air, height: area.height.saturating_sub(1 + air), ..area };
    let strip_height = strip::height(pane);
    let passage = match (pane.listing, pane.selected().is_some()) {
        (true, _) | (_, false) => 0,
        _ if area.height < FLAT => 0,
        _ => 4 + 3 * air,
    };
    let note = notes(pane);
    let note_height = u16::from(note.is_some());
    let above = 1 + LEAST_HITS + passage + strip_height + note_height + 3 * air;
    let wanted = evaluation::height(pane, area.width, shared) + air;
    let below = wanted.min(body.height.saturating_sub(above));
    let gaps = air * (u16::from(passage > 0) + u16::from(strip_height > 0) + 1);
    let main = body.height.saturating_sub(below + passage + strip_height + note_height + gaps);
    let mut y = body.y;
    let mut take = |height: u16, gap: u16| {
        let rect = Rect { y, height, ..body };
        y += height + gap;
        rect
    };
    let main = take(main, air);
    if pane.listing {
        questions::draw(pane, main, buffer, shared);
    } else {
        columns(pane, main, buffer, shared);
    }
    if passage > 0 {
        details::draw(pane, take(passage, air), buffer, palette);
    }
    if strip_height > 0 {
        strip::draw(pane, take(strip_height, air), buffer, palette);
    }
    if let Some(note) = note {
        let rect = take(1, 0);
        let style = palette.style(Role::Warning);
        put(buffer, rect.x + 1, rect.y, rect.width.saturating_sub(2), &visible(&note, palette), style, palette);
    }
    evaluation::draw(pane, take(below, 0), buffer, shared);
}

/// What one should know, in one line.
fn notes(pane: &ComparePane) -> Option<String> {
    let state = pane.state.as_ref()?;
    state.notes.first().cloned()
}

fn key(shared: &Shared, action: Action) -> String {
    shared.keymap.key(Context::Compare, action).unwrap_or_else(|| "(no key)".to_owned())
}

/// The query, and at the right how far reading is.
fn query(pane: &ComparePane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let progress = progress(pane, palette);
    let width = progress.width() as u16;
    let used = if width + 30 <= area.width {
        put_right(buffer, area.right().saturating_sub(1), area.y, width, &progress, palette.style(Role::Dim), palette)
            + 3
    } else {
        0
    };
    let x = area.x + 1;
    let label = if pane.typing { Role::Accent } else { Role::Title };
    let x = x + put(buffer, x, area.y, 6, "QUERY", palette.style(label), palette) + 2;
    let room = area.right().saturating_sub(x + used + 1);
    if pane.query.is_empty() && !pane.typing {
        let text = format!("press {} and type what a user would ask", key(shared, Action::Type));
        put(buffer, x, area.y, room, &text, palette.style(Role::Dim), palette);
    } else {
        put_field(buffer, x, area.y, room, &pane.query, pane.typing, palette);
    }
}

/// What is being read or embedded, or what is ranked.
fn progress(pane: &ComparePane, palette: &Palette) -> String {
    let Some(state) = &pane.state else { return String::new() };
    for system in &state.systems {
        if let Some(text) = embedding(&system.stage) {
            let text = text.replacen("passages", &format!("passages by {}", short(&system.name)), 1);
            return visible(&text, palette).into_owned();
        }
    }
    match &state.corpus {
        None => "reading the passages".to_owned(),
        Some(Err(_)) => String::new(),
        Some(Ok(read)) => {
            let own = thousands(read.passages.saturating_sub(read.extra) as u64);
            if read.extra > 0 {
                format!("{own} passages and {} of the questions", thousands(read.extra as u64))
            } else {
                format!("{own} passages")
            }
        }
    }
}

fn embedding(stage: &Stage) -> Option<String> {
    let Stage::Embedding { done, total, left_s } = stage else { return None };
    let left = left_s.map(|left| format!(": {} left", span(left))).unwrap_or_default();
    Some(format!("embedding {} of {} passages{left}", thousands(*done as u64), thousands(*total as u64)))
}

/// The systems side by side, as many as fit, the one in focus always among them.
fn columns(pane: &ComparePane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    pane.places.borrow_mut().columns.clear();
    let Some(state) = &pane.state else {
        empty(pane, area, buffer, shared);
        return;
    };
    if let Some(Err(problem)) = &state.corpus {
        say(&format!("The passages cannot be read: {problem}"), Role::Warning, area, buffer, palette);
        return;
    }
    if state.systems.is_empty() {
        say("looking for models", Role::Dim, area, buffer, palette);
        return;
    }
    let count = usize::from((area.width / COLUMN).max(1)).min(state.systems.len());
    let focus = pane.focused();
    let mut first = pane.first.get().min(state.systems.len() - count);
    if focus < first {
        first = focus;
    } else if focus >= first + count {
        first = focus + 1 - count;
    }
    pane.first.set(first);
    let width = area.width / count as u16;
    let rows = area.height.saturating_sub(1);
    pane.page.set(usize::from(rows));
    let top = (pane.hit + 1).saturating_sub(usize::from(rows));
    {
        let mut places = pane.places.borrow_mut();
        // The mouse counts from below the head line.
        places.rows = (area.y, area.y + rows);
        places.top = top;
    }
    for (at, system) in state.systems.iter().enumerate().skip(first).take(count) {
        let nth = (at - first) as u16;
        let x = area.x + nth * width;
        let column = Rect { x, width: if nth as usize + 1 == count { area.right() - x } else { width }, ..area };
        pane.places.borrow_mut().columns.push((column.x, column.right(), at));
        if nth > 0 {
            for y in column.top()..column.bottom() {
                put(buffer, column.x, y, 1, palette.glyph(Glyph::Vertical), palette.style(Role::Dim), palette);
            }
        }
        let inner = Rect { x: column.x + 1, width: column.width.saturating_sub(2), ..column };
        one(pane, system, at == focus, top, inner, buffer, shared);
    }
}

/// One system's column.
fn one(
    pane: &ComparePane,
    system: &SystemState,
    focused: bool,
    top: usize,
    area: Rect,
    buffer: &mut Buffer,
    shared: &Shared,
) {
    let palette = &shared.palette;
    let ranking = pane.ranking.as_ref();
    let ranked = ranking.and_then(|ranking| ranking.systems.iter().find(|ranked| ranked.name == system.name));
    header(pane, system, ranked, focused, Rect { height: 1, ..area }, buffer, palette);
    let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    match &system.stage {
        Stage::Failed(problem) => {
            let text = format!("{} {problem}", palette.glyph(Glyph::Failed));
            return say(&text, Role::Warning, rows, buffer, palette);
        }
        Stage::Waiting => return say("waits for its turn", Role::Dim, rows, buffer, palette),
        Stage::Loading => return say("is being read", Role::Dim, rows, buffer, palette),
        Stage::Embedding { .. } => {
            let text = embedding(&system.stage).unwrap_or_default();
            return say(&text, Role::Dim, rows, buffer, palette);
        }
        Stage::Ready => {}
    }
    match (ranking, ranked.map(|ranked| &ranked.hits)) {
        (Some(ranking), Some(Ok(hits))) if hits.is_empty() && !ranking.query.trim().is_empty() => {
            say("no passage has a word of the query", Role::Dim, rows, buffer, palette);
        }
        (Some(ranking), Some(Ok(hits))) => {
            let selected = pane.selected().map(|(_, _, hit, _)| hit.passage);
            let widths = Widths::of(hits, system.kind, ranking.is_question, palette);
            for (line, (rank, found)) in hits.iter().enumerate().skip(top).take(usize::from(rows.height)).enumerate() {
                let y = rows.y + line as u16;
                let cursor = focused && rank == pane.hit;
                let same = selected == Some(found.passage);
                let at = Rect { y, height: 1, ..rows };
                hit(ranking, &widths, (rank, found), (cursor, same), at, buffer, palette);
            }
        }
        (_, Some(Err(problem))) => say(problem, Role::Warning, rows, buffer, palette),
        _ if pane.query.is_empty() => {
            if focused {
                suggest(pane, rows, buffer, shared);
            }
        }
        _ => say("…", Role::Dim, rows, buffer, palette),
    }
}

/// The column's title line: name and time at the left; at the right the question's rank, or the MRR on all questions.
fn header(
    pane: &ComparePane,
    system: &SystemState,
    ranked: Option<&Ranked>,
    focused: bool,
    area: Rect,
    buffer: &mut Buffer,
    palette: &Palette,
) {
    let question = pane.ranking.as_ref().is_some_and(|ranking| ranking.is_question);
    let right = match ranked {
        Some(ranked) if question => {
            let rank = ranked.relevant_at.map_or_else(|| ">100".to_owned(), |rank| rank.to_string());
            format!("{} rank {rank}", palette.glyph(Glyph::Relevant))
        }
        _ => pane
            .findings()
            .and_then(|judged| judged.findings.systems.iter().find(|it| it.name == system.name))
            .map(|it| format!("MRR {:.3}", it.metrics.mrr10))
            .unwrap_or_default(),
    };
    let used = put_right(buffer, area.right(), area.y, 12, &right, palette.style(Role::Dim), palette);
    let pointer = if focused { palette.glyph(Glyph::Pointer) } else { " " };
    let time = ranked.map(|ranked| format!("  {}", milliseconds(ranked.ms))).unwrap_or_default();
    let room = area.width.saturating_sub(used + 1);
    let name =
        cut(&visible(&short(&system.name), palette), usize::from(room).saturating_sub(2 + time.width()), palette);
    let style = palette.style(if focused { Role::Accent } else { Role::Title });
    let parts = [(pointer, style), (" ", style), (name.as_str(), style), (time.as_str(), palette.style(Role::Dim))];
    put_parts(buffer, area.x, area.y, room, &parts, palette);
}

fn milliseconds(ms: f64) -> String {
    if ms < 0.95 { "<1 ms".to_owned() } else { format!("{ms:.0} ms") }
}

/// How wide the numbers of a column's hits are: what they do not need, the places get.
struct Widths {
    kind: SystemKind,
    score: u16,
    moved: u16,
    mark: u16,
}

impl Widths {
    fn of(hits: &[RankedHit], kind: SystemKind, is_question: bool, palette: &Palette) -> Self {
        let widest = |of: &dyn Fn(&RankedHit) -> usize| hits.iter().map(of).max().unwrap_or(0) as u16;
        Self {
            kind,
            score: widest(&|hit| score(kind, hit).width()),
            moved: widest(&|hit| moved(hit.moved, palette).0.width()),
            mark: if is_question { 2 } else { 0 },
        }
    }
}

/// A score as its system writes it: cosines and fused scores are small, BM25's are not.
fn score(kind: SystemKind, hit: &RankedHit) -> String {
    if kind == SystemKind::Bm25 { format!("{:.1}", hit.score) } else { format!("{:.2}", hit.score) }
}

/// One hit: rank, place, whether it answers, score, move against the base.
fn hit(
    ranking: &Ranking,
    widths: &Widths,
    (rank, found): (usize, &RankedHit),
    (cursor, same): (bool, bool),
    area: Rect,
    buffer: &mut Buffer,
    palette: &Palette,
) {
    let Some(passage) = ranking.passages.get(found.passage) else { return };
    let style = |role: Role| match (cursor, same) {
        (true, _) => palette.style(Role::Cursor),
        // The same passage in the other columns.
        (false, true) if role == Role::Text => palette.style(Role::Resting),
        _ => palette.style(role),
    };
    if cursor {
        let blank = " ".repeat(usize::from(area.width));
        put(buffer, area.x, area.y, area.width, &blank, palette.style(Role::Cursor), palette);
    }
    let mut right = area.right();
    if widths.moved > 0 {
        right = right.saturating_sub(widths.moved);
        let (text, role) = moved(found.moved, palette);
        put(buffer, right, area.y, widths.moved, &text, style(role), palette);
        right = right.saturating_sub(1);
    }
    put_right(buffer, right, area.y, widths.score, &score(widths.kind, found), style(Role::Text), palette);
    right = right.saturating_sub(widths.score + 1);
    if found.relevant {
        put_right(buffer, right, area.y, 1, palette.glyph(Glyph::Relevant), style(Role::Accent), palette);
    }
    right = right.saturating_sub(widths.mark);
    put_right(buffer, area.x + 2, area.y, 2, &(rank + 1).to_string(), style(Role::Dim), palette);
    let x = area.x + 3;
    let room = right.saturating_sub(x);
    let place = visible(&place_of(passage, usize::from(room), palette), palette).into_owned();
    put(buffer, x, area.y, room, &place, style(Role::Text), palette);
}

/// What to do where nothing was asked yet.
fn suggest(pane: &ComparePane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let mut text = format!("{} types a query.", key(shared, Action::Type));
    if let Some(judged) = pane.findings() {
        let count = thousands(judged.findings.per_query.len() as u64);
        text.push_str(&format!("\n{} lists the {count} test questions, won and lost.", key(shared, Action::Questions)));
    }
    say(&text, Role::Dim, area, buffer, palette);
}

/// Where the worker has said nothing yet.
fn empty(pane: &ComparePane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let text = if shared.artifacts.read && shared.artifacts.corpora.is_empty() {
        "There are no passages to rank yet: `lapidary corpus refresh` reads the documents."
    } else if pane.opened {
        "reading the passages"
    } else {
        ""
    };
    say(text, Role::Dim, area, buffer, &shared.palette);
}

/// Words in an area, wrapped.
pub(super) fn say(text: &str, role: Role, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    let lines = text.lines().flat_map(|line| wrap(&visible(line, palette), usize::from(area.width.saturating_sub(2))));
    for (at, line) in lines.take(usize::from(area.height)).enumerate() {
        let width = area.width.saturating_sub(2);
        put(buffer, area.x + 1, area.y + at as u16, width, &line, palette.style(role), palette);
    }
}
