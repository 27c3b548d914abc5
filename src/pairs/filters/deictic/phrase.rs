//! A phrase to look for, and the words it is looked for in.
//!
//! A phrase is written as a line of slots, each of them one word of the question:
//!
//! | slot | stands for |
//! |---|---|
//! | `text` | the word |
//! | `text\|passage` | one of them |
//! | `описан*` | a word that begins so |
//! | `текст~,а,ом` | the stem with one of the endings: `текст`, `текста`, `текстом` |
//! | `TEXT` | one of the group's words |
//! | `#` | a word with a digit in it |
//! | `^`, `$` | the begin of the question, its end |
//! | `the?` | the word, or nothing |
//! | `!of` | the next word must not be this one; last in a phrase |

use unicode_segmentation::UnicodeSegmentation as _;

/// The words of a question as phrases are compared with them: lower-cased, without accents, cut at apostrophes and hyphens.
pub(super) fn plain_words(text: &str) -> Vec<String> {
    let text = text.replace(['\'', '’', '-', '\u{2010}', '\u{2011}'], " ");
    text.unicode_words().map(plain).collect()
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace('ß', "ss").chars().map(without_accent).collect()
}

/// A letter as it stands in phrases, which carelessly typed questions must match too.
const fn without_accent(letter: char) -> char {
    match letter {
        'à' | 'á' | 'â' | 'ä' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ё' => 'е',
        letter => letter,
    }
}

/// A phrase.
#[derive(Debug)]
pub(super) struct Phrase {
    slots: Vec<Slot>,
    /// What may not follow.
    not_next: Option<Slot>,
}

#[derive(Debug)]
struct Slot {
    words: Vec<Word>,
    optional: bool,
}

#[derive(Debug)]
enum Word {
    Exactly(String),
    Beginning(String),
    Number,
    Start,
    End,
}

impl Phrase {
    /// Reads a phrase. The names of groups are in capital letters.
    pub(super) fn parse(line: &str, groups: &[(&str, &str)]) -> Self {
        let mut phrase = Self { slots: Vec::new(), not_next: None };
        for slot in line.split_whitespace() {
            match slot.strip_prefix('!') {
                Some(next) => phrase.not_next = Some(Slot::parse(next, groups)),
                None => phrase.slots.push(Slot::parse(slot, groups)),
            }
        }
        phrase
    }

    /// Whether the phrase stands somewhere among the words.
    pub(super) fn is_in(&self, words: &[String]) -> bool {
        (0..=words.len()).any(|at| self.fits(&self.slots, words, at))
    }

    fn fits(&self, slots: &[Slot], words: &[String], at: usize) -> bool {
        let Some((slot, rest)) = slots.split_first() else {
            return self.not_next.as_ref().is_none_or(|next| !next.words.iter().any(|word| word.fits(words, at)));
        };
        (slot.optional && self.fits(rest, words, at))
            || slot.words.iter().any(|word| word.fits(words, at) && self.fits(rest, words, at + word.takes()))
    }
}

impl Slot {
    fn parse(slot: &str, groups: &[(&str, &str)]) -> Self {
        let (slot, optional) = slot.strip_suffix('?').map_or((slot, false), |slot| (slot, true));
        let mut words = Vec::new();
        for word in slot.split('|') {
            match groups.iter().find(|(name, _)| *name == word) {
                Some((_, members)) => members.split_whitespace().for_each(|word| Word::parse(word, &mut words)),
                None => Word::parse(word, &mut words),
            }
        }
        Self { words, optional }
    }
}

impl Word {
    fn parse(word: &str, words: &mut Vec<Self>) {
        match word {
            "#" => words.push(Self::Number),
            "^" => words.push(Self::Start),
            "$" => words.push(Self::End),
            _ => {
                if let Some((stem, endings)) = word.split_once('~') {
                    words.extend(endings.split(',').map(|ending| Self::Exactly(plain(stem) + &plain(ending))));
                } else if let Some(beginning) = word.strip_suffix('*') {
                    words.push(Self::Beginning(plain(beginning)));
                } else {
                    words.push(Self::Exactly(plain(word)));
                }
            }
        }
    }

    fn fits(&self, words: &[String], at: usize) -> bool {
        let word = words.get(at);
        match self {
            Self::Start => at == 0,
            Self::End => word.is_none(),
            Self::Number => word.is_some_and(|word| word.contains(|c: char| c.is_ascii_digit())),
            Self::Exactly(wanted) => word == Some(wanted),
            Self::Beginning(wanted) => word.is_some_and(|word| word.starts_with(wanted.as_str())),
        }
    }

    /// How many words it stands for.
    const fn takes(&self) -> usize {
        match self {
            Self::Start | Self::End => 0,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_slot() {
        let is_in =
            |phrase: &str, text: &str| Phrase::parse(phrase, &[("NOUN", "text~,s book")]).is_in(&plain_words(text));
        assert!(is_in("the NOUN", "In the Books, no; in the book!") && !is_in("the NOUN", "the texting"));
        assert!(is_in("the old? texts", "The texts.") && is_in("the old? texts", "the OLD texts"));
        assert!(is_in("say*", "he says") && !is_in("^ say*", "he says") && is_in("^ he", "He says"));
        assert!(is_in("dit $", "que dit") && !is_in("dit $", "dit on"));
        assert!(
            is_in("article !#", "article")
                && !is_in("article !#|of", "article 5")
                && !is_in("article !#|of", "article of")
        );
        assert!(is_in("d après l'", "d’apres l") || is_in("d après", "D’APRÈS"));
        assert!(is_in("gemäß", "GEMÄSS") && is_in("gemäß", "gemass"));
        assert!(is_in("ещё", "еще") && is_in("ci dessus", "ci-dessus"));
    }
}
