//! What a model or a tokenizer is called: an artifact (`cold`, `cold@v2`), a folder, a model of the Hugging Face hub
//! (`intfloat/e5-small-v2`), or `embedded`.

use std::path::{Path, PathBuf};

use super::hub::{self, Hub, HubId, Snapshot};
use super::{Error, Result};
use crate::progress::Observer;
use crate::workspace::{Artifact, Digest, Hasher, Input, Kind, Workspace, digest_bytes, digest_file, write_atomic};

/// The base encoder that every binary carries.
const EMBEDDED: &[(&str, &[u8])] = &[
    ("1_Pooling/config.json", include_bytes!("../../assets/base-encoder/1_Pooling/config.json")),
    ("config.json", include_bytes!("../../assets/base-encoder/config.json")),
    (
        "config_sentence_transformers.json",
        include_bytes!("../../assets/base-encoder/config_sentence_transformers.json"),
    ),
    ("model.safetensors", include_bytes!("../../assets/base-encoder/model.safetensors")),
    ("modules.json", include_bytes!("../../assets/base-encoder/modules.json")),
    ("sentence_bert_config.json", include_bytes!("../../assets/base-encoder/sentence_bert_config.json")),
    ("tokenizer.json", include_bytes!("../../assets/base-encoder/tokenizer.json")),
];

const WEIGHTS: &str = "model.safetensors";

/// A model or tokenizer on disk, and what to call it in a manifest.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its folder, or its `tokenizer.json`.
    pub path: PathBuf,
    /// The name that finds it again: `cold@v2`, an absolute path, a name on the hub at a commit, `embedded`.
    pub reference: String,
    /// The digest of its content.
    pub digest: Digest,
    /// The artifact, where it is one.
    pub artifact: Option<Artifact>,
}

impl Found {
    /// It as an input of what is made from it.
    pub fn input(&self, role: &str) -> Input {
        Input { role: role.to_owned(), reference: self.reference.clone(), sha256: self.digest.clone() }
    }

    /// Its weights as another input, by their own digest, where it is a model of the hub: there they are known by it.
    pub fn weights(&self, role: &str) -> Option<Input> {
        HubId::parse(&self.reference)?;
        let sha256 = digest_file(&self.path.join(WEIGHTS)).ok()?;
        Some(Input { role: role.to_owned(), reference: format!("{}/{WEIGHTS}", self.reference), sha256 })
    }

    fn of_artifact(artifact: Artifact) -> Self {
        Self {
            path: artifact.path.clone(),
            reference: artifact.id.to_string(),
            digest: artifact.manifest.digest(),
            artifact: Some(artifact),
        }
    }
}

/// The model that a reference names. One of the hub must have been downloaded ([`download`]).
pub fn model(workspace: &Workspace, wanted: &str) -> Result<Found> {
    if wanted == "embedded" {
        return embedded(workspace);
    }
    let folder = Path::new(wanted);
    if folder.is_dir() {
        return folder_of_model(folder);
    }
    if let Some(id) = HubId::parse(wanted) {
        return of_hub(downloaded(&id)?);
    }
    match workspace.resolve(Kind::Model, wanted) {
        Ok(artifact) => Ok(Found::of_artifact(artifact)),
        Err(_) if looks_like_a_path(wanted) => Err(Error::NoModelFolder(wanted.to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// Downloads what a reference names if it is a model of the hub that is not on this machine; anything else is left alone.
pub fn download(wanted: &str, observer: &dyn Observer) -> Result<()> {
    if Path::new(wanted).exists() {
        return Ok(());
    }
    if let Some(id) = HubId::parse(wanted) {
        Hub::from_env()?.download(&id, observer)?;
    }
    Ok(())
}

fn downloaded(id: &HubId) -> Result<Snapshot> {
    Ok(Hub::from_env()?.find_without_asking(id).ok_or_else(|| hub::Error::NotDownloaded { id: id.clone() })?)
}

fn of_hub(Snapshot { path, id }: Snapshot) -> Result<Found> {
    Ok(Found { reference: id.to_string(), ..folder_of_model(&path)? })
}

/// The tokenizer that a reference names; `None`: the newest trained here, else the embedded base's.
pub fn tokenizer(workspace: &Workspace, wanted: Option<&str>) -> Result<Found> {
    let Some(wanted) = wanted else {
        return match workspace.newest(Kind::Tokenizer) {
            Ok(artifact) => Ok(Found::of_artifact(artifact)),
            Err(_) => embedded(workspace),
        };
    };
    if wanted == "embedded" {
        return embedded(workspace);
    }
    let path = Path::new(wanted);
    if path.is_dir() || path.is_file() {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        if !file.is_file() {
            return Err(Error::NoTokenizerIn(path.to_owned()));
        }
        let digest = digest_file(&file)?;
        return Ok(Found { path: file, reference: absolute(path)?, digest, artifact: None });
    }
    if let Some(id) = HubId::parse(wanted) {
        let Snapshot { path, id } = downloaded(&id)?;
        let path = path.join("tokenizer.json");
        return Ok(Found { digest: digest_file(&path)?, path, reference: id.to_string(), artifact: None });
    }
    if let Ok(artifact) = workspace.resolve(Kind::Tokenizer, wanted) {
        return Ok(Found::of_artifact(artifact));
    }
    // A model carries a tokenizer too.
    match workspace.resolve(Kind::Model, wanted) {
        Ok(artifact) => Ok(Found::of_artifact(artifact)),
        Err(_) if looks_like_a_path(wanted) => Err(Error::NoTokenizerFile(wanted.to_owned())),
        Err(_) => Ok(Found::of_artifact(workspace.resolve(Kind::Tokenizer, wanted)?)),
    }
}

fn looks_like_a_path(wanted: &str) -> bool {
    wanted.contains(['/', '\\']) || wanted.starts_with('.')
}

fn absolute(path: &Path) -> Result<String> {
    let path = std::path::absolute(path).map_err(crate::workspace::Error::io("finding", path))?;
    Ok(path.to_string_lossy().into_owned())
}

/// A folder's digest covers what decides its embeddings: configuration, weights, tokenizer.
fn folder_of_model(folder: &Path) -> Result<Found> {
    let mut hasher = Hasher::default();
    for name in [
        "config.json",
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/model.safetensors",
        "model.safetensors",
        "tokenizer.json",
    ] {
        let file = folder.join(name);
        if file.is_file() {
            hasher = hasher.part(name).part(digest_file(&file)?.as_str());
        }
    }
    Ok(Found { path: folder.to_owned(), reference: absolute(folder)?, digest: hasher.finish(), artifact: None })
}

/// Unpacks the embedded base beside the other things that can be made again.
fn embedded(workspace: &Workspace) -> Result<Found> {
    let digest = EMBEDDED
        .iter()
        .fold(Hasher::default(), |hasher, (name, bytes)| hasher.part(name).part(digest_bytes(bytes).as_str()));
    let digest = digest.finish();
    let path = workspace.root().join("cache/embedded").join(digest.as_str());
    for (name, bytes) in EMBEDDED {
        let file = path.join(name);
        if std::fs::metadata(&file).is_ok_and(|data| data.len() == bytes.len() as u64) {
            continue;
        }
        write_atomic(&file, bytes)?;
    }
    Ok(Found { path, reference: "embedded".to_owned(), digest, artifact: None })
}
