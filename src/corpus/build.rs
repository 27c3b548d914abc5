//! Building a corpus: files in, `documents.jsonl` and `passages.jsonl` out.
//!
//! Two passes. The first reads, cuts and writes passages as they come, and keeps a signature of each. Then clusters and
//! folds are known, and the second copies the passages with theirs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::blocks::Block;
use super::decode::{Unreadable, examine};
use super::duplicates::{Signature, clusters, signature};
use super::folds::{Ties, folds_by_cluster};
use super::formats::{BadLine, Format, Sink, read};
use super::passages::{Cut, Cutter};
use super::questions::{self, FixedFolds};
use super::store::{Corpus, DOCUMENTS, PASSAGES, Records, Writer};
use super::text::words;
use super::{Document, Error, Fold, Passage, Result, beir, walk};
use crate::progress::{Event, Observer};
use crate::settings::CorpusSettings;
use crate::workspace::{Source, short_id};

/// Why a table of questions is not read as a document.
const QUESTIONS_TABLE: &str = "a table of questions, not a document: name it with --questions to use it";

/// A file, or a line of one, that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The file.
    pub path: String,
    /// The line, from 1; none: the whole file.
    pub line: Option<usize>,
    /// Why.
    pub reason: String,
}

/// A file that was not in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoded {
    /// The file.
    pub path: String,
    /// The encoding that was found.
    pub encoding: String,
}

/// Documents in each fold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldCounts {
    /// To train on.
    pub train: usize,
    /// To choose by.
    pub dev: usize,
    /// To test on.
    pub test: usize,
}

/// What a corpus holds, and what was left out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Documents.
    pub documents: usize,
    /// Passages.
    pub passages: usize,
    /// Words, separated by white space.
    pub words: usize,
    /// Documents in each fold.
    pub folds: FoldCounts,
    /// Passages that say almost the same as one before them.
    pub near_duplicates: usize,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// What was not in UTF-8.
    pub decoded: Vec<Decoded>,
}

/// Reads a source into a folder. A document that `previous` knows, by content or by path, keeps its fold, unless a table of
/// the settings fixes another.
pub fn build(
    source: &Source,
    settings: &CorpusSettings,
    previous: Option<&Corpus>,
    to: &Path,
    observer: &dyn Observer,
) -> Result<Summary> {
    // Before the documents: a table that cannot be read costs no time.
    let tables = [(&settings.folds, true), (&settings.questions, false)];
    let tables = tables.into_iter().filter_map(|(table, wanted)| Some((Path::new(table.as_ref()?), wanted)));
    let fixed = tables.map(|(table, wanted)| FixedFolds::read(table, wanted)).collect::<Result<Vec<_>>>()?;
    let scratch = to.join("passages.unsorted");
    let mut builder = Builder::new(&scratch)?;
    let judged = match source {
        Source::Corpus(paths) => {
            read_files(paths, settings, &mut builder, observer)?;
            None
        }
        Source::Beir(folder) => Some(read_beir(folder, settings, &mut builder, observer)?),
    };
    if builder.signatures.is_empty() {
        return Err(empty(source, &builder.summary.skipped));
    }
    let Builder { mut documents, signatures, counts, mut summary, out, .. } = builder;
    out.finish()?;

    observer.on(Event::phase("find near-duplicates"));
    let clusters = clusters(&signatures, settings.duplicate_threshold);
    drop(signatures);
    summary.near_duplicates = clusters.iter().enumerate().filter(|(at, cluster)| **cluster as usize != *at).count();
    let folds = if let Some(folds) = judged {
        documents.iter().map(|document| folds.get(&document.path).copied().unwrap_or(Fold::Train)).collect()
    } else {
        fixed.iter().try_for_each(|table| table.check(&documents))?;
        let ties = Ties::new(&documents, &clusters, &counts);
        folds_by_cluster(&documents, ties, &fixed, settings, previous, observer)?
    };
    for (document, fold) in documents.iter_mut().zip(&folds) {
        document.fold = *fold;
        match fold {
            Fold::Train => summary.folds.train += 1,
            Fold::Dev => summary.folds.dev += 1,
            Fold::Test => summary.folds.test += 1,
        }
    }

    let mut out = Writer::create(to.join(PASSAGES))?;
    let mut place = 0;
    let by_id: HashMap<&str, Fold> = documents.iter().map(|document| (document.id.as_str(), document.fold)).collect();
    for passage in Records::<Passage>::open(scratch.clone())? {
        let mut passage = passage?;
        passage.cluster = clusters[place];
        passage.fold = by_id.get(passage.document.as_str()).copied().unwrap_or(Fold::Train);
        out.write(&passage)?;
        place += 1;
    }
    out.finish()?;
    std::fs::remove_file(&scratch).map_err(crate::workspace::Error::io("removing", &scratch))?;
    let mut out = Writer::create(to.join(DOCUMENTS))?;
    documents.iter().try_for_each(|document| out.write(document))?;
    out.finish()?;
    (summary.documents, summary.passages) = (documents.len(), place);
    summary.words = documents.iter().map(|document| document.words).sum();
    Ok(summary)
}

/// Reads files of any format and hands over each one's text, paragraph by paragraph, without cutting it into passages.
pub fn for_each_text(
    paths: &[PathBuf],
    observer: &dyn Observer,
    each: &mut dyn FnMut(&str, &str),
) -> Result<Vec<Skipped>> {
    let files = walk::files(paths)?;
    let mut skipped = Vec::new();
    let mut seen = 0;
    for (at, file) in files.iter().enumerate() {
        if observer.stop_requested() {
            return Err(Error::Stopped);
        }
        match examine(&file.path) {
            Ok(examined) if questions::is_table(&file.path, &examined) => {
                skipped.push(skip(observer, &file.shown, None, QUESTIONS_TABLE.to_owned()));
            }
            Ok(examined) => {
                let mut sink = WholeText { text: String::new(), bad: Vec::new() };
                read(&file.path, Format::of(&file.path), &examined, &mut sink)?;
                each(&file.shown, &sink.text);
                seen += usize::from(!sink.text.trim().is_empty());
                skipped.extend(sink.bad.into_iter().map(|bad| skip(observer, &file.shown, Some(bad.line), bad.reason)));
            }
            Err(Unreadable::NotText(reason)) => skipped.push(skip(observer, &file.shown, None, reason.to_owned())),
            Err(Unreadable::Failed(error)) => skipped.push(skip(observer, &file.shown, None, error.to_string())),
        }
        observer.on(Event::progress(at + 1, files.len(), "files"));
    }
    if seen == 0 { Err(empty(&Source::Corpus(paths.to_vec()), &skipped)) } else { Ok(skipped) }
}

struct WholeText {
    text: String,
    bad: Vec<BadLine>,
}

impl Sink for WholeText {
    fn block(&mut self, block: Block) -> Result<()> {
        let (Block::Heading(_, text) | Block::Paragraph(text) | Block::Lines(text)) = block;
        self.text.push_str(&text);
        self.text.push('\n');
        Ok(())
    }

    fn bad_line(&mut self, bad: BadLine) {
        self.bad.push(bad);
    }
}

fn skip(observer: &dyn Observer, path: &str, line: Option<usize>, reason: String) -> Skipped {
    let at = line.map(|line| format!(":{line}")).unwrap_or_default();
    observer.on(Event::warning(format!("skipped {path}{at}: {reason}")));
    Skipped { path: path.to_owned(), line, reason }
}

fn empty(source: &Source, skipped: &[Skipped]) -> Error {
    let paths = match source {
        Source::Corpus(paths) => paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
        Source::Beir(folder) => folder.join("corpus.jsonl").display().to_string(),
    };
    let skipped = match skipped {
        [] => String::new(),
        [first, rest @ ..] => format!(" ({} skipped, the first: {}: {})", rest.len() + 1, first.path, first.reason),
    };
    Error::Empty { paths, skipped }
}

/// The first pass.
struct Builder {
    out: Writer,
    documents: Vec<Document>,
    signatures: Vec<Signature>,
    /// Document and words of each passage.
    counts: Vec<(u32, u32)>,
    ids: HashMap<String, usize>,
    summary: Summary,
}

impl Builder {
    fn new(scratch: &Path) -> Result<Self> {
        Ok(Self {
            out: Writer::create(scratch.to_owned())?,
            documents: Vec::new(),
            signatures: Vec::new(),
            counts: Vec::new(),
            ids: HashMap::new(),
            summary: Summary::default(),
        })
    }

    fn add(
        &mut self,
        document: usize,
        document_id: &str,
        id: String,
        heading: Vec<String>,
        text: String,
    ) -> Result<usize> {
        let count = words(&text);
        self.signatures.push(signature(&text));
        self.counts.push((document as u32, count as u32));
        // Fold and cluster are not known yet: the second pass fills them in.
        self.out.write(&Passage {
            id,
            document: document_id.to_owned(),
            heading,
            text,
            fold: Fold::Train,
            cluster: 0,
        })?;
        Ok(count)
    }

    /// An id from content; the same content again gets a number behind it.
    fn unique(&mut self, id: String) -> String {
        let times = self.ids.entry(id.clone()).or_insert(0);
        *times += 1;
        if *times == 1 { id } else { format!("{id}-{times}") }
    }
}

/// A document while it is read.
struct Reading<'a> {
    builder: &'a mut Builder,
    observer: &'a dyn Observer,
    cutter: Cutter,
    place: usize,
    id: String,
    stem: String,
    shown: &'a str,
    words: usize,
    passages: usize,
}

impl Reading<'_> {
    fn take(&mut self, cuts: Vec<Cut>) -> Result<()> {
        for Cut { heading, text } in cuts {
            let heading = if heading.is_empty() { vec![self.stem.clone()] } else { heading };
            let id = self.builder.unique(short_id(&[&heading.join("\n"), &text]));
            self.words += self.builder.add(self.place, &self.id, id, heading, text)?;
            self.passages += 1;
        }
        Ok(())
    }
}

impl Sink for Reading<'_> {
    fn block(&mut self, block: Block) -> Result<()> {
        if self.observer.stop_requested() {
            return Err(Error::Stopped);
        }
        let cuts = self.cutter.block(&block);
        self.take(cuts)
    }

    fn bad_line(&mut self, bad: BadLine) {
        let skipped = skip(self.observer, self.shown, Some(bad.line), bad.reason);
        self.builder.summary.skipped.push(skipped);
    }
}

fn read_files(
    paths: &[PathBuf],
    settings: &CorpusSettings,
    builder: &mut Builder,
    observer: &dyn Observer,
) -> Result<()> {
    let files = walk::files(paths)?;
    let mut tables = Vec::new();
    observer.on(Event::phase("read documents"));
    for (at, file) in files.iter().enumerate() {
        if observer.stop_requested() {
            return Err(Error::Stopped);
        }
        let examined = match examine(&file.path) {
            Ok(examined) => examined,
            Err(unreadable) => {
                let reason = match unreadable {
                    Unreadable::NotText(reason) => reason.to_owned(),
                    Unreadable::Failed(error) => error.to_string(),
                };
                builder.summary.skipped.push(skip(observer, &file.shown, None, reason));
                continue;
            }
        };
        if questions::is_table(&file.path, &examined) {
            if !settings.questions.as_ref().is_some_and(|table| same_file(Path::new(table), &file.path)) {
                tables.push(&file.path);
                let skipped = skip(observer, &file.shown, None, QUESTIONS_TABLE.to_owned());
                builder.summary.skipped.push(skipped);
            }
            continue;
        }
        let encoding = examined.encoding.name();
        if encoding != "UTF-8" {
            builder.summary.decoded.push(Decoded { path: file.shown.clone(), encoding: encoding.to_owned() });
        }
        let format = Format::of(&file.path);
        let stem = file.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut reading = Reading {
            place: builder.documents.len(),
            id: short_id(&[&file.shown, &examined.key]),
            cutter: Cutter::new(settings.passage_words),
            builder,
            observer,
            stem,
            shown: &file.shown,
            words: 0,
            passages: 0,
        };
        read(&file.path, format, &examined, &mut reading)?;
        let cuts = reading.cutter.finish();
        reading.take(cuts)?;
        let Reading { id, stem, words, passages, cutter, .. } = reading;
        if passages == 0 {
            builder.summary.skipped.push(skip(observer, &file.shown, None, "empty: no text in it".to_owned()));
            continue;
        }
        builder.documents.push(Document {
            id,
            path: file.shown.clone(),
            title: cutter.title().map_or(stem, str::to_owned),
            format: format.name().to_owned(),
            encoding: encoding.to_owned(),
            words,
            passages,
            fold: Fold::Train,
        });
        observer.on(Event::progress(at + 1, files.len(), "files"));
    }
    if let ([table], None) = (tables.as_slice(), &settings.questions) {
        let table = table.display();
        observer.on(Event::note(format!(
            "{table} asks about these documents: with --questions {table} its folds hold for them, and its questions become pairs and test questions"
        )));
    }
    Ok(())
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Reads a retrieval set; returns the folds that its judgements call for, by document path.
fn read_beir(
    folder: &Path,
    settings: &CorpusSettings,
    builder: &mut Builder,
    observer: &dyn Observer,
) -> Result<HashMap<String, Fold>> {
    observer.on(Event::phase("read passages"));
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut of_passage: HashMap<String, String> = HashMap::new();
    for line in beir::lines(folder)? {
        if observer.stop_requested() {
            return Err(Error::Stopped);
        }
        let line = line?;
        let name = line.document().to_owned();
        let place = *places.entry(name.clone()).or_insert_with(|| {
            builder.documents.push(Document {
                id: short_id(&[&name]),
                path: name.clone(),
                title: line.title.clone(),
                format: "beir".to_owned(),
                encoding: "UTF-8".to_owned(),
                words: 0,
                passages: 0,
                fold: Fold::Train,
            });
            builder.documents.len() - 1
        });
        let heading = if line.title.is_empty() { Vec::new() } else { vec![line.title.clone()] };
        let id = builder.documents[place].id.clone();
        of_passage.insert(line.id.clone(), name);
        let count = builder.add(place, &id, line.id, heading, line.text)?;
        builder.documents[place].words += count;
        builder.documents[place].passages += 1;
    }
    beir::folds(folder, &of_passage, settings.dev_share, settings.seed)
}
