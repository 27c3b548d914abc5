//! Making and importing pairs.

use crate::settings::define::settings;
use crate::settings::value::choice;

settings! {
    /// Building pairs from the structure of the documents.
    PairsSettings for "pairs" {
        /// Sentences of a passage that serve as a query for the rest of it (inverse cloze; Lee et al. 2019).
        cloze: usize = 1, range 0..20, unit "a passage";
        /// How often the sentence is removed from the passage it was taken from.
        remove: f64 = 0.9, range 0.0..1.0;
        /// Use titles and headings as queries for their text.
        headings: bool = true;
        /// The artifact's name.
        name: String = "structural".to_owned();
        /// Seed of the choice of sentences.
        seed: u64 = 13;
    }
}

choice! {
    /// Who looks for a question's passage in the round trip.
    RoundTripBy {
        /// BM25: needs no model.
        Bm25 = "bm25",
        /// The base encoder that will be tuned.
        Base = "base",
    }
}

settings! {
    /// Making pairs with a local language model: from each passage, the questions that its readers might ask.
    PairsSynthesisSettings for "pairs-synthesize" {
        /// The model, as Ollama calls it (`qwen3:8b`); default: the only one there, or the one that was changed last.
        model: Option<String> = None;
        /// Download the model where it is missing.
        pull: bool = false;
        /// Questions for each passage, of different kinds.
        questions: usize = 3, range 1..8, unit "a passage";
        /// The language of the questions; default: the passage's own, detected.
        language: Option<String> = None;
        /// A file with the prompt; default: the workspace's `prompts/synthesis.md`, else the one that comes with lapidary.
        prompt: Option<String> = None;
        /// Questions that real users asked, of the newest pairs that hold any, shown to the model as examples.
        examples: usize = 4, range 0..16, unit "questions";
        /// Ask about so many passages only, spread over the corpus: a trial; default: all.
        limit: Option<usize> = None, range 1..10_000_000, unit "passages";
        /// Requests under way at once at each endpoint; Ollama answers one at a time unless `OLLAMA_NUM_PARALLEL` says more.
        concurrency: usize = 2, range 1..64, unit "requests";
        /// How freely the model writes; 0: always its likeliest words.
        temperature: f64 = 0.7, range 0.0..2.0;
        /// Tokens that the model sees at once, prompt and answer.
        num_ctx: usize = 4096, range 512..1_000_000, unit "tokens";
        /// Tokens of an answer.
        num_predict: usize = 512, range 32..32_768, unit "tokens";
        /// How long Ollama keeps the model loaded between two requests.
        keep_alive: usize = 30, range 1..1440, unit "minutes";
        /// Leave the model loaded at the end; default: it is unloaded, so that training has the GPU's memory.
        keep_loaded: bool = false;
        /// Seconds without a word after which an answer that has begun is given up.
        silence: f64 = 60.0, range 0.1..3600.0, unit "seconds";
        /// Seconds until the first word: loading a model takes its time.
        load_timeout: f64 = 300.0, range 0.1..7200.0, unit "seconds";
        /// Minutes without any endpoint that answers after which the work stops, to be resumed.
        patience: f64 = 10.0, range 0.001..1440.0, unit "minutes";
        /// Times that a passage is asked about before it is given up.
        tries: usize = 4, range 1..20, unit "times";
        /// A question stays if its passage is among the so many that rank best for it; 0: whatever its rank
        /// (round-trip consistency; Dai et al. 2023).
        round_trip: usize = 10, range 0..1000, unit "passages";
        /// Who ranks the passages in the round trip.
        round_trip_by: RoundTripBy = RoundTripBy::Bm25;
        /// The base encoder of the round trip: an artifact's name, a folder, a model of the hub (organisation/name), or `embedded`.
        base: String = "embedded".to_owned();
        /// Let the model judge each question from 1 to 5 and keep those with at least so much; 0: no judge.
        judge: usize = 0, range 0..5;
        /// The artifact's name.
        name: String = "synthesized".to_owned();
        /// Seed of the model's choice of words, and of the examples.
        seed: u64 = 13;
    }
}

settings! {
    /// Importing the user's own pairs.
    PairsImportSettings for "pairs-import" {
        /// The artifact's name.
        name: String = "imported".to_owned();
        /// Seed of the folds of passages that the corpus lacks, where the files name none.
        seed: u64 = 13;
    }
}
