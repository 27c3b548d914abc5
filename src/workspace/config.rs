//! `lapidary.toml`: where the documents are, and the settings that a workspace overrides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Result};

/// The newest layout of a workspace and of its manifests that this version reads and writes.
pub const SCHEMA: u32 = 1;

/// Where the documents come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Files and folders of documents.
    Corpus(Vec<PathBuf>),
    /// A retrieval set in BEIR's layout, with questions.
    Beir(PathBuf),
}

/// The configuration of a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Layout version.
    pub schema: u32,
    /// What the workspace is called on screen.
    pub name: String,
    /// Where its documents are.
    pub source: Source,
    /// Settings that differ from the defaults: a table per job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, toml::Table>,
}

impl Config {
    /// A configuration with default settings.
    pub fn new(name: impl Into<String>, source: Source) -> Self {
        Self { schema: SCHEMA, name: name.into(), source, settings: BTreeMap::new() }
    }

    /// What the workspace overrides for a job.
    pub fn overrides(&self, job: &str) -> Option<&toml::Table> {
        self.settings.get(job)
    }

    pub(super) fn read(file: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let text = std::fs::read_to_string(file).map_err(Error::io("reading", file))?;
        // The version first: a newer file may hold fields that this version would call unknown.
        let version: Version = toml::from_str(&text).map_err(|error| Error::malformed(file, error))?;
        if version.schema > SCHEMA {
            return Err(Error::Newer { path: file.to_owned(), found: version.schema });
        }
        toml::from_str(&text).map_err(|error| Error::malformed(file, error))
    }

    pub(super) fn to_toml(&self) -> String {
        let body = toml::to_string_pretty(self).unwrap_or_default();
        format!(
            "# A lapidary workspace. `[settings.tune]` and its like override a job's defaults: `epochs = 5`.\n\n{body}"
        )
    }
}
