//! Another vocabulary for a base: extended by whole words, or replaced by a tokenizer trained here.

use serde_json::{Value, json};

use super::super::{Context, Error, Result};
use crate::encoder::Encoder;
use crate::encoder::reference::{self, Found};
use crate::jobs::splitting::untruncated;
use crate::progress::Event;
use crate::settings::Vocabulary;
use crate::tokenizer::{self, Tokenizer};
use crate::workspace::{Input, Kind};

/// What is to become of a vocabulary.
#[derive(Debug, Clone, Copy)]
pub(in crate::jobs) struct Change<'a> {
    pub(in crate::jobs) vocabulary: Vocabulary,
    pub(in crate::jobs) tokenizer: Option<&'a str>,
    pub(in crate::jobs) extend_words: usize,
    pub(in crate::jobs) keep_case: bool,
}

/// The encoder with its new vocabulary.
#[derive(Debug)]
pub(in crate::jobs) struct Changed {
    pub(in crate::jobs) encoder: Encoder,
    /// The tokenizer that it was given, where it was.
    pub(in crate::jobs) inputs: Vec<Input>,
    /// What is to be known of it, for the manifest.
    pub(in crate::jobs) details: Value,
}

/// Changes an encoder's vocabulary; `texts` are what words to add are counted in. None where it is kept.
pub(in crate::jobs) fn change_vocabulary(
    context: &Context<'_>,
    base: &Encoder,
    texts: &[&str],
    change: Change<'_>,
) -> Result<Option<Changed>> {
    match change.vocabulary {
        Vocabulary::Keep => Ok(None),
        Vocabulary::Extend => extended(context, base, texts, change.extend_words).map(Some),
        Vocabulary::Replace => {
            let found = tokenizer_for(context, change.tokenizer)?;
            let tokenizer = tokenizer::load(&found.path)?;
            warn_of_special(context, &tokenizer, &found.reference, texts);
            replaced(context, base, tokenizer, &found, change.keep_case).map(Some)
        }
    }
}

fn tokenizer_for(context: &Context<'_>, wanted: Option<&str>) -> Result<Found> {
    if wanted.is_none() && context.workspace.newest(Kind::Tokenizer).is_err() {
        return Err(Error::refused(
            "--vocabulary replace needs a tokenizer: `lapidary tokenizer train` makes one, or name one with --tokenizer",
        ));
    }
    Ok(reference::tokenizer(context.workspace, wanted)?)
}

/// A special token that stands in the documents as text is read there as what it marks: that is said.
fn warn_of_special(context: &Context<'_>, tokenizer: &Tokenizer, name: &str, texts: &[&str]) {
    let mut special: Vec<String> = tokenizer
        .get_added_tokens_decoder()
        .into_values()
        .filter(|token| token.special)
        .map(|token| token.content)
        .collect();
    special.sort_unstable();
    let count = |token: &String| texts.iter().map(|text| text.matches(token.as_str()).count()).sum::<usize>();
    let found: Vec<String> = special
        .iter()
        .map(|token| (token, count(token)))
        .filter(|(_, count)| *count > 0)
        .map(|(token, count)| format!("{token} {count} times"))
        .collect();
    if !found.is_empty() {
        context.observer.on(Event::warning(format!(
            "the documents hold special tokens of {name} as text: {}; the encoder reads them there as what they mark",
            found.join(", ")
        )));
    }
}

fn replaced(
    context: &Context<'_>,
    base: &Encoder,
    mut tokenizer: Tokenizer,
    found: &Found,
    keep_case: bool,
) -> Result<Changed> {
    let name = &found.reference;
    match (tokenizer::is_uncased(base.tokenizer()), tokenizer::is_uncased(&tokenizer)) {
        (true, false) if keep_case => context.observer.on(Event::warning(format!(
            "{name} tells capitals from small letters, the base never did: it must learn them from this corpus alone"
        ))),
        (true, false) => {
            tokenizer = tokenizer::lower_cased(tokenizer);
            context.observer.on(Event::warning(format!(
                "the base knows no capitals, so {name} is made to lower-case; `tokenizer train --lowercase` wastes no tokens on them, --keep-case leaves it as it is"
            )));
        }
        (false, true) => context.observer.on(Event::warning(format!(
            "{name} drops capitals, which the base tells from small letters: what they say is lost"
        ))),
        _ => {}
    }
    let sources = tokenizer::sources(base.tokenizer(), &tokenizer)?;
    let (encoder, told) = base.transplanted(tokenizer, &sources)?;
    let (old, new) = (base.config().vocab_size, encoder.config().vocab_size);
    context.observer.on(Event::note(format!(
        "{new} tokens of {name} take the place of {old}: {} rows as they were, {} means of others, {} of pieces that are no text, {} of nothing known",
        told.copied, told.averaged, told.contained, told.unknown
    )));
    let details = json!({ "vocabulary": "replace", "tokens": new, "tokens_of_base": old, "rows": told });
    Ok(Changed { encoder, inputs: vec![found.input("tokenizer")], details })
}

fn extended(context: &Context<'_>, base: &Encoder, texts: &[&str], most: usize) -> Result<Changed> {
    context.observer.on(Event::phase("count words"));
    // Whole texts are read, whatever length the encoder is set to.
    let plain = untruncated(base.tokenizer())?;
    let words = tokenizer::costly_words(&plain, texts, most)?;
    if words.len() < most {
        context.observer.on(Event::warning(format!(
            "{} words are split and stand in the documents twice at least: --extend-words {most} asks for more",
            words.len()
        )));
    }
    let extended = tokenizer::extend(&plain, &words)?;
    let (encoder, _) = base.transplanted(extended.tokenizer, &extended.sources)?;
    let (old, new) = (base.config().vocab_size, encoder.config().vocab_size);
    context.observer.on(Event::note(format!(
        "{} words are whole tokens now, {} of them in rows that the base kept free; {new} tokens in place of {old}",
        extended.words, extended.reused
    )));
    let details = json!({
        "vocabulary": "extend", "tokens": new, "tokens_of_base": old, "words": extended.words, "reused": extended.reused,
        "first_words": words.iter().take(20).collect::<Vec<_>>(),
    });
    Ok(Changed { encoder, inputs: Vec::new(), details })
}
