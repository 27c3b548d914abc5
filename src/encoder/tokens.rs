//! The token ids of many texts under a tokenizer: made once, kept in the workspace's cache by content.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Encoder, Error, Result, Role};
use crate::workspace::{Digest, Hasher, Workspace, digest_bytes};

const SHELF: &str = "tokens";
/// What wrote an entry: another version may cut texts elsewhere, or keep them otherwise.
const VERSION: &str = concat!("1 ", env!("CARGO_PKG_VERSION"));
/// Characters of the digest that an entry begins with.
const DIGEST: usize = 64;

/// Tokenizes through the cache of a workspace.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a> {
    /// Whose cache.
    pub workspace: &'a Workspace,
}

impl Tokens<'_> {
    /// Token ids of each text, as [`Encoder::tokenize`] makes them; texts that are the same share theirs. The same texts
    /// under the same tokenizer are read from the cache; an entry that is damaged is made anew.
    pub fn of(&self, encoder: &Encoder, texts: &[&str], role: Role) -> Result<Vec<Arc<[u32]>>> {
        let (mut places, mut unique) = (HashMap::new(), Vec::new());
        let which: Vec<usize> = texts
            .iter()
            .map(|&text| {
                *places.entry(text).or_insert_with(|| {
                    unique.push(text);
                    unique.len() - 1
                })
            })
            .collect();
        let key = key(encoder, &unique, role)?;
        let cache = self.workspace.cache();
        let kept = cache.get(SHELF, &key)?.and_then(|bytes| decode(&bytes, unique.len()));
        let ids = if let Some(ids) = kept {
            ids
        } else {
            let ids: Vec<Arc<[u32]>> = encoder.tokenize(&unique, role)?.into_iter().map(Arc::from).collect();
            cache.put(SHELF, &key, &encode(&ids))?;
            ids
        };
        Ok(which.into_iter().map(|at| Arc::clone(&ids[at])).collect())
    }
}

/// Everything that decides the ids: the tokenizer with its greatest length, what is put before texts, the texts.
fn key(encoder: &Encoder, texts: &[&str], role: Role) -> Result<Digest> {
    let tokenizer = encoder.tokenizer().to_string(false).map_err(|error| Error::Tokenizing(error.to_string()))?;
    let start = Hasher::default()
        .part(VERSION)
        .part(tokenizer)
        .part(encoder.max_length().to_le_bytes())
        .part(encoder.prompts().of(role));
    Ok(texts.iter().fold(start, Hasher::part).finish())
}

/// The digest of what follows it; the bytes of an id; the length of each text; the ids, end to end.
fn encode(ids: &[Arc<[u32]>]) -> Vec<u8> {
    let wide = ids.iter().any(|text| text.iter().any(|id| *id > u32::from(u16::MAX)));
    let width = if wide { size_of::<u32>() } else { size_of::<u16>() };
    let mut bytes = vec![0; DIGEST];
    bytes.push(width as u8);
    bytes.extend(ids.iter().flat_map(|text| (text.len() as u32).to_le_bytes()));
    for id in ids.iter().flat_map(|text| text.iter()) {
        bytes.extend_from_slice(&id.to_le_bytes()[..width]);
    }
    let digest = digest_bytes(&bytes[DIGEST..]);
    bytes[..DIGEST].copy_from_slice(digest.as_str().as_bytes());
    bytes
}

/// The ids of so many texts; `None` where the bytes are not what was written.
fn decode(bytes: &[u8], texts: usize) -> Option<Vec<Arc<[u32]>>> {
    let (digest, content) = bytes.split_at_checked(DIGEST)?;
    if digest_bytes(content).as_str().as_bytes() != digest {
        return None;
    }
    let (&width, rest) = content.split_first()?;
    let width = usize::from(width);
    let (lengths, mut ids) = rest.split_at_checked(texts * size_of::<u32>())?;
    // The lowest byte comes first, whatever the width.
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    lengths
        .chunks_exact(size_of::<u32>())
        .map(|length| {
            let (text, later) = ids.split_at_checked(number(length) as usize * width)?;
            ids = later;
            Some(text.chunks_exact(width).map(number).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;

    use super::*;
    use crate::workspace::{Config, Source};

    const TEXTS: [&str; 4] = ["the purge drum vents", "valve", "the purge drum vents", "what opens the solenoid"];

    fn encoder(max_length: usize) -> Encoder {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/base-encoder");
        let mut encoder = Encoder::load(&folder, &Device::Cpu).unwrap();
        encoder.set_max_length(max_length).unwrap();
        encoder
    }

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new("test", Source::Corpus(Vec::new()));
        let workspace = Workspace::create(folder.path(), &config).unwrap();
        (folder, workspace)
    }

    fn entries(workspace: &Workspace) -> Vec<std::path::PathBuf> {
        let shelf = std::fs::read_dir(workspace.root().join("cache").join(SHELF)).unwrap();
        shelf.map(|entry| entry.unwrap().path()).collect()
    }

    fn plain(ids: &[Arc<[u32]>]) -> Vec<Vec<u32>> {
        ids.iter().map(|text| text.to_vec()).collect()
    }

    #[test]
    fn what_was_tokenized_is_read() {
        let (_folder, workspace) = workspace();
        let (tokens, encoder) = (Tokens { workspace: &workspace }, encoder(32));
        let made = tokens.of(&encoder, &TEXTS, Role::Passage).unwrap();
        assert_eq!(plain(&made), encoder.tokenize(&TEXTS, Role::Passage).unwrap());
        assert!(Arc::ptr_eq(&made[0], &made[2]), "one text, one list of ids");
        let [entry] = entries(&workspace).try_into().unwrap();
        // Only an entry that is read can hold these.
        let others: Vec<Arc<[u32]>> = vec![[9, 8].into(), [70_000].into(), [].into()];
        std::fs::write(&entry, encode(&others)).unwrap();
        let read = tokens.of(&encoder, &TEXTS, Role::Passage).unwrap();
        assert_eq!(plain(&read), [vec![9, 8], vec![70_000], vec![9, 8], vec![]]);
    }

    #[test]
    fn another_length_text_or_tokenizer_is_another_entry() {
        let (_folder, workspace) = workspace();
        let tokens = Tokens { workspace: &workspace };
        tokens.of(&encoder(32), &TEXTS, Role::Passage).unwrap();
        let short = tokens.of(&encoder(4), &TEXTS, Role::Passage).unwrap();
        assert!(short.iter().all(|text| text.len() <= 4));
        tokens.of(&encoder(32), &TEXTS[..2], Role::Passage).unwrap();
        let mut tokenizer = encoder(32).tokenizer().clone();
        tokenizer.add_tokens([tokenizers::AddedToken::from("valve", false)]).unwrap();
        let mut other = Encoder::random(encoder(32).config().clone(), tokenizer, 1, &Device::Cpu).unwrap();
        other.set_max_length(32).unwrap();
        let found = tokens.of(&other, &TEXTS, Role::Passage).unwrap();
        assert_eq!(plain(&found), other.tokenize(&TEXTS, Role::Passage).unwrap());
        assert_eq!(entries(&workspace).len(), 4);
    }

    #[test]
    fn a_damaged_entry_is_made_anew() {
        let (_folder, workspace) = workspace();
        let (tokens, encoder) = (Tokens { workspace: &workspace }, encoder(32));
        let made = tokens.of(&encoder, &TEXTS, Role::Query).unwrap();
        let [entry] = entries(&workspace).try_into().unwrap();
        let whole = std::fs::read(&entry).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for damaged in [&whole[..whole.len() - 1], &whole[..10], &[], &flipped] {
            std::fs::write(&entry, damaged).unwrap();
            assert_eq!(tokens.of(&encoder, &TEXTS, Role::Query).unwrap(), made);
            assert_eq!(std::fs::read(&entry).unwrap(), whole, "what is damaged is replaced");
        }
    }
}
