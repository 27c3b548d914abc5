//! Where a text can be cut so that the parts have the tokens of the whole.
//!
//! Most pipelines never look across white space: the words of a text can then be counted one by one, and each distinct
//! one only once. Whether a pipeline is of that kind is read off its configuration, against a list of what is known;
//! anything else is encoded in full. Each entry of the list has its reason beside it.

use std::borrow::Cow;

use serde_json::Value;

use super::Tokenizer;

/// A class of characters.
type Is = fn(char) -> bool;

/// How a pipeline may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Boundary {
    /// Before a run of white space that holds a space or a line feed.
    ///
    /// The run stays whole, with the word behind it: GPT-2's pattern treats the last blank before a word apart from those
    /// before it. Other blanks alone are no boundary: BERT's cleaning removes some of them (vertical tab, next line),
    /// and what stood on their two sides becomes one word.
    WhiteSpace,
    /// Before a run of white space whose first character is a space: a part that begins otherwise would be given a
    /// prefix space of its own.
    WhiteSpaceBySpace,
    /// Before a run of spaces: a Metaspace pipeline knows no other blank.
    Space,
}

/// How a part may be cut further where it is printable ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finer {
    /// Not at all.
    No,
    /// BERT: each punctuation mark stands alone; letters and digits stay together.
    Bert,
    /// GPT-2's pattern: runs of letters, of digits, of anything else; but not where an apostrophe may begin a contraction.
    Gpt2,
}

/// What is known of a pipeline.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) boundary: Boundary,
    pub(super) finer: Finer,
    /// Whether ASCII letters reach the model in lower case.
    pub(super) lower: bool,
    /// First characters of added tokens: a part that holds one is never cut further.
    pub(super) triggers: Vec<char>,
}

impl Pipeline {
    /// What is known of a tokenizer's pipeline; `None`: encode in full.
    pub(super) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let json = serde_json::to_value(tokenizer).ok()?;
        let plain_normalizer = normalizer_is_local(&json["normalizer"])?;
        let (boundary, finer) = boundary_of(&json["pre_tokenizer"])?;
        if json["model"]["dropout"].as_f64().is_some_and(|rate| rate > 0.0) {
            return None; // the count itself is random
        }
        let mut triggers = Vec::new();
        for token in json["added_tokens"].as_array()? {
            let content = token["content"].as_str()?;
            // A token with white space in it could stand across a cut. One that swallows blanks beside it changes what is
            // left of the run; only where blanks are no tokens does that not matter.
            let swallows = token["lstrip"] == true || token["rstrip"] == true;
            if content.chars().any(char::is_whitespace) || (swallows && finer != Finer::Bert) {
                return None;
            }
            let first = content.chars().next()?;
            triggers.extend(first.to_lowercase().chain(first.to_uppercase()).chain([first]));
        }
        let finer = if plain_normalizer { finer } else { Finer::No };
        Some(Self { boundary, finer, lower: lowers(&json["normalizer"]), triggers })
    }

    /// The part without the blanks before it, where these become no tokens.
    pub(super) fn without_blanks<'t>(&self, part: &'t str) -> &'t str {
        if self.finer == Finer::Bert { part.trim_start_matches(BLANKS) } else { part }
    }

    /// What the model is given for one of [`finer_parts`]' results; `None`: more than one piece.
    pub(super) fn piece<'t>(&self, part: &'t str) -> Option<Cow<'t, str>> {
        let word = part.trim_start_matches(BLANKS);
        // Printable ASCII stands for itself in byte-level vocabularies; a space is written Ġ.
        let word = match (self.finer, part.len() - word.len()) {
            (Finer::No, _) => return None,
            (Finer::Bert, _) | (Finer::Gpt2, 0) => Cow::Borrowed(word),
            (Finer::Gpt2, 1) if part.starts_with(' ') => Cow::Owned(format!("Ġ{word}")),
            (Finer::Gpt2, _) => return None,
        };
        let upper = self.lower && word.bytes().any(|byte| byte.is_ascii_uppercase());
        Some(if upper { Cow::Owned(word.to_ascii_lowercase()) } else { word })
    }

    /// The end of the part that begins at `start`: the next boundary, or the end of the text.
    pub(super) fn next_cut(&self, text: &str, start: usize) -> usize {
        let (blank, separates): (Is, Is) = match self.boundary {
            Boundary::WhiteSpace => (char::is_whitespace, |c| matches!(c, ' ' | '\n')),
            Boundary::WhiteSpaceBySpace => (char::is_whitespace, |c| c == ' '),
            Boundary::Space => (|c| c == ' ', |c| c == ' '),
        };
        let mut run: Option<usize> = None;
        // A run of blanks at the start belongs to the first word; a boundary needs something before it.
        let mut something = false;
        let mut safe = false;
        for (at, c) in text[start..].char_indices() {
            if blank(c) {
                if something {
                    let begun = *run.get_or_insert(start + at);
                    let first = begun == start + at || self.boundary != Boundary::WhiteSpaceBySpace;
                    if separates(c) && safe && first {
                        return begun;
                    }
                }
            } else {
                run = None;
                something = true;
                safe = may_stand_before_a_cut(c);
            }
        }
        text.len()
    }
}

/// The blanks that separate words for every pipeline that is cut finer.
const BLANKS: [char; 2] = [' ', '\n'];

fn lowers(normalizer: &Value) -> bool {
    match normalizer["type"].as_str() {
        Some("Lowercase") => true,
        Some("BertNormalizer") => normalizer["lowercase"] != false,
        Some("Sequence") => normalizer["normalizers"].as_array().is_some_and(|parts| parts.iter().any(lowers)),
        _ => false,
    }
}

/// Some scripts have signs that join with a blank behind them to one grapheme, which a normalizer may map as a whole.
fn may_stand_before_a_cut(c: char) -> bool {
    matches!(u32::from(c), 0..0x600 | 0x2000..0x1_1000)
}

/// `None` where a normalizer may look across blanks; `Some(false)` where it leaves them alone but may rewrite ASCII.
fn normalizer_is_local(normalizer: &Value) -> Option<bool> {
    match normalizer["type"].as_str() {
        None if normalizer.is_null() => Some(true),
        // Character by character: cleaning, spaces around Chinese characters, lower-casing; accents by decomposition.
        Some("BertNormalizer" | "Lowercase" | "StripAccents") => Some(true),
        // A blank takes part in no composition and stops reordering.
        Some("NFC" | "NFD" | "NFKC" | "NFKD") => Some(true),
        // Grapheme by grapheme, by a table of its own.
        Some("Precompiled") => Some(false),
        Some("Sequence") => {
            let parts = normalizer["normalizers"].as_array()?.iter().map(normalizer_is_local);
            parts.collect::<Option<Vec<bool>>>().map(|plain| plain.into_iter().all(|plain| plain))
        }
        // Strip looks at the ends of the text, Replace and Prepend at anything.
        _ => None,
    }
}

fn boundary_of(pre_tokenizer: &Value) -> Option<(Boundary, Finer)> {
    match pre_tokenizer["type"].as_str()? {
        "BertPreTokenizer" => Some((Boundary::WhiteSpace, Finer::Bert)),
        // They drop white space, whatever else they do.
        "WhitespaceSplit" | "Whitespace" => Some((Boundary::WhiteSpace, Finer::No)),
        // With its own pattern; without it the whole text is one piece. A prefix space goes before whatever is given
        // that does not begin with a space.
        "ByteLevel" if pre_tokenizer["use_regex"] != false && pre_tokenizer["add_prefix_space"] != false => {
            Some((Boundary::WhiteSpaceBySpace, Finer::No))
        }
        "ByteLevel" if pre_tokenizer["use_regex"] != false => Some((Boundary::WhiteSpace, Finer::Gpt2)),
        "Metaspace" if pre_tokenizer["split"] != false && pre_tokenizer["replacement"] == "▁" => {
            Some((Boundary::Space, Finer::No))
        }
        "Sequence" => {
            let parts = pre_tokenizer["pretokenizers"].as_array()?;
            let (first, rest) = parts.split_first()?;
            // What comes after works within the pieces of the first; these do not care where in a text a piece stood.
            let local = |part: &Value| {
                matches!(
                    part["type"].as_str(),
                    Some("Digits" | "Punctuation" | "Metaspace" | "WhitespaceSplit" | "Whitespace")
                )
            };
            let drops_blanks =
                matches!(first["type"].as_str(), Some("BertPreTokenizer" | "WhitespaceSplit" | "Whitespace"));
            (drops_blanks && rest.iter().all(local)).then_some((Boundary::WhiteSpace, Finer::No))
        }
        _ => None,
    }
}

/// Cuts a part of printable ASCII, blanks before it included, at the pre-tokenizer's own boundaries.
/// `None`: leave it whole.
pub(super) fn finer_parts<'t>(pipeline: &Pipeline, part: &'t str) -> Option<Vec<&'t str>> {
    let word = part.trim_start_matches(BLANKS);
    if pipeline.finer == Finer::No || word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    if word.chars().any(|c| pipeline.triggers.contains(&c)) || (pipeline.finer == Finer::Gpt2 && word.contains('\'')) {
        return None;
    }
    let class = |byte: u8| match (pipeline.finer, byte) {
        (Finer::Bert, b) if b.is_ascii_alphanumeric() => 0,
        (Finer::Bert, _) => 3, // never joined to its like
        (_, b) if b.is_ascii_alphabetic() => 0,
        (_, b) if b.is_ascii_digit() => 1,
        _ => 2,
    };
    let bytes = part.as_bytes();
    let begin = part.len() - word.len();
    let mut parts = Vec::new();
    let mut start = 0;
    for at in begin + 1..bytes.len() {
        let (before, here) = (class(bytes[at - 1]), class(bytes[at]));
        if before != here || here == 3 {
            parts.push(&part[start..at]);
            start = at;
        }
    }
    parts.push(&part[start..]);
    Some(parts)
}
