//! Following an event log: the new whole lines since the last look, a bounded number at a time.
//!
//! A tail holds a byte offset and no file: the log is opened anew at each look, so that a network file system shows
//! what others wrote. It never holds more of the log than one batch, and no line in it can end the reading.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{LoggedEvent, Result, RunFolder};
use crate::workspace;

/// A line longer than this is no event, whatever it says; reading it would only fill the memory.
const LONGEST_LINE: u64 = 16 << 20;
/// Bytes read at once.
const BUFFER: usize = 256 << 10;
/// Lines between two looks at the clock.
const LINES_PER_LOOK: usize = 64;

/// What came since the last look.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events, in order. A kind that this version does not know is `Event::Unknown`.
    pub events: Vec<LoggedEvent>,
    /// Whole lines that are no events.
    pub garbage: usize,
    /// Whether the log is another than before (shorter, or replaced): the events are from its beginning, and whatever
    /// was made of the earlier ones no longer holds.
    pub reloaded: bool,
    /// Whether the look ended at its limit, not at the end of the log.
    pub more: bool,
}

/// A reader of a run's event log.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    /// After the last line feed that was read.
    offset: u64,
    identity: Option<u64>,
    /// In the middle of a line that is too long.
    skipping: bool,
}

impl Tail {
    /// A reader from the log's beginning; the log need not be there yet.
    pub fn open(run: &RunFolder) -> Self {
        Self::at(run.events(), 0)
    }

    /// A reader of what comes after now: only lines that are not written yet.
    pub(super) fn at_end(run: &RunFolder) -> Self {
        let path = run.events();
        let offset = std::fs::metadata(&path).map_or(0, |data| data.len());
        Self::at(path, offset)
    }

    fn at(path: PathBuf, offset: u64) -> Self {
        Self { path, offset, identity: None, skipping: false }
    }

    /// Reads whole lines until there are `max_events` events, or `max_time` has passed, or the log ends.
    pub fn poll(&mut self, max_events: usize, max_time: Duration) -> Result<Batch> {
        let mut batch = Batch::default();
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                batch.reloaded = self.offset > 0;
                self.restart(None);
                return Ok(batch);
            }
            Err(error) => return Err(workspace::Error::io("reading", &self.path)(error).into()),
        };
        let reading = |error| workspace::Error::io("reading", &self.path)(error);
        let data = file.metadata().map_err(reading)?;
        let identity = identity(&data);
        let replaced = self.identity.is_some() && self.identity != identity;
        if replaced || data.len() < self.offset {
            batch.reloaded = true;
            self.restart(identity);
        }
        self.identity = identity;
        if data.len() == self.offset {
            return Ok(batch);
        }
        self.read(file, &mut batch, max_events, max_time)?;
        Ok(batch)
    }

    fn restart(&mut self, identity: Option<u64>) {
        (self.offset, self.identity, self.skipping) = (0, identity, false);
    }

    fn read(&mut self, mut file: File, batch: &mut Batch, max_events: usize, max_time: Duration) -> Result<()> {
        let reading = |error| workspace::Error::io("reading", &self.path)(error);
        file.seek(SeekFrom::Start(self.offset)).map_err(reading)?;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let (begun, mut line) = (Instant::now(), Vec::new());
        for number in 1_usize.. {
            line.clear();
            let n = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(reading)? as u64;
            let whole = line.last() == Some(&b'\n');
            if !whole && n < LONGEST_LINE {
                // The end of the log, perhaps in the middle of a line that is being written.
                return Ok(());
            }
            self.offset += n;
            match (whole, self.skipping) {
                (false, _) => self.skipping = true,
                (true, true) => {
                    self.skipping = false;
                    batch.garbage += 1;
                }
                (true, false) => match LoggedEvent::parse(&line) {
                    Ok(event) => batch.events.push(event),
                    Err(_) if line.iter().all(u8::is_ascii_whitespace) => {}
                    Err(_) => batch.garbage += 1,
                },
            }
            let late = number.is_multiple_of(LINES_PER_LOOK) && begun.elapsed() >= max_time;
            if batch.events.len() >= max_events || late {
                batch.more = true;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// What tells a file from another of the same name.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn identity(data: &std::fs::Metadata) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Some(data.ino())
}

#[cfg(not(unix))]
fn identity(_data: &std::fs::Metadata) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::progress::{Event, peak_rss_mib};

    const LONG: Duration = Duration::from_mins(10);

    struct Log {
        _folder: tempfile::TempDir,
        path: PathBuf,
        tail: Tail,
    }

    impl Log {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("events.jsonl");
            std::fs::write(&path, text).unwrap();
            Self { tail: Tail::at(path.clone(), 0), path, _folder: folder }
        }

        fn append(&self, text: &str) {
            File::options().append(true).open(&self.path).unwrap().write_all(text.as_bytes()).unwrap();
        }

        fn poll(&mut self, max: usize) -> (Vec<String>, usize, bool, bool) {
            let batch = self.tail.poll(max, LONG).unwrap();
            let names = batch.events.into_iter().map(|logged| match logged.event {
                Event::Phase { name } => name,
                other => format!("{other:?}"),
            });
            (names.collect(), batch.garbage, batch.reloaded, batch.more)
        }
    }

    fn phase(name: &str) -> String {
        format!("{{\"v\":1,\"t\":5,\"kind\":\"phase\",\"name\":\"{name}\"}}\n")
    }

    fn seen(names: &[&str], garbage: usize, reloaded: bool, more: bool) -> (Vec<String>, usize, bool, bool) {
        (names.iter().map(|&name| name.to_owned()).collect(), garbage, reloaded, more)
    }

    #[test]
    fn only_whole_lines_are_read_and_bad_ones_are_counted() {
        let mut log = Log::new(&format!("{}\u{fffd} no event\n{{\"v\":1}}\n\n{{\"v\":1,\"t\":6,\"kin", phase("a")));
        assert_eq!(log.poll(100), seen(&["a"], 2, false, false));
        assert_eq!(log.poll(100), seen(&[], 0, false, false), "a torn line waits for its end");
        log.append("d\":\"phase\",\"name\":\"b\"}\n");
        assert_eq!(log.poll(100), seen(&["b"], 0, false, false));
        log.append("{\"v\":1,\"t\":6,\"kind\":\"hologram\",\"depth\":3}\n");
        assert_eq!(log.poll(100), seen(&["Unknown"], 0, false, false), "a newer kind is no garbage");
        let bytes = [b"\xff\xfe\n".as_slice(), phase("c").as_bytes()].concat();
        File::options().append(true).open(&log.path).unwrap().write_all(&bytes).unwrap();
        assert_eq!(log.poll(100), seen(&["c"], 1, false, false));
    }

    #[test]
    fn a_look_is_bounded_and_the_next_goes_on() {
        let mut log = Log::new(&["a", "b", "c"].map(phase).concat());
        assert_eq!(log.poll(2), seen(&["a", "b"], 0, false, true));
        assert_eq!(log.poll(2), seen(&["c"], 0, false, false));
        let mut log = Log::new(&phase("a").repeat(1000));
        let batch = log.tail.poll(usize::MAX, Duration::ZERO).unwrap();
        assert_eq!((batch.events.len(), batch.more), (LINES_PER_LOOK, true), "no time, no more");
    }

    #[test]
    fn a_log_that_was_cut_or_replaced_is_read_again() {
        let mut log = Log::new(&["a", "b"].map(phase).concat());
        log.poll(100);
        std::fs::write(&log.path, phase("c")).unwrap();
        assert_eq!(log.poll(100), seen(&["c"], 0, true, false));
        let other = log.path.with_extension("new");
        std::fs::write(&other, ["d", "e"].map(phase).concat()).unwrap();
        std::fs::rename(&other, &log.path).unwrap();
        assert_eq!(log.poll(100), seen(&["d", "e"], 0, true, false));
        std::fs::remove_file(&log.path).unwrap();
        assert_eq!(log.poll(100), seen(&[], 0, true, false));
        assert_eq!(log.poll(100), seen(&[], 0, false, false), "a log that is not there yet is empty");
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let mut log = Log::new(&phase("a"));
        let mut file = File::options().append(true).open(&log.path).unwrap();
        let block = vec![b'x'; LONGEST_LINE as usize / 2];
        for _ in 0..5 {
            file.write_all(&block).unwrap();
        }
        assert_eq!(log.poll(100), seen(&["a"], 0, false, false));
        log.append(&format!("x\n{}", phase("b")));
        assert_eq!(log.poll(100), seen(&["b"], 1, false, false));
    }

    /// Not timed: the figures are printed for whoever asks (`--nocapture`). What holds is that every event arrives, in
    /// batches, and that the memory does not follow the log's size.
    #[test]
    fn a_hundred_thousand_steps_are_read_in_batches() {
        const STEPS: u64 = 100_000;
        let mut log = Log::new("");
        let mut file = std::io::BufWriter::new(File::options().append(true).open(&log.path).unwrap());
        for step in 1..=STEPS {
            let x = (step as f64).sqrt();
            let values = [
                ("loss", 1.0 / x),
                ("learning_rate", 2e-5 / x),
                ("gradient_norm", x),
                ("tokens_per_s", 7e3 + x),
                ("pairs_per_s", 30.0 + x / 7.0),
            ];
            let scalar = Event::Scalar { step, values: values.into() };
            for event in [scalar, Event::progress(step as usize, Some(STEPS as usize), "steps")] {
                let logged = LoggedEvent { v: 1, t: 1_800_000_000_000 + step, event };
                serde_json::to_writer(&mut file, &logged).unwrap();
                file.write_all(b"\n").unwrap();
            }
        }
        file.flush().unwrap();
        let before = peak_rss_mib();
        let (begun, mut read, mut batches) = (Instant::now(), 0, 0);
        loop {
            let batch = log.tail.poll(2000, Duration::from_millis(50)).unwrap();
            assert!(batch.events.len() <= 2000 && batch.garbage == 0);
            (read, batches) = (read + batch.events.len() as u64, batches + 1);
            if !batch.more {
                break;
            }
        }
        assert_eq!(read, 2 * STEPS);
        println!(
            "{read} events, {:.1} MB: {:?} in {batches} looks; peak memory {before:?} MiB before, {:?} MiB after",
            std::fs::metadata(&log.path).unwrap().len() as f64 / 1e6,
            begun.elapsed(),
            peak_rss_mib()
        );
    }
}
