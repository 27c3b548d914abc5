//! `events.jsonl`: one JSON object a line, appended whole.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::Result;
use crate::progress::Event;
use crate::workspace;

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedEvent {
    /// Format version.
    pub v: u32,
    /// Milliseconds since 1970, UTC.
    pub t: u64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// Appends to an event log. A full disk loses lines, never the job: they are counted.
#[derive(Debug)]
pub struct EventLog {
    file: File,
    lost: AtomicU64,
}

impl EventLog {
    /// Opens a log for appending; a line that a crash tore is closed, so that the next one stands alone.
    pub fn open(path: &Path) -> Result<Self> {
        let opening = |error| workspace::Error::io("opening", path)(error);
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(opening)?;
        if file.seek(SeekFrom::End(0)).map_err(opening)? > 0 {
            file.seek(SeekFrom::End(-1)).map_err(opening)?;
            let mut last = [0];
            file.read_exact(&mut last).map_err(opening)?;
            if last != *b"\n" {
                file.write_all(b"\n").map_err(opening)?;
            }
        }
        Ok(Self { file, lost: AtomicU64::new(0) })
    }

    /// Appends one event. Returns `false` where it could not be written.
    pub fn append(&self, event: Event, unix_ms: u64) -> bool {
        let Ok(mut line) = serde_json::to_vec(&LoggedEvent { v: 1, t: unix_ms, event }) else { return false };
        line.push(b'\n');
        // One write of one line: with O_APPEND no other writer can come between.
        let written = (&self.file).write(&line).is_ok_and(|n| n == line.len());
        if !written {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    /// How many events could not be written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Reads a log from a byte offset to its last whole line. Returns the events, the offset to go on from, and
/// how many lines were not events.
pub fn read_events(path: &Path, from: u64) -> Result<(Vec<LoggedEvent>, u64, usize)> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), from, 0)),
        Err(error) => return Err(workspace::Error::io("reading", path)(error).into()),
    };
    file.seek(SeekFrom::Start(from)).map_err(workspace::Error::io("reading", path))?;
    let mut reader = BufReader::new(file);
    let (mut events, mut at, mut garbage, mut line) = (Vec::new(), from, 0, Vec::new());
    loop {
        line.clear();
        let n = reader.read_until(b'\n', &mut line).map_err(workspace::Error::io("reading", path))?;
        if n == 0 || line.last() != Some(&b'\n') {
            return Ok((events, at, garbage));
        }
        at += n as u64;
        match serde_json::from_slice(&line) {
            Ok(event) => events.push(event),
            Err(_) => garbage += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_tail_is_closed_and_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "{\"v\":1,\"t\":5,\"kind\":\"phase\",\"name\":\"a\"}\n{\"v\":1,\"t\":6,\"ki").unwrap();
        let (events, at, _) = read_events(&path, 0).unwrap();
        assert_eq!((events.len(), at), (1, 40));
        assert!(EventLog::open(&path).unwrap().append(Event::phase("b"), 7));
        let (events, _, garbage) = read_events(&path, at).unwrap();
        assert_eq!((events.len(), garbage), (1, 1));
        assert_eq!(events[0].event, Event::phase("b"));
    }
}
