//! Documents: which are read, cut and used.

use crate::settings::define::settings;
use crate::settings::value::choice;

choice! {
    /// Which documents a tokenizer is trained on.
    DocumentsToUse {
        /// Those of the train fold: the others judge it.
        Train = "train",
        /// All of them: nothing is left to judge it honestly.
        All = "all",
    }
}
/// The name this choice has in signatures.
pub use DocumentsToUse as Documents;

settings! {
    /// Reading documents into passages and folds.
    CorpusSettings for "corpus" {
        /// Words in a passage; passages end at headings and sentences.
        passage_words: usize = 180, range 20..2000, unit "words";
        /// Jaccard similarity of 5-word shingles from which two passages are near-duplicates.
        duplicate_threshold: f64 = 0.8, range 0.5..1.0;
        /// Share of the passages, dealt by document, whose questions choose the best checkpoint.
        dev_share: f64 = 0.1, range 0.0..0.5;
        /// Share of the passages, dealt by document, whose questions are asked once, at the end.
        test_share: f64 = 0.1, range 0.0..0.5;
        /// A table with the columns document and fold (such as a table of questions), which fixes the folds of the documents that
        /// it names; the others are dealt.
        folds: Option<String> = None;
        /// A table of questions (the columns document, quote and question, and perhaps fold and kind): it fixes the folds of the
        /// documents that it names, and its questions become pairs and test questions once the documents are read.
        questions: Option<String> = None;
        /// Seed of the folds.
        seed: u64 = 13;
    }
}
