//! A small encoder learns to embed texts as a large one does.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::imitation::{self, Taught, choose_precision, texts_of};
use super::{Context, Error, Result, export};
use crate::corpus::{self, Corpus};
use crate::encoder::reference::{self, Found};
use crate::encoder::{BertConfig, Cut, DimHead, Encoder};
use crate::export::FolderContents;
use crate::progress::peak_rss_mib;
use crate::settings::{Beginning, CorpusSettings, DistillSettings};
use crate::tokenizer;
use crate::training::{Checkpoints, ImitationOptions, Part};
use crate::workspace::{Error as WorkspaceError, Input, Kind, Source, digest_file};

/// Width of an attention head, as BERT's small ones have it.
const HEAD: usize = 32;
/// What BERT's feed-forward parts are wider by.
const INNER: usize = 4;

/// Distill an encoder.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DistillJob {
    /// Documents to learn from; none: the workspace's corpus.
    pub corpus: Vec<PathBuf>,
    /// Tables of an English text and its translation a line, with a tab between: the student is to embed the translation as the
    /// teacher embeds the English (Reimers and Gurevych 2020).
    pub translations: Vec<PathBuf>,
    /// Texts, one a line, to learn from as they are: questions, titles.
    pub lines: Vec<PathBuf>,
    /// How.
    pub settings: DistillSettings,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct DistillReport {
    /// The model.
    pub artifact: String,
    /// Texts it learned from.
    pub texts: usize,
    /// Of these, translations.
    pub translations: usize,
    /// Its parameters.
    pub parameters: usize,
    /// Dimensions of its embeddings.
    pub dim: usize,
    /// The mean cosine to the teacher's embeddings of held-out texts, before.
    pub agreement_before: f64,
    /// At the end.
    pub agreement: f64,
    /// Optimizer steps.
    pub steps: usize,
    /// Seconds of training.
    pub train_s: f64,
    /// Texts a second, of the median step.
    pub texts_per_s: f64,
    /// The most memory the process held.
    pub peak_rss_mib: Option<u64>,
}

impl DistillJob {
    /// Makes a student, lets it learn, writes it.
    pub fn run(&self, context: &Context<'_>) -> Result<DistillReport> {
        let settings = &self.settings;
        if settings.teacher.is_empty() {
            return Err(Error::refused("--teacher: name the model to be like: a folder, or a model of this workspace"));
        }
        let found = context.model(&settings.teacher)?;
        let mut teacher = Encoder::load(&found.path, &context.place.device)?;
        teacher.set_max_length(settings.max_length.min(teacher.config().max_position_embeddings))?;
        choose_precision(context, &mut teacher, settings.precision)?;
        let mut inputs = vec![found.input("teacher")];
        inputs.extend(found.weights("teacher weights"));
        let mut student = self.student(context, &teacher, &mut inputs)?;
        choose_precision(context, &mut student, settings.precision)?;

        let mut taught: Vec<Taught> = self.passages(context, &mut inputs)?.into_iter().map(Into::into).collect();
        for path in &self.lines {
            taught.extend(lines(path)?.into_iter().map(Taught::from));
            inputs.push(file(path, "lines")?);
        }
        let mut translations = 0;
        for path in &self.translations {
            let before = taught.len();
            read_translations(path, &mut taught)?;
            translations += taught.len() - before;
            inputs.push(file(path, "translations")?);
        }
        let texts = taught.len();
        let options = ImitationOptions {
            embeddings: Part { epochs: 0.0, lr: 0.0 },
            whole: Part { epochs: settings.epochs, lr: settings.lr },
            batch: settings.batch,
            micro_batch: imitation::micro_batch(context, settings.micro_batch),
            similarities: settings.similarities,
            patience: None,
            max_steps: settings.max_steps,
            seed: settings.seed,
        };
        let checkpoints = Checkpoints::new(&context.checkpoints, context.resume);
        let outcome = imitation::imitate(context, &teacher, &mut student, taught, &options, &checkpoints)?;

        let staged = context.workspace.stage(Kind::Model, &settings.name)?;
        let card = export::card(&settings.name, &inputs, serde_json::to_value(settings).ok().as_ref(), None);
        let stored = settings.stored;
        FolderContents { stored, ..FolderContents::of(&student, &card.render())? }.write(staged.path())?;
        let details = json!({
            "dim": student.dim(), "texts": texts, "translations": translations, "distillation": outcome,
            "parameters": student.parameters().count(),
        });
        let made = context.commit(staged, "distill", self, inputs, details)?;
        Ok(DistillReport {
            artifact: made.id.to_string(),
            texts,
            translations,
            parameters: student.parameters().count(),
            dim: student.dim(),
            agreement_before: outcome.before,
            agreement: outcome.after,
            steps: outcome.steps,
            train_s: outcome.train_s,
            texts_per_s: outcome.texts_per_s,
            peak_rss_mib: peak_rss_mib(),
        })
    }

    /// The student before its first lesson.
    fn student(&self, context: &Context<'_>, teacher: &Encoder, inputs: &mut Vec<Input>) -> Result<Encoder> {
        let settings = &self.settings;
        let own: Option<Found> = settings
            .tokenizer
            .as_deref()
            .map(|name| reference::tokenizer(context.workspace, Some(name)))
            .transpose()?;
        inputs.extend(own.as_ref().map(|found| found.input("tokenizer")));
        let own = own.map(|found| tokenizer::load(&found.path)).transpose()?;
        let positions = settings.positions.min(teacher.config().max_position_embeddings);
        let inner = settings.inner.unwrap_or(INNER * settings.hidden);
        let mut student = match settings.from {
            Beginning::Teacher => {
                let width = teacher.config().hidden_size;
                if settings.hidden != width {
                    return Err(Error::refused(format!(
                        "--hidden {}: the teacher's states are {width} wide, and a student that begins with its parts has its width; --from scratch begins with none",
                        settings.hidden
                    )));
                }
                let cut = teacher.cut(Cut { layers: settings.layers, inner, positions })?;
                match own {
                    Some(own) => {
                        let sources = tokenizer::sources(teacher.tokenizer(), &own)?;
                        cut.transplanted(own, &sources)?.0
                    }
                    None => cut,
                }
            }
            Beginning::Scratch => {
                if !settings.hidden.is_multiple_of(HEAD) {
                    return Err(Error::refused(format!(
                        "--hidden {}: must be a multiple of {HEAD}, the width of a head",
                        settings.hidden
                    )));
                }
                let tokenizer = own.unwrap_or_else(|| teacher.tokenizer().clone());
                let config = BertConfig {
                    vocab_size: tokenizer.get_vocab_size(true),
                    hidden_size: settings.hidden,
                    num_hidden_layers: settings.layers,
                    num_attention_heads: settings.hidden / HEAD,
                    intermediate_size: inner,
                    max_position_embeddings: positions,
                    pad_token_id: tokenizer.token_to_id("[PAD]").unwrap_or_default(),
                    ..teacher.config().clone()
                };
                Encoder::random(config, tokenizer, settings.seed, &context.place.device)?
            }
        };
        student.set_max_length(settings.max_length.min(positions))?;
        if student.dim() != teacher.dim() {
            student.set_dim(teacher.dim(), DimHead::Dense { seed: settings.seed })?;
        }
        Ok(student)
    }

    /// Passages, sentences and phrases of the documents.
    fn passages(&self, context: &Context<'_>, inputs: &mut Vec<Input>) -> Result<Vec<String>> {
        let seed = self.settings.seed;
        if self.corpus.is_empty() {
            let artifact = context.workspace.newest(Kind::Corpus)?;
            inputs.push(artifact.input("corpus"));
            let passages = Corpus::open(&artifact.path)?.all_passages()?;
            return Ok(texts_of(passages.iter().map(|passage| passage.text.as_str()), seed));
        }
        // Read as a corpus of its own, in a folder that does not outlive the job.
        let scratch = tempfile::tempdir().map_err(WorkspaceError::io("making", std::env::temp_dir()))?;
        let source = Source::Corpus(self.corpus.clone());
        corpus::build(&source, &CorpusSettings::default(), None, scratch.path(), context.observer)?;
        for path in self.corpus.iter().filter(|path| path.is_file()) {
            inputs.push(file(path, "corpus")?);
        }
        let passages = Corpus::open(scratch.path())?.all_passages()?;
        Ok(texts_of(passages.iter().map(|passage| passage.text.as_str()), seed))
    }
}

fn file(path: &Path, role: &str) -> Result<Input> {
    Ok(Input { role: role.to_owned(), reference: path.to_string_lossy().into_owned(), sha256: digest_file(path)? })
}

fn lines(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(WorkspaceError::io("reading", path))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn read_translations(path: &Path, taught: &mut Vec<Taught>) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(WorkspaceError::io("reading", path))?;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((english, other)) = line.split_once('\t') else {
            return Err(Error::refused(format!(
                "{}:{}: no tab: each line must hold a text, a tab, and its translation",
                path.display(),
                number + 1
            )));
        };
        taught.push(Taught { student: other.trim().to_owned(), teacher: Some(english.trim().to_owned()) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translations_are_lines_of_two() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ru.tsv");
        std::fs::write(&path, "oil pump\tмасляный насос\n\nno tab here\n").unwrap();
        let mut taught = Vec::new();
        let error = read_translations(&path, &mut taught).unwrap_err().to_string();
        assert!(error.contains("ru.tsv:3") && error.contains("tab"), "{error}");
        assert_eq!(taught, [Taught { student: "масляный насос".to_owned(), teacher: Some("oil pump".to_owned()) }]);
    }
}
