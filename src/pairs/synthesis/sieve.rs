//! What stays of a model's questions: every filter in its order, and the round trip.

use rayon::prelude::*;

use super::journal::{Known, Posed};
use crate::corpus::{Fold, Passage};
use crate::encoder::Embeddings;
use crate::pairs::filters::{QueryKind, judge};
use crate::pairs::{Reason, Row};
use crate::retrieval::{self, Analyzer, Bm25};
use crate::settings::PairsSynthesisSettings;

/// A question as a row, the rank of its passage, and why it goes, if it goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sifted {
    /// The row.
    pub(super) row: Row,
    /// The first reason to reject it.
    pub(super) reason: Option<Reason>,
}

/// The filters that look at one question at a time.
pub(super) struct Sieve<'a> {
    passages: &'a [Passage],
    ids: Vec<String>,
    /// Ranks passages for the round trip; none: another does, later.
    bm25: Option<Bm25>,
    round_trip: usize,
    least_score: u8,
    /// The language that was asked for, where it is not the passages' own.
    language: Option<whatlang::Lang>,
}

impl<'a> Sieve<'a> {
    /// Filters for the questions of these passages; `by_words`: BM25 makes the round trip.
    pub(super) fn new(
        passages: &'a [Passage],
        settings: &PairsSynthesisSettings,
        by_words: bool,
    ) -> retrieval::Result<Self> {
        let bm25 = if by_words {
            let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
            Some(Bm25::index(texts.iter().copied(), Analyzer::choose(None, &texts)?))
        } else {
            None
        };
        Ok(Self {
            passages,
            ids: passages.iter().map(|passage| passage.id.clone()).collect(),
            bm25,
            round_trip: settings.round_trip,
            least_score: settings.judge as u8,
            language: settings.language.as_deref().and_then(language),
        })
    }

    /// All questions of many passages, by passage.
    pub(super) fn all(&self, known: &[(usize, Known)]) -> Vec<(usize, Vec<Sifted>)> {
        known.par_iter().map(|(passage, known)| (*passage, self.sift(*passage, known))).collect()
    }

    /// The questions of a passage.
    pub(super) fn sift(&self, passage: usize, known: &Known) -> Vec<Sifted> {
        let scores = known.scores.iter().map(|score| Some(*score)).chain(std::iter::repeat(None));
        known.questions.iter().zip(scores).map(|(posed, score)| self.one(passage, posed, score)).collect()
    }

    fn one(&self, at: usize, posed: &Posed, score: Option<u8>) -> Sifted {
        let passage = &self.passages[at];
        let mut row = Row {
            query_id: Row::id_of(&posed.question),
            query: posed.question.clone(),
            positives: vec![passage.id.clone()],
            source: posed.kind.word().to_owned(),
            document: passage.document.clone(),
            ..Row::default()
        };
        let kind = QueryKind::Synthesized { kind: posed.kind, language: self.language };
        let mut reason = judge(kind, &row.query, &passage.text);
        // A judge that did not answer rejects nothing.
        if reason.is_none() && score.is_some_and(|score| score > 0 && score < self.least_score) {
            reason = Some(Reason::LowJudgement);
        }
        if reason.is_none()
            && let Some(bm25) = &self.bm25
        {
            row.rank = Some(self.rank(&bm25.scores(&row.query), at));
            reason = self.round_trip(&row);
        }
        Sifted { row, reason }
    }

    /// The rank of a passage among all, from 1; a passage that says almost the same counts as it.
    fn rank(&self, scores: &[f32], passage: usize) -> u32 {
        let cluster = self.passages[passage].cluster;
        let twins = self.passages.iter().enumerate().filter(|(_, other)| other.cluster == cluster);
        let best = twins
            .map(|(at, _)| at)
            .chain([passage])
            .max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then_with(|| self.ids[*b].cmp(&self.ids[*a])));
        let best = best.unwrap_or(passage);
        let ahead = scores.iter().enumerate().filter(|(at, score)| {
            self.passages[*at].cluster != cluster
                && (**score > scores[best] || (**score == scores[best] && self.ids[*at] < self.ids[best]))
        });
        ahead.count() as u32 + 1
    }

    fn round_trip(&self, row: &Row) -> Option<Reason> {
        let within = self.round_trip == 0 || row.rank.is_none_or(|rank| rank as usize <= self.round_trip);
        (!within).then_some(Reason::RoundTrip)
    }

    /// The round trip by vectors, for what no filter has rejected. `asked` holds one row for each such question, in order.
    pub(super) fn round_trip_by_vectors(
        &self,
        sifted: &mut [(usize, Vec<Sifted>)],
        asked: &Embeddings,
        passages: &Embeddings,
    ) {
        let staying = sifted.iter_mut().flat_map(|(at, questions)| {
            questions.iter_mut().filter(|sifted| sifted.reason.is_none()).map(|sifted| (*at, sifted))
        });
        let mut staying: Vec<(usize, &mut Sifted)> = staying.collect();
        staying.par_iter_mut().enumerate().for_each(|(number, (at, sifted))| {
            let scores = retrieval::scores(asked.row(number), passages);
            sifted.row.rank = Some(self.rank(&scores, *at));
            sifted.reason = self.round_trip(&sifted.row);
        });
    }
}

/// How many questions find their passage within so many ranks: what another K would keep.
pub(super) fn within(sifted: &[(usize, Vec<Sifted>)], ranks: &[usize]) -> Vec<(usize, usize)> {
    let found: Vec<u32> =
        sifted.iter().flat_map(|(_, questions)| questions).filter_map(|sifted| sifted.row.rank).collect();
    ranks.iter().map(|&most| (most, found.iter().filter(|rank| **rank as usize <= most).count())).collect()
}

/// Whether what became of a question may be shown: what may become a test question is nobody's to see before it is asked.
pub(super) fn may_be_seen(passage: &Passage, sifted: &Sifted) -> bool {
    sifted.reason.is_some() || passage.fold != Fold::Test
}

/// The language of a name or code: `german`, `deu`.
pub(super) fn language(wanted: &str) -> Option<whatlang::Lang> {
    let lower = wanted.to_lowercase();
    whatlang::Lang::from_code(&lower)
        .or_else(|| whatlang::Lang::all().iter().copied().find(|lang| lang.eng_name().to_lowercase() == lower))
}
