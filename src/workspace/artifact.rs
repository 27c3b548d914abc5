//! Versioned artifacts and their manifests.
//!
//! A version is built in a staging folder that no listing shows, and becomes visible by one rename
//! after every file in it is on disk. Two jobs that finish the same name at once get two versions.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::write::sync_folder;
use super::{Digest, Error, Hasher, Result, SCHEMA, Workspace, digest_file, write_json_atomic};

const MANIFEST: &str = "manifest.json";

/// The kinds of artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Documents and passages.
    Corpus,
    /// A tokenizer.
    Tokenizer,
    /// Training pairs.
    Pairs,
    /// Test questions with their relevance judgements.
    Questions,
    /// An embedding model: a sentence-transformers folder.
    Model,
    /// What models scored.
    Evaluation,
}

impl Kind {
    const fn folder(self) -> &'static str {
        match self {
            Self::Corpus => "corpus",
            Self::Tokenizer => "tokenizers",
            Self::Pairs => "pairs",
            Self::Questions => "questions",
            Self::Model => "models",
            Self::Evaluation => "evaluations",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Corpus => "Read the documents with `lapidary corpus refresh`.",
            Self::Tokenizer => "Train one with `lapidary tokenizer train`.",
            Self::Pairs => "Make some with `lapidary pairs structural` or `lapidary pairs import FILE`.",
            Self::Questions => "A BEIR folder brings test questions; `lapidary pairs structural` makes synthetic ones.",
            Self::Model => "Train one with `lapidary tune`.",
            Self::Evaluation => "Make one with `lapidary evaluate`.",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Corpus => "corpus",
            Self::Tokenizer => "tokenizer",
            Self::Pairs => "pairs",
            Self::Questions => "questions",
            Self::Model => "model",
            Self::Evaluation => "evaluation",
        })
    }
}

/// Which artifact: kind, name and version. Shown as `name@v3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArtifactId {
    /// The kind.
    pub kind: Kind,
    /// The name; a corpus has none of its own and is called `corpus`.
    pub name: String,
    /// The version, from 1.
    pub version: u32,
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@v{}", self.name, self.version)
    }
}

/// An artifact that another was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What part it played: `corpus`, `base`, `pairs`.
    pub role: String,
    /// The artifact (`cold@v2`) or the folder it came from.
    pub reference: String,
    /// The digest of its content.
    pub sha256: Digest,
}

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The digest of its content.
    pub sha256: Digest,
    /// Its size.
    pub bytes: u64,
}

/// What made an artifact, from what, and what it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout version.
    pub schema: u32,
    /// The kind of artifact.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// When it was made, in milliseconds since 1970, UTC.
    pub created_unix_ms: u64,
    /// The job that made it.
    pub job: String,
    /// The job's settings, complete.
    pub settings: Value,
    /// The version of lapidary.
    pub lapidary: String,
    /// Where it was computed.
    pub device: String,
    /// What it was made from.
    pub inputs: Vec<Input>,
    /// What it measured or counted: whatever the job has to say.
    pub details: Value,
    /// How often its test questions were looked at (questions only).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub looks: u32,
    /// Its files, by path.
    pub files: BTreeMap<String, FileRecord>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Manifest {
    /// A manifest for a job; name, version and files are filled in by [`Staged::commit`].
    pub fn new(
        job: &str,
        settings: &impl Serialize,
        device: &str,
        inputs: Vec<Input>,
        details: Value,
        created_unix_ms: u64,
    ) -> Self {
        Self {
            schema: SCHEMA,
            kind: Kind::Corpus,
            name: String::new(),
            version: 0,
            created_unix_ms,
            job: job.to_owned(),
            settings: serde_json::to_value(settings).unwrap_or(Value::Null),
            lapidary: env!("CARGO_PKG_VERSION").to_owned(),
            device: device.to_owned(),
            inputs,
            details,
            looks: 0,
            files: BTreeMap::new(),
        }
    }

    /// The digest of the content: of every file's path and digest, so that a copy has the same.
    pub fn digest(&self) -> Digest {
        let parts = self.files.iter();
        parts.fold(Hasher::default(), |hasher, (path, file)| hasher.part(path).part(file.sha256.as_str())).finish()
    }

    fn read(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("reading", path))?;
        let version: Version = serde_json::from_str(&text).map_err(|error| Error::malformed(path, error))?;
        if version.schema > SCHEMA {
            return Err(Error::Newer { path: path.to_owned(), found: version.schema });
        }
        serde_json::from_str(&text).map_err(|error| Error::malformed(path, error))
    }
}

/// A complete artifact.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Which one.
    pub id: ArtifactId,
    /// Its folder.
    pub path: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Artifact {
    /// One of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// This artifact as an input of another.
    pub fn input(&self, role: &str) -> Input {
        Input { role: role.to_owned(), reference: self.id.to_string(), sha256: self.manifest.digest() }
    }

    /// Counts a look at its test questions and returns how many there were.
    pub fn count_look(&mut self) -> Result<u32> {
        self.manifest.looks += 1;
        write_json_atomic(&self.path.join(MANIFEST), &self.manifest)?;
        Ok(self.manifest.looks)
    }
}

/// An artifact under construction; dropped without [`Staged::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Staged {
    folder: tempfile::TempDir,
    parent: PathBuf,
    kind: Kind,
    name: String,
}

impl Staged {
    /// The folder to fill.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the manifest and makes the artifact visible under the next free version.
    pub fn commit(self, mut manifest: Manifest) -> Result<Artifact> {
        manifest.kind = self.kind;
        manifest.name.clone_from(&self.name);
        manifest.files = record_files(self.path())?;
        let folder = self.path().to_owned();
        let mut version = versions_in(&self.parent)?.last().map_or(1, |newest| newest + 1);
        loop {
            manifest.version = version;
            write_json_atomic(&folder.join(MANIFEST), &manifest)?;
            let path = self.parent.join(format!("v{version}"));
            // A version is a folder that is never empty, so that a rename onto one fails, and the next is tried.
            match std::fs::rename(&folder, &path) {
                Ok(()) => {
                    let _ = self.folder.keep(); // its old name is gone: nothing is left to remove
                    sync_folder(&self.parent);
                    let id = ArtifactId { kind: self.kind, name: self.name, version };
                    return Ok(Artifact { id, path, manifest });
                }
                Err(_) if path.exists() => version += 1,
                Err(error) => return Err(Error::io("making", path)(error)),
            }
        }
    }
}

fn record_files(root: &Path) -> Result<BTreeMap<String, FileRecord>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::io("listing", &folder))? {
            let path = entry.map_err(Error::io("listing", &folder))?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = std::fs::File::open(&path).map_err(Error::io("reading", &path))?;
            file.sync_all().map_err(Error::io("writing", &path))?;
            let bytes = file.metadata().map_err(Error::io("reading", &path))?.len();
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.insert(relative, FileRecord { sha256: digest_file(&path)?, bytes });
        }
    }
    Ok(files)
}

/// Checks that an artifact's files are what its manifest says; the first that is not is named.
pub fn verify_files(artifact: &Artifact) -> Result<()> {
    for (name, record) in &artifact.manifest.files {
        let path = artifact.file(name);
        if digest_file(&path)? != record.sha256 {
            return Err(Error::malformed(
                path,
                "its content is not what its manifest says: it was changed or is damaged; make the artifact again",
            ));
        }
    }
    Ok(())
}

fn versions_in(folder: &Path) -> Result<Vec<u32>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("listing", folder)(error)),
    };
    let mut versions: Vec<u32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix('v')?.parse().ok()).collect();
    versions.sort_unstable();
    Ok(versions)
}

fn check_name(name: &str) -> Result<()> {
    let letters = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let start = name.chars().next().is_some_and(char::is_alphanumeric);
    if letters && start { Ok(()) } else { Err(Error::BadName(name.to_owned())) }
}

impl Workspace {
    fn shelf(&self, kind: Kind, name: &str) -> PathBuf {
        let folder = self.root().join(kind.folder());
        if kind == Kind::Corpus { folder } else { folder.join(name) }
    }

    /// Begins a new version of an artifact.
    pub fn stage(&self, kind: Kind, name: &str) -> Result<Staged> {
        check_name(name)?;
        let parent = self.shelf(kind, name);
        std::fs::create_dir_all(&parent).map_err(Error::io("making", &parent))?;
        let folder =
            tempfile::Builder::new().prefix(".staging-").tempdir_in(&parent).map_err(Error::io("making", &parent))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(folder.path(), open).map_err(Error::io("making", folder.path()))?;
        }
        Ok(Staged { folder, parent, kind, name: name.to_owned() })
    }

    /// The names of the artifacts of a kind.
    pub fn names(&self, kind: Kind) -> Result<Vec<String>> {
        if kind == Kind::Corpus {
            return Ok(vec!["corpus".to_owned()]);
        }
        let folder = self.root().join(kind.folder());
        let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        Ok(names)
    }

    /// Every version of every artifact of a kind, by name and version.
    pub fn list(&self, kind: Kind) -> Result<Vec<Artifact>> {
        let mut artifacts = Vec::new();
        for name in self.names(kind)? {
            for version in versions_in(&self.shelf(kind, &name))? {
                artifacts.push(self.load(kind, &name, version)?);
            }
        }
        Ok(artifacts)
    }

    /// The newest artifact of a kind, by the time it was made.
    pub fn newest(&self, kind: Kind) -> Result<Artifact> {
        let newest = self.list(kind)?.into_iter().max_by_key(|artifact| artifact.manifest.created_unix_ms);
        newest.ok_or_else(|| self.missing(kind, "newest"))
    }

    /// The artifact that a reference names: `cold` (its newest version) or `cold@v2`.
    pub fn resolve(&self, kind: Kind, reference: &str) -> Result<Artifact> {
        let (name, version) = match reference.rsplit_once("@v") {
            Some((name, version)) => (name, version.parse::<u32>().ok()),
            None => (reference, None),
        };
        check_name(name).map_err(|_| self.missing(kind, reference))?;
        let versions = versions_in(&self.shelf(kind, name))?;
        let wanted =
            if reference.contains("@v") { version.filter(|v| versions.contains(v)) } else { versions.last().copied() };
        wanted.map_or_else(|| Err(self.missing(kind, reference)), |version| self.load(kind, name, version))
    }

    fn load(&self, kind: Kind, name: &str, version: u32) -> Result<Artifact> {
        let path = self.shelf(kind, name).join(format!("v{version}"));
        let manifest = Manifest::read(&path.join(MANIFEST))?;
        Ok(Artifact { id: ArtifactId { kind, name: name.to_owned(), version }, path, manifest })
    }

    fn missing(&self, kind: Kind, wanted: &str) -> Error {
        let present: Vec<String> =
            self.list(kind).unwrap_or_default().iter().map(|artifact| artifact.id.to_string()).collect();
        let present = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
        Error::NoArtifact { kind, wanted: wanted.to_owned(), present, remedy: kind.remedy() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Config, Source};

    fn workspace(folder: &Path) -> Workspace {
        Workspace::create(folder, &Config::new("test", Source::Corpus(vec!["docs".into()]))).unwrap()
    }

    fn add(workspace: &Workspace, text: &str) -> Artifact {
        let staged = workspace.stage(Kind::Tokenizer, "cold").unwrap();
        std::fs::write(staged.path().join("tokenizer.json"), text).unwrap();
        staged.commit(Manifest::new("tokenizer", &(), "cpu", Vec::new(), Value::Null, 0)).unwrap()
    }

    #[test]
    fn versions_count_up_and_resolve() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(folder.path());
        assert_eq!(add(&workspace, "a").id.to_string(), "cold@v1");
        assert_eq!(add(&workspace, "b").id.to_string(), "cold@v2");
        assert_eq!(workspace.resolve(Kind::Tokenizer, "cold").unwrap().id.version, 2);
        assert_eq!(workspace.resolve(Kind::Tokenizer, "cold@v1").unwrap().id.version, 1);
        let error = workspace.resolve(Kind::Tokenizer, "cold@v9").unwrap_err().to_string();
        assert!(error.contains("cold@v1, cold@v2"), "{error}");
    }

    #[test]
    fn two_jobs_at_once_get_two_versions() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(folder.path());
        let texts: Vec<String> = (0..8).map(|n| n.to_string()).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| add(&workspace, text));
            }
        });
        let artifacts = workspace.list(Kind::Tokenizer).unwrap();
        assert_eq!(artifacts.iter().map(|a| a.id.version).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
        for artifact in &artifacts {
            assert_eq!(artifact.manifest.version, artifact.id.version);
            verify_files(artifact).unwrap();
        }
    }

    #[test]
    fn an_abandoned_artifact_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(folder.path());
        drop(workspace.stage(Kind::Model, "m").unwrap());
        assert_eq!(std::fs::read_dir(workspace.shelf(Kind::Model, "m")).unwrap().count(), 0);
    }

    #[test]
    fn a_newer_schema_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lapidary.toml");
        std::fs::write(&file, "schema = 99\nshape = 'unheard of'\n").unwrap();
        let error = Workspace::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("has schema 99, this lapidary knows up to 1"), "{error}");
    }
}
