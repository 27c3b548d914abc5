//! The worker over a small workspace, asked through its channel.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

use super::*;
use crate::corpus;
use crate::progress::Silent;
use crate::settings::CorpusSettings;
use crate::workspace::{Config, Kind, Manifest, Source};

/// Long enough for any machine: a worker that says nothing for so long says nothing any more.
const PATIENCE: Duration = Duration::from_mins(2);

/// A workspace over three of the sample documents.
fn workspace(folder: &Path) -> Workspace {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-corpus");
    let names = ["evaporators/hot-gas-defrost.md", "secondary/brine-chiller.md", "secondary/glycol-loop.txt"];
    let paths: Vec<PathBuf> = names.iter().map(|name| sample.join(name)).collect();
    let source = Source::Corpus(paths);
    let workspace = Workspace::create(folder, &Config::new("test", source.clone())).unwrap();
    let staged = workspace.stage(Kind::Corpus, "corpus").unwrap();
    corpus::build(&source, &CorpusSettings::default(), None, staged.path(), &Silent).unwrap();
    staged.commit(Manifest::new("corpus", &(), "cpu", Vec::new(), serde_json::Value::Null, 0)).unwrap();
    workspace
}

struct Asking {
    questions: Option<Sender<Question>>,
    messages: Receiver<Msg>,
    worker: Option<std::thread::JoinHandle<()>>,
}

impl Asking {
    /// A worker that finds these questions waiting.
    fn start(workspace: &Workspace, waiting: Vec<Question>) -> Self {
        let (questions, asked) = channel();
        let (sender, messages) = sync_channel(1024);
        for question in waiting {
            questions.send(question).unwrap();
        }
        let workspace = workspace.clone();
        let worker = std::thread::spawn(move || work(&workspace, "cpu", &asked, &Outbox::new(sender)));
        Self { questions: Some(questions), messages, worker: Some(worker) }
    }

    fn ask(&self, question: Question) {
        self.questions.as_ref().unwrap().send(question).unwrap();
    }

    /// The first answer that is what is wanted.
    fn until<T>(&self, wanted: impl Fn(Answer) -> Option<T>) -> T {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("the worker went silent");
            if let Msg::Answer(super::super::Answer::Compare(answer)) = message
                && let Some(found) = wanted(answer)
            {
                return found;
            }
        }
    }

    fn ranking(&self, systems: usize) -> Ranking {
        self.until(|answer| match answer {
            Answer::Ranking(ranking) if ranking.systems.len() == systems => Some(ranking),
            _ => None,
        })
    }

    fn state(&self, wanted: impl Fn(&State) -> bool) -> State {
        self.until(|answer| match answer {
            Answer::State(state) if wanted(&state) => Some(state),
            _ => None,
        })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.questions = None;
        self.worker.take().unwrap().join().unwrap();
    }
}

fn open(models: &[&str]) -> Question {
    let models = models.iter().map(|name| (*name).to_owned()).collect();
    Question::Open(Opening { number: 1, models, ..Opening::default() })
}

fn rank(number: u64, query: &str) -> Question {
    Question::Rank(Asked { number, query: query.to_owned(), ..Asked::default() })
}

#[test]
fn every_system_answers_and_is_set_against_the_base() {
    let folder = tempfile::tempdir().unwrap();
    let asking = Asking::start(&workspace(folder.path()), vec![open(&[]), rank(1, "hot gas defrost of an evaporator")]);
    let ranking = asking.ranking(3);
    let names: Vec<&str> = ranking.systems.iter().map(|system| system.name.as_str()).collect();
    assert_eq!(names, ["embedded", "BM25 english", "BM25 + embedded, scores"]);
    let hits = |at: usize| ranking.systems[at].hits.as_ref().unwrap();
    assert!(hits(0).iter().all(|hit| hit.moved.is_none()), "the base is what the others are set against");
    for (rank, hit) in hits(2).iter().enumerate() {
        let base = hits(0).iter().position(|it| it.passage == hit.passage).unwrap();
        let expected = match base.cmp(&rank) {
            std::cmp::Ordering::Greater => Moved::Up(base - rank),
            std::cmp::Ordering::Less => Moved::Down(rank - base),
            std::cmp::Ordering::Equal => Moved::Not,
        };
        assert_eq!(hit.moved, Some(expected));
    }
    let first = &ranking.passages[hits(1)[0].passage];
    assert!(first.document.ends_with("hot-gas-defrost.md"), "{}", first.document);
    // In so small a corpus some of the words stand in most passages, and are left out.
    let found: Vec<String> = first.matches.iter().map(|range| first.text[range.clone()].to_lowercase()).collect();
    assert!(found.iter().any(|word| word == "hot" || word == "gas" || word.starts_with("evaporator")), "{found:?}");
    assert_eq!(ranking.splits.len(), 1);
    assert!(ranking.splits[0].tokens.as_ref().unwrap().len() >= 6);

    // The same question, its answer known.
    let relevant = first.id.clone();
    asking.ask(Question::Rank(Asked {
        number: 2,
        query: ranking.query.clone(),
        relevant: vec![relevant.clone(), "gone".to_owned()],
    }));
    let marked = asking.until(|answer| match answer {
        Answer::Ranking(ranking) if ranking.number == 2 => Some(ranking),
        _ => None,
    });
    assert!(marked.is_question);
    assert_eq!(marked.systems[1].relevant_at, Some(1));
    for system in &marked.systems {
        let of = |hit: &&RankedHit| marked.passages[hit.passage].id == relevant;
        let hits = system.hits.as_ref().unwrap();
        assert!(hits.iter().filter(of).all(|hit| hit.relevant), "{}", system.name);
        assert_eq!(hits.iter().filter(|hit| hit.relevant).count(), 1, "{}", system.name);
    }
}

#[test]
fn only_the_newest_query_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut waiting = vec![open(&["embedded"])];
    waiting.extend((1..=50).map(|number| rank(number, "defrost")));
    let asking = Asking::start(&workspace(folder.path()), waiting);
    let first = asking.until(|answer| match answer {
        Answer::Ranking(ranking) => Some(ranking.number),
        _ => None,
    });
    assert_eq!(first, 50);
}

#[test]
fn a_model_that_is_gone_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let asking = Asking::start(&workspace(folder.path()), vec![open(&["embedded", "./gone"]), rank(1, "defrost")]);
    let state = asking
        .state(|state| state.systems.iter().any(|system| system.stage == Stage::Ready && system.name == "embedded"));
    let Stage::Failed(problem) = &state.systems[1].stage else { panic!("{:?}", state.systems[1]) };
    assert!(problem.contains("./gone: no such folder"), "{problem}");
    assert_eq!(state.systems.last().unwrap().name, "BM25 + embedded, scores", "the model that can be had is fused");
    assert_eq!(asking.ranking(3).systems.len(), 3);
}

#[test]
fn words_need_a_match() {
    let folder = tempfile::tempdir().unwrap();
    let asking = Asking::start(&workspace(folder.path()), vec![open(&["embedded"]), rank(1, "zzyzx")]);
    let ranking = asking.ranking(3);
    assert!(ranking.systems[1].hits.as_ref().unwrap().is_empty());
    assert!(!ranking.systems[0].hits.as_ref().unwrap().is_empty());
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = workspace(folder.path());
    let file = folder.path().join("corpus/v1/passages.jsonl");
    std::fs::remove_file(&file).unwrap();
    let asking = Asking::start(&workspace, vec![open(&["embedded"])]);
    let state = asking.state(|state| state.corpus.is_some());
    let problem = state.corpus.unwrap().unwrap_err();
    assert!(problem.contains("passages.jsonl"), "{problem}");

    let manifest = folder.path().join("corpus/v1/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap().replacen("\"schema\": 1", "\"schema\": 99", 1);
    std::fs::write(&manifest, text).unwrap();
    asking.ask(Question::Open(Opening {
        number: 2,
        evaluation: Some(("eval@v1".to_owned(), folder.path().join("evaluations/eval/v1"))),
        ..Opening::default()
    }));
    let judged = asking.until(|answer| match answer {
        Answer::Judged { number: 2, judged } => judged,
        _ => None,
    });
    assert!(judged.unwrap_err().contains("metrics.json"));
    let state = asking.state(|state| state.number == 2 && state.corpus.is_some());
    let problem = state.corpus.unwrap().unwrap_err();
    assert!(problem.contains("has schema 99"), "{problem}");
}

#[test]
fn a_worker_that_knows_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let asking = Asking::start(&workspace(folder.path()), vec![rank(7, "defrost")]);
    asking.until(|answer| matches!(answer, Answer::Lost).then_some(()));
}
