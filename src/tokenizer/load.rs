//! Loading a `tokenizer.json`.

use std::path::Path;

use super::{Error, Result, Tokenizer};

/// The tokenizer of a folder that holds a `tokenizer.json`, or of such a file. Truncation and padding are off: whoever
/// wants them says so.
pub fn load(path: &Path) -> Result<Tokenizer> {
    let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
    let malformed = |problem: String| Error::Malformed { path: file.clone(), problem };
    if !file.is_file() {
        return Err(malformed("no such file: name a tokenizer.json, or a folder that holds one".to_owned()));
    }
    let bytes = std::fs::read(&file).map_err(|error| malformed(error.to_string()))?;
    let mut tokenizer = Tokenizer::from_bytes(bytes)
        .map_err(|error| malformed(format!("no tokenizer that this version reads: {error}")))?;
    tokenizer.with_truncation(None).map_err(|error| malformed(error.to_string()))?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}
