//! Which questions are asked where nobody names them.

use super::Result;
use crate::progress::{Event, Observer};
use crate::workspace::{Artifact, Kind, Workspace};

/// Whether questions were made from the documents, by rule or by a language model, and not asked by a person.
fn is_synthetic(questions: &Artifact) -> bool {
    questions.manifest.details["synthetic"].as_bool().unwrap_or(false)
}

/// The newest questions of the user's own; where there are none, the newest that were made from the documents. What real
/// users ask is the better judge, however old it is.
pub fn newest_questions(workspace: &Workspace, observer: &dyn Observer) -> Result<Artifact> {
    let newest = workspace.newest(Kind::Questions)?;
    if !is_synthetic(&newest) {
        return Ok(newest);
    }
    let own = workspace.list(Kind::Questions)?.into_iter().filter(|questions| !is_synthetic(questions));
    let Some(own) = own.max_by_key(|questions| questions.manifest.created_unix_ms) else { return Ok(newest) };
    observer.on(Event::note(format!(
        "asks {}, questions of your own; {} is newer, but made from the documents: --questions {} asks it",
        own.id, newest.id, newest.id
    )));
    Ok(own)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::progress::Recorder;
    use crate::workspace::{Config, Manifest, Source};

    fn add(workspace: &Workspace, name: &str, synthetic: bool, made_ms: u64) {
        let staged = workspace.stage(Kind::Questions, name).unwrap();
        let details = json!({ "questions": 3, "synthetic": synthetic });
        let mut manifest = Manifest::new("test", &(), "cpu", Vec::new(), details, 0);
        manifest.created_unix_ms = made_ms;
        staged.commit(manifest).unwrap();
    }

    fn workspace(folder: &Path) -> Workspace {
        Workspace::create(folder, &Config::new("test", Source::Corpus(vec!["docs".into()]))).unwrap()
    }

    #[test]
    fn questions_of_the_users_own_come_first_however_old() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(folder.path());
        let observer = Recorder::default();
        let newest = || newest_questions(&workspace, &observer).map(|questions| questions.id.to_string());
        assert!(newest().unwrap_err().to_string().contains("questions"));
        add(&workspace, "structural", true, 1_000);
        add(&workspace, "synthesized", true, 2_000);
        assert_eq!(newest().unwrap(), "synthesized@v1");
        assert!(observer.events().is_empty(), "there is nothing to choose");
        add(&workspace, "mine", false, 500);
        assert_eq!(newest().unwrap(), "mine@v1");
        let [Event::Note { text }] = &observer.events()[..] else { panic!("{:?}", observer.events()) };
        assert!(text.contains("--questions synthesized@v1"), "{text}");
        add(&workspace, "mine", false, 3_000);
        assert_eq!(newest().unwrap(), "mine@v2");
    }
}
