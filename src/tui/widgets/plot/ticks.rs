//! Which round numbers stand on an axis, and how they are written.

use time::OffsetDateTime;
use unicode_width::UnicodeWidthStr;

use super::axis::{Mapping, Scale, multiple, nice, ten_to};

/// What x counts, and so how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum TickFormat {
    /// Whole numbers: steps, merges, passages. `500`, `1.5k`, `2M`.
    #[default]
    Count,
    /// x in other units of which `unit` make one: steps, read in epochs.
    Epochs {
        /// How much of x is one epoch; 1 where x is epochs already.
        unit: f64,
    },
    /// Seconds since the start: `0s`, `1m20s`, `2h`.
    Duration,
    /// Seconds since 1970, as the time of day: `14:02`, `14:02:30`.
    Clock {
        /// Seconds that the local clock is ahead of UTC.
        offset: i32,
    },
}

/// One tick of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Where, in cells from the left or from the top.
    pub(super) at: u16,
    /// What is written there.
    pub(super) label: String,
    /// Where the label begins, for a lying axis.
    pub(super) start: u16,
}

impl Tick {
    /// The cell after the label.
    pub(super) fn end(&self) -> u16 {
        self.start + self.label.width() as u16
    }
}

/// No axis has more ticks.
const MOST: usize = 64;

/// Below it the digits would not fit.
const LEAST_STEP: f64 = 1e-9;

/// The steps of a clock, in seconds; beyond them days.
const TIMES: [f64; 16] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0];

const DAY: f64 = 86_400.0;

impl TickFormat {
    /// The ticks of a lying axis, as many as fit with two blanks between the labels. Each label covers its tick.
    pub(super) fn ticks(self, mapping: &Mapping, width: u16) -> Vec<Tick> {
        let (from, to) = (self.inward(mapping.x.0), self.inward(mapping.x.1));
        let mut step = self.step((to - from) / (f64::from(width) / 4.0).max(1.0), to - from);
        if step < LEAST_STEP {
            return Vec::new();
        }
        // Each round at least doubles the step or nearly so: 1 of 64 to the whole width takes a handful.
        for _ in 0..12 {
            let ticks: Option<Vec<Tick>> = multiples(from, to, step).and_then(|values| {
                let place = |value: f64| {
                    let label = self.label(value, step);
                    let wide = label.width() as u16;
                    let at = mapping.column(self.outward(value), usize::from(width)) as u16;
                    let start = at.saturating_sub(wide.saturating_sub(1) / 2).min(width.checked_sub(wide)?);
                    Some(Tick { at, label, start })
                };
                values.into_iter().map(place).collect()
            });
            if let Some(ticks) = ticks.filter(|ticks| ticks.windows(2).all(|pair| pair[0].end() + 2 <= pair[1].start)) {
                return ticks;
            }
            step = self.step(step * 1.5, to - from);
        }
        Vec::new()
    }

    /// x in the unit that ticks are round in.
    fn inward(self, x: f64) -> f64 {
        match self {
            Self::Epochs { unit } if unit > 0.0 => x / unit,
            Self::Clock { offset } => x + f64::from(offset),
            _ => x,
        }
    }

    fn outward(self, value: f64) -> f64 {
        match self {
            Self::Epochs { unit } if unit > 0.0 => value * unit,
            Self::Clock { offset } => value - f64::from(offset),
            _ => value,
        }
    }

    /// The smallest allowed step that is not below `least`.
    fn step(self, least: f64, span: f64) -> f64 {
        match self {
            // Between two whole numbers there is nothing, unless nothing else can be seen.
            Self::Count if span >= 1.0 => nice(least.max(1.0)),
            Self::Count | Self::Epochs { .. } => nice(least),
            Self::Duration | Self::Clock { .. } if least <= 1.0 => nice(least),
            Self::Duration | Self::Clock { .. } => {
                TIMES.into_iter().find(|time| *time >= least).unwrap_or_else(|| nice(least / DAY).max(1.0) * DAY)
            }
        }
    }

    fn label(self, value: f64, step: f64) -> String {
        match self {
            Self::Count => count(value, step),
            Self::Epochs { .. } => decimal(value, decimals(step)),
            Self::Duration => duration(value, step),
            Self::Clock { .. } => clock(value, step),
        }
    }

    /// An x in words, for what stands beside a chart: the place of the crosshair.
    pub fn text(self, x: f64) -> String {
        let value = self.inward(x);
        match self {
            Self::Count if value.fract() != 0.0 => trimmed(decimal(value, 2)),
            Self::Count => count(value, 1.0),
            Self::Epochs { .. } => decimal(value, 2),
            Self::Duration => duration(value.round(), 1.0),
            Self::Clock { .. } => clock(value.round(), 1.0),
        }
    }
}

/// The ticks of an upright axis of `height` cells, `label` at most `widest` cells wide.
pub(super) fn upright(mapping: &Mapping, height: u16, widest: u16) -> Vec<Tick> {
    let (low, high) = mapping.y;
    if height == 0 {
        return Vec::new();
    }
    // A blank row between labels at the least, two or more where there is room.
    let most = if height < 8 { usize::from(height).div_ceil(2) } else { (usize::from(height) / 3).clamp(4, 10) };
    let values = match mapping.scale {
        Scale::Log if high / low >= 2.0 => factors(low, high, most),
        _ => {
            let mut step = nice((high - low) / most.max(1) as f64);
            let mut values = multiples(low, high, step);
            while values.as_ref().is_some_and(|values| values.len() > most.max(2)) {
                step = nice(step * 1.5);
                values = multiples(low, high, step);
            }
            let largest = low.abs().max(high.abs());
            values.unwrap_or_default().into_iter().map(|value| (value, reading(value, step, largest))).collect()
        }
    };
    let mut ticks: Vec<Tick> = Vec::new();
    // From the bottom up: that is where values lie that have come down.
    for (value, label) in values {
        let at = mapping.cell_row(mapping.up(value), height);
        if label.width() as u16 <= widest && ticks.last().is_none_or(|tick| at < tick.at) {
            ticks.push(Tick { at, label, start: 0 });
        }
    }
    ticks
}

/// The multiples of `step` between two numbers; none where there are too many or the step is lost in the digits.
fn multiples(from: f64, to: f64, step: f64) -> Option<Vec<f64>> {
    let (first, last) = ((from / step - 1e-9).ceil(), (to / step + 1e-9).floor());
    let lost = first.abs().max(last.abs()) > 1e14;
    if lost || !(0.0..MOST as f64).contains(&(last - first)) {
        return None;
    }
    Some((0..=(last - first) as usize).map(|index| multiple(first + index as f64, step) + 0.0).collect())
}

/// The round numbers of a logarithmic axis: 1, 2, 5 of each power of ten, or the powers, or every so many of them.
fn factors(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let collect = |multiples: &[f64], every: i32| -> Vec<f64> {
        (first..=last)
            .filter(|power| power.rem_euclid(every) == 0)
            .flat_map(|power| multiples.iter().map(move |multiple| multiple * ten_to(power)))
            .filter(|value| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(value))
            .collect()
    };
    let choices = [(&[1.0, 2.0, 5.0][..], 1), (&[1.0, 3.0], 1), (&[1.0], 1), (&[1.0], 2), (&[1.0], 5), (&[1.0], 10)];
    let chosen =
        choices.iter().map(|(multiples, every)| collect(multiples, *every)).find(|values| values.len() <= most);
    let mut values = chosen.unwrap_or_default();
    if values.is_empty() {
        values = vec![low, high];
    }
    values.into_iter().map(|value| (value, trimmed(reading(value, value * 0.1, value)))).collect()
}

/// A y value, with the digits that tell it from one a step away. `largest` is what the whole axis reaches: its unit.
pub(super) fn reading(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 && !(1e-3..1e4).contains(&largest) {
        return "0".to_owned();
    }
    match largest {
        _ if !(1e-3..1e12).contains(&largest) => {
            let digits = (value.abs().log10().floor() - step.log10().floor()).clamp(0.0, 8.0) as usize;
            format!("{value:.digits$e}")
        }
        _ if largest >= 1e9 => decimal(value / 1e9, decimals(step / 1e9)) + "G",
        _ if largest >= 1e6 => decimal(value / 1e6, decimals(step / 1e6)) + "M",
        _ if largest >= 1e4 => decimal(value / 1e3, decimals(step / 1e3)) + "k",
        _ => decimal(value, decimals(step)),
    }
}

fn count(value: f64, step: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 1e15 => format!("{value:e}"),
        _ if size >= 1e9 && step >= 1e7 => trimmed(decimal(value / 1e9, 2)) + "G",
        _ if size >= 1e6 && step >= 1e4 => trimmed(decimal(value / 1e6, 2)) + "M",
        _ if size >= 1e3 && step >= 100.0 => trimmed(decimal(value / 1e3, 1)) + "k",
        _ => decimal(value, decimals(step)),
    }
}

fn duration(seconds: f64, step: f64) -> String {
    if step < 1.0 {
        return decimal(seconds, decimals(step)) + "s";
    }
    if seconds.abs() >= 1e15 {
        return format!("{seconds:e}s");
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let whole = seconds.abs().round() as u64;
    let (days, hours, minutes, rest) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    let text = match (days, hours, minutes, rest) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, 0) => format!("{m}m"),
        (0, 0, m, s) => format!("{m}m{s:02}s"),
        (0, h, 0, 0) => format!("{h}h"),
        (0, h, m, 0) => format!("{h}h{m:02}m"),
        (0, h, m, s) => format!("{h}h{m:02}m{s:02}s"),
        (d, 0, 0, 0) => format!("{d}d"),
        (d, h, 0, 0) => format!("{d}d{h}h"),
        (d, h, m, 0) => format!("{d}d{h}h{m:02}m"),
        (d, h, m, s) => format!("{d}d{h}h{m:02}m{s:02}s"),
    };
    format!("{sign}{text}")
}

/// The time of day; the day, where the ticks are days apart.
fn clock(seconds: f64, step: f64) -> String {
    let Ok(moment) = OffsetDateTime::from_unix_timestamp(seconds.floor() as i64) else {
        return format!("{seconds:e}s");
    };
    match step {
        _ if step >= 300.0 * DAY => moment.date().to_string(),
        _ if step >= DAY => format!("{:02}-{:02}", u8::from(moment.month()), moment.day()),
        _ if step >= 60.0 => format!("{:02}:{:02}", moment.hour(), moment.minute()),
        _ if step >= 1.0 => format!("{:02}:{:02}:{:02}", moment.hour(), moment.minute(), moment.second()),
        // Within a second only its fraction moves.
        _ => decimal(seconds.rem_euclid(60.0), decimals(step)) + "s",
    }
}

/// How many decimals tell apart numbers that are `step` apart.
fn decimals(step: f64) -> usize {
    (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 12.0) as usize
}

/// Without "-0".
fn decimal(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        _ => text,
    }
}

/// Without noughts after the point, and without the point if nothing else follows it.
fn trimmed(text: String) -> String {
    let (digits, exponent) = text.find(['e', 'k', 'M', 'G']).map_or((text.as_str(), ""), |at| text.split_at(at));
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.').to_owned() + exponent } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn across(format: TickFormat, from: f64, to: f64, width: u16) -> Vec<String> {
        let mapping = Mapping { x: (from, to), y: (0.0, 1.0), scale: Scale::Linear, tall: 4 };
        format.ticks(&mapping, width).into_iter().map(|tick| tick.label).collect()
    }

    fn up(low: f64, high: f64, height: u16, scale: Scale) -> Vec<String> {
        let mapping = Mapping { x: (0.0, 1.0), y: (low, high), scale, tall: 4 };
        upright(&mapping, height, 10).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn steps_and_epochs_read_well() {
        assert_eq!(across(TickFormat::Count, 0.0, 200.0, 70).join(" "), "0 20 40 60 80 100 120 140 160 180 200");
        assert_eq!(across(TickFormat::Count, 0.0, 16_000.0, 60).join(" "), "0 2k 4k 6k 8k 10k 12k 14k 16k");
        assert_eq!(across(TickFormat::Count, 0.0, 2_500.0, 40).join(" "), "0 500 1k 1.5k 2k 2.5k");
        assert_eq!(across(TickFormat::Count, 0.0, 3.0, 80).join(" "), "0 1 2 3");
        let epochs = TickFormat::Epochs { unit: 92.0 };
        assert_eq!(across(epochs, 0.0, 276.0, 20).join(" "), "0 1 2 3");
        assert_eq!(across(epochs, 0.0, 276.0, 40).join(" "), "0.0 0.5 1.0 1.5 2.0 2.5 3.0");
        assert_eq!(TickFormat::Count.text(1234.0), "1234");
        assert_eq!(epochs.text(115.0), "1.25");
    }

    #[test]
    fn times_read_well() {
        assert_eq!(across(TickFormat::Duration, 0.0, 240.0, 40).join(" "), "0s 1m 2m 3m 4m");
        assert_eq!(across(TickFormat::Duration, 0.0, 240.0, 70).join(" "), "0s 30s 1m 1m30s 2m 2m30s 3m 3m30s 4m");
        let clock = TickFormat::Clock { offset: 3600 };
        assert_eq!(across(clock, 1_790_000_000.0, 1_790_000_600.0, 60).join(" "), "15:14 15:16 15:18 15:20 15:22");
        assert_eq!(across(clock, 1_790_000_000.0, 1_790_400_000.0, 40).join(" "), "09-22 09-23 09-24 09-25 09-26");
        assert_eq!(TickFormat::Duration.text(80.0), "1m20s");
    }

    #[test]
    fn values_read_well() {
        assert_eq!(up(0.0, 2.5, 5, Scale::Linear).join(" "), "0 1 2");
        assert_eq!(up(-0.5, 0.5, 9, Scale::Linear).join(" "), "-0.5 0.0 0.5");
        assert_eq!(up(0.0, 2e-5, 9, Scale::Linear).join(" "), "0 1e-5 2e-5");
        assert_eq!(up(0.0, 20_000.0, 9, Scale::Linear).join(" "), "0 10k 20k");
        assert_eq!(up(0.01, 50.0, 16, Scale::Log).join(" "), "0.01 0.1 1 10");
        assert_eq!(up(0.2, 5.0, 24, Scale::Log).join(" "), "0.2 0.5 1 2 5");
    }

    fn formats() -> impl Strategy<Value = TickFormat> {
        prop_oneof![
            Just(TickFormat::Count),
            (0.0f64..1e4).prop_map(|unit| TickFormat::Epochs { unit }),
            Just(TickFormat::Duration),
            (-50_000..50_000).prop_map(|offset| TickFormat::Clock { offset }),
        ]
    }

    proptest! {
        #[test]
        fn labels_cover_their_ticks_and_never_touch(
            format in formats(),
            from in prop_oneof![Just(0.0), -1e4..1e4f64, 1e9..2e9f64, -1e290..1e290f64],
            span in prop_oneof![1e-3..1e5f64, 1e-12..1e12f64, Just(1e290)],
            width in 0u16..250,
        ) {
            let mapping = Mapping { x: (from, from + span), y: (0.0, 1.0), scale: Scale::Linear, tall: 4 };
            let ticks = format.ticks(&mapping, width);
            for tick in &ticks {
                prop_assert!(tick.start <= tick.at && tick.at < tick.end() && tick.end() <= width, "{tick:?}");
            }
            for pair in ticks.windows(2) {
                prop_assert!(pair[0].end() + 2 <= pair[1].start, "{pair:?}");
                prop_assert_ne!(&pair[0].label, &pair[1].label);
            }
        }

        #[test]
        fn upright_labels_have_a_row_each(
            low in prop_oneof![Just(0.0), -1e3..1e3f64, -1e38..1e38f64],
            span in prop_oneof![1e-3..1e4f64, 1e-40..1e38f64],
            height in 0u16..80,
            log in any::<bool>(),
        ) {
            let scale = if log { Scale::Log } else { Scale::Linear };
            let low = if log { low.abs().max(1e-40) } else { low };
            let mapping = Mapping { x: (0.0, 1.0), y: (low, low + span.max(low.abs() * 1e-6)), scale, tall: 4 };
            let ticks = upright(&mapping, height, 10);
            for pair in ticks.windows(2) {
                prop_assert!(pair[1].at < pair[0].at, "{pair:?}");
                prop_assert_ne!(&pair[0].label, &pair[1].label);
            }
            prop_assert!(ticks.iter().all(|tick| tick.at < height && tick.label.width() <= 10));
        }
    }
}
