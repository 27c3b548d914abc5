//! Markdown, as `CommonMark` with tables.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::Sink;
use crate::corpus::Result;
use crate::corpus::blocks::Block;

pub(super) fn read(text: &str, sink: &mut dyn Sink) -> Result<()> {
    let (mut current, mut level) = (String::new(), 0);
    let (mut code, mut table) = (false, false);
    for event in Parser::new_ext(without_front_matter(text), Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { level: of, .. }) => {
                flush(&mut current, code || table, sink)?;
                level = of as usize;
            }
            Event::End(TagEnd::Heading(_)) => sink.block(Block::heading(level, &std::mem::take(&mut current)))?,
            Event::Start(Tag::CodeBlock(_)) => {
                flush(&mut current, false, sink)?;
                code = true;
            }
            Event::Start(Tag::Table(_)) => {
                flush(&mut current, false, sink)?;
                table = true;
            }
            Event::End(TagEnd::CodeBlock | TagEnd::Table) => {
                flush(&mut current, true, sink)?;
                (code, table) = (false, false);
            }
            Event::End(TagEnd::TableCell) => current.push_str(" | "),
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => {
                current.truncate(current.trim_end_matches([' ', '|']).len());
                current.push('\n');
            }
            // A list's items run together: cut apart, they would mean nothing.
            Event::End(TagEnd::Item) => current.push('\n'),
            Event::End(TagEnd::Paragraph | TagEnd::List(_) | TagEnd::BlockQuote(_)) if !table => {
                flush(&mut current, false, sink)?;
            }
            Event::Text(text) | Event::Code(text) => current.push_str(&text),
            Event::SoftBreak | Event::HardBreak => current.push('\n'),
            _ => {}
        }
    }
    flush(&mut current, code || table, sink)
}

fn flush(current: &mut String, lines: bool, sink: &mut dyn Sink) -> Result<()> {
    let text = std::mem::take(current);
    if text.trim().is_empty() {
        return Ok(());
    }
    sink.block(if lines { Block::Lines(text.trim().to_owned()) } else { Block::paragraph(&text) })
}

/// The text after a YAML front matter.
fn without_front_matter(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("---\n") else { return text };
    rest.split_once("\n---\n").map_or(text, |(_, body)| body)
}
