//! Reviews of pairs: what was said in the workbench becomes the next version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Place, failure, json};

fn rows(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

fn passage(row: &Value) -> String {
    let id = row["positives"][0].as_str().unwrap();
    let altered = row["texts"].get(id).and_then(|_| id.rsplit_once('~'));
    altered.map_or(id, |(passage, _)| passage).to_owned()
}

#[test]
fn finishing_a_review_makes_the_next_version_and_leaves_the_old_one() {
    let place = Place::with_pairs();
    let (root, here) = (&place.root, |arguments: &[&str]| place.call(arguments));
    let (code, text) = failure(&mut here(&["pairs", "review", "finish"]));
    assert!(code == 1 && text.contains("nothing was reviewed yet in structural@v1"), "{text}");

    let shelf = root.join("pairs/structural");
    let (old, train) = (files(&shelf.join("v1")), rows(&shelf.join("v1/train.jsonl")));
    let out = rows(&shelf.join("v1/rejected.jsonl"));
    // One filtered row of a document to train on.
    let in_train: Vec<&Value> = train.iter().map(|row| &row["document"]).collect();
    let asked: Vec<&Value> = train.iter().map(|row| &row["query_id"]).collect();
    let back = out
        .iter()
        .find(|row| in_train.contains(&&row["document"]) && !asked.contains(&&row["query_id"]))
        .unwrap_or_else(|| panic!("no filtered row to bring back among {}", out.len()));
    let line = |row: &Value, verdict: &str, query: Option<&str>| {
        let mut line = json!({ "v": 1, "t": 1, "pairs": "structural@v1", "query_id": row["query_id"],
            "passage": passage(row), "verdict": verdict });
        if let Some(query) = query {
            line["query"] = json!(query);
        }
        format!("{line}\n")
    };
    let lines = line(&train[0], "accept", None)
        + &line(&train[0], "reject", None)
        + &line(&train[1], "edit", Some("in my own words"))
        + &line(back, "accept", None)
        + "{\"v\":1,\"torn";
    std::fs::create_dir_all(root.join("reviews")).unwrap();
    std::fs::write(root.join("reviews/structural.jsonl"), lines).unwrap();

    let report = json(&mut here(&["pairs", "review", "finish", "--pairs", "structural@v1"]));
    assert_eq!(report["artifact"], "structural@v2");
    let counts = &report["reviews"];
    assert_eq!((&counts["rejected"], &counts["edited"], &counts["restored"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(files(&shelf.join("v1")), old, "the version that was reviewed is untouched");

    let new = rows(&shelf.join("v2/train.jsonl"));
    assert_eq!(new.len(), train.len(), "one went, one came back");
    assert_eq!(new[0]["query"], "in my own words");
    assert_eq!(new[0]["positives"], train[1]["positives"]);
    assert!(new.iter().any(|row| row["query"] == back["query"]));
    let gone = rows(&shelf.join("v2/rejected.jsonl"));
    let gone = gone.iter().find(|row| row["reason"] == "reviewer").unwrap();
    assert_eq!(gone["query"], train[0]["query"]);
    let manifest: Value = serde_json::from_slice(&std::fs::read(shelf.join("v2/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["job"], "pairs-review");
    assert_eq!(manifest["inputs"][0]["reference"], "structural@v1");
    assert_eq!(manifest["details"]["reviews"], *counts);
    assert_eq!(manifest["details"]["synthetic"], true);
    let runs = json(&mut here(&["runs"]));
    assert!(runs["runs"].as_array().unwrap().iter().any(|run| run["job"] == "pairs-review"), "{runs}");
    // The new version was not reviewed yet.
    let (_, text) = failure(&mut here(&["pairs", "review", "finish"]));
    assert!(text.contains("nothing was reviewed yet in structural@v2"), "{text}");
}
