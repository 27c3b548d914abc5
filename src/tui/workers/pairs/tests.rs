use serde_json::{Value, json};

use super::load::Opened;
use super::*;
use crate::corpus::{Document, Fold, Passage as CorpusPassage};
use crate::pairs::{BrokenLine, PairSet, Reason, Rejected, Row};
use crate::workspace::{Artifact, Config, Kind, Manifest, Source};

const FROST: &str =
    "Frost on the coil keeps the heat of the room from the refrigerant, and the suction pressure falls.";

fn workspace(folder: &std::path::Path) -> (Workspace, Artifact) {
    let workspace = Workspace::create(folder, &Config::new("w", Source::Corpus(Vec::new()))).unwrap();
    let staged = workspace.stage(Kind::Corpus, "corpus").unwrap();
    let document = Document {
        id: "d".into(),
        path: "manuals/frost.md".into(),
        title: "Frost".into(),
        format: "markdown".into(),
        encoding: "UTF-8".into(),
        words: 10,
        passages: 3,
        fold: Fold::Train,
    };
    let passage = |id: &str, heading: &[&str]| CorpusPassage {
        id: id.into(),
        document: "d".into(),
        heading: heading.iter().map(|&part| part.to_owned()).collect(),
        text: format!("{FROST} This is {id}."),
        fold: Fold::Train,
        cluster: 0,
    };
    let passages = [passage("p1", &["Frost"]), passage("p2", &["Frost", "Melting it"]), passage("p3", &[])];
    let lines = |values: Vec<Value>| values.iter().map(|value| format!("{value}\n")).collect::<String>();
    std::fs::write(staged.path().join("documents.jsonl"), lines(vec![json!(document)])).unwrap();
    std::fs::write(staged.path().join("passages.jsonl"), lines(passages.iter().map(|p| json!(p)).collect())).unwrap();
    let corpus = staged.commit(Manifest::new("corpus", &(), "cpu", Vec::new(), Value::Null, 1)).unwrap();
    (workspace, corpus)
}

fn row(query: &str, positives: &[&str]) -> Row {
    Row {
        query_id: Row::id_of(query),
        query: query.into(),
        positives: positives.iter().map(|&id| id.to_owned()).collect(),
        source: "heading".into(),
        ..Row::default()
    }
}

fn pairs(workspace: &Workspace, corpus: &Artifact, set: &PairSet) -> Artifact {
    let staged = workspace.stage(Kind::Pairs, "cold").unwrap();
    set.write(staged.path()).unwrap();
    let inputs = vec![corpus.input("corpus")];
    staged.commit(Manifest::new("pairs-structural", &(), "cpu", inputs, Value::Null, 2)).unwrap()
}

fn set() -> PairSet {
    let altered = Row::altered_id("p1", "the rest");
    let cut = Row { texts: [(altered.clone(), "the rest".into())].into(), ..row("cut out", &[&altered]) };
    let own = Row { texts: [("x".into(), "an imported text".into())].into(), ..row("mine", &["x"]) };
    PairSet {
        train: vec![row("melting frost", &["p2"]), cut, own],
        dev: vec![row("of two", &["p1", "p2"])],
        rejected: vec![
            Rejected { reason: Reason::ShortQuery, row: row("frost", &["p1"]) },
            Rejected { reason: Reason::Duplicate, row: row("nowhere", &["gone"]) },
        ],
        broken: vec![BrokenLine { file: "a.csv".into(), line: 3, problem: "odd".into() }],
        ..PairSet::default()
    }
}

#[test]
fn questions_are_grouped_by_passage_and_texts_found_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (workspace, corpus) = workspace(folder.path());
    pairs(&workspace, &corpus, &set());
    append_review(folder.path(), &Review::new(5, "cold@v1", &Row::id_of("frost"), "p1", Verdict::Accept, None))
        .unwrap();
    let (open, set) = Opened::read(&workspace, "cold@v1").unwrap();
    let shown: Vec<(&str, Vec<&str>)> = set
        .passages
        .iter()
        .enumerate()
        .map(|(at, passage)| (&*passage.title, set.items_of(at).iter().map(|item| &*item.query).collect()))
        .collect();
    assert_eq!(
        shown,
        [
            ("manuals/frost.md › Frost", vec!["cut out", "of two", "frost"]),
            ("manuals/frost.md › Frost › Melting it", vec!["melting frost", "of two"]),
            ("x", vec!["mine"]),
            ("gone", vec!["nowhere"]),
        ]
    );
    assert_eq!((set.train, set.dev, set.rejected_rows(), set.corpus.as_str()), (3, 1, 3, "corpus@v1"));
    assert_eq!(set.rejected["broken line"], 1);
    assert_eq!(set.damage, Damage::default());
    let items = set.items_of(0);
    assert!(items[0].altered && !items[1].altered);
    assert!(items[2].stays() && set.word(items[2].reason.unwrap()) == "short query", "brought back by a person");
    assert_eq!(open.text(set.passages[1].place).unwrap(), format!("{FROST} This is p2."));
    assert_eq!(open.text(set.passages[2].place).unwrap(), "an imported text");
    assert!(open.text(set.passages[3].place).unwrap_err().contains("make them again"));
}

#[test]
fn damaged_lines_are_named_and_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let (workspace, corpus) = workspace(folder.path());
    let made = pairs(&workspace, &corpus, &set());
    let file = made.file("train.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"query\"", "\"que", 1) + "\u{1b}[2J\n").unwrap();
    std::fs::write(folder.path().join("corpus/v1/documents.jsonl"), "{}\n").unwrap();
    let (_, set) = Opened::read(&workspace, "cold@v1").unwrap();
    assert_eq!((set.train, set.damage.count), (2, 3));
    let named = set.damage.named.join("\n");
    assert!(named.contains("train.jsonl:1: ") && named.contains("train.jsonl:4: "), "{named}");
    assert!(named.contains("documents.jsonl:1: missing field"), "{named}");
    assert_eq!(&*set.passages[0].title, "d › Frost", "a document without a path is called by its id");
    let problem = Opened::read(&workspace, "cold@v7").unwrap_err();
    assert!(problem.contains("cold@v1"), "{problem}");
}

#[test]
fn the_worker_answers_and_writes_reviews() {
    let folder = tempfile::tempdir().unwrap();
    let (workspace, corpus) = workspace(folder.path());
    pairs(&workspace, &corpus, &set());
    let (sender, messages) = std::sync::mpsc::sync_channel(16);
    let (asks, questions) = std::sync::mpsc::channel();
    let outbox = Outbox::new(sender);
    let name = || "cold@v1".to_owned();
    let (id, passage) = (Row::id_of("melting frost"), "p2".to_owned());
    asks.send(Question::Health(name())).unwrap();
    asks.send(Question::Open(name())).unwrap();
    asks.send(Question::Review { t: 1, pairs: name(), query_id: id, passage, said: Said::Edit("thawing".into()) })
        .unwrap();
    asks.send(Question::Open(name())).unwrap();
    asks.send(Question::Text { pairs: name(), passage: 1, place: Place::Corpus(0) }).unwrap();
    asks.send(Question::Health(name())).unwrap();
    drop(asks);
    work(&workspace, &questions, &outbox);
    drop(outbox);
    let mut answers = messages.into_iter().map(|message| match message {
        Msg::Answer(AnyAnswer::Pairs(answer)) => answer,
        other => panic!("{other:?}"),
    });
    let mut next = || answers.next().unwrap();
    assert!(matches!(next(), Answer::Health { health: Err(_), .. }), "nothing is open yet");
    assert!(matches!(next(), Answer::Opened(set) if set.items.iter().all(|item| item.mark.is_none())));
    let Answer::Opened(set) = next() else { panic!("the set comes again") };
    assert_eq!(set.items_of(1)[0].asks(), "thawing");
    assert!(matches!(next(), Answer::Text { text: Ok(text), .. } if text.ends_with("This is p1.")));
    let Answer::Health { health: Ok(health), .. } = next() else { panic!("health comes") };
    assert_eq!(health.folds, (3, 1));
    assert_eq!(health.asked_of, [3, 1, 0, 0, 0]);
    assert_eq!(health.questions_per_passage, [1, 2, 0, 0, 0]);
    assert_eq!((health.unasked, health.outside), ([(1, 3), (0, 0)], 1));
    assert_eq!(health.overlap.iter().sum::<usize>(), 5);
}
