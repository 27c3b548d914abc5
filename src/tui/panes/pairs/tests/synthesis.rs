//! A synthesis as its user follows it: two servers, one of which rests.

use std::collections::BTreeMap;

use super::*;
use crate::progress::EndpointState;

const RUN: &str = "r1-pairs-synthesize";
const FIRST: &str = "http://127.0.0.1:11434";
const SECOND: &str = "http://gpu.lan:11434";

fn start(model: Option<&str>) -> Event {
    let settings = json!({
        "settings": {"model": model, "name": "cold-pairs", "round_trip": 10, "concurrency": 2},
        "endpoints": [FIRST, SECOND],
    });
    Event::Start { job: SYNTHESIS.into(), settings, device: "cpu".into() }
}

fn tally(kept: u64, failed: u64, concurrency: u64, paused: bool) -> Event {
    let rejected = [("refers to the text", 71), ("copied", 58), ("near-duplicate query", 41), ("round trip", 32)];
    Event::Tally {
        kept,
        rejected: rejected.map(|(reason, count)| (reason.to_owned(), count)).into(),
        failed,
        tokens_per_s: if paused { 0.0 } else { 41.2 },
        in_flight: if paused { 1 } else { 2 },
        concurrency,
        paused,
    }
}

fn endpoint(url: &str, state: EndpointState, answered: u64, problem: Option<&str>) -> Event {
    let works = state == EndpointState::Ready;
    Event::Endpoint {
        url: url.into(),
        state,
        in_flight: if works || state == EndpointState::Waiting { 2 } else { 0 },
        answered,
        tokens_per_s: if works { 41.2 } else { 0.0 },
        problem: problem.map(str::to_owned),
    }
}

const REFUSED: &str = "connection refused; asked again in 30 s";

/// The events of some minutes, up to passage 412.
fn told() -> Vec<(u64, Event)> {
    let mut all = vec![(0, start(None)), (1, Event::phase("ask qwen3:8b"))];
    all.push((2, endpoint(FIRST, EndpointState::Waiting, 0, None)));
    all.push((2, endpoint(SECOND, EndpointState::Waiting, 0, None)));
    for second in 0..=20 {
        let passages = 392 + second;
        all.push((second * 1000 + 10, Event::progress(passages as usize, 1930, "passages")));
        all.push((second * 1000 + 20, tally(972 + second * 3 + second / 10, 3, 2, false)));
    }
    all.push((20_030, endpoint(FIRST, EndpointState::Ready, 374, None)));
    all.push((20_040, endpoint(SECOND, EndpointState::Resting, 38, Some(REFUSED))));
    let questions = [
        ("How is hot gas defrost ended on a flooded evaporator?", "natural", None),
        ("evaporator hot gas defrost termination pressure", "keywords", None),
        (
            "The coil is clear but the suction pressure keeps climbing although the valve was closed two minutes ago: \
             what should I look at before I open the drain?",
            "problem",
            None,
        ),
        ("What does the text say about defrost?", "natural", Some("refers to the text")),
        ("Hot gas is admitted until the suction header reaches 2.1 bar", "paraphrase", Some("copied")),
        ("why does my evaporator ice up", "problem", Some("round trip")),
    ];
    for n in 0..30 {
        let (query, source, rejected) = questions[n % questions.len()];
        all.push((20_050 + n as u64, pair(query, source, rejected)));
    }
    all.push((20_100, pair("почему растёт давление после оттайки?\u{1b}[31m", "natural", None)));
    all
}

/// A workbench that follows it; `more` happened since.
fn following(more: Vec<(u64, Event)>) -> Model {
    let mut model = opened();
    update(&mut model, Msg::Runs(vec![status(SYNTHESIS, State::Running)]));
    let mut all = told();
    all.extend(more);
    events(&mut model, RUN, all);
    model
}

fn shown(model: &Model) -> String {
    text(&draw(model, 80, 24))
}

#[test]
fn its_numbers_are_whole_and_its_pace_is_of_the_last_seconds() {
    let model = following(Vec::new());
    let wide = text(&draw(&model, 160, 40));
    let first = wide.lines().nth(1).unwrap();
    for words in [
        "● cold-pairs   qwen3:8b on 2 endpoints   passage 412 of 1,930   3.1 pairs/s   41 tokens/s   ETA 26 min",
        "kept 1,034   rejected 202 (16 %)   given up 3",
    ] {
        assert!(first.contains(words), "{words}\n{wide}");
    }
    assert!(!wide.contains("seen:"), "{wide}");
    assert!(wide.contains("round trip > 10: 32"), "{wide}");
    // Whoever judges next is named no more as the one that is asked, but stays the one that made them.
    let later = following(vec![(21_000, Event::phase("filter")), (21_010, Event::progress(12, 1236, "pairs"))]);
    let wide = text(&draw(&later, 160, 40));
    assert!(wide.contains("qwen3:8b on 2 endpoints   filter   pair 12 of 1,236 "), "{wide}");
}

#[test]
fn one_key_pauses_and_lets_go_on() {
    let mut model = following(Vec::new());
    assert!(matches!(&press(&mut model, "p")[..], [Effect::Pause(run)] if run == RUN));
    assert!(shown(&model).contains("PAUSING"), "{}", shown(&model));
    // Pressed again before the job said anything, it takes the request back.
    assert!(matches!(&press(&mut model, "p")[..], [Effect::Continue(run)] if run == RUN));
    assert!(!shown(&model).contains("PAUS"), "{}", shown(&model));

    let mut model = following(vec![(20_200, tally(1034, 3, 2, true))]);
    let screen = shown(&model);
    assert!(screen.contains("PAUSED: p goes on   passage 412 of 1,930   1 still under way"), "{screen}");
    assert!(!screen.contains("ETA") && !screen.contains("pairs/s"), "what waits has no pace: {screen}");
    assert!(matches!(&press(&mut model, "p")[..], [Effect::Continue(_)]));
    assert!(shown(&model).contains("GOING ON"), "{}", shown(&model));
    // What was asked of a job that does not do it is forgotten, by the job's own clock.
    let mut all = told();
    all.push((20_200, tally(1034, 3, 2, true)));
    all.push((31_000, tally(1034, 3, 2, true)));
    events(&mut model, RUN, all);
    assert!(shown(&model).contains("PAUSED: p goes on"), "{}", shown(&model));
}

#[test]
fn what_is_wanted_is_shown_until_the_job_does_it() {
    let mut model = following(Vec::new());
    let effects = press(&mut model, "+");
    assert!(matches!(&effects[..], [Effect::Concurrency(run, 3)] if run == RUN), "{effects:?}");
    assert!(matches!(&press(&mut model, "=")[..], [Effect::Concurrency(_, 4)]));
    assert!(matches!(&press(&mut model, "-")[..], [Effect::Concurrency(_, 3)]));
    let screen = shown(&model);
    assert!(screen.contains("3 at once wanted") && screen.contains("2 of 2"), "{screen}");
    let mut all = told();
    all.push((20_900, tally(1040, 3, 3, false)));
    events(&mut model, RUN, all);
    let screen = shown(&model);
    assert!(!screen.contains("wanted") && screen.contains("2 of 3"), "{screen}");

    // There is a least and a most.
    let mut model = following(vec![(20_200, tally(1034, 3, 1, false))]);
    assert!(press(&mut model, "-").is_empty());
    assert!(model.notice.as_ref().unwrap().text.contains("p pauses the synthesis"));
    let mut model = following(vec![(20_200, tally(1034, 3, 64, false))]);
    assert!(press(&mut model, "+").is_empty());
    assert!(model.notice.as_ref().unwrap().text.contains("64 requests at once"));
}

#[test]
fn the_keys_say_what_they_are_for_where_nothing_is_made() {
    let mut model = opened();
    for key in ["p", "+", "=", "-"] {
        assert!(press(&mut model, key).is_empty());
        let said = model.notice.take().unwrap().text;
        assert!(said.ends_with("none runs now; n starts one"), "{said}");
    }
    // Other jobs that make pairs take no such requests, and the footer offers what can be done.
    let mut model = streaming();
    assert!(press(&mut model, "p").is_empty());
    model.notice = None;
    let foot = |model: &Model| text(&draw(model, 120, 40)).lines().last().unwrap_or_default().trim().to_owned();
    assert_eq!(foot(&model), "X stop   n make   ? help");
    let mut model = following(Vec::new());
    assert_eq!(foot(&model), "p pause   + − concurrency   X stop   n make   ? help");
    press(&mut model, "f");
    assert_eq!(
        foot(&model),
        "space accept   x reject   e edit   [ ] passage   p pause   + − concurrency   X stop   F finish   h health   ? help"
    );
}

#[test]
fn beside_a_set_the_requests_are_said() {
    let mut model = following(Vec::new());
    press(&mut model, "f");
    assert!(shown(&model).contains("qwen3:8b makes pairs, 412 of 1,930 passages; f watches it"), "{}", shown(&model));
    let effects = press(&mut model, "p");
    assert!(matches!(&effects[..], [Effect::Pause(run)] if run == RUN), "{effects:?}");
    assert_eq!(model.notice.as_ref().unwrap().text, "the synthesis waits; p lets it go on");
    press(&mut model, "+");
    assert_eq!(model.notice.as_ref().unwrap().text, "the synthesis was asked for 3 at once at each endpoint");
}

#[test]
fn half_of_a_small_screen_is_the_questions() {
    let rows = |screen: &str| screen.lines().filter(|line| line.starts_with(" ✔") || line.starts_with(" ✘")).count();
    let many: Vec<(u64, Event)> = (0..5)
        .map(|n| (20_200 + n, endpoint(&format!("http://10.0.0.{n}:11434"), EndpointState::Ready, n, None)))
        .collect();
    let model = following(many);
    let screen = shown(&model);
    assert!(
        screen.contains("6 of 7 endpoints ready; http://gpu.lan:11434: connection refused; asked again"),
        "{screen}"
    );
    assert!(!screen.contains("ENDPOINTS") && rows(&screen) >= 8, "{screen}");
    assert!(text(&draw(&model, 120, 40)).contains("ENDPOINTS"));
    let model = following(Vec::new());
    assert!(shown(&model).contains("ENDPOINTS"), "two of them fit: {}", shown(&model));
}

#[test]
fn an_empty_stream_says_what_it_waits_for() {
    let mut model = opened();
    update(&mut model, Msg::Runs(vec![status(SYNTHESIS, State::Running)]));
    let mut all = vec![(0, start(Some("hf.co/some/very-long-name-of-a-model-GGUF:Q4_K_M")))];
    events(&mut model, RUN, all.clone());
    assert!(shown(&model).contains("none yet: the first ones come with the model's first answer"));
    all.push((1, endpoint(FIRST, EndpointState::Waiting, 0, None)));
    events(&mut model, RUN, all.clone());
    let screen = shown(&model);
    assert!(screen.contains("none yet: the model is being loaded"), "{screen}");
    assert!(screen.contains("no word from it yet"), "{screen}");
    all.push((2, endpoint(FIRST, EndpointState::Gone, 0, Some("no model of that name"))));
    events(&mut model, RUN, all);
    assert!(shown(&model).contains("none yet: no endpoint answers"));
}

const NO_OLLAMA: &str = "no Ollama answers at http://127.0.0.1:11434: connection refused. Start one with `ollama serve` \
                         and fetch a model with `ollama pull qwen3:8b`, or name another with --endpoint URL. Without \
                         any, `lapidary pairs structural` makes pairs from titles, headings and sentences.";

#[test]
fn screens() {
    let mut model = following(Vec::new());
    insta::assert_snapshot!("running_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("running_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("running_80x24_ansi16", in_16_colours(&mut model, 80, 24));
    model.shared.palette = Palette { charset: Charset::Ascii, ..Palette::PLAINEST };
    insta::assert_snapshot!("running_ascii_80x24", text(&draw(&model, 80, 24)));

    let idle = |url: &str, in_flight, answered| Event::Endpoint {
        url: url.into(),
        state: EndpointState::Ready,
        in_flight,
        answered,
        tokens_per_s: 0.0,
        problem: None,
    };
    let paused = vec![(20_150, idle(FIRST, 1, 374)), (20_160, idle(SECOND, 0, 39)), (20_200, tally(1034, 0, 2, true))];
    let mut model = following(paused);
    press(&mut model, "+");
    insta::assert_snapshot!("paused_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("paused_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("paused_80x24_ansi16", in_16_colours(&mut model, 80, 24));
}

#[test]
fn screens_of_what_went_wrong() {
    let mut failed = status(SYNTHESIS, State::Failed);
    failed.error = Some(NO_OLLAMA.to_owned());
    let mut model = crate::tui::testing::model();
    model.pane = PaneId::Pairs;
    artifacts(&mut model, Vec::new());
    update(&mut model, Msg::Runs(vec![failed.clone()]));
    insta::assert_snapshot!("failed_80x24", text(&draw(&model, 80, 24)));
    let mut model = opened();
    update(&mut model, Msg::Runs(vec![failed]));
    insta::assert_snapshot!("failed_beside_a_set_80x24", text(&draw(&model, 80, 24)));
    let mut stopped = status(SYNTHESIS, State::Stopped);
    stopped.progress = Some((412, Some(1930), "passages".into()));
    update(&mut model, Msg::Runs(vec![stopped]));
    assert!(shown(&model).contains("a synthesis stopped at 412 of 1,930 passages: r in pane 6 goes on with it"));
}

#[test]
fn a_set_that_was_synthesized_is_shown_as_any_other() {
    let mut model = opened();
    let mut made = version("cold-pairs@v2", SYNTHESIS, NOW - 90_000);
    made.settings = json!({"settings": {"model": "qwen3:8b", "round_trip": 5}, "endpoints": []});
    made.stale = true;
    artifacts(&mut model, vec![made.clone()]);
    let asked =
        Set { words: ["natural", "keywords", "problem", "round trip", "copied", "x"].map(Arc::from).into(), ..*set() };
    press(&mut model, "t\n");
    answer(&mut model, Answer::NotWritten { pairs: "cold-pairs@v2".into(), problem: "x".into() });
    let rejected = BTreeMap::from([("round trip".to_owned(), 7)]);
    answer(&mut model, Answer::Opened(Box::new(Set { rejected, ..asked })));
    press(&mut model, "\u{1b}");
    let screen = text(&draw(&model, 120, 40));
    for words in
        ["cold-pairs@v2   synthesized", "`lapidary pairs synthesize` makes them anew", "tolls  round trip > 5: 7"]
    {
        assert!(screen.contains(words), "{words}\n{screen}");
    }
    assert!(screen.lines().any(|line| line.ends_with(" natural")), "{screen}");
    assert!(screen.lines().any(|line| line.ends_with(" round trip > 5")), "{screen}");
    // A reviewed version of it is made anew as its first one was.
    let mut reviewed = version("cold-pairs@v3", "pairs-review", NOW);
    reviewed.stale = true;
    reviewed.inputs =
        vec![Input { role: "pairs".into(), reference: "cold-pairs@v2".into(), sha256: digest_bytes("x") }];
    artifacts(&mut model, vec![reviewed, made]);
    answer(&mut model, Answer::Opened(Box::new(Set { reference: "cold-pairs@v3".into(), ..*set() })));
    let screen = text(&draw(&model, 120, 40));
    assert!(screen.contains("`lapidary pairs synthesize` makes them anew"), "{screen}");
}

#[test]
fn no_size_breaks_it() {
    for model in [following(Vec::new()), following(vec![(20_200, tally(1034, 3, 2, true))])] {
        for width in [40, 41, 60, 99, 100, 250] {
            for height in [10, 11, 13, 17, 24, 70] {
                draw(&model, width, height);
            }
        }
    }
}
