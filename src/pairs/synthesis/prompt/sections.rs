//! The form of a prompt: a version, sections, placeholders in braces.
//!
//! Filling in is one pass over the template: what a document says in braces is never taken for a placeholder, and what it says
//! between angle brackets never for the end of the passage or for a turn of the conversation.

use std::collections::BTreeMap;

/// The lines that the passage must stand between, so that the model sees where it ends.
const FENCE: (&str, &str) = ("<passage>", "</passage>");

/// Sections: the name, the placeholders it may hold, whether it must be there.
pub(super) type Rules = &'static [(&'static str, &'static [&'static str], bool)];

/// What is wrong with a prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{line}: {problem}; {remedy}")]
pub struct PromptError {
    /// The file.
    pub(in crate::pairs) origin: String,
    /// The line, from 1.
    pub(in crate::pairs) line: usize,
    /// What is wrong there.
    pub(in crate::pairs) problem: String,
    /// What to do about it.
    pub(in crate::pairs) remedy: String,
}

/// The sections of a prompt.
#[derive(Debug)]
pub(super) struct Sections {
    origin: String,
    /// The number in the first line.
    pub(super) version: u32,
    found: BTreeMap<&'static str, Body>,
    lines: usize,
}

impl Sections {
    /// Reads a prompt by its rules.
    pub(super) fn parse(text: &str, origin: &str, rules: Rules) -> Result<Self, PromptError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut sections =
            Self { origin: origin.to_owned(), version: 0, found: BTreeMap::new(), lines: text.lines().count().max(1) };
        let mut lines = (1..).zip(text.lines()).skip_while(|(_, line)| line.trim().is_empty());
        let (at, first) = lines.next().unwrap_or((1, ""));
        sections.version = first
            .strip_prefix("version:")
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| sections.error(at, "no version", "begin the file with a line such as `version: 1`"))?;
        let mut open: Option<(&'static str, Body)> = None;
        for (at, line) in lines {
            if let Some(name) = line.strip_prefix("# ") {
                sections.close(open.take(), rules)?;
                open = Some((sections.known(name.trim(), at, rules)?, Body { line: at, lines: Vec::new() }));
            } else if let Some((_, body)) = &mut open {
                body.lines.push(line.trim_end().to_owned());
            } else if !line.trim().is_empty() {
                return Err(sections.error(at, "text before the first section", "put it under `# system` or `# user`"));
            }
        }
        sections.close(open, rules)?;
        for (name, _, needed) in rules {
            if *needed && !sections.found.contains_key(name) {
                return Err(sections.error(
                    sections.lines,
                    &format!("the section `# {name}` is missing"),
                    "add it; the prompts that come with lapidary show what belongs there",
                ));
            }
        }
        Ok(sections)
    }

    /// A section; an error where it is not there.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Body, PromptError> {
        let section = self.found.remove(name);
        section.ok_or_else(|| self.error(self.lines, &format!("the section `# {name}` is missing"), "add it"))
    }

    /// The passage must be shown, on a line of its own between the lines that fence it.
    pub(super) fn check_passage(&self, user: &Body) -> Result<(), PromptError> {
        let fenced = "put {passage} on a line of its own, after a line <passage> and before a line </passage>";
        let mut seen = false;
        for (nth, line) in user.lines.iter().enumerate().filter(|(_, line)| names(line).any(|name| name == "passage")) {
            let at = |nth: usize| user.lines.get(nth).map(|line| line.trim());
            let before = nth.checked_sub(1).and_then(at);
            if line.trim() != "{passage}" || before != Some(FENCE.0) || at(nth + 1) != Some(FENCE.1) {
                return Err(self.error(user.line + 1 + nth, "{passage} stands without its fence", fenced));
            }
            seen = true;
        }
        if seen { Ok(()) } else { Err(self.error(user.line, "{passage} is missing in the section `# user`", fenced)) }
    }

    pub(super) fn error(&self, line: usize, problem: &str, remedy: &str) -> PromptError {
        PromptError { origin: self.origin.clone(), line, problem: problem.to_owned(), remedy: remedy.to_owned() }
    }

    fn known(&self, name: &str, at: usize, rules: Rules) -> Result<&'static str, PromptError> {
        let known = rules.iter().map(|(known, ..)| *known).find(|known| *known == name);
        let Some(known) = known else {
            let names: Vec<_> = rules.iter().map(|(name, ..)| *name).collect();
            let remedy =
                format!("the sections are {}; write `## {name}` if it is a heading inside one", names.join(", "));
            return Err(self.error(at, &format!("unknown section {name:?}"), &remedy));
        };
        match self.found.get(known) {
            None => Ok(known),
            Some(first) => Err(self.error(
                at,
                &format!("a second section `# {known}`; the first is in line {}", first.line),
                "join the two",
            )),
        }
    }

    /// Keeps a section that was read to its end.
    fn close(&mut self, section: Option<(&'static str, Body)>, rules: Rules) -> Result<(), PromptError> {
        let Some((name, mut body)) = section else { return Ok(()) };
        let allowed = rules.iter().find(|(known, ..)| *known == name).map_or(&[][..], |(_, allowed, _)| allowed);
        for (nth, line) in body.lines.iter().enumerate() {
            if let Some(unknown) = names(line).find(|name| !allowed.contains(name)) {
                let allowed: Vec<_> = allowed.iter().map(|name| format!("{{{name}}}")).collect();
                return Err(self.error(
                    body.line + 1 + nth,
                    &format!("unknown placeholder {{{unknown}}} in the section `# {name}`"),
                    &format!("it may hold {}", allowed.join(", ")),
                ));
            }
        }
        while body.lines.last().is_some_and(String::is_empty) {
            body.lines.pop();
        }
        if body.lines.iter().all(String::is_empty) {
            return Err(self.error(
                body.line,
                &format!("the section `# {name}` is empty"),
                "write what the model is to be told, or remove the section if it can be left out",
            ));
        }
        self.found.insert(name, body);
        Ok(())
    }
}

/// The lines of a section.
#[derive(Debug, Clone)]
pub(super) struct Body {
    /// The line of its heading, from 1.
    pub(super) line: usize,
    lines: Vec<String>,
}

impl Body {
    /// Whether a placeholder stands in it.
    pub(super) fn holds(&self, placeholder: &str) -> bool {
        self.lines.iter().any(|line| names(line).any(|name| name == placeholder))
    }

    /// The text of the line that begins with a word and a colon.
    pub(super) fn entry(&self, word: &str) -> Option<Self> {
        self.lines.iter().zip(self.line + 1..).find_map(|(line, at)| {
            let text =
                line.trim_start_matches(['-', '*', ' ']).strip_prefix(word)?.trim_start().strip_prefix(':')?.trim();
            (!text.is_empty()).then(|| Self { line: at, lines: vec![text.to_owned()] })
        })
    }

    /// The section with its placeholders replaced. A line whose placeholders all stand for nothing is left out, and so are
    /// the blank lines that would then meet.
    pub(super) fn filled(&self, values: &[(&str, &str)]) -> String {
        let mut text = String::new();
        let mut blank = true; // leading blank lines are left out too
        for line in &self.lines {
            let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            if names(line).next().is_some() && names(line).all(|name| value(name).is_some_and(str::is_empty)) {
                continue;
            }
            if line.is_empty() {
                blank = blank || text.ends_with("\n\n");
                if !std::mem::replace(&mut blank, true) {
                    text.push('\n');
                }
                continue;
            }
            blank = false;
            for piece in pieces(line) {
                match piece {
                    Piece::Text(piece) => text.push_str(piece),
                    Piece::Name(name) => text.push_str(&neutral(value(name).unwrap_or_default())),
                }
            }
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// A part of a line.
enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// The parts of a line. Braces with anything but lower-case letters in them are text, so that a prompt can show JSON.
fn pieces(line: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(open) = rest[from..].find('{').map(|at| from + at) {
            let Some(name) = placeholder(&rest[open..]) else {
                from = open + 1;
                continue;
            };
            let piece = if open == 0 { Piece::Name(name) } else { Piece::Text(&rest[..open]) };
            rest = &rest[if open == 0 { name.len() + 2 } else { open }..];
            return Some(piece);
        }
        Some(Piece::Text(std::mem::take(&mut rest)))
    })
}

/// The name in the braces that a text begins with.
fn placeholder(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    (!name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')).then_some(name)
}

fn names(line: &str) -> impl Iterator<Item = &str> {
    pieces(line).filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// White space becomes single spaces.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text that cannot be mistaken for the prompt's own marks: the bracket before `passage>` and that of a model's control tokens
/// (`<|im_end|>`) become angle quotes, which look the same and mean nothing.
fn neutral(text: &str) -> String {
    let mut neutral = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let after = &rest[at + 1..];
        neutral.push_str(&rest[..at]);
        neutral.push(if is_mark(after) { '‹' } else { '<' });
        rest = after;
    }
    neutral.push_str(rest);
    neutral
}

/// Whether `<` with this after it is a mark.
fn is_mark(after: &str) -> bool {
    let name = after.trim_start_matches(|c: char| c == '/' || c.is_whitespace()).as_bytes();
    let word = b"passage";
    after.starts_with('|') || name.len() >= word.len() && name[..word.len()].eq_ignore_ascii_case(word)
}
