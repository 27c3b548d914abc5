//! Words, sentences, languages.

use unicode_segmentation::UnicodeSegmentation as _;

/// Words, separated by white space.
pub fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Abbreviations that end in a full stop and end no sentence.
const ABBREVIATIONS: &[&str] = &[
    "e.g.",
    "i.e.",
    "cf.",
    "vs.",
    "fig.",
    "figs.",
    "no.",
    "nos.",
    "dr.",
    "mr.",
    "mrs.",
    "prof.",
    "approx.",
    "eq.",
    "ref.",
    "sec.",
    "vol.",
    "al.",
    "т.е.",
    "т.д.",
    "т.п.",
    "рис.",
    "табл.",
    "см.",
    "стр.",
    "г.",
    "гг.",
    "ул.",
    "им.",
];

/// The sentences of a text, without the white space around them. Unicode's rules (UAX 29), but that an abbreviation, an
/// initial or a lower-case continuation ends none.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut pieces = text.split_sentence_bound_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = pieces.next()?;
        let mut end = start + first.len();
        while let Some((_, next)) = pieces.peek() {
            if ends_here(&text[start..end], next) {
                break;
            }
            end += next.len();
            pieces.next();
        }
        Some(text[start..end].trim())
    })
    .filter(|sentence| !sentence.is_empty())
}

fn ends_here(sentence: &str, next: &str) -> bool {
    if sentence.ends_with('\n') && sentence.trim_end_matches('\n').len() + 1 < sentence.len() {
        return true; // a blank line ends everything
    }
    if next.trim_start().starts_with(char::is_lowercase) {
        return false;
    }
    let last = sentence
        .trim_end()
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default()
        .trim_start_matches(['(', '[', '"', '«']);
    let initial = last.chars().count() == 2 && last.ends_with('.') && last.starts_with(char::is_uppercase);
    !initial && !ABBREVIATIONS.contains(&last.to_lowercase().as_str())
}

/// The language of a sample, where it can be told.
pub fn language_of(sample: &str) -> Option<whatlang::Lang> {
    whatlang::detect(sample).filter(|info| info.confidence() > 0.2).map(|info| info.lang())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn abbreviations_end_no_sentence() {
        let text = "Open the valve, e.g. Fig. 3 shows it. Then J. Smith waits. см. рис. 2 для схемы. Готово.";
        let found: Vec<&str> = sentences(text).collect();
        assert_eq!(
            found,
            ["Open the valve, e.g. Fig. 3 shows it.", "Then J. Smith waits. см. рис. 2 для схемы.", "Готово."]
        );
    }

    proptest! {
        #[test]
        fn sentences_lose_no_word(text in "\\PC{0,200}") {
            let joined: Vec<&str> = sentences(&text).flat_map(str::split_whitespace).collect();
            prop_assert_eq!(joined.concat(), text.split_whitespace().collect::<String>());
        }
    }
}
