//! Two vocabularies against each other, in words.

use crate::tui::palette::{Glyph, Palette};
use crate::tui::shared::thousands;
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::vocabulary::{Difference, Words};

/// Tokens of a list that are shown.
const SHOWN: usize = 60;

/// The difference as lines of a text.
pub(super) fn lines(found: &Difference, palette: &Palette) -> Vec<String> {
    let arrow = palette.glyph(Glyph::Arrow);
    let percent = (found.tokens_after as f64 / (found.tokens_before.max(1)) as f64 - 1.0) * 100.0;
    let mut lines = vec![
        format!(
            "{} tokens {arrow} {} tokens on {} words ({percent:+.1} %)",
            thousands(found.tokens_before),
            thousands(found.tokens_after),
            thousands(found.words)
        ),
        String::new(),
    ];
    table(&mut lines, "words that improved most", &found.improved, arrow, palette);
    table(&mut lines, "words that became worse", &found.worsened, arrow, palette);
    list(&mut lines, "gained", &found.gained, palette);
    list(&mut lines, "lost", &found.lost, palette);
    lines
}

fn table(lines: &mut Vec<String>, title: &str, words: &[Words], arrow: &str, palette: &Palette) {
    lines.push(title.to_owned());
    if words.is_empty() {
        lines.push("  none".to_owned());
    }
    for word in words {
        let dot = palette.glyph(Glyph::Dot);
        lines.push(format!(
            "  {:>7} times  {} {arrow} {}",
            thousands(word.count),
            visible(&word.before.join(dot), palette),
            visible(&word.after.join(dot), palette)
        ));
    }
    lines.push(String::new());
}

fn list(lines: &mut Vec<String>, title: &str, tokens: &[String], palette: &Palette) {
    lines.push(format!("{title}: {} tokens", thousands(tokens.len() as u64)));
    let shown: Vec<String> = tokens.iter().take(SHOWN).map(|token| visible(token, palette).into_owned()).collect();
    if !shown.is_empty() {
        let rest = tokens.len().saturating_sub(SHOWN);
        let rest = if rest > 0 { format!(" … and {} more", thousands(rest as u64)) } else { String::new() };
        lines.push(format!("  {}{rest}", shown.join("  ")));
    }
    lines.push(String::new());
}
