//! A job's life: stopping, resuming, watching.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Place, failure, json, state};

const TUNE: &[&str] =
    &["tune", "--batch", "8", "--max-length", "64", "--max-steps", "6", "--save-steps", "1", "--eval-steps", "100"];

/// The events of the newest tuning; none where it has not begun, and no line that is still being written.
fn events(root: &std::path::Path) -> Vec<serde_json::Value> {
    let run = std::fs::read_dir(root.join("runs")).unwrap().map(|entry| entry.unwrap().path());
    let run = run.filter(|path| path.to_string_lossy().contains("-tune-")).max().unwrap();
    let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    let whole = events.rfind('\n').map_or("", |end| &events[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn losses(root: &std::path::Path) -> Vec<String> {
    let scalars = events(root).into_iter().filter(|event| event["kind"] == "scalar");
    scalars.map(|event| format!("{} {}", event["step"], event["values"]["loss"])).collect()
}

#[test]
fn a_stopped_training_goes_on_to_the_same_losses() {
    let place = Place::with_pairs();
    let (root, here) = (&place.root, |arguments: &[&str]| place.call(arguments));
    json(&mut here(TUNE));
    let whole = losses(root);
    assert_eq!(whole.len(), 6);

    std::thread::sleep(Duration::from_millis(1100)); // run ids are ordered by the second
    let binary = assert_cmd::cargo::cargo_bin("lapidary");
    let mut child = std::process::Command::new(binary)
        .args(TUNE)
        .arg("--workspace")
        .arg(root)
        .env("LAPIDARY_STATE_DIR", state())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let id = loop {
        assert!(begun.elapsed() < Duration::from_mins(2), "the run never came to its second step");
        let runs = json(&mut here(&["runs"]));
        let running = runs["runs"].as_array().unwrap().iter().find(|run| run["state"] == "running").cloned();
        if let Some(run) = running
            && losses(root).len() >= 2
            && losses(root).len() < 5
        {
            break run["id"].as_str().unwrap().to_owned();
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be stopped");
        std::thread::sleep(Duration::from_millis(20));
    };
    json(&mut here(&["runs", "stop", &id]));
    assert_eq!(child.wait().unwrap().code(), Some(3), "stopped on request");
    let (code, text) = failure(&mut here(&["runs", "stop", &id]));
    assert_eq!(code, 4, "{text}");

    let resumed = json(&mut here(&["runs", "resume", &id]));
    assert_eq!(resumed["steps"], 6);
    let mut again = losses(root);
    again.dedup();
    assert_eq!(again, whole, "a resumed training continues the same losses");
    let by_words = events(root).into_iter().filter(|event| event["values"]["mrr10_bm25"].is_number()).count();
    assert_eq!(by_words, 1, "what BM25 achieves is said once, before the first step");
    let (code, _) = failure(&mut here(&["runs", "resume", &id]));
    assert_eq!(code, 4, "there is nothing to resume");
}
