//! Training a tokenizer on the corpus and judging it on documents that it did not see.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Context, Error, Result};
use crate::corpus::{self, Corpus, Fold};
use crate::progress::peak_rss_mib;
use crate::settings::{DocumentsToUse, TokenizerSettings};
use crate::tokenizer::{self, Fragmentation, Trained, knee, meets};
use crate::workspace::Kind;

/// Train a tokenizer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenizerJob {
    /// How.
    pub settings: TokenizerSettings,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct TokenizerReport {
    /// The artifact.
    pub artifact: String,
    /// Tokens in its vocabulary.
    pub vocab_size: usize,
    /// Tokens per word on the documents it was trained on.
    pub ratio_train: f64,
    /// Tokens per word on the others; none where it saw all.
    pub ratio_heldout: Option<f64>,
    /// From the first read to the saved file.
    pub seconds: f64,
    /// The most memory the process held.
    pub peak_rss_mib: Option<u64>,
}

impl TokenizerJob {
    /// Trains, judges, saves.
    pub fn run(&self, context: &Context<'_>) -> Result<TokenizerReport> {
        let settings = &self.settings;
        let artifact = context.workspace.newest(Kind::Corpus)?;
        let corpus = Corpus::open(&artifact.path)?;
        let begun = context.clock.monotonic();
        let all = settings.documents == DocumentsToUse::All;
        let learned = |fold: Fold| all || fold == Fold::Train;

        let passages = corpus.documents()?.iter().map(|document| document.passages).sum::<usize>();
        let (mut broken, mut broken_heldout) = (None, None);
        let trained = tokenizer::train_bpe(
            settings,
            texts(&corpus, learned, &mut broken)?,
            texts(&corpus, |fold| !learned(fold), &mut broken_heldout)?,
            Some(passages),
            context.observer,
            context.clock,
        );
        if let Some(error) = broken.or(broken_heldout) {
            return Err(error.into());
        }
        let Trained { tokenizer, curve } = trained?;

        let staged = context.workspace.stage(Kind::Tokenizer, &settings.name)?;
        let file = staged.path().join("tokenizer.json");
        tokenizer.save(&file, false).map_err(|error| Error::refused(format!("writing {}: {error}", file.display())))?;
        let seconds = context.clock.monotonic().saturating_sub(begun).as_secs_f64();

        // The curve ends with the whole vocabulary.
        let whole = curve.last();
        let vocab_size = tokenizer.get_vocab_size(true);
        let ratio_train = whole.map_or(0.0, |point| point.train.ratio());
        let ratio_heldout = whole.and_then(|point| point.heldout).map(Fragmentation::ratio);
        let rows =
            curve.iter().map(|point| (point.vocab_size, point.heldout.map(Fragmentation::ratio), point.train.ratio()));
        let details = json!({
            "vocab_size": vocab_size, "ratio_train": ratio_train, "ratio_heldout": ratio_heldout, "seconds": seconds,
            "curve": rows.collect::<Vec<_>>(), "knee": knee(&curve), "meets": meets(&curve),
        });
        let made = context.commit(staged, "tokenizer", settings, vec![artifact.input("corpus")], details)?;
        Ok(TokenizerReport {
            artifact: made.id.to_string(),
            vocab_size,
            ratio_train,
            ratio_heldout,
            seconds,
            peak_rss_mib: peak_rss_mib(),
        })
    }
}

/// The texts of some folds. A broken line ends the stream and is told after it.
fn texts(
    corpus: &Corpus,
    wanted: impl Fn(Fold) -> bool + Send,
    broken: &mut Option<corpus::Error>,
) -> Result<impl Iterator<Item = String> + Send> {
    let passages = corpus.passages()?.map_while(|passage| passage.map_err(|error| *broken = Some(error)).ok());
    Ok(passages.filter(move |passage| wanted(passage.fold)).map(|passage| passage.text))
}
