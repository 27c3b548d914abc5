//! Cutting a document into passages, at headings and sentence ends.

use super::blocks::{Block, squeeze};
use super::text::{sentences, words};

/// A passage is never longer than this many times what was asked for.
const LONGEST: f64 = 1.5;
/// What is left at the end of a section and shorter than this share is joined to what came before.
const SHORTEST: f64 = 0.35;

/// A passage before it has an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) heading: Vec<String>,
    pub(super) text: String,
}

/// Cuts blocks into passages as they come.
pub(super) struct Cutter {
    target: usize,
    title: Option<String>,
    /// Level and text of the headings that hold here.
    headings: Vec<(usize, String)>,
    current: String,
    count: usize,
    /// The last complete passage of this section, held back: a short rest may join it.
    held: Option<(String, usize)>,
    done: Vec<Cut>,
}

impl Cutter {
    pub(super) fn new(target: usize) -> Self {
        Self {
            target,
            title: None,
            headings: Vec::new(),
            current: String::new(),
            count: 0,
            held: None,
            done: Vec::new(),
        }
    }

    /// The first heading, if there was one.
    pub(super) fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Takes a block and returns the passages that are complete.
    pub(super) fn block(&mut self, block: &Block) -> Vec<Cut> {
        match block {
            Block::Heading(level, text) if !text.is_empty() => {
                self.end_section();
                self.headings.retain(|(above, _)| above < level);
                self.headings.push((*level, text.clone()));
                self.title.get_or_insert_with(|| text.clone());
            }
            Block::Heading(..) => {}
            Block::Paragraph(text) => {
                let mut separator = '\n';
                for sentence in sentences(text) {
                    self.add(&squeeze(sentence), separator);
                    separator = ' ';
                }
            }
            Block::Lines(text) => {
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    self.add(line.trim_end(), '\n');
                }
            }
        }
        std::mem::take(&mut self.done)
    }

    /// The passages that are left.
    pub(super) fn finish(&mut self) -> Vec<Cut> {
        self.end_section();
        std::mem::take(&mut self.done)
    }

    fn add(&mut self, piece: &str, separator: char) {
        let count = words(piece);
        let longest = (self.target as f64 * LONGEST) as usize;
        if count > longest {
            // A sentence without an end: cut at words.
            let all: Vec<&str> = piece.split_whitespace().collect();
            for part in all.chunks(self.target) {
                self.add(&part.join(" "), separator);
            }
            return;
        }
        // Nearer to the target without this piece than with it, or too long with it.
        let (with, without) = ((self.count + count).abs_diff(self.target), self.count.abs_diff(self.target));
        if self.count > 0 && (self.count + count > longest || (self.count + count > self.target && without < with)) {
            self.release();
            self.held = Some((std::mem::take(&mut self.current), std::mem::take(&mut self.count)));
        }
        if !self.current.is_empty() {
            self.current.push(separator);
        }
        self.current.push_str(piece);
        self.count += count;
    }

    fn end_section(&mut self) {
        if let Some((text, count)) = &mut self.held {
            let short = (self.count as f64) < self.target as f64 * SHORTEST;
            if self.count > 0 && short && (*count + self.count) as f64 <= self.target as f64 * LONGEST {
                text.push('\n');
                text.push_str(&std::mem::take(&mut self.current));
                *count += std::mem::take(&mut self.count);
            }
        }
        self.release();
        if self.count > 0 {
            self.held = Some((std::mem::take(&mut self.current), std::mem::take(&mut self.count)));
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some((text, _)) = self.held.take() {
            let heading = self.headings.iter().map(|(_, text)| text.clone()).collect();
            self.done.push(Cut { heading, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(target: usize, blocks: &[Block]) -> Vec<Cut> {
        let mut cutter = Cutter::new(target);
        let mut cuts: Vec<Cut> = blocks.iter().flat_map(|block| cutter.block(block)).collect();
        cuts.extend(cutter.finish());
        cuts
    }

    #[test]
    fn headings_cut_and_are_kept() {
        let blocks = [
            Block::heading(1, "Receivers"),
            Block::paragraph("They hold liquid."),
            Block::heading(2, "Gauge  glasses"),
            Block::paragraph("Use armoured ones. Blow them down."),
            Block::heading(2, "Valves"),
            Block::paragraph("Close the king valve."),
        ];
        let cuts = cut(100, &blocks);
        assert_eq!(
            cuts[1],
            Cut {
                heading: vec!["Receivers".into(), "Gauge glasses".into()],
                text: "Use armoured ones. Blow them down.".into()
            }
        );
        assert_eq!(cuts[2].heading, ["Receivers", "Valves"]);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_passage_is_too_long(paragraphs in prop::collection::vec("([a-z]{1,8}[.!]? ?){0,60}", 0..12), target in 20_usize..60) {
            let blocks: Vec<Block> = paragraphs.iter().map(|text| Block::paragraph(text)).collect();
            let cuts = cut(target, &blocks);
            let before: Vec<&str> = paragraphs.iter().flat_map(|text| text.split_whitespace()).collect();
            let after: Vec<&str> = cuts.iter().flat_map(|cut| cut.text.split_whitespace()).collect();
            prop_assert_eq!(before, after);
            for cut in &cuts {
                prop_assert!(words(&cut.text) as f64 <= target as f64 * LONGEST, "{} words", words(&cut.text));
            }
        }
    }
}
