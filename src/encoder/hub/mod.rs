//! Models from the Hugging Face hub, or a mirror of it: what they are called, and where they lie once downloaded.
//!
//! The cache is the one that every Hugging Face library shares, in its layout, so that nothing is downloaded twice. What is
//! in it is used without asking anybody; only [`Hub::download`] touches the network, and only for the files that an encoder is made
//! of. A model is pinned by the commit that its files are of.

mod download;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::{Cache, CacheRepo, Repo, RepoType};

/// The hub, unless `HF_ENDPOINT` names a mirror.
const ENDPOINT: &str = "https://huggingface.co";
/// The revision where none is named.
const MAIN: &str = "main";
/// Without these there is no encoder.
const NEEDED: [&str; 3] = ["config.json", "tokenizer.json", WEIGHTS];
const WEIGHTS: &str = "model.safetensors";
/// These say how vectors are made of hidden states; a model without them is a plain encoder.
const AROUND: [&str; 3] = ["modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"];
/// These other programs want to find beside the tokenizer.
const BESIDE: [&str; 2] = ["tokenizer_config.json", "special_tokens_map.json"];

/// What can go wrong with a model of the hub.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not in the cache, where nobody may ask the network.
    #[error("{id} is no folder here, and not in {} (HF_HUB_OFFLINE is set); {THREE_WAYS}", cache.display())]
    Offline {
        /// The model.
        id: HubId,
        /// Where it was looked for.
        cache: PathBuf,
    },
    /// Not in the cache, where nobody was asked to download it.
    #[error("{id} is no folder here, and was not downloaded yet: name it as --base of a job, which downloads it")]
    NotDownloaded {
        /// The model.
        id: HubId,
    },
    /// No way to the hub.
    #[error("{id} is no folder here, and {endpoint} cannot be reached: {cause}; {THREE_WAYS}")]
    Unreachable {
        /// The model.
        id: HubId,
        /// The hub.
        endpoint: String,
        /// What the network said.
        cause: String,
    },
    /// The hub does not let us.
    #[error(
        "{id} is no folder here, and {endpoint} does not show it to {who} ({status}): check the name; for a private or gated model, accept its terms on its page and set HF_TOKEN"
    )]
    Refused {
        /// The model.
        id: HubId,
        /// The hub.
        endpoint: String,
        /// With a token or without.
        who: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The hub has no such model.
    #[error(
        "{id} is no folder here, and {endpoint} has no such model (404): check name and revision; a private one needs HF_TOKEN"
    )]
    NotFound {
        /// The model.
        id: HubId,
        /// The hub.
        endpoint: String,
    },
    /// Not in a form that can be read here.
    #[error(
        "{id} has no {missing}{instead}: choose a BERT encoder that has it, such as sentence-transformers/all-MiniLM-L6-v2"
    )]
    Lacks {
        /// The model.
        id: HubId,
        /// The file.
        missing: &'static str,
        /// What is there in its place.
        instead: &'static str,
    },
    /// Of an architecture that is not known here.
    #[error("{id} cannot be used: {problem}")]
    Unsupported {
        /// The model.
        id: HubId,
        /// What is wrong with it.
        problem: String,
    },
    /// The connection broke again and again.
    #[error(
        "the download of {file} of {id} broke off: {cause}; what came is kept, and the same command goes on from there"
    )]
    BrokeOff {
        /// The model.
        id: HubId,
        /// The file.
        file: String,
        /// What the network said.
        cause: String,
    },
    /// Something else came than was announced.
    #[error(
        "{file} of {id} arrived damaged and was removed: start again; where it happens twice, suspect the mirror or a proxy"
    )]
    Damaged {
        /// The model.
        id: HubId,
        /// The file.
        file: String,
    },
    /// The answer is none of a hub's.
    #[error("{endpoint} does not answer as a Hugging Face hub does ({problem}): check HF_ENDPOINT, and proxies")]
    NoHub {
        /// Who answered.
        endpoint: String,
        /// What is missing.
        problem: String,
    },
    /// There is nowhere to keep it.
    #[error("no home folder to keep models in: set HF_HOME")]
    NoHome,
    /// A file of the cache.
    #[error(transparent)]
    Workspace(#[from] crate::workspace::Error),
    /// Stopped on request.
    #[error("stopped on request")]
    Stopped,
}

/// Where models come from without this network.
const THREE_WAYS: &str = "a model can be a folder with config.json, model.safetensors and tokenizer.json; a name on the hub, by way of a mirror that HF_ENDPOINT names; or `embedded`, the base that lapidary carries";

type Result<T, E = Error> = std::result::Result<T, E>;

/// A model's name on the hub: `organisation/name`, perhaps with a branch, tag or commit as in `organisation/name@revision`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubId {
    name: String,
    revision: Option<String>,
}

impl HubId {
    /// Reads a name; `None`: it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        let word = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let (organisation, model) = name.split_once('/')?;
        let good = word(organisation) && word(model) && revision.is_none_or(|revision| revision.split('/').all(word));
        good.then(|| Self { name: name.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// The same model at a commit.
    fn at(&self, commit: &str) -> Self {
        Self { name: self.name.clone(), revision: Some(commit.to_owned()) }
    }

    fn repo(&self) -> Repo {
        let revision = self.revision.as_deref().unwrap_or(MAIN);
        Repo::with_revision(self.name.clone(), RepoType::Model, revision.to_owned())
    }

    /// Whether it names a commit, which never changes.
    fn is_pinned(&self) -> bool {
        self.revision.as_deref().is_some_and(is_commit)
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.revision.as_ref().map_or(Ok(()), |revision| write!(f, "@{revision}"))
    }
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.chars().all(|c| c.is_ascii_hexdigit())
}

/// A model of the hub, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its folder.
    pub path: PathBuf,
    /// Its name, at the commit that its files are of.
    pub id: HubId,
}

/// The hub as the environment describes it, with the variables that Hugging Face's own libraries read.
#[derive(Debug, Clone)]
pub struct Hub {
    endpoint: String,
    cache: PathBuf,
    token: Option<String>,
    offline: bool,
}

impl Hub {
    /// Reads `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`, `HF_TOKEN`, `HF_TOKEN_PATH` and `HF_HUB_OFFLINE`.
    pub fn from_env() -> Result<Self> {
        let set =
            |name: &str| std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|it| !it.is_empty());
        let home = || {
            let folder = set("HF_HOME").map(PathBuf::from);
            let cache = || set("XDG_CACHE_HOME").map(|cache| Path::new(&cache).join("huggingface"));
            let usual = || Some(directories::BaseDirs::new()?.home_dir().join(".cache/huggingface"));
            folder.or_else(cache).or_else(usual).ok_or(Error::NoHome)
        };
        let cache = match set("HF_HUB_CACHE") {
            Some(cache) => PathBuf::from(cache),
            None => home()?.join("hub"),
        };
        let token_file = set("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| Some(home().ok()?.join("token")));
        let kept = || std::fs::read_to_string(token_file?).ok().map(|token| token.trim().to_owned());
        let on = |name: &str| {
            set(name).is_some_and(|value| matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on"))
        };
        Ok(Self {
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()).trim_end_matches('/').to_owned(),
            cache: std::path::absolute(&cache).map_err(crate::workspace::Error::io("finding", &cache))?,
            token: set("HF_TOKEN").or_else(kept).filter(|token| !token.is_empty()),
            offline: on("HF_HUB_OFFLINE"),
        })
    }

    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where downloaded models lie.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Whether the user forbids to ask it.
    pub const fn is_offline(&self) -> bool {
        self.offline
    }

    /// Whether there is a token to show it.
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether somebody answers at its address, whatever the answer; `Err`: what the network said.
    pub fn answers(&self, within: Duration) -> Result<(), String> {
        download::answers(&self.endpoint, within)
    }

    /// The model as it lies in the cache; `None`: it is not there, or not all of it.
    pub fn find(&self, id: &HubId) -> Option<Snapshot> {
        let snapshot = self.snapshot(id)?;
        let known = |file: &str| snapshot.path.join(file).is_file() || self.absent(&snapshot.id, file).is_file();
        (is_whole(&snapshot.path) && AROUND.iter().all(|file| known(file))).then_some(snapshot)
    }

    /// The same, content with what is there: whether files around the weights are missing on the hub too, nobody asked.
    pub(super) fn find_without_asking(&self, id: &HubId) -> Option<Snapshot> {
        self.snapshot(id).filter(|snapshot| is_whole(&snapshot.path))
    }

    fn snapshot(&self, id: &HubId) -> Option<Snapshot> {
        let repo = self.repo(id);
        let commit = match &id.revision {
            Some(revision) if is_commit(revision) => revision.clone(),
            _ => std::fs::read_to_string(self.reference(id)).ok()?.trim().to_owned(),
        };
        let path = repo.pointer_path(&commit);
        path.is_dir().then(|| Snapshot { path, id: id.at(&commit) })
    }

    fn repo(&self, id: &HubId) -> CacheRepo {
        Cache::new(self.cache.clone()).repo(id.repo())
    }

    /// The file that holds the commit of a branch or tag.
    fn reference(&self, id: &HubId) -> PathBuf {
        self.cache.join(id.repo().folder_name()).join("refs").join(id.repo().revision())
    }

    /// The empty file that says of a file that the model has none.
    fn absent(&self, pinned: &HubId, file: &str) -> PathBuf {
        self.cache.join(pinned.repo().folder_name()).join(".no_exist").join(pinned.repo().revision()).join(file)
    }
}

/// Whether a folder has what no encoder can be without.
fn is_whole(folder: &Path) -> bool {
    NEEDED.iter().all(|file| folder.join(file).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_paths() {
        let id = HubId::parse("intfloat/e5-small-v2@refs/pr/3").unwrap();
        assert_eq!((id.name.as_str(), id.revision.as_deref()), ("intfloat/e5-small-v2", Some("refs/pr/3")));
        assert_eq!(id.to_string(), "intfloat/e5-small-v2@refs/pr/3");
        for path in
            ["cold", "cold@v2", "./a/b", "../a", "a/b/c", "/a/b", "a/", "/", "C:/models", "a/..", "a/b@../x", "a\\b/c"]
        {
            assert_eq!(HubId::parse(path), None, "{path}");
        }
        assert!(HubId::parse("a/b").unwrap().at(&"0f".repeat(20)).is_pinned());
    }

    #[test]
    fn a_snapshot_is_found_once_it_is_known_to_be_whole() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().to_owned();
        let hub = Hub { endpoint: ENDPOINT.to_owned(), cache, token: None, offline: true };
        let (id, commit) = (HubId::parse("a/b").unwrap(), "0a".repeat(20));
        let root = folder.path().join("models--a--b");
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(hub.find(&id), None);
        write("refs/main", &commit);
        for file in NEEDED {
            write(&format!("snapshots/{commit}/{file}"), "");
        }
        // Other programs download less than all: without `modules.json` its pooling would be guessed.
        assert_eq!(hub.find(&id), None);
        assert!(hub.find_without_asking(&id).is_some());
        write(&format!("snapshots/{commit}/modules.json"), "");
        for file in &AROUND[1..] {
            write(&format!(".no_exist/{commit}/{file}"), "");
        }
        let found = hub.find(&id).unwrap();
        assert_eq!(found.id.to_string(), format!("a/b@{commit}"));
        assert_eq!(hub.find(&found.id), Some(found));
        assert_eq!(hub.find(&HubId::parse("a/b@v1").unwrap()), None);
    }
}
