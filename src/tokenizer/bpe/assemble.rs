//! Putting a tokenizer together from its parts.

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{Lowercase, NFC, NFKC, Sequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern as Pattern};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, NormalizerWrapper, SplitDelimiterBehavior, Tokenizer};

use super::merges::Pair;
use super::scanner::CL100K;
use crate::settings::{Normalization, SplitPattern, TokenizerSettings};
use crate::tokenizer::{Error, Result};

/// Normalizer, pre-tokenizer and decoder, without a vocabulary.
pub(super) fn pipeline(settings: &TokenizerSettings) -> Result<Tokenizer> {
    let mut tokenizer = Tokenizer::new(BPE::default());
    let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
    match settings.normalize {
        Normalization::None => {}
        Normalization::Nfc => normalizers.push(NFC.into()),
        Normalization::Nfkc => normalizers.push(NFKC.into()),
    }
    if settings.lowercase {
        normalizers.push(Lowercase.into());
    }
    if !normalizers.is_empty() {
        tokenizer.with_normalizer(Some(Sequence::new(normalizers))).map_err(|error| refused(&error))?;
    }
    match settings.pattern {
        SplitPattern::Gpt2 => tokenizer.with_pre_tokenizer(Some(ByteLevel::new(settings.prefix_space, true, true))),
        SplitPattern::Cl100k => {
            let split = Split::new(Pattern::Regex(CL100K.to_owned()), SplitDelimiterBehavior::Isolated, false);
            let parts: Vec<PreTokenizerWrapper> = vec![
                split.map_err(|error| refused(&error))?.into(),
                ByteLevel::new(settings.prefix_space, true, false).into(),
            ];
            tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(parts)))
        }
    };
    tokenizer.with_decoder(Some(ByteLevel::default()));
    Ok(tokenizer)
}

/// A tokenizer of these tokens, which stand at their ids, the special ones first, and merges, in their order.
pub(super) fn assemble(
    settings: &TokenizerSettings,
    special: &[String],
    tokens: &[String],
    merges: &[Pair],
) -> Result<Tokenizer> {
    let mut tokenizer = pipeline(settings)?;
    let vocabulary: ahash::AHashMap<String, u32> = tokens.iter().cloned().zip(0..).collect();
    let token = |id: u32| tokens[id as usize].clone();
    let merges = merges.iter().map(|(left, right)| (token(*left), token(*right))).collect();
    tokenizer.with_model(BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(|error| refused(&error))?);
    finish(&mut tokenizer, special)?;
    Ok(tokenizer)
}

/// Marks the special tokens, and lets a text begin with `[CLS]` and end with `[SEP]`, as BERT has it.
pub(in crate::tokenizer) fn finish(tokenizer: &mut Tokenizer, special: &[String]) -> Result<()> {
    let tokens = special.iter().map(|token| AddedToken::from(token.as_str(), true));
    tokenizer.add_special_tokens(tokens).map_err(|error| refused(&error))?;
    let id = |token: &str| (token.to_owned(), tokenizer.token_to_id(token).unwrap_or_default());
    let template = TemplateProcessing::builder()
        .try_single("[CLS]:0 $A:0 [SEP]:0")
        .and_then(|builder| builder.try_pair("[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"))
        .map_err(|problem| Error::Library { doing: "describing a text's special tokens", problem })?
        .special_tokens(vec![id("[CLS]"), id("[SEP]")])
        .build()
        .map_err(|error| Error::Library { doing: "describing a text's special tokens", problem: error.to_string() })?;
    tokenizer.with_post_processor(Some(template));
    Ok(())
}

pub(in crate::tokenizer) fn refused(error: &tokenizers::Error) -> Error {
    Error::Library { doing: "training a tokenizer", problem: error.to_string() }
}
