//! A workspace on disk: layout, configuration, versioned artifacts, lineage, cache.
//!
//! A workspace is a folder with `lapidary.toml` in it. Artifacts are never overwritten: the next one
//! gets the next version, and none is visible before it is complete. `cache/` may be deleted at any time.

mod artifact;
mod cache;
mod config;
mod digest;
mod write;

pub use artifact::{Artifact, ArtifactId, FileRecord, Input, Kind, Manifest, Staged, verify_files};
pub use cache::Cache;
pub use config::{Config, SCHEMA, Source};
pub use digest::{Digest, Hasher, digest_bytes, digest_file, short_id};
pub use write::{append_line, write_atomic, write_json_atomic};

use std::path::{Path, PathBuf};

/// The file that makes a folder a workspace.
pub const CONFIG_FILE: &str = "lapidary.toml";

/// What can go wrong with a workspace.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or writing failed.
    #[error("{doing} {}: {source}{}", path.display(), remedy(source))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with the line where there is one, and the remedy.
        problem: String,
    },
    /// No workspace here or above.
    #[error(
        "no {CONFIG_FILE} in {} or above it: name a workspace with --workspace DIR, or make one with `lapidary init DIR --corpus PATH`",
        .0.display()
    )]
    NotFound(PathBuf),
    /// `init` into a workspace.
    #[error("{} is a workspace already: choose another folder, or `lapidary corpus refresh` to read its documents again", .0.display())]
    Exists(PathBuf),
    /// Written by a newer lapidary.
    #[error("{} has schema {found}, this lapidary knows up to {SCHEMA}: use the lapidary that wrote it, or a newer one", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// No such artifact.
    #[error("no {kind} {wanted:?} in this workspace; there is: {present}. {remedy}")]
    NoArtifact {
        /// The kind.
        kind: Kind,
        /// What was asked for.
        wanted: String,
        /// What exists.
        present: String,
        /// How to make one.
        remedy: &'static str,
    },
    /// A name that cannot be an artifact's.
    #[error(
        "{0:?} is no name for an artifact: use letters, digits, `-`, `_` and `.`, beginning with a letter or digit"
    )]
    BadName(String),
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ": the disk is full; free some space (`cache/` in the workspace may be deleted at any time), then resume"
        }
        std::io::ErrorKind::PermissionDenied => ": check who owns it and its permissions",
        _ => "",
    }
}

impl Error {
    /// An I/O error, told with what was being done to which file.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// A malformed file.
    pub fn malformed(path: impl Into<PathBuf>, problem: impl std::fmt::Display) -> Self {
        Self::Malformed { path: path.into(), problem: problem.to_string() }
    }
}

/// The result of working on a workspace.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An open workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    config: Config,
}

impl Workspace {
    /// Makes `root` a workspace; it may exist, but not as one.
    pub fn create(root: &Path, config: &Config) -> Result<Self> {
        let file = root.join(CONFIG_FILE);
        if file.exists() {
            return Err(Error::Exists(root.to_owned()));
        }
        std::fs::create_dir_all(root).map_err(Error::io("making", root))?;
        write_atomic(&file, config.to_toml().as_bytes())?;
        Self::open(root)
    }

    /// Opens the workspace in `root`.
    pub fn open(root: &Path) -> Result<Self> {
        let file = root.join(CONFIG_FILE);
        if !file.is_file() {
            return Err(Error::NotFound(root.to_owned()));
        }
        let config = Config::read(&file)?;
        let root = std::path::absolute(root).map_err(Error::io("finding", root))?;
        Ok(Self { root, config })
    }

    /// Opens the nearest workspace at `from` or above it.
    pub fn find(from: &Path) -> Result<Self> {
        let absolute = std::path::absolute(from).map_err(Error::io("finding", from))?;
        let root = absolute.ancestors().find(|folder| folder.join(CONFIG_FILE).is_file());
        root.map_or_else(|| Err(Error::NotFound(absolute.clone())), Self::open)
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The folder of the runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The disposable cache.
    pub fn cache(&self) -> Cache {
        Cache::new(self.root.join("cache"))
    }
}
