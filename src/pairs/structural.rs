//! Pairs from the documents alone: titles and headings with their text, and the inverse cloze task.
//!
//! Titles and headings are what people wrote to name a text, the best queries that documents hold. The inverse
//! cloze task (Lee, Chang and Toutanova 2019) takes a sentence as the query for the rest of its passage; the
//! sentence is removed most of the time, so that matching words alone is not enough, and left now and then,
//! since matching words is worth something too.

use std::collections::{HashMap, HashSet};

use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::filters::{QueryKind, has_query_length, judge, normalised_words};
use super::merge::{Candidate, Strictness, merge};
use super::{Error, PairSet, Rejected, Result, Row};
use crate::corpus::{Corpus, Document, Fold, Passage, sentences};
use crate::progress::{Event, Observer};
use crate::settings::PairsSettings;
use crate::workspace::short_id;

/// Passages between two reports of progress.
const REPORT_EVERY: usize = 50;
/// A heading of fewer words says too little without its document's title.
const LEAST_WORDS_ALONE: usize = 3;

/// Headings that stand in every document, lower-cased.
const GENERIC: &[&str] = &[
    "introduction",
    "overview",
    "background",
    "summary",
    "abstract",
    "conclusion",
    "conclusions",
    "discussion",
    "results",
    "materials and methods",
    "scope and purpose",
    "notes and remarks",
    "references and further reading",
    "see also",
    "frequently asked questions",
    "table of contents",
    "how it works",
    "what it is",
    "getting started",
    "before you begin",
    "for more information",
    "введение",
    "обзор",
    "выводы",
    "заключение",
    "общие сведения",
    "список литературы",
];

/// Makes pairs of a corpus. Titles and headings come first; sentences serve every passage to train on, and, of the
/// passages held out, only those that no title or heading asks for. Held-out queries are always asked of the
/// unaltered passage. Streams the passages; holds the rows.
pub fn structural(corpus: &Corpus, settings: &PairsSettings, observer: &dyn Observer) -> Result<PairSet> {
    observer.on(Event::phase("make pairs"));
    let documents = corpus.documents()?;
    let total = documents.iter().map(|document| document.passages).sum::<usize>();
    let mut maker = Maker::new(&documents, settings, observer);
    for (done, passage) in corpus.passages()?.enumerate() {
        if done % REPORT_EVERY == 0 {
            observer.on(Event::progress(done, total, "passages"));
            if observer.stop_requested() {
                return Err(Error::Stopped);
            }
        }
        maker.take(&passage?);
    }
    observer.on(Event::progress(total, total, "passages"));
    Ok(maker.finish())
}

/// Sentences of every passage as queries for the rest of it, whatever fold it is of: to learn the documents' language from text
/// that nobody asked about. No question is looked at.
pub fn cloze(passages: &[Passage], settings: &PairsSettings) -> Vec<Row> {
    let settings = PairsSettings { headings: false, ..settings.clone() };
    let mut maker = Maker::new(&[], &settings, &crate::progress::Silent);
    for passage in passages {
        maker.take(&Passage { fold: Fold::Train, ..passage.clone() });
    }
    maker.finish().train
}

/// Makes candidates of passages, one after another, and tells of each what became of it. What passes the filters is told
/// as kept; where merging throws it out after all, it is told once more, as rejected.
struct Maker<'a> {
    settings: &'a PairsSettings,
    observer: &'a dyn Observer,
    titles: HashMap<&'a str, &'a str>,
    begun: HashSet<String>,
    headings: Vec<Candidate>,
    cloze: Vec<Candidate>,
    rejected: Vec<Rejected>,
}

impl<'a> Maker<'a> {
    fn new(documents: &'a [Document], settings: &'a PairsSettings, observer: &'a dyn Observer) -> Self {
        Self {
            settings,
            observer,
            titles: documents.iter().map(|document| (document.id.as_str(), document.title.trim())).collect(),
            begun: HashSet::new(),
            headings: Vec::new(),
            cloze: Vec::new(),
            rejected: Vec::new(),
        }
    }

    fn take(&mut self, passage: &Passage) {
        let first = self.begun.insert(passage.document.clone());
        if self.settings.headings {
            let title = self.titles.get(passage.document.as_str()).copied().unwrap_or_default();
            // A title names the whole document: its first passage is the one that tells what it is about.
            if first && !title.is_empty() {
                self.ask(QueryKind::Heading, "title", title.to_owned(), passage, None);
            }
            if let Some(query) = heading_query(title, &passage.heading) {
                self.ask(QueryKind::Heading, "heading", query, passage, None);
            }
        }
        for (sentence, rest) in self.cloze_of(passage) {
            self.ask(QueryKind::Cloze, "cloze", sentence, passage, rest);
        }
    }

    /// Queries of a passage by the inverse cloze task, with the rest of the passage where the sentence is removed.
    fn cloze_of(&self, passage: &Passage) -> Vec<(String, Option<String>)> {
        let all: Vec<&str> = sentences(&passage.text).map(str::trim).filter(|sentence| !sentence.is_empty()).collect();
        if all.len() < 2 {
            return Vec::new();
        }
        // From the passage's id, so that a refreshed corpus keeps the choice wherever the passage is kept.
        let mut random = ChaCha8Rng::seed_from_u64(seed_of(self.settings.seed, &passage.id));
        let mut chosen: Vec<&str> = all.iter().copied().filter(|sentence| has_query_length(sentence)).collect();
        // No sentence of a query's length: let the filter reject one, so that the loss is counted.
        if chosen.is_empty() {
            chosen = all;
        }
        chosen.shuffle(&mut random);
        chosen.truncate(self.settings.cloze);
        let with_rest = chosen.into_iter().map(|sentence| {
            let remove = passage.fold == Fold::Train && random.random_bool(self.settings.remove.clamp(0.0, 1.0));
            (sentence.to_owned(), remove.then(|| without(&passage.text, sentence)))
        });
        with_rest.collect()
    }

    fn ask(&mut self, kind: QueryKind, source: &str, query: String, passage: &Passage, rest: Option<String>) {
        let mut row = Row {
            query_id: Row::id_of(&query),
            query,
            positives: vec![passage.id.clone()],
            source: source.to_owned(),
            document: passage.document.clone(),
            ..Row::default()
        };
        let reason = judge(kind, &row.query, rest.as_deref().unwrap_or(&passage.text));
        if let Some(rest) = rest {
            let id = Row::altered_id(&passage.id, &rest);
            row.positives = vec![id.clone()];
            row.texts.insert(id, rest);
        }
        // What may become a test question is nobody's to see before it is asked.
        if reason.is_some() || passage.fold != Fold::Test {
            self.observer.on(row.event(reason));
        }
        match reason {
            Some(reason) => self.rejected.push(Rejected { reason, row }),
            None if kind == QueryKind::Cloze => self.cloze.push(Candidate { row, fold: passage.fold }),
            None => self.headings.push(Candidate { row, fold: passage.fold }),
        }
    }

    fn finish(mut self) -> PairSet {
        let named = merge(self.headings.clone(), Strictness::Made);
        let named: HashSet<&str> = named.dev.iter().chain(&named.test).flat_map(Row::passages).collect();
        // A sentence asked of the passage it stands in is an easy question: it holds out only where nothing better does.
        let wanted = |candidate: &Candidate| {
            candidate.fold == Fold::Train || candidate.row.passages().all(|passage| !named.contains(passage))
        };
        self.headings.extend(self.cloze.into_iter().filter(wanted));
        let mut set = merge(self.headings, Strictness::Made);
        for rejected in &set.rejected {
            self.observer.on(rejected.row.event(Some(rejected.reason)));
        }
        self.rejected.append(&mut set.rejected);
        set.rejected = self.rejected;
        set
    }
}

fn seed_of(seed: u64, passage: &str) -> u64 {
    // A short id is 16 hexadecimal digits.
    u64::from_str_radix(&short_id(&[&seed.to_string(), passage]), 16).unwrap_or(seed)
}

/// The query for a passage under a heading; `None` where it has none but the document's title.
fn heading_query(title: &str, path: &[String]) -> Option<String> {
    let heading = without_number(path.last()?);
    let words = normalised_words(heading);
    let named = normalised_words(title);
    if words.is_empty() || words == named {
        return None;
    }
    let says_enough = words.len() >= LEAST_WORDS_ALONE && !GENERIC.contains(&words.join(" ").as_str());
    if says_enough || title.is_empty() || words.windows(named.len().max(1)).any(|part| part == named) {
        return Some(heading.to_owned());
    }
    Some(format!("{title}: {heading}"))
}

/// A heading without `3.2`, `IV.` or `(a)` before it.
fn without_number(heading: &str) -> &str {
    let heading = heading.trim();
    let Some((first, rest)) = heading.split_once(char::is_whitespace) else { return heading };
    let inner = first.trim_matches(['(', ')', '.', ':', '§']);
    let numbered = first.chars().all(|c| c.is_ascii_digit() || ".)(:§".contains(c));
    let lettered =
        inner.len() < first.len() && inner.chars().count() <= 4 && inner.chars().all(|c| "IVXivxabcde".contains(c));
    if numbered || lettered { rest.trim_start() } else { heading }
}

/// A passage without a sentence, wherever it stands in it.
fn without(passage: &str, sentence: &str) -> String {
    passage.split(sentence).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Recorder, Silent};

    const TEXT: &str = "Oil collects at the lowest point of the receiver because ammonia is lighter. It is drained while the \
                        valve is open only a little. A second person stands by the emergency stop all the while. Never \
                        leave the drain pot alone under pressure.";

    fn passage(id: &str, document: &str, heading: &[&str], fold: Fold) -> Passage {
        Passage {
            id: id.into(),
            document: document.into(),
            heading: heading.iter().map(|&part| part.to_owned()).collect(),
            text: format!("{TEXT} This is passage {id} of the document {document}."),
            fold,
            cluster: 0,
        }
    }

    fn document(id: &str, title: &str, fold: Fold) -> Document {
        Document {
            id: id.into(),
            path: format!("{id}.md"),
            title: title.into(),
            format: "md".into(),
            encoding: "UTF-8".into(),
            words: 100,
            passages: 2,
            fold,
        }
    }

    #[test]
    fn every_passage_serves_the_cloze_task_on_text_alone() {
        let passages = [passage("p1", "d1", &["Draining oil"], Fold::Train), passage("p2", "d2", &[], Fold::Test)];
        let rows = cloze(&passages, &PairsSettings { cloze: 2, ..PairsSettings::default() });
        assert!(rows.iter().all(|row| row.source == "cloze"));
        let documents: HashSet<&str> = rows.iter().map(|row| row.document.as_str()).collect();
        assert_eq!(documents, HashSet::from(["d1", "d2"]));
    }

    fn made(documents: &[Document], passages: &[Passage], settings: &PairsSettings) -> PairSet {
        observed(documents, passages, settings, &Silent)
    }

    fn observed(
        documents: &[Document],
        passages: &[Passage],
        settings: &PairsSettings,
        observer: &dyn Observer,
    ) -> PairSet {
        let mut maker = Maker::new(documents, settings, observer);
        for passage in passages {
            maker.take(passage);
        }
        maker.finish()
    }

    #[test]
    fn every_row_is_told_but_the_test_questions() {
        let documents = [document("d", "Oil", Fold::Train), document("t", "Draining oil of receivers", Fold::Test)];
        let mut passages = vec![passage("p1", "d", &["Draining oil", "How to drain it"], Fold::Train)];
        passages.extend((2..7).map(|n| passage(&format!("p{n}"), "d", &["Oil", "The same for many"], Fold::Train)));
        passages.push(passage("p9", "t", &[], Fold::Test));
        let watcher = Recorder::default();
        let settings = PairsSettings::default();
        let set = observed(&documents, &passages, &settings, &watcher);
        assert_eq!(set, made(&documents, &passages, &settings), "watching changes nothing");
        let told: Vec<(String, Option<String>)> = watcher
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Pair { query, rejected, .. } => Some((query, rejected)),
                _ => None,
            })
            .collect();
        let kept: Vec<&str> =
            told.iter().filter(|(_, rejected)| rejected.is_none()).map(|(query, _)| query.as_str()).collect();
        for row in &set.train {
            assert!(kept.contains(&row.query.as_str()), "{}", row.query);
        }
        assert!(!set.test.is_empty() && set.test.iter().all(|row| !kept.contains(&row.query.as_str())));
        let mut of_reason = std::collections::BTreeMap::new();
        for reason in told.iter().filter_map(|(_, rejected)| rejected.clone()) {
            *of_reason.entry(reason).or_insert(0) += 1;
        }
        assert_eq!(of_reason, set.rejected_by_reason());
        assert!(of_reason["ambiguous query"] > 1, "{of_reason:?}");
    }

    #[test]
    fn titles_headings_and_sentences_become_queries() {
        let documents = [document("d", "Draining oil from receivers", Fold::Train)];
        let passages = [
            passage("p1", "d", &["Draining oil from receivers"], Fold::Train),
            passage("p2", "d", &["Draining oil from receivers", "2.1 Precautions"], Fold::Train),
        ];
        let set = made(&documents, &passages, &PairsSettings { remove: 1.0, ..PairsSettings::default() });
        let of = |source: &str| set.train.iter().filter(|row| row.source == source).collect::<Vec<_>>();
        assert_eq!(of("title")[0].positives, ["p1"]);
        assert_eq!(of("heading").len(), 1);
        assert_eq!(of("heading")[0].query, "Draining oil from receivers: Precautions");
        for row in of("cloze") {
            let text = &row.texts[&row.positives[0]];
            assert!(!text.contains(&row.query) && TEXT.contains(&row.query) || row.query.contains("This is passage"));
            assert!(["p1", "p2"].contains(&row.passages().next().unwrap()));
        }
        assert!(!of("cloze").is_empty());
    }

    #[test]
    fn held_out_rows_ask_unaltered_passages_and_sentences_only_where_there_is_no_heading() {
        let documents =
            [document("named", "Draining oil from receivers", Fold::Test), document("bare", "", Fold::Test)];
        let passages = [passage("p1", "named", &[], Fold::Test), passage("p2", "bare", &[], Fold::Test)];
        let set = made(&documents, &passages, &PairsSettings::default());
        let sources: Vec<_> = set.test.iter().map(|row| (row.document.as_str(), row.source.as_str())).collect();
        assert_eq!(sources, [("named", "title"), ("bare", "cloze")]);
        assert!(set.test.iter().all(|row| row.texts.is_empty()));
        assert!(set.train.is_empty());
    }

    #[test]
    fn the_same_seed_makes_the_same_pairs() {
        let documents = [document("d", "", Fold::Train)];
        let passages: Vec<_> = (0..30).map(|n| passage(&format!("p{n}"), "d", &[], Fold::Train)).collect();
        let rows = |seed| made(&documents, &passages, &PairsSettings { seed, ..PairsSettings::default() });
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
    }

    #[test]
    fn numbers_are_no_part_of_a_heading() {
        assert_eq!(without_number("3.2 Valve selection"), "Valve selection");
        assert_eq!(without_number("(a) Valve selection"), "Valve selection");
        assert_eq!(without_number("IV. Valves"), "Valves");
        assert_eq!(without_number("I am a valve"), "I am a valve");
        assert_eq!(without_number("R717"), "R717");
    }
}
