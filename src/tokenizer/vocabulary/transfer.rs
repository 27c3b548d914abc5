//! What a base's tokenizer makes of each token of a new vocabulary (Fast Vocabulary Transfer; Gee et al. 2022).

use std::collections::{BTreeMap, HashMap};

use tokenizers::{
    Model as _, ModelWrapper, NormalizedString, Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer as _, Tokenizer,
};

use super::kind::{BLANK, BYTE_BLANK, Kind, Surface};
use crate::tokenizer::{Error, Result};

/// Tokens that play the same part in different families, each line one part.
const PARTS: [&[&str]; 5] = [
    &["[PAD]", "<pad>"],
    &["[UNK]", "<unk>"],
    &["[CLS]", "<s>", "<cls>"],
    &["[SEP]", "</s>", "<sep>"],
    &["[MASK]", "<mask>"],
];

/// Where the embedding of a new token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The mean of these rows of the base, each as often as it is named; one row is taken over as it is.
    Base(Vec<u32>),
    /// The mean of the rows of these new tokens: those that contain this one, which is no text itself.
    Containing(Vec<u32>),
    /// The mean of all rows of the base: nothing is known of it.
    Anything,
}

/// For each id of the new vocabulary where its row comes from. Special tokens are carried over by the part they play. A token that
/// is text is cut as the base would cut it, at the beginning of a word or inside one, as it stands in the new vocabulary;
/// one that is not (part of a character, white space, characters that the base does not know) has the mean of those that contain it.
pub fn sources(base: &Tokenizer, new: &Tokenizer) -> Result<Vec<Source>> {
    let cutter = Cutter { tokenizer: base, kind: Kind::of(base), unknown: unknown(base) };
    let kind = Kind::of(new);
    let added: HashMap<u32, String> =
        new.get_added_tokens_decoder().into_iter().map(|(id, token)| (id, token.content)).collect();
    let size = new.get_vocab_size(true);
    let (mut sources, mut surfaces) = (vec![Source::Anything; size], BTreeMap::new());
    for id in 0..size as u32 {
        let surface = match added.get(&id) {
            Some(content) => match same_part(base, content) {
                Some(row) => {
                    sources[id as usize] = Source::Base(vec![row]);
                    continue;
                }
                None if PARTS.concat().contains(&content.as_str()) => continue,
                None => Surface { text: content.clone(), initial: true, bytes: content.clone().into_bytes() },
            },
            // A gap in the ids: a row that no text comes to.
            None => match new.id_to_token(id) {
                Some(token) => kind.surface(&token),
                None => continue,
            },
        };
        let rows = cutter.cut(&surface)?;
        if !rows.is_empty() {
            sources[id as usize] = Source::Base(rows);
        }
        surfaces.insert(id, surface);
    }
    let known: Vec<(u32, &[u8])> = surfaces
        .iter()
        .filter(|(id, _)| matches!(sources[**id as usize], Source::Base(_)))
        .map(|(id, surface)| (*id, surface.bytes.as_slice()))
        .collect();
    let unknown: Vec<u32> = surfaces.keys().copied().filter(|id| sources[*id as usize] == Source::Anything).collect();
    for id in unknown {
        let part = &surfaces[&id].bytes;
        let containing: Vec<u32> = known.iter().filter(|(_, bytes)| contains(bytes, part)).map(|(id, _)| *id).collect();
        if !containing.is_empty() {
            sources[id as usize] = Source::Containing(containing);
        }
    }
    Ok(sources)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

/// The base's token that plays the part of a special token.
fn same_part(base: &Tokenizer, content: &str) -> Option<u32> {
    let names = PARTS.iter().find(|names| names.contains(&content)).copied().unwrap_or_default();
    base.token_to_id(content).or_else(|| names.iter().find_map(|name| base.token_to_id(name)))
}

/// The token for what the vocabulary does not know.
pub(super) fn unknown(tokenizer: &Tokenizer) -> Option<u32> {
    match tokenizer.get_model() {
        ModelWrapper::Unigram(_) => tokenizer.token_to_id("<unk>").or_else(|| tokenizer.token_to_id("[UNK]")),
        ModelWrapper::WordPiece(model) => tokenizer.token_to_id(&model.unk_token),
        ModelWrapper::WordLevel(model) => tokenizer.token_to_id(&model.unk_token),
        ModelWrapper::BPE(model) => model.unk_token.as_ref().and_then(|token| tokenizer.token_to_id(token)),
    }
}

/// Cuts text as a base does.
struct Cutter<'a> {
    tokenizer: &'a Tokenizer,
    kind: Kind,
    unknown: Option<u32>,
}

impl Cutter<'_> {
    /// The base's tokens of a text, those for unknown characters left out.
    fn cut(&self, surface: &Surface) -> Result<Vec<u32>> {
        if surface.text.is_empty() {
            return Ok(Vec::new());
        }
        let before = if surface.initial { " " } else { "" };
        let pieces = pieces(self.tokenizer, &format!("{before}{}", surface.text))?;
        let mut rows = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            let within = at == 0 && !surface.initial;
            match &self.kind {
                Kind::Continued(prefix) if within && piece.starts_with(char::is_alphanumeric) => {
                    self.continuing(piece, prefix, &mut rows);
                }
                Kind::Bytes if within => self.model(piece.strip_prefix(BYTE_BLANK).unwrap_or(piece), &mut rows)?,
                Kind::Blanks if within => self.model(piece.strip_prefix(BLANK).unwrap_or(piece), &mut rows)?,
                _ => self.model(piece, &mut rows)?,
            }
        }
        Ok(rows)
    }

    fn model(&self, piece: &str, rows: &mut Vec<u32>) -> Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        let tokens = self.tokenizer.get_model().tokenize(piece).map_err(refused)?;
        rows.extend(tokens.into_iter().map(|token| token.id).filter(|id| Some(*id) != self.unknown));
        Ok(())
    }

    /// The longest pieces that continue a word, from left to right, as `WordPiece` goes on after the first.
    fn continuing(&self, text: &str, prefix: &str, rows: &mut Vec<u32>) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let mut ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let found =
                ends.find_map(|end| Some((end, self.tokenizer.token_to_id(&format!("{prefix}{}", &rest[..end]))?)));
            // What the base cannot continue a word with says nothing.
            let end = found.map_or(first.len_utf8(), |(end, _)| end);
            rows.extend(found.map(|(_, id)| id));
            rest = &rest[end..];
        }
    }
}

/// A text as a tokenizer's model gets it: normalised and cut into words.
pub(super) fn pieces(tokenizer: &Tokenizer, text: &str) -> Result<Vec<String>> {
    let mut normalized = NormalizedString::from(text);
    if let Some(normalizer) = tokenizer.get_normalizer() {
        normalizer.normalize(&mut normalized).map_err(refused)?;
    }
    let mut words = PreTokenizedString::from(normalized);
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut words).map_err(refused)?;
    }
    let splits = words.get_splits(OffsetReferential::Normalized, OffsetType::None);
    Ok(splits.into_iter().map(|(piece, ..)| piece.to_owned()).collect())
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
pub(super) fn refused(error: tokenizers::Error) -> Error {
    Error::Library { doing: "cutting a token with the base's tokenizer", problem: error.to_string() }
}

#[cfg(test)]
mod tests;
