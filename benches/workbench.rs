//! How fast the workbench draws: charts of a million points at 200 by 50, and what a new point costs.
//!
//!     cargo bench --bench workbench
//!
//! A drawing of two curves of a million points must stay under 5 ms.

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use lapidary::tui::palette::{Background, Charset, Depth, Palette};
use lapidary::tui::series::Series;
use lapidary::tui::widgets::plot::{Axes, Curve, Plot, Shown};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const POINTS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];

const PALETTE: Palette = Palette { depth: Depth::Rgb, background: Background::Dark, charset: Charset::Utf8 };

static CURVES: LazyLock<Vec<[Series; 2]>> =
    LazyLock::new(|| POINTS.map(|points| [200.0, 400.0].map(|rate| loss(points, rate))).into());

fn main() {
    divan::main();
}

/// A noisy decay.
fn loss(points: u32, rate: f32) -> Series {
    let mut series = Series::default();
    for step in 0..points {
        series.append(f64::from(step), value(step, points as f32 / 1000.0 * rate));
    }
    series
}

fn value(step: u32, rate: f32) -> f32 {
    let noise = (step.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0;
    2.0 * (-(step as f32) / rate).exp() + 0.3 * noise
}

fn draw(bencher: Bencher<'_, '_>, points: u32, shown: Shown, without_outliers: bool) {
    let at = POINTS.iter().position(|known| *known == points).unwrap_or(0);
    let [one, two] = &CURVES[at];
    let curves = [
        Curve { label: "tuned", series: one, index: 0, shown },
        Curve { label: "other", series: two, index: 1, shown },
    ];
    let plot = Plot { curves: &curves, without_outliers, name_ends: true, ..Plot::default() };
    let area = Rect::new(0, 0, 200, 50);
    let (mut buf, mut axes) = (Buffer::empty(area), Axes::default());
    bencher.bench_local(|| plot.render(area, &mut buf, &PALETTE, &mut axes));
}

/// Two curves as they came.
#[divan::bench(args = POINTS)]
fn raw(bencher: Bencher<'_, '_>, points: u32) {
    draw(bencher, points, Shown::Raw, false);
}

/// Two curves, each faint and smoothed.
#[divan::bench(args = POINTS)]
fn both(bencher: Bencher<'_, '_>, points: u32) {
    draw(bencher, points, Shown::Both, false);
}

/// As `both`, y without its outliers.
#[divan::bench(args = POINTS)]
fn without_outliers(bencher: Bencher<'_, '_>, points: u32) {
    draw(bencher, points, Shown::Both, true);
}

/// A new point at the end, its average and the pyramids with it.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn append(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(100_000u32)).bench_local(|| loss(100_000, 200.0));
}

/// Another smoothing over a million points.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn smooth(bencher: Bencher<'_, '_>) {
    let mut series = CURVES[3][0].clone();
    bencher.counter(ItemsCount::new(1_000_000u32)).bench_local(|| series.set_smoothing(0.99));
}
