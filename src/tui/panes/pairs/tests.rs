mod synthesis;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::*;
use crate::progress::{Event, Outcome};
use crate::runs::{LoggedEvent, State, Status};
use crate::tui::message::{Msg, RunEvents};
use crate::tui::model::{Model, PaneId, update};
use crate::tui::palette::{Charset, Palette};
use crate::tui::shared::Artifacts;
use crate::tui::testing::{draw, in_16_colours, model, text};
use crate::tui::workers::pairs::{Buckets, Damage, Health, Item, Kept, Passage, Place, Spread};
use crate::workspace::{Input, Kind, digest_bytes};

const NOW: u64 = 1_795_521_600_000;
const TEXT: &str = "Hot gas is admitted until the suction header reaches 2.1 bar, then the valve closes and the \
                    drain stays open for two minutes.\n\nNever admit hot gas into a coil that is full of liquid: the \
                    hammer breaks pipes. Watch the sight glass\u{1b}[31m before you open the valve, and stand aside.";

fn version(reference: &str, job: &str, made_ms: u64) -> Version {
    Version {
        kind: Kind::Pairs,
        reference: reference.into(),
        path: "/w/pairs".into(),
        made_ms,
        job: job.into(),
        settings: json!({}),
        inputs: Vec::new(),
        details: json!({ "train": 1000, "dev": 34 }),
        looks: 0,
        bytes: 0,
        stale: false,
    }
}

fn item(query: &str, source: u16, reason: Option<u16>) -> Item {
    Item {
        query_id: query.into(),
        query: query.into(),
        source,
        reason,
        kept: if reason.is_some() { Kept::Rejected } else { Kept::Train },
        altered: source == 2,
        mark: None,
    }
}

fn set() -> Box<Set> {
    let mut set = Set {
        reference: "cold-pairs@v2".into(),
        words: ["title", "heading", "cloze", "short query", "near-duplicate query", "fragen.csv"].map(Arc::from).into(),
        train: 1000,
        dev: 34,
        rejected: [("short query", 71), ("copied query", 58), ("near-duplicate query", 41), ("poor passage", 32)]
            .map(|(reason, count)| (reason.to_owned(), count))
            .into(),
        corpus: "corpus@v1".into(),
        ..Set::default()
    };
    let passages = [
        (
            "p1",
            "manuals/defrost-cycles.txt › Hot gas",
            vec![
                item("Hot gas defrost", 0, None),
                item("How is hot gas defrost ended on a flooded evaporator?", 5, None),
                item(
                    "The coil is clear but the suction pressure keeps climbing although the valve was closed \
                     two minutes ago and nobody has touched the drain since then",
                    2,
                    None,
                ),
                item("Gas", 1, Some(3)),
                item("defrost, hot gas", 1, Some(4)),
            ],
        ),
        ("p2", "manuals/хладагенты.md › Аммиак", vec![item("почему растёт давление", 1, None)]),
        ("p3", "glossary.csv", vec![item("LP receiver", 1, Some(3)), item("oil drain pot", 1, Some(3))]),
    ];
    for (id, title, items) in passages {
        let begin = set.items.len() as u32;
        let rejected = items.iter().filter(|item| item.reason.is_some()).count() as u32;
        let haystack = items.iter().fold(title.to_lowercase(), |all, item| all + " " + &item.query.to_lowercase());
        let kept = items.len() as u32 - rejected;
        set.items.extend(items);
        set.passages.push(Passage {
            id: id.into(),
            title: title.into(),
            place: Place::Corpus(0),
            items: begin..set.items.len() as u32,
            kept,
            rejected,
            haystack: haystack.into(),
        });
    }
    Box::new(set)
}

fn answer(model: &mut Model, answer: Answer) -> Vec<Effect> {
    update(model, Msg::Answer(AnyAnswer::Pairs(answer)))
}

fn artifacts(model: &mut Model, pairs: Vec<Version>) -> Vec<Effect> {
    update(model, Msg::Artifacts(Artifacts { read: true, pairs, ..Artifacts::default() }))
}

fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            '↑' => KeyCode::Up,
            letter => KeyCode::Char(letter),
        };
        effects.extend(update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE))));
    }
    effects
}

/// A workbench with a set open.
fn opened() -> Model {
    let mut model = model();
    model.pane = PaneId::Pairs;
    artifacts(&mut model, vec![version("cold-pairs@v2", "pairs-structural", NOW - 90_000)]);
    answer(&mut model, Answer::Opened(set()));
    answer(&mut model, Answer::Text { pairs: "cold-pairs@v2".into(), passage: 0, text: Ok(TEXT.into()) });
    model
}

fn reviews(effects: &[Effect]) -> Vec<(String, String, Said)> {
    let said = effects.iter().filter_map(|effect| match effect {
        Effect::Ask(AnyQuestion::Pairs(Question::Review { query_id, passage, said, .. })) => {
            Some((query_id.clone(), passage.clone(), said.clone()))
        }
        _ => None,
    });
    said.collect()
}

fn status(job: &str, state: State) -> Status {
    Status {
        id: format!("r1-{job}"),
        job: job.into(),
        state,
        stalled: false,
        by_heartbeat: false,
        created_unix_ms: NOW - 1000,
        started_unix_ms: None,
        last_event_unix_ms: None,
        device: "cpu".into(),
        settings: json!({}),
        phase: String::new(),
        progress: None,
        step_ms: None,
        error: None,
        result: json!(null),
        garbage: 0,
        problem: None,
        loading: false,
    }
}

fn events(model: &mut Model, run: &str, events: Vec<(u64, Event)>) {
    let events = events.into_iter().map(|(t, event)| LoggedEvent { v: 1, t: NOW + t, event }).collect();
    update(model, Msg::Events(RunEvents { run: run.into(), events, garbage: 0, reset: true, more: false }));
}

fn pair(query: &str, source: &str, rejected: Option<&str>) -> Event {
    Event::Pair {
        passage: "p1".into(),
        query: query.into(),
        source: source.into(),
        rejected: rejected.map(str::to_owned),
    }
}

#[test]
fn the_newest_set_is_read_and_its_texts_are_fetched() {
    let mut model = model();
    model.pane = PaneId::Pairs;
    let effects =
        artifacts(&mut model, vec![version("b@v1", "pairs-import", NOW), version("a@v3", "pairs-structural", NOW - 9)]);
    let asks =
        |effect: &Effect| matches!(effect, Effect::Ask(AnyQuestion::Pairs(Question::Open(name))) if name == "b@v1");
    assert!(effects.iter().any(asks), "{effects:?}");
    assert!(text(&draw(&model, 80, 24)).contains("reading b@v1"));
    // Another set's answer comes too late.
    assert!(answer(&mut model, Answer::Opened(set())).is_empty());
    let effects = answer(&mut model, Answer::Opened(Box::new(Set { reference: "b@v1".into(), ..*set() })));
    let asked: Vec<u32> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Ask(AnyQuestion::Pairs(Question::Text { passage, .. })) => Some(*passage),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [0, 1], "the open passage, then its neighbour");
    answer(&mut model, Answer::NotOpened { pairs: "b@v1".into(), problem: "old".into() });
    assert!(!text(&draw(&model, 80, 24)).contains("old"), "nothing was asked");
}

#[test]
fn what_is_said_is_shown_and_sent() {
    let mut model = opened();
    let effects = press(&mut model, " x");
    assert_eq!(
        reviews(&effects),
        [
            ("Hot gas defrost".into(), "p1".into(), Said::Accept),
            ("How is hot gas defrost ended on a flooded evaporator?".into(), "p1".into(), Said::Reject)
        ]
    );
    // The cursor went on; a filtered one is brought back, then taken back.
    let effects = press(&mut model, "↓ ↑x");
    assert_eq!(reviews(&effects).len(), 2);
    let shown = text(&draw(&model, 120, 40));
    assert!(shown.contains("reviewed 3: 1 accepted, 2 rejected   F finishes"), "{shown}");
    assert_eq!(shown.matches("rejected by you").count(), 2, "{shown}");
    assert_eq!(shown.lines().filter(|line| line.ends_with(" accepted")).count(), 1, "{shown}");

    let effects = press(&mut model, "↑↑eZZ\n");
    let said = reviews(&effects);
    assert!(matches!(&said[..], [(_, _, Said::Edit(words))] if words.ends_with("ZZ")), "{said:?}");
    assert!(text(&draw(&model, 120, 40)).lines().any(|line| line.ends_with(" edited")));
    assert!(reviews(&press(&mut model, "eYY\u{1b}")).is_empty(), "Esc leaves the words as they were");
    assert!(!text(&draw(&model, 120, 40)).contains("YY"));
    assert!(reviews(&press(&mut model, "e\n")).is_empty(), "the same words say nothing");
    // The words of an edit outlive what is said after it.
    press(&mut model, "x");
    press(&mut model, "↑ ");
    assert!(text(&draw(&model, 120, 40)).contains("ZZ"));
    press(&mut model, "\n");
    let shown = text(&draw(&model, 80, 24));
    assert!(shown.contains("stand aside.") && shown.contains("✘ defrost, hot gas"), "Enter opens it all: {shown}");
}

#[test]
fn finishing_starts_the_job_once_something_was_said() {
    let mut model = opened();
    assert!(press(&mut model, "F").is_empty());
    assert_eq!(model.notice.as_ref().unwrap().text, "nothing was reviewed yet");
    press(&mut model, "x");
    let effects = press(&mut model, "F");
    let [Effect::Start(start)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((start.job.as_str(), &start.record), ("pairs-review", &json!({ "pairs": "cold-pairs@v2" })));

    // The next version follows it, though another set was made in between; a set of its own would not.
    let mut next = version("cold-pairs@v3", "pairs-review", NOW);
    let other = version("other@v1", "pairs-structural", NOW);
    let old = version("cold-pairs@v2", "pairs-structural", NOW - 90_000);
    assert!(artifacts(&mut model, vec![other, old.clone()]).is_empty());
    let sha256 = digest_bytes("x");
    next.inputs = vec![Input { role: "pairs".into(), reference: "cold-pairs@v2".into(), sha256 }];
    let effects = artifacts(&mut model, vec![next, old]);
    assert!(matches!(&effects[..], [Effect::Ask(AnyQuestion::Pairs(Question::Open(name)))] if name == "cold-pairs@v3"));
}

#[test]
fn passages_are_walked_filtered_and_ordered() {
    let mut model = opened();
    let title = |model: &Model| text(&draw(model, 120, 40)).lines().nth(3).unwrap_or_default().to_owned();
    press(&mut model, "]");
    assert!(title(&model).contains("PASSAGE 2 of 3"), "{}", title(&model));
    press(&mut model, "]]");
    assert!(title(&model).contains("PASSAGE 3 of 3"), "{}", title(&model));
    press(&mut model, "/Аммиак ДАВЛЕНИЕ\n");
    assert!(title(&model).contains("PASSAGE 1 of 1"), "{}", title(&model));
    press(&mut model, "/ nowhere");
    assert!(text(&draw(&model, 120, 40)).contains("no passage has"));
    press(&mut model, "\u{1b}ss");
    let shown = text(&draw(&model, 120, 40));
    assert!(shown.contains("by fewest kept"), "{shown}");
    press(&mut model, "[[[");
    assert!(text(&draw(&model, 120, 40)).contains("glossary.csv"));
}

#[test]
fn a_review_that_is_not_written_is_said_and_read_again() {
    let mut model = opened();
    press(&mut model, "x");
    let effects = answer(&mut model, Answer::NotWritten { pairs: "cold-pairs@v2".into(), problem: "disk full".into() });
    assert!(matches!(&effects[..], [Effect::Ask(AnyQuestion::Pairs(Question::Open(_)))]));
    assert!(model.notice.as_ref().unwrap().text.contains("disk full"));
    answer(&mut model, Answer::Opened(set()));
    assert!(!text(&draw(&model, 80, 24)).contains("rejected by you"));
}

fn streaming() -> Model {
    let mut model = opened();
    update(&mut model, Msg::Runs(vec![status("pairs-structural", State::Running)]));
    let start =
        Event::Start { job: "pairs-structural".into(), settings: json!({"name": "cold-pairs"}), device: "cpu".into() };
    let mut all = vec![(0, start), (1, Event::phase("make pairs")), (10, Event::progress(100, 1930, "passages"))];
    all.push((5010, Event::progress(412, 1930, "passages")));
    for n in 0..60 {
        all.push((5020 + n, pair(&format!("Hot gas defrost of coil {n}"), "heading", None)));
        if n % 4 == 0 {
            all.push((5020 + n, pair("Gas", "heading", Some("short query"))));
        }
    }
    all.push((5100, pair("Ends with\u{202e} a trick", "cloze", Some("near-duplicate query"))));
    events(&mut model, "r1-pairs-structural", all);
    model
}

#[test]
fn a_running_job_streams_in() {
    let mut model = streaming();
    let shown = text(&draw(&model, 120, 40));
    for words in [
        "passage 412 of 1,930",
        "62 passages/s",
        "ETA 25 s",
        "seen: kept 60   rejected 16 (21 %)",
        "short query 15 · near-duplicate query 1",
        "<U+202E>",
    ] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
    assert!(matches!(&press(&mut model, "X")[..], [Effect::Stop(run)] if run == "r1-pairs-structural"));
    press(&mut model, "x");
    press(&mut model, "f");
    let set = text(&draw(&model, 120, 40));
    assert!(set.contains("PASSAGE 1 of 3") && set.contains("f watches it"), "{set}");
    assert!(!set.contains("rejected by you"), "what the stream hides is not marked");
    let mut failed = status("pairs-structural", State::Failed);
    failed.error = Some("the disk is full".into());
    update(&mut model, Msg::Runs(vec![failed]));
    assert!(text(&draw(&model, 80, 24)).contains("pairs-structural failed: the disk is full"));
    events(&mut model, "other", vec![(0, Event::End { outcome: Outcome::Failed, error: None, result: json!(null) })]);
}

#[test]
fn nobody_is_torn_out_of_a_review() {
    let mut model = opened();
    press(&mut model, "x");
    update(&mut model, Msg::Runs(vec![status("pairs-import", State::Running)]));
    assert!(text(&draw(&model, 80, 24)).contains("PASSAGE 1 of 3"));
}

#[test]
fn what_one_should_know_about_a_set_is_said() {
    let mut model = opened();
    let mut stale = version("cold-pairs@v2", "pairs-structural", NOW - 90_000);
    stale.stale = true;
    artifacts(&mut model, vec![stale]);
    let shown = text(&draw(&model, 120, 40));
    assert!(shown.contains("of other documents: made from corpus@v1"), "{shown}");
    assert!(shown.contains("`lapidary pairs structural` makes them anew"), "{shown}");
    let named = vec!["train.jsonl:7: expected value".to_owned(); 2];
    let damaged = Set { damage: Damage { named, count: 2 }, ..*set() };
    press(&mut model, "t\n");
    answer(&mut model, Answer::NotWritten { pairs: "cold-pairs@v2".into(), problem: "x".into() });
    answer(&mut model, Answer::Opened(Box::new(damaged)));
    press(&mut model, "\u{1b}");
    let shown = text(&draw(&model, 80, 24));
    assert!(shown.contains("skipped train.jsonl:7: expected value and 1 more; h names them"), "{shown}");
}

fn health() -> Box<Health> {
    let spread = |p10, median, p90, most| Spread { count: 1034, p10, median, p90, most };
    Box::new(Health {
        folds: (1000, 34),
        questions: (spread(3, 7, 19, 25), Buckets { width: 3, counts: vec![60, 300, 280, 120, 90, 80, 60, 30, 14, 0] }),
        passages: (
            spread(61, 148, 214, 270),
            Buckets { width: 30, counts: vec![0, 4, 40, 120, 300, 250, 200, 90, 30, 0] },
        ),
        overlap: vec![20, 40, 80, 100, 150, 160, 170, 150, 100, 64],
        mean_overlap: 0.54,
        sampled: false,
        asked_of: [1000, 30, 4, 0, 0],
        near_duplicates: 3,
        compared: true,
        questions_per_passage: [300, 220, 60, 20, 4],
        unasked: [(120, 700), (14, 80)],
        outside: 2,
    })
}

#[test]
fn screens() {
    let mut model = opened();
    insta::assert_snapshot!("set_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("set_120x40", text(&draw(&model, 120, 40)));
    press(&mut model, " x↓ ");
    press(&mut model, "↑↑");
    insta::assert_snapshot!("reviewed_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("reviewed_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("reviewed_80x24_ansi16", in_16_colours(&mut model, 80, 24));
    insta::assert_snapshot!("reviewed_120x40_ansi16", in_16_colours(&mut model, 120, 40));
    model.shared.palette = Palette { charset: Charset::Ascii, ..Palette::PLAINEST };
    insta::assert_snapshot!("reviewed_ascii_80x24", text(&draw(&model, 80, 24)));
    model.shared.palette = Palette { charset: Charset::Utf8, ..Palette::PLAINEST };
    press(&mut model, "e");
    insta::assert_snapshot!("editing_80x24", text(&draw(&model, 80, 24)));
    press(&mut model, "\u{1b}");
    answer(&mut model, Answer::Health { pairs: "cold-pairs@v2".into(), health: Ok(health()) });
    insta::assert_snapshot!("health_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("health_120x60", text(&draw(&model, 120, 60)));
}

#[test]
fn screens_of_a_stream_and_of_nothing() {
    let mut model = streaming();
    insta::assert_snapshot!("stream_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("stream_120x40", text(&draw(&model, 120, 40)));
    model = crate::tui::testing::model();
    model.pane = PaneId::Pairs;
    artifacts(&mut model, Vec::new());
    insta::assert_snapshot!("nothing_80x24", text(&draw(&model, 80, 24)));
}

#[test]
fn no_size_breaks_it() {
    for mut model in [opened(), streaming()] {
        press(&mut model, "↓↓");
        for (width, height) in [(40, 10), (41, 11), (60, 12), (99, 14), (100, 10), (250, 70)] {
            draw(&model, width, height);
        }
    }
}
