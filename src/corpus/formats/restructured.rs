//! reStructuredText, as far as headings go: a line underlined by punctuation is one, and its level is that of its
//! punctuation, in the order in which the file uses them.

use super::Sink;
use crate::corpus::Result;
use crate::corpus::blocks::Block;

pub(super) fn read(text: &str, sink: &mut dyn Sink) -> Result<()> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut levels: Vec<char> = Vec::new();
    let mut paragraph = String::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if let Some(mark) = lines.get(at + 1).and_then(|under| underline(line, under)) {
            flush(&mut paragraph, sink)?;
            let level = levels.iter().position(|seen| *seen == mark).unwrap_or_else(|| {
                levels.push(mark);
                levels.len() - 1
            });
            sink.block(Block::heading(level + 1, line))?;
            at += 2;
            continue;
        }
        if line.is_empty() {
            flush(&mut paragraph, sink)?;
        } else if !(line.starts_with(".. ") || is_rule(line)) {
            paragraph.push_str(line);
            paragraph.push('\n');
        }
        at += 1;
    }
    flush(&mut paragraph, sink)
}

/// The punctuation under a heading, if that is what two lines are.
fn underline(line: &str, under: &str) -> Option<char> {
    let heading = !line.is_empty() && !line.starts_with(char::is_whitespace) && !is_rule(line);
    let long_enough = under.chars().count() + 1 >= line.chars().count() && under.len() >= 3;
    (heading && long_enough && is_rule(under)).then(|| under.chars().next()).flatten()
}

/// Whether a line is one punctuation character again and again.
fn is_rule(line: &str) -> bool {
    let mut characters = line.chars();
    let Some(first) = characters.next() else { return false };
    first.is_ascii_punctuation() && line.len() >= 3 && characters.all(|c| c == first)
}

fn flush(paragraph: &mut String, sink: &mut dyn Sink) -> Result<()> {
    let text = std::mem::take(paragraph);
    if text.trim().is_empty() { Ok(()) } else { sink.block(Block::paragraph(&text)) }
}
