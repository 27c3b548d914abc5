use serde_json::json;

use super::*;
use crate::progress::Outcome;
use crate::runs::LoggedEvent;
use crate::tui::message::{Msg, RunEvents};
use crate::tui::model::{Model, PaneId, update};
use crate::tui::palette::{Charset, Palette};
use crate::tui::testing::{draw, in_16_colours, model, press, status, text};

fn with_runs() -> Model {
    let mut model = model();
    let now = model.shared.now_ms;
    let mut tune = status("20261124T115000Z-tune-00aa", "tune", State::Running, now - 600_000);
    (tune.phase, tune.progress, tune.step_ms) = ("train".into(), Some((184, Some(276), "steps".into())), Some(780.0));
    tune.settings = json!({"name": "cold"});
    let mut waits = status("20261124T115500Z-tune-00bb", "tune", State::Queued, now - 300_000);
    waits.settings = json!({"name": "colder"});
    let mut tokenizer = status("20261123T140200Z-tokenizer-00cc", "tokenizer", State::Finished, now - 90_000_000);
    tokenizer.result = json!({"artifact": "cold@v3"});
    let mut pairs = status("20261122T100000Z-pairs-import-00dd", "pairs-import", State::Crashed, now - 180_000_000);
    (pairs.progress, pairs.settings) =
        (Some((212, Some(1930), "passages".into())), json!({"settings": {"name": "mine"}}));
    let mut failed = status("20261121T100000Z-evaluate-00ee", "evaluate", State::Failed, now - 280_000_000);
    failed.error = Some("no test questions to ask\u{1b}[31m".into());
    let mut newer = status("20261120T100000Z-tune-00ff", "", State::Queued, 0);
    newer.problem = Some("run.json has schema 9, this lapidary knows up to 1: use the lapidary that wrote it".into());
    update(&mut model, Msg::Runs(vec![newer, failed, pairs, tokenizer, waits, tune]));
    press(&mut model, "6");
    model
}

#[test]
fn runs_are_listed_with_what_can_be_done() {
    let mut model = with_runs();
    press(&mut model, "down");
    let run = "20261124T115500Z-tune-00bb".to_owned();
    let note = |t, text: &str| LoggedEvent { v: 1, t, event: crate::progress::Event::note(text) };
    let events = vec![note(1_795_521_540_000, "waits for run 20261124T115000Z-tune-00aa on cpu")];
    update(&mut model, Msg::Events(RunEvents { run, events, garbage: 2, reset: true, more: false }));
    insta::assert_snapshot!("runs_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("runs_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("runs_80x24_ansi16", in_16_colours(&mut model, 80, 24));
    insta::assert_snapshot!("runs_120x40_ansi16", in_16_colours(&mut model, 120, 40));
    model.shared.palette = Palette { charset: Charset::Ascii, ..Palette::PLAINEST };
    insta::assert_snapshot!("runs_ascii", text(&draw(&model, 80, 24)));
}

#[test]
fn keys_ask_for_what_makes_sense() {
    let mut model = with_runs();
    assert!(matches!(&press(&mut model, "x")[..], [Effect::Stop(id)] if id.ends_with("00aa")));
    assert!(press(&mut model, "r").is_empty(), "a running run is not resumed");
    assert!(model.notice.as_ref().unwrap().text.contains("running already"));
    for _ in 0..3 {
        press(&mut model, "down");
    }
    assert!(press(&mut model, "r").iter().any(|effect| matches!(effect, Effect::Resume(id) if id.ends_with("00dd"))));
    press(&mut model, "x");
    assert!(model.notice.as_ref().unwrap().text.contains("nothing to stop"));
    press(&mut model, "enter");
    assert_eq!(model.pane, PaneId::Pairs);
    press(&mut model, "6");
    press(&mut model, "g");
    press(&mut model, "down");
    press(&mut model, "enter");
    assert_eq!(model.pane, PaneId::Tuning);
    assert!(text(&draw(&model, 100, 30)).contains("colder"), "the run under the cursor is open, not the foremost");
}

#[test]
fn the_cursor_stays_on_its_run_when_another_comes() {
    let mut model = with_runs();
    press(&mut model, "down");
    let mut all: Vec<Status> = model.shared.runs.all.iter().rev().cloned().collect();
    all.push(status("20261124T120000Z-embed-0011", "embed", State::Running, model.shared.now_ms));
    update(&mut model, Msg::Runs(all));
    assert!(matches!(&press(&mut model, "x")[..], [Effect::Stop(id)] if id.ends_with("00bb")));
}

#[test]
fn the_filter_and_the_order_change_the_list() {
    let mut model = with_runs();
    press(&mut model, "/");
    for key in ["c", "r", "a", "s", "h"] {
        press(&mut model, key);
    }
    press(&mut model, "enter");
    let screen = text(&draw(&model, 80, 24));
    assert!(screen.contains("mine") && !screen.contains("colder"), "{screen}");
    press(&mut model, "esc");
    press(&mut model, "s");
    assert!(text(&draw(&model, 80, 24)).contains("by state"));
}

#[test]
fn an_end_is_told() {
    let mut live = crate::tui::live::LiveRun::new("r", 0.0);
    let end =
        crate::progress::Event::End { outcome: Outcome::Failed, error: Some("no disk".into()), result: Value::Null };
    live.take(LoggedEvent { v: 1, t: 5, event: end });
    assert_eq!(live.messages.back().unwrap().2, "no disk");
}
