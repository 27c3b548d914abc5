//! Files of each format, read into blocks. What is line by line in the file streams.

mod html;
mod markdown;
mod records;
mod restructured;

use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use super::blocks::Block;
use super::decode::{Examined, decoded};
use crate::workspace::Error;

/// A marked-up file over this size is read line by line, as plain text: its tree would not fit in memory.
const LARGEST_TREE: u64 = 64 << 20;

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Markdown,
    Restructured,
    Html,
    Csv,
    Tsv,
    Json,
    JsonLines,
    Code,
}

const CODE: &[&str] = &[
    "rs", "py", "js", "ts", "jsx", "tsx", "c", "h", "cc", "cpp", "hpp", "cs", "java", "kt", "go", "rb", "php", "swift",
    "scala", "lua", "pl", "sh", "bash", "sql", "toml", "yaml", "yml", "ini", "cfg", "conf", "xml", "proto", "r", "jl",
    "hs", "ml", "ex", "erl", "zig",
];

impl Format {
    /// By the file's ending; what is not known is read as text.
    pub(super) fn of(path: &Path) -> Self {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        match ending.as_str() {
            "md" | "markdown" | "mdx" => Self::Markdown,
            "rst" => Self::Restructured,
            "html" | "htm" | "xhtml" => Self::Html,
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::JsonLines,
            code if CODE.contains(&code) => Self::Code,
            _ => Self::Text,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Restructured => "rst",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Code => "code",
        }
    }
}

/// A line of a file that could not be read.
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) reason: String,
}

/// Who takes what a file is read into.
pub(super) trait Sink {
    /// The next block.
    fn block(&mut self, block: Block) -> super::Result<()>;
    /// A line that is left out.
    fn bad_line(&mut self, bad: BadLine);
}

/// Reads a file into blocks.
pub(super) fn read(path: &Path, format: Format, examined: &Examined, sink: &mut dyn Sink) -> super::Result<()> {
    let mut text = decoded(path, examined.encoding)?;
    let failed = |error| super::Error::from(Error::io("reading", path)(error));
    let tree = matches!(format, Format::Markdown | Format::Restructured | Format::Html | Format::Json);
    if tree && examined.bytes <= LARGEST_TREE {
        let mut whole = String::new();
        text.read_to_string(&mut whole).map_err(failed)?;
        return match format {
            Format::Markdown => markdown::read(&whole, sink),
            Format::Restructured => restructured::read(&whole, sink),
            Format::Html => html::read(&whole, sink),
            _ => records::json(&whole, sink),
        };
    }
    match format {
        Format::Csv => records::table(text, b',', sink),
        Format::Tsv => records::table(text, b'\t', sink),
        Format::JsonLines => records::json_lines(text, sink).map_err(failed)?,
        Format::Code => paragraphs(text, Block::Lines, sink).map_err(failed)?,
        _ => paragraphs(text, |text| Block::paragraph(&text), sink).map_err(failed)?,
    }
}

/// Blocks between blank lines.
fn paragraphs<R: std::io::Read>(
    reader: BufReader<R>,
    block: impl Fn(String) -> Block,
    sink: &mut dyn Sink,
) -> std::io::Result<super::Result<()>> {
    let mut paragraph = String::new();
    for line in reader.lines() {
        let line = line?;
        let line = line.trim_end();
        // A line of a megabyte is a paragraph of its own.
        if (line.is_empty() || paragraph.len() > 1 << 20)
            && !paragraph.trim().is_empty()
            && let Err(error) = sink.block(block(std::mem::take(&mut paragraph)))
        {
            return Ok(Err(error));
        }
        if !line.is_empty() {
            if !paragraph.is_empty() {
                paragraph.push('\n');
            }
            paragraph.push_str(line);
        }
    }
    if paragraph.trim().is_empty() { Ok(Ok(())) } else { Ok(sink.block(block(paragraph))) }
}
