mod told;

use std::cell::Cell as Counter;
use std::io;
use std::rc::Rc;

use ratatui::backend::CrosstermBackend;
use ratatui::{Terminal, TerminalOptions, Viewport};
use serde_json::json;

use super::*;
use crate::progress::{Event, Outcome, Scalars};
use crate::runs::LoggedEvent;
use crate::tui::message::{Msg, RunEvents};
use crate::tui::model::{Model, update};
use crate::tui::palette::{Background, Charset, Depth};
use crate::tui::testing::{draw, in_16_colours, model, text};

use self::told::{scalar, start, status, told};

const NOW: u64 = 1_795_521_600_000;
const STEP_MS: u64 = 1_000;

fn take(model: &mut Model, run: &str, events: Vec<LoggedEvent>, reset: bool) {
    let batch = RunEvents { run: run.to_owned(), events, garbage: 0, reset, more: false };
    let _ = update(model, Msg::Events(batch));
}

/// A workbench on pane 4 with these runs, the newest last.
fn with(runs: Vec<Status>) -> Model {
    let mut model = model();
    let _ = update(&mut model, Msg::Runs(runs));
    press(&mut model, Action::PaneTuning);
    model
}

fn press(model: &mut Model, action: Action) -> Vec<Effect> {
    let key = model.shared.keymap.key(Context::Tuning, action).unwrap();
    let parsed = crate::tui::keymap::Key::parse(&key).unwrap();
    let events = |code, modifiers| crossterm::event::KeyEvent::new(code, modifiers);
    let event = parsed_event(&parsed.to_string(), events);
    update(model, Msg::Key(event))
}

fn parsed_event(
    key: &str,
    event: impl Fn(crossterm::event::KeyCode, crossterm::event::KeyModifiers) -> crossterm::event::KeyEvent,
) -> crossterm::event::KeyEvent {
    use crossterm::event::{KeyCode, KeyModifiers};
    let (modifiers, rest) = match key.strip_prefix("shift-") {
        Some(rest) => (KeyModifiers::SHIFT, rest),
        None => (KeyModifiers::NONE, key),
    };
    let code = match rest {
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "esc" => KeyCode::Esc,
        "enter" => KeyCode::Enter,
        letter => KeyCode::Char(letter.chars().next().unwrap()),
    };
    event(code, modifiers)
}

fn begun(steps: u64) -> u64 {
    NOW - steps * STEP_MS
}

/// A run in the middle, and one before it.
fn halfway() -> Model {
    let mut model = with(vec![
        status("20261123-090000-tune-aaaa", "cold-v1", State::Finished, NOW - 97_200_000),
        status("20261124-115600-tune-bbbb", "cold-v2", State::Running, begun(184)),
    ]);
    take(&mut model, "20261124-115600-tune-bbbb", told("cold-v2", 1..=184, 276, 50.0, begun(184)), true);
    model
}

fn said(model: &Model) -> String {
    model.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default()
}

fn pane(model: &Model) -> &TuningPane {
    model.tuning()
}

#[test]
fn a_run_in_the_middle() {
    let mut model = halfway();
    insta::assert_snapshot!("tuning_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("tuning_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("tuning_120x24", text(&draw(&model, 120, 24)));
    insta::assert_snapshot!("tuning_80x24_ansi16", in_16_colours(&mut model, 80, 24));
    insta::assert_snapshot!("tuning_120x40_ansi16", in_16_colours(&mut model, 120, 40));
    model.shared.palette = Palette::PLAINEST;
    insta::assert_snapshot!("tuning_80x24_ascii", text(&draw(&model, 80, 24)));
}

#[test]
fn an_alignment_shows_how_far_the_student_agrees() {
    let mut run = status("20261124-115600-align-cccc", "aligned", State::Running, begun(20));
    run.job = "align".into();
    let mut model = with(vec![run]);
    let score = |step: u64| 0.95 - 0.13 * (-(step as f64) / 5.0).exp();
    let eval = |step| Event::Eval { step, values: [("agreement", score(step))].into() };
    let mut events = vec![Event::Start { job: "align".into(), settings: json!({}), device: "cpu".into() }, eval(0)];
    events.extend((1..=20).flat_map(|step| [scalar(step, 40, 50.0), eval(step)]));
    let logged =
        events.into_iter().enumerate().map(|(at, event)| LoggedEvent { v: 1, t: begun(20) + at as u64, event });
    take(&mut model, "20261124-115600-align-cccc", logged.collect(), true);
    for (width, height) in [(80, 24), (120, 40)] {
        let screen = text(&draw(&model, width, height));
        for part in ["agreement", "before 0.820", "now 0.948"] {
            assert!(screen.contains(part), "{part}: {screen}");
        }
        assert!(!screen.contains("dev") && !screen.contains("MRR"), "{screen}");
    }
}

#[test]
fn the_crosshair_reads_all_charts_and_the_zoom_is_around_it() {
    let mut model = halfway();
    let _ = draw(&model, 120, 40);
    for _ in 0..3 {
        press(&mut model, Action::FarLeft);
        let _ = draw(&model, 120, 40);
    }
    press(&mut model, Action::Left);
    let at = pane(&model).crosshair.unwrap();
    assert!((60.0..72.0).contains(&at), "31 columns of about 3.8 steps to the left of 184: {at}");
    insta::assert_snapshot!("tuning_crosshair", text(&draw(&model, 120, 40)));
    press(&mut model, Action::ZoomIn);
    press(&mut model, Action::ZoomIn);
    let (from, to) = pane(&model).window.get().unwrap();
    assert!(from < at && at < to && pane(&model).still, "{from} {to}");
    let _ = draw(&model, 120, 40);
    press(&mut model, Action::Last);
    let (from, to) = pane(&model).window.get().unwrap();
    assert!(from < 184.0 && 184.0 <= to && !pane(&model).still, "the right edge follows: {from} {to}");
    // Every step is reached where a column is less than one.
    for _ in 0..4 {
        press(&mut model, Action::ZoomIn);
        let _ = draw(&model, 120, 40);
    }
    press(&mut model, Action::Left);
    assert_eq!(pane(&model).crosshair, Some(183.0));
    press(&mut model, Action::Right);
    press(&mut model, Action::Right);
    assert_eq!(pane(&model).crosshair, Some(184.0));
    for _ in 0..12 {
        press(&mut model, Action::ZoomOut);
    }
    assert_eq!(pane(&model).window.get(), None);
    press(&mut model, Action::First);
    assert_eq!(pane(&model).crosshair, Some(1.0));
    press(&mut model, Action::Back);
    assert_eq!(pane(&model).crosshair, None);
}

#[test]
fn a_zoomed_window_follows_or_stays() {
    let mut model = halfway();
    for _ in 0..3 {
        press(&mut model, Action::ZoomIn);
    }
    let before = pane(&model).window.get().unwrap();
    let id = "20261124-115600-tune-bbbb";
    take(&mut model, id, told("cold-v2", 185..=260, 276, 50.0, begun(184)), false);
    let _ = draw(&model, 80, 24);
    let after = pane(&model).window.get().unwrap();
    assert!(after.0 > before.0 && after.0 < 260.0 && 260.0 < after.1, "{before:?} {after:?}");
    assert!(((after.1 - after.0) - (before.1 - before.0)).abs() < 1e-9);
    press(&mut model, Action::Follow);
    take(&mut model, id, told("cold-v2", 261..=276, 276, 50.0, begun(184)), false);
    let _ = draw(&model, 80, 24);
    assert_eq!(pane(&model).window.get(), Some(after), "it stays: {}", said(&model));
}

#[test]
fn x_counts_steps_epochs_and_time() {
    let mut model = halfway();
    let _ = draw(&model, 120, 40);
    press(&mut model, Action::Left);
    let step = pane(&model).crosshair.unwrap();
    for axis in [XAxis::Epoch, XAxis::Elapsed, XAxis::Clock, XAxis::Step] {
        press(&mut model, Action::Axis);
        assert_eq!(pane(&model).axis, axis);
        let screen = text(&draw(&model, 120, 40));
        assert!(screen.contains(&format!("step {step}")), "the crosshair stays: {screen}");
        let pane = pane(&model);
        let live = pane.live(&model.shared).unwrap();
        let x = axis.place(live, 92.0).unwrap();
        let expected = match axis {
            XAxis::Step => 92.0,
            XAxis::Epoch => 1.0,
            XAxis::Elapsed => 92.0,
            XAxis::Clock => (begun(184) / 1000 + 92) as f64,
        };
        assert!((x - expected).abs() < 1e-6, "{axis:?} {x}");
        assert!((axis.step_at(live, x).unwrap() - 92.0).abs() < 1.0);
        if axis == XAxis::Clock {
            insta::assert_snapshot!("tuning_clock", screen);
        }
    }
    // Curves over time grow with the run, and are the same as made anew.
    press(&mut model, Action::Axis);
    press(&mut model, Action::Axis);
    let _ = draw(&model, 120, 40);
    take(&mut model, "20261124-115600-tune-bbbb", told("cold-v2", 185..=200, 276, 50.0, begun(184)), false);
    let _ = draw(&model, 120, 40);
    let live = pane(&model).live(&model.shared).unwrap();
    let mut anew = Curves::default();
    anew.prepare(XAxis::Elapsed, &[live], &["loss"]);
    let curves = pane(&model).curves.borrow();
    let grown = curves.get(live, "loss").unwrap();
    assert_eq!(grown.x(), anew.get(live, "loss").unwrap().x());
    assert_eq!(grown.len(), 200);
    assert_eq!(grown.x()[199], 200.0);
}

#[test]
fn a_resumed_run_has_its_curves_anew() {
    let mut model = halfway();
    press(&mut model, Action::Axis);
    press(&mut model, Action::Axis);
    let _ = draw(&model, 120, 40);
    let id = "20261124-115600-tune-bbbb";
    let mut events = vec![LoggedEvent { v: 1, t: NOW + 60_000, event: start("cold-v2") }];
    events.extend(told("cold-v2", 151..=190, 276, 20.0, NOW));
    take(&mut model, id, events, false);
    let screen = text(&draw(&model, 120, 40));
    assert!(screen.contains("resumed @150"), "{screen}");
    let live = pane(&model).live(&model.shared).unwrap();
    let curves = pane(&model).curves.borrow();
    let grown = curves.get(live, "loss").unwrap();
    let bits = |series: &crate::tui::series::Series| -> Vec<u32> {
        series.values(Values::Raw).iter().map(|value| value.to_bits()).collect()
    };
    assert_eq!(bits(grown), bits(&live.scalars["loss"]));
    assert!(grown.x().is_sorted());
}

#[test]
fn every_state_is_said_in_words() {
    let screen = |change: &dyn Fn(&mut Status), events: Vec<Event>| {
        let mut run = status("20261124-115600-tune-bbbb", "cold-v2", State::Running, begun(184));
        change(&mut run);
        let mut model = with(vec![run]);
        let mut all = told("cold-v2", 1..=184, 276, 50.0, begun(184));
        all.extend(events.into_iter().map(|event| LoggedEvent { v: 1, t: NOW, event }));
        take(&mut model, "20261124-115600-tune-bbbb", all, true);
        (text(&draw(&model, 80, 24)), model)
    };
    let (stalled, _) = screen(
        &|run| {
            run.stalled = true;
            run.last_event_unix_ms = Some(NOW - 130_000);
        },
        Vec::new(),
    );
    assert!(stalled.contains("stalled: silent for 130 s"), "{stalled}");
    let (crashed, mut model) = screen(&|run| run.state = State::Crashed, Vec::new());
    assert!(crashed.contains("crashed: r resumes it") && crashed.contains("goes on from step 150"), "{crashed}");
    insta::assert_snapshot!("tuning_crashed", crashed);
    assert!(matches!(&press(&mut model, Action::Resume)[..], [Effect::Resume(_)]));
    assert!(press(&mut model, Action::Checkpoint).is_empty());
    assert_eq!(said(&model), "nothing to keep: this run has crashed");
    assert!(press(&mut model, Action::Stop).is_empty() && said(&model).contains("nothing to stop"));

    let error = "loss is NaN at step 185 (epoch 3, batch 1): lower --lr".to_owned();
    let end = Event::End { outcome: Outcome::Failed, error: Some(error.clone()), result: serde_json::Value::Null };
    let (failed, _) = screen(
        &|run| {
            run.state = State::Failed;
            run.error = Some(error.clone());
        },
        vec![end],
    );
    assert!(failed.contains("failed") && failed.contains(&error), "{failed}");

    let (finished, mut model) = screen(
        &|run| {
            run.state = State::Finished;
            run.result = json!({"artifact": "cold-v2@v1", "early_stop": 150, "tuned_share": 0.5, "anchor_mrr10_base": 0.912, "anchor_mrr10": 0.871});
        },
        Vec::new(),
    );
    let made = "made cold-v2@v1  early stop @150  everyday questions 0.912 to 0.871";
    assert!(finished.contains("finished") && finished.contains(made), "{finished}");
    assert!(press(&mut model, Action::Resume).is_empty() && said(&model).contains("n starts another"));

    let mut model = with(vec![status("20261124-115900-tune-cccc", "cold-v3", State::Queued, NOW - 60_000)]);
    let id = "20261124-115900-tune-cccc";
    let wait = [start("cold-v3"), Event::phase("queued"), Event::note("waits for run b in /w")];
    take(&mut model, id, wait.into_iter().map(|event| LoggedEvent { v: 1, t: NOW, event }).collect(), true);
    let queued = text(&draw(&model, 80, 24));
    assert!(queued.contains("waits for run b in /w") && queued.contains("no step yet"), "{queued}");
    insta::assert_snapshot!("tuning_queued", queued);
    assert!(press(&mut model, Action::Checkpoint).is_empty() && said(&model).contains("has not begun"));
    assert!(matches!(&press(&mut model, Action::Stop)[..], [Effect::Stop(_)]));
    assert!(press(&mut model, Action::Left).is_empty() && said(&model) == "no step to read yet");
}

#[test]
fn without_runs_the_key_is_named() {
    let mut model = with(Vec::new());
    insta::assert_snapshot!("tuning_empty", text(&draw(&model, 80, 24)));
    for action in [
        Action::Left,
        Action::ZoomIn,
        Action::Follow,
        Action::Axis,
        Action::Overlay,
        Action::Pin,
        Action::Diff,
        Action::Stop,
        Action::NextRun,
        Action::First,
        Action::Last,
        Action::Back,
    ] {
        press(&mut model, action);
    }
    let _ = draw(&model, 80, 24);
    assert!(model.overlay.is_none());
}

/// Two runs on one screen: the older is laid over the open one, or is its baseline.
fn two(pinned: bool) -> Model {
    let mut model = halfway();
    let older = "20261123-090000-tune-aaaa";
    if pinned {
        press(&mut model, Action::PreviousRun);
        press(&mut model, Action::Pin);
        press(&mut model, Action::NextRun);
    } else {
        press(&mut model, Action::Overlay);
        let space = crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char(' '));
        let _ = update(&mut model, Msg::Key(space));
        let enter = crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Enter);
        let effects = update(&mut model, Msg::Key(enter));
        let watched = |effect: &Effect| matches!(effect, Effect::Watch(ids) if ids.len() == 2);
        assert!(effects.iter().any(watched), "{effects:?}");
    }
    take(&mut model, older, told("cold-v1", 1..=276, 276, 110.0, NOW - 97_200_000), true);
    take(&mut model, "20261124-115600-tune-bbbb", told("cold-v2", 1..=184, 276, 50.0, begun(184)), true);
    model
}

#[test]
fn another_run_is_laid_over_or_pinned() {
    let mut model = two(false);
    assert_eq!(pane(&model).watching(&model.shared).len(), 2);
    insta::assert_snapshot!("tuning_two_120x40", text(&draw(&model, 120, 40)));
    press(&mut model, Action::FarLeft);
    insta::assert_snapshot!("tuning_two_80x24_crosshair", text(&draw(&model, 80, 24)));
    press(&mut model, Action::Diff);
    let Some(Overlay::Text { title, lines, .. }) = &model.overlay else { panic!("a table") };
    assert_eq!(title, "What differs between 2 runs; 5 settings are the same");
    assert_eq!(lines, &["       a cold-v2   b cold-v1", "name   cold-v2     cold-v1"]);

    let mut model = two(true);
    let screen = text(&draw(&model, 120, 40));
    assert!(screen.contains("cold-v1 baseline") && screen.contains("baseline"), "{screen}");
    let shown = pane(&model).shown(&model.shared);
    assert!(shown[1].baseline && shown[0].status.id.ends_with("bbbb"));
    drop(shown);
    press(&mut model, Action::PreviousRun);
    assert_eq!(pane(&model).ids(&model.shared), ["20261123-090000-tune-aaaa"], "the baseline itself is open");
    press(&mut model, Action::PreviousRun);
    assert_eq!(said(&model), "this is the oldest run");
    press(&mut model, Action::Pin);
    assert_eq!(pane(&model).baseline, None);
}

#[test]
fn names_that_are_the_same_are_told_apart() {
    let runs = [("1", NOW - 90_000_000), ("2", NOW - 600_000)];
    let mut model = with(runs.map(|(id, at)| status(id, "tuned", State::Finished, at)).to_vec());
    press(&mut model, Action::Pin);
    press(&mut model, Action::PreviousRun);
    let names: Vec<String> = pane(&model).shown(&model.shared).into_iter().map(|run| run.name).collect();
    assert_eq!(names, ["tuned 11:00:00 yesterday", "tuned 11:50:00"]);
}

#[test]
fn a_worse_model_is_called_worse() {
    let mut model = halfway();
    let events = [(0, 0.5), (10, 0.4)].map(|(step, score)| Event::Eval { step, values: [("mrr10", score)].into() });
    let all = std::iter::once(start("cold-v2")).chain(events);
    let all = all.map(|event| LoggedEvent { v: 1, t: NOW, event }).collect();
    take(&mut model, "20261124-115600-tune-bbbb", all, true);
    let screen = text(&draw(&model, 120, 40));
    assert!(screen.contains("base 0.500   tuned 0.400 ▼ -0.100 worse"), "{screen}");
}

#[test]
fn smoothing_goes_in_turn_and_is_said() {
    let mut model = halfway();
    let mut seen = Vec::new();
    for _ in 0..4 {
        press(&mut model, Action::Smooth);
        seen.push(model.shared.smoothing);
        let screen = text(&draw(&model, 120, 40));
        let said = if model.shared.smoothing > 0.0 {
            format!("smoothed {}", model.shared.smoothing)
        } else {
            "not smoothed".to_owned()
        };
        assert!(screen.contains(&said), "{screen}");
    }
    assert_eq!(seen, [0.97, 0.0, 0.6, 0.9]);
}

#[test]
fn a_new_run_is_opened_unless_the_open_one_lives() {
    let old = status("1", "one", State::Finished, NOW - 3_000_000);
    let mid = status("2", "two", State::Finished, NOW - 2_000_000);
    let new = status("3", "three", State::Running, NOW);
    let mut model = with(vec![old.clone(), mid.clone()]);
    press(&mut model, Action::PreviousRun);
    assert_eq!(pane(&model).ids(&model.shared), ["1"]);
    let _ = update(&mut model, Msg::Runs(vec![old, mid, new]));
    assert_eq!(pane(&model).ids(&model.shared), ["3"]);
}

#[test]
fn long_runs_and_every_size_are_drawn() {
    let mut model = with(vec![status("1", "long", State::Running, begun(100_000))]);
    take(&mut model, "1", told("long", 1..=100_000, 120_000, 9_000.0, begun(100_000)), true);
    for axis in 0..4 {
        for (width, height) in [(40, 10), (60, 12), (80, 24), (99, 30), (100, 20), (120, 40), (200, 50), (300, 90)] {
            for crosshair in [false, true] {
                if crosshair {
                    press(&mut model, Action::FarLeft);
                }
                let screen = text(&draw(&model, width, height));
                assert!(screen.contains("long"), "{axis} {width}x{height}");
                press(&mut model, Action::Back);
            }
        }
        press(&mut model, Action::Axis);
    }
}

#[derive(Clone, Default)]
struct Counted(Rc<Counter<usize>>);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn ten_more_steps_cost_a_kilobyte_at_most() {
    let mut model = two(false);
    model.shared.palette = Palette { depth: Depth::Rgb, background: Background::Dark, charset: Charset::Utf8 };
    let (open, older) = ("20261124-115600-tune-bbbb", "20261123-090000-tune-aaaa");
    take(&mut model, older, told("cold-v1", 1..=1000, 3000, 300.0, NOW - 97_200_000), true);
    take(&mut model, open, told("cold-v2", 1..=1001, 3000, 200.0, begun(1001)), true);
    let counted = Counted::default();
    let viewport = Viewport::Fixed(Rect::new(0, 0, 200, 50));
    let backend = CrosstermBackend::new(counted.clone());
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
    let mut spent = Vec::new();
    for drawing in 0..9u64 {
        if drawing > 0 {
            let from = 992 + 10 * drawing;
            take(&mut model, open, told("cold-v2", from..=from + 9, 3000, 200.0, begun(1001)), false);
        }
        let before = counted.0.get();
        terminal
            .draw(|frame| {
                let area = Rect::new(0, 1, 200, 48);
                pane(&model).view(area, frame.buffer_mut(), &model.shared);
            })
            .unwrap();
        spent.push(counted.0.get() - before);
    }
    assert!(spent[0] > 4096, "the first drawing is a whole one: {spent:?}");
    assert!(spent[1..].iter().all(|bytes| *bytes <= 1024), "{spent:?}");
}
