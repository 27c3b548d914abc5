//! An arm: a vocabulary, aligned and tuned with one seed after another.

use super::cost::cost_of;
use crate::corpus::{Corpus, Passage};
use crate::encoder::Encoder;
use crate::encoder::reference::Found;
use crate::evaluation::Arm;
use crate::jobs::imitation::choose_precision;
use crate::jobs::tune::dev::{DevSet, choose_analyzer};
use crate::jobs::tune::{TuneJob, examples};
use crate::jobs::{Context, Error, Result};
use crate::pairs::{self, Row};
use crate::progress::Event;
use crate::retrieval::Analyzer;
use crate::settings::{Choice as _, LadderSettings, TuneSettings, Vocabulary};
use crate::training::{self, Checkpoints};
use crate::workspace::{Artifact, Input, Kind};

/// What every arm has in common.
pub(super) struct Course<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) settings: &'a LadderSettings,
    pub(super) passages: Vec<Passage>,
    base: Encoder,
    found: Found,
    pairs: Artifact,
    train: Vec<Row>,
    dev: Vec<Row>,
    negatives: Vec<Vec<String>>,
}

/// The parameters of an arm with one seed, on disk.
pub(super) enum State {
    Untuned,
    Tuned,
}

impl State {
    const fn part(&self) -> &'static str {
        match self {
            Self::Untuned => "untuned",
            Self::Tuned => "tuned",
        }
    }
}

impl<'a> Course<'a> {
    pub(super) fn new(context: &'a Context<'a>, settings: &'a LadderSettings) -> Result<Self> {
        let workspace = context.workspace;
        let corpus = workspace.newest(Kind::Corpus)?;
        let pairs = match &settings.pairs {
            Some(name) => workspace.resolve(Kind::Pairs, name)?,
            None => workspace.newest(Kind::Pairs)?,
        };
        // Said before hours are spent on the other arms.
        let replaces = settings.arms.contains(&Vocabulary::Replace);
        if replaces && settings.tokenizer.is_none() && workspace.newest(Kind::Tokenizer).is_err() {
            return Err(Error::refused(
                "the ladder needs a tokenizer to replace the base's: `lapidary tokenizer train` makes one, or name one with --tokenizer",
            ));
        }
        let found = context.model(&settings.base)?;
        let passages = Corpus::open(&corpus.path)?.all_passages()?;
        let (train, dev) = pairs::read_rows(&pairs.path)?;
        if dev.is_empty() {
            return Err(Error::refused(format!("{}: no dev questions to choose an arm by", pairs.id)));
        }
        let mut base = Encoder::load(&found.path, &context.place.device)?;
        if let Some(length) = settings.max_length {
            base.set_max_length(length)?;
        }
        choose_precision(context, &mut base, settings.precision)?;
        let mut course = Self { context, settings, passages, base, found, pairs, train, dev, negatives: Vec::new() };
        // The base's mistakes are every arm's: arms differ by their vocabulary alone.
        let job = course.tuning(Vocabulary::Keep, 0);
        course.negatives = job.negatives(context, &course.base, &course.found, &course.train, &course.passages)?;
        Ok(course)
    }

    pub(super) fn base_name(&self) -> &str {
        &self.found.reference
    }

    pub(super) fn inputs(&self) -> Vec<Input> {
        let mut inputs = vec![self.found.input("base"), self.pairs.input("pairs")];
        inputs.extend(self.found.weights("base weights"));
        inputs
    }

    /// How BM25 is to read words.
    pub(super) fn analyzer(&self) -> Result<Analyzer> {
        choose_analyzer(self.context, &self.dev, &self.passages)
    }

    /// The tuning of an arm with its so-manyth seed.
    fn tuning(&self, vocabulary: Vocabulary, number: usize) -> TuneJob {
        let settings = self.settings.clone();
        TuneJob {
            settings: TuneSettings {
                vocabulary,
                tokenizer: settings.tokenizer,
                extend_words: settings.extend_words,
                keep_case: settings.keep_case,
                align_epochs: settings.align_epochs,
                cloze_epochs: settings.cloze_epochs,
                negatives: Some(settings.negatives),
                symmetric: settings.symmetric,
                epochs: settings.epochs,
                batch: settings.batch,
                lr: settings.lr,
                max_steps: settings.max_steps,
                seed: settings.seed + number as u64,
                ..TuneSettings::default()
            },
        }
    }

    fn place(&self, vocabulary: Vocabulary, number: usize) -> Context<'a> {
        let folder = self.context.checkpoints.join(format!("{}-{}", vocabulary.word(), number + 1));
        Context { checkpoints: folder, ..*self.context }
    }

    /// Trains an arm with every seed; what was trained before a stop is taken up again.
    pub(super) fn arm(&self, vocabulary: Vocabulary) -> Result<Arm> {
        let (mut untuned, mut tuned, mut agreements, mut cost) = (0.0, Vec::new(), Vec::new(), None);
        for number in 0..self.settings.seeds {
            let context = self.place(vocabulary, number);
            let text = format!("{} vocabulary, seed {} of {}", vocabulary.word(), number + 1, self.settings.seeds);
            context.observer.on(Event::note(text));
            let job = self.tuning(vocabulary, number);
            let checkpoints = Checkpoints::new(&context.checkpoints, context.resume);
            let (encoder, changed) =
                job.with_vocabulary(&context, self.base.replica(self.base.device())?, &self.passages)?;
            let agreement = changed.and_then(|changed| changed.details["alignment"]["after"].as_f64());
            agreements.extend(agreement);
            let dev = DevSet::new(context.tokens(), &encoder, &self.dev, &self.passages, self.settings.seed)?
                .ok_or_else(|| Error::refused("the dev questions' passages are not in the corpus"))?;
            untuned += dev.mrr10(&encoder, &context)? / self.settings.seeds as f64;
            if cost.is_none() {
                cost = Some(cost_of(&context, &encoder, &self.passages)?);
            }
            checkpoints.part(State::Untuned.part()).finish(&encoder)?;
            if !checkpoints.part(State::Tuned.part()).finished(&encoder)? {
                self.tune(&context, &job, &encoder, &dev, &checkpoints)?;
                checkpoints.part(State::Tuned.part()).finish(&encoder)?;
            }
            tuned.push(dev.mrr10(&encoder, &context)?);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        Ok(Arm {
            vocabulary,
            cost: cost.unwrap_or_default(),
            agreement: (!agreements.is_empty()).then(|| mean(&agreements)),
            dev_untuned: untuned,
            dev_tuned: mean(&tuned),
            dev_by_seed: tuned,
        })
    }

    fn tune(
        &self,
        context: &Context<'_>,
        job: &TuneJob,
        encoder: &Encoder,
        dev: &DevSet,
        checkpoints: &Checkpoints,
    ) -> Result<()> {
        let options = job.options(context, encoder);
        job.learn_from_text(context, encoder, &self.passages, &options)?;
        let examples = examples(context.tokens(), encoder, &self.train, &self.negatives, &self.passages)?;
        let mut score = |encoder: &Encoder| dev.mrr10(encoder, context);
        let judge = training::Judge { measure: "mrr10", score: &mut score };
        let ranks = training::Ranks::of(encoder, &context.place.others)?;
        let outcome = training::train(
            &ranks,
            &examples,
            &options,
            Some(judge),
            &checkpoints.part("pairs"),
            context.observer,
            context.clock,
        )?;
        if outcome.stopped { Err(Error::Stopped) } else { Ok(()) }
    }

    /// An arm with one seed, as it was before or after tuning.
    pub(super) fn encoder(&self, vocabulary: Vocabulary, number: usize, state: &State) -> Result<Encoder> {
        let context = self.place(vocabulary, number);
        let mut job = self.tuning(vocabulary, number);
        // Its vocabulary alone: the parameters are read.
        job.settings.align_epochs = 0.0;
        let quiet = Context { observer: &crate::progress::Silent, ..context };
        let (encoder, _) = job.with_vocabulary(&quiet, self.base.replica(self.base.device())?, &self.passages)?;
        let checkpoints = Checkpoints::new(&quiet.checkpoints, true);
        if !checkpoints.part(state.part()).finished(&encoder)? {
            let folder = quiet.checkpoints.display();
            return Err(Error::refused(format!("{folder}: the trained arm is gone; start the ladder anew")));
        }
        Ok(encoder)
    }
}
