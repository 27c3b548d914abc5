//! The tokenizer's files: `tokenizer.json`, and what transformers and older readers want beside it.

use serde_json::{Map, Value, json};

use super::{Error, Result};
use crate::tokenizer::Tokenizer;

/// The parts that special tokens play, and the names that they go by.
const ROLES: [(&str, &[&str]); 5] = [
    ("unk_token", &["[UNK]", "<unk>", "<|unk|>"]),
    ("sep_token", &["[SEP]", "</s>", "<sep>", "<|sep|>"]),
    ("pad_token", &["[PAD]", "<pad>", "<|pad|>"]),
    ("cls_token", &["[CLS]", "<s>", "<cls>", "<|cls|>"]),
    ("mask_token", &["[MASK]", "<mask>", "<|mask|>"]),
];

/// The files by name. `pad_id` is what the model's configuration calls padding, for a vocabulary whose padding goes by
/// no usual name.
pub(super) fn tokenizer_files(
    tokenizer: &Tokenizer,
    max_length: usize,
    pad_id: u32,
) -> Result<Vec<(&'static str, String)>> {
    let mut bare = tokenizer.clone();
    bare.with_truncation(None).map_err(|error| Error::Tokenizer(error.to_string()))?;
    bare.with_padding(None);
    let text = bare.to_string(false).map_err(|error| Error::Tokenizer(error.to_string()))?;
    let parts: Value = serde_json::from_str(&text).map_err(|error| Error::Tokenizer(error.to_string()))?;

    let special = special_tokens(&bare, pad_id);
    let mut config = special.clone();
    config.insert("model_max_length".to_owned(), max_length.into());
    config.insert("clean_up_tokenization_spaces".to_owned(), false.into());
    let is_bert = is_bert(&parts);
    if is_bert {
        // transformers builds its own normalizer for this class from these: they must say what ours does.
        let normalizer = &parts["normalizer"];
        config.insert("tokenizer_class".to_owned(), "BertTokenizer".into());
        config.insert("do_lower_case".to_owned(), normalizer["lowercase"].clone());
        config.insert("strip_accents".to_owned(), normalizer["strip_accents"].clone());
        config.insert("tokenize_chinese_chars".to_owned(), normalizer["handle_chinese_chars"].clone());
    } else {
        // The class that takes tokenizer.json as it is.
        config.insert("tokenizer_class".to_owned(), "PreTrainedTokenizerFast".into());
        // BERT's second segment is never used here, but its embedding is added to every token.
        config.insert("model_input_names".to_owned(), json!(["input_ids", "token_type_ids", "attention_mask"]));
    }
    let mut files = vec![
        ("tokenizer.json", text),
        ("tokenizer_config.json", pretty(&Value::Object(config))),
        ("special_tokens_map.json", pretty(&Value::Object(special))),
    ];
    files.extend(is_bert.then(|| vocabulary(&bare)).flatten().map(|list| ("vocab.txt", list)));
    Ok(files)
}

/// Whether it is the `WordPiece` tokenizer of BERT, all of it.
fn is_bert(parts: &Value) -> bool {
    parts["model"]["type"] == "WordPiece"
        && parts["model"]["continuing_subword_prefix"] == "##"
        && parts["normalizer"]["type"] == "BertNormalizer"
        && parts["pre_tokenizer"]["type"] == "BertPreTokenizer"
}

fn special_tokens(tokenizer: &Tokenizer, pad_id: u32) -> Map<String, Value> {
    let found = ROLES.iter().filter_map(|(role, names)| {
        let known = names.iter().find(|name| tokenizer.token_to_id(name).is_some()).map(|&name| name.to_owned());
        let token = known.or_else(|| if *role == "pad_token" { tokenizer.id_to_token(pad_id) } else { None });
        Some(((*role).to_owned(), Value::from(token?)))
    });
    found.collect()
}

/// A token a line, in the order of their ids; `None` where an id has no token.
fn vocabulary(tokenizer: &Tokenizer) -> Option<String> {
    let size = tokenizer.get_vocab_size(true) as u32;
    let tokens = (0..size).map(|id| tokenizer.id_to_token(id).map(|token| token + "\n"));
    tokens.collect()
}

fn pretty(value: &Value) -> String {
    // `{:#}` of a JSON value is its indented text.
    format!("{value:#}\n")
}
