//! Numbers as the pane writes them: few digits, of one width, so that they do not flicker.

/// A loss or a score: three decimals.
pub(super) fn fixed(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        _ if value.is_infinite() => if value > 0.0 { "inf" } else { "-inf" }.to_owned(),
        _ if value.abs() >= 1e6 => format!("{value:.2e}"),
        _ => format!("{value:.3}"),
    }
}

/// A number of any size, in two digits: `1.7e-5`, `0.12`, `6.1`, `310`, `7.9k`.
pub(super) fn short(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return if value == 0.0 { "0".to_owned() } else { fixed(value) };
    }
    let power = value.abs().log10().floor() as i32;
    let unit = 10f64.powi(power - 1);
    let value = (value / unit).round() * unit;
    match value.abs() {
        size if size < 1e-3 => format!("{value:.1e}"),
        size if size < 0.1 => format!("{value:.3}"),
        size if size < 1.0 => format!("{value:.2}"),
        size if size < 10.0 => format!("{value:.1}"),
        size if size < 1e3 => format!("{value:.0}"),
        size if size < 1e4 => format!("{:.1}k", value / 1e3),
        size if size < 1e6 => format!("{:.0}k", value / 1e3),
        size if size < 1e7 => format!("{:.1}M", value / 1e6),
        size if size < 1e9 => format!("{:.0}M", value / 1e6),
        _ => format!("{value:.1e}"),
    }
}

/// A value at the crosshair, as its kind is written.
pub(super) fn reading(name: &str, value: f64) -> String {
    match name {
        "loss" | "mrr10" | "mrr10_bm25" | "agreement" => fixed(value),
        _ => short(value),
    }
}

/// Memory in GiB, from MiB.
pub(super) fn gib(mib: f64) -> String {
    let gib = mib / 1024.0;
    if gib < 10.0 { format!("{gib:.1}") } else { format!("{gib:.0}") }
}

/// What a number is called on the screen; `brief` where there is little room.
pub(super) fn title(name: &str, brief: bool) -> String {
    match name {
        "learning_rate" if brief => "lr".to_owned(),
        "gradient_norm" if brief => "norm".to_owned(),
        "mrr10" => "MRR@10".to_owned(),
        "mrr10_bm25" => "BM25".to_owned(),
        "pairs_per_s" => "pairs/s".to_owned(),
        "tokens_per_s" => "tokens/s".to_owned(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shorts = [1.7e-5, 0.0123, 0.5, 6.14, 31.4, 309.0, 999.0, 7_941.0, 79_412.0, 1.5e6, 0.0];
        let texts = ["1.7e-5", "0.012", "0.50", "6.1", "31", "310", "1.0k", "7.9k", "79k", "1.5M", "0"];
        assert_eq!(shorts.map(short), texts);
        assert_eq!([0.4123, f64::NAN, f64::INFINITY].map(fixed), ["0.412", "NaN", "inf"]);
        assert_eq!([6_350.0, 143_771.0].map(gib), ["6.2", "140"]);
    }
}
