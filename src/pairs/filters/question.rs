//! What makes a question that a language model wrote not worth training on.

use std::collections::HashMap;

use whatlang::Lang;

use super::deictic::refers_to_the_text;
use super::language::wrong_language;
use super::{LEAST_QUERY_WORDS, MOST_QUERY_WORDS, Reason, is_copied, is_poor, normalised_words};
use crate::pairs::synthesis::QuestionKind;

/// Fewest words of a run that can be called copied. Terms and names are shorter: `the colony of New South Wales` has six words.
const LEAST_COPIED_RUN: f64 = 7.0;
/// Share of the question that a run must exceed. What a copied sentence is asked with (`what happens when`) is the question's
/// own. With these limits, one to four of a hundred questions that people wrote with the passage before them are copied, most of
/// them a sentence of the passage with a question word in front; from five words and 60 % on it is two to three times as many, terms among them.
const MOST_COPIED_SHARE: f64 = 0.7;

/// The first reason to reject a question, if there is one; `asked` are its words.
pub(super) fn judge(
    kind: QuestionKind,
    question: &str,
    asked: &[String],
    passage: &str,
    language: Option<Lang>,
) -> Option<Reason> {
    let words = length(asked);
    let least = if kind == QuestionKind::Keywords { LEAST_QUERY_WORDS - 1 } else { LEAST_QUERY_WORDS };
    if words < least as f64 {
        return Some(Reason::ShortQuery);
    }
    if words > MOST_QUERY_WORDS as f64 {
        return Some(Reason::LongQuery);
    }
    if wrong_language(question, passage, language) {
        return Some(Reason::WrongLanguage);
    }
    if refers_to_the_text(question) {
        return Some(Reason::Deictic);
    }
    // Keywords are terms, and terms are the passage's.
    let copied = match kind {
        QuestionKind::Keywords => is_copied(asked, passage),
        _ => is_mostly_copied(asked, passage),
    };
    if copied {
        return Some(Reason::CopiedQuery);
    }
    is_poor(passage).then_some(Reason::PoorPassage)
}

/// How many words there are, where those of scripts without spaces, cut into characters, count as what they make on average:
/// two characters of Chinese or Japanese, four of Thai or Khmer.
pub(super) fn length(words: &[String]) -> f64 {
    words.iter().map(|word| weight(word)).sum()
}

fn weight(word: &str) -> f64 {
    let mut characters = word.chars();
    match (characters.next(), characters.next()) {
        (
            Some(
                '\u{3040}'..='\u{309f}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}',
            ),
            None,
        ) => 0.5,
        (Some('\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'), None) => 0.25,
        _ => 1.0,
    }
}

/// Whether a run of the passage's words makes up most of the question: matching words alone would then find the passage, and a
/// model would learn nothing from it.
fn is_mostly_copied(asked: &[String], passage: &str) -> bool {
    let run = longest_common_run(asked, &normalised_words(passage));
    run >= LEAST_COPIED_RUN && run > MOST_COPIED_SHARE * length(asked)
}

/// The length of the longest run of words that stands in both.
fn longest_common_run(asked: &[String], passage: &[String]) -> f64 {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, word) in passage.iter().enumerate() {
        places.entry(word).or_default().push(at);
    }
    let mut longest = 0.0_f64;
    // The runs that end in the word before, by where they end in the passage.
    let mut ending: HashMap<usize, f64> = HashMap::new();
    for word in asked {
        let mut next = HashMap::new();
        for &at in places.get(word.as_str()).map_or(&[][..], Vec::as_slice) {
            let before = at.checked_sub(1).and_then(|before| ending.get(&before)).copied().unwrap_or_default();
            let run = before + weight(word);
            longest = longest.max(run);
            next.insert(at, run);
        }
        ending = next;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::super::{QueryKind, judge};
    use super::*;

    const BODY: &str = "The suction pressure falls when the evaporator is covered with ice, because the ice keeps the heat of \
                        the room from the coil; hot gas melts it within a quarter of an hour.";

    fn verdict(kind: QuestionKind, question: &str) -> Option<Reason> {
        judge(QueryKind::Synthesized { kind, language: None }, question, BODY)
    }

    #[test]
    fn each_filter_has_its_case() {
        let natural = |question: &str| verdict(QuestionKind::Natural, question);
        assert_eq!(natural("Why does frost lower the pressure on the low side?"), None);
        assert_eq!(natural("?!"), Some(Reason::Empty));
        assert_eq!(natural("Frosted coil?"), Some(Reason::ShortQuery));
        assert_eq!(natural(&"frost ".repeat(26)), Some(Reason::LongQuery));
        assert_eq!(natural("Почему падает давление?"), Some(Reason::WrongLanguage));
        assert_eq!(natural("What does the passage say about ice?"), Some(Reason::Deictic));
        let short = QueryKind::Synthesized { kind: QuestionKind::Natural, language: None };
        assert_eq!(judge(short, "Why does ice lower the pressure?", "Ice lowers it."), Some(Reason::PoorPassage));
        assert_eq!(judge(short, "Why does ice lower the pressure?", " "), Some(Reason::Empty));
    }

    #[test]
    fn a_sentence_with_a_question_word_is_copied() {
        let natural = |question: &str| verdict(QuestionKind::Natural, question);
        assert_eq!(natural("Why is it that the suction pressure falls when the evaporator is covered?"), None);
        let copied = "What happens when the evaporator is covered with ice, because the ice keeps the heat?";
        assert_eq!(natural(copied), Some(Reason::CopiedQuery));
        assert_eq!(natural("What keeps the heat of the room from the coil?"), Some(Reason::CopiedQuery));
        assert_eq!(natural("How long until hot gas melts the ice on the coil?"), None);
    }

    #[test]
    fn keywords_may_be_the_passages_own() {
        let keywords = |question: &str| verdict(QuestionKind::Keywords, question);
        assert_eq!(keywords("hot gas"), None);
        assert_eq!(keywords("evaporator covered with ice"), None);
        assert_eq!(keywords("ice keeps the heat of the room"), Some(Reason::CopiedQuery), "a sentence is none");
        assert_eq!(keywords("gas"), Some(Reason::ShortQuery));
    }

    #[test]
    fn scripts_without_spaces_have_words_too() {
        let words = |text: &str| length(&normalised_words(text));
        assert!((5.0..9.0).contains(&words("为什么蒸发器会结霜怎么办?")));
        assert!((3.0..12.0).contains(&words("ทำไมเครื่องระเหยจึงมีน้ำแข็ง")), "{}", words("ทำไมเครื่องระเหยจึงมีน้ำแข็ง"));
        assert_eq!(words("Why does frost form?"), 4.0);
    }
}
