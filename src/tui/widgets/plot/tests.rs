use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use proptest::prelude::*;
use ratatui::backend::CrosstermBackend;
use ratatui::style::Modifier;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::*;
use crate::tui::palette::Background;

const BRAILLE: Palette = Palette { charset: Charset::Utf8, ..Palette::PLAINEST };
const RGB: Palette = Palette { depth: Depth::Rgb, background: Background::Dark, charset: Charset::Utf8 };

fn series(ys: impl IntoIterator<Item = f32>) -> Series {
    let mut series = Series::default();
    for (step, y) in ys.into_iter().enumerate() {
        series.append(step as f64, y);
    }
    series
}

fn raw(series: &Series) -> Curve<'_> {
    Curve { label: "", series, index: 0, shown: Shown::Raw }
}

fn drawn(plot: &Plot<'_>, width: u16, height: u16, palette: &Palette) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    plot.render(area, &mut buf, palette, &mut Axes::default());
    buf
}

fn rows(buf: &Buffer) -> Vec<String> {
    let row = |y| (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buf.area.height).map(row).collect()
}

/// The dots of a Braille cell; none for any other character.
fn dots(buf: &Buffer, x: u16, y: u16) -> u32 {
    let symbol = buf[(x, y)].symbol().chars().next().map_or(0, u32::from);
    if (0x2800..0x2900).contains(&symbol) { symbol - 0x2800 } else { 0 }
}

fn decay(steps: u32) -> Series {
    series((0..=steps).map(|step| 2.0 * (-(step as f32) / 60.0).exp() + 0.1 * (step % 5) as f32))
}

#[test]
fn a_loss_in_braille() {
    let loss = decay(184);
    let curve = Curve { label: "loss", series: &loss, index: 0, shown: Shown::Smoothed };
    let base = Level { label: "base 1.2", y: 1.2 };
    let rule = Rule { x: 150.0, kind: Happening::Checkpoint };
    let plot = Plot { curves: &[curve], levels: &[base], rules: &[rule], name_ends: true, ..Plot::default() };
    assert_eq!(
        rows(&drawn(&plot, 46, 7, &BRAILLE)),
        [
            "    │⢀                             ┊",
            "   2┤⠋⠉⠒⠤⣄⡀                        ┊",
            "    │     ⠉⠓⠦⢄⣀⡀                   ┊",
            "   1┤┄┄┄┄┄┄┄┄┄┄⠉⠓⠲⠤⢄⣀⡀┄┄┄┄┄┄┄┄┄┄┄┄┄┊ base 1.2",
            "    │                ⠈⠉⠑⠓⠒⠲⠦⠤⠤⢤⣄⣀⣀⣀⣀⣀⢀",
            "   0┤                              ⠈⠉⠉⠉⠉⠉⠉⠉",
            "    └0─────────50───────100────────C───────200",
        ]
    );
}

#[test]
fn a_loss_in_ascii() {
    let loss = decay(184);
    let lower = series((0..=184).map(|step| 0.5 + step as f32 / 400.0));
    let curves = [
        Curve { label: "loss", series: &loss, index: 0, shown: Shown::Smoothed },
        Curve { label: "other", series: &lower, index: 1, shown: Shown::Raw },
    ];
    let plot = Plot { curves: &curves, name_ends: true, ..Plot::default() };
    assert_eq!(
        rows(&drawn(&plot, 46, 12, &Palette::PLAINEST)),
        [
            "    |",
            "    |a",
            "   2+aaaa",
            "    |    aaa",
            "    |       aaaa",
            "   1+          aaaa",
            "    |             aabbbbbbbbbbbbbbbbbbbbbbb",
            "    |bbbbbbbbbbbbbbbb   aaaaaaaaaaaa",
            "    |                            aaaaaaaaaa",
            "   0+",
            "    ++---------+---------+---------+---------+",
            "     0         50       100       150      200",
        ]
    );
}

#[test]
fn one_spike_among_a_million_is_seen() {
    let spiky = series((0..1_000_000).map(|step| if step == 654_321 { 10.0 } else { 1.0 + (step % 3) as f32 * 0.1 }));
    let plot = Plot { curves: &[raw(&spiky)], window: Some((0.0, 1e6)), ..Plot::default() };
    let area = Rect::new(0, 0, 200, 50);
    let (mut buf, mut axes) = (Buffer::empty(area), Axes::default());
    plot.render(area, &mut buf, &BRAILLE, &mut axes);
    let inner = axes.area();
    let column = inner.x + (f64::from(inner.width) * 0.654_321) as u16;
    // The axis ends at 10: the top row, and every row down to the others.
    assert_ne!(dots(&buf, column, inner.y), 0);
    assert!((inner.top()..inner.bottom() - 4).all(|row| dots(&buf, column, row) != 0));
    let top: Vec<u16> = (inner.left()..inner.right()).filter(|x| dots(&buf, *x, inner.y) != 0).collect();
    assert_eq!(top, [column], "and nowhere else");
}

#[test]
fn a_missing_number_is_a_gap_with_a_mark() {
    let ys = |missing: f32| (0..40).map(move |step| if (15..25).contains(&step) { missing } else { 1.0 });
    let gappy = series(ys(f32::NAN));
    let plot = Plot { curves: &[raw(&gappy)], window: Some((0.0, 40.0)), ..Plot::default() };
    let area = Rect::new(0, 0, 45, 6);
    let (mut buf, mut axes) = (Buffer::empty(area), Axes::default());
    plot.render(area, &mut buf, &BRAILLE, &mut axes);
    assert_eq!(plot.gaps(&axes), 10);
    let inner = axes.area();
    assert_eq!(inner.width, 40, "a column for each x");
    for x in 0..40 {
        let missing = (15..25).contains(&x);
        let any = (inner.top()..inner.bottom()).any(|row| dots(&buf, inner.x + x, row) != 0);
        // The last point before the gap lies in the left half of its column, the line from it is not drawn.
        assert_eq!(any, !missing, "column {x}");
        assert_eq!(buf[(inner.x + x, inner.bottom())].symbol() == "∅", missing, "column {x}");
    }
    // The same in one column of dots: two points, a gap between them, and no line from one to the other.
    let mut steep = Series::default();
    for (x, y) in [(0.0, 0.0), (10.1, 0.0), (10.2, f32::NAN), (10.3, 9.0), (40.0, 9.0)] {
        steep.append(x, y);
    }
    let plot = Plot { curves: &[raw(&steep)], window: Some((0.0, 40.0)), ..Plot::default() };
    let buf = drawn(&plot, 45, 8, &BRAILLE);
    assert!((1..6).all(|row| (0..45).all(|x| dots(&buf, x, row) == 0)), "{:#?}", rows(&buf));
}

#[test]
fn a_later_curve_takes_the_whole_cell() {
    let (under, over) = (series([0.0, 1.0]), series([1.0, 0.0]));
    let curves = [raw(&under), Curve { index: 1, ..raw(&over) }];
    let buf = drawn(&Plot { curves: &curves, ..Plot::default() }, 60, 20, &RGB);
    let both: Vec<Style> = [0, 1].map(|index| RGB.series(index)).to_vec();
    for position in buf.area.positions().filter(|position| dots(&buf, position.x, position.y) != 0) {
        let fg = buf[position].style().fg;
        assert!(both.iter().any(|style| style.fg == fg));
        assert!(!buf[position].modifier.contains(Modifier::DIM));
    }
}

#[test]
fn curves_without_colour_end_in_their_letter() {
    let (low, high) = (series([0.0; 11]), series([1.0; 11]));
    let curves = [raw(&low), Curve { index: 1, ..raw(&high) }];
    let plot = Plot { curves: &curves, ..Plot::default() };
    let lines = rows(&drawn(&plot, 40, 8, &BRAILLE));
    assert!(lines[0].ends_with(" b") && lines[6].ends_with(" a"), "{lines:#?}");
    let lines = rows(&drawn(&plot, 40, 8, &RGB));
    assert!(!lines[0].ends_with(" b"), "colours do");
}

#[test]
fn the_crosshair_reads_every_curve() {
    let (one, two, none) = (series([1.0, 2.0, 3.0]), series([5.0, f32::NAN, 7.0]), Series::default());
    let curves = [raw(&one), Curve { index: 1, label: "two", ..raw(&two) }, raw(&none)];
    let plot = Plot { curves: &curves, crosshair: Some(1.0), window: Some((0.0, 2.0)), ..Plot::default() };
    let readings: Vec<_> = plot.readings(1.2).collect();
    assert_eq!(readings.len(), 2);
    assert_eq!(readings[0].point, Point { x: 1.0, y: 2.0 });
    assert!(readings[1].point.y.is_nan() && readings[1].label == "two");

    let area = Rect::new(3, 2, 60, 10);
    let (mut buf, mut axes) = (Buffer::empty(Rect::new(0, 0, 80, 20)), Axes::default());
    plot.render(area, &mut buf, &BRAILLE, &mut axes);
    let inner = axes.area();
    let column = (inner.left()..inner.right()).find(|x| buf[(*x, inner.bottom())].symbol() == "┴").unwrap();
    assert!((inner.top()..inner.bottom()).any(|y| buf[(column, y)].modifier.contains(Modifier::REVERSED)));
    assert!((axes.x_at(column).unwrap() - 1.0).abs() < 0.05);
    assert_eq!(axes.x_at(0), None);
    assert!((axes.step(1.0, 1) - 1.0 - 2.0 / f64::from(inner.width)).abs() < 1e-9);
    assert_eq!(axes.step(1.0, 1000), 2.0);
}

#[test]
fn what_lies_beyond_the_window_leads_out_of_it() {
    let sparse = series([0.0, 10.0]);
    let plot = Plot {
        curves: &[raw(&sparse)],
        window: Some((0.4, 0.6)),
        levels: &[Level { label: "", y: 0.0 }],
        ..Plot::default()
    };
    let mut axes = Axes::default();
    axes.y.around(Extent::of(0.0).join(Extent::of(10.0)), Scale::Linear);
    let area = Rect::new(0, 0, 60, 12);
    let mut buf = Buffer::empty(area);
    plot.render(area, &mut buf, &BRAILLE, &mut axes);
    // The level alone would shrink the axis to 0 to 1: the line passes above it, at its upper edge.
    let inner = axes.area();
    assert!((inner.left()..inner.right()).all(|x| dots(&buf, x, inner.y) != 0), "{:#?}", rows(&buf));
}

#[test]
fn outliers_are_drawn_at_the_edge() {
    let spiky = series((0..1000).map(|step| if step == 500 { 1e6 } else { (step % 10) as f32 }));
    let plot = Plot { curves: &[raw(&spiky)], without_outliers: true, ..Plot::default() };
    let mut axes = Axes::default();
    let area = Rect::new(0, 0, 80, 20);
    let mut buf = Buffer::empty(area);
    plot.render(area, &mut buf, &BRAILLE, &mut axes);
    assert_eq!(axes.y.around(Extent::EMPTY, Scale::Linear), (0.0, 10.0));
    assert!((0..80).any(|x| dots(&buf, x, axes.area().y) != 0));
}

#[derive(Clone, Default)]
struct Counted(Rc<Cell<usize>>);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn ten_more_points_cost_a_kilobyte_at_most() {
    let counted = Counted::default();
    let viewport = Viewport::Fixed(Rect::new(0, 0, 200, 50));
    let backend = CrosstermBackend::new(counted.clone());
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
    let noise = |step: u32| (step.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0;
    let loss = |step: u32, rate: f32| 2.0 * (-(step as f32) / rate).exp() + 0.3 * noise(step);
    let (mut one, mut two, mut axes) = (Series::default(), Series::default(), Axes::default());
    let mut spent = Vec::new();
    for drawing in 0..5 {
        for step in if drawing == 0 { 0..1000 } else { 990 + 10 * drawing..1000 + 10 * drawing } {
            one.append(f64::from(step), loss(step, 200.0));
            two.append(f64::from(step), loss(step, 400.0));
        }
        let curves = [
            Curve { label: "tuned", series: &one, index: 0, shown: Shown::Both },
            Curve { label: "other", series: &two, index: 1, shown: Shown::Both },
        ];
        let plot = Plot { curves: &curves, name_ends: true, ..Plot::default() };
        let before = counted.0.get();
        terminal.draw(|frame| plot.render(frame.area(), frame.buffer_mut(), &RGB, &mut axes)).unwrap();
        spent.push(counted.0.get() - before);
    }
    assert!(spent[0] > 4096, "the first drawing is a whole one: {spent:?}");
    assert!(spent[1..].iter().all(|bytes| *bytes <= 1024), "{spent:?}");
}

fn values() -> impl Strategy<Value = f32> {
    prop_oneof![6 => -3f32..3.0, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY), 1 => any::<f32>(), 1 => Just(0.0)]
}

fn places() -> impl Strategy<Value = f64> {
    prop_oneof![6 => 0.0..100f64, 1 => any::<f64>(), 1 => -1e9..1e9f64]
}

fn palettes() -> impl Strategy<Value = Palette> {
    prop_oneof![Just(BRAILLE), Just(RGB), Just(Palette::PLAINEST)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn nothing_panics_and_nothing_is_written_outside(
        points in prop::collection::vec(prop::collection::vec((places(), values()), 0..60), 0..4),
        steps in prop::collection::vec(values(), 0..300),
        rect in (0u16..30, 0u16..12, 0u16..90, 0u16..30),
        marks in prop::collection::vec((places(), 0usize..4), 0..8),
        window in prop::option::of((places(), places())),
        crosshair in prop::option::of(places()),
        log in any::<bool>(),
        without_outliers in any::<bool>(),
        name_ends in any::<bool>(),
        palette in palettes(),
        format in prop_oneof![
            Just(TickFormat::Count),
            any::<f64>().prop_map(|unit| TickFormat::Epochs { unit }),
            Just(TickFormat::Duration),
            any::<i32>().prop_map(|offset| TickFormat::Clock { offset }),
        ],
    ) {
        let mut all: Vec<Series> = points.into_iter().map(|mut points| {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut series = Series::default();
            for (x, y) in points {
                series.append(x, y);
            }
            series
        }).collect();
        all.push(series(steps));
        let shown = [Shown::Raw, Shown::Smoothed, Shown::Both];
        let labels = ["loss", "потеря", "損失", "e\u{301}\u{200d}"];
        let curves: Vec<Curve<'_>> = all.iter().enumerate()
            .map(|(index, series)| Curve { label: labels[index % 4], series, index, shown: shown[index % 3] }).collect();
        let rules: Vec<Rule> = marks.iter().map(|(x, kind)| Rule { x: *x, kind: Happening::ALL[*kind] }).collect();
        let levels: Vec<Level<'_>> = marks.iter().map(|(y, at)| Level { label: labels[*at], y: *y }).collect();
        let scale = if log { Scale::Log } else { Scale::Linear };
        let plot = Plot {
            curves: &curves, levels: &levels, rules: &rules, window, scale, without_outliers, format, crosshair, name_ends,
        };
        let mut buf = Buffer::empty(Rect::new(0, 0, 80, 24));
        for position in buf.area.positions() {
            buf[position].set_symbol("x");
        }
        let area = Rect::new(rect.0, rect.1, rect.2, rect.3);
        let mut axes = Axes::default();
        plot.render(area, &mut buf, &palette, &mut axes);
        for position in buf.area.positions().filter(|position| !area.contains(*position)) {
            prop_assert_eq!(buf[position].symbol(), "x");
        }
        let again = {
            let mut again = buf.clone();
            plot.render(area, &mut again, &palette, &mut axes);
            again
        };
        prop_assert_eq!(rows(&buf), rows(&again), "the same again moves nothing");
    }

    #[test]
    fn every_point_in_the_window_has_a_dot(
        ys in prop::collection::vec(prop_oneof![5 => 0f32..9.0, 1 => Just(f32::NAN)], 1..2000),
    ) {
        let any = series(ys.iter().copied());
        let plot = Plot { curves: &[raw(&any)], ..Plot::default() };
        let area = Rect::new(0, 0, 70, 20);
        let (mut buf, mut axes) = (Buffer::empty(area), Axes::default());
        plot.render(area, &mut buf, &RGB, &mut axes);
        let inner = axes.area();
        let mapping = Mapping {
            x: axes.window(), y: axes.y.around(Extent::EMPTY, Scale::Linear), scale: Scale::Linear, tall: 4,
        };
        for (step, y) in ys.iter().enumerate().filter(|(_, y)| y.is_finite()) {
            let across = inner.x + mapping.column(step as f64, usize::from(inner.width)) as u16;
            let down = inner.y + mapping.cell_row(mapping.up(f64::from(*y)), inner.height);
            prop_assert_ne!(dots(&buf, across, down), 0, "step {} at {}", step, y);
        }
    }
}
