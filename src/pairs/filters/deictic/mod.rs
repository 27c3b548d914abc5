//! Questions that speak of the text that answers them: "What does the passage say about oil?"
//!
//! Language models write them all the time, since they see the passage; nobody who searches does. They are told by phrases, not
//! by words: `text` and `document` are also what users ask about (`text message`, `document scanner`), and a section that has a
//! number can be found by it.

mod english;
mod french;
mod german;
mod phrase;
mod russian;
mod spanish;

use std::sync::LazyLock;

use phrase::{Phrase, plain_words};

/// Groups of words with their names, and the phrases that use them.
struct Tongue {
    groups: &'static [(&'static str, &'static str)],
    phrases: &'static [&'static str],
}

static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    let tongues = [english::TONGUE, russian::TONGUE, german::TONGUE, french::TONGUE, spanish::TONGUE];
    tongues.iter().flat_map(|tongue| tongue.phrases.iter().map(|phrase| Phrase::parse(phrase, tongue.groups))).collect()
});

/// Whether a question refers to the text that answers it.
pub(super) fn refers_to_the_text(question: &str) -> bool {
    let words = plain_words(question);
    PHRASES.iter().any(|phrase| phrase.is_in(&words))
}

#[cfg(test)]
mod tests;
