//! Measuring fragmentation: how many pieces a tokenizer makes of the user's words.

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Result};
use crate::corpus::{self, Corpus, Fold};
use crate::encoder::reference;
use crate::progress::Event;
use crate::settings::InspectSettings;
use crate::tokenizer::{self, Counter, Fragmentation, Verdict, WorstWord};
use crate::workspace::Kind;

/// Passages counted at a time: enough for all cores, little memory.
const BATCH: usize = 4096;

/// What a tokenizer does to the documents.
#[derive(Debug, Clone, Serialize)]
pub struct InspectReport {
    /// The tokenizer.
    pub tokenizer: String,
    /// How many documents were read.
    pub documents: usize,
    /// Their words, separated by white space.
    pub words: u64,
    /// Their tokens, special tokens left out.
    pub tokens: u64,
    /// Tokens per word.
    pub ratio: f64,
    /// What that means.
    pub verdict: Verdict,
    /// The ratio on documents that the tokenizer was trained on and on those it was not, for one trained here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
    /// The words that cost most.
    pub worst: Vec<WorstWord>,
    /// Every document, the most fragmented first.
    pub per_document: Vec<DocumentRatio>,
}

/// A tokenizer trained here, judged apart on what it saw and what it did not.
#[derive(Debug, Clone, Serialize)]
pub struct Unseen {
    /// Tokens per word on documents of the train fold: this flatters.
    pub ratio_train: f64,
    /// Tokens per word on all others.
    pub ratio_heldout: f64,
}

/// One document's fragmentation.
#[derive(Debug, Clone, Serialize)]
pub struct DocumentRatio {
    /// Its path.
    pub path: String,
    /// Its words.
    pub words: u64,
    /// Its tokens.
    pub tokens: u64,
    /// Tokens per word.
    pub ratio: f64,
}

/// Counts the workspace's corpus, or the given files instead.
pub fn inspect(context: &Context<'_>, settings: &InspectSettings, paths: &[PathBuf]) -> Result<InspectReport> {
    if let Some(wanted) = &settings.tokenizer {
        reference::download(wanted, context.observer)?;
    }
    let found = reference::tokenizer(context.workspace, settings.tokenizer.as_deref())?;
    let counter = Counter::new(tokenizer::load(&found.path)?);
    context.observer.on(Event::phase("count tokens"));
    // One that was trained on all documents has seen them all.
    let judged_apart = found.artifact.as_ref().is_some_and(|artifact| {
        artifact.id.kind == Kind::Tokenizer && artifact.manifest.settings["documents"] != "all"
    });
    let (mut counts, folds) =
        if paths.is_empty() { count_corpus(context, &counter)? } else { count_files(context, &counter, paths)? };
    let total: Fragmentation = counts.iter().fold(Fragmentation::default(), |sum, (_, count)| sum + *count);
    counts.sort_by(|a, b| b.1.ratio().total_cmp(&a.1.ratio()).then_with(|| a.0.cmp(&b.0)));
    Ok(InspectReport {
        tokenizer: found.reference,
        documents: counts.len(),
        words: total.words,
        tokens: total.tokens,
        ratio: total.ratio(),
        verdict: total.verdict(),
        unseen: folds
            .filter(|_| judged_apart)
            .map(|(train, rest)| Unseen { ratio_train: train.ratio(), ratio_heldout: rest.ratio() }),
        worst: counter.worst(settings.worst),
        per_document: counts
            .into_iter()
            .map(|(path, count)| DocumentRatio { path, words: count.words, tokens: count.tokens, ratio: count.ratio() })
            .collect(),
    })
}

type Counts = (Vec<(String, Fragmentation)>, Option<(Fragmentation, Fragmentation)>);

fn count_corpus(context: &Context<'_>, counter: &Counter) -> Result<Counts> {
    let corpus = Corpus::open(&context.workspace.newest(Kind::Corpus)?.path)?;
    let documents = corpus.documents()?;
    let total: usize = documents.iter().map(|document| document.passages).sum();
    let index: std::collections::HashMap<&str, usize> =
        documents.iter().enumerate().map(|(at, document)| (document.id.as_str(), at)).collect();
    let mut counts = vec![Fragmentation::default(); documents.len()];
    let (mut train, mut rest, mut done) = (Fragmentation::default(), Fragmentation::default(), 0);
    let mut passages = corpus.passages()?;
    loop {
        context.check_stop()?;
        let batch = passages.by_ref().take(BATCH).collect::<corpus::Result<Vec<_>>>()?;
        if batch.is_empty() {
            break;
        }
        let texts: Vec<&str> = batch.iter().map(|passage| passage.text.as_str()).collect();
        for (passage, count) in batch.iter().zip(counter.count(&texts)?) {
            if let Some(&at) = index.get(passage.document.as_str()) {
                counts[at] += count;
            }
            if passage.fold == Fold::Train { train += count } else { rest += count }
        }
        done += batch.len();
        context.observer.on(Event::progress(done, total, "passages"));
    }
    let paths = documents.into_iter().map(|document| document.path);
    Ok((paths.zip(counts).collect(), Some((train, rest))))
}

fn count_files(context: &Context<'_>, counter: &Counter, paths: &[PathBuf]) -> Result<Counts> {
    let mut counts: Vec<(String, Fragmentation)> = Vec::new();
    let mut failed = None;
    corpus::for_each_text(paths, context.observer, &mut |path, text| match counter.count(&[text]) {
        Ok(count) => {
            let sum = count.into_iter().fold(Fragmentation::default(), |sum, count| sum + count);
            counts.push((path.to_owned(), sum));
        }
        Err(error) => failed = Some(error),
    })?;
    failed.map_or(Ok((counts, None)), |error| Err(error.into()))
}
