//! The test questions, asked once of the chosen arm and of the kept vocabulary.

use serde::Serialize;

use super::arms::{Course, State};
use crate::encoder::{Embeddings, Encoder, Role};
use crate::evaluation::{self, Delta, Metrics, PerQuery, QueryScores, System, SystemKind};
use crate::jobs::Result;
use crate::jobs::evaluate::{Judge, Task, scores_of_bm25, scores_of_model};
use crate::jobs::splitting::{tokens_of, untruncated};
use crate::progress::Event;
use crate::retrieval;
use crate::settings::{Choice as _, Vocabulary};
use crate::workspace::Digest;

/// Words of a piece of a passage, at most: fewer where a tokenizer would not read all of it.
const PIECE_WORDS: usize = 60;

/// A system on the test questions, over seeds.
#[derive(Debug, Clone, Serialize)]
pub struct Proven {
    /// Its name, and its scores as means over seeds.
    #[serde(flatten)]
    pub system: System,
    /// The middle 95 % of the bootstrap's means of MRR@10, by documents.
    pub ci95: [f64; 2],
    /// MRR@10 of each seed; one value where there are no seeds.
    pub by_seed: Vec<f64>,
}

/// What the test questions said.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// How many questions were asked.
    pub queries: usize,
    /// Among how many passages.
    pub passages: usize,
    /// Which questions.
    pub questions: String,
    /// The digest of their content.
    pub questions_sha256: Digest,
    /// Whether they were made from the documents rather than asked by people.
    pub synthetic: bool,
    /// How often these questions were looked at, this time included.
    pub looks: u32,
    /// The systems.
    pub systems: Vec<Proven>,
    /// What the differences are worth, seeds averaged question by question.
    pub deltas: Vec<Delta>,
}

impl Proof {
    /// The ranking by words.
    pub(super) fn bm25(&self) -> Option<&Proven> {
        self.systems.iter().find(|proven| proven.system.kind == SystemKind::Bm25)
    }

    /// A system by its name.
    pub(super) fn system(&self, name: &str) -> Option<&Proven> {
        self.systems.iter().find(|proven| proven.system.name == name)
    }
}

/// What a system is called.
pub(super) fn name(vocabulary: Vocabulary, what: &str) -> String {
    format!("{} {what}", vocabulary.word())
}

pub(super) const UNTUNED: &str = "untuned";
pub(super) const TUNED: &str = "tuned";
pub(super) const FUSED: &str = "tuned + BM25";
pub(super) const PIECES: &str = "tuned, nothing cut short";
pub(super) const FUSED_PIECES: &str = "tuned, nothing cut short + BM25";

/// Asks; returns what came of it and the ranks of every question, a line of JSON each.
pub(super) fn prove(course: &Course<'_>, task: Task, chosen: Vocabulary) -> Result<(Proof, String)> {
    let (context, settings) = (course.context, course.settings);
    context.observer.on(Event::phase("test"));
    let texts: Vec<&str> = task.passages.iter().map(|passage| passage.text.as_str()).collect();
    let queries: Vec<&str> = task.questions.iter().map(|question| question.text.as_str()).collect();
    let judge = Judge::new(&task);
    let analyzer = course.analyzer()?;
    let bm25 = format!("BM25 {}", analyzer.name());
    let by_words = scores_of_bm25(&texts, &queries, analyzer);
    let mut asked = Asked { judge: &judge, resamples: settings.resamples, seed: settings.seed, systems: Vec::new() };
    let mut answers = Vec::new();
    let mut arms = vec![Vocabulary::Keep];
    arms.extend((chosen != Vocabulary::Keep).then_some(chosen));
    // The same pieces for every arm, so that nothing but the vocabulary differs.
    let mut readers = Vec::new();
    for vocabulary in &arms {
        let encoder = course.encoder(*vocabulary, 0, &State::Untuned)?;
        readers.push((untruncated(encoder.tokenizer())?, encoder.max_length()));
    }
    let pieces = Pieces::of(&texts, |piece| {
        let lengths = readers.iter().map(|(tokenizer, most)| Ok(tokens_of(tokenizer, piece)? <= *most));
        lengths.collect::<Result<Vec<bool>>>().map(|fit| fit.into_iter().all(|fits| fits))
    })?;
    for vocabulary in arms {
        let mut runs: [Vec<Vec<Vec<f32>>>; 5] = std::array::from_fn(|_| Vec::new());
        for number in 0..settings.seeds {
            for state in [State::Untuned, State::Tuned] {
                context.check_stop()?;
                let encoder = course.encoder(vocabulary, number, &state)?;
                let embed = |texts: &[&str], role| embed(&encoder, texts, role, context.observer);
                let (of_queries, of_passages) = (embed(&queries, Role::Query)?, embed(&texts, Role::Passage)?);
                let scores = scores_of_model(&of_queries, &of_passages);
                if let State::Untuned = state {
                    runs[0].push(scores);
                    continue;
                }
                let fused = |scores: &[Vec<f32>]| {
                    let both = by_words.iter().zip(scores);
                    both.map(|(a, b)| retrieval::fuse_standardised(a, b)).collect::<Vec<_>>()
                };
                let of_pieces = embed(&pieces.texts(), Role::Passage)?;
                let best = pieces.best(&scores_of_model(&of_queries, &of_pieces));
                runs[2].push(fused(&scores));
                runs[4].push(fused(&best));
                runs[1].push(scores);
                runs[3].push(best);
            }
        }
        let [untuned, tuned, fused, whole, fused_whole] = runs;
        // What the kept vocabulary was before tuning is what all others are compared with.
        let kind = if vocabulary == Vocabulary::Keep { SystemKind::Base } else { SystemKind::Tuned };
        answers.push((0, kind, UNTUNED, vocabulary, untuned));
        answers.push((1, SystemKind::Tuned, PIECES, vocabulary, whole));
        answers.push((2, SystemKind::Tuned, TUNED, vocabulary, tuned));
        let after_the_chosen = usize::from(vocabulary != chosen);
        answers.push((3 + after_the_chosen, SystemKind::Fusion, FUSED, vocabulary, fused));
        answers.push((5, SystemKind::Fusion, FUSED_PIECES, vocabulary, fused_whole));
    }
    // Systems of a kind stand together. Whoever shows an evaluation takes the last tuned model and the first fusion for what it
    // is about: those of the chosen arm.
    answers.sort_by_key(|(place, ..)| *place);
    for (_, kind, what, vocabulary, runs) in answers {
        asked.take(kind, &name(vocabulary, what), &runs);
    }
    asked.take(SystemKind::Bm25, &bm25, std::slice::from_ref(&by_words));
    let deltas = asked.deltas(chosen, &bm25);
    let per_query = asked.per_query(&task);
    let systems = asked.systems.into_iter().map(|asked| asked.proven).collect();
    let (queries, passages) = (task.questions.len(), task.passages.len());
    let looks = match task.artifact {
        Some(mut artifact) => artifact.count_look()?,
        None => 1,
    };
    let proof = Proof {
        queries,
        passages,
        questions: task.name.clone(),
        questions_sha256: task.digest.clone(),
        synthetic: task.synthetic,
        looks,
        systems,
        deltas,
    };
    Ok((proof, per_query))
}

fn embed(
    encoder: &Encoder,
    texts: &[&str],
    role: Role,
    observer: &dyn crate::progress::Observer,
) -> Result<Embeddings> {
    Ok(encoder.embed(&encoder.tokenize(texts, role)?, observer)?)
}

/// Passages cut so small that every tokenizer reads all of each piece.
struct Pieces {
    texts: Vec<String>,
    /// The passage that each piece is of.
    of: Vec<usize>,
    passages: usize,
}

impl Pieces {
    /// Pieces of as many words as `fits` allows, each passage's of one size; a single word that does not fit stays as it is.
    fn of(passages: &[&str], fits: impl Fn(&str) -> Result<bool>) -> Result<Self> {
        let (mut texts, mut of) = (Vec::new(), Vec::new());
        for (at, passage) in passages.iter().enumerate() {
            let words: Vec<&str> = passage.split_whitespace().collect();
            let mut size = PIECE_WORDS;
            let pieces = loop {
                let pieces = windows(&words, size);
                let whole = pieces.iter().map(|piece| fits(piece)).collect::<Result<Vec<bool>>>()?;
                if size == 1 || whole.into_iter().all(|fits| fits) {
                    break pieces;
                }
                size /= 2;
            };
            of.extend(std::iter::repeat_n(at, pieces.len()));
            texts.extend(pieces);
        }
        Ok(Self { texts, of, passages: passages.len() })
    }

    fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(String::as_str).collect()
    }

    /// A passage's score is that of its best piece.
    fn best(&self, scores: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let best = |scores: &Vec<f32>| {
            let mut best = vec![f32::NEG_INFINITY; self.passages];
            for (score, &passage) in scores.iter().zip(&self.of) {
                best[passage] = best[passage].max(*score);
            }
            best
        };
        scores.iter().map(best).collect()
    }
}

/// So many words at a time, half of which are in the next piece too: nothing is torn apart in all of them.
fn windows(words: &[&str], size: usize) -> Vec<String> {
    let step = (size / 2).max(1);
    let last = words.len().saturating_sub(size).div_ceil(step);
    (0..=last).map(|at| words[at * step..(at * step + size).min(words.len())].join(" ")).collect()
}

/// The systems that were asked.
struct Asked<'a> {
    judge: &'a Judge<'a>,
    resamples: usize,
    seed: u64,
    systems: Vec<Answered>,
}

struct Answered {
    proven: Proven,
    /// Reciprocal ranks, the mean over seeds.
    rr: Vec<f64>,
    /// Ranks with the first seed.
    first: Vec<Option<usize>>,
}

impl Asked<'_> {
    /// A system's scores, seed by seed, question by question.
    fn take(&mut self, kind: SystemKind, name: &str, runs: &[Vec<Vec<f32>>]) {
        let ranked: Vec<_> = runs.iter().map(|scores| self.judge.rank(kind, name, None, scores)).collect();
        let all: Vec<QueryScores> = ranked.iter().flat_map(|ranked| ranked.scores.iter().copied()).collect();
        let system = System::new(kind, name, None, Metrics::mean(&all));
        let questions = self.judge.clusters.len();
        let mean = |at: usize| ranked.iter().map(|ranked| ranked.scores[at].rr10).sum::<f64>() / ranked.len() as f64;
        let rr: Vec<f64> = (0..questions).map(mean).collect();
        // The interval of a mean is that of its difference from nothing.
        let test = evaluation::paired_test(&rr, &vec![0.0; questions], &self.judge.clusters, self.resamples, self.seed);
        let by_seed = ranked.iter().map(|ranked| ranked.system.metrics.mrr10).collect();
        let first = ranked.first().map(|ranked| ranked.scores.iter().map(|scores| scores.first_rank).collect());
        let proven = Proven { system, ci95: test.ci95, by_seed };
        self.systems.push(Answered { proven, rr, first: first.unwrap_or_default() });
    }

    fn deltas(&self, chosen: Vocabulary, bm25: &str) -> Vec<Delta> {
        let find = |wanted: &str| self.systems.iter().find(|answered| answered.proven.system.name == wanted);
        let keep = |what| name(Vocabulary::Keep, what);
        let arm = |what| name(chosen, what);
        let mut wanted = vec![(keep(TUNED), keep(UNTUNED))];
        if chosen != Vocabulary::Keep {
            wanted = vec![
                (arm(TUNED), keep(TUNED)),
                (arm(TUNED), keep(UNTUNED)),
                (arm(UNTUNED), keep(UNTUNED)),
                (arm(PIECES), keep(PIECES)),
                (arm(FUSED), keep(FUSED)),
                (arm(TUNED), arm(UNTUNED)),
            ];
        }
        for what in [TUNED, FUSED, FUSED_PIECES] {
            wanted.push((arm(what), bm25.to_owned()));
        }
        let compare = |(a, b): (String, String)| {
            let (of_a, of_b) = (find(&a)?, find(&b)?);
            let names = (a.as_str(), b.as_str());
            Some(evaluation::compare(names, &of_a.rr, &of_b.rr, &self.judge.clusters, self.resamples, self.seed))
        };
        wanted.into_iter().filter_map(compare).collect()
    }

    fn per_query(&self, task: &Task) -> String {
        let line = |(at, question): (usize, &crate::pairs::Question)| {
            let of = |answered: &Answered| (answered.proven.system.name.clone(), (answered.first[at], answered.rr[at]));
            let systems = self.systems.iter().map(of).collect();
            let row = PerQuery::new(&question.id, &question.text, &question.relevant, systems);
            serde_json::to_string(&row).unwrap_or_default() + "\n"
        };
        task.questions.iter().enumerate().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_word_and_the_best_one_counts() {
        let long = (0..150).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        let pieces = Pieces::of(&["short", &long, ""], |_| Ok(true)).unwrap();
        assert_eq!(pieces.of, [0, 1, 1, 1, 1, 2]);
        assert!(pieces.texts[4].ends_with("w149") && pieces.texts[2].starts_with("w30 "));
        assert_eq!(pieces.best(&[vec![0.1, 0.2, 0.9, 0.3, -1.0, 0.0]]), [[0.1, 0.9, 0.0]]);
    }

    #[test]
    fn pieces_shrink_until_every_tokenizer_reads_them_whole() {
        let long = (0..50).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        let pieces = Pieces::of(&["one two", &long], |piece| Ok(piece.split_whitespace().count() <= 20)).unwrap();
        assert_eq!(pieces.of[0], 0);
        assert_eq!(pieces.texts[0], "one two", "another passage's length is nothing to it");
        assert!(pieces.texts[1..].iter().all(|piece| piece.split_whitespace().count() <= 20), "{:?}", pieces.texts);
        for n in 0..50 {
            let word = format!("w{n}");
            assert!(pieces.texts[1..].iter().any(|piece| piece.split_whitespace().any(|of| of == word)), "{word}");
        }
        let giant = Pieces::of(&["gi ant"], |_| Ok(false)).unwrap();
        assert_eq!(giant.texts, ["gi", "ant"], "a word is not torn apart");
    }
}
