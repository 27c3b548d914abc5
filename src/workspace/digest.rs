//! SHA-256 of content: what an artifact is, whatever it is called.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Error, Result};

/// A SHA-256, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hashes several parts, each marked off from the next.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Adds a part: `ab` + `c` differs from `a` + `bc`.
    #[must_use]
    pub fn part(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The digest of all parts.
    pub fn finish(self) -> Digest {
        Digest(hex(&self.0.finalize()))
    }
}

/// The digest of bytes.
pub fn digest_bytes(bytes: impl AsRef<[u8]>) -> Digest {
    Digest(hex(&Sha256::digest(bytes)))
}

/// The digest of a file, read in pieces.
pub fn digest_file(path: &Path) -> Result<Digest> {
    let mut file = File::open(path).map_err(Error::io("reading", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(Error::io("reading", path))? {
            0 => return Ok(Digest(hex(&hasher.finalize()))),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// A short id from content: the first 16 digits, 64 bits.
pub fn short_id(parts: &[&str]) -> String {
    let mut id = parts.iter().fold(Hasher::default(), Hasher::part).finish().0;
    id.truncate(16);
    id
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)] as char, DIGITS[usize::from(byte & 15)] as char])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_sha256() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest_bytes("").as_str(), empty);
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(short_id(&["ab", "c"]), short_id(&["a", "bc"]));
    }
}
