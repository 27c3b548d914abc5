//! Judging models.

use super::Precision;
use crate::settings::define::settings;

settings! {
    /// Judging models on held-out questions.
    EvaluateSettings for "evaluate" {
        /// The test questions: an artifact's name; default: the newest of your own, else the newest made from the documents.
        questions: Option<String> = None;
        /// Tokens of a text that are read; default: each model's own.
        max_length: Option<usize> = None, range 8..8192, unit "tokens";
        /// The floating-point format of matrix products: bf16 is faster where there is hardware for it, and rounds.
        precision: Precision = Precision::F32;
        /// Language of the BM25 stemmer (`none`: no stemming); default: the corpus's language, detected.
        stemmer: Option<String> = None;
        /// Sign flips of the randomization test and resamples of the bootstrap.
        resamples: usize = 10000, range 100..10_000_000, unit "times";
        /// The evaluation's name.
        name: String = "evaluation".to_owned();
        /// Seed of the resampling.
        seed: u64 = 13;
    }
}
