//! Tokens by words, and the part of a long text worth splitting.

use std::ops::Range;

use super::TokenSpan;

/// A word, as white space separates them, with its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordPieces {
    /// The bytes of the word, without the white space around it.
    pub range: Range<usize>,
    /// Its tokens, as indices of the spans; none where the pipeline dropped it.
    pub spans: Range<usize>,
}

impl WordPieces {
    /// The tokens beyond the first: what the word costs for not being in the vocabulary.
    pub fn cost(&self) -> usize {
        self.spans.len().saturating_sub(1)
    }
}

/// The words of a text, each with the tokens that begin in it (blanks before a word do not count: `Ġde` begins with its
/// `d`). Tokens of white space alone belong to no word; one that spans several words belongs to the first.
pub fn word_pieces(text: &str, spans: &[TokenSpan]) -> Vec<WordPieces> {
    let anchors: Vec<Option<usize>> = spans.iter().map(|span| anchor(text, &span.range)).collect();
    let mut words = Vec::new();
    let mut at = 0;
    for word in text.split_whitespace() {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        let end = start + word.len();
        let before = |anchor: &Option<usize>| anchor.is_none_or(|anchor| anchor < start);
        at += anchors[at..].iter().take_while(|anchor| before(anchor)).count();
        let from = at;
        for (index, anchor) in anchors.iter().enumerate().skip(from) {
            match anchor {
                // At the very end: a token that covers nothing, made from the word's last character.
                Some(anchor) if *anchor < end || (*anchor == end && spans[index].range.is_empty()) => at = index + 1,
                _ => break,
            }
        }
        words.push(WordPieces { range: start..end, spans: from..at });
    }
    words
}

/// The first byte of a range that is not white space; of an empty range, where it stands.
fn anchor(text: &str, range: &Range<usize>) -> Option<usize> {
    if range.is_empty() {
        return Some(range.start);
    }
    let from = text.floor_char_boundary(range.start);
    let inside = text[from..].char_indices().map(|(at, c)| (from + at, c)).take_while(|(at, _)| *at < range.end);
    inside.into_iter().find(|(_, c)| !c.is_whitespace()).map(|(at, _)| at.max(range.start))
}

/// The part of a text from the word at byte `from` on, of at most `limit` bytes, cut before white space, so that its
/// tokens are those that the whole text has there. Where no white space is that near, it is cut between two characters,
/// and the tokens at its ends may differ.
pub fn window(text: &str, from: usize, limit: usize) -> Range<usize> {
    /// Where the last run of white space begins in a text.
    fn last_run(text: &str) -> Option<usize> {
        let word = text.trim_end_matches(|c: char| !c.is_whitespace());
        (!word.is_empty()).then(|| word.trim_end().len())
    }
    let from = text.floor_char_boundary(from);
    let earliest = text.ceil_char_boundary(from.saturating_sub(limit / 2));
    let start = match last_run(&text[earliest..from]) {
        Some(run) if run > 0 || earliest == 0 => earliest + run,
        _ if earliest == 0 => 0,
        _ => from,
    };
    let latest = text.floor_char_boundary(start.saturating_add(limit));
    if latest == text.len() {
        return start..latest;
    }
    let end = match last_run(&text[start..latest]) {
        Some(run) if run > 0 => start + run,
        _ => latest,
    };
    start..end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(range: Range<usize>) -> TokenSpan {
        TokenSpan { id: 0, piece: String::new(), range, bytes: Vec::new(), normalized: false }
    }

    #[test]
    fn a_word_has_the_tokens_that_begin_in_it() {
        // `the| de|frost|  |é` with the last character in two halves, and a token that covers nothing behind it.
        let text = "the defrost  é";
        let spans: Vec<_> = [0..3, 3..6, 6..11, 11..13, 13..14, 14..15, 15..15].map(span).into();
        let words = word_pieces(text, &spans);
        let expected = [(0..3, 0..1), (4..11, 1..3), (13..15, 4..7)].map(|(range, spans)| WordPieces { range, spans });
        assert_eq!(words, expected);
        assert_eq!(words.iter().map(WordPieces::cost).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(word_pieces("a b", &[]).iter().map(|word| word.spans.len()).sum::<usize>(), 0);
        assert!(word_pieces(" \n", &[span(0..2)]).is_empty());
    }

    #[test]
    fn a_window_is_cut_before_white_space() {
        assert_eq!(window("one two three", 5, 9), 3..7);
        assert_eq!(window("one two three", 0, 9), 0..7);
        assert_eq!(window("one two three", 5, 100), 3..13);
        assert_eq!(window("", 0, 10), 0..0);
        let one_word = "é".repeat(1000);
        assert_eq!(window(&one_word, 0, 101), 0..100);
        assert_eq!(window(&one_word, 1001, 100), 1000..1100);
    }

    proptest! {
        #[test]
        fn a_window_is_bounded_and_holds_its_place(text in "[ab é\n中]{0,60}", from in 0..200usize, limit in 0..80usize) {
            let found = window(&text, from, limit);
            prop_assert!(text.get(found.clone()).is_some());
            prop_assert!(found.len() <= limit);
            prop_assert!(found.start <= from);
            prop_assert!(limit < 8 || found.end >= text.floor_char_boundary(from));
        }
    }
}
