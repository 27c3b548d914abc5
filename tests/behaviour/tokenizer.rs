//! Training a tokenizer, from outside: stopped, killed, resumed, and beside `WordPiece`.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{Place, failure, json, lapidary, state, wait_until};

/// A workspace whose documents hold very many different words, so that merging them takes a while.
fn of_many_words() -> Place {
    let mut place = Place::new();
    let documents = place.folder.path().join("documents");
    std::fs::create_dir_all(&documents).unwrap();
    let mut seed = 17_u64;
    let mut word = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let letters = (0..9).map(|at| (b'a' + (seed >> (5 * at + 8) & 31).min(25) as u8) as char);
        letters.collect::<String>()
    };
    for document in 0..20 {
        let text: String = (0..6000).map(|n| word() + if n % 15 == 14 { ".\n\n" } else { " " }).collect();
        std::fs::write(documents.join(format!("{document}.txt")), text).unwrap();
    }
    place.root = place.folder.path().join("words");
    json(lapidary().arg("init").arg(&place.root).arg("--corpus").arg(&documents));
    place
}

const TRAIN: [&str; 6] = ["tokenizer", "train", "--vocab-size", "20000", "--name", "cut"];

fn started(place: &Place) -> Child {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("lapidary"));
    command.args(TRAIN).arg("--workspace").arg(&place.root).env("LAPIDARY_STATE_DIR", state());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The newest tokenizer run, and its events so far.
fn newest(root: &Path) -> Option<(String, Vec<Value>)> {
    let runs = std::fs::read_dir(root.join("runs")).ok()?.map(|entry| entry.unwrap().path());
    let run = runs.filter(|path| path.to_string_lossy().contains("-tokenizer-")).max()?;
    let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    let whole = events.rfind('\n').map_or("", |end| &events[..end]);
    let id = run.file_name()?.to_string_lossy().into_owned();
    Some((id, whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()))
}

#[test]
fn a_stopped_and_a_killed_training_go_on_to_the_same_bytes() {
    let place = of_many_words();
    let root = &place.root;
    json(&mut place.call(&TRAIN));
    let file = |version: &str| std::fs::read(root.join("tokenizers/cut").join(version).join("tokenizer.json"));
    let whole = file("v1").unwrap();
    for (version, kill) in [("v2", false), ("v3", true)] {
        std::thread::sleep(std::time::Duration::from_millis(1100)); // run ids are ordered by the second
        let before = newest(root).unwrap().0;
        let mut child = started(&place);
        let mut id = String::new();
        wait_until("the training never came to its hundredth merge", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
            let Some((newest, events)) = newest(root).filter(|(id, _)| *id != before) else { return false };
            id = newest;
            events.iter().any(|event| event["kind"] == "merge" && event["done"].as_u64() >= Some(100))
        });
        if kill {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            json(&mut place.call(&["runs", "stop", &id]));
            assert_eq!(child.wait().unwrap().code(), Some(3), "stopped on request");
        }
        assert!(file(version).is_err(), "half a tokenizer is not shown");
        json(&mut place.call(&["runs", "resume", &id]));
        assert!(file(version).unwrap() == whole, "{version}");
        let (_, events) = newest(root).unwrap();
        let notes: Vec<&str> = events.iter().filter_map(|event| event["text"].as_str()).collect();
        assert!(notes.iter().any(|note| note.contains("all words are counted")), "{notes:?}");
        assert!(!root.join("runs").join(&id).join("checkpoints").join("words").exists(), "nothing is left behind");
    }
}

#[test]
fn bpe_is_put_beside_wordpiece() {
    let place = Place::new();
    let trained = json(&mut place.call(&["tokenizer", "train", "--vocab-size", "2000", "--compare-wordpiece"]));
    let compared = trained["compared"].as_array().unwrap();
    assert!(!compared.is_empty(), "{trained}");
    for size in compared {
        assert!(size["bpe"].as_f64().unwrap() > 1.0 && size["wordpiece"].as_f64().unwrap() > 1.0, "{size}");
    }
    let manifest = std::fs::read(place.root.join("tokenizers/bpe/v1/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["details"]["compared"], trained["compared"]);

    let wordpiece = ["tokenizer", "train", "--kind", "wordpiece", "--vocab-size", "2000", "--name", "pieces"];
    let trained = json(&mut place.call(&wordpiece));
    assert_eq!(trained["artifact"], "pieces@v1");
    let inspected = json(&mut place.call(&["inspect", "--tokenizer", "pieces@v1"]));
    assert_eq!(inspected["unseen"]["ratio_heldout"], trained["ratio_heldout"]);
    let written = std::fs::read_to_string(place.root.join("tokenizers/pieces/v1/tokenizer.json")).unwrap();
    assert!(written.contains("\"type\":\"WordPiece\""));

    let (code, text) = failure(&mut place.call(&["tokenizer", "train", "--pattern", "gpt3"]));
    assert_eq!(code, 2, "{text}");
}
