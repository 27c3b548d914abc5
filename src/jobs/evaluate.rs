//! Judging models on held-out questions, beside BM25 and beside both together.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Context, Error, Result};
use crate::corpus::{self, Corpus, Passage, beir};
use crate::encoder::{Embeddings, Encoder, Role};
use crate::evaluation::{self, Delta, Metrics, Overlap, PerQuery, QueryScores, System, SystemKind};
use crate::pairs::{self, Question};
use crate::progress::Event;
use crate::retrieval::{self, Analyzer, Bm25, Hit};
use crate::settings::{CorpusSettings, EvaluateSettings};
use crate::workspace::{
    Artifact, Digest, Error as WorkspaceError, Hasher, Input, Kind, Source, write_atomic, write_json_atomic,
};

/// The part that the questions asked play among an evaluation's inputs.
const QUESTIONS: &str = "questions";
/// How deep a ranking is judged and kept: MAP looks at 100.
const DEPTH: usize = 100;

/// Judge models.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EvaluateJob {
    /// The models; none: the newest tuned one and its base.
    pub models: Vec<String>,
    /// A retrieval set to judge on instead of the workspace's questions.
    pub beir: Option<PathBuf>,
    /// How.
    pub settings: EvaluateSettings,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluateReport {
    /// The artifact.
    pub artifact: String,
    /// How many questions were asked.
    pub queries: usize,
    /// Among how many passages.
    pub passages: usize,
    /// Which questions.
    pub questions: String,
    /// The digest of their content.
    pub questions_sha256: Digest,
    /// Whether they were made from the documents rather than asked by people.
    pub synthetic: bool,
    /// How often these questions were looked at, this time included.
    pub looks: u32,
    /// What each system scored.
    pub systems: Vec<System>,
    /// What the differences are worth.
    pub deltas: Vec<Delta>,
    /// MRR@10 where questions share few, some or most of their words with the passage.
    pub overlap: Vec<Overlap>,
    /// All of it, for people.
    #[serde(skip)]
    pub table: String,
}

/// The questions, the passages, and where they come from.
pub(super) struct Task {
    pub(super) questions: Vec<Question>,
    pub(super) passages: Vec<Passage>,
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) synthetic: bool,
    pub(super) artifact: Option<Artifact>,
    pub(super) inputs: Vec<Input>,
}

/// A system's scores for every passage, question by question, cut to a ranking at once.
pub(super) struct Ranked {
    pub(super) system: System,
    rankings: Vec<Vec<Hit>>,
    pub(super) scores: Vec<QueryScores>,
}

impl EvaluateJob {
    /// Ranks, judges, compares, writes.
    pub fn run(&self, context: &Context<'_>) -> Result<EvaluateReport> {
        let models = evaluation::contenders(context.workspace, &self.models, context.observer)?;
        let mut task = match &self.beir {
            Some(folder) => beir_task(context, folder)?,
            None => workspace_task(context, self.settings.questions.as_deref())?,
        };
        if task.questions.is_empty() {
            return Err(Error::refused(format!("{}: no test questions to ask", task.name)));
        }
        task.inputs.extend(models.iter().map(|model| model.found.input("model")));
        let texts: Vec<&str> = task.passages.iter().map(|passage| passage.text.as_str()).collect();
        let queries: Vec<&str> = task.questions.iter().map(|question| question.text.as_str()).collect();
        let judge = Judge::new(&task);

        context.observer.on(Event::phase("rank by words"));
        let stemmer = Analyzer::choose(self.settings.stemmer.as_deref(), &texts)?;
        let stemmed_name = stemmer.name();
        let stemmed = scores_of_bm25(&texts, &queries, stemmer);
        let plain = scores_of_bm25(&texts, &queries, Analyzer::plain());

        let mut ranked = Vec::new();
        let mut tuned_scores = None;
        for model in &models {
            context.check_stop()?;
            let mut encoder = Encoder::load(&model.found.path, &context.place.device)?;
            if let Some(length) = self.settings.max_length {
                encoder.set_max_length(length)?;
            }
            context.set_precision(&mut encoder, self.settings.precision)?;
            let name = &model.found.reference;
            let vectors = context.vectors();
            let what = format!("passages by {name}");
            let passages = vectors.embed(&encoder, &model.found, &texts, Role::Passage, &what)?;
            let what = format!("questions by {name}");
            let asked = vectors.embed(&encoder, &model.found, &queries, Role::Query, &what)?;
            let scores = scores_of_model(&asked, &passages);
            ranked.push(judge.rank(model.kind, name, Some(name), &scores));
            // The last one named is the one to be fused: the tuned one by default.
            tuned_scores = Some((name.clone(), scores));
        }
        ranked.push(judge.rank(SystemKind::Bm25, &format!("BM25 {stemmed_name}"), None, &stemmed));
        if stemmed_name != "plain" {
            ranked.push(judge.rank(SystemKind::Bm25, "BM25 plain", None, &plain));
        }
        if let Some((name, dense)) = &tuned_scores {
            let both = stemmed.iter().zip(dense);
            let sum: Vec<Vec<f32>> = both.clone().map(|(a, b)| retrieval::fuse_standardised(a, b)).collect();
            let by_rank: Vec<Vec<f32>> =
                both.map(|(a, b)| retrieval::reciprocal_rank_fusion(&[a, b], &judge.ids)).collect();
            ranked.push(judge.rank(SystemKind::Fusion, &format!("BM25 + {name}, scores"), Some(name), &sum));
            ranked.push(judge.rank(SystemKind::Fusion, &format!("BM25 + {name}, ranks"), Some(name), &by_rank));
        }
        context.check_stop()?;
        context.observer.on(Event::phase("compare"));
        let deltas = self.deltas(&ranked, &judge);
        self.write(context, &task, &ranked, &deltas, &judge)
    }

    /// Tuned against base, and the fusion and BM25 against tuned: what a reader asks first.
    fn deltas(&self, ranked: &[Ranked], judge: &Judge<'_>) -> Vec<Delta> {
        let first = |kind: SystemKind| ranked.iter().find(|r| r.system.kind == kind);
        let tuned = ranked.iter().rfind(|r| r.system.kind == SystemKind::Tuned);
        let base = first(SystemKind::Base);
        let (bm25, fusion) = (first(SystemKind::Bm25), first(SystemKind::Fusion));
        let model = tuned.or(base);
        let wanted = [(tuned, base), (model, bm25), (fusion, bm25), (fusion, model)];
        let pairs = wanted.into_iter().filter_map(|(a, b)| Some((a?, b?)));
        let rr = |ranked: &Ranked| ranked.scores.iter().map(|scores| scores.rr10).collect::<Vec<f64>>();
        pairs
            .map(|(a, b)| {
                let names = (a.system.name.as_str(), b.system.name.as_str());
                evaluation::compare(names, &rr(a), &rr(b), &judge.clusters, self.settings.resamples, self.settings.seed)
            })
            .collect()
    }

    fn write(
        &self,
        context: &Context<'_>,
        task: &Task,
        ranked: &[Ranked],
        deltas: &[Delta],
        judge: &Judge<'_>,
    ) -> Result<EvaluateReport> {
        let looks = match task.artifact.clone() {
            Some(mut artifact) => artifact.count_look()?,
            None => 1 + asked_before(context, &task.digest)?,
        };
        let systems: Vec<System> = ranked.iter().map(|ranked| ranked.system.clone()).collect();
        let rr: Vec<(String, Vec<f64>)> = ranked
            .iter()
            .map(|ranked| (ranked.system.name.clone(), ranked.scores.iter().map(|scores| scores.rr10).collect()))
            .collect();
        let overlap = evaluation::by_overlap(&judge.overlaps, &rr);
        let table = evaluation::Table {
            systems: &systems,
            deltas,
            overlap: &overlap,
            queries: task.questions.len(),
            passages: task.passages.len(),
            synthetic: task.synthetic,
            looks,
        };
        let mut report = EvaluateReport {
            artifact: String::new(),
            queries: task.questions.len(),
            passages: task.passages.len(),
            questions: task.name.clone(),
            questions_sha256: task.digest.clone(),
            synthetic: task.synthetic,
            looks,
            table: table.render(),
            systems: systems.clone(),
            deltas: deltas.to_vec(),
            overlap,
        };

        let staged = context.workspace.stage(Kind::Evaluation, &self.settings.name)?;
        write_json_atomic(&staged.path().join("metrics.json"), &report)?;
        let rows = (0..task.questions.len()).map(|at| {
            let question = &task.questions[at];
            let of =
                |ranked: &Ranked| (ranked.system.name.clone(), (ranked.scores[at].first_rank, ranked.scores[at].rr10));
            PerQuery::new(&question.id, &question.text, &question.relevant, ranked.iter().map(of).collect())
        });
        let lines: Vec<String> = rows.map(|row| serde_json::to_string(&row).unwrap_or_default()).collect();
        write_atomic(&staged.path().join("per-query.jsonl"), (lines.join("\n") + "\n").as_bytes())?;
        let mut run = Vec::new();
        for ranked in ranked {
            let tag = ranked.system.name.replace(char::is_whitespace, "_");
            for (question, hits) in task.questions.iter().zip(&ranked.rankings) {
                evaluation::write_trec_run(&mut run, &question.id, hits, &judge.ids, &tag)
                    .map_err(WorkspaceError::io("writing", staged.path().join("run.trec")))?;
            }
        }
        write_atomic(&staged.path().join("run.trec"), &run)?;
        let details = json!({ "systems": systems, "deltas": deltas, "looks": looks });
        let made = context.commit(staged, "evaluate", self, task.inputs.clone(), details)?;
        report.artifact = made.id.to_string();
        Ok(report)
    }
}

/// What stays the same from system to system.
pub(super) struct Judge<'a> {
    task: &'a Task,
    pub(super) ids: Vec<String>,
    pub(super) clusters: Vec<usize>,
    overlaps: Vec<f64>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(task: &'a Task) -> Self {
        let ids: Vec<String> = task.passages.iter().map(|passage| passage.id.clone()).collect();
        let by_id: HashMap<&str, &Passage> =
            task.passages.iter().map(|passage| (passage.id.as_str(), passage)).collect();
        // Questions about one document stand or fall together: they are resampled together.
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut clusters, mut overlaps) = (Vec::new(), Vec::new());
        for question in &task.questions {
            let passage = question.relevant.keys().find_map(|id| by_id.get(id.as_str()));
            let document = passage.map_or("", |passage| passage.document.as_str());
            let next = numbers.len();
            clusters.push(*numbers.entry(document).or_insert(next));
            overlaps.push(passage.map_or(0.0, |passage| evaluation::lexical_overlap(&question.text, &passage.text)));
        }
        Self { task, ids, clusters, overlaps }
    }

    pub(super) fn rank(&self, kind: SystemKind, name: &str, model: Option<&str>, scores: &[Vec<f32>]) -> Ranked {
        let rankings: Vec<Vec<Hit>> = scores.iter().map(|scores| retrieval::top(scores, &self.ids, DEPTH)).collect();
        let judged: Vec<QueryScores> = rankings
            .iter()
            .zip(&self.task.questions)
            .map(|(hits, question)| {
                let ranking: Vec<&str> = hits.iter().map(|hit| self.ids[hit.passage].as_str()).collect();
                evaluation::score(&ranking, &question.relevant)
            })
            .collect();
        let system = System::new(kind, name, model, Metrics::mean(&judged));
        Ranked { system, rankings, scores: judged }
    }
}

pub(super) fn scores_of_bm25(texts: &[&str], queries: &[&str], analyzer: Analyzer) -> Vec<Vec<f32>> {
    let index = Bm25::index(texts.iter().copied(), analyzer);
    queries.iter().map(|query| index.scores(query)).collect()
}

pub(super) fn scores_of_model(queries: &Embeddings, passages: &Embeddings) -> Vec<Vec<f32>> {
    (0..queries.len()).map(|at| retrieval::scores(queries.row(at), passages)).collect()
}

pub(super) fn workspace_task(context: &Context<'_>, wanted: Option<&str>) -> Result<Task> {
    let workspace = context.workspace;
    let artifact = match wanted {
        Some(name) => workspace.resolve(Kind::Questions, name)?,
        None => evaluation::newest_questions(workspace, context.observer)?,
    };
    let corpus = workspace.newest(Kind::Corpus)?;
    let mut passages = Corpus::open(&corpus.path)?.all_passages()?;
    passages.extend(pairs::extra_passages(&artifact.path)?);
    let questions = pairs::read_questions(&artifact.path, &passages)?;
    let synthetic = artifact.manifest.details["synthetic"].as_bool().unwrap_or(false);
    Ok(Task {
        questions,
        passages,
        name: artifact.id.to_string(),
        digest: artifact.manifest.digest(),
        synthetic,
        inputs: vec![corpus.input("corpus"), artifact.input(QUESTIONS)],
        artifact: Some(artifact),
    })
}

/// How many evaluations asked a set that is not of the workspace, and so has no count of its own.
fn asked_before(context: &Context<'_>, questions: &Digest) -> Result<u32> {
    let asked_it = |input: &Input| input.role == QUESTIONS && input.sha256 == *questions;
    let made = context.workspace.list(Kind::Evaluation)?;
    Ok(made.iter().filter(|made| made.manifest.inputs.iter().any(asked_it)).count() as u32)
}

/// A retrieval set from elsewhere: read as a corpus of its own, in a folder that does not outlive the job.
fn beir_task(context: &Context<'_>, folder: &std::path::Path) -> Result<Task> {
    let scratch = tempfile::tempdir().map_err(WorkspaceError::io("making", std::env::temp_dir()))?;
    let settings = CorpusSettings::default();
    corpus::build(&Source::Beir(folder.to_owned()), &settings, None, scratch.path(), context.observer)?;
    let passages = Corpus::open(scratch.path())?.all_passages()?;
    let set = pairs::from_beir(&beir::read_questions(folder, &passages, settings.dev_share, settings.seed)?, &passages);
    pairs::write_questions(scratch.path(), &set.test)?;
    let questions = pairs::read_questions(scratch.path(), &passages)?;
    let mut hasher = Hasher::default();
    for question in &questions {
        hasher = hasher.part(&question.id).part(&question.text);
        for (id, relevance) in &question.relevant {
            hasher = hasher.part(id).part(relevance.to_string());
        }
    }
    let digest = hasher.finish();
    let name = folder.to_string_lossy().into_owned();
    let input = Input { role: QUESTIONS.to_owned(), reference: name.clone(), sha256: digest.clone() };
    Ok(Task { questions, passages, name, digest, synthetic: false, artifact: None, inputs: vec![input] })
}
