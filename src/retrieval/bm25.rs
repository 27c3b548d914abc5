//! BM25 (Robertson and Zaragoza 2009), with the idf that Lucene uses.

use std::ops::Range;

use ahash::{AHashMap, AHashSet};
use unicode_segmentation::UnicodeSegmentation as _;

use super::analyzer::Analyzer;
use super::search::{Hit, top};

/// How soon more occurrences stop counting.
const K1: f32 = 1.5;
/// How much a passage's length counts.
const B: f32 = 0.75;

/// An inverted index over passages.
pub struct Bm25 {
    analyzer: Analyzer,
    terms: AHashMap<String, usize>,
    /// Passage and frequency, for each term.
    postings: Vec<Vec<(u32, f32)>>,
    /// `k1 (1 - b + b length / mean length)` of each passage.
    norms: Vec<f32>,
}

impl Bm25 {
    /// Indexes passages in their order.
    pub fn index<'a>(texts: impl Iterator<Item = &'a str>, analyzer: Analyzer) -> Self {
        let mut terms: AHashMap<String, usize> = AHashMap::new();
        let mut postings: Vec<Vec<(u32, f32)>> = Vec::new();
        let mut lengths = Vec::new();
        for (passage, text) in texts.enumerate() {
            let words = analyzer.terms(text);
            lengths.push(words.len() as f32);
            for word in words {
                let next = postings.len();
                let term = *terms.entry(word).or_insert(next);
                if term == next {
                    postings.push(Vec::new());
                }
                match postings[term].last_mut() {
                    Some((last, frequency)) if *last == passage as u32 => *frequency += 1.0,
                    _ => postings[term].push((passage as u32, 1.0)),
                }
            }
        }
        let mean = lengths.iter().sum::<f32>() / (lengths.len().max(1) as f32);
        let norms = lengths.iter().map(|length| K1 * (1.0 - B + B * length / mean.max(1.0))).collect();
        Self { analyzer, terms, postings, norms }
    }

    /// The score of every passage. A term that stands twice in the query counts twice.
    pub fn scores(&self, query: &str) -> Vec<f32> {
        let mut scores = vec![0.0; self.norms.len()];
        let total = self.norms.len() as f32;
        for term in self.analyzer.terms(query) {
            let Some(&term) = self.terms.get(&term) else { continue };
            let postings = &self.postings[term];
            let with = postings.len() as f32;
            let idf = (1.0 + (total - with + 0.5) / (with + 0.5)).ln();
            for &(passage, frequency) in postings {
                scores[passage as usize] += idf * frequency * (K1 + 1.0) / (frequency + self.norms[passage as usize]);
            }
        }
        scores
    }

    /// Where in a text words of the query stand, as byte ranges, ascending. Words that more than half of the passages hold
    /// tell nothing and are left out.
    pub fn matches(&self, query: &str, text: &str) -> Vec<Range<usize>> {
        let telling = |term: &String| {
            let with = self.terms.get(term).map_or(0, |&term| self.postings[term].len());
            with * 2 <= self.norms.len()
        };
        let wanted: AHashSet<String> = self.analyzer.terms(query).into_iter().filter(telling).collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let places = text.unicode_word_indices();
        places
            .filter(|(_, word)| self.analyzer.terms(word).iter().any(|term| wanted.contains(term)))
            .map(|(at, word)| at..at + word.len())
            .collect()
    }

    /// The name of its analyzer: a language, or `plain`.
    pub const fn analyzer(&self) -> &'static str {
        self.analyzer.name()
    }

    /// The best passages.
    pub fn search(&self, query: &str, ids: &[String], count: usize) -> Vec<Hit> {
        top(&self.scores(query), ids, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        let index = Bm25::index(["a b b", "b c", "d"].into_iter(), Analyzer::plain());
        let scores = index.scores("b");
        let idf = (1.0 + (3.0 - 2.0 + 0.5) / (2.0 + 0.5_f32)).ln();
        let expected =
            |frequency: f32, length: f32| idf * frequency * 2.5 / (frequency + 1.5 * (0.25 + 0.75 * length / 2.0));
        assert!((scores[0] - expected(2.0, 3.0)).abs() < 1e-6 && (scores[1] - expected(1.0, 2.0)).abs() < 1e-6);
        assert_eq!(scores[2], 0.0);
        assert_eq!(index.scores("b b")[1], 2.0 * scores[1]);
    }

    #[test]
    fn matches_are_where_the_words_stand() {
        let texts = ["The valves are leaking", "the pump", "the fan", "the drain"];
        let index = Bm25::index(texts.into_iter(), Analyzer::for_language(whatlang::Lang::Eng));
        let found = index.matches("the leaky valve leaks", texts[0]);
        let words: Vec<&str> = found.into_iter().map(|range| &texts[0][range]).collect();
        assert_eq!(words, ["valves", "leaking"], "every passage has the article");
        assert!(index.matches("", texts[0]).is_empty());
    }

    #[test]
    fn stems_meet() {
        let index = Bm25::index(
            ["The valves are leaking", "Насосы остановлены"].into_iter(),
            Analyzer::for_language(whatlang::Lang::Eng),
        );
        assert!(index.scores("leak in a valve")[0] > 0.0);
    }
}
