//! Finding the servers, the model on them, and what it is.

use std::sync::Arc;

use super::Recipe;
use super::endpoint::Endpoint;
use crate::pairs::ollama::{Address, Chat, Model, Thinking, Trouble, choose};
use crate::pairs::{Error, Result};
use crate::progress::{Event, Observer};
use crate::settings::PairsSynthesisSettings;

/// A model that is worth naming to who has none.
const SUGGESTED: &str = "qwen3:8b";

/// The servers that can be asked, and the model as they know it.
pub(super) struct Connected {
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    pub(super) model: String,
    pub(super) digest: String,
}

/// What a server has, or why nobody knows.
type Listing = (Address, std::result::Result<Vec<Model>, Trouble>);

/// Looks at every address. One that does not answer is told of and waits for its time, as long as another does.
pub(super) fn connect(
    addresses: &[Address],
    settings: &PairsSynthesisSettings,
    observer: &dyn Observer,
) -> Result<Connected> {
    let runtime = runtime()?;
    let listings: Vec<Listing> = runtime.block_on(async {
        let mut listings = Vec::new();
        for address in addresses {
            let models = match Chat::new(address.clone(), "", 1) {
                Ok(chat) => chat.models().await,
                Err(trouble) => Err(trouble),
            };
            listings.push((address.clone(), models));
        }
        listings
    });
    if listings.iter().all(|(_, models)| models.is_err()) {
        return Err(nobody(&listings));
    }
    let (model, digest) = the_model(&listings, settings)?;
    let mut endpoints: Vec<Arc<Endpoint>> = Vec::new();
    for (address, models) in &listings {
        let chat = Chat::new(address.clone(), &model, settings.keep_alive as u64)?;
        let thinking = match models {
            Ok(models) => {
                match choose(models, Some(&model)) {
                    Some(found) if !digest.is_empty() && !found.digest.is_empty() && found.digest != digest => {
                        observer.on(Event::warning(format!(
                            "{address} has another {model} than the first endpoint: their questions are mixed; `ollama pull {model}` there brings them together"
                        )));
                    }
                    Some(_) => {}
                    None if settings.pull => pull(&runtime, &chat, observer)?,
                    None => {
                        let trouble = Trouble::NoModel { url: address.to_string(), model: model.clone() };
                        observer.on(Event::warning(format!("{trouble}; the others go on without it")));
                        continue;
                    }
                }
                runtime.block_on(chat.thinking()).unwrap_or(Thinking::Unsaid)
            }
            Err(trouble) => {
                observer.on(Event::warning(format!("{trouble}; the others go on, and it is asked again later")));
                // It will be the same model there: one that can think does, unless it is told not to.
                match answering(&listings).find(|(_, models)| choose(models, Some(&model)).is_some()) {
                    Some((address, _)) => {
                        let other = Chat::new(address.clone(), &model, settings.keep_alive as u64)?;
                        runtime.block_on(other.thinking()).unwrap_or(Thinking::Unsaid)
                    }
                    None => Thinking::Unsaid,
                }
            }
        };
        let endpoint = Endpoint::new(chat, thinking);
        if let Err(trouble) = models {
            endpoint.failed(trouble);
        }
        endpoints.push(Arc::new(endpoint));
    }
    // What was fetched just now has a digest only now.
    let digest = if digest.is_empty() { fetched_digest(&runtime, &endpoints, &model) } else { digest };
    Ok(Connected { endpoints, model, digest })
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Error::Runtime(error.to_string()))
}

/// The servers that answered, with their models.
fn answering(listings: &[Listing]) -> impl Iterator<Item = (&Address, &Vec<Model>)> {
    listings.iter().filter_map(|(address, models)| Some((address, models.as_ref().ok()?)))
}

/// The model to use, with its digest; the digest is empty where it must be fetched first.
fn the_model(listings: &[Listing], settings: &PairsSynthesisSettings) -> Result<(String, String)> {
    let wanted = settings.model.as_deref();
    for (_, models) in answering(listings) {
        if let Some(model) = choose(models, wanted) {
            if !model.writes() {
                return Err(Error::EmbedsOnly(
                    model.name.clone(),
                    writers(answering(listings).flat_map(|(_, models)| models)),
                ));
            }
            return Ok((model.name.clone(), model.digest.clone()));
        }
    }
    match wanted {
        Some(wanted) if settings.pull => Ok((wanted.to_owned(), String::new())),
        _ => Err(Error::ModelMissing {
            url: answering(listings).next().map_or_else(String::new, |(address, _)| address.to_string()),
            wanted: wanted.unwrap_or(SUGGESTED).to_owned(),
            present: writers(answering(listings).flat_map(|(_, models)| models)),
        }),
    }
}

fn writers<'a>(models: impl Iterator<Item = &'a Model>) -> String {
    let mut names: Vec<&str> = models.filter(|model| model.writes()).map(|model| model.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "none that writes".to_owned() } else { names.join(", ") }
}

fn nobody(listings: &[Listing]) -> Error {
    let problems: Vec<String> =
        listings.iter().filter_map(|(_, models)| Some(models.as_ref().err()?.to_string())).collect();
    Error::NoOllama { problems: problems.join("; "), suggested: SUGGESTED }
}

fn pull(runtime: &tokio::runtime::Runtime, chat: &Chat, observer: &dyn Observer) -> Result<()> {
    observer.on(Event::phase(format!("fetch the model to {}", chat.address())));
    let heard = |done: u64, total: Option<u64>| {
        if let Some(total) = total {
            observer.on(Event::Progress { done, total: Some(total), unit: "bytes".to_owned() });
        }
        !observer.stop_requested()
    };
    runtime.block_on(chat.pull(heard))?;
    if observer.stop_requested() { Err(Error::Stopped) } else { Ok(()) }
}

fn fetched_digest(runtime: &tokio::runtime::Runtime, endpoints: &[Arc<Endpoint>], model: &str) -> String {
    let found = endpoints.iter().find_map(|endpoint| {
        let models = runtime.block_on(endpoint.chat.models()).ok()?;
        choose(&models, Some(model)).map(|model| model.digest.clone())
    });
    found.unwrap_or_default()
}

/// Takes the model out of the memory of this machine's GPUs, where it was asked here.
pub(super) fn unload(endpoints: &[Arc<Endpoint>], recipe: &Recipe, observer: &dyn Observer) {
    let Ok(runtime) = runtime() else { return };
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.chat.address().is_here() && !endpoint.is_gone()) {
        match runtime.block_on(endpoint.chat.unload()) {
            Ok(()) => observer.on(Event::note(format!("{} is out of memory again", recipe.model))),
            Err(trouble) => observer.on(Event::warning(format!("{} was not unloaded: {trouble}", recipe.model))),
        }
    }
}

/// Takes every model out of the memory of this machine's GPUs, before something else wants it: those that the Ollama of
/// the environment holds there, if one runs. Returns their names.
pub fn free_gpus() -> Vec<String> {
    let Ok(address) = Address::from_environment() else { return Vec::new() };
    if !address.is_here() {
        return Vec::new();
    }
    let (Ok(runtime), Ok(chat)) = (runtime(), Chat::new(address.clone(), "", 1)) else { return Vec::new() };
    let loaded = runtime.block_on(chat.loaded()).unwrap_or_default();
    let on_gpu = loaded.into_iter().filter(|model| model.size_vram > 0);
    let unloaded = on_gpu.filter(|model| {
        let chat = Chat::new(address.clone(), &model.name, 1);
        chat.is_ok_and(|chat| runtime.block_on(chat.unload()).is_ok())
    });
    unloaded.map(|model| model.name).collect()
}

/// The models of a server that write, the one that would be chosen first.
pub fn models(address: &Address) -> Result<Vec<Model>> {
    let chat = Chat::new(address.clone(), "", 1)?;
    let listed = runtime()?.block_on(chat.models());
    let mut models = match listed {
        Ok(models) => models,
        Err(trouble) => return Err(nobody(&[(address.clone(), Err(trouble))])),
    };
    models.retain(Model::writes);
    models.sort_by(|a, b| b.modified_at.cmp(&a.modified_at));
    Ok(models)
}
