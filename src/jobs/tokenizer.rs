//! Training a tokenizer on the corpus and judging it on documents that it did not see.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Context, Error, Result};
use crate::corpus::{self, Corpus, Fold};
use crate::progress::peak_rss_mib;
use crate::settings::{DocumentsToUse, TokenizerKind, TokenizerSettings};
use crate::tokenizer::{
    self, Checkpoints, CurvePoint, Fragmentation, Tokenizer, Trained, Training, WordPiecePoint, knee, meets,
};
use crate::workspace::{Artifact, Hasher, Kind};

/// Parts of the vocabulary at which `WordPiece` is judged.
const WORDPIECE_SIZES: usize = 4;

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
    /// BPE beside `WordPiece`, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<Compared>,
}

/// Both kinds of tokenizer at one vocabulary size: tokens per word on unseen documents, or where there are none, on those
/// that they were trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Compared {
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Of byte-level BPE; none where its curve has no point there.
    pub bpe: Option<f64>,
    /// Of `WordPiece`.
    pub wordpiece: f64,
    /// Words that `WordPiece` made `[UNK]`.
    pub unknown: u64,
}

/// A tokenizer, and what is known of it.
struct Made {
    tokenizer: Tokenizer,
    /// Size, ratio on unseen documents, ratio on those trained on.
    curve: Vec<(usize, Option<f64>, f64)>,
    compared: Vec<Compared>,
    details: Value,
}

impl TokenizerJob {
    /// Trains, judges, saves.
    pub fn run(&self, context: &Context<'_>) -> Result<TokenizerReport> {
        let settings = &self.settings;
        let artifact = context.workspace.newest(Kind::Corpus)?;
        let corpus = Corpus::open(&artifact.path)?;
        let begun = context.clock.monotonic();
        let checkpoints = self.checkpoints(context, &artifact)?;
        let Made { tokenizer, curve, compared, details } = match settings.kind {
            TokenizerKind::Bpe => self.bpe(context, &corpus, &checkpoints)?,
            TokenizerKind::WordPiece => self.wordpiece(context, &corpus)?,
        };

        let staged = context.workspace.stage(Kind::Tokenizer, &settings.name)?;
        let file = staged.path().join("tokenizer.json");
        tokenizer.save(&file, false).map_err(|error| Error::refused(format!("writing {}: {error}", file.display())))?;
        let seconds = context.clock.monotonic().saturating_sub(begun).as_secs_f64();

        // The curve ends with the whole vocabulary.
        let vocab_size = tokenizer.get_vocab_size(true);
        let (ratio_heldout, ratio_train) = curve.last().map_or((None, 0.0), |point| (point.1, point.2));
        let mut whole = json!({
            "vocab_size": vocab_size, "ratio_train": ratio_train, "ratio_heldout": ratio_heldout, "seconds": seconds,
            "curve": curve,
        });
        if let (Value::Object(whole), Value::Object(details)) = (&mut whole, details) {
            whole.extend(details);
            if !compared.is_empty() {
                whole.insert("compared".to_owned(), json!(compared));
            }
        }
        let made = context.commit(staged, "tokenizer", settings, vec![artifact.input("corpus")], whole)?;
        checkpoints.remove();
        Ok(TokenizerReport {
            artifact: made.id.to_string(),
            vocab_size,
            ratio_train,
            ratio_heldout,
            seconds,
            peak_rss_mib: peak_rss_mib(),
            compared,
        })
    }

    /// A checkpoint is of these settings and these documents.
    fn checkpoints(&self, context: &Context<'_>, corpus: &Artifact) -> Result<Checkpoints> {
        let settings = serde_json::to_vec(&self.settings).map_err(|error| Error::refused(error.to_string()))?;
        let of = Hasher::default().part(settings).part(corpus.input("corpus").sha256.as_str()).finish();
        Ok(Checkpoints::new(&context.checkpoints, context.resume, of))
    }

    fn bpe(&self, context: &Context<'_>, corpus: &Corpus, checkpoints: &Checkpoints) -> Result<Made> {
        let passages = corpus.documents()?.iter().map(|document| document.passages).sum::<usize>();
        let training = Training {
            settings: &self.settings,
            total: Some(passages),
            checkpoints: Some(checkpoints),
            observer: context.observer,
            clock: context.clock,
        };
        let trained = self.on_texts(corpus, |texts, heldout| training.run(texts, heldout))?;
        let Trained { tokenizer, curve, spills, special_in_text } = trained;
        let mut compared = Vec::new();
        if self.settings.compare_wordpiece {
            let whole = curve.len().saturating_sub(1);
            let sizes: Vec<usize> = (1..=WORDPIECE_SIZES)
                .filter_map(|part| curve.get(whole * part / WORDPIECE_SIZES))
                .map(|point| point.vocab_size)
                .collect();
            let (_, points) = self.on_texts(corpus, |texts, heldout| {
                tokenizer::train_wordpiece(&self.settings, texts, heldout, &sizes, context.observer)
            })?;
            compared = points.iter().map(|point| beside(point, &curve)).collect();
        }
        let special: serde_json::Map<String, Value> =
            special_in_text.into_iter().map(|(token, count)| (token, json!(count))).collect();
        Ok(Made {
            tokenizer,
            details: json!({
                "knee": knee(&curve), "meets": meets(&curve), "spills": spills, "special_in_text": special,
            }),
            curve: curve
                .iter()
                .map(|point| (point.vocab_size, point.heldout.map(Fragmentation::ratio), point.train.ratio()))
                .collect(),
            compared,
        })
    }

    fn wordpiece(&self, context: &Context<'_>, corpus: &Corpus) -> Result<Made> {
        let size = self.settings.vocab_size;
        let sizes: Vec<usize> = (1..=WORDPIECE_SIZES).map(|part| size * part / WORDPIECE_SIZES).collect();
        let (tokenizer, points) = self.on_texts(corpus, |texts, heldout| {
            tokenizer::train_wordpiece(&self.settings, texts, heldout, &sizes, context.observer)
        })?;
        let curve: Vec<CurvePoint> = points
            .iter()
            .map(|point| CurvePoint { vocab_size: point.vocab_size, train: point.train, heldout: point.heldout })
            .collect();
        Ok(Made {
            tokenizer,
            details: json!({
                "knee": null, "meets": meets(&curve), "unknown": points.last().map(|point| point.unknown),
            }),
            curve: curve
                .iter()
                .map(|point| (point.vocab_size, point.heldout.map(Fragmentation::ratio), point.train.ratio()))
                .collect(),
            compared: Vec::new(),
        })
    }

    /// Trains on the texts that the settings name, beside the others. A broken line is told once the stream has ended.
    fn on_texts<T>(
        &self,
        corpus: &Corpus,
        train: impl FnOnce(
            Box<dyn Iterator<Item = String> + Send + '_>,
            Box<dyn Iterator<Item = String> + Send + '_>,
        ) -> tokenizer::Result<T>,
    ) -> Result<T> {
        let all = self.settings.documents == DocumentsToUse::All;
        let learned = move |fold: Fold| all || fold == Fold::Train;
        let (mut broken, mut broken_heldout) = (None, None);
        let trained = train(
            Box::new(texts(corpus, learned, &mut broken)?),
            Box::new(texts(corpus, move |fold| !learned(fold), &mut broken_heldout)?),
        );
        match broken.or(broken_heldout) {
            Some(error) => Err(error.into()),
            None => Ok(trained?),
        }
    }
}

fn beside(point: &WordPiecePoint, curve: &[CurvePoint]) -> Compared {
    let bpe = curve.iter().find(|bpe| bpe.vocab_size == point.vocab_size);
    Compared {
        vocab_size: point.vocab_size,
        bpe: bpe.map(|bpe| bpe.heldout.unwrap_or(bpe.train).ratio()),
        wordpiece: point.ratio(),
        unknown: point.unknown,
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
