//! The whole cycle, from documents to an exported model.

use serde_json::{Value, json};

use crate::support::{Place, failure, from_environment, json, lapidary};

#[test]
fn the_cycle_runs_on_the_sample_corpus() {
    let place = Place::new();
    let (root, here) = (&place.root, |arguments: &[&str]| place.call(arguments));

    let inspected = json(&mut here(&["inspect", "--tokenizer", "embedded"]));
    let (words, tokens) = (inspected["words"].as_u64().unwrap(), inspected["tokens"].as_u64().unwrap());
    assert!((inspected["ratio"].as_f64().unwrap() - tokens as f64 / words as f64).abs() < 1e-9);
    assert_eq!(inspected["verdict"], "fragmented");
    assert!(inspected["worst"][0]["pieces"].as_array().unwrap().len() > 1);

    let trained = json(&mut here(&["tokenizer", "train", "--vocab-size", "2000", "--lowercase"]));
    assert_eq!(trained["artifact"], "bpe@v1");
    let (train, heldout) = (trained["ratio_train"].as_f64().unwrap(), trained["ratio_heldout"].as_f64().unwrap());
    assert!(train < heldout, "a tokenizer is better on what it saw: {train} {heldout}");
    let again = json(&mut here(&["inspect", "--tokenizer", "bpe@v1"]));
    assert_eq!(again["unseen"], json!({ "ratio_train": train, "ratio_heldout": heldout }));
    let details = |version: &str| -> Value {
        let file = root.join("tokenizers/bpe").join(version).join("manifest.json");
        serde_json::from_slice::<Value>(&std::fs::read(file).unwrap()).unwrap()["details"].clone()
    };
    let curve = details("v1")["curve"].as_array().unwrap().clone();
    assert_eq!((&curve[0][0], curve.last().unwrap()), (&json!(261), &json!([2000, heldout, train])));
    let sizes: Vec<&Value> = curve.iter().map(|row| &row[0]).collect();
    assert!(sizes.contains(&&details("v1")["knee"]), "{sizes:?}");
    assert_eq!(details("v1")["meets"], Value::Null, "2,000 tokens are too few for 1.25 tokens a word");

    let all = json(&mut here(&["tokenizer", "train", "--vocab-size", "1000", "--documents", "all"]));
    assert_eq!((&all["artifact"], &all["ratio_heldout"]), (&json!("bpe@v2"), &Value::Null));
    assert_eq!(details("v2")["curve"][40], json!([1000, null, all["ratio_train"]]));

    let pairs = json(&mut here(&["pairs", "structural"]));
    assert!(pairs["train"].as_u64().unwrap() > 20, "{pairs}");

    let tuned =
        json(&mut here(&["tune", "--max-steps", "2", "--batch", "8", "--max-length", "64", "--eval-steps", "1"]));
    assert_eq!(tuned["steps"], 2);
    assert_eq!(tuned["artifact"], "tuned@v1");
    let by_words = tuned["dev_mrr10_bm25"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&by_words) && by_words > 0.1, "titles ask for words of their passages: {tuned}");

    let evaluated = json(&mut here(&["evaluate", "--max-length", "64"]));
    let kinds: Vec<&str> =
        evaluated["systems"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap()).collect();
    for kind in ["base", "tuned", "bm25", "fusion"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    assert_eq!(evaluated["looks"], 1);
    assert_eq!(json(&mut here(&["evaluate", "--max-length", "64"]))["looks"], 2);

    let out = place.folder.path().join("out");
    let exported = json(here(&["export", "--to", "st"]).arg(&out));
    assert!(exported["files"].as_array().unwrap().iter().any(|file| file == "model.safetensors"));
    let card = std::fs::read_to_string(out.join("README.md")).unwrap();
    assert!(card.contains("BM25"), "the card holds the measured table");

    let vectors = place.folder.path().join("vectors.npy");
    let embedded = json(here(&["embed"]).arg("--to").arg(&vectors));
    assert_eq!(embedded["dim"], 384);
    assert!(vectors.is_file());

    let listed = json(&mut here(&["runs", "list"]));
    assert!(listed["runs"].as_array().unwrap().iter().all(|run| run["state"] == "finished"), "{listed}");
    assert!(json(&mut here(&["compare", "hot gas defrost"]))["systems"].as_array().unwrap().len() >= 3);
}

#[test]
fn the_demo_tells_the_whole_story() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = lapidary();
    demo.args(["demo", "--max-steps", "2"]).env("HOME", home.path()).env_remove("XDG_DATA_HOME");
    let output = demo.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for chapter in
        ["1. Documents", "2. Fragmentation", "3. Tokenizer", "4. Pairs", "5. Tuning", "6. Proof", "7. Export"]
    {
        assert!(said.contains(chapter), "{chapter} is missing:\n{said}");
    }
}

#[test]
fn a_training_on_several_devices_names_them() {
    let place = Place::with_pairs();
    let call = ["tune", "--device", "cpu,cpu", "--max-steps", "1", "--batch", "6", "--max-length", "32"];
    assert_eq!(json(&mut place.call(&call))["steps"], 1);
    let manifest = std::fs::read(place.root.join("models/tuned/v1/manifest.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&manifest).unwrap()["device"], "cpu,cpu");
    let (_, text) = failure(place.call(&["tune"]).args(["--device", "cuda:1,cuda:1"]));
    assert!(text.contains("--device cuda:1,cuda:1: names a GPU twice"), "{text}");
}

#[test]
fn real_data_gives_the_numbers_that_other_implementations_give() {
    const TEST: &str = "base and BM25 on covidqa";
    let Some(model) = from_environment("LAPIDARY_TEST_MODEL", TEST) else { return };
    let Some(data) = from_environment("LAPIDARY_TEST_DATA", TEST) else { return };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("ws");
    let made = json(lapidary().arg("init").arg(&root).arg("--beir").arg(data.join("covidqa")));
    assert_eq!((made["passages"].as_u64(), made["documents"].as_u64()), (Some(2001), Some(92)));
    assert_eq!(made["question_count"], 393);

    let inspected = json(lapidary().arg("inspect").arg("--workspace").arg(&root).arg("--tokenizer").arg(&model));
    assert!((inspected["ratio"].as_f64().unwrap() - 1.516).abs() < 0.0005, "{}", inspected["ratio"]);

    // Words are ranked whole; the model reads eight tokens of each passage, for it is judged on the smaller set below.
    let evaluate = || {
        let mut command = lapidary();
        command.arg("evaluate").arg("--workspace").arg(&root).arg("--model").arg(&model);
        command
    };
    let mrr = |evaluated: &Value, name: &str| {
        let systems = evaluated["systems"].as_array().unwrap();
        let system = systems.iter().find(|s| s["kind"] == name || s["name"] == name);
        system.unwrap_or_else(|| panic!("no {name}"))["mrr10"].as_f64().unwrap()
    };
    let words = mrr(&json(evaluate().args(["--max-length", "8"])), "BM25 plain");
    assert!((words - 0.667).abs() < 0.02, "BM25 {words}");
    let base = mrr(&json(evaluate().arg("--beir").arg(data.join("xquad-en"))), "base");
    assert!((base - 0.899).abs() < 0.003, "base {base}");
}
