//! Leaving lapidary: sentence-transformers folders with a model card, and vectors for an index.
//!
//! What is written here is read by others, so the formats are theirs, to the letter; nothing of lapidary's own has to
//! be installed to use it.

mod card;
mod sentence_transformers;
mod tokenizer_files;
mod vectors;

pub use card::Card;
pub use sentence_transformers::{Dense, FolderContents, write_sentence_transformers};
pub use vectors::{write_vectors, write_vectors_with_texts};

use std::path::{Path, PathBuf};

/// What can go wrong with an export.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be written or read.
    #[error(transparent)]
    Workspace(#[from] crate::workspace::Error),
    /// Weights could not be brought into their format.
    #[error("writing {}: {problem}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// The tokenizer could not be written down.
    #[error("writing the tokenizer: {0}")]
    Tokenizer(String),
    /// Tensors could not be read from the device.
    #[error("reading the model's parameters: {0}")]
    Compute(#[from] candle_core::Error),
    /// Vectors for a file whose name says no format.
    #[error("{}: cannot tell the format of the vectors; name a file that ends in .npy or .parquet", .0.display())]
    UnknownFormat(PathBuf),
    /// Vectors could not be brought into their format.
    #[error("writing {}: {problem}", path.display())]
    Vectors {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// As many ids as vectors are needed.
    #[error("{ids} ids for {rows} vectors")]
    Count {
        /// Ids, or texts.
        ids: usize,
        /// Vectors.
        rows: usize,
    },
}

/// The result of an export.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The files of a folder and of those in it, sorted, by their path from it with `/` between parts.
pub fn list_files(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    walk(folder, "", &mut files)?;
    files.sort_unstable();
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Result<()> {
    let failed = || crate::workspace::Error::io("reading", folder);
    for entry in std::fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push(name);
        }
    }
    Ok(())
}
