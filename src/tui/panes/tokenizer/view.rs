//! Draws pane 2.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Numbers, ORDERS, THRESHOLD, TokenizerPane};
use crate::tui::keymap::{Action, Context};
use crate::tui::live::LiveRun;
use crate::tui::palette::{Glyph, Palette, Role};
use crate::tui::series::{Series, Values};
use crate::tui::shared::{Shared, span, thousands};
use crate::tui::widgets::line::{put, put_field, put_parts, put_right, wrap};
use crate::tui::widgets::plot::{Curve, Level, Plot, Shown, TickFormat};
use crate::tui::widgets::symbols::visible;

/// The curve that a training draws.
const HELDOUT: &str = "ratio_heldout";
/// The scalar of the curve's knee so far.
const KNEE: &str = "knee";
/// The scalar of `WordPiece`, where it is trained beside BPE.
const WORDPIECE: &str = "ratio_wordpiece";
/// Where there are no unseen documents.
const TRAIN: &str = "ratio_train";

pub(super) fn view(pane: &TokenizerPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let training = TokenizerPane::training(shared);
    title(pane, training, Rect { height: 1, ..area }, buffer, shared);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let right = (body.width * 2 / 5).clamp(30, 54).min(body.width.saturating_sub(24));
    let left = Rect { width: body.width - right - 1, ..body };
    let column = Rect { x: left.right() + 1, width: right, ..body };
    for y in body.top()..body.bottom() {
        put(buffer, left.right(), y, 1, palette.glyph(Glyph::Vertical), palette.style(Role::Dim), palette);
    }
    chart(pane, training, left, buffer, shared);
    let merges = match training {
        Some(_) => (column.height / 2).max(4),
        None => 0,
    };
    if let Some(run) = training {
        merging(run, Rect { height: merges, ..column }, buffer, palette);
    }
    let rest = Rect { y: column.y + merges, height: column.height.saturating_sub(merges), ..column };
    versions(pane, rest, buffer, shared);
}

fn title(pane: &TokenizerPane, training: Option<&LiveRun>, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let (x, width) = (area.x + 1, area.width.saturating_sub(2));
    let Some(run) = training else {
        let queued = shared.runs.foremost(&super::JOBS).filter(|status| status.state.is_live());
        let said = match queued {
            Some(status) => format!("{}: {}", status.id, status.state.word()),
            None if shared.artifacts.read && shared.artifacts.tokenizers.is_empty() => {
                let key = shared.keymap.key(Context::Tokenizer, Action::New).unwrap_or_default();
                format!("no tokenizer was trained here yet: press {key}")
            }
            None => "which vocabulary is worth it?".to_owned(),
        };
        let parts = [("TOKENIZERS  ", palette.style(Role::Title)), (&*said, palette.style(Role::Dim))];
        put_parts(buffer, x, area.y, width, &parts, palette);
        if pane.waiting.is_some() {
            put_right(buffer, area.right() - 1, area.y, 14, "comparing…", palette.style(Role::Dim), palette);
        }
        return;
    };
    let wanted = run.settings["vocab_size"].as_u64().unwrap_or(0);
    let kind = match run.settings["kind"].as_str() {
        _ if area.width < 100 => "",
        Some("wordpiece") => "WordPiece  ",
        _ => "BPE byte-level  ",
    };
    let mut parts = vec![format!("{kind}{} wanted", thousands(wanted))];
    let mut share = None;
    match &run.progress {
        Some((done, total, unit)) => {
            parts.push(format!("{} {}", if unit == "merges" { "merge" } else { unit }, thousands(*done)));
            if let Some(rate) = run.rate() {
                let unit = if area.width >= 100 { format!(" {unit}") } else { String::new() };
                parts.push(format!("{}{unit}/s", thousands(rate.round() as u64)));
            }
            if let Some(eta) = run.eta() {
                parts.push(format!("{} left", span(eta)));
            }
            share = total.map(|total| *done as f64 / total.max(1) as f64);
        }
        None => parts.push(run.phase.clone()),
    }
    let bar = if area.width >= 100 { 14 } else { 8 };
    let used =
        put(buffer, x, area.y, width.saturating_sub(bar + 8), &parts.join("   "), palette.style(Role::Title), palette);
    if let Some(share) = share
        && width >= used + bar + 8
    {
        let from = area.right() - bar - 8;
        put(buffer, from - 1, area.y, 1, palette.glyph(Glyph::GaugeLeft), palette.style(Role::Dim), palette);
        put(buffer, from, area.y, bar, &palette.bar(share, usize::from(bar)), palette.style(Role::Accent), palette);
        put(buffer, from + bar, area.y, 1, palette.glyph(Glyph::GaugeRight), palette.style(Role::Dim), palette);
        let percent = format!("{:.0} %", (share * 100.0).floor());
        put_right(buffer, area.right() - 1, area.y, 6, &percent, palette.style(Role::Text), palette);
    }
}

fn chart(pane: &TokenizerPane, training: Option<&LiveRun>, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let (series, unseen): (Option<&Series>, bool) = if let Some(run) = training {
        let heldout = run.scalars.get(HELDOUT);
        (heldout.or_else(|| run.scalars.get(TRAIN)), heldout.is_some())
    } else {
        let unseen = pane.selected(shared).is_some_and(|version| Numbers::of(version).unseen.is_some());
        (pane.curve.as_ref().map(|(_, series)| series), unseen)
    };
    let whose = match (training, &pane.curve) {
        (None, Some((of, _))) => format!("   {of}"),
        _ => String::new(),
    };
    let documents = if unseen { "unseen documents" } else { "documents trained on" };
    let heading = format!("tokens per word, {documents}{whose}");
    put(buffer, area.x + 1, area.y, area.width.saturating_sub(1), &heading, palette.style(Role::Dim), palette);
    let Some(series) = series.filter(|series| !series.is_empty()) else {
        let key = shared.keymap.key(Context::Tokenizer, Action::New).unwrap_or_default();
        let text = if training.is_some() {
            "the curve begins with the first merges".to_owned()
        } else if pane.selected(shared).is_some() {
            "this version kept no curve".to_owned()
        } else {
            format!(
                "The curve of tokens per word against vocabulary size grows here while a tokenizer is trained. {key} trains one."
            )
        };
        for (at, line) in wrap(&text, usize::from(area.width.saturating_sub(4))).iter().enumerate() {
            put(buffer, area.x + 2, area.y + 2 + at as u16, area.width - 4, line, palette.style(Role::Dim), palette);
        }
        return;
    };
    let beside = match (training, &pane.beside) {
        (Some(run), _) => run.scalars.get(WORDPIECE),
        (None, beside) => beside.as_ref(),
    };
    let bpe = Curve { label: if beside.is_some() { "BPE" } else { "" }, series, index: 0, shown: Shown::Raw };
    let beside = beside.filter(|series| !series.is_empty());
    let wordpiece = beside.map(|series| Curve { label: "WordPiece", series, index: 1, shown: Shown::Raw });
    let curves: Vec<Curve<'_>> = wordpiece.into_iter().chain([bpe]).collect();
    // Of a finished training the line below the chart says it.
    let threshold = match meets(series).filter(|_| training.is_some() && unseen) {
        Some(size) => format!("meets {THRESHOLD} at {}", thousands(size)),
        None => format!("good: {THRESHOLD}"),
    };
    let levels = [Level { label: &threshold, y: THRESHOLD }];
    // Bytes alone make so many tokens that the sizes one can choose from would lie flat at the foot of the chart.
    let readable = series.values(Values::Raw).iter().position(|ratio| f64::from(*ratio) <= 2.0 * THRESHOLD);
    let from = readable.and_then(|at| series.x().get(at)).copied().unwrap_or(0.0);
    let wanted = training.and_then(|run| run.settings["vocab_size"].as_f64());
    let to = wanted.or_else(|| series.last().map(|last| last.x));
    let window = to.filter(|to| *to > from).map(|to| (from, to));
    let plot = Plot {
        curves: &curves,
        levels: &levels,
        window,
        format: TickFormat::Count,
        crosshair: pane.crosshair,
        name_ends: curves.len() > 1,
        ..Plot::default()
    };
    let place = Rect { y: area.y + 1, height: area.height.saturating_sub(3), ..area };
    plot.render(place, buffer, palette, &mut pane.axes.borrow_mut());
    let foot = area.bottom().saturating_sub(1);
    let text = match pane.crosshair {
        Some(x) => plot
            .readings(x)
            .last()
            .map(|reading| {
                format!("{} tokens: {:.3} tokens per word", thousands(reading.point.x as u64), reading.point.y)
            })
            .unwrap_or_default(),
        None => summary(pane, training, series, shared),
    };
    put(buffer, area.x + 1, foot, area.width.saturating_sub(2), &text, palette.style(Role::Text), palette);
}

/// The first size of a growing curve that leaves unseen documents whole enough.
fn meets(series: &Series) -> Option<u64> {
    let first = series.values(Values::Raw).iter().position(|ratio| f64::from(*ratio) <= THRESHOLD);
    first.map(|at| series.x()[at] as u64)
}

/// The knee and the threshold, in words.
fn summary(pane: &TokenizerPane, training: Option<&LiveRun>, series: &Series, shared: &Shared) -> String {
    if let Some(run) = training {
        let knee = run.scalars.get(KNEE).and_then(Series::last);
        let knee = knee.map(|knee| format!("   knee so far {}", thousands(knee.y as u64))).unwrap_or_default();
        return series
            .last()
            .map(|last| format!("{:.3} at {} tokens{knee}", last.y, thousands(last.x as u64)))
            .unwrap_or_default();
    }
    let Some(version) = pane.selected(shared) else { return String::new() };
    let numbers = Numbers::of(version);
    let knee = numbers.knee.map(|knee| format!("knee {}   ", thousands(knee))).unwrap_or_default();
    match numbers.meets {
        Some(size) => format!("{knee}meets {THRESHOLD} at {}", thousands(size)),
        None => format!("{knee}no size meets {THRESHOLD}"),
    }
}

fn merging(run: &LiveRun, area: Rect, buffer: &mut Buffer, palette: &Palette) {
    put(buffer, area.x + 1, area.y, area.width.saturating_sub(1), "merging now", palette.style(Role::Title), palette);
    let rows = usize::from(area.height.saturating_sub(2));
    if run.merges.is_empty() && area.height > 1 {
        let text = if run.phase.is_empty() { "starting".to_owned() } else { run.phase.clone() };
        put(buffer, area.x + 3, area.y + 1, area.width.saturating_sub(3), &text, palette.style(Role::Dim), palette);
    }
    for (at, merge) in run.merges.iter().rev().take(rows).enumerate() {
        let y = area.y + 1 + at as u16;
        let (left, right) = (visible(&merge.left, palette), visible(&merge.right, palette));
        let style = palette.style(if at == 0 { Role::Text } else { Role::Dim });
        let text = format!("{left} + {right} {} {left}{right}", palette.glyph(Glyph::Arrow));
        put(buffer, area.x + 3, y, area.width.saturating_sub(13), &text, style, palette);
        put_right(buffer, area.right() - 1, y, 9, &thousands(merge.count), style, palette);
    }
}

fn versions(pane: &TokenizerPane, area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    if area.height == 0 {
        return;
    }
    let (x, width) = (area.x + 1, area.width.saturating_sub(1));
    let order = format!("by {} {}", ORDERS[pane.list.sort], palette.glyph(Glyph::Down));
    let wide = area.width >= 46;
    put(buffer, x, area.y, width, "versions", palette.style(Role::Title), palette);
    put_right(buffer, area.right() - 1, area.y, width.saturating_sub(9), &order, palette.style(Role::Dim), palette);
    let area = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if area.height == 0 {
        return;
    }
    // Columns from the right: when, size, unseen, seen.
    let made = if wide { 13 } else { 0 };
    let columns = [(made, "made"), (8, "size"), (8, "unseen"), (if wide { 7 } else { 0 }, "seen")];
    let mut right = area.right() - 1;
    for (cells, name) in columns {
        if cells > 0 {
            put_right(buffer, right, area.y, cells, name, palette.style(Role::Dim), palette);
            right -= cells;
        }
    }
    let mut y = area.y + 1;
    if pane.list.filtering || !pane.list.filter.is_empty() {
        put(buffer, x, y, 1, "/", palette.style(Role::Dim), palette);
        put_field(buffer, x + 1, y, width - 1, &pane.list.filter, pane.list.filtering, palette);
        y += 1;
    }
    let height = usize::from(area.bottom().saturating_sub(y));
    for (at, place) in pane.list.window(height).enumerate() {
        let version = &shared.artifacts.tokenizers[pane.list.row(place)];
        let numbers = Numbers::of(version);
        let here = place == pane.list.position();
        let y = y + at as u16;
        let style = palette.style(if here { Role::Cursor } else { Role::Text });
        let pointer = if here { palette.glyph(Glyph::Pointer) } else { " " };
        let stale = if version.stale { " stale" } else { "" };
        for cell in area.x + 1..area.right() {
            buffer[(cell, y)].set_style(style);
        }
        put(buffer, x, y, right.saturating_sub(x), &format!("{pointer} {}{stale}", version.reference), style, palette);
        let mut right = area.right() - 1;
        let unseen = numbers.unseen.map_or_else(|| "—".to_owned(), |ratio| format!("{ratio:.2}"));
        let texts = [shared.ago(version.made_ms), thousands(numbers.size), unseen, format!("{:.2}", numbers.train)];
        for ((cells, _), text) in columns.iter().zip(texts) {
            if *cells > 0 {
                put_right(buffer, right, y, *cells, &text, style, palette);
                right -= cells;
            }
        }
    }
}
