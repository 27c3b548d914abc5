//! What may be computed again: embeddings, token ids, by content hash.

use std::path::PathBuf;

use super::{Digest, Error, Result, write_atomic};

/// The disposable cache of a workspace.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// A cache in a folder, which need not exist.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// What was stored for a key, if it is still there.
    pub fn get(&self, shelf: &str, key: &Digest) -> Result<Option<Vec<u8>>> {
        let path = self.path(shelf, key);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("reading", path)(error)),
        }
    }

    /// Stores bytes for a key.
    pub fn put(&self, shelf: &str, key: &Digest, bytes: &[u8]) -> Result<()> {
        write_atomic(&self.path(shelf, key), bytes)
    }

    fn path(&self, shelf: &str, key: &Digest) -> PathBuf {
        self.root.join(shelf).join(key.as_str())
    }
}
