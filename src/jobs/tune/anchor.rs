//! What a base knows besides the speciality that it is tuned for: everyday questions, the same for every run.
//!
//! Tuning on one speciality costs some of the rest. How much is measured before and after, on questions that no pairs hold,
//! so that it can be weighed against the gain.

use std::collections::BTreeMap;

use serde::Serialize;

use super::dev::mrr10;
use crate::encoder::{Encoder, Role};
use crate::jobs::{Context, Result};
use crate::progress::Event;
use crate::retrieval;

/// Questions and answers, a tab between them; a line `# en` begins a language.
const TEXT: &str = include_str!("../../../assets/anchor.tsv");
/// A base that scores less in a language does not know it: what it ranks by is chance, and a change of it says nothing about
/// forgetting.
const KNOWN: f64 = 0.3;
/// A fall by more than this is worth a warning: five questions of a hundred that went from the first place out of sight.
const FALL: f64 = 0.05;

/// The everyday questions of one language, tokenized.
struct Language {
    code: &'static str,
    queries: Vec<Vec<u32>>,
    answers: Vec<Vec<u32>>,
    ids: Vec<String>,
    relevant: Vec<BTreeMap<String, u32>>,
}

/// All of them, with what the base scores.
pub(super) struct Anchor {
    languages: Vec<Language>,
    base: Vec<f64>,
}

/// What became of the everyday questions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct AnchorScores {
    /// MRR@10 before, over the questions of all languages that the base knows; none: it knows none of them.
    pub(super) base: Option<f64>,
    /// The same after.
    pub(super) tuned: Option<f64>,
    /// Each language by its code.
    pub(super) languages: BTreeMap<String, LanguageScores>,
}

/// The scores in one language.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct LanguageScores {
    /// MRR@10 before.
    pub(super) base: f64,
    /// MRR@10 after.
    pub(super) tuned: f64,
    /// How many questions.
    pub(super) questions: usize,
    /// Whether the base knows the language, so that it counts.
    pub(super) counts: bool,
}

/// Code, questions and answers of each language.
fn parsed() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let mut languages: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for line in TEXT.lines() {
        if let Some(code) = line.strip_prefix("# ") {
            languages.push((code.trim(), Vec::new()));
        } else if let (Some(pair), Some((_, pairs))) = (line.split_once('\t'), languages.last_mut()) {
            pairs.push(pair);
        }
    }
    languages
}

impl Language {
    fn new(encoder: &Encoder, code: &'static str, pairs: &[(&str, &str)]) -> Result<Self> {
        let (queries, answers): (Vec<&str>, Vec<&str>) = pairs.iter().copied().unzip();
        let ids: Vec<String> = (0..pairs.len()).map(|at| format!("{code}{at:03}")).collect();
        let relevant = ids.iter().map(|id| [(id.clone(), 1)].into()).collect();
        let queries = encoder.tokenize(&queries, Role::Query)?;
        let answers = encoder.tokenize(&answers, Role::Passage)?;
        Ok(Self { code, queries, answers, ids, relevant })
    }

    fn score(&self, encoder: &Encoder, context: &Context<'_>) -> Result<f64> {
        let answers = encoder.embed(&self.answers, context.observer)?;
        let queries = encoder.embed(&self.queries, context.observer)?;
        Ok(mrr10(&retrieval::search(&queries, &answers, &self.ids, 10), &self.ids, &self.relevant))
    }
}

impl Anchor {
    /// Asks the base, which the encoder still is.
    pub(super) fn new(encoder: &Encoder, context: &Context<'_>) -> Result<Self> {
        context.observer.on(Event::phase("anchor"));
        let languages = parsed().into_iter().map(|(code, pairs)| Language::new(encoder, code, &pairs));
        let languages: Vec<Language> = languages.collect::<Result<_>>()?;
        let base = languages.iter().map(|language| language.score(encoder, context)).collect::<Result<_>>()?;
        Ok(Self { languages, base })
    }

    /// What the base scores; none where it knows none of the languages.
    pub(super) fn base(&self) -> Option<f64> {
        self.mean(&self.base)
    }

    /// The mean over the questions of the languages that the base knows.
    fn mean(&self, scores: &[f64]) -> Option<f64> {
        let known = self.languages.iter().zip(&self.base).zip(scores).filter(|((_, base), _)| **base >= KNOWN);
        let (sum, count) = known.fold((0.0, 0), |(sum, count), ((language, _), score)| {
            (score * language.ids.len() as f64 + sum, count + language.ids.len())
        });
        (count > 0).then(|| sum / count as f64)
    }

    /// Asks the tuned model, and says so where it has forgotten too much.
    pub(super) fn after(&self, encoder: &Encoder, step: usize, context: &Context<'_>) -> Result<AnchorScores> {
        context.observer.on(Event::phase("anchor"));
        let scores = self.languages.iter().map(|language| language.score(encoder, context));
        let scores: Vec<f64> = scores.collect::<Result<_>>()?;
        let (base, tuned) = (self.base(), self.mean(&scores));
        if let Some(tuned) = tuned {
            context.observer.on(Event::Eval { step: step as u64, values: [("anchor_mrr10", tuned)].into() });
        }
        if let Some(text) = base.zip(tuned).and_then(|(base, tuned)| warning(base, tuned)) {
            context.observer.on(Event::warning(text));
        }
        let each = self.languages.iter().zip(&self.base).zip(&scores).map(|((language, &base), &tuned)| {
            let (questions, counts) = (language.ids.len(), base >= KNOWN);
            (language.code.to_owned(), LanguageScores { base, tuned, questions, counts })
        });
        Ok(AnchorScores { base, tuned, languages: each.collect() })
    }
}

/// What to say of a fall that is too deep.
fn warning(base: f64, tuned: f64) -> Option<String> {
    (base - tuned > FALL).then(|| {
        format!(
            "everyday questions are answered worse than before: MRR@10 {tuned:.3}, {base:.3} by the base; \
             --interpolate auto, a lower --lr or --freeze-layers forget less"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_questions_are_many_and_each_has_its_own_answer() {
        let languages = parsed();
        let codes: Vec<&str> = languages.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, ["en", "ru"]);
        let (english, russian) = (languages[0].1.len(), languages[1].1.len());
        assert!(
            english + russian >= 120 && (english as f64 / russian as f64 - 2.0).abs() < 0.2,
            "{english}, {russian}"
        );
        assert_eq!(TEXT.lines().count(), english + russian + 2, "every line is a pair or a language");
        for (code, pairs) in &languages {
            for side in [|pair: &(&'static str, &'static str)| pair.0, |pair: &(&'static str, &'static str)| pair.1] {
                let distinct: HashSet<&str> = pairs.iter().map(side).collect();
                assert_eq!(distinct.len(), pairs.len(), "{code}");
            }
            let cyrillic = |text: &str| text.chars().any(|letter| ('а'..='я').contains(&letter));
            assert!(
                pairs
                    .iter()
                    .all(|(asked, answer)| cyrillic(asked) == (*code == "ru") && cyrillic(answer) == (*code == "ru"))
            );
            assert!(pairs.iter().all(|(asked, answer)| asked.ends_with('?') && answer.ends_with('.')));
        }
    }

    #[test]
    fn languages_that_the_base_does_not_know_do_not_count() {
        let language = |code, count: usize| Language {
            code,
            queries: Vec::new(),
            answers: Vec::new(),
            ids: vec![String::new(); count],
            relevant: Vec::new(),
        };
        let anchor =
            |base: [f64; 2]| Anchor { languages: vec![language("en", 30), language("ru", 10)], base: base.into() };
        assert_eq!(anchor([0.8, 0.1]).mean(&[0.5, 0.9]), Some(0.5));
        assert!((anchor([0.8, 0.4]).mean(&[0.5, 0.9]).unwrap() - 0.6).abs() < 1e-12);
        assert_eq!(anchor([0.2, 0.1]).base(), None);
    }

    #[test]
    fn a_deep_fall_is_told_with_its_remedy() {
        assert_eq!(warning(0.90, 0.86), None);
        let text = warning(0.90, 0.80).unwrap();
        assert!(text.contains("0.800") && text.contains("0.900") && text.contains("--interpolate auto"), "{text}");
    }
}
