//! A form that starts a job: every parameter with its value, meaning and range, checked as one types.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent};

use super::field::{Field, Typed};
use super::keymap::Action;
use super::message::{Effect, Start};
use crate::settings::{JobTable, Operand, Parameter, Shape, words};

/// The words of a switch.
const SWITCH: &[&str] = &["false", "true"];
/// The field that every job has besides its own.
const DEVICE: &str = "device";

/// A form.
#[derive(Debug, Clone)]
pub struct Form {
    table: &'static JobTable,
    fields: Vec<FormField>,
    selected: usize,
    /// The first field in view, as last drawn.
    pub top: Cell<usize>,
}

/// One line of a form.
#[derive(Debug, Clone)]
pub struct FormField {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is typed.
    pub field: Field,
    /// What stands there before anyone types.
    pub default: String,
    /// What is wrong with it.
    pub problem: Option<String>,
    of: Of,
}

#[derive(Debug, Clone, Copy)]
enum Of {
    Operand(&'static Operand),
    Parameter(&'static Parameter),
    Device,
}

impl FormField {
    /// What may stand there, where it is one of a few words.
    pub fn choices(&self) -> Option<&'static [&'static str]> {
        match self.of {
            Of::Parameter(Parameter { shape: Shape::Choice(words), .. }) => Some(words),
            Of::Parameter(Parameter { shape: Shape::Switch, .. }) => Some(SWITCH),
            _ => None,
        }
    }

    /// What it means, with range and unit.
    pub fn help(&self) -> String {
        match self.of {
            Of::Parameter(parameter) => parameter.description(),
            Of::Operand(operand) if operand.many => format!("{} (several, parted by spaces)", operand.help),
            Of::Operand(operand) => operand.help.to_owned(),
            Of::Device => "Where to compute: auto, cpu, cuda, cuda:N or metal; several: cuda:0,cuda:1".to_owned(),
        }
    }

    /// Whether it differs from what stood there.
    pub fn changed(&self) -> bool {
        self.field.text() != self.default
    }

    fn check(&mut self, table: &JobTable) {
        let given = self.field.text().trim();
        self.problem = match self.of {
            Of::Parameter(_) if given.is_empty() && self.default.is_empty() => None,
            Of::Parameter(parameter) => table.check(parameter.name, given).err().map(|error| error.to_string()),
            Of::Operand(operand) if operand.required && given.is_empty() => {
                Some(format!("{}: name at least one", operand.name))
            }
            Of::Operand(_) => None,
            Of::Device => {
                let ordinal = |rest: &str| rest.strip_prefix(':').is_some_and(|n| n.parse::<usize>().is_ok());
                let gpu = |name: &str| name == "cuda" || name.strip_prefix("cuda").is_some_and(ordinal);
                let known =
                    matches!(given, "auto" | "cpu" | "metal" | "cuda:all") || given.split(',').map(str::trim).all(gpu);
                (!known).then(|| format!("device {given}: must be auto, cpu, cuda, cuda:N or metal"))
            }
        };
    }
}

impl Form {
    /// A form for a job: the defaults, what the workspace's configuration says, what was typed here before.
    /// An error names what is wrong with the configuration.
    pub fn new(
        table: &'static JobTable,
        overrides: Option<&toml::Table>,
        remembered: &[(String, String)],
        device: &str,
    ) -> Result<Self, String> {
        let defaults = table.defaults(overrides).map_err(|error| format!("lapidary.toml: {error}"))?;
        let line = |name, default: String, of| {
            let before = remembered.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            FormField {
                name,
                field: Field::with(before.unwrap_or_else(|| default.clone())),
                default,
                problem: None,
                of,
            }
        };
        let mut fields: Vec<FormField> = Vec::new();
        fields.extend(table.operands.iter().map(|operand| line(operand.name, String::new(), Of::Operand(operand))));
        let parameters = table.parameters().iter().zip(defaults);
        fields.extend(parameters.map(|(parameter, default)| line(parameter.name, default, Of::Parameter(parameter))));
        fields.push(line(DEVICE, device.to_owned(), Of::Device));
        let mut form = Self { table, fields, selected: 0, top: Cell::new(0) };
        form.check();
        Ok(form)
    }

    /// The job.
    pub const fn table(&self) -> &'static JobTable {
        self.table
    }

    /// The lines.
    pub fn fields(&self) -> &[FormField] {
        &self.fields
    }

    /// The line being typed into.
    pub const fn selected(&self) -> usize {
        self.selected
    }

    fn check(&mut self) {
        for field in &mut self.fields {
            field.check(self.table);
        }
    }

    /// Takes a key that no binding took, or that a binding leaves to the field.
    pub fn key(&mut self, event: &KeyEvent) -> bool {
        let Some(field) = self.fields.get_mut(self.selected) else { return false };
        if field.choices().is_some() {
            match event.code {
                KeyCode::Char(' ') => self.choose(1),
                KeyCode::Char(letter) => self.choose_by_letter(letter),
                _ => return false,
            }
            return true;
        }
        let typed = field.field.key(event);
        field.check(self.table);
        typed != Typed::Not
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.selected)
            && field.choices().is_none()
        {
            field.field.paste(text);
            field.check(self.table);
        }
    }

    fn choose(&mut self, step: isize) {
        let Some(field) = self.fields.get_mut(self.selected) else { return };
        let Some(choices) = field.choices() else { return };
        let at = choices.iter().position(|word| *word == field.field.text());
        // An unset choice begins at its first word.
        let next = at.map_or(0, |at| (at as isize + step).rem_euclid(choices.len() as isize) as usize);
        field.field.set(choices[next]);
        field.check(self.table);
    }

    fn choose_by_letter(&mut self, letter: char) {
        let Some(field) = self.fields.get_mut(self.selected) else { return };
        let found = field.choices().and_then(|words| words.iter().find(|word| word.starts_with(letter)));
        if let Some(word) = found {
            field.field.set(*word);
            field.check(self.table);
        }
    }

    /// Does what a binding says. `None`: the action is the field's own, such as moving its cursor.
    pub fn act(&mut self, action: Action) -> Option<Vec<Effect>> {
        let last = self.fields.len().saturating_sub(1);
        match action {
            Action::NextField => self.selected = if self.selected == last { 0 } else { self.selected + 1 },
            Action::PreviousField => self.selected = if self.selected == 0 { last } else { self.selected - 1 },
            Action::NextChoice if self.has_choices() => self.choose(1),
            Action::PreviousChoice if self.has_choices() => self.choose(-1),
            Action::NextChoice | Action::PreviousChoice => return None,
            Action::Reset => {
                if let Some(field) = self.fields.get_mut(self.selected) {
                    field.field.set(field.default.clone());
                    field.check(self.table);
                }
            }
            Action::CopyCommand => return Some(vec![Effect::Copy(self.command_line())]),
            Action::Submit => return Some(self.submit()),
            _ => {}
        }
        Some(Vec::new())
    }

    fn has_choices(&self) -> bool {
        self.fields.get(self.selected).is_some_and(|field| field.choices().is_some())
    }

    fn values(&self) -> Vec<(&str, &str)> {
        let of_parameters = self.fields.iter().filter(|field| matches!(field.of, Of::Parameter(_)));
        let filled = of_parameters.filter(|field| !field.field.text().trim().is_empty());
        filled.map(|field| (field.name, field.field.text().trim())).collect()
    }

    fn operands(&self) -> Vec<(&str, Vec<String>)> {
        let operands = self.fields.iter().filter(|field| matches!(field.of, Of::Operand(_)));
        operands.map(|field| (field.name, words(field.field.text()))).collect()
    }

    fn device(&self) -> &str {
        self.fields
            .iter()
            .find(|field| matches!(field.of, Of::Device))
            .map_or("auto", |field| field.field.text().trim())
    }

    /// The command line that does the same.
    pub fn command_line(&self) -> String {
        let mut line = self.table.command_line(&self.values(), &self.operands());
        if self.device() != "auto" {
            line.push_str(&format!(" --device {}", self.device()));
        }
        line
    }

    /// What was typed, to be remembered: only what differs.
    pub fn typed(&self) -> Vec<(String, String)> {
        let changed = self.fields.iter().filter(|field| field.changed());
        changed.map(|field| (field.name.to_owned(), field.field.text().to_owned())).collect()
    }

    /// Starts the job, or goes to the first field that is wrong.
    fn submit(&mut self) -> Vec<Effect> {
        self.check();
        if let Some((at, field)) = self.fields.iter().enumerate().find(|(_, field)| field.problem.is_some()) {
            let problem = field.problem.clone().unwrap_or_default();
            self.selected = at;
            return vec![Effect::Complain(problem)];
        }
        match self.table.record(&self.values(), &self.operands()) {
            Ok(record) => vec![
                Effect::Remember { job: self.table.job, values: self.typed() },
                Effect::Start(Start { job: self.table.job.to_owned(), record, device: self.device().to_owned() }),
            ],
            Err(error) => vec![Effect::Complain(error.to_string())],
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    fn form(job: &str) -> Form {
        Form::new(JobTable::find(job).unwrap(), None, &[], "auto").unwrap()
    }

    fn go_to(form: &mut Form, name: &str) {
        while form.fields()[form.selected()].name != name {
            form.act(Action::NextField);
        }
    }

    fn type_into(form: &mut Form, name: &str, text: &str) {
        go_to(form, name);
        form.key(&KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
        for letter in text.chars() {
            form.key(&KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
        }
    }

    #[test]
    fn values_are_checked_as_they_are_typed() {
        let mut form = form("tune");
        type_into(&mut form, "batch", "1");
        let problem = form.fields()[form.selected()].problem.clone().unwrap();
        assert_eq!(problem, "--batch 1: must lie between 2 and 65536 pairs");
        go_to(&mut form, "name");
        let effects = form.act(Action::Submit).unwrap();
        assert!(matches!(&effects[..], [Effect::Complain(text)] if *text == problem));
        assert_eq!(form.fields()[form.selected()].name, "batch", "it goes to what is wrong");
        form.act(Action::Reset);
        assert!(matches!(&form.act(Action::Submit).unwrap()[..], [Effect::Remember { .. }, Effect::Start(_)]));
    }

    #[test]
    fn the_record_and_the_command_line_say_the_same() {
        let mut form = form("tune");
        type_into(&mut form, "epochs", "2");
        go_to(&mut form, "loss");
        assert!(form.act(Action::NextChoice).is_some());
        assert_eq!(form.command_line(), "lapidary tune --loss triplet --epochs 2");
        let effects = form.act(Action::Submit).unwrap();
        let [_, Effect::Start(start)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!((start.record["epochs"].as_f64(), start.record["loss"].as_str()), (Some(2.0), Some("triplet")));
        assert_eq!(form.typed(), [("loss".to_owned(), "triplet".to_owned()), ("epochs".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn operands_are_required_and_parted() {
        let mut form = form("pairs-import");
        assert!(matches!(&form.act(Action::Submit).unwrap()[..], [Effect::Complain(_)]));
        type_into(&mut form, "files", "'my pairs.csv' b.csv");
        let effects = form.act(Action::Submit).unwrap();
        let [_, Effect::Start(start)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(start.record["files"], serde_json::json!(["my pairs.csv", "b.csv"]));
    }

    #[test]
    fn what_was_typed_before_stands_there_again() {
        let table = JobTable::find("tune").unwrap();
        let overrides: toml::Table = "epochs = 5.0".parse().unwrap();
        let before = [("batch".to_owned(), "16".to_owned())];
        let form = Form::new(table, Some(&overrides), &before, "cpu").unwrap();
        let value = |name: &str| form.fields().iter().find(|field| field.name == name).unwrap().field.text().to_owned();
        assert_eq!((value("batch"), value("epochs"), value("device")), ("16".into(), "5".into(), "cpu".into()));
        let broken: toml::Table = "epoch = 5".parse().unwrap();
        assert!(Form::new(table, Some(&broken), &[], "cpu").unwrap_err().contains("no setting \"epoch\""));
    }
}
