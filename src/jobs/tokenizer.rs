//! Training a tokenizer on the corpus and judging it on documents that it did not see.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Context, Error, Result};
use crate::corpus::{Corpus, Fold};
use crate::progress::{Event, peak_rss_mib};
use crate::settings::{DocumentsToUse, TokenizerSettings};
use crate::tokenizer::{self, Counter, Fragmentation};
use crate::workspace::Kind;

const BATCH: usize = 4096;

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
        let wanted = |fold: Fold| all || fold == Fold::Train;

        // A broken line ends the stream and is told after it.
        let mut failed = None;
        let texts = corpus.passages()?.map_while(|passage| match passage {
            Ok(passage) => Some(passage),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        let texts = texts.filter(|passage| wanted(passage.fold)).map(|passage| passage.text);
        let trained = tokenizer::train_bpe(settings, texts, context.observer);
        if let Some(error) = failed {
            return Err(error.into());
        }
        let trained = trained?;

        let staged = context.workspace.stage(Kind::Tokenizer, &settings.name)?;
        let file = staged.path().join("tokenizer.json");
        trained.save(&file, false).map_err(|error| Error::refused(format!("writing {}: {error}", file.display())))?;
        let seconds = context.clock.monotonic().checked_sub(begun).unwrap().as_secs_f64();

        context.observer.on(Event::phase("judge"));
        let vocab_size = trained.get_vocab_size(true);
        let (train, heldout) = judge(context, &corpus, trained)?;
        let ratio_heldout = (!all && heldout.words > 0).then(|| heldout.ratio());
        let details = json!({
            "vocab_size": vocab_size, "ratio_train": train.ratio(), "ratio_heldout": ratio_heldout, "seconds": seconds,
        });
        let made = context.commit(staged, "tokenizer", settings, vec![artifact.input("corpus")], details)?;
        Ok(TokenizerReport {
            artifact: made.id.to_string(),
            vocab_size,
            ratio_train: if all { (train + heldout).ratio() } else { train.ratio() },
            ratio_heldout,
            seconds,
            peak_rss_mib: peak_rss_mib(),
        })
    }
}

fn judge(
    context: &Context<'_>,
    corpus: &Corpus,
    trained: tokenizer::Tokenizer,
) -> Result<(Fragmentation, Fragmentation)> {
    let counter = Counter::new(trained);
    let (mut train, mut heldout) = (Fragmentation::default(), Fragmentation::default());
    let mut passages = corpus.passages()?;
    loop {
        context.check_stop()?;
        let batch = passages.by_ref().take(BATCH).collect::<crate::corpus::Result<Vec<_>>>()?;
        if batch.is_empty() {
            return Ok((train, heldout));
        }
        let texts: Vec<&str> = batch.iter().map(|passage| passage.text.as_str()).collect();
        for (passage, count) in batch.iter().zip(counter.count(&texts)?) {
            if passage.fold == Fold::Train { train += count } else { heldout += count }
        }
    }
}
