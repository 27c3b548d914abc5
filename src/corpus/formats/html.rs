//! HTML: headings, and the text of block elements; scripts, styles and navigation are left out.

use scraper::{ElementRef, Html, Node};

use super::Sink;
use crate::corpus::Result;
use crate::corpus::blocks::Block;

const LEFT_OUT: &[&str] = &["script", "style", "noscript", "template", "nav", "head", "svg"];
const INLINE: &[&str] = &[
    "a", "abbr", "b", "bdi", "cite", "code", "dfn", "em", "i", "kbd", "mark", "q", "s", "samp", "small", "span",
    "strong", "sub", "sup", "time", "u", "var", "wbr", "font", "label",
];

pub(super) fn read(text: &str, sink: &mut dyn Sink) -> Result<()> {
    let page = Html::parse_document(text);
    let mut current = String::new();
    walk(page.root_element(), &mut current, sink)?;
    flush(&mut current, sink)
}

fn walk(element: ElementRef<'_>, current: &mut String, sink: &mut dyn Sink) -> Result<()> {
    for child in element.children() {
        if let Node::Text(text) = child.value() {
            current.push_str(text);
            continue;
        }
        let Some(child) = ElementRef::wrap(child) else { continue };
        let name = child.value().name();
        if LEFT_OUT.contains(&name) {
            continue;
        }
        if let Some(level) = heading_level(name) {
            flush(current, sink)?;
            sink.block(Block::heading(level, &child.text().collect::<String>()))?;
        } else if name == "pre" {
            flush(current, sink)?;
            let text = child.text().collect::<String>();
            if !text.trim().is_empty() {
                sink.block(Block::Lines(text.trim_matches('\n').to_owned()))?;
            }
        } else if INLINE.contains(&name) {
            walk(child, current, sink)?;
        } else if matches!(name, "td" | "th" | "br") {
            walk(child, current, sink)?;
            current.push(' ');
        } else {
            flush(current, sink)?;
            walk(child, current, sink)?;
            flush(current, sink)?;
        }
    }
    Ok(())
}

fn heading_level(name: &str) -> Option<usize> {
    let level = name.strip_prefix('h')?.parse().ok()?;
    (1..=6).contains(&level).then_some(level)
}

fn flush(current: &mut String, sink: &mut dyn Sink) -> Result<()> {
    let text = std::mem::take(current);
    if text.trim().is_empty() { Ok(()) } else { sink.block(Block::paragraph(&text)) }
}
