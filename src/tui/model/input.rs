//! What is typed, pasted, clicked: who gets it.

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};

use super::{Dirty, Model, PaneId, go};
use crate::settings::{JOBS, JobTable};
use crate::tui::field::Typed;
use crate::tui::form::Form;
use crate::tui::keymap::Action;
use crate::tui::message::Effect;
use crate::tui::overlay::{Choice, Overlay, Purpose, Scroll};

/// A key, wherever it belongs: to what lies over the pane, to the field typed into, to the pane.
pub(super) fn key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    if model.notice.as_ref().is_some_and(|notice| notice.until_ms.is_none()) && event.code == KeyCode::Esc {
        model.notice = None;
        if model.overlay.is_none() {
            return Vec::new();
        }
    }
    model.touched = true;
    model.welcome = None;
    if model.overlay.is_some() {
        return key_in_overlay(model, event);
    }
    let context = model.context();
    let action = model.shared.keymap.action(context, event);
    let (pane, shared) = model.open_pane();
    if let Some(field) = pane.typing() {
        match event.code {
            KeyCode::Enter => return pane.done_typing(true, shared),
            KeyCode::Esc => return pane.done_typing(false, shared),
            _ => {}
        }
        match field.key(event) {
            Typed::Changed => return pane.typed(shared),
            Typed::Moved => return Vec::new(),
            Typed::Not => {}
        }
        return match action {
            Some(action @ (Action::Up | Action::Down | Action::PageUp | Action::PageDown)) => {
                pane.act_while_typing(action, shared)
            }
            Some(
                action @ (Action::Quit | Action::Suspend | Action::Redraw | Action::NextPane | Action::PreviousPane),
            ) => everywhere(model, action),
            _ => Vec::new(),
        };
    }
    action.map(|action| everywhere(model, action)).unwrap_or_default()
}

/// What a key does in every pane; what is not that, the pane does.
fn everywhere(model: &mut Model, action: Action) -> Vec<Effect> {
    let here = model.pane;
    match action {
        Action::Quit => vec![Effect::Quit],
        Action::Suspend => vec![Effect::Suspend],
        Action::Redraw => vec![Effect::Redraw],
        Action::Mouse => {
            let on = !model.mouse;
            let text = if on { "mouse on: shift-drag selects text" } else { "mouse off" };
            vec![Effect::Mouse(on), Effect::Say(text.to_owned())]
        }
        Action::Help => {
            model.overlay = Some(Overlay::Help(Scroll::default()));
            Vec::new()
        }
        Action::PaneCorpus => go(model, PaneId::Corpus),
        Action::PaneTokenizer => go(model, PaneId::Tokenizer),
        Action::PanePairs => go(model, PaneId::Pairs),
        Action::PaneTuning => go(model, PaneId::Tuning),
        Action::PaneCompare => go(model, PaneId::Compare),
        Action::PaneRuns => go(model, PaneId::Runs),
        Action::NextPane => go(model, here.step(1)),
        Action::PreviousPane => go(model, here.step(PaneId::ALL.len() - 1)),
        Action::New => new_job(model),
        Action::Copy => match model.pane(here).copied(&model.shared) {
            Some(text) => vec![Effect::Copy(text)],
            None => vec![Effect::Say("nothing under the cursor to copy".to_owned())],
        },
        action => {
            let (pane, shared) = model.open_pane();
            pane.act(action, shared)
        }
    }
}

/// The form of the pane's job, or a choice where there are several.
fn new_job(model: &mut Model) -> Vec<Effect> {
    let jobs: Vec<&'static JobTable> = match model.pane {
        PaneId::Runs | PaneId::Corpus => JOBS.iter().collect(),
        pane => JOBS.iter().filter(|table| PaneId::of_job(table.job) == pane).collect(),
    };
    if let [table] = jobs[..] {
        return open_form(model, table.job);
    }
    let rows = jobs.iter().map(|table| (table.job.to_owned(), format!("{:<20} {}", table.command, table.about)));
    model.overlay = Some(Overlay::Choice(Choice::one(Purpose::Job, "Start which job?", rows.collect())));
    Vec::new()
}

fn open_form(model: &mut Model, job: &str) -> Vec<Effect> {
    let Some(table) = JobTable::find(job) else { return Vec::new() };
    let shared = &model.shared;
    let remembered = shared.remembered.get(job).map_or(&[][..], Vec::as_slice);
    match Form::new(table, shared.overrides.get(table.settings_table()), remembered, &shared.device) {
        Ok(form) => model.overlay = Some(Overlay::Form(Box::new(form))),
        Err(problem) => model.say(problem, true),
    }
    Vec::new()
}

fn key_in_overlay(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let action = model.shared.keymap.action(model.context(), event);
    if action == Some(Action::Suspend) {
        return vec![Effect::Suspend];
    }
    if action == Some(Action::Redraw) {
        return vec![Effect::Redraw];
    }
    let Some(overlay) = &mut model.overlay else { return Vec::new() };
    match overlay {
        Overlay::Form(form) => {
            if action == Some(Action::Back) {
                let remember = Effect::Remember { job: form.table().job, values: form.typed() };
                model.overlay = None;
                return vec![remember];
            }
            let acted = action.and_then(|action| form.act(action));
            if let Some(effects) = acted {
                return effects;
            }
            form.key(event);
            Vec::new()
        }
        Overlay::Choice(choice) => match action {
            Some(Action::Back) => {
                model.overlay = None;
                Vec::new()
            }
            Some(Action::Open) => {
                let (purpose, values) = (choice.purpose, choice.chosen());
                model.overlay = None;
                if purpose == Purpose::Job {
                    return values.first().map(|job| open_form(model, job)).unwrap_or_default();
                }
                let (pane, shared) = model.open_pane();
                pane.chosen(purpose, &values, shared)
            }
            _ if event.code == KeyCode::Char(' ') => {
                choice.mark();
                Vec::new()
            }
            Some(action) => {
                choice.act(action);
                Vec::new()
            }
            None => Vec::new(),
        },
        Overlay::Help(scroll) | Overlay::Text { scroll, .. } => {
            match action {
                Some(Action::Back | Action::Open) => model.overlay = None,
                Some(Action::Copy) => {
                    if let Overlay::Text { lines, .. } = overlay {
                        return vec![Effect::Copy(lines.join("\n"))];
                    }
                }
                Some(action) => {
                    scroll.act(action);
                }
                None => {}
            }
            Vec::new()
        }
    }
}

/// Pasted text goes to the field typed into.
pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if let Some(Overlay::Form(form)) = &mut model.overlay {
        form.paste(text);
        return Vec::new();
    }
    let (pane, shared) = model.open_pane();
    match pane.typing() {
        Some(field) => {
            field.paste(text);
            pane.typed(shared)
        }
        None => Vec::new(),
    }
}

/// The wheel moves lists; a click opens a tab or is the pane's.
pub(super) fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    let action = match event.kind {
        MouseEventKind::ScrollUp => Action::Up,
        MouseEventKind::ScrollDown => Action::Down,
        MouseEventKind::Down(MouseButton::Left) => {
            model.dirty = Dirty::Input;
            if event.row == 0 {
                let at = model.tabs.borrow().iter().position(|(from, to)| (*from..*to).contains(&event.column));
                return at.map(|at| go(model, PaneId::ALL[at])).unwrap_or_default();
            }
            if model.overlay.is_some() {
                return Vec::new();
            }
            let (pane, shared) = model.open_pane();
            return pane.click(event.column, event.row.saturating_sub(1), shared);
        }
        _ => return Vec::new(),
    };
    model.dirty = Dirty::Input;
    match &mut model.overlay {
        Some(Overlay::Help(scroll) | Overlay::Text { scroll, .. }) => {
            scroll.act(action);
            Vec::new()
        }
        Some(Overlay::Choice(choice)) => {
            choice.act(action);
            Vec::new()
        }
        Some(Overlay::Form(_)) => Vec::new(),
        None => {
            let (pane, shared) = model.open_pane();
            pane.act(action, shared)
        }
    }
}
