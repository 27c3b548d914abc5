//! Another vocabulary in an encoder, aligned to what the encoder was.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::imitation::{self, Change, change_vocabulary, choose_precision, texts_of};
use super::{Context, Error, Result, export};
use crate::corpus::{Corpus, Fold};
use crate::encoder::Encoder;
use crate::export::write_sentence_transformers;
use crate::progress::peak_rss_mib;
use crate::settings::{AlignSettings, DocumentsToUse, Vocabulary};
use crate::training::{Checkpoints, ImitationOptions, Part};
use crate::workspace::Kind;

/// Change a vocabulary and align.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlignJob {
    /// How.
    pub settings: AlignSettings,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct AlignReport {
    /// The model.
    pub artifact: String,
    /// Tokens in its vocabulary.
    pub vocab_size: usize,
    /// Sentences, passages and phrases it learned from.
    pub texts: usize,
    /// The mean cosine to the base's embeddings of held-out texts, before.
    pub agreement_before: f64,
    /// After the embeddings had learned.
    pub agreement_embeddings: Option<f64>,
    /// At the end.
    pub agreement: f64,
    /// Optimizer steps.
    pub steps: usize,
    /// Seconds of training.
    pub train_s: f64,
    /// Texts a second, of the median step.
    pub texts_per_s: f64,
    /// The most memory the process held.
    pub peak_rss_mib: Option<u64>,
}

impl AlignJob {
    /// Transplants, aligns, writes the model.
    pub fn run(&self, context: &Context<'_>) -> Result<AlignReport> {
        let settings = &self.settings;
        if settings.vocabulary == Vocabulary::Keep {
            return Err(Error::refused("--vocabulary keep leaves nothing to align: choose extend or replace"));
        }
        let corpus = context.workspace.newest(Kind::Corpus)?;
        let base = context.model(&settings.base)?;
        let mut teacher = Encoder::load(&base.path, &context.place.device)?;
        if let Some(length) = settings.max_length {
            teacher.set_max_length(length)?;
        }
        choose_precision(context, &mut teacher, settings.precision)?;
        let passages = Corpus::open(&corpus.path)?.all_passages()?;
        let all = settings.documents == DocumentsToUse::All;
        let wanted = passages.iter().filter(|passage| all || passage.fold == Fold::Train);
        let texts: Vec<&str> = wanted.map(|passage| passage.text.as_str()).collect();
        let change = Change {
            vocabulary: settings.vocabulary,
            tokenizer: settings.tokenizer.as_deref(),
            extend_words: settings.extend_words,
            keep_case: settings.keep_case,
        };
        let Some(mut changed) = change_vocabulary(context, &teacher, &texts, change)? else {
            return Err(Error::refused("--vocabulary keep leaves nothing to align"));
        };
        let taught = texts_of(texts.iter().copied(), settings.seed).into_iter().map(Into::into).collect::<Vec<_>>();
        let count = taught.len();
        let checkpoints = Checkpoints::new(&context.checkpoints, context.resume);
        let options = options(settings, imitation::micro_batch(context, settings.micro_batch));
        let outcome = imitation::imitate(context, &teacher, &mut changed.encoder, taught, &options, &checkpoints)?;

        let staged = context.workspace.stage(Kind::Model, &settings.name)?;
        let mut inputs = vec![base.input("base"), corpus.input("corpus")];
        inputs.extend(base.weights("base weights"));
        inputs.extend(changed.inputs);
        let card = export::card(&settings.name, &inputs, serde_json::to_value(settings).ok().as_ref(), None);
        write_sentence_transformers(&changed.encoder, &card.render(), staged.path())?;
        let details = json!({
            "dim": changed.encoder.dim(), "transplant": changed.details, "texts": count, "alignment": outcome,
        });
        let made = context.commit(staged, "align", settings, inputs, details)?;
        Ok(AlignReport {
            artifact: made.id.to_string(),
            vocab_size: changed.encoder.config().vocab_size,
            texts: count,
            agreement_before: outcome.before,
            agreement_embeddings: outcome.after_embeddings,
            agreement: outcome.after,
            steps: outcome.steps,
            train_s: outcome.train_s,
            texts_per_s: outcome.texts_per_s,
            peak_rss_mib: peak_rss_mib(),
        })
    }
}

/// How a student is aligned.
pub(super) fn options(settings: &AlignSettings, micro_batch: usize) -> ImitationOptions {
    ImitationOptions {
        embeddings: Part { epochs: settings.embedding_epochs, lr: settings.embedding_lr },
        whole: Part { epochs: settings.epochs, lr: settings.lr },
        batch: settings.batch,
        micro_batch,
        similarities: settings.similarities,
        patience: (settings.early_stopping > 0).then_some(settings.early_stopping),
        max_steps: settings.max_steps,
        seed: settings.seed,
    }
}
