//! Bad input gets an error that names file, line and remedy.

use std::path::Path;

use crate::support::{failure, json, lapidary, sample_workspace};

#[test]
fn usage_errors_exit_with_2() {
    assert_eq!(failure(lapidary().args(["tune", "--batch", "none"])).0, 1, "no workspace comes first");
    assert_eq!(failure(lapidary().arg("polish")).0, 2);
    let folder = tempfile::tempdir().unwrap();
    let root = sample_workspace(folder.path());
    let (code, text) = failure(lapidary().args(["tune", "--batch", "1"]).arg("--workspace").arg(&root));
    assert_eq!(code, 2);
    assert!(text.contains("--batch 1: must lie between 2 and 65536 pairs"), "{text}");
}

#[test]
fn no_workspace_names_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = failure(lapidary().arg("inspect").current_dir(folder.path()));
    assert_eq!(code, 1);
    assert!(text.contains("lapidary init DIR --corpus PATH"), "{text}");
}

#[test]
fn an_empty_corpus_leaves_no_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let root = folder.path().join("ws");
    let (code, text) = failure(lapidary().arg("init").arg(&root).arg("--corpus").arg(&empty));
    assert_eq!(code, 1);
    assert!(text.contains("empty"), "{text}");
    assert!(!root.exists(), "nothing is left behind");
}

#[test]
fn a_broken_line_and_a_binary_file_are_skipped_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("docs");
    std::fs::create_dir(&documents).unwrap();
    std::fs::write(
        documents.join("faults.jsonl"),
        "{\"text\":\"the compressor trips on high discharge pressure\"}\n{oops\n",
    )
    .unwrap();
    std::fs::write(documents.join("photo.txt"), [0_u8, 159, 146, 150, 0, 0, 7, 1]).unwrap();
    let made = json(lapidary().arg("init").arg(folder.path().join("ws")).arg("--corpus").arg(&documents));
    let skipped = made["skipped"].as_array().unwrap();
    assert!(
        skipped.iter().any(|s| s["path"].as_str().unwrap().ends_with("faults.jsonl") && s["line"] == 2),
        "{skipped:?}"
    );
    assert!(skipped.iter().any(|s| s["path"].as_str().unwrap().ends_with("photo.txt")), "{skipped:?}");
}

fn beir(folder: &Path, qrels: &str) {
    std::fs::create_dir_all(folder.join("qrels")).unwrap();
    std::fs::write(folder.join("corpus.jsonl"), "{\"_id\":\"p1\",\"title\":\"t\",\"text\":\"one passage of text\"}\n")
        .unwrap();
    std::fs::write(folder.join("queries.jsonl"), "{\"_id\":\"q1\",\"text\":\"one query\"}\n").unwrap();
    std::fs::write(folder.join("qrels/test.tsv"), qrels).unwrap();
}

#[test]
fn a_qrel_that_names_no_passage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("set");
    beir(&set, "query-id\tcorpus-id\tscore\nq1\tp9\t1\n");
    let (_, text) = failure(lapidary().arg("init").arg(folder.path().join("ws")).arg("--beir").arg(&set));
    assert!(text.contains("test.tsv") && text.contains('2') && text.contains("p9"), "{text}");
}

/// The embedded base, unpacked where it can be damaged.
fn base(folder: &Path) -> std::path::PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/base-encoder");
    let to = folder.join("base");
    std::fs::create_dir_all(to.join("1_Pooling")).unwrap();
    for name in [
        "config.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "1_Pooling/config.json",
        "config_sentence_transformers.json",
    ] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    to
}

#[test]
fn damaged_models_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = sample_workspace(folder.path());
    json(lapidary().args(["pairs", "structural"]).arg("--workspace").arg(&root));
    let tune = |base: &Path| {
        failure(lapidary().args(["tune", "--max-steps", "1", "--base"]).arg(base).arg("--workspace").arg(&root)).1
    };

    let truncated = base(&folder.path().join("a"));
    let weights = std::fs::read(truncated.join("model.safetensors")).unwrap();
    std::fs::write(truncated.join("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    let text = tune(&truncated);
    assert!(text.contains("model.safetensors"), "{text}");

    let other = base(&folder.path().join("b"));
    let config = std::fs::read_to_string(other.join("config.json")).unwrap();
    std::fs::write(other.join("config.json"), config.replace("\"bert\"", "\"mpnet\"")).unwrap();
    let text = tune(&other);
    assert!(text.contains("mpnet") && text.contains("bert"), "{text}");

    let mismatched = base(&folder.path().join("c"));
    let mut tokenizer: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(mismatched.join("tokenizer.json")).unwrap()).unwrap();
    let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    let size = vocab.len();
    for extra in 0..500 {
        vocab.insert(format!("extra{extra}"), (size + extra).into());
    }
    std::fs::write(mismatched.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let text = tune(&mismatched);
    assert!(text.contains(&(size + 500).to_string()) && text.contains(&size.to_string()), "{text}");
    assert!(!root.join("models").join("tuned").join("v1").exists(), "no partial model is visible");
}

#[test]
fn a_workspace_of_a_newer_schema_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lapidary.toml"), "schema = 99\nfuture = true\n").unwrap();
    let (_, text) = failure(lapidary().arg("inspect").arg("--workspace").arg(folder.path()));
    assert!(text.contains("has schema 99"), "{text}");
}
