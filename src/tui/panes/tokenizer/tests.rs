use serde_json::json;

use super::*;
use crate::progress::{Event, Scalars};
use crate::runs::{LoggedEvent, State};
use crate::tui::message::{Msg, RunEvents};
use crate::tui::model::{Model, update};
use crate::tui::palette::{Charset, Palette};
use crate::tui::shared::Artifacts;
use crate::tui::testing::{draw, in_16_colours, model, press, status, text, version};
use crate::tui::workers::vocabulary::{Difference, Words};
use crate::workspace::Kind;

fn ratio(size: u64) -> f64 {
    1.0 + 1.2 / (1.0 + size as f64 / 4000.0)
}

fn with_versions() -> Model {
    let mut model = model();
    let now = model.shared.now_ms;
    let of = |reference: &str, size: u64, ago: u64| {
        let curve: Vec<_> =
            (1..=40).map(|n| json!([n * size / 40, ratio(n * size / 40), ratio(n * size / 40) - 0.1])).collect();
        let details = json!({"vocab_size": size, "ratio_train": 1.18, "ratio_heldout": ratio(size), "curve": curve,
            "knee": size / 2, "meets": (ratio(size) <= 1.25).then_some(size)});
        version(Kind::Tokenizer, reference, now - ago, details)
    };
    let tokenizers = vec![of("cold@v3", 16_000, 90_000_000), of("cold@v2", 8000, 280_000_000)];
    update(&mut model, Msg::Artifacts(Artifacts { read: true, tokenizers, ..Artifacts::default() }));
    press(&mut model, "2");
    model
}

fn training(model: &mut Model) {
    let now = model.shared.now_ms;
    let run = "20261124T115900Z-tokenizer-00aa".to_owned();
    update(model, Msg::Runs(vec![status(&run, "tokenizer", State::Running, now - 60_000)]));
    let mut events = Vec::new();
    let mut say = |t: u64, event: Event| events.push(LoggedEvent { v: 1, t: now - 6000 + t, event });
    say(0, Event::Start { job: "tokenizer".into(), settings: json!({"vocab_size": 16000}), device: "cpu".into() });
    say(10, Event::phase("merge"));
    for (n, (left, right)) in [("Ġevap", "orator"), ("ам", "миа"), ("Ġde", "frost")].into_iter().enumerate() {
        let done = 3000 * (n as u64 + 1);
        say(
            1000 * n as u64 + 20,
            Event::Merge { done, left: left.into(), right: right.into(), count: 9999 / (n as u64 + 1) },
        );
        say(1000 * n as u64 + 20, Event::progress(done as usize, 15_739, "merges"));
        say(
            1000 * n as u64 + 30,
            Event::Scalar { step: done + 261, values: Scalars::from([("ratio_heldout", ratio(done))]) },
        );
    }
    update(model, Msg::Events(RunEvents { run, events, garbage: 0, reset: true, more: false }));
}

#[test]
fn versions_have_their_curves() {
    let mut model = with_versions();
    insta::assert_snapshot!("versions_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("versions_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("versions_80x24_ansi16", in_16_colours(&mut model, 80, 24));
    insta::assert_snapshot!("versions_120x40_ansi16", in_16_colours(&mut model, 120, 40));
    model.shared.palette = Palette { charset: Charset::Ascii, ..Palette::PLAINEST };
    insta::assert_snapshot!("versions_ascii", text(&draw(&model, 80, 24)));
}

#[test]
fn a_training_is_shown_as_it_happens() {
    let mut model = with_versions();
    training(&mut model);
    insta::assert_snapshot!("training_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("training_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("training_80x24_ansi16", in_16_colours(&mut model, 80, 24));
    insta::assert_snapshot!("training_120x40_ansi16", in_16_colours(&mut model, 120, 40));
    assert!(matches!(&press(&mut model, "x")[..], [Effect::Stop(_)]));
}

#[test]
fn a_growing_curve_marks_its_knee_and_where_it_meets_the_threshold() {
    let mut model = with_versions();
    training(&mut model);
    let now = model.shared.now_ms;
    let run = "20261124T115900Z-tokenizer-00aa".to_owned();
    let values = Scalars::from([("ratio_heldout", 1.24), ("knee", 6261.0)]);
    let point = Event::Scalar { step: 15_500, values };
    let beside = Event::Scalar { step: 15_500, values: Scalars::from([("ratio_wordpiece", 1.4)]) };
    let events = [point, beside].into_iter().map(|event| LoggedEvent { v: 1, t: now, event }).collect();
    update(&mut model, Msg::Events(RunEvents { run, events, garbage: 0, reset: false, more: false }));
    let screen = text(&draw(&model, 120, 40));
    assert!(screen.contains("meets 1.25 at 15,500"), "{screen}");
    assert!(screen.contains("1.240 at 15,500 tokens   knee so far 6,261"), "{screen}");
}

#[test]
fn the_first_screen_says_what_to_press() {
    let mut model = model();
    update(&mut model, Msg::Artifacts(Artifacts { read: true, ..Artifacts::default() }));
    press(&mut model, "2");
    let screen = text(&draw(&model, 80, 24));
    assert!(screen.contains("no tokenizer was trained here yet: press n"), "{screen}");
    press(&mut model, "x");
    assert_eq!(model.notice.unwrap().text, "no tokenizer is being trained");
}

#[test]
fn two_versions_are_compared() {
    let mut model = with_versions();
    let effects = press(&mut model, "d");
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Ask(Question::Vocabulary(question)) => Some(question),
        _ => None,
    });
    let asked = asked.expect("a question").clone();
    assert_eq!((asked.before.as_str(), asked.after.as_str()), ("cold@v2", "cold@v3"));
    let word =
        |word: &str, count| Words { count, before: vec!["де".into(), "фрост".into()], after: vec![word.into()] };
    let found = Difference {
        before: asked.before,
        after: asked.after,
        gained: vec!["Ġcompressor".into()],
        lost: vec![],
        words: 10_000,
        tokens_before: 14_000,
        tokens_after: 13_000,
        improved: vec![word("дефрост", 412)],
        worsened: vec![],
    };
    update(&mut model, Msg::Answer(Answer::Vocabulary(vocabulary::Answer::Compared(Box::new(found)))));
    let screen = text(&draw(&model, 80, 24));
    assert!(screen.contains("14,000 tokens → 13,000 tokens on 10,000 words (-7.1 %)"), "{screen}");
    assert!(screen.contains("412 times  де·фрост → дефрост"), "{screen}");
}

#[test]
fn an_answer_that_nobody_waits_for_opens_nothing() {
    let mut model = with_versions();
    let found = Box::new(Difference::default());
    update(&mut model, Msg::Answer(Answer::Vocabulary(vocabulary::Answer::Compared(found))));
    assert!(model.overlay.is_none());
}
