//! What decides a model's answers: whatever is in a recipe makes other questions when it changes.

use serde::{Deserialize, Serialize};

use crate::settings::PairsSynthesisSettings;
use crate::workspace::short_id;

/// What decides a model's answers. Filters are not in it: they are applied to the answers again each time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The model's name, with its tag.
    pub model: String,
    /// The digest of the model; empty while no server has told it.
    #[serde(default)]
    pub model_digest: String,
    /// The digest of the prompt, of every language that is used.
    pub prompt_sha256: String,
    /// The version that the prompt gives itself.
    pub prompt_version: u32,
    /// Questions for each passage.
    pub questions: usize,
    /// The language that was asked for, if any.
    pub language: Option<String>,
    /// The questions of real users that the model was shown.
    pub examples: Vec<String>,
    /// The temperature.
    pub temperature: f64,
    /// Tokens that the model sees.
    pub num_ctx: usize,
    /// Tokens of an answer.
    pub num_predict: usize,
    /// The seed.
    pub seed: u64,
}

impl Recipe {
    /// The recipe that settings, a prompt and examples make.
    pub(super) fn new(
        settings: &PairsSynthesisSettings,
        (prompt_sha256, prompt_version): (String, u32),
        examples: Vec<String>,
    ) -> Self {
        Self {
            model: settings.model.clone().unwrap_or_default(),
            model_digest: String::new(),
            prompt_sha256,
            prompt_version,
            questions: settings.questions,
            language: settings.language.clone(),
            examples,
            temperature: settings.temperature,
            num_ctx: settings.num_ctx,
            num_predict: settings.num_predict,
            seed: settings.seed,
        }
    }

    /// A name for what it makes: the model's, and a hash of all of it.
    pub(super) fn folder(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let model: String = self.model.chars().map(plain).collect();
        // Plain values: serialisation has nothing to fail on.
        format!("{model}-{}", short_id(&[&serde_json::to_string(self).unwrap_or_default()]))
    }

    /// Whether it is the same but for what only a server can tell: the model's digest, and its name where none was wanted.
    pub(super) fn is_like(&self, complete: &Self) -> bool {
        let model = if self.model.is_empty() { &complete.model } else { &self.model };
        let named = Self { model: model.clone(), model_digest: complete.model_digest.clone(), ..self.clone() };
        named == *complete
    }

    /// What is not the same, in words.
    pub(super) fn changes(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut note = |changed: bool, what: String| {
            if changed {
                changes.push(what);
            }
        };
        note(self.model != before.model, format!("the model ({} before)", before.model));
        note(
            self.model == before.model && self.model_digest != before.model_digest,
            "the model's content, under the same name".to_owned(),
        );
        note(self.prompt_sha256 != before.prompt_sha256, "the prompt".to_owned());
        note(self.questions != before.questions, format!("--questions ({} before)", before.questions));
        note(self.language != before.language, "--language".to_owned());
        note(self.examples != before.examples, "the examples of real questions".to_owned());
        note(self.temperature != before.temperature, format!("--temperature ({} before)", before.temperature));
        note(self.num_ctx != before.num_ctx, format!("--num-ctx ({} before)", before.num_ctx));
        note(self.num_predict != before.num_predict, format!("--num-predict ({} before)", before.num_predict));
        note(self.seed != before.seed, format!("--seed ({} before)", before.seed));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_named_and_changes_the_folder() {
        let before = Recipe { model: "qwen3:8b".to_owned(), questions: 3, ..Recipe::default() };
        assert!(before.folder().starts_with("qwen3-8b-"));
        let after = Recipe { questions: 4, temperature: 0.1, model_digest: "x".to_owned(), ..before.clone() };
        assert_eq!(
            after.changes(&before),
            ["the model's content, under the same name", "--questions (3 before)", "--temperature (0 before)"]
        );
        assert_ne!(after.folder(), before.folder());
        let told = Recipe { model_digest: "x".to_owned(), ..before.clone() };
        let nameless = Recipe { model: String::new(), ..before.clone() };
        assert!(before.is_like(&told) && nameless.is_like(&told) && !before.is_like(&after));
        assert!(before.changes(&before).is_empty());
    }
}
