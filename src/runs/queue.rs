//! One training job at a time on a device of a machine: a folder of tickets.
//!
//! A ticket is a file that its owner holds locked for life, so a dead owner's ticket is told from a waiting one's without
//! a daemon and without process ids, and is removed by whoever looks next. A lock on the whole folder is held while
//! tickets are made and looked at, and never while waiting. Only runs of one user are told apart so: other users' jobs
//! on the same device are theirs to see.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::folder::host;
use super::{Result, RunFolder};
use crate::progress::{Event, Observer};
use crate::workspace;

/// The phase of a run that waits for its turn.
pub const QUEUED: &str = "queued";
/// The phase that follows.
const BEGINNING: &str = "begin";

/// The variable that names another folder for lapidary's own state.
const STATE_DIR: &str = "LAPIDARY_STATE_DIR";
/// How often a waiting run looks.
const LOOK: Duration = Duration::from_millis(300);
/// How often the folder's lock is tried before an error: it is held for the time of a few small files.
const FOLDER_TRIES: u32 = 1000;
/// Between two of them.
const FOLDER_PAUSE: Duration = Duration::from_millis(5);

/// The queue of a device.
#[derive(Debug, Clone)]
pub struct Queue {
    folder: PathBuf,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// This run's.
    Mine,
    /// Another run's, which is there or comes first.
    Behind(Waiting),
}

/// A run in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its id.
    pub run: String,
    /// The folder of its workspace.
    pub workspace: PathBuf,
}

/// A place in a queue, given back when it is dropped.
#[derive(Debug)]
pub struct Ticket {
    folder: PathBuf,
    path: PathBuf,
    has_turn: bool,
    _lock: File,
}

impl Queue {
    /// The queue of a device on this machine, in the user's state folder; where that cannot be written, in the workspace,
    /// whose runs then wait for each other only.
    pub fn of_device(workspace: &Path, device: &str) -> Result<Self> {
        let own = std::env::var_os(STATE_DIR).filter(|folder| !folder.is_empty()).map(PathBuf::from).or_else(|| {
            let folders = directories::ProjectDirs::from("", "", "lapidary")?;
            Some(folders.state_dir().unwrap_or_else(|| folders.data_local_dir()).to_owned())
        });
        let name = |text: &str| text.replace(|c: char| !c.is_alphanumeric() && c != '.', "-");
        // A home folder may be shared by machines; their devices are not.
        let place = Path::new(&name(&host())).join(name(device));
        if let Some(own) = own {
            let folder = own.join("queue").join(&place);
            // Made and writable: an old lock file may stand in a folder that has become read-only.
            if std::fs::create_dir_all(&folder).is_ok() && tempfile::tempfile_in(&folder).is_ok() {
                return Ok(Self { folder });
            }
        }
        Self::in_folder(workspace.join("runs").join(".queue").join(place))
    }

    fn in_folder(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder).map_err(workspace::Error::io("making", &folder))?;
        Ok(Self { folder })
    }

    /// Takes a ticket. Those of runs that began to wait earlier come first: `since_unix_ms`, then the run's id.
    pub fn enter(&self, waiting: &Waiting, since_unix_ms: u64) -> Result<Ticket> {
        let _folder = lock_folder(&self.folder)?;
        let path = self.folder.join(format!("{WAITS}{since_unix_ms:020}-{}", waiting.run));
        let writing = |error| workspace::Error::io("writing", &path)(error);
        // A ticket of the same name can only be left over from this run's earlier life.
        let _ = std::fs::remove_file(&path);
        let file = File::options().create_new(true).write(true).open(&path).map_err(writing)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(writing(error).into()),
            Err(TryLockError::WouldBlock) => return Err(super::Error::Running(waiting.run.clone())),
        }
        serde_json::to_writer(&file, waiting).map_err(|error| writing(error.into()))?;
        Ok(Ticket { folder: self.folder.clone(), path, has_turn: false, _lock: file })
    }
}

/// How the file of a ticket that waits begins; after it, what it is ordered by.
const WAITS: &str = "wait-";
/// How the file of the ticket whose turn it is begins.
const TURN: &str = "turn-";
/// The folder's lock.
const FOLDER_LOCK: &str = "lock";

impl Ticket {
    /// Looks whose turn it is. Once it is this ticket's it stays so, whoever comes later.
    pub fn look(&mut self) -> Result<Turn> {
        if self.has_turn {
            return Ok(Turn::Mine);
        }
        let _folder = lock_folder(&self.folder)?;
        let mut others: Vec<PathBuf> = std::fs::read_dir(&self.folder)
            .map_err(workspace::Error::io("reading", &self.folder))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| *path != self.path && is_live_ticket(path))
            .collect();
        // `turn-` sorts before `wait-`, and those that wait by their time.
        others.sort();
        match others.first() {
            Some(first) if name(first).starts_with(TURN) || *first < self.path => {
                let text = std::fs::read_to_string(first).unwrap_or_default();
                let unknown = Waiting { run: name(first), workspace: PathBuf::new() };
                Ok(Turn::Behind(serde_json::from_str(&text).unwrap_or(unknown)))
            }
            _ => {
                let path = self.folder.join(name(&self.path).replacen(WAITS, TURN, 1));
                std::fs::rename(&self.path, &path).map_err(workspace::Error::io("renaming", &self.path))?;
                (self.path, self.has_turn) = (path, true);
                Ok(Turn::Mine)
            }
        }
    }

    /// Waits for the turn, visibly: the phase is [`QUEUED`], and a note names the run that is waited for. Returns whether
    /// the turn came; otherwise a stop was asked for.
    pub fn wait(&mut self, observer: &dyn Observer) -> Result<bool> {
        let mut waits_for = None;
        loop {
            match self.look()? {
                Turn::Mine => {
                    if waits_for.is_some() {
                        observer.on(Event::phase(BEGINNING));
                    }
                    return Ok(true);
                }
                Turn::Behind(other) => {
                    if waits_for.is_none() {
                        observer.on(Event::phase(QUEUED));
                    }
                    if waits_for.as_ref() != Some(&other) {
                        let text = format!("waits for run {} in {}", other.run, other.workspace.display());
                        observer.on(Event::note(text));
                        waits_for = Some(other);
                    }
                }
            }
            if observer.stop_requested() {
                return Ok(false);
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Waiting {
    /// A run as others in the queue see it.
    pub fn new(run: &RunFolder, workspace: &Path) -> Self {
        Self { run: run.id(), workspace: workspace.to_owned() }
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether somebody holds this ticket; one that nobody holds is removed.
fn is_live_ticket(path: &Path) -> bool {
    let name = name(path);
    if !name.starts_with(WAITS) && !name.starts_with(TURN) {
        return false;
    }
    let Ok(file) = File::open(path) else { return false };
    match file.try_lock_shared() {
        Ok(()) => {
            let _ = std::fs::remove_file(path);
            false
        }
        Err(_) => true,
    }
}

fn lock_folder(folder: &Path) -> Result<File> {
    let path = folder.join(FOLDER_LOCK);
    let locking = |error| workspace::Error::io("locking", &path)(error);
    let file = File::options().create(true).append(true).open(&path).map_err(locking)?;
    for _ in 0..FOLDER_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(FOLDER_PAUSE),
            Err(TryLockError::Error(error)) => return Err(locking(error).into()),
        }
    }
    Err(locking(std::io::Error::new(std::io::ErrorKind::TimedOut, "another lapidary holds it")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Recorder;

    fn queue(folder: &tempfile::TempDir) -> Queue {
        Queue::in_folder(folder.path().join("cpu")).unwrap()
    }

    fn waiting(run: &str) -> Waiting {
        Waiting { run: run.to_owned(), workspace: PathBuf::from("/ws") }
    }

    #[test]
    fn turns_come_in_the_order_of_arrival() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(&folder);
        let mut first = queue.enter(&waiting("a"), 10).unwrap();
        assert_eq!(first.look().unwrap(), Turn::Mine);
        let mut late = queue.enter(&waiting("d"), 30).unwrap();
        let mut tied = queue.enter(&waiting("c"), 20).unwrap();
        let mut early = queue.enter(&waiting("b"), 20).unwrap();
        for ticket in [&mut late, &mut tied, &mut early] {
            assert_eq!(ticket.look().unwrap(), Turn::Behind(waiting("a")));
        }
        drop(first);
        assert_eq!(late.look().unwrap(), Turn::Behind(waiting("b")));
        assert_eq!(early.look().unwrap(), Turn::Mine);
        // Made before all others, but entered later: a resumed run must not join one that has begun.
        let mut old = queue.enter(&waiting("z"), 1).unwrap();
        assert_eq!(old.look().unwrap(), Turn::Behind(waiting("b")));
        assert_eq!(early.look().unwrap(), Turn::Mine);
        drop(early);
        assert_eq!(tied.look().unwrap(), Turn::Behind(waiting("z")));
        drop((old, late));
        assert_eq!(tied.look().unwrap(), Turn::Mine);
    }

    #[test]
    fn a_dead_ticket_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(&folder);
        for dead in ["wait-00000000000000000001-gone", "turn-00000000000000000002-gone"] {
            std::fs::write(queue.folder.join(dead), "{}").unwrap();
        }
        let mut ticket = queue.enter(&waiting("a"), 5).unwrap();
        assert_eq!(ticket.look().unwrap(), Turn::Mine);
        drop(ticket);
        let left: Vec<_> = std::fs::read_dir(&queue.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [FOLDER_LOCK]);
    }

    #[test]
    fn waiting_is_seen_and_can_be_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(&folder);
        let mut first = queue.enter(&waiting("a"), 1).unwrap();
        assert!(first.wait(&Recorder::default()).unwrap());
        let (mut second, observer) = (queue.enter(&waiting("b"), 2).unwrap(), Recorder::default());
        observer.request_stop();
        assert!(!second.wait(&observer).unwrap());
        let seen = [Event::phase(QUEUED), Event::note("waits for run a in /ws")];
        assert_eq!(observer.events(), seen);

        let observer = Recorder::default();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| second.wait(&observer).unwrap());
            while observer.events().is_empty() {
                std::thread::sleep(Duration::from_millis(5));
            }
            drop(first);
            assert!(waits.join().unwrap());
        });
        assert_eq!(observer.events().last(), Some(&Event::phase(BEGINNING)));
    }

    #[test]
    fn no_two_have_the_turn_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(&folder);
        let (inside, most) = (std::sync::atomic::AtomicUsize::new(0), std::sync::atomic::AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for n in 0..8_u64 {
                let (queue, inside, most) = (&queue, &inside, &most);
                scope.spawn(move || {
                    use std::sync::atomic::Ordering::SeqCst;
                    let mut ticket = queue.enter(&waiting(&n.to_string()), n % 3).unwrap();
                    while ticket.look().unwrap() != Turn::Mine {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::sleep(Duration::from_millis(3));
                    inside.fetch_sub(1, SeqCst);
                });
            }
        });
        assert_eq!(most.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}
