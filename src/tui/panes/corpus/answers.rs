//! What the workers' answers change.

use std::sync::Arc;

use super::{Arrival, CorpusPane, ask};
use crate::tui::message::Effect;
use crate::tui::panes::Pane as _;
use crate::tui::shared::Shared;
use crate::tui::workers::corpus::{About, Answer, Document, Place, Question, Shown};

impl CorpusPane {
    pub(super) fn take(&mut self, answer: Answer, shared: &Shared) -> Vec<Effect> {
        match answer {
            Answer::Opened { corpus, documents } => self.opened(corpus, documents, shared),
            Answer::Indexed { corpus, passages, complete } => {
                if self.corpus.as_ref() == Some(&corpus) {
                    self.indexed = (passages, complete);
                }
                Vec::new()
            }
            Answer::Passage(shown) => {
                self.passage(shown);
                Vec::new()
            }
            Answer::Scratch { text, splits } => {
                // An answer to what was typed before is better than none, but not than an empty line.
                if !self.scratch.is_empty() {
                    self.scratched = Some((text, splits));
                }
                Vec::new()
            }
            Answer::Found { word, place } => self.found(word, place),
            Answer::Counted { corpus, tokenizer, counts } => {
                if self.corpus.as_ref() != Some(&corpus) {
                    return Vec::new();
                }
                self.problems.remove(&About::Counting(tokenizer.clone()));
                let complete = counts.complete;
                let first = self.first() == Some(&tokenizer);
                self.counts.insert(tokenizer, counts);
                if !first {
                    return Vec::new();
                }
                self.order();
                self.order_worst();
                // The worst document first, unless somebody is reading another.
                if complete && !self.touched {
                    self.list.act(crate::tui::keymap::Action::First);
                    return self.show_selected();
                }
                Vec::new()
            }
            Answer::Words { corpus, words } => {
                if self.corpus.as_ref() == Some(&corpus) {
                    self.words = Some(words);
                }
                Vec::new()
            }
            Answer::Failed { about, text } => {
                if about == About::Find {
                    return vec![Effect::Complain(text)];
                }
                if let About::Counting(tokenizer) = &about {
                    self.counting.remove(tokenizer);
                }
                self.problems.insert(about, text);
                Vec::new()
            }
        }
    }

    fn opened(&mut self, corpus: String, documents: Arc<Vec<Document>>, shared: &Shared) -> Vec<Effect> {
        // A document that was shown is found again in the new corpus by its path.
        let path = self.list.current().and_then(|at| self.documents.get(at)).map(|document| document.path.clone());
        let place = path.and_then(|path| documents.iter().position(|document| document.path == path));
        self.problems.retain(|about, _| matches!(about, About::Counting(_)));
        self.corpus = Some(corpus);
        self.most_words = documents.iter().map(|document| document.words).max().unwrap_or(0);
        self.documents = documents;
        self.counts.clear();
        self.counting.clear();
        self.words = None;
        self.indexed = (0, false);
        self.order();
        if let Some(document) = place {
            self.list.select(document);
        }
        let mut effects = match self.list.current() {
            Some(document) => {
                let nth = if place.is_some() { self.wanted.nth } else { 0 };
                let nth = nth.min(self.documents[document].passages.saturating_sub(1));
                let arrival = if place.is_some() { Arrival::Byte(self.byte()) } else { Arrival::First };
                self.show(Place { document, nth }, arrival)
            }
            None => Vec::new(),
        };
        effects.extend(self.count());
        effects.extend(self.refresh(shared));
        effects
    }

    fn passage(&mut self, shown: Shown) {
        if self.corpus.as_ref() != Some(&shown.corpus) || shown.place != self.wanted {
            return;
        }
        self.problems.remove(&About::Passage);
        self.shown = Some(shown);
        self.arrive();
    }

    fn found(&mut self, word: String, place: Option<Place>) -> Vec<Effect> {
        let Some(place) = place else {
            return vec![Effect::Say("no passage holds that word by itself".to_owned())];
        };
        self.touched = true;
        if !self.list.filter.is_empty() {
            self.list.filter.set("");
            self.order();
        }
        self.list.select(place.document);
        self.show(place, Arrival::Word(word))
    }

    /// Asks for the counts that are missing.
    pub(super) fn count(&mut self) -> Vec<Effect> {
        if self.corpus.is_none() {
            return Vec::new();
        }
        let missing = |name: &String| !self.counts.contains_key(name) && !self.counting.contains(name);
        let tokenizers: Vec<String> = self.tokenizers().into_iter().filter(missing).collect();
        if tokenizers.is_empty() {
            return Vec::new();
        }
        self.counting.extend(tokenizers.iter().cloned());
        vec![ask(Question::Count { tokenizers })]
    }
}
