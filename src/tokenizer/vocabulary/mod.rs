//! From one vocabulary to another: what a base's tokenizer makes of the tokens of a new one, and a base's vocabulary with
//! whole words added.

mod case;
mod extend;
mod kind;
mod transfer;

pub use case::{is_uncased, lower_cased};
pub use extend::{Extended, costly_words, extend};
pub use transfer::{Source, sources};
