//! The models of a server: which there are, what they can do, fetching one, unloading one.

use std::time::Duration;

use ollama_rs::error::OllamaError;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_stream::StreamExt as _;

use super::chat::{Chat, Thinking};
use super::{Trouble, whole};

/// Asking what there is takes no longer than this.
const ASK: Duration = Duration::from_secs(10);
/// A download that says nothing for so long is dead.
const PULL_SILENCE: Duration = Duration::from_mins(2);

/// A model on a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name, with its tag: `qwen3:8b`.
    pub name: String,
    /// The digest of its content.
    #[serde(default)]
    pub digest: String,
    /// When it was changed last, as the server writes it; later sorts later.
    #[serde(default)]
    pub modified_at: String,
    /// Bytes on disk.
    #[serde(default)]
    pub size: u64,
    /// What it is.
    #[serde(default)]
    pub details: Details,
    /// What it can do: `completion`, `embedding`, `thinking`; empty where the server is too old to say.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Bytes that it holds in a GPU's memory now.
    #[serde(default)]
    pub size_vram: u64,
}

/// What a model is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Its architecture's family.
    #[serde(default)]
    pub family: String,
    /// Its size: `8.2B`.
    #[serde(default)]
    pub parameter_size: String,
    /// Its weights' format: `Q4_K_M`.
    #[serde(default)]
    pub quantization_level: String,
}

/// Families that only embed, for servers too old to tell capabilities.
const EMBEDDING_FAMILIES: &[&str] = &["bert", "nomic-bert", "xlm-roberta", "gemma-embedding"];

impl Model {
    /// Whether it writes text; models that only embed do not.
    pub fn writes(&self) -> bool {
        if self.capabilities.is_empty() {
            return !EMBEDDING_FAMILIES.contains(&self.details.family.as_str()) && !self.name.contains("embed");
        }
        self.capabilities.iter().any(|capability| capability == "completion")
    }

    /// One line for a person.
    pub fn line(&self) -> String {
        let Details { parameter_size, quantization_level, .. } = &self.details;
        let size = self.size as f64 / 1e9;
        format!("{:<32} {parameter_size:>8} {quantization_level:>8} {size:>6.1} GB", self.name)
    }
}

/// Whether a model of a server is the one that is meant: `qwen3` is `qwen3:latest`.
fn is_named(model: &str, wanted: &str) -> bool {
    model == wanted || (!wanted.contains(':') && model.strip_suffix(":latest") == Some(wanted))
}

/// The model to use: the one that is wanted, else the only one that writes, or the one that was changed last.
pub(in crate::pairs) fn choose<'a>(models: &'a [Model], wanted: Option<&str>) -> Option<&'a Model> {
    match wanted {
        Some(wanted) => models.iter().find(|model| is_named(&model.name, wanted)),
        None => models.iter().filter(|model| model.writes()).max_by(|a, b| a.modified_at.cmp(&b.modified_at)),
    }
}

#[derive(Deserialize)]
struct Listed {
    models: Vec<Model>,
}

impl Chat {
    /// The models that the server has. `ollama-rs` lists them without digest and capabilities, so this asks itself.
    pub(in crate::pairs) async fn models(&self) -> Result<Vec<Model>, Trouble> {
        self.list("api/tags").await
    }

    /// The models that the server holds in memory now.
    pub(in crate::pairs) async fn loaded(&self) -> Result<Vec<Model>, Trouble> {
        self.list("api/ps").await
    }

    async fn list(&self, resource: &str) -> Result<Vec<Model>, Trouble> {
        let (client, _) = self.parts();
        let sent = client.get(self.address().resource(resource)).timeout(ASK).send().await;
        let response = sent.map_err(|error| self.unanswered(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| self.unanswered(&error))?;
        if status != StatusCode::OK {
            return Err(self.refused(status, &text));
        }
        let foreign = |error: serde_json::Error| Trouble::Foreign {
            url: self.address().to_string(),
            problem: format!("its list of models is none ({error})"),
        };
        serde_json::from_str::<Listed>(&text).map(|listed| listed.models).map_err(foreign)
    }

    /// Whether the model can think, and what to tell it of that.
    pub(in crate::pairs) async fn thinking(&self) -> Result<Thinking, Trouble> {
        let (_, ollama) = self.parts();
        let Ok(info) = tokio::time::timeout(ASK, ollama.show_model_info(self.model().to_owned())).await else {
            let url = self.address().to_string();
            let (seconds, during, setting) = (ASK.as_secs(), "when asked about the model", "patience");
            return Err(Trouble::Silent { url, seconds, during, setting });
        };
        let info = info.map_err(|error| self.failed(error))?;
        if !info.capabilities.iter().any(|capability| capability == "thinking") {
            return Ok(Thinking::Unsaid);
        }
        // gpt-oss cannot be told not to think, only how much.
        let family = info.model_info.get("general.architecture").and_then(serde_json::Value::as_str);
        Ok(if family == Some("gptoss") { Thinking::Low } else { Thinking::Off })
    }

    /// Downloads the model; `heard` is told of the bytes that are here and of all.
    pub(in crate::pairs) async fn pull(&self, heard: impl Fn(u64, Option<u64>) -> bool) -> Result<(), Trouble> {
        let (_, ollama) = self.parts();
        let url = || self.address().to_string();
        let silent = || Trouble::Silent {
            url: url(),
            seconds: PULL_SILENCE.as_secs(),
            during: "while fetching the model",
            setting: "patience",
        };
        let begun = tokio::time::timeout(PULL_SILENCE, ollama.pull_model_stream(self.model().to_owned(), false)).await;
        let mut stream = begun.map_err(|_| silent())?.map_err(|error| self.pull_failed(error))?;
        let mut last = String::new();
        loop {
            let Ok(next) = tokio::time::timeout(PULL_SILENCE, stream.next()).await else { return Err(silent()) };
            let Some(status) = next else { break };
            let status = status.map_err(|error| self.pull_failed(error))?;
            if !heard(status.completed.unwrap_or(0), status.total) {
                return Ok(());
            }
            last = status.message;
        }
        if last == "success" { Ok(()) } else { Err(Trouble::Cut { url: url(), problem: format!("after {last:?}") }) }
    }

    /// A model that cannot be fetched is not missing, it does not exist.
    fn pull_failed(&self, error: OllamaError) -> Trouble {
        match error {
            OllamaError::InternalError(error) => Trouble::Status {
                url: self.address().to_string(),
                status: 404,
                text: format!("fetching {}: {}", self.model(), error.message),
            },
            other => self.failed(other),
        }
    }

    /// Takes the model out of memory. A request that lasts on the server is not waited for.
    pub(in crate::pairs) async fn unload(&self) -> Result<(), Trouble> {
        let (client, _) = self.parts();
        let body = json!({ "model": self.model(), "messages": [], "keep_alive": 0, "stream": false });
        let sent = client.post(self.address().resource("api/chat")).timeout(ASK).json(&body).send().await;
        let response = sent.map_err(|error| self.unanswered(&error))?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(());
        }
        let text = response
            .text()
            .await
            .map_err(|error| Trouble::Cut { url: self.address().to_string(), problem: whole(&error) })?;
        Err(self.refused(status, &text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, modified_at: &str, capabilities: &[&str]) -> Model {
        Model {
            name: name.to_owned(),
            modified_at: modified_at.to_owned(),
            capabilities: capabilities.iter().map(|&capability| capability.to_owned()).collect(),
            ..Model::default()
        }
    }

    #[test]
    fn the_newest_model_that_writes_is_chosen() {
        let models = [
            model("qwen3:8b", "2026-02-01T10:00:00Z", &["completion", "thinking"]),
            model("llama3.1:latest", "2026-03-01T10:00:00Z", &["completion"]),
            model("nomic-embed-text:latest", "2026-04-01T10:00:00Z", &["embedding"]),
            model("old-embed", "2026-05-01T10:00:00Z", &[]),
        ];
        let name = |wanted| choose(&models, wanted).map(|model| model.name.as_str());
        assert_eq!(name(None), Some("llama3.1:latest"));
        assert_eq!(name(Some("llama3.1")), Some("llama3.1:latest"));
        assert_eq!(name(Some("qwen3")), None, "qwen3 is qwen3:latest, which is not there");
        assert_eq!(name(Some("qwen3:8b")), Some("qwen3:8b"));
        assert_eq!(choose(&models[2..], None), None);
    }
}
