//! Where each passage stands in `passages.jsonl`: text is read only where it is shown.
//!
//! The index grows while it is used. Passages of a document are chained, so that a partial index answers for what it
//! has, and a file that deals passages of one document far apart does too: 24 bytes a passage.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ahash::AHashMap;
use serde::Deserialize;

use super::lines::LinesAt;
use super::{About, Answer, Outbox, Place, REMEDY, send, try_send, with_remedy};
use crate::corpus::{Document, Passage};
use crate::workspace::{Digest, Error};

/// Lines between two locks.
const CHUNK: usize = 512;
/// Between two words on how far it is.
const TELL: Duration = Duration::from_millis(200);
const NONE: u32 = u32::MAX;

/// An open corpus.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) reference: String,
    pub(super) digest: Digest,
    pub(super) documents: Arc<Vec<Document>>,
    passages: PathBuf,
    index: Mutex<Index>,
    closed: AtomicBool,
}

/// What is known of the passages.
#[derive(Debug, Default)]
struct Index {
    entries: Vec<Entry>,
    /// The first and the last passage of each document.
    ends: Vec<(u32, u32)>,
    complete: bool,
    /// Why it will never be complete.
    given_up: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    length: u32,
    document: u32,
    /// The next passage of its document.
    next: u32,
}

impl Index {
    fn add(&mut self, offset: u64, length: u32, document: u32) {
        let at = self.entries.len() as u32;
        self.entries.push(Entry { offset, length, document, next: NONE });
        let (first, last) = &mut self.ends[document as usize];
        if *first == NONE {
            *first = at;
        } else {
            self.entries[*last as usize].next = at;
        }
        *last = at;
    }

    fn entry(&self, place: Place) -> Option<Entry> {
        let mut at = self.ends.get(place.document)?.0;
        for _ in 0..place.nth {
            at = self.entries.get(at as usize)?.next;
        }
        self.entries.get(at as usize).copied()
    }
}

/// What came of looking for a passage.
#[derive(Debug)]
pub(super) enum Lookup {
    /// It is here.
    Found(Passage),
    /// The index has not come so far.
    NotYet,
    /// Why it cannot be shown.
    Failed(String),
}

/// What is read of a passage to know whose it is. The rest of the line is checked and left out.
#[derive(Deserialize)]
struct Owner<'l> {
    #[serde(borrow)]
    document: Cow<'l, str>,
}

/// What is read of a passage to count it or to look for a word.
#[derive(Deserialize)]
pub(super) struct Content<'l> {
    #[serde(borrow)]
    pub(super) document: Cow<'l, str>,
    #[serde(borrow)]
    pub(super) text: Cow<'l, str>,
}

impl Opened {
    pub(super) fn new(reference: String, folder: &Path, digest: Digest, documents: Arc<Vec<Document>>) -> Self {
        let index = Index { ends: vec![(NONE, NONE); documents.len()], ..Index::default() };
        Self {
            reference,
            digest,
            documents,
            passages: folder.join("passages.jsonl"),
            index: Mutex::new(index),
            closed: AtomicBool::new(false),
        }
    }

    /// Says that nobody looks at it any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn lines(&self) -> Result<LinesAt, String> {
        LinesAt::open(&self.passages)
    }

    /// The documents' places by their ids.
    pub(super) fn places(&self) -> AHashMap<&str, u32> {
        self.documents.iter().zip(0..).map(|(document, at)| (document.id.as_str(), at)).collect()
    }

    /// What is wrong with a line.
    pub(super) fn bad_line(&self, number: usize, problem: impl std::fmt::Display) -> String {
        format!("{}:{number}: {problem}; this passage is left out; {REMEDY}", self.passages.display())
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // An index that panicked while it grew holds what it had.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says why the index stays as it is.
    pub(super) fn give_up(&self, text: String, outbox: &Outbox) {
        self.lock().given_up = Some(text.clone());
        send(outbox, Answer::Failed { about: About::Lines, text });
    }

    /// Finds every passage.
    pub(super) fn index_all(&self, outbox: &Outbox) {
        match self.read_all(outbox) {
            Ok(torn) => {
                let passages = {
                    let mut index = self.lock();
                    index.complete = true;
                    index.entries.shrink_to_fit();
                    index.entries.len()
                };
                if let Some((count, first)) = torn {
                    let more = if count > 1 { format!(" (and {} lines more)", count - 1) } else { String::new() };
                    send(outbox, Answer::Failed { about: About::Lines, text: first + &more });
                }
                send(outbox, Answer::Indexed { corpus: self.reference.clone(), passages, complete: true });
            }
            Err(text) => self.give_up(text, outbox),
        }
    }

    /// The number of lines left out, and what is wrong with the first of them.
    fn read_all(&self, outbox: &Outbox) -> Result<Option<(usize, String)>, String> {
        let places = self.places();
        let mut lines = self.lines()?;
        let mut torn: Option<(usize, String)> = None;
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut told = Instant::now();
        while let Some(line) = lines.next()? {
            let owner: Result<Owner<'_>, _> = serde_json::from_slice(line.bytes);
            let document = owner.as_ref().ok().and_then(|owner| places.get(&*owner.document).copied());
            if let (Some(document), Ok(length)) = (document, u32::try_from(line.bytes.len())) {
                chunk.push((line.offset, length, document));
            } else {
                let problem = match owner {
                    Err(error) => error.to_string(),
                    Ok(owner) => format!("no document {:?} in documents.jsonl", owner.document),
                };
                let problem = self.bad_line(line.number, problem);
                torn.get_or_insert((0, problem)).0 += 1;
            }
            if chunk.len() == CHUNK {
                let passages = self.take(&mut chunk);
                if self.is_closed() {
                    return Ok(None);
                }
                if told.elapsed() > TELL {
                    told = Instant::now();
                    try_send(outbox, Answer::Indexed { corpus: self.reference.clone(), passages, complete: false });
                }
            }
        }
        self.take(&mut chunk);
        Ok(torn)
    }

    fn take(&self, chunk: &mut Vec<(u64, u32, u32)>) -> usize {
        let mut index = self.lock();
        for (offset, length, document) in chunk.drain(..) {
            index.add(offset, length, document);
        }
        index.entries.len()
    }

    /// Reads a passage.
    pub(super) fn passage(&self, place: Place) -> Lookup {
        let entry = {
            let index = self.lock();
            match (index.entry(place), &index.given_up) {
                (Some(entry), _) => entry,
                (None, Some(text)) => return Lookup::Failed(text.clone()),
                (None, None) if !index.complete => return Lookup::NotYet,
                (None, None) => {
                    let path = self.documents.get(place.document).map_or("", |document| document.path.as_str());
                    let text = format!(
                        "{}: passage {} of {path} is not in it; {REMEDY}",
                        self.passages.display(),
                        place.nth + 1
                    );
                    return Lookup::Failed(text);
                }
            }
        };
        match self.read(entry) {
            Ok(passage) => Lookup::Found(passage),
            Err(text) => Lookup::Failed(with_remedy(&text)),
        }
    }

    fn read(&self, entry: Entry) -> Result<Passage, String> {
        let path = &self.passages;
        let told = |error| Error::io("reading", path)(error).to_string();
        let mut file = File::open(path).map_err(told)?;
        file.seek(SeekFrom::Start(entry.offset)).map_err(told)?;
        let mut bytes = vec![0; entry.length as usize];
        file.read_exact(&mut bytes).map_err(told)?;
        let passage: Result<Passage, _> = serde_json::from_slice(&bytes);
        match passage {
            Ok(passage) if self.documents[entry.document as usize].id == passage.document => Ok(passage),
            _ => Err(format!("{}: it changed since the workbench read it", path.display())),
        }
    }

    /// The next passage after a place that holds a word with no letter or digit beside it; then from the beginning.
    pub(super) fn find(&self, word: &str, after: Place) -> Result<Option<Place>, String> {
        // As it stands in the file: quotes and backslashes are escaped, letters are not.
        let written = serde_json::to_string(word).unwrap_or_default();
        let written = written.trim_matches('"');
        let places = self.places();
        let mut nth = vec![0; self.documents.len()];
        let (mut first, mut passed) = (None, false);
        let mut lines = self.lines()?;
        while let Some(line) = lines.next()? {
            if self.is_closed() {
                return Ok(None);
            }
            let Ok(owner) = serde_json::from_slice::<Owner<'_>>(line.bytes) else { continue };
            let Some(document) = places.get(&*owner.document).map(|at| *at as usize) else { continue };
            let place = Place { document, nth: nth[document] };
            nth[document] += 1;
            let near = std::str::from_utf8(line.bytes).is_ok_and(|line| line.contains(written));
            // Behind the first of all only the first behind the place can be better.
            if near && (passed || first.is_none()) && holds(line.bytes, word) {
                if passed {
                    return Ok(Some(place));
                }
                first = Some(place);
            }
            passed |= place == after;
        }
        Ok(first)
    }
}

fn holds(line: &[u8], word: &str) -> bool {
    let Ok(content) = serde_json::from_slice::<Content<'_>>(line) else { return false };
    content.text.split_whitespace().any(|found| super::bare(found) == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_of_a_document_need_not_stand_together() {
        let mut index = Index { ends: vec![(NONE, NONE); 2], ..Index::default() };
        for (offset, document) in [(0, 0), (10, 1), (20, 0), (30, 0)] {
            index.add(offset, 9, document);
        }
        let offset = |document, nth| index.entry(Place { document, nth }).map(|entry| entry.offset);
        assert_eq!([offset(0, 0), offset(0, 1), offset(0, 2), offset(0, 3)], [Some(0), Some(20), Some(30), None]);
        assert_eq!([offset(1, 0), offset(1, 1), offset(7, 0)], [Some(10), None, None]);
        assert_eq!(size_of::<Entry>(), 24);
    }
}
