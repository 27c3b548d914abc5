//! What is asked, what becomes of it, and what is asked again.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{MODEL, times};
use crate::support::ollama::Ollama;
use crate::support::{Place, failure, json};

fn is_judge(request: &Value) -> bool {
    request["format"]["properties"].as_object().unwrap().values().any(|property| property["type"] == "integer")
}

#[test]
fn every_passage_is_asked_about_once_and_what_comes_of_it_is_pairs() {
    let (place, server) = (Place::new(), Ollama::start(MODEL));
    let made = json(&mut place.synthesis(&[&server], &[]));
    assert_eq!(made["artifact"], "synthesized@v1");
    let (kept, asked) = (made["kept"].as_u64().unwrap(), made["asked"].as_u64().unwrap());
    assert!(asked > 40 && kept > asked, "{made}");
    let seen = server.requests();
    assert_eq!(seen.len() as u64, asked);
    assert!(times(&seen).values().all(|times| *times == 1), "no passage is asked about twice");

    let passages = place.passages();
    let poor = place.lines("synthesized@v1", "without.jsonl").len();
    assert_eq!(asked as usize + poor, passages.len(), "poor passages are not asked about, and are listed");
    let (train, dev) = (place.lines("synthesized@v1", "train.jsonl"), place.lines("synthesized@v1", "dev.jsonl"));
    for (rows, fold) in [(&train, "train"), (&dev, "dev")] {
        for row in rows {
            assert_eq!(passages[row["positives"][0].as_str().unwrap()]["fold"], fold);
            assert!(["natural", "keywords", "paraphrase", "problem"].contains(&row["source"].as_str().unwrap()));
            assert!(row["rank"].as_u64().unwrap() <= 10, "the round trip: {row}");
        }
    }
    let in_russian = train.iter().filter(|row| row["query"].as_str().unwrap().contains("Как связаны"));
    assert!(in_russian.count() > 3 && made["rejected"].get("wrong language").is_none(), "{made}");
    let rejected: u64 = made["rejected"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    let kept_apart = place.lines("synthesized@v1", "rejected.jsonl").len() + poor;
    assert_eq!(rejected as usize, kept_apart, "what was rejected is kept");

    let body = &seen[0].body;
    assert_eq!((&body["model"], &body["stream"], &body["keep_alive"]), (&json!(MODEL), &json!(true), &json!("30m")));
    let options = &body["options"];
    assert_eq!((&options["num_ctx"], &options["num_predict"]), (&json!(4096), &json!(512)));
    assert!(body.get("think").is_none(), "the model cannot think");
    assert_eq!(body["format"]["required"].as_array().unwrap().len(), 3, "{body}");
    let russian = seen.iter().filter(|request| request.body["messages"][0]["content"].as_str().unwrap().contains("Ты"));
    assert!(russian.count() > 3, "Russian passages are asked about in Russian");
    assert!(server.loaded().is_empty() && server.unloads().len() == 1, "the memory is free for training");

    let questions = place.manifest("questions", "synthesized@v1");
    assert_eq!(questions["details"]["synthetic"], true);
    let details = place.manifest("pairs", "synthesized@v1")["details"].clone();
    assert_eq!((&details["synthetic"], &details["recipe"]["model"]), (&json!(true), &json!(MODEL)));
    assert!(!details["recipe"]["model_digest"].as_str().unwrap().is_empty());
}

#[test]
fn another_k_asks_nothing_and_another_temperature_asks_anew() {
    let (place, server) = (Place::new(), Ollama::start(MODEL));
    let first = json(&mut place.synthesis(&[&server], &["--limit", "12"]));
    let asked = server.requests().len();
    let within: HashMap<String, usize> = serde_json::from_value(first["within"].clone()).unwrap();
    // Without a word with any server: every answer is there.
    server.stop();
    let again = json(&mut place.synthesis(&[&server], &["--limit", "12", "--round-trip", "1"]));
    assert_eq!((&again["artifact"], &again["asked"]), (&json!("synthesized@v2"), &json!(0)));
    let of_round_trip = again["rejected"].get("round trip").and_then(Value::as_u64).unwrap_or(0) as usize;
    let ranked: usize = within["50"].max(within["20"]);
    assert!(of_round_trip >= ranked - within["1"], "{first} {again}");
    assert!(again["kept"].as_u64().unwrap() <= first["kept"].as_u64().unwrap());
    server.restart();
    // A larger part asks only for what is new.
    let more = json(&mut place.synthesis(&[&server], &["--limit", "20"]));
    assert!(more["asked"].as_u64().unwrap() <= 8 && more["asked"].as_u64().unwrap() > 0, "{more}");
    assert!(times(&server.requests()).values().all(|times| *times == 1));

    let before = server.requests().len();
    let anew = json(&mut place.synthesis(&[&server], &["--limit", "12", "--temperature", "0.1"]));
    assert_eq!((&anew["artifact"], &anew["asked"]), (&json!("synthesized@v4"), &json!(asked)));
    assert_eq!(server.requests().len(), before + asked);
    assert!(place.logged().contains("other than synthesized@v3: --temperature (0.7 before)"), "it says so");
    let answers = std::fs::read_dir(place.root.join("answers")).unwrap().count();
    assert_eq!(answers, 2, "what was asked before stays");
}

#[test]
fn a_judge_sees_every_question_and_its_word_counts() {
    let (place, server) = (Place::new(), Ollama::start(MODEL));
    let made = json(&mut place.synthesis(&[&server], &["--limit", "8", "--judge", "4"]));
    let judged = server.requests().iter().filter(|seen| is_judge(&seen.body)).count();
    assert_eq!(judged as u64, made["asked"].as_u64().unwrap());
    assert!(made["kept"].as_u64().unwrap() > 0 && made["rejected"].get("judged low").is_none(), "{made}");
    // The server gives everything a 4.
    let before = server.requests().len();
    let (_, text) = failure(&mut place.synthesis(&[&server], &["--limit", "8", "--judge", "5"]));
    assert!(text.contains("no pairs to train on (judged low"), "{text}");
    assert_eq!(server.requests().len(), before, "another limit asks nothing");
}

#[test]
fn the_prompt_is_the_users_and_a_mistake_in_it_is_named() {
    let (place, server) = (Place::new(), Ollama::start(MODEL));
    json(&mut place.call(&["pairs", "prompt"]));
    let path = place.root.join("prompts/synthesis.md");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("# user\n", "# user\nSPOKEN LIKE A FITTER\n")).unwrap();
    json(&mut place.synthesis(&[&server], &["--limit", "3"]));
    let asked = server.requests()[0].body["messages"][1]["content"].as_str().unwrap().to_owned();
    assert!(asked.contains("SPOKEN LIKE A FITTER"), "{asked}");
    std::fs::write(&path, text.replace("{kinds}", "{sorts}")).unwrap();
    let (_, text) = failure(&mut place.synthesis(&[&server], &[]));
    assert!(text.contains("prompts/synthesis.md:") && text.contains("sorts"), "{text}");
}

#[test]
fn real_questions_are_examples_and_are_asked_first() {
    let (place, server) = (Place::new(), Ollama::start(MODEL));
    let passages = place.passages();
    let of_fold = |fold: &str| passages.values().find(|passage| passage["fold"] == fold).unwrap().clone();
    let (train, test) = (of_fold("train"), of_fold("test"));
    let file = place.root.join("own.jsonl");
    let row = |query: &str, passage: &Value| json!({ "query": query, "positive": passage["text"] }).to_string();
    let second = passages.values().filter(|passage| passage["fold"] == "train").nth(1).unwrap();
    let lines = [
        row("compressor trips at night, any idea?", &train),
        row("how do I bleed this thing", second),
        row("why does the alarm come back", &test),
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let imported = json(&mut place.call(&["pairs", "import", file.to_str().unwrap()]));
    assert_eq!(imported["test"], 1, "{imported}");
    json(&mut place.synthesis(&[&server], &[]));
    let shown = server.requests()[0].body["messages"][1]["content"].as_str().unwrap().to_owned();
    assert!(shown.contains("compressor trips at night") && !shown.contains("alarm come back"), "{shown}");
    // The synthetic questions are newer, and the user's own are asked all the same.
    let evaluated = json(&mut place.call(&["evaluate", "--model", "embedded", "--max-length", "32"]));
    assert_eq!((&evaluated["questions"], &evaluated["synthetic"]), (&json!("imported@v1"), &json!(false)));
    let asked = ["evaluate", "--model", "embedded", "--max-length", "32", "--questions", "synthesized"];
    let table = place.call(&asked).output().unwrap();
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("synthetic") || table.contains("made from the documents"), "{table}");
}

#[test]
fn the_base_can_make_the_round_trip() {
    let (place, server) = (Place::new(), Ollama::start(MODEL));
    let made =
        json(&mut place.synthesis(&[&server], &["--limit", "10", "--round-trip-by", "base", "--round-trip", "3"]));
    for row in place.lines(made["artifact"].as_str().unwrap(), "train.jsonl") {
        assert!((1..=3).contains(&row["rank"].as_u64().unwrap()), "{row}");
    }
    assert!(made["within"]["1"].as_u64().unwrap() <= made["within"]["50"].as_u64().unwrap());
}

/// With a real Ollama: `LAPIDARY_OLLAMA` is its address, and it must have a model.
#[test]
fn a_real_ollama_asks_questions() {
    let Some(address) = std::env::var_os("LAPIDARY_OLLAMA") else {
        println!("skipped: a_real_ollama_asks_questions needs LAPIDARY_OLLAMA");
        return;
    };
    let place = Place::new();
    let made = json(place.call(&["pairs", "synthesize", "--limit", "5", "--endpoint"]).arg(&address));
    assert!(made["kept"].as_u64().unwrap() > 0, "{made}");
    for row in place.lines("synthesized@v1", "train.jsonl") {
        println!("{:<12} {}", row["source"].as_str().unwrap(), row["query"].as_str().unwrap());
    }
}
