//! Making training pairs with a local language model.

use std::collections::BTreeMap;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::pairs::{Made, PairsReport};
use super::{Context, Error, Result};
use crate::corpus::{Corpus, Passage};
use crate::encoder::{Encoder, Role};
use crate::pairs::ollama::Address;
use crate::pairs::{self, Recipe, Synthesized, Task};
use crate::progress::{Event, peak_rss_mib};
use crate::settings::{PairsSynthesisSettings, RoundTripBy};
use crate::workspace::{Artifact, Kind, Workspace};

/// The job's name.
const JOB: &str = "pairs-synthesize";
/// Where a workspace keeps what language models answered.
const ANSWERS: &str = "answers";
/// Where it may keep a prompt of its own.
const PROMPT: &str = "prompts/synthesis.md";
/// Words of a real question that is shown as an example.
const MOST_WORDS: usize = 30;

/// Let a local language model ask questions of each passage.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PairsSynthesisJob {
    /// Where Ollama answers; none: where the environment says, else on this machine.
    #[serde(default)]
    pub endpoints: Vec<String>,
    /// How.
    pub settings: PairsSynthesisSettings,
}

/// How a language model made pairs.
#[derive(Debug, Clone, Serialize)]
pub struct SynthesisReport {
    /// The model.
    pub model: String,
    /// Passages that were to have questions.
    pub passages: usize,
    /// Passages that were asked about this time; the others were before.
    pub asked: usize,
    /// Passages given up.
    pub failed: usize,
    /// How many questions find their passage within so many ranks: what another `--round-trip` would keep.
    pub within: BTreeMap<usize, usize>,
    /// Tokens that the model wrote this time.
    pub tokens: u64,
    /// Seconds that asking took.
    pub seconds: f64,
    /// The most memory the process held.
    pub peak_rss_mib: Option<u64>,
}

impl PairsSynthesisJob {
    /// Asks, filters, writes.
    pub fn run(&self, context: &Context<'_>) -> Result<PairsReport> {
        let Self { settings, endpoints } = self;
        let artifact = context.workspace.newest(Kind::Corpus)?;
        let passages: std::sync::Arc<[Passage]> = Corpus::open(&artifact.path)?.all_passages()?.into();
        let addresses = if endpoints.is_empty() {
            vec![Address::from_environment().map_err(pairs::Error::from)?]
        } else {
            let parsed: Result<Vec<_>, _> = endpoints.iter().map(|given| Address::parse(given)).collect();
            parsed.map_err(pairs::Error::from)?
        };
        let mut made = pairs::synthesize(&Task {
            passages: passages.clone(),
            settings,
            addresses: &addresses,
            examples: examples(context, settings)?,
            prompt: prompt(context.workspace, settings)?,
            answers: &context.workspace.root().join(ANSWERS),
            before: before(context.workspace, &settings.name)?,
            observer: context.observer,
            clock: context.clock,
        })?;
        if settings.round_trip > 0 && settings.round_trip_by == RoundTripBy::Base {
            round_trip(context, settings, &mut made, &passages)?;
        }
        context.observer.on(Event::phase("write"));
        let report = SynthesisReport {
            model: made.recipe.model.clone(),
            passages: made.wanted,
            asked: made.asked,
            failed: made.failed(),
            within: made.within(),
            tokens: made.tokens,
            seconds: made.seconds,
            peak_rss_mib: peak_rss_mib(),
        };
        let more = json!({ "recipe": made.recipe, "within": report.within, "failed": report.failed });
        let set = made.pairs(context.observer);
        let from = Made { corpus: &artifact, name: &settings.name, synthetic: true, job: JOB };
        let written = from.write(context, &set, self, &more)?;
        Ok(PairsReport { synthesis: Some(report), ..written })
    }
}

/// The round trip by the base encoder: where does each question find its passage among all?
fn round_trip(
    context: &Context<'_>,
    settings: &PairsSynthesisSettings,
    made: &mut Synthesized,
    passages: &[Passage],
) -> Result<()> {
    let found = context.model(&settings.base)?;
    let encoder = Encoder::load(&found.path, &context.place.device)?;
    let vectors = context.vectors();
    let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
    let passages = vectors.embed(&encoder, &found, &texts, Role::Passage, "passages for the round trip")?;
    let questions = made.questions();
    if questions.is_empty() {
        return Ok(());
    }
    let asked = vectors.embed(&encoder, &found, &questions, Role::Query, "questions for the round trip")?;
    Ok(made.round_trip(&asked, &passages, settings)?)
}

/// Questions that real users asked, from the newest pairs that people made; only of those to train on, so that nothing of a
/// test shows.
fn examples(context: &Context<'_>, settings: &PairsSynthesisSettings) -> Result<Vec<String>> {
    if settings.examples == 0 {
        return Ok(Vec::new());
    }
    let asked_by_people = |artifact: &Artifact| {
        artifact.manifest.details["synthetic"].as_bool() != Some(true) && artifact.manifest.job != JOB
    };
    let all = context.workspace.list(Kind::Pairs)?;
    let newest = all.into_iter().filter(asked_by_people).max_by_key(|artifact| artifact.manifest.created_unix_ms);
    let Some(newest) = newest else { return Ok(Vec::new()) };
    let (train, _) = pairs::read_rows(&newest.path)?;
    let mut questions: Vec<String> = train.into_iter().map(|row| row.query).collect();
    questions.retain(|question| (2..=MOST_WORDS).contains(&question.split_whitespace().count()));
    questions.shuffle(&mut ChaCha8Rng::seed_from_u64(settings.seed));
    questions.truncate(settings.examples);
    if !questions.is_empty() {
        let text = format!("{} questions of {} show the model how its users ask", questions.len(), newest.id);
        context.observer.on(Event::note(text));
    }
    Ok(questions)
}

/// The user's own prompt, if there is one, and where it is.
fn prompt(workspace: &Workspace, settings: &PairsSynthesisSettings) -> Result<Option<(String, String)>> {
    let of_workspace = workspace.root().join(PROMPT);
    let path = match &settings.prompt {
        Some(path) => std::path::PathBuf::from(path),
        None if of_workspace.is_file() => of_workspace,
        None => return Ok(None),
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Error::refused(format!("reading the prompt {}: {error}", path.display())))?;
    Ok(Some((text, path.to_string_lossy().into_owned())))
}

/// What the version before was made by.
fn before(workspace: &Workspace, name: &str) -> Result<Option<(Recipe, String)>> {
    let versions = workspace.list(Kind::Pairs)?;
    let of_name = versions.into_iter().filter(|artifact| artifact.id.name == name && artifact.manifest.job == JOB);
    let newest = of_name.max_by_key(|artifact| artifact.id.version);
    Ok(newest.and_then(|artifact| {
        let recipe = serde_json::from_value(artifact.manifest.details["recipe"].clone()).ok()?;
        Some((recipe, artifact.id.to_string()))
    }))
}
