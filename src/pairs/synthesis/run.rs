//! The whole of a synthesis: what is known, what is asked, what is told meanwhile.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rayon::prelude::*;

use super::ask::{Asker, limits};
use super::board::{Board, Step, Work};
use super::connect::{self, Connected};
use super::journal::{Journal, Known};
use super::prompt::Template;
use super::questioner::{Questioner, Templates};
use super::sieve::{Sieve, language};
use super::takings::Takings;
use super::watch::Watch;
use super::{Recipe, Synthesized};
use crate::corpus::{self, Passage};
use crate::pairs::filters::is_poor;
use crate::pairs::ollama::Address;
use crate::pairs::{Error, Result};
use crate::progress::{Clock, Event, Observer};
use crate::settings::{PairsSynthesisSettings, RoundTripBy};
use crate::workspace::short_id;

/// Passages in a language, of a hundred, from which it is one of the corpus; fewer are a mistake of who told it.
const LEAST_SHARE: usize = 2;

/// What questions are to be made of, and how.
pub struct Task<'a> {
    /// All passages of the corpus.
    pub passages: Arc<[Passage]>,
    /// The settings.
    pub settings: &'a PairsSynthesisSettings,
    /// The servers.
    pub addresses: &'a [Address],
    /// Questions of real users, to be shown to the model.
    pub examples: Vec<String>,
    /// The user's own prompt, and where it is.
    pub prompt: Option<(String, String)>,
    /// Where answers are kept.
    pub answers: &'a Path,
    /// The recipe of the version before, and its name.
    pub before: Option<(Recipe, String)>,
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Asks a model about every passage that it was not asked about yet. Stopped or killed at any moment, it goes on where it was:
/// every answer is kept before the next request is sent.
pub fn synthesize(task: &Task<'_>) -> Result<Synthesized> {
    let Task { passages, settings, observer, .. } = task;
    let observer = *observer;
    observer.on(Event::phase("read the passages"));
    let wanted = chosen(passages, settings);
    let (poor, wanted): (Vec<usize>, Vec<usize>) = wanted.into_par_iter().partition(|at| is_poor(&passages[*at].text));
    let of_language =
        settings.language.as_deref().map(|name| language(name).ok_or_else(|| Error::UnknownLanguage(name.to_owned())));
    let of_language = of_language.transpose()?;
    let templates = match &task.prompt {
        Some((text, origin)) => Templates::Own(Box::new(Template::parse(text, origin)?)),
        None => Templates::BuiltIn,
    };
    let recipe = Recipe::new(settings, templates.digest(), task.examples.clone());
    let Opened { connected, recipe, known, journal } = open(task, recipe, &wanted)?;

    let languages = if of_language.is_some() { Vec::new() } else { languages(passages) };
    let questioner = Questioner {
        passages: Arc::clone(passages),
        templates,
        language: of_language,
        languages,
        examples: task.examples.clone(),
        settings: PairsSynthesisSettings { model: Some(recipe.model.clone()), ..(*settings).clone() },
    };
    let sieve = Sieve::new(passages, settings, settings.round_trip > 0 && settings.round_trip_by == RoundTripBy::Bm25)?;
    let mut takings = Takings::new(passages, &sieve, poor, observer);
    takings.take_known(&known, &wanted);

    let judged = settings.judge > 0;
    let work: Vec<Work> = wanted.iter().filter_map(|at| work(*at, known.get(&passages[*at].id), settings)).collect();
    let asked = work.len();
    if !known.is_empty() {
        let text = format!(
            "{} of {} passages were asked about before, with the same prompt, model and options; {asked} are left",
            wanted.len() - asked,
            wanted.len()
        );
        observer.on(Event::note(text));
    }
    let endpoints = connected.map(|connected| connected.endpoints).unwrap_or_default();
    let mut tokens = 0;
    let started = task.clock.monotonic();
    if !work.is_empty() {
        observer.on(Event::phase(format!("ask {}", recipe.model)));
        let asker = Arc::new(Asker {
            board: Board::new(work.into(), settings.concurrency),
            endpoints: endpoints.clone(),
            questioner,
            journal,
            limits: limits(settings.load_timeout, settings.silence),
            tries: settings.tries,
            judged,
        });
        let mut watch = Watch {
            task,
            asker: &asker,
            known,
            takings: &mut takings,
            total: wanted.len(),
            patience: patience(settings),
        };
        watch.run()?;
        tokens = asker.endpoints.iter().map(|endpoint| endpoint.tokens.load(Ordering::Relaxed)).sum();
    }
    if !settings.keep_loaded && asked > 0 {
        connect::unload(&endpoints, &recipe, observer);
    }
    let seconds = task.clock.monotonic().saturating_sub(started).as_secs_f64();
    let Takings { sifted, without, .. } = takings;
    Ok(Synthesized {
        passages: Arc::clone(passages),
        sifted: sifted.into_iter().collect(),
        without,
        recipe,
        wanted: wanted.len(),
        asked,
        tokens,
        seconds,
    })
}

fn patience(settings: &PairsSynthesisSettings) -> Duration {
    Duration::from_secs_f64(settings.patience * 60.0)
}

/// The passages to ask about, in the order in which they are asked about: spread over the corpus, so that a part is a
/// sample of the whole, and a smaller `--limit` is a part of a larger one.
fn chosen(passages: &[Passage], settings: &PairsSynthesisSettings) -> Vec<usize> {
    let seed = settings.seed.to_string();
    let mut order: Vec<(String, usize)> =
        passages.par_iter().enumerate().map(|(at, passage)| (short_id(&[&seed, &passage.id]), at)).collect();
    order.sort_unstable();
    order.truncate(settings.limit.unwrap_or(usize::MAX));
    order.into_iter().map(|(_, at)| at).collect()
}

/// What is to be asked of a passage, if anything is.
fn work(passage: usize, known: Option<&Known>, settings: &PairsSynthesisSettings) -> Option<Work> {
    let step = match known {
        Some(known) if !known.questions.is_empty() => {
            if settings.judge == 0 || known.scores.len() == known.questions.len() {
                return None;
            }
            Step::Judge { questions: known.questions.clone(), wrong: None }
        }
        Some(known) if known.nothing => return None,
        // What was given up may have been the server's bad day.
        _ => Step::Ask { wrong: None, num_predict: settings.num_predict },
    };
    Some(Work { passage, tries: 0, step })
}

/// The language of each passage: one that the corpus has, since a passage of jargon may look like any language.
fn languages(passages: &[Passage]) -> Vec<Option<whatlang::Lang>> {
    let found: Vec<Option<whatlang::Lang>> =
        passages.par_iter().map(|passage| corpus::language_of(&passage.text)).collect();
    let mut counts: HashMap<whatlang::Lang, usize> = HashMap::new();
    for lang in found.iter().flatten() {
        *counts.entry(*lang).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(lang, count)| (**count, lang.code())).map(|(lang, _)| *lang);
    let is_spoken = |lang: &whatlang::Lang| counts[lang] * 100 >= found.len() * LEAST_SHARE && counts[lang] > 1;
    found.iter().map(|lang| lang.filter(is_spoken).or(most)).collect()
}

/// An open journal, and who can add to it.
struct Opened {
    /// The servers; none where nothing is left to ask.
    connected: Option<Connected>,
    recipe: Recipe,
    known: HashMap<String, Known>,
    journal: Journal,
}

/// Opens the journal of a recipe, completed by what the servers say of the model. Without any server there may be one whose
/// answers are complete.
fn open(task: &Task<'_>, mut recipe: Recipe, wanted: &[usize]) -> Result<Opened> {
    let Task { settings, observer, .. } = task;
    observer.on(Event::phase("look for the model"));
    let connected = match connect::connect(task.addresses, settings, *observer) {
        Ok(connected) => connected,
        Err(error) => {
            let Some(found) = Journal::find_like(task.answers, &recipe) else { return Err(error) };
            let (journal, known) = Journal::open(task.answers, &found)?;
            let complete = wanted.iter().all(|at| {
                let known = known.get(&task.passages[*at].id);
                known.is_some_and(|known| known.failed.is_some()) || work(*at, known, settings).is_none()
            });
            if !complete {
                return Err(error);
            }
            observer.on(Event::note("no Ollama answers, and none is needed: every passage was asked about before"));
            return Ok(Opened { connected: None, recipe: found, known, journal });
        }
    };
    recipe.model.clone_from(&connected.model);
    recipe.model_digest.clone_from(&connected.digest);
    let (journal, known) = Journal::open(task.answers, &recipe)?;
    if let Some((before, name)) = &task.before {
        let changes = recipe.changes(before);
        if !changes.is_empty() {
            let text = format!(
                "other than {name}: {}; what was asked for it stays, and passages are asked about anew for this version",
                changes.join(", ")
            );
            observer.on(Event::note(text));
        }
    }
    Ok(Opened { connected: Some(connected), recipe, known, journal })
}
