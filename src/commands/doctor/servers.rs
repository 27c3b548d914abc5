//! Who may be asked over the network: a language model for questions, the hub for models. Neither is needed.

use std::time::Duration;

use super::Finding;
use crate::encoder::hub::Hub;
use crate::pairs::ollama::Address;
use crate::pairs::{self, Error};

/// How long the hub has to answer.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn look() -> Vec<Finding> {
    vec![ollama(), hub()]
}

fn ollama() -> Finding {
    let about = "Ollama";
    let address = match Address::from_environment() {
        Ok(address) => address,
        Err(trouble) => return Finding::bad(about, trouble.to_string(), "mend OLLAMA_HOST, or unset it"),
    };
    let without = "`lapidary pairs structural` makes pairs without one";
    match pairs::models(&address) {
        Ok(models) if models.is_empty() => Finding::warn(
            about,
            format!("{address} answers, and has no model that writes"),
            format!("`ollama pull qwen3:8b`; {without}"),
        ),
        Ok(models) => {
            let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
            Finding::ok(about, format!("{address} has {}", names.join(", ")))
        }
        Err(Error::NoOllama { problems, .. }) => Finding::warn(
            about,
            problems,
            format!(
                "to have questions written by a language model, start one with `ollama serve` or name it in OLLAMA_HOST; {without}"
            ),
        ),
        Err(error) => Finding::warn(about, error.to_string(), without),
    }
}

fn hub() -> Finding {
    let about = "hub";
    let hub = match Hub::from_env() {
        Ok(hub) => hub,
        Err(error) => {
            return Finding::warn(
                about,
                error.to_string(),
                "only models in folders and `embedded` can be used until then",
            );
        }
    };
    let token = if hub.has_token() { "with a token" } else { "without a token, as public models need none" };
    let address = hub.endpoint();
    if hub.is_offline() {
        return Finding::ok(
            about,
            format!("not asked, as HF_HUB_OFFLINE wants; what is in {} can be used", hub.cache().display()),
        );
    }
    match hub.answers(PATIENCE) {
        Ok(()) => Finding::ok(about, format!("{address} answers; {token}")),
        Err(problem) => Finding::warn(
            about,
            format!("{address} cannot be reached: {problem}"),
            "name a base by its folder, set HF_ENDPOINT to a mirror that this machine reaches, or use `embedded`, which needs no network; HF_HUB_OFFLINE=1 if that is how it should be",
        ),
    }
}
