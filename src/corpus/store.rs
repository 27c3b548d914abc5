//! A corpus on disk: `documents.jsonl` and `passages.jsonl`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Lines, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Document, Passage, Result};
use crate::workspace::Error;

pub(super) const DOCUMENTS: &str = "documents.jsonl";
pub(super) const PASSAGES: &str = "passages.jsonl";

/// An opened corpus.
#[derive(Debug, Clone)]
pub struct Corpus {
    folder: PathBuf,
}

impl Corpus {
    /// The corpus in a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        for name in [DOCUMENTS, PASSAGES] {
            let path = folder.join(name);
            std::fs::metadata(&path).map_err(Error::io("reading", path))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Its documents.
    pub fn documents(&self) -> Result<Vec<Document>> {
        Records::open(self.folder.join(DOCUMENTS))?.collect()
    }

    /// Its passages, one after the other.
    pub fn passages(&self) -> Result<Passages> {
        Ok(Passages(Records::open(self.folder.join(PASSAGES))?))
    }

    /// Its passages, all at once: for what ranks them.
    pub fn all_passages(&self) -> Result<Vec<Passage>> {
        self.passages()?.collect()
    }
}

/// The passages of a corpus, streamed.
#[derive(Debug)]
pub struct Passages(Records<Passage>);

impl Iterator for Passages {
    type Item = Result<Passage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

/// The records of a JSON-lines file that lapidary wrote: a broken line is an error.
#[derive(Debug)]
pub(super) struct Records<T> {
    path: PathBuf,
    lines: Lines<BufReader<File>>,
    line: usize,
    of: std::marker::PhantomData<T>,
}

impl<T> Records<T> {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(Error::io("reading", &path))?;
        Ok(Self { path, lines: BufReader::new(file).lines(), line: 0, of: std::marker::PhantomData })
    }
}

impl<T: DeserializeOwned> Iterator for Records<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.lines.next()?;
        self.line += 1;
        let record = text.map_err(Error::io("reading", &self.path)).and_then(|text| {
            serde_json::from_str(&text).map_err(|error| {
                let problem =
                    format!("line {}: {error}; read the documents again with `lapidary corpus refresh`", self.line);
                Error::malformed(&self.path, problem)
            })
        });
        Some(record.map_err(Into::into))
    }
}

/// Writes a JSON-lines file record by record.
pub(super) struct Writer {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Writer {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(Error::io("writing", &path))?;
        Ok(Self { path, out: BufWriter::with_capacity(1 << 16, file) })
    }

    pub(super) fn write(&mut self, record: &impl Serialize) -> Result<()> {
        let written = serde_json::to_writer(&mut self.out, record).map_err(std::io::Error::from);
        Ok(written.and_then(|()| self.out.write_all(b"\n")).map_err(Error::io("writing", &self.path))?)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        Ok(self.out.flush().map_err(Error::io("writing", &self.path))?)
    }
}
