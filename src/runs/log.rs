//! `events.jsonl`: one JSON object a line, appended whole.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::Result;
use crate::progress::Event;
use crate::workspace;

/// An event as it stands in the log. [`LoggedEvent::parse`] reads one many times faster than its `Deserialize`.
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
    torn: AtomicBool,
    fresh: bool,
}

impl EventLog {
    /// Opens a log for appending; a line that a crash tore is closed, so that the next one stands alone.
    pub fn open(path: &Path) -> Result<Self> {
        let opening = |error| workspace::Error::io("opening", path)(error);
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(opening)?;
        let fresh = file.seek(SeekFrom::End(0)).map_err(opening)? == 0;
        let mut torn = false;
        if !fresh {
            file.seek(SeekFrom::End(-1)).map_err(opening)?;
            let mut last = [0];
            file.read_exact(&mut last).map_err(opening)?;
            torn = last != *b"\n";
        }
        Ok(Self { file, lost: AtomicU64::new(0), torn: AtomicBool::new(torn), fresh })
    }

    /// Whether it was empty when it was opened: the run's first life.
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Appends one event. Returns `false` where it could not be written.
    pub fn append(&self, event: &Event, unix_ms: u64) -> bool {
        #[derive(Serialize)]
        struct Line<'a> {
            v: u32,
            t: u64,
            #[serde(flatten)]
            event: &'a Event,
        }
        let mut line = Vec::with_capacity(256);
        if self.torn.swap(false, Ordering::Relaxed) {
            line.push(b'\n');
        }
        if serde_json::to_writer(&mut line, &Line { v: 1, t: unix_ms, event }).is_err() {
            return false;
        }
        line.push(b'\n');
        // One write of one line: with O_APPEND no other writer can come between.
        let n = (&self.file).write(&line).unwrap_or(0);
        let written = n == line.len();
        if !written {
            // Half a line on a full disk must not spoil the next one.
            self.torn.store(n > 0, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    /// How many events could not be written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_tail_is_closed_before_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "{\"v\":1,\"t\":5,\"kind\":\"phase\",\"name\":\"a\"}\n{\"v\":1,\"t\":6,\"ki").unwrap();
        let log = EventLog::open(&path).unwrap();
        assert!(!log.is_fresh());
        assert!(log.append(&Event::phase("b"), 7) && log.append(&Event::phase("c"), 8));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[1], "{\"v\":1,\"t\":6,\"ki");
        assert_eq!(LoggedEvent::parse(lines[2].as_bytes()).unwrap().event, Event::phase("b"));
        assert_eq!(LoggedEvent::parse(lines[3].as_bytes()).unwrap().event, Event::phase("c"));
    }
}
