//! Which bytes of a text each token stands for.
//!
//! The library's offsets are fine to a character only: two byte-level tokens that share one both claim all of it, and its
//! post-processors trim blanks off. Here the pipeline is run stage by stage, and the bytes that reach the model are laid
//! beside the original ones. It must never claim a byte twice, nor hide that normalisation changed a text.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::ops::Range;

use tokenizers::normalizer::Range as Of;
use tokenizers::pre_tokenizer::OffsetType;
use tokenizers::{
    Model, NormalizedString, NormalizerWrapper, OffsetReferential, PreTokenizer, PreTokenizerWrapper, Tokenizer,
};
use unicode_segmentation::UnicodeSegmentation;

use super::byte_alphabet::byte_of;
use super::{Error, Result};

/// A token and what it covers of the text it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSpan {
    /// Its id in the vocabulary.
    pub id: u32,
    /// The piece as the vocabulary writes it: `##osi`, `Ġde`, `▁the`.
    pub piece: String,
    /// The bytes of the original text that it covers, which need not be whole characters; empty where it covers none
    /// (a prefix space), or where an earlier token holds the character that both were made from.
    pub range: Range<usize>,
    /// The bytes that the piece stands for: of byte-level pieces the bytes themselves, of others their text without the
    /// continuation mark and with blanks for `▁`. They may be part of a character.
    pub bytes: Vec<u8>,
    /// Whether the text it covers was changed before the model saw it: composed, put in lower case, accents stripped.
    /// The range is then as fine as the changed characters allow.
    pub normalized: bool,
}

/// The tokens of a text, in order; their ranges ascend and never overlap, and bytes between them are covered by none
/// (blanks that a BERT pipeline drops). There are as many as [`Counter`](super::Counter) counts: no `[CLS]`, no `[SEP]`,
/// no truncation, no padding.
///
/// Time and memory follow the length of the text. To show part of a long text, split only that part, cut by
/// [`window`](super::window).
pub fn token_spans(tokenizer: &Tokenizer, text: &str) -> Result<Vec<TokenSpan>> {
    let failed = |error: tokenizers::Error| Error::Library { doing: "splitting a text", problem: error.to_string() };
    let byte_level = is_byte_level(tokenizer);
    let mut splits = tokenizer.get_added_vocabulary().extract_and_normalize(tokenizer.get_normalizer(), text);
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut splits).map_err(failed)?;
    }
    let added: Vec<bool> = splits
        .get_splits(OffsetReferential::Original, OffsetType::Byte)
        .iter()
        .map(|(_, _, tokens)| tokens.is_some())
        .collect();
    let seen = RefCell::new(Vec::new());
    splits
        .tokenize(|normalized| {
            seen.borrow_mut().push(Units::of(normalized, byte_level));
            tokenizer.get_model().tokenize(normalized.get())
        })
        .map_err(failed)?;

    let mut seen = seen.into_inner().into_iter();
    let mut spans: Vec<TokenSpan> = Vec::new();
    let mut claims: Vec<Range<usize>> = Vec::new();
    let mut units: Vec<Unit> = Vec::new();
    for ((content, original, tokens), added) in
        splits.get_splits(OffsetReferential::Original, OffsetType::Byte).into_iter().zip(added)
    {
        let tokens = tokens.as_deref().unwrap_or_default();
        let first = units.len();
        if added {
            // A token of the added vocabulary, found in the text before any pipeline: it covers what was found.
            let found = text.as_bytes().get(original.0..original.1).unwrap_or_default();
            units.extend((original.0..).zip(found).map(|(at, byte)| Unit { byte: *byte, from: at, to: at + 1 }));
            for token in tokens {
                claims.push(first..units.len());
                spans.push(TokenSpan {
                    id: token.id,
                    piece: token.value.clone(),
                    range: 0..0,
                    bytes: token.value.clone().into_bytes(),
                    normalized: content.as_bytes() != found,
                });
            }
            continue;
        }
        // One for each split that had no tokens, in their order; none is left over.
        let Some(mine) = seen.next() else { break };
        let mut at = 0;
        while at < tokens.len() {
            let offsets = tokens[at].offsets;
            let same = tokens[at..].iter().take_while(|token| token.offsets == offsets).count();
            let range = first + mine.index(offsets.0)..first + mine.index(offsets.1);
            for (nth, token) in tokens[at..at + same].iter().enumerate() {
                // Bytes instead of an unknown character all come with its offsets: one each.
                let one = same > 1 && range.len() == same;
                claims.push(if one { range.start + nth..range.start + nth + 1 } else { range.clone() });
                spans.push(TokenSpan {
                    id: token.id,
                    piece: token.value.clone(),
                    range: 0..0,
                    bytes: bytes_of(&token.value, byte_level),
                    normalized: false,
                });
            }
            at += same;
        }
        units.extend(mine.units);
    }
    let origins = origins(text, &units);
    let mut reached = 0;
    for (span, claim) in spans.iter_mut().zip(claims) {
        let mut covered: Option<Range<usize>> = None;
        for origin in origins.get(claim).unwrap_or_default() {
            span.normalized |= origin.changed;
            if let Some(range) = &origin.range {
                covered = Some(match covered {
                    Some(before) => before.start.min(range.start)..before.end.max(range.end),
                    None => range.clone(),
                });
            }
        }
        let covered = covered.unwrap_or(reached..reached);
        let start = covered.start.max(reached);
        span.range = start..covered.end.max(start);
        reached = span.range.end;
    }
    cover_dropped_marks(text, &mut spans);
    Ok(spans)
}

/// A byte as the model sees it, and where the library says it comes from: the whole of a character.
#[derive(Debug, Clone, Copy)]
struct Unit {
    byte: u8,
    from: usize,
    to: usize,
}

/// The bytes of a split.
struct Units {
    units: Vec<Unit>,
    /// Where each unit begins in the split's own text; byte-level characters stand for one byte and may take two.
    starts: Vec<usize>,
}

impl Units {
    fn of(normalized: &NormalizedString, byte_level: bool) -> Self {
        let content = normalized.get();
        let (shift, _) = normalized.offsets_original();
        let mut units = Vec::with_capacity(content.len());
        let mut starts = Vec::with_capacity(content.len());
        for (at, c) in content.char_indices() {
            let range = normalized.convert_offsets(Of::Normalized(at..at + c.len_utf8())).unwrap_or_default();
            let (from, to) = (shift + range.start, shift + range.end);
            if let Some(byte) = byte_of(c).filter(|_| byte_level) {
                units.push(Unit { byte, from, to });
                starts.push(at);
            } else {
                let mut buffer = [0; 4];
                let bytes = c.encode_utf8(&mut buffer).bytes();
                units.extend(bytes.map(|byte| Unit { byte, from, to }));
                starts.extend(at..at + c.len_utf8());
            }
        }
        Self { units, starts }
    }

    /// The unit that begins at or after a byte of the split's own text.
    fn index(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start < at)
    }
}

/// What a byte that the model sees stands for in the original text.
#[derive(Debug, Clone, Default)]
struct Origin {
    /// Nothing where it was put in.
    range: Option<Range<usize>>,
    changed: bool,
}

fn origins(text: &str, units: &[Unit]) -> Vec<Origin> {
    let mut origins = Vec::with_capacity(units.len());
    // What was made from one character stands together, also where a pre-tokenizer then cut it.
    for group in units.chunk_by(|a, b| (a.from, a.to) == (b.from, b.to)) {
        let (from, to) = (group[0].from, group[0].to);
        let original = text.as_bytes().get(from..to).unwrap_or_default();
        if original.is_empty() {
            origins.extend(group.iter().map(|_| Origin::default()));
            continue;
        }
        let bytes: Vec<u8> = group.iter().map(|unit| unit.byte).collect();
        let kept = bytes.windows(original.len()).position(|window| window == original);
        let whole = |changed| Origin { range: Some(from..to), changed };
        let byte = |nth, changed| Origin { range: Some(from + nth..from + nth + 1), changed };
        match kept {
            // Kept; what stands around it was put in (a prefix space, blanks around an ideograph).
            Some(kept) => origins.extend((0..bytes.len()).map(|at| {
                let inside = at >= kept && at < kept + original.len();
                if inside { byte(at - kept, false) } else { Origin::default() }
            })),
            None if bytes == "▁".as_bytes() && original == b" " => origins.extend(bytes.iter().map(|_| whole(false))),
            // Changed, but as long as before: byte for byte.
            None if bytes.len() == original.len() => origins.extend((0..bytes.len()).map(|nth| byte(nth, true))),
            None => origins.extend(bytes.iter().map(|_| whole(true))),
        }
    }
    origins
}

/// An accent that was composed or stripped belongs to the token that holds its letter, or the last part of it.
fn cover_dropped_marks(text: &str, spans: &mut [TokenSpan]) {
    let mut boundaries = text.grapheme_indices(true).map(|(at, grapheme)| at + grapheme.len()).peekable();
    for at in 0..spans.len() {
        let next = spans.get(at + 1).map_or(text.len(), |span| span.range.start);
        let span = &mut spans[at];
        // A token that found its character taken may still have the accent.
        if (span.range.is_empty() && !span.normalized) || span.range.end >= next {
            continue;
        }
        while boundaries.next_if(|boundary| *boundary < span.range.end).is_some() {}
        if let Some(boundary) = boundaries.peek().filter(|boundary| **boundary != span.range.end) {
            span.range.end = next.min(*boundary);
            span.normalized = true;
        }
    }
}

fn is_byte_level(tokenizer: &Tokenizer) -> bool {
    fn pre_tokenizer(wrapper: &PreTokenizerWrapper) -> bool {
        match wrapper {
            PreTokenizerWrapper::ByteLevel(_) => true,
            PreTokenizerWrapper::Sequence(sequence) => sequence.as_ref().iter().any(pre_tokenizer),
            _ => false,
        }
    }
    fn normalizer(wrapper: &NormalizerWrapper) -> bool {
        match wrapper {
            NormalizerWrapper::ByteLevel(_) => true,
            NormalizerWrapper::Sequence(sequence) => sequence.as_ref().iter().any(normalizer),
            _ => false,
        }
    }
    tokenizer.get_pre_tokenizer().is_some_and(pre_tokenizer) || tokenizer.get_normalizer().is_some_and(normalizer)
}

fn bytes_of(piece: &str, byte_level: bool) -> Vec<u8> {
    if byte_level && let Some(bytes) = piece.chars().map(byte_of).collect() {
        return bytes;
    }
    if let Some(byte) = piece.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'))
        && byte.len() == 2
        && let Ok(byte) = u8::from_str_radix(byte, 16)
    {
        return vec![byte];
    }
    piece.strip_prefix("##").filter(|rest| !rest.is_empty()).unwrap_or(piece).replace('▁', " ").into_bytes()
}
