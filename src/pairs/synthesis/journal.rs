//! What a model answered, kept for good: one line a passage, written before the next request is sent.
//!
//! A journal belongs to a [`Recipe`] and not to a run: whoever asks the same again is answered from it, and only passages
//! that are new are asked about. A line is written in one piece to the end of the file, so that a killed process loses
//! nothing that it had; a line that a power cut tore is cut off when the journal is opened.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Recipe;
use super::kind::QuestionKind;
use crate::pairs::{Error, Result};
use crate::workspace::{Error as WorkspaceError, write_json_atomic};

const JOURNAL: &str = "journal.jsonl";
const RECIPE: &str = "recipe.json";

/// One line: what became of a passage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The passage, by id.
    pub(super) passage: String,
    /// What happened.
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// What became of a passage. Of several lines about one, the last of each kind counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// The model asked questions of it.
    Questions(Vec<Posed>),
    /// The model found nothing to ask about.
    Nothing,
    /// It was given up.
    Failed(String),
    /// The model judged its questions, from 1 to 5, in their order.
    Scores(Vec<u8>),
}

/// A question, and what kind of question it was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Posed {
    /// The kind.
    pub(super) kind: QuestionKind,
    /// The question.
    pub(super) question: String,
}

/// All that is known of a passage.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    /// Its questions.
    pub(super) questions: Vec<Posed>,
    /// What the judge said of them; empty where it was not asked.
    pub(super) scores: Vec<u8>,
    /// Whether the model found nothing to ask about.
    pub(super) nothing: bool,
    /// Why there are none.
    pub(super) failed: Option<String>,
}

/// An open journal; nobody else writes to it meanwhile.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal of a recipe below `answers`, made where there is none, and reads what it holds.
    pub(super) fn open(answers: &Path, recipe: &Recipe) -> Result<(Self, HashMap<String, Known>)> {
        let folder = answers.join(recipe.folder());
        std::fs::create_dir_all(&folder).map_err(WorkspaceError::io("making", &folder))?;
        let path = folder.join(JOURNAL);
        let failed = |source| WorkspaceError::io("opening", &path)(source);
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Asked(folder)),
            // Where locks do not work, two who ask the same at once ask twice, and nothing is lost.
            Err(TryLockError::Error(_)) => {}
        }
        let recipe_file = folder.join(RECIPE);
        if !recipe_file.is_file() {
            write_json_atomic(&recipe_file, recipe)?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(failed)?;
        }
        let mut known: HashMap<String, Known> = HashMap::new();
        for (number, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            // Zeros are what some file systems leave of lines that a power cut took: those passages are asked about again.
            if line.iter().all(|byte| *byte == 0) {
                continue;
            }
            let entry: Entry = serde_json::from_slice(line).map_err(|error| {
                let problem =
                    format!("line {}: {error}; remove the line, and its passage is asked about again", number + 1);
                WorkspaceError::malformed(&path, problem)
            })?;
            note(&mut known, entry);
        }
        Ok((Self { path, file }, known))
    }

    /// The newest recipe below `answers` that is like another but for the model's digest.
    pub(super) fn find_like(answers: &Path, recipe: &Recipe) -> Option<Recipe> {
        let entries = std::fs::read_dir(answers).ok()?;
        let found = entries.filter_map(|entry| {
            let folder = entry.ok()?.path();
            let text = std::fs::read_to_string(folder.join(RECIPE)).ok()?;
            let found: Recipe = serde_json::from_str(&text).ok()?;
            let changed = std::fs::metadata(folder.join(JOURNAL)).and_then(|data| data.modified()).ok()?;
            recipe.is_like(&found).then_some((changed, found))
        });
        found.max_by_key(|(changed, _)| *changed).map(|(_, found)| found)
    }

    /// Writes a line. It is with the system when this returns, so that only a power cut can take it; [`Journal::sync`]
    /// is for that.
    pub(super) fn append(&self, entry: &Entry) -> Result<()> {
        // Strings and small numbers: serialisation has nothing to fail on.
        let mut line = serde_json::to_string(entry).unwrap_or_default();
        line.push('\n');
        Ok((&self.file).write_all(line.as_bytes()).map_err(WorkspaceError::io("appending to", &self.path))?)
    }

    /// Makes the disk keep what was written so far.
    pub(super) fn sync(&self) -> Result<()> {
        Ok(self.file.sync_data().map_err(WorkspaceError::io("writing", &self.path))?)
    }
}

/// Adds a line to what is known.
pub(super) fn note(known: &mut HashMap<String, Known>, entry: Entry) {
    let of_passage = known.entry(entry.passage).or_default();
    match entry.outcome {
        Outcome::Questions(questions) => {
            *of_passage = Known { questions, ..Known::default() };
        }
        Outcome::Nothing => *of_passage = Known { nothing: true, ..Known::default() },
        Outcome::Scores(scores) => of_passage.scores = scores,
        // What was answered once stays answered.
        Outcome::Failed(why) if of_passage.questions.is_empty() && !of_passage.nothing => of_passage.failed = Some(why),
        Outcome::Failed(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(passage: &str, outcome: Outcome) -> Entry {
        Entry { passage: passage.to_owned(), outcome }
    }

    fn questions(texts: &[&str]) -> Outcome {
        let asked = |text: &&str| Posed { kind: QuestionKind::Natural, question: (*text).to_owned() };
        Outcome::Questions(texts.iter().map(asked).collect())
    }

    #[test]
    fn what_was_answered_is_read_back_and_a_torn_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe { model: "m".to_owned(), ..Recipe::default() };
        let (journal, known) = Journal::open(folder.path(), &recipe).unwrap();
        assert!(known.is_empty());
        assert!(matches!(Journal::open(folder.path(), &recipe), Err(Error::Asked(_))), "nobody else may write");
        for line in [
            entry("a", Outcome::Failed("silent".to_owned())),
            entry("a", questions(&["why frost", "frost on coil"])),
            entry("a", Outcome::Scores(vec![4, 2])),
            entry("b", Outcome::Failed("no JSON".to_owned())),
            entry("d", Outcome::Nothing),
        ] {
            journal.append(&line).unwrap();
        }
        journal.sync().unwrap();
        drop(journal);
        let path = folder.path().join(recipe.folder()).join(JOURNAL);
        let mut bytes = std::fs::read(&path).unwrap();
        let whole = bytes.len();
        bytes.extend_from_slice(br#"{"passage":"c","ques"#);
        std::fs::write(&path, &bytes).unwrap();
        let (journal, known) = Journal::open(folder.path(), &recipe).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), whole as u64);
        assert_eq!((known.len(), known["d"].nothing), (3, true));
        assert_eq!((known["a"].questions.len(), &known["a"].scores[..], &known["a"].failed), (2, &[4, 2][..], &None));
        assert_eq!(known["b"].failed.as_deref(), Some("no JSON"));
        journal.append(&entry("c", questions(&["oil return"]))).unwrap();
        drop(journal);
        let (_, known) = Journal::open(folder.path(), &recipe).unwrap();
        assert_eq!(known["c"].questions[0].question, "oil return");
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe::default();
        drop(Journal::open(folder.path(), &recipe).unwrap());
        let path = folder.path().join(recipe.folder()).join(JOURNAL);
        std::fs::write(&path, "\n{\"passage\":3}\n").unwrap();
        let error = Journal::open(folder.path(), &recipe).unwrap_err().to_string();
        assert!(error.contains("journal.jsonl: line 2: ") && error.contains("remove the line"), "{error}");
    }

    #[test]
    fn a_recipe_is_found_without_knowing_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        let told = Recipe { model: "m".to_owned(), model_digest: "abc".to_owned(), ..Recipe::default() };
        drop(Journal::open(folder.path(), &told).unwrap());
        let untold = Recipe { model_digest: String::new(), ..told.clone() };
        assert_eq!(Journal::find_like(folder.path(), &untold), Some(told));
        let other = Recipe { seed: 5, ..untold };
        assert_eq!(Journal::find_like(folder.path(), &other), None);
    }
}
