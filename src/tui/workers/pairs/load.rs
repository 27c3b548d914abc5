//! Reading a set: its rows once, its passages once; of the passages only ids, titles and places are kept.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Item, Kept, Marked, Passage, Place, Set};
use crate::corpus::Fold;
use crate::pairs::{BROKEN_LINE, Reviews, Row};
use crate::workspace::{Kind, Workspace};

/// Damaged lines that are named; the others are counted.
const NAMED: usize = 20;
/// Between a document's path and the headings of a passage.
const CHEVRON: &str = " › ";

/// Lines that could not be read, and files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// The first of them: file, line, what is wrong.
    pub named: Vec<String>,
    /// How many there are.
    pub count: usize,
}

impl Damage {
    fn line(&mut self, path: &Path, line: usize, problem: &str) {
        // The parser sees one line: its own line number would mislead.
        let problem = problem.split(" at line ").next().unwrap_or_default();
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        self.add(format!("{file}:{line}: {problem}"));
    }

    fn add(&mut self, text: String) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(text);
        }
    }
}

/// An open set: where its files are.
#[derive(Debug)]
pub(super) struct Opened {
    reference: String,
    pub(super) folder: PathBuf,
    pub(super) passages: PathBuf,
}

/// The fields of a row that are shown. Its texts are left where they are.
#[derive(Deserialize)]
pub(super) struct LeanRow {
    #[serde(default)]
    query_id: String,
    pub(super) query: String,
    pub(super) positives: Vec<String>,
    #[serde(default)]
    source: String,
    /// Only which ids have a text: serde needs a map for that.
    #[allow(clippy::zero_sized_map_values)]
    #[serde(default)]
    pub(super) texts: BTreeMap<String, IgnoredAny>,
    #[serde(default)]
    reason: Option<String>,
}

impl LeanRow {
    /// The passages it asks for, and whether it is asked of an altered text of each.
    pub(super) fn passages(&self) -> impl Iterator<Item = (&str, bool)> {
        self.positives.iter().map(|id| {
            let passage = Row::passage_of(id, self.texts.contains_key(id));
            (passage, passage != id)
        })
    }
}

/// A line of `rejected.jsonl` that is a row, or one that tells of a line that could not be imported.
#[derive(Deserialize)]
struct LeanReason {
    reason: String,
}

/// The fields of a passage that are kept.
#[derive(Deserialize)]
pub(super) struct LeanPassage {
    pub(super) id: String,
    #[serde(default)]
    document: String,
    #[serde(default)]
    heading: Vec<String>,
    pub(super) fold: Fold,
}

#[derive(Deserialize)]
struct LeanDocument {
    id: String,
    path: String,
}

#[derive(Deserialize)]
pub(super) struct Text {
    pub(super) text: String,
}

impl Opened {
    /// Reads a set.
    pub(super) fn read(workspace: &Workspace, reference: &str) -> Result<(Self, Set), String> {
        let artifact = workspace.resolve(Kind::Pairs, reference).map_err(|error| error.to_string())?;
        let of_corpus = artifact.manifest.inputs.iter().find(|input| input.role == "corpus");
        let corpus = match of_corpus.map(|input| workspace.resolve(Kind::Corpus, &input.reference)) {
            Some(Ok(corpus)) => corpus,
            // The version that it was made from is gone: the newest holds most of its passages.
            _ => workspace.newest(Kind::Corpus).map_err(|error| error.to_string())?,
        };
        let opened = Self {
            reference: reference.to_owned(),
            folder: artifact.path.clone(),
            passages: corpus.file("passages.jsonl"),
        };
        let mut builder = Builder::default();
        for kept in [Kept::Train, Kept::Dev, Kept::Rejected] {
            builder.rows(&opened.file(kept), kept)?;
        }
        builder.places(&corpus.file("documents.jsonl"), &opened.passages)?;
        let reviews = Reviews::read(workspace.root(), reference).map_err(|error| error.to_string())?;
        for broken in &reviews.broken {
            builder.set.damage.line(Path::new(&broken.file), broken.line, &broken.problem);
        }
        reference.clone_into(&mut builder.set.reference);
        builder.set.corpus = corpus.id.to_string();
        Ok((opened, builder.finish(&reviews)))
    }

    pub(super) fn reference(&self) -> &str {
        &self.reference
    }

    pub(super) fn file(&self, kept: Kept) -> PathBuf {
        self.folder.join(match kept {
            Kept::Train => "train.jsonl",
            Kept::Dev => "dev.jsonl",
            Kept::Rejected => "rejected.jsonl",
        })
    }

    /// The text at a place.
    pub(super) fn text(&self, place: Place) -> Result<String, String> {
        #[derive(Deserialize)]
        struct Texts {
            positives: Vec<String>,
            texts: BTreeMap<String, String>,
        }
        let gone = || {
            "the corpus does not hold this passage: the documents changed since the pairs were made; make them again"
                .to_owned()
        };
        match place {
            Place::Gone => Err(gone()),
            Place::Corpus(at) => {
                let line = line_at(&self.passages, at)?;
                let passage: Result<Text, _> = serde_json::from_slice(&line);
                passage.map(|passage| passage.text).map_err(|error| format!("{}: {error}", self.passages.display()))
            }
            Place::Row(kept, at) => {
                let path = self.file(kept);
                let row: Texts = serde_json::from_slice(&line_at(&path, at)?)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                let mut texts = row.texts;
                row.positives.iter().find_map(|id| texts.remove(id)).ok_or_else(gone)
            }
        }
    }
}

/// The line that begins at a byte of a file.
fn line_at(path: &Path, at: u64) -> Result<Vec<u8>, String> {
    let read = || {
        let mut file = BufReader::new(File::open(path)?);
        file.seek(SeekFrom::Start(at))?;
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line)?;
        Ok(line)
    };
    read().map_err(|error: std::io::Error| format!("reading {}: {error}", path.display()))
}

/// Calls `each` for every line of a file that is not blank: the byte at which it begins, its number from 1, its bytes.
pub(super) fn lines(path: &Path, mut each: impl FnMut(u64, usize, &[u8])) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("reading {}: {error}", path.display());
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let (mut at, mut line) = (0, Vec::new());
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(failed)?;
        if read == 0 {
            break;
        }
        let bytes = line.trim_ascii();
        if !bytes.is_empty() {
            each(at, number, bytes);
        }
        at += read as u64;
    }
    Ok(())
}

/// A set under construction.
#[derive(Default)]
struct Builder {
    set: Set,
    words: HashMap<Arc<str>, u16>,
    /// By passage id: its place in `found`.
    of_passage: HashMap<Arc<str>, u32>,
    found: Vec<Found>,
    items: Vec<(u32, Item)>,
}

/// A passage that rows name.
struct Found {
    id: Arc<str>,
    title: Option<Arc<str>>,
    /// Its place in the corpus, for the order.
    order: u64,
    place: Place,
}

impl Builder {
    fn rows(&mut self, path: &Path, kept: Kept) -> Result<(), String> {
        lines(path, |at, number, bytes| {
            let row = match serde_json::from_slice::<LeanRow>(bytes) {
                Ok(row) => row,
                Err(error) => {
                    let reason = serde_json::from_slice::<LeanReason>(bytes).ok();
                    if kept == Kept::Rejected && reason.is_some_and(|line| line.reason == BROKEN_LINE) {
                        *self.set.rejected.entry(BROKEN_LINE.to_owned()).or_insert(0) += 1;
                    } else {
                        self.set.damage.line(path, number, &error.to_string());
                    }
                    return;
                }
            };
            if row.positives.is_empty() {
                self.set.damage.line(path, number, "no passage answers it");
                return;
            }
            self.row(&row, kept, at);
        })
    }

    fn row(&mut self, row: &LeanRow, kept: Kept, at: u64) {
        let reason = match kept {
            Kept::Train => {
                self.set.train += 1;
                None
            }
            Kept::Dev => {
                self.set.dev += 1;
                None
            }
            Kept::Rejected => {
                let reason = row.reason.as_deref().unwrap_or("no reason given");
                *self.set.rejected.entry(reason.to_owned()).or_insert(0) += 1;
                Some(self.word(reason))
            }
        };
        let source = self.word(&row.source);
        let (query_id, query): (Arc<str>, Arc<str>) = (row.query_id.as_str().into(), row.query.as_str().into());
        for (passage, altered) in row.passages() {
            let has_text = row.texts.contains_key(passage);
            let found = self.passage(passage);
            if has_text && self.found[found as usize].place == Place::Gone {
                self.found[found as usize].place = Place::Row(kept, at);
            }
            let (query_id, query) = (Arc::clone(&query_id), Arc::clone(&query));
            self.items.push((found, Item { query_id, query, source, reason, kept, altered, mark: None }));
        }
    }

    fn word(&mut self, word: &str) -> u16 {
        if let Some(at) = self.words.get(word) {
            return *at;
        }
        // Sources are few: titles, headings, file names. Whatever comes after so many shares the last one's name.
        let at = self.set.words.len().min(usize::from(u16::MAX)) as u16;
        let word: Arc<str> = word.into();
        if self.set.words.len() < usize::from(u16::MAX) {
            self.set.words.push(Arc::clone(&word));
        }
        self.words.insert(word, at);
        at
    }

    fn passage(&mut self, id: &str) -> u32 {
        if let Some(at) = self.of_passage.get(id) {
            return *at;
        }
        let (at, id): (u32, Arc<str>) = (self.found.len() as u32, id.into());
        self.of_passage.insert(Arc::clone(&id), at);
        self.found.push(Found { id, title: None, order: u64::MAX, place: Place::Gone });
        at
    }

    /// Finds the passages in the corpus.
    fn places(&mut self, documents: &Path, passages: &Path) -> Result<(), String> {
        let mut paths: HashMap<String, String> = HashMap::new();
        let damage = &mut self.set.damage;
        lines(documents, |_, number, bytes| match serde_json::from_slice::<LeanDocument>(bytes) {
            Ok(document) => {
                paths.insert(document.id, document.path);
            }
            Err(error) => damage.line(documents, number, &error.to_string()),
        })?;
        lines(passages, |at, number, bytes| match serde_json::from_slice::<LeanPassage>(bytes) {
            Ok(passage) => {
                let Some(found) = self.of_passage.get(passage.id.as_str()) else { return };
                let found = &mut self.found[*found as usize];
                let path = paths.get(&passage.document).map_or(passage.document.as_str(), String::as_str);
                // In retrieval sets a document is its title.
                let headings = passage.heading.iter().map(String::as_str).filter(|part| *part != path);
                let parts = std::iter::once(path).chain(headings);
                found.title = Some(parts.collect::<Vec<_>>().join(CHEVRON).into());
                (found.order, found.place) = (at, Place::Corpus(at));
            }
            Err(error) => damage.line(passages, number, &error.to_string()),
        })
    }

    /// Groups the questions by passage and lays the reviews over them.
    fn finish(mut self, reviews: &Reviews) -> Set {
        let mut order: Vec<u32> = (0..self.found.len() as u32).collect();
        // Stable: what is in no document keeps the order of the rows.
        order.sort_by_key(|at| self.found[*at as usize].order);
        let mut rank = vec![0; order.len()];
        for (place, at) in order.iter().enumerate() {
            rank[*at as usize] = place as u32;
        }
        // Kept ones come first: files are read in that order, and the sort is stable.
        self.items.sort_by_key(|(passage, _)| rank[*passage as usize]);
        let mut items = self.items.into_iter().peekable();
        let set = &mut self.set;
        for at in order {
            let found = &self.found[at as usize];
            let begin = set.items.len() as u32;
            let (mut kept, mut rejected) = (0, 0);
            let title = found.title.clone().unwrap_or_else(|| Arc::clone(&found.id));
            let mut haystack = title.to_lowercase();
            while let Some((_, mut item)) = items.next_if(|(passage, _)| *passage == at) {
                kept += u32::from(item.reason.is_none());
                rejected += u32::from(item.reason.is_some());
                if let Some(mark) = reviews.get(&item.query_id, &found.id) {
                    let query = mark.query.as_deref().map(Arc::from);
                    item.mark = Some(Marked { accepted: mark.accepted, query });
                }
                haystack.push(' ');
                haystack.push_str(&item.query.to_lowercase());
                set.items.push(item);
            }
            set.passages.push(Passage {
                id: Arc::clone(&found.id),
                title,
                place: found.place,
                items: begin..set.items.len() as u32,
                kept,
                rejected,
                haystack: haystack.into(),
            });
        }
        self.set
    }
}
