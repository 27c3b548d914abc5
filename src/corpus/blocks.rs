//! What every format is read into: headings and the text between them.

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// A heading of a level, 1 the outermost.
    Heading(usize, String),
    /// Running text.
    Paragraph(String),
    /// Text whose line breaks mean something: code, tables, records.
    Lines(String),
}

impl Block {
    /// A heading, its white space made single spaces.
    pub(super) fn heading(level: usize, text: &str) -> Self {
        Self::Heading(level, squeeze(text))
    }

    /// A paragraph, its white space made single spaces.
    pub(super) fn paragraph(text: &str) -> Self {
        Self::Paragraph(squeeze(text))
    }
}

/// White space made single spaces.
pub(super) fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}
