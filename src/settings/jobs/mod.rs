//! The parameters of each job. A default that comes from a paper or a measurement says so.

mod corpus;
mod evaluate;
mod pairs;
mod tokenizer;
mod tune;
mod vocabulary;

pub use corpus::{CorpusSettings, Documents, DocumentsToUse};
pub use evaluate::EvaluateSettings;
pub use pairs::{PairsImportSettings, PairsSettings, PairsSynthesisSettings, RoundTripBy};
pub use tokenizer::{InitialAlphabet, InspectSettings, Normalization, SplitPattern, TokenizerKind, TokenizerSettings};
pub use tune::{Interpolation, Loss, Negatives, Precision, TripletDistance, TuneSettings};
pub use vocabulary::{AlignSettings, Beginning, DistillSettings, LadderSettings, Stored, Vocabulary};
