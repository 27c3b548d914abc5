//! Which passages can answer anything.

use unicode_segmentation::UnicodeSegmentation as _;

/// Fewest words of a passage that can answer something.
const LEAST_PASSAGE_WORDS: usize = 20;
/// Fewest letters among the visible characters of a passage.
const LEAST_LETTER_SHARE: f64 = 0.5;
/// Runs of dots that make a passage a table of contents.
const LEADERS_OF_A_TABLE: usize = 3;
/// A passage is boilerplate from one mark of it in so many words.
const WORDS_PER_BOILERPLATE_MARK: usize = 30;

/// Phrases of notices and banners, lower-cased.
const BOILERPLATE: &[&str] = &[
    "all rights reserved",
    "copyright ©",
    "(c) copyright",
    "cookie policy",
    "use cookies",
    "uses cookies",
    "accept cookies",
    "privacy policy",
    "terms of use",
    "terms of service",
    "licensed under",
    "this file is licensed",
    "without warranty of any kind",
    "enable javascript",
    "subscribe to our newsletter",
    "все права защищены",
    "использует файлы cookie",
    "политика конфиденциальности",
    "alle rechte vorbehalten",
    "tous droits réservés",
    "todos los derechos reservados",
];

/// Whether a passage says too little to answer anything.
pub(in crate::pairs) fn is_poor(passage: &str) -> bool {
    let words = passage.unicode_words().count();
    words < LEAST_PASSAGE_WORDS
        || is_mostly_symbols(passage)
        || is_table_of_contents(passage)
        || is_boilerplate(passage, words)
}

fn is_mostly_symbols(passage: &str) -> bool {
    let (mut letters, mut visible) = (0_usize, 0_usize);
    for c in passage.chars().filter(|c| !c.is_whitespace()) {
        visible += 1;
        letters += usize::from(c.is_alphabetic());
    }
    (letters as f64) < LEAST_LETTER_SHARE * visible as f64
}

/// Dot leaders, `.....` or `. . . .`, several times.
fn is_table_of_contents(passage: &str) -> bool {
    let (mut leaders, mut dots) = (0, 0);
    for c in passage.chars() {
        match c {
            '.' | '·' => {
                dots += 1;
                leaders += usize::from(dots == 4);
            }
            '…' => {
                leaders += usize::from(dots < 4);
                dots = 4;
            }
            ' ' | '\u{a0}' => {}
            _ => dots = 0,
        }
    }
    leaders >= LEADERS_OF_A_TABLE
}

fn is_boilerplate(passage: &str, words: usize) -> bool {
    let lower = passage.to_lowercase();
    let marks: usize = BOILERPLATE.iter().map(|mark| lower.matches(mark).count()).sum();
    marks * WORDS_PER_BOILERPLATE_MARK >= words
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "The suction pressure falls when the evaporator is covered with ice, because the ice keeps the heat of \
                        the room from the coil; hot gas melts it within a quarter of an hour.";

    #[test]
    fn poor_passages() {
        assert!(!is_poor(BODY));
        assert!(is_poor(&"12.5 -40 °C 7 bar 33 % ".repeat(20)));
        assert!(is_poor(&format!("{BODY} Intro ........ 3 Defrost . . . . . 12 Oil …… 40")));
        assert!(!is_poor(&format!("{BODY} And so on... or not...")));
        assert!(is_poor(
            "This site uses cookies to make it better for you. By going on you accept our privacy policy and the terms of use of this site."
        ));
        assert!(is_poor("短い文"));
        assert!(!is_poor("液体制冷剂在蒸发器中吸收热量并变成气体,压缩机将气体压缩后送入冷凝器放热。"));
    }
}
