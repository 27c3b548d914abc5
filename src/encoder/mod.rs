//! A trainable transformer encoder: configuration, operators, pooling, weights.
//!
//! An [`Encoder`] is a sentence-transformers folder in memory: a BERT whose parameters are candle variables, its
//! tokenizer, pooling, an optional dense layer, prompts. [`Encoder::pass`] keeps what [`Encoder::backward`] needs to train;
//! [`Encoder::embed`] does not. No operator here may lack a backward pass: [`self_test`] looks before any training.

mod bert;
mod config;
mod cut;
mod embeddings;
mod engine;
mod folder;
mod frozen;
mod gemm;
pub mod hub;
pub(crate) mod lanes;
mod layout;
mod model;
mod ops;
mod parameters;
mod pass;
mod place;
pub mod reference;
mod self_test;
mod tokens;
mod transplant;
mod vectors;

pub use config::BertConfig;
pub use cut::Cut;
pub use embeddings::Embeddings;
pub use folder::{Activation, Pooling, Prompts};
pub use frozen::Frozen;
pub use model::{DimHead, Dropout, Encoder, Role};
pub use parameters::Parameters;
pub use pass::{Gradients, Pass};
pub use place::Place;
pub use self_test::{Snapshot, self_test};
pub use tokens::Tokens;
pub use transplant::Transplanted;
pub use vectors::Vectors;

use std::path::{Path, PathBuf};

/// What can go wrong with an encoder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading a file failed.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] crate::tokenizer::Error),
    /// A file of the workspace.
    #[error(transparent)]
    Workspace(#[from] crate::workspace::Error),
    /// A model of the hub.
    #[error(transparent)]
    Hub(#[from] hub::Error),
    /// A model named by a path that is not there.
    #[error(
        "{0}: no such folder; name a folder with config.json, model.safetensors and tokenizer.json, a model of this workspace or of the hub (organisation/name), or `embedded`"
    )]
    NoModelFolder(String),
    /// A tokenizer named by a path that is not there.
    #[error("{0}: no such file; name a tokenizer.json, a folder that holds one, or a tokenizer of this workspace")]
    NoTokenizerFile(String),
    /// A folder named as a tokenizer that holds none.
    #[error("{}: no tokenizer.json in this folder", .0.display())]
    NoTokenizerIn(PathBuf),
    /// No name of a device.
    #[error(
        "--device {0}: must be auto, cpu, cuda, cuda:N or metal; several GPUs to train on: cuda:0,cuda:1 or cuda:all"
    )]
    UnknownDevice(String),
    /// Names of devices that cannot work together.
    #[error("--device {list}: {problem}")]
    DeviceList {
        /// What was asked for.
        list: String,
        /// Why not.
        problem: &'static str,
    },
    /// A device that cannot be used.
    #[error("{0}")]
    NoDevice(String),
    /// Tokenizing a text failed.
    #[error("tokenizing: {0}")]
    Tokenizing(String),
    /// A computation failed.
    #[error("computing: {0}; if the device is out of memory, use a smaller --micro-batch or --max-length")]
    Compute(#[from] candle_core::Error),
    /// A length that the model has no positions for.
    #[error("--max-length {wanted}: the model has {positions} positions")]
    TooLong {
        /// What was asked for.
        wanted: usize,
        /// What there is.
        positions: usize,
    },
    /// Dimensions that truncation cannot give.
    #[error("--dim {wanted}: the base has {dim} dimensions; more of them need a dense layer")]
    TooWide {
        /// What was asked for.
        wanted: usize,
        /// What there is.
        dim: usize,
    },
    /// More layers to freeze than there are.
    #[error("--freeze-layers {wanted}: the model has {layers} layers")]
    TooManyFrozen {
        /// What was asked for.
        wanted: usize,
        /// What there is.
        layers: usize,
    },
    /// Everything is frozen.
    #[error(
        "--freeze-embeddings with all {0} layers frozen leaves nothing to train: freeze fewer layers, or add a layer with --dim and --dense"
    )]
    AllFrozen(usize),
    /// A vocabulary that does not fit.
    #[error("putting another vocabulary into the encoder: {0}")]
    Transplant(String),
    /// A student larger than its teacher.
    #[error(
        "--{what} {wanted}: the teacher has {most}; a student begins with parts of it (--from scratch begins with none)"
    )]
    Cut {
        /// Of what.
        what: &'static str,
        /// What was asked for.
        wanted: usize,
        /// What there is.
        most: usize,
    },
    /// The self-test found parameters that would not be trained.
    #[error("refusing to train: {problem} in {}", names.join(", "))]
    NotTrainable {
        /// What is wrong.
        problem: &'static str,
        /// With which parameters.
        names: Vec<String>,
    },
    /// Stopped on request.
    #[error("stopped on request")]
    Stopped,
}

impl Error {
    fn malformed(path: impl Into<PathBuf>, problem: impl std::fmt::Display) -> Self {
        Self::Malformed { path: path.into(), problem: problem.to_string() }
    }
}

/// The result of working with an encoder.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|error| Error::malformed(path, error))
}
