//! A worker on workspaces on disk.

use std::path::Path;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::corpus::{Passage, build};
use crate::progress::Silent;
use crate::settings::CorpusSettings;
use crate::workspace::{Artifact, Config, Manifest, Source};

/// Long enough for a slow machine; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(120);
const EMBEDDED: &str = "embedded";

fn new_workspace(folder: &TempDir) -> Workspace {
    let config = Config::new("cold", Source::Corpus(vec![folder.path().join("documents")]));
    Workspace::create(&folder.path().join("workspace"), &config).unwrap()
}

fn manifest() -> Manifest {
    Manifest::new("corpus", &json!({}), "cpu", Vec::new(), json!({}), 0)
}

/// A workspace whose corpus was read from files.
fn read_from(files: &[(&str, &str)]) -> (TempDir, Workspace) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join("documents").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let workspace = new_workspace(&folder);
    let staged = workspace.stage(Kind::Corpus, "corpus").unwrap();
    build(&workspace.config().source, &CorpusSettings::default(), None, staged.path(), &Silent).unwrap();
    staged.commit(manifest()).unwrap();
    (folder, workspace)
}

/// A workspace whose corpus was written line by line: each document with its passages.
fn written(documents: &[(&str, &[&str])]) -> (TempDir, Workspace, Artifact) {
    let folder = tempfile::tempdir().unwrap();
    let workspace = new_workspace(&folder);
    let staged = workspace.stage(Kind::Corpus, "corpus").unwrap();
    let (mut of_documents, mut of_passages) = (String::new(), String::new());
    for (path, texts) in documents {
        let words = texts.iter().map(|text| text.split_whitespace().count()).sum();
        let document = Document {
            id: format!("id-{path}"),
            path: (*path).to_owned(),
            title: (*path).to_owned(),
            format: "text".to_owned(),
            encoding: "UTF-8".to_owned(),
            words,
            passages: texts.len(),
            fold: Fold::Train,
        };
        of_documents += &(serde_json::to_string(&document).unwrap() + "\n");
        for (nth, text) in texts.iter().enumerate() {
            let passage = Passage {
                id: format!("{path}-{nth}"),
                document: document.id.clone(),
                heading: vec!["Purging".to_owned()],
                text: (*text).to_owned(),
                fold: Fold::Train,
                cluster: 0,
            };
            of_passages += &(serde_json::to_string(&passage).unwrap() + "\n");
        }
    }
    std::fs::write(staged.path().join("documents.jsonl"), of_documents).unwrap();
    std::fs::write(staged.path().join("passages.jsonl"), of_passages).unwrap();
    let artifact = staged.commit(manifest()).unwrap();
    (folder, workspace, artifact)
}

/// A worker and what it said.
struct Talk {
    questions: Sender<Question>,
    messages: Receiver<Msg>,
}

impl Talk {
    fn with(workspace: &Workspace) -> Self {
        let (questions, asked) = channel();
        let (sender, messages) = sync_channel(1024);
        let workspace = workspace.clone();
        std::thread::spawn(move || work(&workspace, &asked, &Outbox::new(sender)));
        Self { questions, messages }
    }

    fn ask(&self, question: Question) {
        self.questions.send(question).unwrap();
    }

    /// The first answer that is wanted; others are passed over.
    fn hear<T>(&self, wanted: impl Fn(&Answer) -> Option<T>) -> T {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("an answer");
            if let Msg::Answer(crate::tui::workers::Answer::Corpus(answer)) = message
                && let Some(found) = wanted(&answer)
            {
                return found;
            }
        }
    }

    fn open(&self) -> Arc<Vec<Document>> {
        self.ask(Question::Open(None));
        self.hear(|answer| match answer {
            Answer::Opened { documents, .. } => Some(Arc::clone(documents)),
            Answer::Failed { about, text } => panic!("{about:?}: {text}"),
            _ => None,
        })
    }

    /// A passage with its tokens by the embedded tokenizer.
    fn show(&self, document: usize, nth: usize) -> Shown {
        let place = Place { document, nth };
        self.ask(Question::Show { place, tokenizers: vec![EMBEDDED.to_owned()] });
        self.hear(|answer| match answer {
            Answer::Passage(shown) if shown.place == place && !shown.splits.is_empty() => Some(shown.clone()),
            Answer::Failed { about: About::Passage, text } => panic!("{text}"),
            _ => None,
        })
    }

    fn count(&self) -> Arc<Counts> {
        self.ask(Question::Count { tokenizers: vec![EMBEDDED.to_owned()] });
        self.hear(|answer| match answer {
            Answer::Counted { counts, .. } if counts.complete => Some(Arc::clone(counts)),
            Answer::Failed { about: About::Counting(_), text } => panic!("{text}"),
            _ => None,
        })
    }

    fn failure(&self, wanted: &About) -> String {
        self.hear(|answer| match answer {
            Answer::Failed { about, text } if about == wanted => Some(text.clone()),
            _ => None,
        })
    }
}

fn tokens(shown: &Shown) -> Arc<Split> {
    Arc::clone(shown.splits[0].1.as_ref().unwrap())
}

const MANUAL: &str = "# Purging\n\nPurge the non-condensables through the thermosiphon oil cooler.\n\n\
    The thermosiphon stands above the receiver; \"thermosiphon\" is written once more.\n";

#[test]
fn documents_passages_tokens_and_counts() {
    let (_folder, workspace) = read_from(&[("a/manual.md", MANUAL), ("b.txt", "The valve. The pump, the valve.\n")]);
    let talk = Talk::with(&workspace);
    let documents = talk.open();
    assert_eq!(documents.iter().map(|document| document.path.as_str()).collect::<Vec<_>>().len(), 2);
    let manual = documents.iter().position(|document| document.path.ends_with("manual.md")).unwrap();
    let shown = talk.show(manual, 0);
    assert!(shown.text.contains("non-condensables") && shown.left_out == 0, "{shown:?}");
    let split = tokens(&shown);
    assert!(split.count().tokens >= split.count().words);
    let word = split.words.iter().find(|word| shown.text[word.range.clone()].contains("thermosiphon")).unwrap();
    assert!(word.spans.len() > 1, "the base does not know it");

    let counts = talk.count();
    assert_eq!(counts.documents[manual].words, documents[manual].words as u64);
    let frequencies = counts.frequencies.as_ref().unwrap();
    assert_eq!(frequencies.iter().sum::<u64>(), counts.all().tokens);
    assert!(counts.worst.iter().any(|worst| worst.word == "thermosiphon" && worst.count == 3), "{:?}", counts.worst);

    // Another start: what was counted is there, and the words with it, in whatever order they were told.
    let again = Talk::with(&workspace);
    again.open();
    again.ask(Question::Count { tokenizers: vec![EMBEDDED.to_owned()] });
    let words = again.hear(|answer| match answer {
        Answer::Words { words, .. } => Some(Arc::clone(words)),
        _ => None,
    });
    assert_eq!([words.times("thermosiphon"), words.times("(valve)."), words.times("compressor")], [3, 2, 0]);
    let first = again.hear(|answer| match answer {
        Answer::Counted { counts, .. } => Some(Arc::clone(counts)),
        _ => None,
    });
    assert_eq!(first, counts, "the first word on it is the last");
}

#[test]
fn a_word_is_found_again_and_again() {
    let texts: [&[&str]; 2] = [&["a thermosiphon", "thermosiphons only"], &["the (thermosiphon)."]];
    let (_folder, workspace, _) = written(&[("one", texts[0]), ("two", texts[1])]);
    let talk = Talk::with(&workspace);
    talk.open();
    let mut after = Place::default();
    for expected in [Place { document: 1, nth: 0 }, Place::default(), Place { document: 1, nth: 0 }] {
        talk.ask(Question::Find { word: "thermosiphon".to_owned(), after });
        let found = talk.hear(|answer| match answer {
            Answer::Found { place, .. } => Some(*place),
            _ => None,
        });
        assert_eq!(found, Some(expected));
        after = expected;
    }
    talk.ask(Question::Find { word: "siphon".to_owned(), after });
    assert!(talk.hear(|answer| match answer {
        Answer::Found { place, .. } => Some(place.is_none()),
        _ => None,
    }));
}

#[test]
fn a_corpus_that_vanishes_is_told_and_survived() {
    let (_folder, workspace, artifact) = written(&[("one", &["purge it", "drain it"])]);
    let talk = Talk::with(&workspace);
    talk.open();
    talk.show(0, 0);
    std::fs::remove_dir_all(&artifact.path).unwrap();
    let place = Place { document: 0, nth: 1 };
    talk.ask(Question::Show { place, tokenizers: vec![EMBEDDED.to_owned()] });
    let text = talk.failure(&About::Passage);
    assert!(text.contains("passages.jsonl") && text.contains("lapidary corpus refresh"), "{text}");
    talk.ask(Question::Open(Some("corpus@v1".to_owned())));
    let text = talk.failure(&About::Corpus);
    assert!(text.contains("lapidary corpus refresh"), "{text}");
    talk.ask(Question::Count { tokenizers: vec![EMBEDDED.to_owned()] });
    let text = talk.failure(&About::Counting(EMBEDDED.to_owned()));
    assert!(text.contains("passages.jsonl"), "{text}");
    talk.ask(Question::Scratch { text: "still here".to_owned(), tokenizers: vec![EMBEDDED.to_owned()] });
    let splits = talk.hear(|answer| match answer {
        Answer::Scratch { splits, .. } => Some(splits.clone()),
        _ => None,
    });
    assert_eq!(splits[0].1.as_ref().unwrap().words.len(), 2);
}

fn edit(path: &Path, change: impl Fn(&mut Vec<String>)) {
    let mut lines: Vec<String> = std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

#[test]
fn a_torn_line_costs_its_passage_only() {
    let (_folder, workspace, artifact) = written(&[("one", &["first one", "second one"]), ("two", &["third one"])]);
    let passages = artifact.file("passages.jsonl");
    edit(&passages, |lines| {
        let half = lines[1].len() / 2;
        lines[1].truncate(half);
    });
    let talk = Talk::with(&workspace);
    talk.open();
    let text = talk.failure(&About::Lines);
    assert!(text.contains("passages.jsonl:2:") && text.contains("lapidary corpus refresh"), "{text}");
    assert_eq!(&*talk.show(1, 0).text, "third one");
    let place = Place { document: 0, nth: 1 };
    talk.ask(Question::Show { place, tokenizers: Vec::new() });
    let text = talk.failure(&About::Passage);
    assert!(text.contains("passage 2 of one is not in it"), "{text}");
    let counts = talk.count();
    assert_eq!((counts.torn, counts.done, counts.total), (1, 2, 3));
    // Its digest is that of the whole file: such counts must not be kept for it.
    assert!(!workspace.root().join("cache/fragmentation").exists());

    edit(&artifact.file("documents.jsonl"), |lines| lines[1].truncate(9));
    let talk = Talk::with(&workspace);
    talk.ask(Question::Open(None));
    let text = talk.failure(&About::Corpus);
    assert!(text.contains("documents.jsonl: line 2:") && text.contains("lapidary corpus refresh"), "{text}");
}

#[test]
fn of_a_very_long_line_the_beginning_is_split() {
    let words = "the valve leaks ".repeat(1 << 16);
    let word = "é".repeat(1 << 19);
    let (_folder, workspace, _) = written(&[("words", &[&words]), ("word", &[&word])]);
    let talk = Talk::with(&workspace);
    talk.open();
    for (document, whole) in [(0, &words), (1, &word)] {
        let shown = talk.show(document, 0);
        assert!(shown.text.len() <= UPPERMOST && shown.text.len() > UPPERMOST / 2);
        assert_eq!(shown.text.len() + shown.left_out, whole.len());
        assert!(whole.starts_with(&*shown.text));
        assert!(tokens(&shown).count().tokens > 0);
    }
    assert_eq!(talk.count().all().words, 3 * (1 << 16) + 1);
}

#[test]
fn right_to_left_and_combining_text_keeps_its_bytes() {
    let text = "محطة التبريد cafe\u{301} аммиак 冷媒 👩\u{200d}🔧 \u{202e}x";
    let (_folder, workspace, _) = written(&[("mixed", &[text])]);
    let talk = Talk::with(&workspace);
    talk.open();
    let shown = talk.show(0, 0);
    assert_eq!(&*shown.text, text);
    let split = tokens(&shown);
    assert_eq!(split.words.len(), text.split_whitespace().count());
    assert!(split.spans.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
    assert!(split.spans.iter().all(|span| span.range.end <= text.len()));
    assert_eq!(split.word_of(0).unwrap().spans.start, 0);
}

#[test]
fn what_cannot_be_read_is_named() {
    let (folder, workspace, artifact) = written(&[("one", &["purge it"])]);
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{").unwrap();
    let broken = broken.to_str().unwrap().to_owned();
    let talk = Talk::with(&workspace);
    talk.open();
    let place = Place::default();
    talk.ask(Question::Show { place, tokenizers: vec![EMBEDDED.to_owned(), broken.clone()] });
    let splits = talk.hear(|answer| match answer {
        Answer::Passage(shown) if shown.splits.len() == 2 => Some(shown.splits.clone()),
        _ => None,
    });
    assert!(splits[0].1.is_ok());
    let text = splits[1].1.as_ref().unwrap_err();
    assert!(text.contains("broken.json") && text.contains("lapidary tokenizer train"), "{text}");
    talk.ask(Question::Count { tokenizers: vec![broken.clone()] });
    assert!(talk.failure(&About::Counting(broken)).contains("broken.json"));

    edit(&artifact.file("manifest.json"), |lines| {
        *lines =
            vec![lines.join(" ").replace("\"schema\": 1", "\"schema\": 99").replace("\"schema\":1", "\"schema\":99")];
    });
    talk.ask(Question::Open(None));
    let text = talk.failure(&About::Corpus);
    assert!(text.contains("manifest.json has schema 99"), "{text}");
    // The corpus that was open still is.
    assert_eq!(&*talk.show(0, 0).text, "purge it");
}

#[test]
fn a_passage_comes_before_the_index_is_complete() {
    let (_folder, _workspace, artifact) = written(&[("one", &["purge it"])]);
    let documents = crate::corpus::Corpus::open(&artifact.path).unwrap().documents().unwrap();
    let opened = Opened::new("corpus@v1".to_owned(), &artifact.path, artifact.manifest.digest(), Arc::new(documents));
    assert!(matches!(opened.passage(Place::default()), Lookup::NotYet));
    let (sender, messages) = sync_channel(8);
    opened.index_all(&Outbox::new(sender));
    assert!(matches!(opened.passage(Place::default()), Lookup::Found(_)));
    assert!(matches!(
        messages.try_recv(),
        Ok(Msg::Answer(crate::tui::workers::Answer::Corpus(Answer::Indexed { passages: 1, complete: true, .. })))
    ));
}

#[test]
fn only_the_last_of_what_is_asked_in_haste_is_answered() {
    let show = |nth| Question::Show { place: Place { document: 0, nth }, tokenizers: Vec::new() };
    let count = || Question::Count { tokenizers: Vec::new() };
    assert_eq!(latest(vec![show(1), count(), show(2), count(), show(3)]), [count(), count(), show(3)]);
    assert_eq!(latest(vec![Question::Open(None), show(1)]), [Question::Open(None), show(1)]);
}
