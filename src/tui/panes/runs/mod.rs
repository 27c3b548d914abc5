//! Pane 6: what is going on, and what made what?

mod lineage;
mod view;

pub(super) use lineage::lineage;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;

use super::Pane;
use crate::runs::{State, Status};
use crate::tui::field::Field;
use crate::tui::keymap::{Action, Context};
use crate::tui::list::ListState;
use crate::tui::message::Effect;
use crate::tui::overlay::{Overlay, Scroll};
use crate::tui::shared::Shared;
use crate::workspace::Kind;

/// The orders of the list.
const ORDERS: [&str; 3] = ["newest", "state", "job"];

/// The pane.
#[derive(Debug, Default)]
pub struct RunsPane {
    list: ListState,
    /// Whether a run was chosen by hand: then the cursor stays on it when a new one comes.
    chosen: bool,
    selected_id: Option<String>,
}

impl RunsPane {
    fn rebuild(&mut self, shared: &Shared) {
        let all = &shared.runs.all;
        let sort = self.list.sort;
        let filter = self.list.clone();
        let rank = |state: State| match state {
            State::Running => 0,
            State::Queued => 1,
            State::Crashed => 2,
            State::Failed => 3,
            State::Stopped => 4,
            State::Finished => 5,
        };
        self.list.rebuild(
            all.len(),
            |row| filter.passes(&format!("{} {} {}", all[row].id, all[row].state.word(), made(&all[row]))),
            |a, b| match sort {
                1 => rank(all[a].state).cmp(&rank(all[b].state)).then(a.cmp(&b)),
                2 => all[a].job.cmp(&all[b].job).then(a.cmp(&b)),
                _ => a.cmp(&b),
            },
        );
    }

    fn selected<'a>(&self, shared: &'a Shared) -> Option<&'a Status> {
        shared.runs.all.get(self.list.current()?)
    }
}

/// What a run made, or is to make.
fn made(status: &Status) -> String {
    let artifact = status.result.get("artifact").and_then(Value::as_str);
    let name = || {
        let settings = status.settings.get("settings").unwrap_or(&status.settings);
        settings.get("name").and_then(Value::as_str)
    };
    artifact.or_else(name).unwrap_or_default().to_owned()
}

/// The kind of artifact that a job makes.
fn kind_of(job: &str) -> Option<Kind> {
    Some(match job {
        "corpus" => Kind::Corpus,
        "tokenizer" => Kind::Tokenizer,
        "pairs-structural" | "pairs-import" | "pairs-synthesize" | "pairs-review" => Kind::Pairs,
        "tune" | "align" | "distill" => Kind::Model,
        "evaluate" => Kind::Evaluation,
        _ => return None,
    })
}

impl Pane for RunsPane {
    fn context(&self) -> Context {
        Context::Runs
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<Effect> {
        if self.list.act(action) {
            self.chosen = true;
            self.selected_id = self.selected(shared).map(|status| status.id.clone());
            return Vec::new();
        }
        match action {
            Action::Filter => self.list.filtering = true,
            Action::Sort => {
                self.list.sort = (self.list.sort + 1) % ORDERS.len();
                self.rebuild(shared);
            }
            Action::Back => {
                self.list.filter.set("");
                self.rebuild(shared);
            }
            _ => {}
        }
        let Some(status) = self.selected(shared) else { return Vec::new() };
        let (id, live) = (status.id.clone(), status.state.is_live());
        match action {
            Action::Open => vec![Effect::Attach(id)],
            Action::Stop if live => vec![Effect::Stop(id)],
            Action::Stop => vec![Effect::Say(format!("{id} is {}: there is nothing to stop", status.state.word()))],
            Action::Resume if live => vec![Effect::Say(format!("{id} is {} already", status.state.word()))],
            Action::Resume if status.state == State::Finished => {
                vec![Effect::Say(format!("{id} finished: there is nothing to resume"))]
            }
            Action::Resume => vec![Effect::Resume(id)],
            Action::Log => vec![Effect::ReadLog(id)],
            Action::Lineage => vec![Effect::Open(Box::new(details(status, shared)))],
            _ => Vec::new(),
        }
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

    fn refresh(&mut self, shared: &Shared) -> Vec<Effect> {
        // Rows are named by their place, which moves when a run comes or goes.
        let on = self.selected_id.clone();
        self.rebuild(shared);
        if let Some(row) = on.and_then(|id| shared.runs.all.iter().position(|status| status.id == id)) {
            self.list.select(row);
        }
        if !self.chosen {
            self.list.act(Action::First);
        }
        Vec::new()
    }

    fn watching(&self, shared: &Shared) -> Vec<String> {
        self.selected(shared).map(|status| status.id.clone()).into_iter().collect()
    }

    fn copied(&self, shared: &Shared) -> Option<String> {
        self.selected(shared).map(|status| status.id.clone())
    }

    fn view(&self, area: Rect, buffer: &mut Buffer, shared: &Shared) {
        view::view(self, area, buffer, shared);
    }
}

/// Everything about a run: settings, what it made, and what that was made from.
fn details(status: &Status, shared: &Shared) -> Overlay {
    let mut lines = vec![
        format!("job        {}", status.job),
        format!("state      {}", status.description(shared.now_ms)),
        format!("device     {}", status.device),
        format!("started    {}", shared.ago(status.created_unix_ms)),
    ];
    if let Some(error) = &status.error {
        lines.push(format!("error      {error}"));
    }
    lines.push(String::new());
    let artifact = status.result.get("artifact").and_then(Value::as_str);
    match artifact.zip(kind_of(&status.job)) {
        Some((reference, kind)) => {
            lines.push(format!("made       {reference}"));
            lines.extend(lineage(reference, kind, shared));
        }
        None => lines.push("it has made nothing (yet)".to_owned()),
    }
    lines.push(String::new());
    lines.push("settings".to_owned());
    settings(&status.settings, 1, &mut lines);
    Overlay::Text { title: status.id.clone(), lines, scroll: Scroll::default() }
}

fn settings(value: &Value, depth: usize, lines: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let indent = "  ".repeat(depth);
        match value {
            Value::Object(_) => {
                lines.push(format!("{indent}{name}"));
                settings(value, depth + 1, lines);
            }
            Value::String(text) => lines.push(format!("{indent}{name:<20} {text}")),
            Value::Null => lines.push(format!("{indent}{name:<20} (unset)")),
            other => lines.push(format!("{indent}{name:<20} {other}")),
        }
    }
}

#[cfg(test)]
mod tests;
