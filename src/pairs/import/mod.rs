//! The user's own pairs, from the formats in which people keep them.
//!
//! A person's pairs are judged less than those made by rule: only what cannot be trained on is rejected. Their
//! passages are found in the corpus by text; a passage that is found brings its fold, so that importing can not
//! move a held-out document into training.

mod beir;
mod columns;
mod llama_index;
mod matching;
mod quotes;
mod records;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::filters::{QueryKind, judge};
use super::merge::{Candidate, Strictness, merge};
use super::{BrokenLine, Error, PairSet, Rejected, Result, Row};
use crate::corpus::{Corpus, Fold};
use crate::progress::{Event, Observer};
use crate::settings::PairsImportSettings;
use matching::Known;
use quotes::{Quotable, Quoted, Reading};

/// Broken lines named one by one before only their number is told.
const BROKEN_LINES_NAMED: usize = 5;
/// Passages, and then pairs, between two reports of progress.
const REPORT_EVERY: usize = 200;

/// A pair as a file gives it: texts, ids of passages of the corpus, or a document and words of one of its passages.
#[derive(Debug, Clone, Default, PartialEq)]
struct Given {
    id: Option<String>,
    query: String,
    positives: Vec<String>,
    negatives: Vec<String>,
    /// The positive by its document and words, where the file names it so.
    quoted: Option<Quoted>,
    /// The fold that the file itself gives it.
    fold: Option<Fold>,
    /// What kind of question it is, as the file calls it.
    kind: Option<String>,
    /// The question's language, as the file calls it.
    language: Option<String>,
}

/// What a file gave.
#[derive(Debug, Default)]
struct Contents {
    pairs: Vec<Given>,
    broken: Vec<BrokenLine>,
}

/// Imports pairs from CSV or TSV tables, JSON lines, a JSON list, `LlamaIndex`'s question-answer JSON, and BEIR folders.
/// A passage that the corpus does not hold is kept with the row, in a fold drawn from its text and the seed: 80 % train,
/// 10 % dev, 10 % test. A line that cannot be read, or that quotes what no passage or more than one holds, is skipped, named
/// and counted.
pub fn import(
    files: &[PathBuf],
    corpus: &Corpus,
    settings: &PairsImportSettings,
    observer: &dyn Observer,
) -> Result<PairSet> {
    observer.on(Event::phase("read pairs"));
    let mut contents = files.iter().map(|file| Ok((source_name(file), read(file)?))).collect::<Result<Vec<_>>>()?;
    observer.on(Event::phase("find passages"));
    let documents = corpus.documents()?;
    let total = documents.iter().map(|document| document.passages).sum::<usize>();
    let mut known = Known::new(settings.seed);
    let mut quotable = Quotable::new(&documents, &wanted(&contents));
    for (done, passage) in corpus.passages()?.enumerate() {
        if done % REPORT_EVERY == 0 {
            observer.on(Event::progress(done, total, "passages"));
            if observer.stop_requested() {
                return Err(Error::Stopped);
            }
        }
        let passage = passage?;
        known.add(&passage);
        quotable.add(&passage);
    }
    observer.on(Event::progress(total, total, "passages"));
    for (_, contents) in &mut contents {
        find_quoted(contents, &quotable);
    }
    observer.on(Event::phase("filter pairs"));
    tell_moved(&contents, &known, observer);
    let (set, unseen) = assemble(contents, &known, observer)?;
    report(&set, unseen, observer);
    Ok(set)
}

fn source_name(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

fn read(file: &Path) -> Result<Contents> {
    if file.is_dir() {
        return beir::read(file);
    }
    let extension = file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("csv") => tables::read(file, None),
        Some("tsv" | "tab") => tables::read(file, Some(b'\t')),
        Some("jsonl" | "ndjson") => records::read_lines(file),
        Some("json") => records::read_whole(file),
        _ if !file.exists() => {
            Err(Error::Read { path: file.to_owned(), source: std::io::Error::from(std::io::ErrorKind::NotFound) })
        }
        _ => Err(Error::UnknownFormat(file.to_owned())),
    }
}

/// The documents that the files quote.
fn wanted(contents: &[(String, Contents)]) -> BTreeSet<&str> {
    let pairs = contents.iter().flat_map(|(_, contents)| &contents.pairs);
    pairs.filter_map(|given| Some(given.quoted.as_ref()?.document.as_str())).collect()
}

/// Puts the ids of quoted passages where the positives are; what is not found, or found twice, is a broken line.
fn find_quoted(contents: &mut Contents, quotable: &Quotable) {
    let Contents { pairs, broken } = contents;
    pairs.retain_mut(|given| {
        let Some(quoted) = &given.quoted else { return true };
        match quotable.find(quoted) {
            Ok(id) => given.positives.push(id.to_owned()),
            Err(problem) => broken.push(quoted.broken(problem)),
        }
        !given.positives.is_empty()
    });
}

/// Says where a table of questions calls for another fold than the corpus dealt.
fn tell_moved(contents: &[(String, Contents)], known: &Known, observer: &dyn Observer) {
    let quoted = contents.iter().flat_map(|(_, contents)| &contents.pairs).filter(|given| given.quoted.is_some());
    let moved =
        quoted.filter(|given| given.fold.is_some_and(|fold| known.place(&given.positives[0], None).fold != fold));
    let moved = moved.count();
    if moved > 0 {
        observer.on(Event::warning(format!(
            "{moved} questions are about documents that the corpus has in another fold than the table says, and the corpus's folds hold; `lapidary corpus refresh --questions FILE` takes the table's"
        )));
    }
}

/// Rows of what the files gave, and how many negatives were left out because they are held out. What passes the filters
/// is told as kept; where merging throws it out after all, it is told once more, as rejected.
fn assemble(contents: Vec<(String, Contents)>, known: &Known, observer: &dyn Observer) -> Result<(PairSet, usize)> {
    let (mut candidates, mut rejected, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    let total = contents.iter().map(|(_, contents)| contents.pairs.len()).sum::<usize>();
    let (mut done, mut held_out) = (0, 0);
    for (source, contents) in contents {
        broken.extend(contents.broken);
        for given in contents.pairs {
            if done % REPORT_EVERY == 0 {
                observer.on(Event::progress(done, total, "pairs"));
                if observer.stop_requested() {
                    return Err(Error::Stopped);
                }
            }
            done += 1;
            for text in &given.positives {
                let (row, fold, left_out) = row_of(&given, text, &source, known);
                held_out += left_out;
                let reason = judge(QueryKind::Own, &row.query, row.texts.get(&row.positives[0]).unwrap_or(text));
                // What may become a test question is nobody's to see before it is asked.
                if reason.is_some() || fold != Fold::Test {
                    observer.on(row.event(reason));
                }
                match reason {
                    Some(reason) => rejected.push(Rejected { reason, row }),
                    None => candidates.push(Candidate { row, fold }),
                }
            }
        }
    }
    observer.on(Event::progress(total, total, "pairs"));
    let mut set = merge(candidates, Strictness::Own);
    for rejected in &set.rejected {
        observer.on(rejected.row.event(Some(rejected.reason)));
    }
    rejected.append(&mut set.rejected);
    Ok((PairSet { rejected, broken, ..set }, held_out))
}

/// One query with one of its positives.
fn row_of(given: &Given, positive: &str, source: &str, known: &Known) -> (Row, Fold, usize) {
    let place = known.place(positive, given.fold);
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    texts.extend(place.text.map(|text| (place.id.clone(), text)));
    let (mut negatives, mut held_out) = (Vec::new(), 0);
    for negative in &given.negatives {
        let found = known.place(negative, None);
        let in_corpus = found.text.is_none();
        // A held-out passage must not be seen in training, not even as what is wrong.
        if in_corpus && place.fold == Fold::Train && found.fold != Fold::Train {
            held_out += 1;
            continue;
        }
        texts.extend(found.text.map(|text| (found.id.clone(), text)));
        negatives.push(found.id);
    }
    let row = Row {
        query_id: given.id.clone().unwrap_or_else(|| Row::id_of(&given.query)),
        query: given.query.clone(),
        positives: vec![place.id],
        negatives,
        source: source.to_owned(),
        document: place.document,
        texts,
        kind: given.kind.clone(),
        language: given.language.clone(),
        ..Row::default()
    };
    (row, place.fold, held_out)
}

fn report(set: &PairSet, held_out: usize, observer: &dyn Observer) {
    for broken in set.broken.iter().take(BROKEN_LINES_NAMED) {
        observer.on(Event::warning(format!("{}:{}: skipped: {}", broken.file, broken.line, broken.problem)));
    }
    if set.broken.len() > BROKEN_LINES_NAMED {
        let more = set.broken.len() - BROKEN_LINES_NAMED;
        observer.on(Event::warning(format!("{more} more broken lines were skipped; rejected.jsonl names them all")));
    }
    if held_out > 0 {
        observer.on(Event::note(format!(
            "{held_out} negatives were left out: their documents are held out for dev or test"
        )));
    }
    let rows = || [&set.train, &set.dev, &set.test].into_iter().flatten();
    let unknown = rows().filter(|row| row.texts.contains_key(&row.positives[0])).count();
    if unknown > 0 {
        let of = rows().count();
        observer.on(Event::note(format!(
            "{unknown} of {of} rows have passages that the corpus does not hold: kept with the pairs"
        )));
    }
}

#[cfg(test)]
mod tests;
