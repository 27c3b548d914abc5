//! The lines of a file with their place in it, read into one buffer.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use crate::workspace::Error;

/// A line.
#[derive(Debug)]
pub(super) struct Line<'b> {
    /// Its number, from 1.
    pub(super) number: usize,
    /// Where it begins, in bytes.
    pub(super) offset: u64,
    /// What it holds, without its line feed.
    pub(super) bytes: &'b [u8],
}

/// The lines of a file.
#[derive(Debug)]
pub(super) struct LinesAt {
    path: PathBuf,
    reader: BufReader<File>,
    buffer: Vec<u8>,
    number: usize,
    offset: u64,
}

impl LinesAt {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| told(path, error))?;
        let reader = BufReader::with_capacity(1 << 18, file);
        Ok(Self { path: path.to_owned(), reader, buffer: Vec::new(), number: 0, offset: 0 })
    }

    /// The next line that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, String> {
        loop {
            self.buffer.clear();
            let offset = self.offset;
            let read = self.reader.read_until(b'\n', &mut self.buffer).map_err(|error| told(&self.path, error))?;
            if read == 0 {
                return Ok(None);
            }
            self.offset += read as u64;
            self.number += 1;
            let length = self.buffer.strip_suffix(b"\n").map_or(read, <[u8]>::len);
            if self.buffer[..length].iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Ok(Some(Line { number: self.number, offset, bytes: &self.buffer[..length] }));
        }
    }
}

fn told(path: &Path, error: io::Error) -> String {
    super::with_remedy(&Error::io("reading", path)(error).to_string())
}
