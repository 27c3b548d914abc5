//! Pane 2: which vocabulary is worth it?
//!
//! A training as it happens: merges, their pace, and the curve of tokens per word against vocabulary size. Beside it the
//! versions that were made, the curve of the one under the cursor, and two of them against each other.

mod difference;
mod view;

use std::cell::RefCell;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;

use super::Pane;
use crate::tui::field::Field;
use crate::tui::keymap::{Action, Context};
use crate::tui::list::ListState;
use crate::tui::live::LiveRun;
use crate::tui::message::Effect;
use crate::tui::overlay::{Overlay, Scroll};
use crate::tui::series::Series;
use crate::tui::shared::{Shared, Version};
use crate::tui::widgets::plot::Axes;
use crate::tui::workers::{Answer, Question, vocabulary};

/// The job that this pane watches.
const JOBS: [&str; 1] = ["tokenizer"];
/// Tokens per word from which a corpus deserves a tokenizer of its own: the tokenizer module's threshold.
pub(super) const THRESHOLD: f64 = 1.25;

/// The orders of the list of versions.
const ORDERS: [&str; 3] = ["newest", "unseen", "size"];

/// The pane.
#[derive(Debug, Default)]
pub struct TokenizerPane {
    list: ListState,
    axes: RefCell<Axes>,
    /// The curve of the version under the cursor, and whose it is.
    curve: Option<(String, Series)>,
    /// The curve of `WordPiece` beside it, where both were trained.
    beside: Option<Series>,
    crosshair: Option<f64>,
    /// The difference that was asked for and is not there yet.
    waiting: Option<(String, String)>,
}

/// The numbers of a version.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Numbers {
    /// Tokens in the vocabulary.
    pub(super) size: u64,
    /// Tokens per word on the documents it was trained on.
    pub(super) train: f64,
    /// Tokens per word on those it was not.
    pub(super) unseen: Option<f64>,
    /// The size beyond which more tokens bring little.
    pub(super) knee: Option<u64>,
    /// The first size at or under the threshold.
    pub(super) meets: Option<u64>,
}

impl Numbers {
    pub(super) fn of(version: &Version) -> Self {
        let details = &version.details;
        Self {
            size: details["vocab_size"].as_u64().unwrap_or(0),
            train: details["ratio_train"].as_f64().unwrap_or(0.0),
            unseen: details["ratio_heldout"].as_f64(),
            knee: details["knee"].as_u64(),
            meets: details["meets"].as_u64(),
        }
    }
}

impl TokenizerPane {
    fn rebuild(&mut self, shared: &Shared) {
        let versions = &shared.artifacts.tokenizers;
        let numbers: Vec<Numbers> = versions.iter().map(Numbers::of).collect();
        let sort = self.list.sort;
        let filter = self.list.clone();
        self.list.rebuild(
            versions.len(),
            |row| filter.passes(&versions[row].reference),
            |a, b| match sort {
                1 => {
                    let unseen = |row: usize| numbers[row].unseen.unwrap_or(f64::INFINITY);
                    unseen(a).total_cmp(&unseen(b))
                }
                2 => numbers[a].size.cmp(&numbers[b].size),
                _ => a.cmp(&b),
            },
        );
        self.follow(shared);
    }

    /// Keeps the curve of the version under the cursor.
    fn follow(&mut self, shared: &Shared) {
        let Some(version) = self.selected(shared) else {
            (self.curve, self.beside) = (None, None);
            return;
        };
        if self.curve.as_ref().is_none_or(|(of, _)| *of != version.reference) {
            self.curve = Some((version.reference.clone(), curve_of(&version.details)));
            self.beside = beside_of(&version.details);
            self.axes = RefCell::default();
        }
    }

    fn selected<'a>(&self, shared: &'a Shared) -> Option<&'a Version> {
        shared.artifacts.tokenizers.get(self.list.current()?)
    }

    /// The training to show: one that lives, or the last where nothing came of it.
    fn training(shared: &Shared) -> Option<&LiveRun> {
        let status = shared.runs.foremost(&JOBS)?;
        status.state.is_live().then(|| shared.runs.live(&status.id)).flatten()
    }

    /// Asks for the difference between the version under the cursor and the one before it.
    fn ask_difference(&mut self, shared: &Shared) -> Vec<Effect> {
        let Some(new) = self.selected(shared) else {
            return vec![Effect::Say("there is no version to compare yet".to_owned())];
        };
        let older = shared.artifacts.tokenizers.iter().filter(|version| version.made_ms < new.made_ms);
        let of_name = |version: &&Version| name_of(version) == name_of(new);
        let before = older.clone().find(of_name).or_else(|| older.clone().next());
        // A first version is compared with what everybody has.
        let before = before.map_or_else(|| "embedded".to_owned(), |version| version.reference.clone());
        self.waiting = Some((before.clone(), new.reference.clone()));
        vec![
            Effect::Say(format!("comparing {before} with {}", new.reference)),
            Effect::Ask(Question::Vocabulary(vocabulary::Question { before, after: new.reference.clone() })),
        ]
    }

    fn step(&mut self, shared: &Shared, columns: i32) {
        let axes = self.axes.borrow();
        let middle = axes.window().0.midpoint(axes.window().1);
        let known = Self::training(shared).is_some() || self.curve.is_some();
        self.crosshair = known.then(|| axes.step(self.crosshair.unwrap_or(middle), columns));
    }
}

fn name_of(version: &Version) -> &str {
    version.reference.rsplit_once("@v").map_or(version.reference.as_str(), |(name, _)| name)
}

/// The curve that a manifest keeps: the ratio on unseen documents, or on those trained on where there are no others.
fn curve_of(details: &Value) -> Series {
    let mut series = Series::new(0.0);
    for point in details["curve"].as_array().into_iter().flatten() {
        let (size, unseen, train) = (point[0].as_f64(), point[1].as_f64(), point[2].as_f64());
        if let (Some(size), Some(ratio)) = (size, unseen.or(train)) {
            series.append(size, ratio as f32);
        }
    }
    series
}

/// The curve of `WordPiece` that a manifest keeps beside BPE's.
fn beside_of(details: &Value) -> Option<Series> {
    let points = details["compared"].as_array()?;
    let mut series = Series::new(0.0);
    for point in points {
        if let (Some(size), Some(ratio)) = (point["vocab_size"].as_f64(), point["wordpiece"].as_f64()) {
            series.append(size, ratio as f32);
        }
    }
    Some(series)
}

impl Pane for TokenizerPane {
    fn context(&self) -> Context {
        Context::Tokenizer
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<Effect> {
        if self.list.act(action) {
            self.follow(shared);
            return Vec::new();
        }
        match action {
            Action::Left => self.step(shared, -1),
            Action::Right => self.step(shared, 1),
            Action::Filter => self.list.filtering = true,
            Action::Sort => {
                self.list.sort = (self.list.sort + 1) % ORDERS.len();
                self.rebuild(shared);
            }
            Action::Back => {
                self.crosshair = None;
                self.list.filter.set("");
                self.rebuild(shared);
            }
            Action::Stop => {
                return match shared.runs.foremost(&JOBS).filter(|status| status.state.is_live()) {
                    Some(status) => vec![Effect::Stop(status.id.clone())],
                    None => vec![Effect::Say("no tokenizer is being trained".to_owned())],
                };
            }
            Action::Diff => return self.ask_difference(shared),
            Action::Open | Action::Lineage => {
                return match self.selected(shared) {
                    Some(version) => vec![Effect::Open(Box::new(details(version, shared)))],
                    None => Vec::new(),
                };
            }
            _ => {}
        }
        Vec::new()
    }

    fn typing(&mut self) -> Option<&mut Field> {
        self.list.typing()
    }

    fn typed(&mut self, shared: &Shared) -> Vec<Effect> {
        self.rebuild(shared);
        Vec::new()
    }

    fn done_typing(&mut self, kept: bool, shared: &Shared) -> Vec<Effect> {
        if self.list.done_typing(kept) {
            self.rebuild(shared);
        }
        Vec::new()
    }

    fn answer(&mut self, answer: Answer, shared: &Shared) -> Vec<Effect> {
        let Answer::Vocabulary(answer) = answer else { return Vec::new() };
        match answer {
            vocabulary::Answer::Compared(found) => {
                if self.waiting.take_if(|(a, b)| (&*a, &*b) == (&found.before, &found.after)).is_none() {
                    return Vec::new();
                }
                let title = format!("{} against {}", found.after, found.before);
                let lines = difference::lines(&found, &shared.palette);
                vec![Effect::Open(Box::new(Overlay::Text { title, lines, scroll: Scroll::default() }))]
            }
            vocabulary::Answer::Failed(problem) => {
                self.waiting = None;
                vec![Effect::Complain(problem)]
            }
        }
    }

    fn refresh(&mut self, shared: &Shared) -> Vec<Effect> {
        self.rebuild(shared);
        Vec::new()
    }

    fn watching(&self, shared: &Shared) -> Vec<String> {
        shared.runs.foremost(&JOBS).filter(|status| status.state.is_live()).map(|s| s.id.clone()).into_iter().collect()
    }

    fn copied(&self, shared: &Shared) -> Option<String> {
        self.selected(shared).map(|version| version.path.join("tokenizer.json").display().to_string())
    }

    fn view(&self, area: Rect, buffer: &mut Buffer, shared: &Shared) {
        view::view(self, area, buffer, shared);
    }
}

/// What a version is: where it lies, what made it, from what.
fn details(version: &Version, shared: &Shared) -> Overlay {
    let mut lines = vec![
        format!("file       {}", version.path.join("tokenizer.json").display()),
        format!("made       {}", shared.ago(version.made_ms)),
        String::new(),
        "settings".to_owned(),
    ];
    for (name, value) in version.settings.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        lines.push(format!("  {name:<16} {value}"));
    }
    lines.push(String::new());
    lines.push("made from".to_owned());
    lines.extend(super::runs::lineage(&version.reference, version.kind, shared));
    if version.stale {
        lines.push(String::new());
        lines.push("stale: the corpus has changed since; train it again".to_owned());
    }
    Overlay::Text { title: version.reference.clone(), lines, scroll: Scroll::default() }
}

#[cfg(test)]
mod tests;
