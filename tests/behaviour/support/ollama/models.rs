//! The models that a server has, as Ollama describes them.

use serde_json::{Map, Value, json};

use super::questions::mix;

/// What every response says that the time is.
pub(super) const NOW: &str = "2026-01-05T10:00:00.000000Z";
/// What every model says that it takes.
pub(super) const SIZE: u64 = 2_019_393_189;

#[derive(Clone)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) capabilities: Vec<String>,
}

impl Model {
    pub(super) fn can(&self, what: &str) -> bool {
        self.capabilities.iter().any(|capability| capability == what)
    }

    fn details(&self) -> Value {
        let (family, size) = if self.can("completion") { ("llama", "3.2B") } else { ("nomic-bert", "137M") };
        json!({ "format": "gguf", "family": family, "parameter_size": size, "quantization_level": "Q4_K_M" })
    }

    pub(super) fn tag(&self) -> Value {
        json!({
            "name": self.name,
            "model": self.name,
            "modified_at": NOW,
            "size": SIZE,
            "digest": digest(&self.name),
            "details": self.details(),
            "capabilities": self.capabilities,
        })
    }

    pub(super) fn process(&self) -> Value {
        let mut process = self.tag();
        process["expires_at"] = json!("2099-01-01T00:00:00Z");
        process["size_vram"] = json!(SIZE);
        process
    }

    pub(super) fn show(&self) -> Value {
        let details = self.details();
        let family = details["family"].as_str().unwrap_or_default();
        let mut facts = Map::new();
        facts.insert("general.architecture".to_owned(), json!(family));
        facts.insert(format!("{family}.context_length"), json!(131_072));
        json!({ "capabilities": self.capabilities, "details": details, "model_info": facts, "modified_at": NOW })
    }

    /// The model, or the status and error where it cannot do what is asked of it.
    pub(super) fn willing(self, asked: &str, body: &Value, path: &str) -> Result<Self, (u16, String)> {
        let think = body["think"] == true || body["think"].is_string();
        if think && !self.can("thinking") {
            return Err((400, format!("\"{asked}\" does not support thinking")));
        }
        let what = path.trim_start_matches("/api/");
        if self.can("completion") { Ok(self) } else { Err((400, format!("\"{asked}\" does not support {what}"))) }
    }
}

pub(super) fn tagged(name: &str) -> String {
    if name.contains(':') { name.to_owned() } else { format!("{name}:latest") }
}

pub(super) fn digest(name: &str) -> String {
    let [a, b, c, d] = [0, 1, 2, 3].map(|part| mix(part, name));
    format!("{a:016x}{b:016x}{c:016x}{d:016x}")
}
