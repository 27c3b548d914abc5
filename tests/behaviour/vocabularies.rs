//! Other vocabularies in an encoder, and smaller students.

use std::path::Path;

use serde_json::Value;

use crate::support::{Place, failure, json};

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn a_vocabulary_is_replaced_extended_and_aligned() {
    let place = Place::with_pairs();
    let (root, here) = (&place.root, |arguments: &[&str]| place.call(arguments));
    let (_, text) = failure(&mut here(&["align"]));
    assert!(text.contains("lapidary tokenizer train"), "{text}");
    let (_, text) = failure(&mut here(&["align", "--vocabulary", "keep"]));
    assert!(text.contains("nothing to align"), "{text}");

    // Cased, over an uncased base.
    json(&mut here(&["tokenizer", "train", "--vocab-size", "1500", "--documents", "all"]));
    let short = ["--max-length", "32", "--batch", "16", "--max-steps", "6"];
    let output = here(&[&["align"][..], &short].concat()).args(["--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("made to lower-case"));
    let aligned: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&aligned["artifact"], &aligned["vocab_size"]), (&"aligned@v1".into(), &1500.into()));
    let agreement = |name: &str| aligned[name].as_f64().unwrap();
    assert!(agreement("agreement") > agreement("agreement_before"), "{aligned}");
    let folder = root.join("models/aligned/v1");
    let details = manifest(&folder)["details"].clone();
    assert_eq!(details["transplant"]["vocabulary"], "replace");
    let rows = ["copied", "averaged", "contained", "unknown"];
    let rows = rows.map(|name| details["transplant"]["rows"][name].as_u64().unwrap());
    assert_eq!(rows.iter().sum::<u64>(), 1500, "{details}");
    // What was written is read again, with its own tokenizer, which drops capitals now.
    let inspected = json(&mut here(&["inspect", "--tokenizer", "aligned"]));
    assert!(inspected["ratio"].as_f64().unwrap() > 1.0, "{inspected}");
    let query = ["compare", "What is drained from the receiver?", "--model", "aligned"];
    let text = String::from_utf8(here(&query).output().unwrap().stdout).unwrap();
    assert!(!text.trim().is_empty());

    let tune =
        ["tune", "--vocabulary", "extend", "--extend-words", "40", "--align-epochs", "0.1", "--cloze-epochs", "0.1"];
    let tuned = json(&mut here(&[&tune[..], &["--max-length", "32", "--batch", "16", "--max-steps", "2"]].concat()));
    let made = manifest(&root.join("models").join("tuned/v1"));
    assert_eq!(tuned["artifact"], "tuned@v1");
    let words = made["details"]["vocabulary"]["transplant"]["words"].as_u64().unwrap();
    assert!((1..=40).contains(&words), "{made}");
    // The base is asked before its vocabulary changes and before it reads the documents.
    let kept = json(&mut here(&["tune", "--max-length", "32", "--batch", "16", "--max-steps", "1", "--name", "kept"]));
    assert_eq!(tuned["dev_mrr10_base"], kept["dev_mrr10_base"], "{tuned} {kept}");
}

#[test]
fn the_ladder_chooses_on_dev_and_opens_the_test_once() {
    let place = Place::with_pairs();
    let here = |arguments: &[&str]| place.call(arguments);
    let (_, text) = failure(&mut here(&["ladder"]));
    assert!(text.contains("the ladder needs a tokenizer"), "{text}");
    json(&mut here(&["tokenizer", "train", "--vocab-size", "1500", "--lowercase"]));
    let short = ["--max-length", "32", "--batch", "16", "--max-steps", "2", "--seeds", "1", "--align-epochs", "0.2"];
    let ladder = json(&mut here(&[&["ladder", "--resamples", "200"][..], &short].concat()));
    let arms: Vec<&str> =
        ladder["arms"].as_array().unwrap().iter().map(|arm| arm["vocabulary"].as_str().unwrap()).collect();
    assert_eq!(arms, ["keep", "extend", "replace"]);
    let dev = |at: usize| ladder["arms"][at]["dev_tuned"].as_f64().unwrap();
    let chosen = ladder["chosen"].as_str().unwrap();
    let best = (0..3).map(dev).fold(0.0, f64::max);
    assert_eq!(dev(arms.iter().position(|arm| *arm == chosen).unwrap()), best, "{ladder}");
    let systems: Vec<String> = ladder["systems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|system| system["name"].as_str().unwrap().to_owned())
        .collect();
    for name in ["keep untuned", "keep tuned", "keep tuned + BM25"] {
        assert!(systems.iter().any(|system| system == name), "{systems:?}");
    }
    assert!(systems.iter().any(|system| system.starts_with("BM25 ")), "{systems:?}");
    assert!(systems.contains(&format!("{chosen} tuned")), "{systems:?}");
    assert_eq!(ladder["looks"], 1, "one look, however many systems");
    assert!(!ladder["recommendation"].as_str().unwrap().is_empty());
    assert_eq!(ladder["arms"][0]["dev_by_seed"].as_array().unwrap().len(), 1);
}

#[test]
fn a_student_is_distilled_from_its_teacher() {
    let place = Place::new();
    let here = |arguments: &[&str]| place.call(arguments);
    let teacher = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/base-encoder");
    let teacher = teacher.to_str().unwrap();
    let (_, text) = failure(&mut here(&["distill"]));
    assert!(text.contains("--teacher"), "{text}");
    let (_, text) = failure(&mut here(&["distill", "--teacher", teacher, "--hidden", "128"]));
    assert!(text.contains("--hidden 128") && text.contains("--from scratch"), "{text}");
    let translations = place.folder.path().join("ru.tsv");
    std::fs::write(&translations, "The oil pump is worn.\tМасляный насос изношен.\n").unwrap();
    let short = ["--max-length", "32", "--batch", "16", "--max-steps", "8"];
    let of_teacher = ["distill", "--teacher", teacher, "--layers", "2", "--inner", "96", "--positions", "64"];
    let table = ["--translations", translations.to_str().unwrap()];
    let distilled = json(&mut here(&[&of_teacher[..], &short, &table].concat()));
    assert_eq!((&distilled["dim"], &distilled["translations"]), (&384.into(), &1.into()), "{distilled}");
    let agreement = |name: &str| distilled[name].as_f64().unwrap();
    assert!(agreement("agreement") > agreement("agreement_before"), "{distilled}");
    let inspected = json(&mut here(&["inspect", "--tokenizer", "distilled"]));
    assert!(inspected["tokens"].as_u64().unwrap() > 0);

    // Of another width, with a dense layer that leads to the teacher's.
    let scratch = [
        "distill",
        "--teacher",
        teacher,
        "--layers",
        "1",
        "--hidden",
        "64",
        "--from",
        "scratch",
        "--name",
        "slim",
        "--stored",
        "f16",
    ];
    let distilled = json(&mut here(&[&scratch[..], &short].concat()));
    assert_eq!(distilled["dim"], 384, "{distilled}");
    let vectors = place.folder.path().join("vectors.npy");
    json(&mut here(&["embed", "--model", "slim", "--to", vectors.to_str().unwrap()]));
}
