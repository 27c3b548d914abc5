//! Fine-tuning: pairs and a base become a model.

mod anchor;
pub(super) mod dev;
mod interpolation;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::anchor::Anchor;
use self::dev::DevSet;
pub use self::dev::DimScore;
use self::interpolation::interpolate;
use super::imitation::{self, Change, change_vocabulary, choose_precision, texts_of};
use super::{Context, Error, Result, align, export};
use crate::corpus::{Corpus, Fold, Passage};
use crate::encoder::reference::Found;
use crate::encoder::{DimHead, Encoder, Frozen, Role, Tokens};
use crate::export::write_sentence_transformers;
use crate::pairs::{self, Row};
use crate::progress::{Event, Scalars, peak_rss_mib};
use crate::retrieval::{self, Analyzer, Bm25, MiningOptions};
use crate::settings::{AlignSettings, Interpolation, Loss, Negatives, PairsSettings, TuneSettings, Vocabulary};
use crate::training::{self, Example, Objective, TrainingOptions};
use crate::workspace::{Input, Kind};

/// Sentences of a passage that serve the inverse cloze task.
const CLOZE: usize = 3;
/// How far down a ranking negatives are looked for.
const MINING_DEPTH: usize = 50;

/// Fine-tune an encoder.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TuneJob {
    /// How.
    pub settings: TuneSettings,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct TuneReport {
    /// The model.
    pub artifact: String,
    /// Optimizer steps.
    pub steps: usize,
    /// Training pairs a second, of the median step.
    pub pairs_per_s: f64,
    /// Tokens a second, of the median step.
    pub tokens_per_s: f64,
    /// Seconds of the median step.
    pub step_s: f64,
    /// Seconds of the whole training.
    pub train_s: f64,
    /// The most memory the process held.
    pub peak_rss_mib: Option<u64>,
    /// MRR@10 on the dev questions, of the checkpoint kept.
    pub dev_mrr10: Option<f64>,
    /// The base's, before anything was learned or its vocabulary changed.
    pub dev_mrr10_base: Option<f64>,
    /// BM25's MRR@10 on the same questions and passages, stemmed.
    pub dev_mrr10_bm25: Option<f64>,
    /// The dev score of the first dimensions alone, at each width of `--matryoshka` and the whole.
    pub dev_mrr10_by_dim: Vec<DimScore>,
    /// MRR@10 on everyday questions, over the languages that the base knows: what was not forgotten.
    pub anchor_mrr10: Option<f64>,
    /// The same before the first step.
    pub anchor_mrr10_base: Option<f64>,
    /// Share of the tuned weights in the model; the rest is the base's.
    pub tuned_share: f64,
    /// The step after which training stopped because dev did not become better; none: it went to its end.
    pub early_stop: Option<usize>,
    /// The step of the checkpoint kept.
    pub best_step: usize,
    /// Dimensions of the embeddings.
    pub dim: usize,
}

/// What is to be written down about a changed vocabulary.
pub(super) struct NewVocabulary {
    pub(super) inputs: Vec<Input>,
    pub(super) details: Value,
}

impl TuneJob {
    /// Trains, keeps the best checkpoint, writes the model.
    pub fn run(&self, context: &Context<'_>) -> Result<TuneReport> {
        let settings = &self.settings;
        let corpus = context.workspace.newest(Kind::Corpus)?;
        let pairs = match &settings.pairs {
            Some(name) => context.workspace.resolve(Kind::Pairs, name)?,
            None => context.workspace.newest(Kind::Pairs)?,
        };
        let base = context.model(&settings.base)?;
        let passages = Corpus::open(&corpus.path)?.all_passages()?;
        let (train, dev) = pairs::read_rows(&pairs.path)?;
        if train.len() < 2 {
            return Err(Error::refused(format!(
                "{}: {} pairs to train on; a batch needs two at least",
                pairs.id,
                train.len()
            )));
        }

        if !context.place.device.is_cpu() {
            for model in pairs::free_gpus() {
                context.observer.on(Event::note(format!("Ollama's {model} makes room in the GPU's memory")));
            }
        }
        let mut encoder = Encoder::load(&base.path, &context.place.device)?;
        if let Some(length) = settings.max_length {
            encoder.set_max_length(length)?;
        }
        choose_precision(context, &mut encoder, settings.precision)?;
        context.observer.on(Event::phase("tokenize"));
        let negatives = self.negatives(context, &encoder, &base, &train, &passages)?;
        let base_dev = self.base_dev(context, &encoder, &dev, &passages)?;
        let (mut encoder, vocabulary) = self.with_vocabulary(context, encoder, &passages)?;
        let (train, negatives) = self.with_negatives(context, train, negatives);
        if let Some(dim) = settings.dim {
            let truncate = dim < encoder.dim() && !settings.dense;
            encoder.set_dim(dim, if truncate { DimHead::Truncate } else { DimHead::Dense { seed: settings.seed } })?;
        }
        encoder.set_frozen(Frozen { embeddings: settings.freeze_embeddings, layers: settings.freeze_layers })?;
        self.check_widths(encoder.dim())?;
        let examples = examples(context.tokens(), &encoder, &train, &negatives, &passages)?;
        let dev_set = DevSet::new(context.tokens(), &encoder, &dev, &passages, settings.seed)?;
        if dev_set.is_none() {
            let patience = if settings.early_stopping.is_some() { ", and nothing stops it early" } else { "" };
            context.observer.on(Event::warning(format!(
                "no dev questions: the last checkpoint is kept, not the best{patience}; `lapidary corpus` shows the folds"
            )));
        }
        let anchor = Anchor::new(&encoder, context)?;
        let base_weights = match settings.interpolate {
            Interpolation::Share(share) if share >= 1.0 => None,
            _ => Some(training::Weights::of(&encoder)?),
        };

        let checkpoints = training::Checkpoints::new(&context.checkpoints, context.resume);
        let dev_questions = dev_set.as_ref().map_or(0, DevSet::len);
        let dev_mrr10_bm25 = dev_set.as_ref().map(|dev| dev.mrr10_bm25);
        // A run that goes on from a later step has said so before its first.
        let before = [("mrr10_bm25", dev_mrr10_bm25), ("mrr10_base", base_dev), ("anchor_mrr10", anchor.base())];
        for (name, score) in before {
            if let Some(score) = score.filter(|_| !checkpoints.go_on()) {
                context.observer.on(Event::Eval { step: 0, values: [(name, score)].into() });
            }
        }

        let options = self.options(context, &encoder);
        self.learn_from_text(context, &encoder, &passages, &options)?;
        let mut judge = |encoder: &Encoder| dev_set.as_ref().map_or(Ok(0.0), |dev| dev.mrr10(encoder, context));
        let judged = dev_set.is_some().then_some(training::Judge { measure: "mrr10", score: &mut judge });
        let ranks = training::Ranks::of(&encoder, &context.place.others)?;
        ranks.told().into_iter().for_each(|event| context.observer.on(event));
        let outcome =
            training::train(&ranks, &examples, &options, judged, &checkpoints, context.observer, context.clock)?;
        if outcome.stopped {
            return Err(Error::Stopped);
        }
        let base_dev = base_dev.or(outcome.base_dev);
        let dev_set = dev_set.as_ref();
        let kept = interpolate(settings.interpolate, base_weights.as_ref(), &encoder, &outcome, dev_set, context)?;
        let by_dim = self.by_dim(context, &encoder, dev_set, outcome.best_step)?;
        let anchored = anchor.after(&encoder, outcome.best_step, context)?;

        let staged = context.workspace.stage(Kind::Model, &settings.name)?;
        let mut inputs = vec![base.input("base"), pairs.input("pairs"), corpus.input("corpus")];
        let (of_vocabulary, vocabulary) = vocabulary.map_or((Vec::new(), None), |new| (new.inputs, Some(new.details)));
        inputs.extend(of_vocabulary);
        inputs.extend(base.weights("base weights"));
        let card = export::card(&settings.name, &inputs, serde_json::to_value(settings).ok().as_ref(), None);
        write_sentence_transformers(&encoder, &card.render(), staged.path())?;
        let details = json!({
            "dim": encoder.dim(), "steps": outcome.steps, "best_step": outcome.best_step, "dev_mrr10": kept.dev,
            "dev_mrr10_base": base_dev, "dev_mrr10_bm25": dev_mrr10_bm25, "dev_questions": dev_questions,
            "pairs_per_s": outcome.pairs_per_s, "train_s": outcome.train_s, "train_examples": examples.len(),
            "dev_mrr10_by_dim": by_dim, "early_stop": outcome.early_stop, "tuned_share": kept.share,
            "anchor_mrr10": anchored.tuned, "anchor_mrr10_base": anchored.base, "anchor": anchored.languages, "vocabulary": vocabulary,
        });
        let made = context.commit(staged, "tune", settings, inputs, details)?;
        Ok(TuneReport {
            artifact: made.id.to_string(),
            steps: outcome.steps,
            pairs_per_s: outcome.pairs_per_s,
            tokens_per_s: outcome.tokens_per_s,
            step_s: outcome.step_s,
            train_s: outcome.train_s,
            peak_rss_mib: peak_rss_mib(),
            dev_mrr10: kept.dev,
            dev_mrr10_base: base_dev,
            dev_mrr10_bm25,
            dev_mrr10_by_dim: by_dim,
            anchor_mrr10: anchored.tuned,
            anchor_mrr10_base: anchored.base,
            tuned_share: kept.share,
            early_stop: outcome.early_stop,
            best_step: outcome.best_step,
            dim: encoder.dim(),
        })
    }

    /// The base's dev score before another vocabulary or the documents' text changes it; none: neither does, and the look before
    /// the first step tells it.
    fn base_dev(
        &self,
        context: &Context<'_>,
        base: &Encoder,
        dev: &[Row],
        passages: &[Passage],
    ) -> Result<Option<f64>> {
        let settings = &self.settings;
        if settings.vocabulary == Vocabulary::Keep && settings.cloze_epochs == 0.0 {
            return Ok(None);
        }
        let Some(dev) = DevSet::new(context.tokens(), base, dev, passages, settings.seed)? else { return Ok(None) };
        context.observer.on(Event::phase("dev"));
        Ok(Some(dev.mrr10(base, context)?))
    }

    /// The base with the vocabulary that was asked for, aligned to what it was; and what to write down about that.
    pub(super) fn with_vocabulary(
        &self,
        context: &Context<'_>,
        base: Encoder,
        passages: &[Passage],
    ) -> Result<(Encoder, Option<NewVocabulary>)> {
        let settings = &self.settings;
        let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
        let change = Change {
            vocabulary: settings.vocabulary,
            tokenizer: settings.tokenizer.as_deref(),
            extend_words: settings.extend_words,
            keep_case: settings.keep_case,
        };
        let Some(mut changed) = change_vocabulary(context, &base, &texts, change)? else { return Ok((base, None)) };
        let mut alignment = None;
        if settings.align_epochs > 0.0 {
            let how = AlignSettings { epochs: settings.align_epochs, seed: settings.seed, ..AlignSettings::default() };
            let options = align::options(&how, imitation::micro_batch(context, settings.micro_batch));
            let taught = texts_of(texts, how.seed).into_iter().map(Into::into).collect();
            let checkpoints = training::Checkpoints::new(&context.checkpoints.join("align"), context.resume);
            let outcome = imitation::imitate(context, &base, &mut changed.encoder, taught, &options, &checkpoints)?;
            alignment = Some(outcome);
        } else {
            context.observer.on(Event::warning(
                "--align-epochs 0: a new vocabulary ruins an encoder until it is aligned; tuning alone mends only part of it",
            ));
        }
        let details = json!({ "transplant": changed.details, "alignment": alignment });
        Ok((changed.encoder, Some(NewVocabulary { inputs: changed.inputs, details })))
    }

    pub(super) fn options(&self, context: &Context<'_>, encoder: &Encoder) -> TrainingOptions {
        let mut options = TrainingOptions::from_settings(&self.settings, encoder.config().hidden_dropout_prob);
        options.micro_batch = imitation::micro_batch(context, self.settings.micro_batch);
        options
    }

    /// The inverse cloze task on all documents, before the pairs, where it is asked for.
    pub(super) fn learn_from_text(
        &self,
        context: &Context<'_>,
        encoder: &Encoder,
        passages: &[Passage],
        options: &TrainingOptions,
    ) -> Result<()> {
        let settings = &self.settings;
        if settings.cloze_epochs == 0.0 {
            return Ok(());
        }
        let checkpoints = training::Checkpoints::new(&context.checkpoints, context.resume).part("cloze");
        if checkpoints.finished(encoder)? {
            return Ok(());
        }
        let rows =
            pairs::cloze(passages, &PairsSettings { cloze: CLOZE, seed: settings.seed, ..PairsSettings::default() });
        let examples = examples(context.tokens(), encoder, &rows, &vec![Vec::new(); rows.len()], passages)?;
        let objective = Objective::Mnrl { scale: settings.scale, symmetric: settings.symmetric };
        let options = TrainingOptions {
            objective,
            epochs: settings.cloze_epochs,
            ema: None,
            early_stopping: None,
            max_steps: settings.max_steps,
            ..options.clone()
        };
        let ranks = training::Ranks::of(encoder, &context.place.others)?;
        let outcome =
            training::train(&ranks, &examples, &options, None, &checkpoints, context.observer, context.clock)?;
        if outcome.stopped {
            return Err(Error::Stopped);
        }
        checkpoints.finish(encoder)?;
        context.observer.on(Event::note(format!(
            "inverse cloze: {} steps on sentences of {} passages",
            outcome.steps,
            passages.len()
        )));
        Ok(())
    }

    fn check_widths(&self, dim: usize) -> Result<()> {
        match self.settings.matryoshka.iter().find(|width| **width >= dim) {
            None => Ok(()),
            Some(width) => Err(Error::refused(format!(
                "--matryoshka {width}: the embeddings have {dim} dimensions; name widths below that"
            ))),
        }
    }

    /// The dev scores of the first dimensions alone, told as they are measured.
    fn by_dim(
        &self,
        context: &Context<'_>,
        encoder: &Encoder,
        dev: Option<&DevSet>,
        step: usize,
    ) -> Result<Vec<DimScore>> {
        let Some(dev) = dev.filter(|_| !self.settings.matryoshka.is_empty()) else { return Ok(Vec::new()) };
        let widths: BTreeSet<usize> = self.settings.matryoshka.iter().copied().chain([encoder.dim()]).collect();
        let widths: Vec<usize> = widths.into_iter().rev().collect();
        context.observer.on(Event::phase("dev"));
        let scores = dev.mrr10_by_dim(encoder, &widths, context)?;
        let values = scores.iter().map(|score| (format!("mrr10_dim{}", score.dim), score.mrr10)).collect();
        context.observer.on(Event::Eval { step: step as u64, values: Scalars(values) });
        let told: Vec<String> = scores.iter().map(|score| format!("{}: {:.3}", score.dim, score.mrr10)).collect();
        context.observer.on(Event::note(format!("MRR@10 on dev by dimensions: {}", told.join(", "))));
        Ok(scores)
    }

    /// Hard negatives for each row, as passage ids; a row's own come first.
    pub(super) fn negatives(
        &self,
        context: &Context<'_>,
        encoder: &Encoder,
        base: &Found,
        rows: &[Row],
        passages: &[Passage],
    ) -> Result<Vec<Vec<String>>> {
        let given: Vec<Vec<String>> = rows.iter().map(|row| row.negatives.clone()).collect();
        let default = if self.settings.loss == Loss::Triplet { Negatives::Base } else { Negatives::None };
        let source = self.settings.negatives.unwrap_or(default);
        if source == Negatives::None {
            if self.settings.loss == Loss::Triplet && given.iter().any(Vec::is_empty) {
                return Err(Error::refused(
                    "the triplet loss needs a negative for every pair: use --negatives base or bm25",
                ));
            }
            return Ok(given);
        }
        // Only passages to train on: a test document must not be seen, not even as what is wrong.
        let pool: Vec<&Passage> = passages.iter().filter(|passage| passage.fold == Fold::Train).collect();
        let texts: Vec<&str> = pool.iter().map(|passage| passage.text.as_str()).collect();
        let ids: Vec<String> = pool.iter().map(|passage| passage.id.clone()).collect();
        let clusters: Vec<u32> = pool.iter().map(|passage| passage.cluster).collect();
        let queries: Vec<&str> = rows.iter().map(|row| row.query.as_str()).collect();
        let index: HashMap<&str, usize> =
            pool.iter().enumerate().map(|(at, passage)| (passage.id.as_str(), at)).collect();
        let positives: Vec<Vec<usize>> =
            rows.iter().map(|row| row.passages().filter_map(|id| index.get(id).copied()).collect()).collect();
        // Pairs may hold the same question twice, each time with another passage that answers it.
        let also_right = also_right(&queries, &positives);
        let options = MiningOptions {
            per_query: self.settings.negatives_per_pair,
            relative_margin: self.settings.relative_margin as f32,
            depth: MINING_DEPTH,
        };
        let mined = if source == Negatives::Bm25 {
            let bm25 = Bm25::index(texts.iter().copied(), Analyzer::choose(None, &texts)?);
            retrieval::mine(|query| bm25.scores(queries[query]), &positives, &also_right, &ids, &clusters, &options)
        } else {
            let passages = context.vectors().embed(encoder, base, &texts, Role::Passage, "passages to mine")?;
            let queries = context.vectors().embed(encoder, base, &queries, Role::Query, "questions to mine for")?;
            retrieval::mine(
                |query| retrieval::scores(queries.row(query), &passages),
                &positives,
                &also_right,
                &ids,
                &clusters,
                &options,
            )
        };
        context.observer.on(Event::note(mined.summary()));
        let mined =
            mined.negatives.into_iter().map(|found| found.into_iter().map(|at| ids[at].clone()).collect::<Vec<_>>());
        Ok(given.into_iter().zip(mined).map(|(given, mined)| if given.is_empty() { mined } else { given }).collect())
    }
}

impl TuneJob {
    /// The triplet loss has no use for a row without a negative: such rows are left out, and counted.
    fn with_negatives(
        &self,
        context: &Context<'_>,
        rows: Vec<Row>,
        negatives: Vec<Vec<String>>,
    ) -> (Vec<Row>, Vec<Vec<String>>) {
        if self.settings.loss != Loss::Triplet {
            return (rows, negatives);
        }
        let before = rows.len();
        let kept: Vec<(Row, Vec<String>)> =
            rows.into_iter().zip(negatives).filter(|(_, wrong)| !wrong.is_empty()).collect();
        if kept.len() < before {
            let left_out = before - kept.len();
            context.observer.on(Event::note(format!("{left_out} of {before} pairs have no negative and are left out")));
        }
        kept.into_iter().unzip()
    }
}

/// What answers each question according to all rows that ask nearly the same.
fn also_right(queries: &[&str], positives: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let first = pairs::first_said(queries.iter().copied());
    let mut answers: HashMap<usize, BTreeSet<usize>> = HashMap::new();
    for (first, positives) in first.iter().zip(positives) {
        answers.entry(*first).or_default().extend(positives);
    }
    first.iter().map(|first| answers[first].iter().copied().collect()).collect()
}

/// Tokenizes every text once; a row with several positives becomes as many examples.
pub(super) fn examples(
    tokens: Tokens<'_>,
    encoder: &Encoder,
    rows: &[Row],
    negatives: &[Vec<String>],
    passages: &[Passage],
) -> Result<Vec<Example>> {
    let known: HashMap<&str, &str> =
        passages.iter().map(|passage| (passage.id.as_str(), passage.text.as_str())).collect();
    // The texts of an example's passages stand together, the right one first.
    let (mut queries, mut texts, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for (row, negatives) in rows.iter().zip(negatives) {
        for positive in &row.positives {
            queries.push(row.query.as_str());
            counts.push(1 + negatives.len());
            for id in std::iter::once(positive).chain(negatives) {
                let text = row.texts.get(id).map(String::as_str).or_else(|| known.get(id.as_str()).copied());
                texts.push(text.ok_or_else(|| {
                    Error::refused(format!(
                        "query {}: passage {id} is not in the newest corpus; make the pairs again after `corpus refresh`",
                        row.query_id
                    ))
                })?);
            }
        }
    }
    let of_queries = tokens.of(encoder, &queries, Role::Query)?;
    let of_texts = tokens.of(encoder, &texts, Role::Passage)?;
    let mut start = 0;
    let example = |((query, ids), count): ((&str, Arc<[u32]>), usize)| {
        let these = start..start + count;
        start += count;
        let keys = std::iter::once(query).chain(texts[these.clone()].iter().copied()).map(training::text_key).collect();
        let (positive, negatives) = (Arc::clone(&of_texts[these.start]), of_texts[these.start + 1..these.end].to_vec());
        Example::Pair { query: ids, positive, negatives, keys }
    };
    Ok(queries.iter().copied().zip(of_queries).zip(counts).map(example).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_the_same_shares_the_answers() {
        let queries = ["Oil in the receiver", "where is the valve", "the receiver: oil in"];
        assert_eq!(also_right(&queries, &[vec![4], vec![5], vec![2, 4]]), [vec![2, 4], vec![5], vec![2, 4]]);
    }

    #[test]
    fn widths_must_be_less_than_there_are() {
        let job =
            |widths: &[usize]| TuneJob { settings: TuneSettings { matryoshka: widths.into(), ..Default::default() } };
        assert!(job(&[256, 64]).check_widths(384).is_ok());
        let error = job(&[384]).check_widths(384).unwrap_err();
        assert_eq!(error.to_string(), "--matryoshka 384: the embeddings have 384 dimensions; name widths below that");
    }
}
