//! Lines of a byte stream, wherever the network cut it: a line is whole before it is text.

/// Collects bytes and hands out whole lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    /// How far no line end was found.
    searched: usize,
}

impl Lines {
    /// Takes what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole line that is not blank, without its end.
    pub(super) fn next_line(&mut self) -> Option<Vec<u8>> {
        loop {
            let Some(at) = self.held[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.held.len();
                return None;
            };
            let rest = self.held.split_off(self.searched + at + 1);
            let mut line = std::mem::replace(&mut self.held, rest);
            self.searched = 0;
            line.truncate(line.trim_ascii_end().len());
            if !line.is_empty() {
                return Some(line);
            }
        }
    }

    /// What is left when the stream has ended: a last line without an end.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        self.searched = 0;
        let mut line = std::mem::take(&mut self.held);
        line.truncate(line.trim_ascii_end().len());
        (!line.is_empty()).then_some(line)
    }

    /// Bytes that wait for their line's end.
    pub(super) fn waiting(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn wherever_the_stream_is_cut_the_lines_are_the_same(text in "[a-я\n]{0,60}", cuts in prop::collection::vec(1_usize..9, 0..40)) {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            let mut left = text.as_bytes();
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let (now, later) = left.split_at(cut.min(left.len()));
                lines.push(now);
                left = later;
                while let Some(line) = lines.next_line() {
                    found.push(String::from_utf8(line).unwrap());
                }
            }
            found.extend(lines.rest().map(|line| String::from_utf8(line).unwrap()));
            let expected: Vec<&str> = text.split('\n').filter(|line| !line.is_empty()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
