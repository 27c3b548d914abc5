//! The pane, told by messages and looked at as its users would.

mod judged;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::runs::{State as RunState, Status};
use crate::tui::message::{Effect, Msg};
use crate::tui::model::{Model, update};
use crate::tui::overlay::Overlay;
use crate::tui::palette::Palette;
use crate::tui::shared::{Artifacts, Version};
use crate::tui::testing::{draw, in_16_colours, model, text};
use crate::tui::workers::compare::{
    Answer, Asked, CorpusRead, Delta, Findings, Judged, Metrics, Moved, Opening, PerQuery, Question, Ranked, RankedHit,
    Ranking, Shown, Split, Stage, State, System, SystemKind, SystemState, Verdict,
};
use crate::tui::workers::{Answer as AnyAnswer, Question as AnyQuestion};
use crate::workspace::Kind;

use self::judged::{QUERY, TUNED, artifacts, judged, ranking, state, version};

fn key(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn press(model: &mut Model, letters: &str) -> Vec<Effect> {
    letters.chars().flat_map(|letter| key(model, KeyCode::Char(letter))).collect()
}

fn answer(model: &mut Model, answer: Answer) -> Vec<Effect> {
    update(model, Msg::Answer(AnyAnswer::Compare(answer)))
}

fn openings(effects: &[Effect]) -> Vec<&Opening> {
    let of = |effect| match effect {
        &Effect::Ask(AnyQuestion::Compare(Question::Open(ref opening))) => Some(opening),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

fn asked(effects: &[Effect]) -> Vec<&Asked> {
    let of = |effect| match effect {
        &Effect::Ask(AnyQuestion::Compare(Question::Rank(ref asked))) => Some(asked),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

/// A workbench at this pane, everything ready.
fn ready() -> Model {
    let mut model = model();
    update(&mut model, Msg::Artifacts(artifacts()));
    press(&mut model, "5");
    answer(&mut model, Answer::Judged { number: 1, judged: Some(Ok(judged())) });
    answer(&mut model, Answer::State(state(1)));
    model
}

/// The same, with the query asked and answered.
fn ranked() -> Model {
    let mut model = ready();
    press(&mut model, "e");
    let effects = press(&mut model, QUERY);
    let number = asked(&effects).last().unwrap().number;
    key(&mut model, KeyCode::Enter);
    answer(&mut model, Answer::Ranking(ranking(number, true)));
    model
}

#[test]
fn nothing_is_loaded_before_it_is_looked_at() {
    let mut model = model();
    assert!(openings(&update(&mut model, Msg::Artifacts(artifacts()))).is_empty());
    let effects = press(&mut model, "5");
    let [opening] = openings(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(opening.evaluation, Some(("evaluation@v2".to_owned(), "/w/evaluation@v2".into())));
    let tokenizers: Vec<&str> = opening.tokenizers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(tokenizers, ["bpe@v2", "cold@v3"], "the newest of each name");
    // The same again is no news; a newer evaluation is.
    assert!(openings(&update(&mut model, Msg::Artifacts(artifacts()))).is_empty());
    let mut newer = artifacts();
    newer.evaluations.insert(0, version(Kind::Evaluation, "evaluation@v3"));
    let effects = update(&mut model, Msg::Artifacts(newer));
    assert_eq!(openings(&effects)[0].number, 2);
    // What comes of the first opening is late.
    answer(&mut model, Answer::State(state(1)));
    assert!(!text(&draw(&model, 120, 40)).contains("2,001 passages"));
    answer(&mut model, Answer::State(state(2)));
    assert!(text(&draw(&model, 120, 40)).contains("2,001 passages"));
}

#[test]
fn every_letter_asks_and_only_the_last_answer_counts() {
    let mut model = ready();
    press(&mut model, "e");
    let effects = press(&mut model, "heat");
    let numbers: Vec<u64> = asked(&effects).iter().map(|asked| asked.number).collect();
    assert_eq!(numbers.len(), 4);
    answer(&mut model, Answer::Ranking(ranking(numbers[2], false)));
    assert!(!text(&draw(&model, 80, 24)).contains("After the defrost"));
    answer(&mut model, Answer::Ranking(ranking(numbers[3], false)));
    assert!(text(&draw(&model, 80, 24)).contains("After the defrost"));
    assert!(press(&mut model, "q").iter().all(|effect| !matches!(effect, Effect::Quit)), "it is a letter of the query");
}

#[test]
fn a_typed_test_question_has_its_answer_marked() {
    let mut model = ready();
    press(&mut model, "e");
    let effects = press(&mut model, QUERY);
    let all = asked(&effects);
    assert!(all[..all.len() - 1].iter().all(|asked| asked.relevant.is_empty()));
    assert_eq!(all.last().unwrap().relevant, ["p2"]);
}

#[test]
fn questions_are_sorted_filtered_and_asked() {
    let mut model = ready();
    press(&mut model, "w");
    let first = |model: &Model| {
        let screen = text(&draw(model, 120, 40));
        let at = screen.lines().position(|line| line.contains("QUESTIONS")).unwrap();
        screen.lines().nth(at + 2).unwrap().to_owned()
    };
    assert!(first(&model).contains(QUERY), "{}", first(&model));
    press(&mut model, "s");
    assert!(first(&model).contains("purge non-condensables ␛[31m"), "{}", first(&model));
    press(&mut model, "s");
    assert!(first(&model).contains("purge"), "{}", first(&model));
    press(&mut model, "/brine");
    assert!(first(&model).contains("brine pump"), "{}", first(&model));
    key(&mut model, KeyCode::Enter);
    let effects = key(&mut model, KeyCode::Enter);
    let [asked] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(
        (asked.query.as_str(), &asked.relevant[..]),
        ("when is the brine pump interlocked", &["r4".to_owned()][..])
    );
}

#[test]
fn the_hit_under_the_cursor_is_opened_and_copied() {
    let mut model = ranked();
    key(&mut model, KeyCode::Enter);
    let Some(Overlay::Text { title, lines, .. }) = &model.overlay else { panic!("no overlay") };
    assert_eq!(title, "Passage: hot-gas-defrost › After the defrost");
    assert!(lines.iter().any(|line| line.contains("it answers the question")));
    assert!(lines.iter().any(|line| line == "passage   p2"), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("further down") && line.contains("embedded")), "{lines:?}");
    key(&mut model, KeyCode::Esc);
    key(&mut model, KeyCode::Down);
    key(&mut model, KeyCode::Left);
    let effects = press(&mut model, "y");
    let Some(Effect::Copy(copied)) = effects.first() else { panic!("{effects:?}") };
    assert!(copied.contains("embedded  rank 2") && copied.contains("p1"), "{copied}");
    let mut model = ready();
    let effects = press(&mut model, "y");
    let Some(Effect::Copy(copied)) = effects.first() else { panic!("{effects:?}") };
    assert!(copied.contains("tuned beats base") && copied.contains("BM25 plain\t0.641"), "{copied}");
}

#[test]
fn models_are_chosen_and_opened() {
    let mut model = ready();
    press(&mut model, "o");
    let Some(Overlay::Choice(choice)) = &model.overlay else { panic!("no choice") };
    assert_eq!(choice.marked, [true, true]);
    press(&mut model, " ");
    let effects = key(&mut model, KeyCode::Enter);
    assert_eq!(openings(&effects)[0].models, [TUNED]);
}

#[test]
fn a_worker_that_forgot_is_told_again() {
    let mut model = ranked();
    let effects = answer(&mut model, Answer::Lost);
    assert_eq!(openings(&effects)[0].number, 2);
}

#[test]
fn the_focus_stays_in_view() {
    let mut model = ranked();
    let names = |model: &Model| text(&draw(model, 80, 24)).lines().nth(2).unwrap().to_owned();
    assert!(names(&model).contains("embedded") && names(&model).contains("cold-embed@v1"), "{}", names(&model));
    key(&mut model, KeyCode::Right);
    key(&mut model, KeyCode::Right);
    assert!(names(&model).contains("BM25 english") && names(&model).contains("BM25 + cold-embed"), "{}", names(&model));
    for _ in 0..5 {
        key(&mut model, KeyCode::Left);
    }
    assert!(names(&model).contains("▸ embedded"), "{}", names(&model));
}

#[test]
fn every_size_can_be_drawn() {
    let mut models = vec![model(), ready(), ranked(), ranked(), ranked()];
    press(&mut models[3], "w");
    press(&mut models[4], "t");
    for model in &models {
        for (width, height) in [(40, 10), (41, 13), (60, 16), (80, 24), (100, 30), (160, 50), (300, 100)] {
            let screen = text(&draw(model, width, height));
            assert!(!screen.contains('\u{1b}'));
        }
    }
}

#[test]
fn screens_of_a_ranking() {
    let mut model = ranked();
    insta::assert_snapshot!("ranking_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("ranking_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("ranking_160x50", text(&draw(&model, 160, 50)));
    press(&mut model, "t");
    insta::assert_snapshot!("tokens_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("tokens_80x24", text(&draw(&model, 80, 24)));
    press(&mut model, "t");
    model.shared.palette = Palette::PLAINEST;
    insta::assert_snapshot!("ranking_ascii_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("ranking_80x24_ansi16", in_16_colours(&mut model, 80, 24));
    insta::assert_snapshot!("ranking_120x40_ansi16", in_16_colours(&mut model, 120, 40));
}

#[test]
fn screens_of_the_questions() {
    let mut model = ready();
    press(&mut model, "w");
    insta::assert_snapshot!("questions_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("questions_120x40", text(&draw(&model, 120, 40)));
}

#[test]
fn screens_before_there_is_anything() {
    let mut model = model();
    press(&mut model, "5");
    let nothing = Artifacts { read: true, ..Artifacts::default() };
    update(&mut model, Msg::Artifacts(nothing));
    insta::assert_snapshot!("nothing_80x24", text(&draw(&model, 80, 24)));
    let mut model = ready();
    insta::assert_snapshot!("no_query_80x24", text(&draw(&model, 80, 24)));
    let mut embedding = state(1);
    embedding.systems[0].stage = Stage::Failed("./minilm: no such folder; name a folder with config.json".to_owned());
    embedding.systems[1].stage = Stage::Embedding { done: 1200, total: 2001, left_s: Some(12.2) };
    embedding.systems[3].stage = Stage::Waiting;
    embedding.notes.push("./minilm is not what cold-embed@v1 was tuned from: it changed since".to_owned());
    answer(&mut model, Answer::State(embedding));
    answer(
        &mut model,
        Answer::Judged { number: 1, judged: Some(Err("metrics.json: line 3: expected value".to_owned())) },
    );
    insta::assert_snapshot!("embedding_80x24", text(&draw(&model, 80, 24)));
    let mut gone = state(1);
    gone.corpus = Some(Err("reading /w/corpus/v1/passages.jsonl: No such file or directory".to_owned()));
    answer(&mut model, Answer::State(gone));
    answer(&mut model, Answer::Judged { number: 1, judged: None });
    insta::assert_snapshot!("corpus_gone_80x24", text(&draw(&model, 80, 24)));
}

#[test]
fn a_running_evaluation_is_shown_until_it_ends() {
    let mut model = ready();
    let run = |state: RunState| Status {
        id: "run-1".to_owned(),
        job: "evaluate".to_owned(),
        state,
        stalled: false,
        by_heartbeat: false,
        created_unix_ms: 0,
        started_unix_ms: Some(0),
        last_event_unix_ms: Some(0),
        device: "cpu".to_owned(),
        settings: serde_json::Value::Null,
        phase: "embed passages by cold-embed@v1".to_owned(),
        progress: Some((840, Some(2001), "texts".to_owned())),
        step_ms: None,
        error: None,
        result: serde_json::Value::Null,
        garbage: 0,
        problem: None,
        loading: false,
    };
    update(&mut model, Msg::Runs(vec![run(RunState::Running)]));
    let judging = "● judging: embed passages by cold-embed@v1 41 %";
    for (width, height) in [(80, 24), (120, 40)] {
        let screen = text(&draw(&model, width, height));
        assert!(screen.contains(judging), "{screen}");
    }
    update(&mut model, Msg::Runs(vec![run(RunState::Finished)]));
    assert!(!text(&draw(&model, 120, 40)).contains("judging"));
}

#[test]
fn an_evaluation_of_older_documents_is_named_stale() {
    let mut model = ready();
    let mut stale = artifacts();
    stale.evaluations[0].stale = true;
    update(&mut model, Msg::Artifacts(stale));
    let screen = text(&draw(&model, 80, 24));
    assert!(screen.contains("The documents changed since this was measured: n judges the models anew."), "{screen}");
}

#[test]
fn a_ladder_shows_what_each_vocabulary_came_to() {
    let mut model = ready();
    press(&mut model, "v");
    let screen = text(&draw(&model, 120, 40));
    assert!(screen.contains("no vocabularies were compared"), "{screen}");
    let mut compared = judged();
    compared.findings.ladder = serde_json::from_str(crate::evaluation::LADDER_WRITTEN).ok();
    answer(&mut model, Answer::Judged { number: 1, judged: Some(Ok(compared)) });
    let screen = text(&draw(&model, 120, 40));
    assert!(screen.contains("Replace the vocabulary") && screen.contains("v shows each vocabulary"), "{screen}");
    press(&mut model, "v");
    for (width, height) in [(80, 24), (120, 40)] {
        let screen = text(&draw(&model, width, height));
        for part in ["Vocabularies: evaluation@v2", "> replace", "passages cut short", "97.1 %", "0.540"] {
            assert!(screen.contains(part), "{part}: {screen}");
        }
    }
}
