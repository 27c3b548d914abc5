//! The charts: loss, dev score, learning rate, gradient norm. A title line, then the curves.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use super::axis::{Curves, XAxis};
use super::numbers::{fixed, short};
use super::{Shown, TuningPane};
use crate::tui::live::LiveRun;
use crate::tui::palette::{Glyph, Role};
use crate::tui::series::{Better, Series, Values};
use crate::tui::shared::Shared;
use crate::tui::widgets::line::{put, put_parts};
use crate::tui::widgets::plot::{Curve, Happening, Level, Plot, Rule, Scale, Shown as Drawn};

/// The mean cosine between a student's embeddings and its teacher's, as alignment and distillation report it.
pub(super) const AGREEMENT: &str = "agreement";
/// Steps of which the share of clipped gradients is told.
const RECENT: usize = 1000;
/// More epochs than these have no rule each.
const MOST_EPOCHS: f64 = 200.0;

/// A chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chart {
    /// What is minimised.
    Loss,
    /// What is wanted.
    Dev,
    /// How far a step goes.
    Rate,
    /// How steep it is.
    Norm,
}

impl Chart {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Loss, Self::Dev, Self::Rate, Self::Norm];

    /// The number it shows.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Dev => "mrr10",
            Self::Rate => "learning_rate",
            Self::Norm => "gradient_norm",
        }
    }
}

/// Draws a chart. The loss decides about x where nothing is zoomed; it is drawn first.
pub(super) fn draw(
    chart: Chart,
    pane: &TuningPane,
    runs: &[Shown<'_>],
    curves: &Curves,
    area: Rect,
    buffer: &mut Buffer,
    shared: &Shared,
) {
    let palette = &shared.palette;
    let Some(open) = runs.first() else { return };
    title(chart, pane, runs, Rect { height: 1, ..area }, buffer, shared);
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let drawn: Vec<Curve<'_>> = runs.iter().rev().filter_map(|run| curve(chart, run, runs.len(), curves)).collect();
    if drawn.iter().all(|curve| curve.series.is_empty()) {
        let text = nothing(chart, open);
        put(
            buffer,
            below.x + 5,
            below.y + below.height / 2,
            below.width.saturating_sub(5),
            text,
            palette.style(Role::Dim),
            palette,
        );
        return;
    }
    let mut axes = pane.axes.borrow_mut();
    let place = |step: f64| open.live.and_then(|live| pane.axis.place(live, step));
    let zoomed = pane.window.get().and_then(|(from, to)| Some((place(from)?, place(to)?)));
    let loss = runs.iter().any(|run| run.live.is_some_and(|live| live.scalars.contains_key("loss")));
    let window = zoomed.or_else(|| (chart != Chart::Loss && loss).then(|| axes[0].window()));
    let levels = levels(chart, runs);
    let rules = open.live.map(|live| rules(chart, live, pane.axis)).unwrap_or_default();
    let plot = Plot {
        curves: &drawn,
        levels: &levels,
        rules: &rules,
        window,
        scale: if chart == Chart::Loss && pane.log { Scale::Log } else { Scale::Linear },
        without_outliers: false,
        format: pane.axis.format(shared.utc_offset),
        crosshair: pane.crosshair.and_then(place),
        name_ends: chart == Chart::Dev,
    };
    plot.render(below, buffer, palette, &mut axes[chart as usize]);
}

fn curve<'a>(chart: Chart, run: &'a Shown<'a>, runs: usize, curves: &'a Curves) -> Option<Curve<'a>> {
    let live = run.live?;
    let series = curves.get(live, if chart == Chart::Dev { measure(live) } else { chart.name() })?;
    let shown = match chart {
        Chart::Loss | Chart::Norm if series.smoothing() > 0.0 => Drawn::Both,
        _ => Drawn::Raw,
    };
    let label = match runs {
        1 if measure(live) == AGREEMENT => "student",
        1 => "tuned",
        _ => &run.name,
    };
    Some(Curve { label, series, index: run.index, shown })
}

/// Why there is no curve.
fn nothing(chart: Chart, open: &Shown<'_>) -> &'static str {
    match (chart, open.status.state.is_live(), open.live.is_some_and(|live| !live.scalars.is_empty())) {
        (_, true, false) => "no step yet",
        (Chart::Dev, true, _) => "no look at the dev questions yet",
        (Chart::Dev, false, true) => "there were no dev questions to look at",
        _ => "no step was taken",
    }
}

/// What a run is judged by: questions, or how well a student agrees with its teacher.
fn measure(live: &LiveRun) -> &'static str {
    let agrees = live.evals.contains_key(AGREEMENT) && !live.evals.contains_key(Chart::Dev.name());
    if agrees { AGREEMENT } else { Chart::Dev.name() }
}

/// The base's score, before the first step, or before what came ahead of it.
pub(super) fn base(live: &LiveRun) -> Option<f64> {
    first(live.evals.get("mrr10_base").or_else(|| live.evals.get(measure(live)))?)
}

/// BM25's score on the same questions.
pub(super) fn by_words(live: &LiveRun) -> Option<f64> {
    first(live.evals.get("mrr10_bm25")?)
}

fn first(series: &Series) -> Option<f64> {
    let step = series.x().first()?;
    (*step == 0.0).then(|| f64::from(series.values(Values::Raw)[0]))
}

/// The best score after the first step, and its step.
pub(super) fn tuned(live: &LiveRun) -> Option<(f64, f64)> {
    let series = live.evals.get(measure(live))?;
    let scores =
        series.x().iter().zip(series.values(Values::Raw)).filter(|(step, score)| **step > 0.0 && score.is_finite());
    let best = scores.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(step, score)| (*step, f64::from(*score)))
}

fn levels(chart: Chart, runs: &[Shown<'_>]) -> Vec<Level<'static>> {
    let open = runs.first().and_then(|run| run.live);
    let mut levels = Vec::new();
    match chart {
        Chart::Dev => {
            let label = if open.is_some_and(|live| measure(live) == AGREEMENT) { "before" } else { "base" };
            levels.extend(open.and_then(base).map(|y| Level { label, y }));
            levels.extend(open.and_then(by_words).map(|y| Level { label: "BM25", y }));
            let pinned = runs.iter().find(|run| run.baseline && run.index > 0).and_then(|run| tuned(run.live?));
            levels.extend(pinned.map(|(_, y)| Level { label: "baseline", y }));
        }
        Chart::Norm => levels.extend(open.and_then(limit).map(|y| Level { label: "limit", y })),
        Chart::Loss | Chart::Rate => {}
    }
    levels
}

/// The norm that gradients are scaled down to, if they are.
fn limit(live: &LiveRun) -> Option<f64> {
    live.settings.get("max_grad_norm")?.as_f64().filter(|limit| *limit > 0.0)
}

/// The share of the last steps whose gradient was scaled down.
pub(super) fn clipped(live: &LiveRun) -> Option<f64> {
    let (limit, series) = (limit(live)?, live.scalars.get("gradient_norm")?);
    let values = series.values(Values::Raw);
    let recent = &values[values.len().saturating_sub(RECENT)..];
    let over = recent.iter().filter(|norm| f64::from(**norm) > limit).count();
    (!recent.is_empty()).then(|| over as f64 / recent.len() as f64)
}

fn rules(chart: Chart, live: &LiveRun, axis: XAxis) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut add = |step: f64, kind| rules.extend(axis.place(live, step).map(|x| Rule { x, kind }));
    if let (Some(epoch), Some(last)) = (live.steps_per_epoch(), live.times.last())
        && last.x / epoch <= MOST_EPOCHS
    {
        (1..=(last.x / epoch) as u32).for_each(|n| add(f64::from(n) * epoch, Happening::Epoch));
    }
    live.resumed.iter().for_each(|step| add(*step as f64, Happening::Resume));
    if matches!(chart, Chart::Loss | Chart::Dev) {
        let kept = live.checkpoints.iter().filter(|(_, best)| !best);
        kept.for_each(|(step, _)| add(*step as f64, Happening::Checkpoint));
        if let Some((step, _)) = live.checkpoints.iter().rev().find(|(_, best)| *best) {
            add(*step as f64, Happening::Best);
        }
    }
    rules
}

/// The title line: the first of its wordings that fits.
fn title(chart: Chart, pane: &TuningPane, runs: &[Shown<'_>], area: Rect, buffer: &mut Buffer, shared: &Shared) {
    let palette = &shared.palette;
    let live = runs.first().and_then(|run| run.live);
    let wordings: Vec<Vec<(String, Style)>> = match (chart, live) {
        (Chart::Dev, Some(live)) => dev_title(live, runs.first().is_some_and(|run| run.synthetic), shared),
        (Chart::Loss, Some(live)) => vec![loss_title(pane, live, shared)],
        (Chart::Rate, live) => {
            let latest = live.and_then(|live| live.latest("learning_rate")).map(short).unwrap_or_default();
            vec![vec![head("learning rate", shared), (format!(" {latest}"), palette.style(Role::Text))]]
        }
        (Chart::Norm, live) => {
            let latest = live.and_then(|live| live.latest("gradient_norm")).map(short).unwrap_or_default();
            let mut parts = vec![head("gradient norm", shared), (format!(" {latest:<5}"), palette.style(Role::Text))];
            let share = live.and_then(clipped).map(|share| format!(" clipped {:.0} %", share * 100.0));
            parts.extend(share.map(|share| (share, palette.style(Role::Dim))));
            vec![parts]
        }
        (Chart::Loss, None) => vec![vec![head("loss", shared)]],
        (Chart::Dev, None) => vec![vec![head("MRR@10 on dev", shared)]],
    };
    let width = |parts: &[(String, Style)]| parts.iter().map(|(text, _)| text.width()).sum::<usize>();
    let fits = wordings.iter().find(|parts| width(parts) <= usize::from(area.width)).or(wordings.last());
    let parts: Vec<(&str, Style)> = fits.into_iter().flatten().map(|(text, style)| (text.as_str(), *style)).collect();
    put_parts(buffer, area.x, area.y, area.width, &parts, palette);
}

fn head(text: &str, shared: &Shared) -> (String, Style) {
    (text.to_owned(), shared.palette.style(Role::Title))
}

fn loss_title(pane: &TuningPane, live: &LiveRun, shared: &Shared) -> Vec<(String, Style)> {
    let palette = &shared.palette;
    let (text, dim) = (palette.style(Role::Text), palette.style(Role::Dim));
    let mut parts = vec![head("loss", shared)];
    let Some(loss) = live.scalars.get("loss") else { return parts };
    parts.extend(loss.last().map(|point| (format!(" {}", fixed(f64::from(point.y))), text)));
    if let Some(best) = loss.best(Better::Lower) {
        parts.push((format!("  best {} @{}", fixed(f64::from(best.y)), best.x), dim));
    }
    match loss.gaps() {
        0 => {}
        1 => parts.push((format!("  {} 1 gap", palette.glyph(Glyph::Gap)), palette.style(Role::Warning))),
        gaps => parts.push((format!("  {} {gaps} gaps", palette.glyph(Glyph::Gap)), palette.style(Role::Warning))),
    }
    let smoothing = loss.smoothing();
    parts.push((if smoothing > 0.0 { format!("  smoothed {smoothing}") } else { "  not smoothed".to_owned() }, dim));
    if pane.log {
        parts.push(("  log".to_owned(), dim));
    }
    parts
}

/// Wordings of the dev chart's title, the longest first. A score on questions that were made from the documents is
/// never shown without that word; base and BM25 have lines of their own in the chart, and give way before it does.
fn dev_title(live: &LiveRun, synthetic: bool, shared: &Shared) -> Vec<Vec<(String, Style)>> {
    let (base, by_words) = (base(live), by_words(live));
    let full = |name: &str, gap: &str| dev_wording(name, gap, base, by_words, live, shared);
    if measure(live) == AGREEMENT {
        return vec![full("agreement with the teacher", "   "), full("agreement", "  "), full("agreement", " ")];
    }
    if !synthetic {
        return vec![
            full("MRR@10 on dev", "   "),
            full("MRR@10 on dev", "  "),
            full("MRR@10 dev", "  "),
            full("MRR@10", " "),
            dev_wording("MRR@10 dev", "  ", None, by_words, live, shared),
            dev_wording("MRR@10 dev", " ", None, None, live, shared),
        ];
    }
    vec![
        full("MRR@10 on synthetic dev", "   "),
        full("MRR@10 on synthetic dev", "  "),
        dev_wording("MRR@10 on synthetic dev", "  ", None, by_words, live, shared),
        dev_wording("MRR@10 synthetic dev", " ", None, by_words, live, shared),
        dev_wording("MRR@10 synthetic", " ", None, None, live, shared),
    ]
}

/// A wording: the name, the scores to beat that are named, the tuned model's and how it compares with its base.
fn dev_wording(
    name: &str,
    gap: &str,
    base: Option<f64>,
    by_words: Option<f64>,
    live: &LiveRun,
    shared: &Shared,
) -> Vec<(String, Style)> {
    let palette = &shared.palette;
    let (text, dim) = (palette.style(Role::Text), palette.style(Role::Dim));
    let mut parts = vec![head(name, shared)];
    let (before, after) = if measure(live) == AGREEMENT { ("before", "now") } else { ("base", "tuned") };
    parts.extend(base.map(|base| (format!("{gap}{before} {}", fixed(base)), dim)));
    parts.extend(by_words.map(|score| (format!("{gap}BM25 {}", fixed(score)), dim)));
    let Some((_, best)) = tuned(live) else { return parts };
    parts.push((format!("{gap}{after} {}", fixed(best)), text));
    let Some(base) = self::base(live) else { return parts };
    let gain = best - base;
    let (glyph, word, role) = match fixed(gain.abs()).as_str() {
        "0.000" => ("", " same", Role::Dim),
        _ if gain > 0.0 => (palette.glyph(Glyph::Up), "", Role::Good),
        _ => (palette.glyph(Glyph::Fall), " worse", Role::Bad),
    };
    let sign = if word == " same" {
        String::new()
    } else {
        format!(" {}{}", if gain > 0.0 { "+" } else { "-" }, fixed(gain.abs()))
    };
    parts.push((format!(" {glyph}{sign}{word}").replace("  ", " "), palette.style(role)));
    parts
}
