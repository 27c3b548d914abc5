//! Downloading a model: which files, in which order, and what to make of a bad connection.
//!
//! What `hf-hub` does is ask for a file's metadata, take it in pieces, go on from the last whole piece, and put it where the cache
//! wants it. What it cannot do, stop on request, give up on a silent peer and try again, is done around it: each attempt is
//! a future that is polled between looks at the observer, in a runtime of its own that takes its tasks along.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hf_hub::Cache;
use hf_hub::api::RepoInfo;
use hf_hub::api::tokio::{Api, ApiBuilder, ApiError, Progress};

use super::super::config::BertConfig;
use super::super::folder::Folder;
use super::{AROUND, BESIDE, Error, Hub, HubId, NEEDED, Result, Snapshot, WEIGHTS, is_whole};
use crate::progress::{Event, Observer};
use crate::workspace::{self, digest_file, write_atomic};

/// Bytes asked for at a time: so much is lost when a connection breaks.
const PIECE: usize = 8 << 20;
/// Between two looks at the observer.
const LOOK: Duration = Duration::from_millis(200);
/// Looks without a byte after which a peer counts as gone: half a minute.
const SILENT_LOOKS: usize = 150;
/// Pauses between attempts at one file; after the last it is given up.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

impl Hub {
    /// The model, downloaded where it is not in the cache. What came of an attempt that failed is kept, and gone on from.
    pub fn download(&self, id: &HubId, observer: &dyn Observer) -> Result<Snapshot> {
        if let Some(found) = self.find(id) {
            return Ok(found);
        }
        if self.is_offline() {
            let found = self.find_without_asking(id);
            return found.ok_or_else(|| Error::Offline { id: id.clone(), cache: self.cache.clone() });
        }
        observer.on(Event::phase(format!("download {id}")));
        let info = match self.describe(id, observer) {
            Ok(info) => info,
            // What a plain encoder needs is there; only whether there is more could not be asked.
            Err(error @ Error::Unreachable { .. }) => {
                let Some(found) = self.find_without_asking(id) else { return Err(error) };
                observer.on(Event::warning(format!("{error}. {id} is used as it lies in {}", self.cache.display())));
                return Ok(found);
            }
            Err(error) => return Err(error),
        };
        let pinned = id.at(&info.sha);
        let names: Vec<&str> = info.siblings.iter().map(|file| file.rfilename.as_str()).collect();
        check_names(id, &names)?;
        let folder = self.repo(&pinned).pointer_path(&info.sha);
        let (weights, small): (Vec<&str>, Vec<&str>) =
            names.iter().copied().filter(|name| is_wanted(name)).partition(|name| name.ends_with(WEIGHTS));
        for file in small {
            self.take(&pinned, file, &folder, observer)?;
        }
        // Before the weights: an architecture that is not known here costs a kilobyte.
        check_kind(id, &folder)?;
        for file in weights {
            self.take(&pinned, file, &folder, observer)?;
        }
        for file in AROUND.into_iter().filter(|file| !names.contains(file)) {
            write_atomic(&self.absent(&pinned, file), b"")?;
        }
        self.set_reference(id, &pinned)?;
        debug_assert!(is_whole(&folder));
        Ok(Snapshot { path: folder, id: pinned })
    }

    /// Commit and files of a model.
    fn describe(&self, id: &HubId, observer: &dyn Observer) -> Result<RepoInfo> {
        let meter = Meter::default();
        let ask = |api: Api| async move { api.repo(id.repo()).info().await };
        match self.attempt(ask, &meter, observer) {
            Ok(info) if super::is_commit(&info.sha) => Ok(info),
            Ok(_) => Err(self.no_hub("no commit in its description of the model")),
            Err(Attempt::Stopped) => Err(Error::Stopped),
            Err(attempt) => Err(self.failed(id, None, &attempt)),
        }
    }

    /// One file, unless it is there.
    fn take(&self, pinned: &HubId, file: &str, folder: &Path, observer: &dyn Observer) -> Result<()> {
        let path = folder.join(file);
        if path.is_file() {
            return Ok(());
        }
        let meter = Meter::default();
        let mut pauses = PAUSES.iter();
        loop {
            let progress = meter.clone();
            let ask = |api: Api| async move { api.repo(pinned.repo()).download_with_progress(file, progress).await };
            let before = meter.received();
            match self.attempt(ask, &meter, observer) {
                Ok(_) => break,
                Err(Attempt::Stopped) => return Err(Error::Stopped),
                Err(attempt) => {
                    if meter.received() > before {
                        pauses = PAUSES.iter();
                    }
                    match pauses.next() {
                        Some(pause) if attempt.may_pass() => {
                            observer.on(Event::note(format!("{file}: {attempt}; trying again")));
                            rest(*pause, observer)?;
                        }
                        _ => return Err(self.failed(pinned, Some(file), &attempt)),
                    }
                }
            }
        }
        meter.tell(observer);
        if !path.is_file() {
            return Err(self.no_hub("files of another commit than it said"));
        }
        check_content(pinned, file, &path)
    }

    /// Polls what is asked of the hub until it is there, the user wants no more, or nothing comes for long.
    fn attempt<T, F: Future<Output = std::result::Result<T, ApiError>>>(
        &self,
        ask: impl FnOnce(Api) -> F,
        meter: &Meter,
        observer: &dyn Observer,
    ) -> std::result::Result<T, Attempt> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Attempt::Runtime)?;
        let result = runtime.block_on(async {
            let api = ApiBuilder::from_cache(Cache::new(self.cache.clone()))
                .with_endpoint(self.endpoint.clone())
                .with_token(self.token.clone())
                .with_chunk_size(Some(PIECE))
                .with_progress(false)
                .with_user_agent("lapidary", env!("CARGO_PKG_VERSION"))
                .build()
                .map_err(Attempt::Failed)?;
            let mut asked = std::pin::pin!(ask(api));
            let (mut silent, mut received) = (0, 0);
            loop {
                match tokio::time::timeout(LOOK, asked.as_mut()).await {
                    Ok(result) => return result.map_err(Attempt::Failed),
                    Err(_) if observer.stop_requested() => return Err(Attempt::Stopped),
                    Err(_) => {}
                }
                silent = if meter.received() == received { silent + 1 } else { 0 };
                received = meter.received();
                if silent >= SILENT_LOOKS {
                    return Err(Attempt::Silent);
                }
                meter.tell(observer);
            }
        });
        // Looking up a name cannot be interrupted: nobody waits for it.
        runtime.shutdown_background();
        result
    }

    fn failed(&self, id: &HubId, file: Option<&str>, attempt: &Attempt) -> Error {
        let (id, endpoint) = (id.clone(), self.endpoint.clone());
        match (attempt.status(), file) {
            (Some(status @ (401 | 403)), _) => {
                let who = if self.has_token() { "who holds this token" } else { "who has no token" };
                Error::Refused { id, endpoint, who, status }
            }
            (Some(404), _) => Error::NotFound { id, endpoint },
            _ if attempt.is_no_hub() => self.no_hub(attempt.to_string()),
            (_, None) => Error::Unreachable { id, endpoint, cause: attempt.to_string() },
            (_, Some(file)) => Error::BrokeOff { id, file: file.to_owned(), cause: attempt.to_string() },
        }
    }

    fn no_hub(&self, problem: impl Into<String>) -> Error {
        Error::NoHub { endpoint: self.endpoint.clone(), problem: problem.into() }
    }

    /// Remembers of which commit a branch or tag was; for commits `hf-hub` did so too, and nobody else does.
    fn set_reference(&self, id: &HubId, pinned: &HubId) -> Result<()> {
        let _ = std::fs::remove_file(self.reference(pinned));
        if id.is_pinned() {
            return Ok(());
        }
        Ok(write_atomic(&self.reference(id), pinned.repo().revision().as_bytes())?)
    }
}

/// Whether somebody answers at an address.
pub(super) fn answers(endpoint: &str, within: Duration) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let asked = runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(within).build()?;
        client.head(endpoint).send().await
    });
    runtime.shutdown_background();
    asked.map(drop).map_err(|error| causes(&error))
}

/// Files of any size are kept under the SHA-256 of their content, which the hub announced; small ones under a git id.
fn check_content(pinned: &HubId, file: &str, path: &Path) -> Result<()> {
    let blob = path.canonicalize().map_err(workspace::Error::io("reading", path))?;
    let announced = blob.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_digest = announced.len() == 64 && announced.chars().all(|c| c.is_ascii_hexdigit());
    if !is_digest || digest_file(&blob)?.as_str() == announced {
        return Ok(());
    }
    for broken in [path, &blob] {
        std::fs::remove_file(broken).map_err(workspace::Error::io("removing", broken))?;
    }
    Err(Error::Damaged { id: pinned.clone(), file: file.to_owned() })
}

/// Whether an encoder is made of a file of this name: what stands around the weights, and the folders of modules.
fn is_wanted(name: &str) -> bool {
    let of_module = || {
        let (folder, file) = name.split_once('/')?;
        let numbered = folder.split_once('_')?.0.chars().all(|c| c.is_ascii_digit());
        Some(numbered && matches!(file, "config.json" | WEIGHTS))
    };
    NEEDED.iter().chain(&AROUND).chain(&BESIDE).any(|wanted| *wanted == name) || of_module().unwrap_or(false)
}

/// Refuses a model that has its weights or its tokenizer in another form.
fn check_names(id: &HubId, names: &[&str]) -> Result<()> {
    for missing in NEEDED {
        if names.contains(&missing) {
            continue;
        }
        let has = |name: &str| names.contains(&name);
        let instead = match missing {
            WEIGHTS if has("model.safetensors.index.json") => ", but weights in several files, which are not read here",
            WEIGHTS if has("pytorch_model.bin") => ", but pytorch_model.bin, which can run code and is not read",
            "tokenizer.json" if has("vocab.txt") || has("sentencepiece.bpe.model") => {
                ", but an older tokenizer's files"
            }
            _ => "",
        };
        return Err(Error::Lacks { id: id.clone(), missing, instead });
    }
    Ok(())
}

/// Refuses an architecture that is not known here.
fn check_kind(id: &HubId, folder: &Path) -> Result<()> {
    let checked = BertConfig::read(&folder.join("config.json")).and_then(|_| Folder::read(folder));
    checked.map(drop).map_err(|error| Error::Unsupported { id: id.clone(), problem: error.to_string() })
}

/// Waits, unless the user wants no more.
fn rest(pause: Duration, observer: &dyn Observer) -> Result<()> {
    let mut left = pause;
    while !left.is_zero() {
        if observer.stop_requested() {
            return Err(Error::Stopped);
        }
        let nap = left.min(LOOK);
        std::thread::sleep(nap);
        left -= nap;
    }
    Ok(())
}

/// Why an attempt came to nothing.
enum Attempt {
    Failed(ApiError),
    Runtime(std::io::Error),
    Silent,
    Stopped,
}

impl Attempt {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Failed(ApiError::RequestError(error)) => error.status().map(|status| status.as_u16()),
            _ => None,
        }
    }

    /// Whether it may be otherwise next time: a broken connection, a busy server, another process at the same file.
    fn may_pass(&self) -> bool {
        match self {
            Self::Failed(ApiError::RequestError(_)) => {
                self.status().is_none_or(|status| status >= 500 || matches!(status, 408 | 416 | 429))
            }
            Self::Failed(ApiError::LockAcquisition(_)) | Self::Silent => true,
            _ => false,
        }
    }

    fn is_no_hub(&self) -> bool {
        match self {
            Self::Failed(ApiError::RequestError(error)) => error.is_decode() && error.status().is_none(),
            Self::Failed(error) => matches!(
                error,
                ApiError::MissingHeader(_)
                    | ApiError::InvalidHeader(_)
                    | ApiError::ToStr(_)
                    | ApiError::ParseIntError(_)
            ),
            _ => false,
        }
    }
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(ApiError::RequestError(error)) => f.write_str(&causes(error)),
            Self::Failed(ApiError::LockAcquisition(_)) => f.write_str("another process is downloading it"),
            Self::Failed(error) => error.fmt(f),
            Self::Runtime(error) => error.fmt(f),
            Self::Silent => f.write_str("no answer for half a minute"),
            Self::Stopped => f.write_str("stopped on request"),
        }
    }
}

/// What reqwest says, down to the first cause, without the address, which the reader knows.
fn causes(error: &reqwest::Error) -> String {
    if let Some(status) = error.status() {
        return format!("it answers {status}");
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { deepest.to_string() }
}

/// Bytes of a file that came, and that there are.
#[derive(Debug, Clone, Default)]
struct Meter(Arc<[AtomicUsize; 2]>);

impl Meter {
    fn received(&self) -> usize {
        self.0[0].load(Ordering::Relaxed)
    }

    /// Tells how far a file is that takes a while.
    fn tell(&self, observer: &dyn Observer) {
        let (received, total) = (self.received(), self.0[1].load(Ordering::Relaxed));
        if total > PIECE / 8 {
            observer.on(Event::progress(received.min(total) >> 10, total >> 10, "KiB"));
        }
    }
}

impl Progress for Meter {
    async fn init(&mut self, size: usize, _: &str) {
        self.0[0].store(0, Ordering::Relaxed);
        self.0[1].store(size, Ordering::Relaxed);
    }

    async fn update(&mut self, size: usize) {
        self.0[0].fetch_add(size, Ordering::Relaxed);
    }

    async fn finish(&mut self) {}
}
