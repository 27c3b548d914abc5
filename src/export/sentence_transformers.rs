//! The sentence-transformers folder, in the layout that every version and every other reader loads.
//!
//! Version 5.4 of sentence-transformers changed the names in `modules.json` and the keys of the pooling's
//! configuration. It still reads the old ones; Ollama, vLLM, text-embeddings-inference and llama.cpp's converter, up to
//! recent versions, read nothing else. So the old layout is written, and only it: strict readers refuse unknown keys.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use half::f16;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use super::tokenizer_files::tokenizer_files;
use super::{Error, Result};
use crate::encoder::{Activation, Encoder, Pooling, Prompts};
use crate::settings::Stored;
use crate::tokenizer::Tokenizer;
use crate::workspace::{Error as WorkspaceError, write_atomic, write_json_atomic};

/// The version of sentence-transformers whose layout this is: the first with prompts and a named similarity. Readers
/// warn where the folder claims a newer version than theirs.
const LAYOUT_OF: &str = "3.0.0";

/// A dense layer after pooling.
#[derive(Debug, Clone)]
pub struct Dense {
    /// `[out, in]`.
    pub weight: Tensor,
    /// `[out]`.
    pub bias: Option<Tensor>,
    /// What follows the product.
    pub activation: Activation,
}

/// All that a folder holds.
#[derive(Debug, Clone)]
pub struct FolderContents {
    /// `config.json` as Hugging Face reads it.
    pub config: Value,
    /// The transformer's tensors by their Hugging Face names, without `bert.` before them.
    pub tensors: BTreeMap<String, Tensor>,
    /// The tokenizer; its truncation and padding are not written.
    pub tokenizer: Tokenizer,
    /// How hidden states become one vector.
    pub pooling: Pooling,
    /// The layer after pooling.
    pub dense: Option<Dense>,
    /// Whether vectors are scaled to length one at the end.
    pub normalize: bool,
    /// What is put before texts.
    pub prompts: Prompts,
    /// Tokens of a text that are read, special tokens included.
    pub max_length: usize,
    /// `README.md`.
    pub card: String,
    /// The format of the weights.
    pub stored: Stored,
}

/// Writes an encoder as a sentence-transformers folder, made where it is not there.
pub fn write_sentence_transformers(encoder: &Encoder, card: &str, folder: &Path) -> Result<()> {
    FolderContents::of(encoder, card)?.write(folder)
}

impl FolderContents {
    /// What the folder of an encoder holds.
    pub fn of(encoder: &Encoder, card: &str) -> Result<Self> {
        let trained = encoder.parameters().iter().filter(|(name, _)| !name.starts_with("dense."));
        let mut tensors: BTreeMap<String, Tensor> =
            trained.map(|(name, var)| (name.to_owned(), var.as_detached_tensor())).collect();
        tensors.extend(encoder.untrained().iter().map(|(name, tensor)| (name.clone(), tensor.clone())));
        let hidden = encoder.config().hidden_size;
        let dense = match encoder.dense() {
            Some((weight, bias, activation)) => Some(Dense {
                weight: weight.as_detached_tensor(),
                bias: bias.map(candle_core::Var::as_detached_tensor),
                activation,
            }),
            None if encoder.dim() < hidden => Some(Dense::truncating(hidden, encoder.dim())?),
            None => None,
        };
        // A truncated vector is scaled again, whether or not the base's were.
        let truncated = encoder.dense().is_none() && dense.is_some();
        Ok(Self {
            config: encoder.config().to_json(),
            tensors,
            tokenizer: encoder.tokenizer().clone(),
            pooling: encoder.pooling(),
            dense,
            normalize: encoder.normalize() || truncated,
            prompts: encoder.prompts().clone(),
            max_length: encoder.max_length(),
            card: card.to_owned(),
            stored: Stored::F32,
        })
    }

    /// Writes the folder: each file whole or not at all, `modules.json`, by which a reader knows the folder, last.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_weights(&folder.join("model.safetensors"), &self.tensors, self.stored)?;
        write_json_atomic(&folder.join("config.json"), &self.config)?;
        let pad_id = self.config["pad_token_id"].as_u64().unwrap_or_default() as u32;
        for (name, text) in tokenizer_files(&self.tokenizer, self.max_length, pad_id)? {
            write_atomic(&folder.join(name), text.as_bytes())?;
        }
        let lengths = json!({ "max_seq_length": self.max_length, "do_lower_case": false });
        write_json_atomic(&folder.join("sentence_bert_config.json"), &lengths)?;
        let settings = json!({
            "__version__": { "sentence_transformers": LAYOUT_OF, "lapidary": env!("CARGO_PKG_VERSION") },
            "prompts": { "query": self.prompts.query, "document": self.prompts.passage },
            "default_prompt_name": null,
            "similarity_fn_name": "cosine",
        });
        write_json_atomic(&folder.join("config_sentence_transformers.json"), &settings)?;

        let mut modules = Modules::default();
        modules.add("Transformer");
        self.write_pooling(&folder.join(modules.add("Pooling")))?;
        if let Some(dense) = &self.dense {
            dense.write(&folder.join(modules.add("Dense")), self.stored)?;
        }
        if self.normalize {
            // A folder with nothing in it: sentence-transformers makes it and does not look into it.
            let path = folder.join(modules.add("Normalize"));
            std::fs::create_dir_all(&path).map_err(WorkspaceError::io("making", &path))?;
        }
        write_atomic(&folder.join("README.md"), self.card.as_bytes())?;
        write_json_atomic(&folder.join("modules.json"), &modules.0)?;
        Ok(())
    }

    fn write_pooling(&self, folder: &Path) -> Result<()> {
        let config = json!({
            "word_embedding_dimension": self.config["hidden_size"],
            "pooling_mode_cls_token": self.pooling == Pooling::Cls,
            "pooling_mode_mean_tokens": self.pooling == Pooling::Mean,
            "pooling_mode_max_tokens": false,
            "pooling_mode_mean_sqrt_len_tokens": false,
            "pooling_mode_weightedmean_tokens": false,
            "pooling_mode_lasttoken": false,
            "include_prompt": true,
        });
        Ok(write_json_atomic(&folder.join("config.json"), &config)?)
    }
}

impl Dense {
    /// The layer that keeps the first `dim` of `hidden` values: the first rows of the identity. Truncation has no place
    /// in the folder (sentence-transformers takes `truncate_dim` from whoever loads it), and a user who forgets
    /// to say it would get other vectors than those measured; a dense layer is loaded by every reader, and is exact.
    pub fn truncating(hidden: usize, dim: usize) -> Result<Self> {
        let weight = Tensor::eye(hidden, DType::F32, &Device::Cpu)?.narrow(0, 0, dim)?.contiguous()?;
        Ok(Self { weight, bias: None, activation: Activation::Identity })
    }

    fn write(&self, folder: &Path, stored: Stored) -> Result<()> {
        let (out_features, in_features) = self.weight.dims2()?;
        let config = json!({
            "in_features": in_features,
            "out_features": out_features,
            "bias": self.bias.is_some(),
            "activation_function": self.activation.torch_name(),
        });
        write_json_atomic(&folder.join("config.json"), &config)?;
        let mut tensors = BTreeMap::from([("linear.weight".to_owned(), self.weight.clone())]);
        tensors.extend(self.bias.clone().map(|bias| ("linear.bias".to_owned(), bias)));
        write_weights(&folder.join("model.safetensors"), &tensors, stored)
    }
}

/// The list of modules; each but the first has a folder of its own, named by its number.
#[derive(Default)]
struct Modules(Vec<Value>);

impl Modules {
    /// Adds a module and says in which folder its files belong.
    fn add(&mut self, class: &str) -> String {
        let number = self.0.len();
        let path = if number == 0 { String::new() } else { format!("{number}_{class}") };
        let kind = format!("sentence_transformers.models.{class}");
        self.0.push(json!({ "idx": number, "name": number.to_string(), "path": path, "type": kind }));
        path
    }
}

/// Writes tensors, wherever they are, in `PyTorch`'s name.
fn write_weights(path: &Path, tensors: &BTreeMap<String, Tensor>, stored: Stored) -> Result<()> {
    let failed = |problem: String| Error::Weights { path: path.to_owned(), problem };
    let bytes = tensors
        .iter()
        .map(|(name, tensor)| {
            let values = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            let bytes: Vec<u8> = match stored {
                Stored::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                Stored::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
            };
            Ok((name, tensor.dims().to_vec(), bytes))
        })
        .collect::<Result<Vec<_>>>()?;
    let format = match stored {
        Stored::F32 => safetensors::Dtype::F32,
        Stored::F16 => safetensors::Dtype::F16,
    };
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(format, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|error| failed(error.to_string()))?;
    // transformers refuses a file that does not say so.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let file = safetensors::serialize(views, Some(metadata)).map_err(|error| failed(error.to_string()))?;
    Ok(write_atomic(path, &file)?)
}

#[cfg(test)]
mod tests {
    use super::super::list_files;
    use super::*;
    use crate::encoder::{BertConfig, DimHead, Role};
    use crate::progress::Silent;

    /// A `WordPiece` tokenizer as BERT's, of a few words.
    fn tokenizer() -> Tokenizer {
        let vocabulary: serde_json::Map<String, Value> =
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "oil", "frost", "##ed", "coil"]
                .iter()
                .enumerate()
                .map(|(id, token)| ((*token).to_owned(), id.into()))
                .collect();
        let special = |token: &str, id: u32| json!({ "id": token, "ids": [id], "tokens": [token] });
        let part = |token: &str| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
        let description = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": {
                "type": "TemplateProcessing", "pair": [],
                "single": [part("[CLS]"), { "Sequence": { "id": "A", "type_id": 0 } }, part("[SEP]")],
                "special_tokens": { "[CLS]": special("[CLS]", 2), "[SEP]": special("[SEP]", 3) },
            },
            "decoder": null,
            "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocabulary },
        });
        Tokenizer::from_bytes(description.to_string()).unwrap()
    }

    fn encoder() -> Encoder {
        let config = BertConfig {
            vocab_size: 9,
            hidden_size: 16,
            num_attention_heads: 2,
            intermediate_size: 32,
            max_position_embeddings: 24,
            ..BertConfig::tiny(1)
        };
        Encoder::random(config, tokenizer(), 5, &Device::Cpu).unwrap()
    }

    fn embedded(encoder: &Encoder) -> Vec<f32> {
        let tokens = encoder.tokenize(&["Oil", "frosted coil, oil"], Role::Query).unwrap();
        encoder.embed(&tokens, &Silent).unwrap().data
    }

    /// Writes and loads again; the same vectors must come out.
    fn round_trip(encoder: &Encoder) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        write_sentence_transformers(encoder, "# a card\n", folder.path()).unwrap();
        let again = Encoder::load(folder.path(), &Device::Cpu).unwrap();
        assert_eq!((again.dim(), again.max_length()), (encoder.dim(), encoder.max_length()));
        let worst = embedded(&again).iter().zip(embedded(encoder)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "vectors differ by {worst}");
        list_files(folder.path()).unwrap()
    }

    #[test]
    fn a_plain_encoder_survives_the_folder() {
        let mut encoder = encoder();
        encoder.set_max_length(20).unwrap();
        let wanted = [
            "1_Pooling/config.json",
            "README.md",
            "config.json",
            "config_sentence_transformers.json",
            "model.safetensors",
            "modules.json",
            "sentence_bert_config.json",
            "special_tokens_map.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt",
        ];
        assert_eq!(round_trip(&encoder), wanted);
    }

    #[test]
    fn other_dimensions_survive_the_folder() {
        for (dim, how) in [(8, DimHead::Truncate), (24, DimHead::Dense { seed: 1 })] {
            let mut encoder = encoder();
            encoder.set_dim(dim, how).unwrap();
            assert!(round_trip(&encoder).contains(&"2_Dense/model.safetensors".to_owned()));
        }
    }

    #[test]
    fn modules_are_named_as_old_readers_expect() {
        let mut encoder = encoder();
        encoder.set_dim(8, DimHead::Truncate).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_sentence_transformers(&encoder, "", folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("modules.json")).unwrap();
        let modules: Vec<Value> = serde_json::from_str(&text).unwrap();
        let listed: Vec<_> =
            modules.iter().map(|module| (module["path"].as_str().unwrap(), module["type"].as_str().unwrap())).collect();
        let wanted = [
            ("", "sentence_transformers.models.Transformer"),
            ("1_Pooling", "sentence_transformers.models.Pooling"),
            ("2_Dense", "sentence_transformers.models.Dense"),
            ("3_Normalize", "sentence_transformers.models.Normalize"),
        ];
        assert_eq!(listed, wanted);
        let text = std::fs::read_to_string(folder.path().join("tokenizer_config.json")).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(config["tokenizer_class"], "BertTokenizer");
        assert_eq!((&config["do_lower_case"], &config["mask_token"]), (&json!(true), &json!("[MASK]")));
    }
}
