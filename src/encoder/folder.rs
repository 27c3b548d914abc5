//! The sentence-transformers folder around the weights: pooling, normalisation, dense layer, prompts, lengths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Error, Result, Role, read_json};

/// How the hidden states of a text become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token.
    Cls,
}

/// What follows a dense layer's product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// The name under which torch knows it.
    pub const fn torch_name(self) -> &'static str {
        match self {
            Self::Identity => "torch.nn.modules.linear.Identity",
            Self::Tanh => "torch.nn.modules.activation.Tanh",
        }
    }
}

/// What is put before a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompts {
    /// Before a query.
    pub query: String,
    /// Before a passage.
    pub passage: String,
}

impl Prompts {
    /// What is put before such a text.
    pub fn of(&self, role: Role) -> &str {
        match role {
            Role::Query => &self.query,
            Role::Passage => &self.passage,
        }
    }
}

/// A dense layer of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DenseFolder {
    pub(super) path: PathBuf,
    pub(super) bias: bool,
    pub(super) activation: Activation,
}

/// A sentence-transformers folder but for weights and tokenizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) pooling: Pooling,
    pub(super) normalize: bool,
    pub(super) dense: Option<DenseFolder>,
    pub(super) prompts: Prompts,
    pub(super) max_length: Option<usize>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

impl Folder {
    /// Reads what a folder says; one without `modules.json` is a plain encoder: mean pooling, normalised.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut folder = Self {
            pooling: Pooling::Mean,
            normalize: true,
            dense: None,
            prompts: Prompts::default(),
            max_length: None,
        };
        let list = root.join("modules.json");
        if list.is_file() {
            folder.normalize = false;
            for module in read_json::<Vec<Module>>(&list)? {
                let path = root.join(&module.path);
                // Old and new names differ in their path; the class is what counts.
                match module.kind.rsplit('.').next().unwrap_or_default() {
                    "Transformer" => {}
                    "Pooling" => folder.pooling = read_pooling(&path.join("config.json"))?,
                    "Normalize" => folder.normalize = true,
                    "Dense" if folder.dense.is_none() => folder.dense = Some(read_dense(&path)?),
                    other => {
                        return Err(Error::malformed(
                            list,
                            format!("module {other} is not known here: Transformer, Pooling, one Dense, Normalize are"),
                        ));
                    }
                }
            }
        }
        let lengths = root.join("sentence_bert_config.json");
        if lengths.is_file() {
            folder.max_length = read_json::<Value>(&lengths)?["max_seq_length"].as_u64().map(|n| n as usize);
        }
        let settings = root.join("config_sentence_transformers.json");
        if settings.is_file() {
            folder.prompts = read_prompts(&read_json(&settings)?);
        }
        Ok(folder)
    }
}

fn read_pooling(path: &Path) -> Result<Pooling> {
    let config: BTreeMap<String, Value> = read_json(path)?;
    let on = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
    let mode = config.get("pooling_mode").and_then(Value::as_str);
    let others = ["max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"];
    if let Some(other) = others.iter().find(|other| on(&format!("pooling_mode_{other}"))) {
        return Err(Error::malformed(path, format!("pooling by {other} is not known here: mean and cls are")));
    }
    match (mode, on("pooling_mode_mean_tokens"), on("pooling_mode_cls_token")) {
        (Some("mean"), ..) | (None, true, false) => Ok(Pooling::Mean),
        (Some("cls"), ..) | (None, false, true) => Ok(Pooling::Cls),
        (Some(other), ..) => {
            Err(Error::malformed(path, format!("pooling by {other} is not known here: mean and cls are")))
        }
        (None, ..) => Err(Error::malformed(path, "names no single pooling mode: mean and cls are known here")),
    }
}

fn read_dense(folder: &Path) -> Result<DenseFolder> {
    let path = folder.join("config.json");
    let config: Value = read_json(&path)?;
    let name = config["activation_function"].as_str().unwrap_or_default();
    let activation = match name.rsplit('.').next().unwrap_or_default() {
        "Identity" => Activation::Identity,
        "Tanh" => Activation::Tanh,
        _ => {
            return Err(Error::malformed(
                path,
                format!("activation {name:?} is not known here: Identity and Tanh are"),
            ));
        }
    };
    Ok(DenseFolder {
        path: folder.join("model.safetensors"),
        bias: config["bias"].as_bool().unwrap_or(true),
        activation,
    })
}

fn read_prompts(config: &Value) -> Prompts {
    let prompt = |names: &[&str]| {
        let found = names.iter().find_map(|name| config["prompts"][*name].as_str());
        found.unwrap_or_default().to_owned()
    };
    Prompts { query: prompt(&["query"]), passage: prompt(&["document", "passage"]) }
}
