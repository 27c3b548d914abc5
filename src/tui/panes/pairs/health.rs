//! Tells a set's health in lines.

use crate::tui::palette::Palette;
use crate::tui::shared::thousands;
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::pairs::{Buckets, Health, Set, Spread};

/// Cells of a bar.
const BAR: usize = 32;

/// The lines of the overlay.
pub(super) fn lines(health: &Health, set: Option<&Set>, palette: &Palette) -> Vec<String> {
    let mut lines = Vec::new();
    let (train, dev) = health.folds;
    lines.push(format!("{} questions to train on, {} to choose the checkpoint by", count(train), count(dev)));
    if dev == 0 {
        lines.push("none chooses the checkpoint: training will keep its last one".to_owned());
    }
    if let Some(set) = set.filter(|set| set.damage.count > 0) {
        lines.push(String::new());
        lines.push(format!("DAMAGED LINES  {} were skipped", count(set.damage.count)));
        lines.extend(set.damage.named.iter().map(|line| format!("  {}", visible(line, palette))));
    }

    lines.push(String::new());
    lines.push(format!("WORDS OF A QUESTION  {}", spread(health.questions.0)));
    histogram(&health.questions.1, palette, &mut lines);
    lines.push(String::new());
    lines.push(format!("WORDS OF A PASSAGE  {}", spread(health.passages.0)));
    histogram(&health.passages.1, palette, &mut lines);

    lines.push(String::new());
    let sampled = if health.sampled { ", measured on a sample" } else { "" };
    lines.push(format!(
        "LEXICAL OVERLAP  {:.0} % of a question's words stand in its passage{sampled}",
        health.mean_overlap * 100.0
    ));
    let labels: Vec<String> = (0..health.overlap.len()).map(|at| format!("{:>3} %", at * 10)).collect();
    bars(&labels, &health.overlap, palette, &mut lines);
    let high: usize = health.overlap.iter().skip(8).sum();
    let all: usize = health.overlap.iter().sum();
    if high * 2 > all {
        lines.push("  most questions repeat their passage: they teach matching words, and flatter BM25".to_owned());
    }

    lines.push(String::new());
    lines.push("REPETITIONS".to_owned());
    let several: usize = health.asked_of[1..].iter().sum();
    lines.push(format!("  {:>9} questions are asked of several passages", count(several)));
    lines.push(format!("  {:>9} say nearly what another says", count(health.near_duplicates)));

    lines.push(String::new());
    lines.push("QUESTIONS OF A PASSAGE".to_owned());
    let labels: Vec<String> = ["    1", "    2", "    3", "    4", "   5+"].map(str::to_owned).to_vec();
    bars(&labels, &health.questions_per_passage, palette, &mut lines);

    lines.push(String::new());
    lines.push("PASSAGES WITHOUT ANY".to_owned());
    for ((without, of), fold) in health.unasked.iter().zip(["to train on", "to choose by"]) {
        lines.push(format!("  {:>9} of {} {fold}", count(*without), count(*of)));
    }
    if health.outside > 0 {
        lines.push(format!(
            "  {:>9} passages are not in the corpus: their texts came with the pairs",
            count(health.outside)
        ));
    }
    lines
}

fn count(n: usize) -> String {
    thousands(n as u64)
}

fn spread(of: Spread) -> String {
    if of.count == 0 {
        return "none".to_owned();
    }
    format!(
        "median {}   80 % of them from {} to {}   at most {}",
        count(of.median),
        count(of.p10),
        count(of.p90),
        count(of.most)
    )
}

fn histogram(buckets: &Buckets, palette: &Palette, lines: &mut Vec<String>) {
    if buckets.counts.iter().all(|count| *count == 0) {
        return;
    }
    // What nobody reaches is left out.
    let used = buckets.counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    let labels: Vec<String> = (0..used).map(|at| format!("{:>5}", count(at * buckets.width))).collect();
    bars(&labels, &buckets.counts[..used], palette, lines);
}

fn bars(labels: &[String], counts: &[usize], palette: &Palette, lines: &mut Vec<String>) {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    for (label, n) in labels.iter().zip(counts) {
        let mut bar = palette.bar(*n as f64 / most as f64, BAR);
        // Few are not none.
        if *n > 0 && bar.is_empty() {
            bar = palette.bar(0.5 / BAR as f64, BAR);
        }
        lines.push(format!("  {label}  {:>9}  {bar}", count(*n)).trim_end().to_owned());
    }
}
