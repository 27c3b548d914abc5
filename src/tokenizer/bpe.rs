//! Training a byte-level BPE tokenizer (Sennrich et al. 2016; on bytes, Radford et al. 2019).
//!
//! The seam for another trainer: texts and settings in, a tokenizer out.

use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::{Lowercase, NFC, Sequence};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::utils::ProgressFormat;
use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer};

use super::{Error, Result};
use crate::progress::{Event, Observer};
use crate::settings::TokenizerSettings;

/// The tokens that a BERT encoder expects, with the ids 0 to 4.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/// Texts between two progress events.
const REPORT: usize = 256;

/// Trains on texts as they stream by; memory follows their distinct words.
///
/// The result begins a text with `[CLS]` and ends it with `[SEP]`, as BERT does. Byte-level, it has no unknown tokens.
pub fn train_bpe(
    settings: &TokenizerSettings,
    texts: impl Iterator<Item = String> + Send,
    observer: &dyn Observer,
) -> Result<Tokenizer> {
    let library =
        |error: tokenizers::Error| Error::Library { doing: "training a tokenizer", problem: error.to_string() };
    let mut tokenizer = Tokenizer::new(BPE::default());
    let mut normalizers: Vec<NormalizerWrapper> = vec![NFC.into()];
    if settings.lowercase {
        normalizers.push(Lowercase.into());
    }
    tokenizer.with_normalizer(Some(Sequence::new(normalizers))).map_err(library)?;
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let trainer = BpeTrainerBuilder::new()
        .vocab_size(settings.vocab_size)
        .min_frequency(settings.min_frequency)
        // It would print: what it does is told through the observer.
        .show_progress(false)
        .progress_format(ProgressFormat::Silent)
        .special_tokens(SPECIAL.iter().map(|token| AddedToken::from(*token, true)).collect())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();

    observer.on(Event::phase("count words"));
    let mut read = 0;
    let texts = texts.take_while(|_| !observer.stop_requested()).inspect(|_| {
        read += 1;
        if read % REPORT == 0 {
            observer.on(Event::progress(read, None, "passages"));
        }
    });
    tokenizer.train(&mut TrainerWrapper::from(trainer), texts).map_err(library)?;
    if observer.stop_requested() {
        return Err(Error::Stopped);
    }

    let id = |token: &str| (token.to_owned(), tokenizer.token_to_id(token).unwrap_or_default());
    let template = TemplateProcessing::builder()
        .try_single("[CLS]:0 $A:0 [SEP]:0")
        .and_then(|builder| builder.try_pair("[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"))
        .map_err(|problem| Error::Library { doing: "describing a text's special tokens", problem })?
        .special_tokens(vec![id("[CLS]"), id("[SEP]")])
        .build()
        .map_err(|error| Error::Library { doing: "describing a text's special tokens", problem: error.to_string() })?;
    tokenizer.with_post_processor(Some(template));
    Ok(tokenizer)
}
