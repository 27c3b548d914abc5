use super::*;
use crate::tui::message::{Effect, Msg};
use crate::tui::model::{Dirty, update};
use crate::tui::testing::{draw, in_16_colours, model, press, text};

#[test]
fn a_form_shows_what_a_parameter_means_and_the_command_line() {
    let mut model = model();
    press(&mut model, "4");
    // Several jobs are of this pane: the first is chosen.
    press(&mut model, "n");
    press(&mut model, "enter");
    for _ in 0..12 {
        press(&mut model, "down");
    }
    insta::assert_snapshot!("form_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("form_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("form_80x24_ansi16", in_16_colours(&mut model, 80, 24));
    // A value that cannot be is refused as it is typed, and the job is not started.
    press(&mut model, "x");
    assert!(text(&draw(&model, 120, 40)).contains("wrong"));
    let effects = press(&mut model, "enter");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Start(_))), "{effects:?}");
    press(&mut model, "ctrl-r");
    let effects = press(&mut model, "enter");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Start(start) if start.job == "tune")), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Remember { job: "tune", .. })));
}

#[test]
fn the_longest_form_scrolls_and_takes_several_endpoints() {
    let mut model = model();
    press(&mut model, "3");
    press(&mut model, "n");
    insta::assert_snapshot!("choice_of_pairs_80x24", text(&draw(&model, 80, 24)));
    press(&mut model, "down");
    press(&mut model, "enter");
    update(&mut model, Msg::Paste("http://127.0.0.1:11434 http://gpu.lan:11434".to_owned()));
    insta::assert_snapshot!("form_of_a_synthesis_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("form_of_a_synthesis_120x40", text(&draw(&model, 120, 40)));
    press(&mut model, "down");
    update(&mut model, Msg::Paste("qwen3:8b".to_owned()));
    let effects = press(&mut model, "ctrl-y");
    let line = "lapidary pairs synthesize --model qwen3:8b --endpoint http://127.0.0.1:11434 --endpoint \
                http://gpu.lan:11434";
    assert!(matches!(&effects[..], [Effect::Copy(text)] if text == line), "{effects:?}");
    let help: Vec<&str> = {
        let Some(Overlay::Form(form)) = &model.overlay else { panic!("no form") };
        form.fields().iter().map(|field| field.name).collect()
    };
    // Every field can be reached, is in view when it is, and says all of what it means.
    for name in help.iter().skip(2) {
        press(&mut model, "down");
        let screen = text(&draw(&model, 80, 24));
        assert!(screen.contains(&format!("▸ {name}")), "{name}: {screen}");
        let Some(Overlay::Form(form)) = &model.overlay else { panic!("no form") };
        let meaning = form.fields()[form.selected()].help();
        let last = meaning.split_whitespace().last().unwrap_or_default();
        assert!(screen.contains(last), "{name}: {screen}");
    }
    insta::assert_snapshot!("form_of_a_synthesis_at_its_end_80x24", text(&draw(&model, 80, 24)));
    let effects = press(&mut model, "enter");
    let start = effects.iter().find_map(|effect| match effect {
        Effect::Start(start) => Some(start),
        _ => None,
    });
    let start = start.unwrap();
    assert_eq!(start.record["settings"]["model"], "qwen3:8b");
    assert_eq!(start.record["endpoints"][1], "http://gpu.lan:11434");
}

#[test]
fn help_lists_every_key_of_the_pane() {
    let mut model = model();
    press(&mut model, "?");
    insta::assert_snapshot!("help_80x24", text(&draw(&model, 80, 24)));
    let whole = text(&draw(&model, 100, 120));
    for (keys, help) in model.shared.keymap.help(Context::Corpus) {
        assert!(whole.contains(&keys) && whole.contains(help), "{keys}: {help}");
    }
    press(&mut model, "esc");
    assert!(model.overlay.is_none());
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    let model = model();
    for (width, height) in [(39, 24), (80, 9), (10, 3), (1, 1), (0, 0)] {
        let screen = text(&draw(&model, width, height));
        assert!(width < 20 || screen.contains("lapidary needs 40x10"), "{width}x{height}: {screen}");
    }
    assert!(text(&draw(&model, 40, 10)).contains("Corpus"));
}

#[test]
fn every_pane_can_be_drawn_at_every_size() {
    let mut model = model();
    for key in ["1", "2", "3", "4", "5", "6"] {
        press(&mut model, key);
        for width in [0, 1, 40, 41, 59, 72, 80, 121, 300] {
            for height in [0, 1, 10, 11, 24, 60] {
                draw(&model, width, height);
            }
        }
    }
}

#[test]
fn nothing_is_drawn_where_nothing_changed() {
    let mut model = model();
    model.dirty = Dirty::Clean;
    let now = model.shared.now_ms;
    update(&mut model, Msg::Clock(now + 1000));
    assert_eq!(model.dirty, Dirty::Clean, "time alone draws nothing");
    press(&mut model, "down");
    assert_eq!(model.dirty, Dirty::Input);
}

#[test]
fn a_notice_goes_and_what_went_wrong_stays() {
    let mut model = model();
    update(&mut model, Msg::Notice("kept in clipboard.txt".to_owned()));
    assert!(text(&draw(&model, 80, 24)).contains("kept in clipboard.txt"));
    let now = model.shared.now_ms;
    update(&mut model, Msg::Clock(now + 60_000));
    assert!(!text(&draw(&model, 80, 24)).contains("clipboard"));
    update(&mut model, Msg::Failed("the disk is full".to_owned()));
    update(&mut model, Msg::Clock(now + 600_000));
    assert!(text(&draw(&model, 80, 24)).contains("the disk is full"));
    press(&mut model, "esc");
    assert!(!text(&draw(&model, 80, 24)).contains("the disk is full"));
}

#[test]
fn what_it_prints_as_keys_can_be_the_configuration() {
    let keymap = Keymap::default();
    let parsed: toml::Table = keys_text(&keymap).parse().unwrap();
    let overrides = parsed["keys"].clone().try_into().unwrap();
    let same = Keymap::with_overrides(&overrides).unwrap();
    assert!(keymap.rows().eq(same.rows()));
}
