//! The passages that are ranked, held compactly: texts and headings end to end, and BM25's index of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::{CorpusRead, Shown};
use crate::corpus::{Corpus, Passage};
use crate::pairs::extra_passages;
use crate::retrieval::{Analyzer, Bm25};
use crate::workspace::{Digest, Kind, Workspace};

/// Many texts in one allocation.
#[derive(Default)]
struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.all.push_str(text);
        self.ends.push(self.all.len());
    }

    fn get(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.all[start..self.ends[at]]
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|at| self.get(at))
    }
}

/// The passages that are ranked.
pub(super) struct Library {
    pub(super) read: CorpusRead,
    pub(super) ids: Vec<String>,
    pub(super) bm25: Bm25,
    of: (Digest, Option<Digest>),
    texts: Texts,
    /// Headings, parted by line feeds, which none holds.
    headings: Texts,
    documents: Vec<String>,
    document_of: Vec<u32>,
}

impl Library {
    /// Reads the newest corpus, and the passages that the questions bring along. `kept` is given back where it is that.
    pub(super) fn read(
        workspace: &Workspace,
        questions: Option<&str>,
        kept: Option<Arc<Self>>,
    ) -> Result<Arc<Self>, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let corpus = workspace.newest(Kind::Corpus).map_err(|error| text(&error))?;
        // Questions of a retrieval set are no artifact, and rank passages of their own.
        let questions = questions.and_then(|name| workspace.resolve(Kind::Questions, name).ok());
        let of = (corpus.manifest.digest(), questions.as_ref().map(|questions| questions.manifest.digest()));
        if let Some(kept) = kept.filter(|kept| kept.of == of) {
            return Ok(kept);
        }
        let opened = Corpus::open(&corpus.path).map_err(|error| text(&error))?;
        let mut library = Self {
            read: CorpusRead { reference: corpus.id.to_string(), ..CorpusRead::default() },
            ids: Vec::new(),
            bm25: Bm25::index(std::iter::empty(), Analyzer::plain()),
            of,
            texts: Texts::default(),
            headings: Texts::default(),
            documents: Vec::new(),
            document_of: Vec::new(),
        };
        let mut numbers = HashMap::new();
        for document in opened.documents().map_err(|error| text(&error))? {
            numbers.insert(document.id, library.documents.len() as u32);
            library.documents.push(document.path);
        }
        for passage in opened.passages().map_err(|error| text(&error))? {
            library.add(&passage.map_err(|error| text(&error))?, &mut numbers);
        }
        let extra = match &questions {
            Some(questions) => extra_passages(&questions.path).map_err(|error| text(&error))?,
            None => Vec::new(),
        };
        for passage in &extra {
            library.add(passage, &mut numbers);
        }
        (library.read.passages, library.read.extra) = (library.ids.len(), extra.len());
        let analyzer = Analyzer::choose(None, &library.texts()).map_err(|error| text(&error))?;
        library.bm25 = Bm25::index(library.texts.iter(), analyzer);
        Ok(Arc::new(library))
    }

    fn add(&mut self, passage: &Passage, numbers: &mut HashMap<String, u32>) {
        let documents = &mut self.documents;
        let number = *numbers.entry(passage.document.clone()).or_insert_with(|| {
            documents.push(passage.document.clone());
            documents.len() as u32 - 1
        });
        self.document_of.push(number);
        self.ids.push(passage.id.clone());
        self.texts.push(&passage.text);
        self.headings.push(&passage.heading.join("\n"));
    }

    /// All texts, in the order of the ids.
    pub(super) fn texts(&self) -> Vec<&str> {
        self.texts.iter().collect()
    }

    /// A passage to show, with the query's words in it.
    pub(super) fn shown(&self, at: usize, query: &str) -> Shown {
        let text = self.texts.get(at);
        Shown {
            id: self.ids[at].clone(),
            document: self.documents[self.document_of[at] as usize].clone(),
            heading: self.headings.get(at).split('\n').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            text: text.to_owned(),
            matches: self.bm25.matches(query, text),
        }
    }
}
