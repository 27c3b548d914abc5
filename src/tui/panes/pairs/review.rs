//! What a person does in pane 3: walk passages and questions, say what becomes of them, finish.

use serde_json::json;

use super::{PairsPane, PassageText, REVIEW, ask};
use crate::tui::keymap::Action;
use crate::tui::message::{Effect, Start};
use crate::tui::overlay::{Overlay, Scroll};
use crate::tui::palette::Glyph;
use crate::tui::shared::{Shared, Version};
use crate::tui::widgets::symbols::visible;
use crate::tui::workers::pairs::{Item, Marked, Place, Question, Said, Set};

/// How many questions of a set were reviewed, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reviewed {
    pub(super) accepted: usize,
    pub(super) rejected: usize,
    pub(super) edited: usize,
}

impl Reviewed {
    pub(super) fn of(set: &Set) -> Self {
        let mut reviewed = Self::default();
        for item in &set.items {
            match &item.mark {
                None => {}
                Some(Marked { accepted: false, .. }) => reviewed.rejected += 1,
                Some(_) if item.is_edited() => reviewed.edited += 1,
                Some(_) => reviewed.accepted += 1,
            }
        }
        reviewed
    }

    pub(super) const fn all(self) -> usize {
        self.accepted + self.rejected + self.edited
    }
}

impl PairsPane {
    /// What the artifacts say of the open set.
    pub(super) fn version<'s>(&self, shared: &'s Shared) -> Option<&'s Version> {
        let set = self.set.as_ref()?;
        shared.artifacts.pairs.iter().find(|version| version.reference == set.reference)
    }

    pub(super) fn passage(&self) -> Option<usize> {
        self.list.current()
    }

    pub(super) fn item(&self) -> Option<&Item> {
        self.set.as_ref()?.items_of(self.passage()?).get(self.question)
    }

    /// The text of a passage, if it came.
    pub(super) fn text(&self, passage: usize) -> Option<&PassageText> {
        self.texts.iter().find(|(at, _)| *at as usize == passage).map(|(_, text)| text)
    }

    pub(super) fn rebuild(&mut self) {
        let Some(set) = &self.set else { return };
        let words: Vec<String> = self.list.filter.text().to_lowercase().split_whitespace().map(str::to_owned).collect();
        let passages = &set.passages;
        let keep = |at: usize| words.iter().all(|word| passages[at].haystack.contains(word.as_str()));
        let before = self.list.current();
        match self.list.sort {
            1 => self.list.rebuild(passages.len(), keep, |a, b| passages[b].rejected.cmp(&passages[a].rejected)),
            2 => self.list.rebuild(passages.len(), keep, |a, b| passages[a].kept.cmp(&passages[b].kept)),
            _ => self.list.rebuild(passages.len(), keep, |a, b| a.cmp(&b)),
        }
        if self.list.current() != before {
            self.question = 0;
        }
    }

    /// Asks for the texts of the open passage and its neighbours.
    pub(super) fn fetch(&mut self) -> Vec<Effect> {
        let Some(set) = &self.set else { return Vec::new() };
        let at = self.list.position();
        let mut effects = Vec::new();
        for place in [at, at + 1, at.saturating_sub(1)] {
            if place >= self.list.len() {
                continue;
            }
            let passage = self.list.row(place);
            let number = passage as u32;
            if self.text(passage).is_some() || self.awaited.contains(&number) {
                continue;
            }
            let place = set.passages.get(passage).map_or(Place::Gone, |passage| passage.place);
            self.awaited.push(number);
            effects.push(ask(Question::Text { pairs: set.reference.clone(), passage: number, place }));
        }
        effects
    }

    /// Opens a set, unless it is open or being read.
    pub(super) fn open(&mut self, reference: &str) -> Vec<Effect> {
        let is_open = self.set.as_ref().is_some_and(|set| set.reference == reference);
        let failed = self.problem.as_ref().is_some_and(|(pairs, _)| pairs == reference);
        if self.asked.as_deref() == Some(reference) || is_open && self.asked.is_none() || failed {
            return Vec::new();
        }
        self.asked = Some(reference.to_owned());
        vec![ask(Question::Open(reference.to_owned()))]
    }

    pub(super) fn step_passage(&mut self, action: Action) -> Vec<Effect> {
        let before = self.list.position();
        self.list.act(action);
        if self.list.position() != before {
            self.question = 0;
            self.top.set(0);
        }
        self.fetch()
    }

    pub(super) fn step_question(&mut self, action: Action) {
        let count = self.passage().and_then(|at| Some(self.set.as_ref()?.items_of(at).len())).unwrap_or(0);
        let last = count.saturating_sub(1);
        self.question = match action {
            Action::Up => self.question.saturating_sub(1),
            Action::Down => (self.question + 1).min(last),
            Action::First => 0,
            Action::Last => last,
            _ => self.question,
        };
    }

    /// Marks the question under the cursor, and has it written down.
    pub(super) fn say(&mut self, said: Said, shared: &Shared) -> Vec<Effect> {
        let (Some(passage), question) = (self.passage(), self.question) else { return Vec::new() };
        let Some(set) = &mut self.set else { return Vec::new() };
        let Some(of) = set.passages.get(passage) else { return Vec::new() };
        let (id, place) = (of.id.to_string(), of.items.start as usize + question);
        if place >= of.items.end as usize {
            return Vec::new();
        }
        let item = &mut set.items[place];
        // The words of the last edit stay, whatever is said after it: as in the file.
        let before = item.mark.take().and_then(|mark| mark.query);
        item.mark = Some(match &said {
            Said::Accept => Marked { accepted: true, query: before },
            Said::Reject => Marked { accepted: false, query: before },
            Said::Edit(words) => Marked { accepted: true, query: Some(words.as_str().into()) },
        });
        let query_id = item.query_id.to_string();
        if !matches!(said, Said::Edit(_)) {
            self.step_question(Action::Down);
        }
        let pairs = self.set.as_ref().map(|set| set.reference.clone()).unwrap_or_default();
        vec![ask(Question::Review { t: shared.now_ms, pairs, query_id, passage: id, said })]
    }

    /// Starts the job that writes the next version.
    pub(super) fn finish(&self, shared: &Shared) -> Vec<Effect> {
        let Some(set) = &self.set else { return Vec::new() };
        if Reviewed::of(set).all() == 0 {
            return vec![Effect::Say("nothing was reviewed yet".to_owned())];
        }
        if shared.runs.of(&[REVIEW]).any(|status| status.state.is_live()) {
            return vec![Effect::Say("a review is being finished already".to_owned())];
        }
        let record = json!({ "pairs": set.reference });
        vec![Effect::Start(Start { job: REVIEW.to_owned(), record, device: "cpu".to_owned() })]
    }

    /// The whole passage, with its questions, to read.
    pub(super) fn read(&self, shared: &Shared) -> Vec<Effect> {
        let palette = &shared.palette;
        let (Some(set), Some(at)) = (&self.set, self.passage()) else { return Vec::new() };
        let (Some(passage), Some(text)) = (set.passages.get(at), self.text(at)) else { return Vec::new() };
        let text = match text {
            Ok(text) => &**text,
            Err(problem) => problem.as_str(),
        };
        let mut lines: Vec<String> = text.lines().map(|line| visible(line.trim_end(), palette).into_owned()).collect();
        lines.push(String::new());
        for item in set.items_of(at) {
            let glyph = palette.glyph(if item.stays() { Glyph::Done } else { Glyph::Failed });
            lines.push(format!("{glyph} {}", visible(item.asks(), palette)));
        }
        let title = visible(&passage.title, palette).replace('›', palette.glyph(Glyph::Chevron));
        vec![Effect::Open(Box::new(Overlay::Text { title, lines, scroll: Scroll::default() }))]
    }
}
