//! Bad days of a server: each has its message, and costs no answer.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;

use super::{MODEL, times};
use crate::support::ollama::{Ollama, Reply};
use crate::support::{Place, failure, json};

/// What one kind of bad day does: the first request about every fourth passage or so is treated so.
struct Fault {
    name: &'static str,
    reply: fn() -> Reply,
    /// What the user is told of passages that are given up; empty: a good client gets the answer.
    told: &'static str,
    /// Whether it counts as the server's trouble, so that no passage is given up for it.
    of_server: bool,
    settings: &'static [&'static str],
}

impl Fault {
    const fn new(name: &'static str, reply: fn() -> Reply, told: &'static str) -> Self {
        Self { name, reply, told, of_server: false, settings: &[] }
    }
}

const FAULTS: &[Fault] = &[
    Fault::new("closed", || Reply::Refuse, "ended before the answer did"),
    Fault::new("500", || Reply::Status(500, "out of memory".to_owned()), "answered 500: out of memory"),
    Fault::new("error line", || Reply::ErrorLine("an error was encountered".to_owned()), "an error was encountered"),
    Fault::new("cut inside a character", || Reply::CutStream, "ended before the answer did"),
    Fault::new("split characters", || Reply::SplitCharacter, ""),
    Fault::new("prose", || Reply::Text("I would rather not.".to_owned()), "no JSON object in the answer"),
    Fault::new("other keys", || Reply::Text("{\"a\": 1}".to_owned()), "none of the keys"),
    Fault::new("thinks aloud", || Reply::Thinking("Let me see {what} this is.".to_owned()), ""),
    Fault::new("thinks", || Reply::ThinkingField, ""),
    Fault::new("fences", || Reply::Fenced, ""),
    Fault::new("double braces", || Reply::DoubleBraces, ""),
    Fault::new("truncated", || Reply::Truncated, "cut off after"),
    Fault::new("endless", || Reply::Endless, "did not end after"),
    Fault {
        settings: &["--silence", "1.5"],
        ..Fault::new("silent", || Reply::Silence(Duration::from_mins(1)), "silent for 2 s in the middle")
    },
    Fault {
        settings: &["--load-timeout", "1.5"],
        ..Fault::new("too slow to load", || Reply::SlowLoad(Duration::from_mins(1)), "before it answered")
    },
    Fault::new("slow to load", || Reply::SlowLoad(Duration::from_secs(1)), ""),
    Fault { of_server: true, ..Fault::new("busy", || Reply::Status(503, "server busy".to_owned()), "") },
];

/// Whether a passage has a bad day.
fn is_unlucky(passage: &str) -> bool {
    passage.bytes().take(30).map(u32::from).sum::<u32>() % 4 == 0
}

#[test]
fn each_fault_has_its_message_and_costs_no_answer() {
    for fault in FAULTS {
        let place = Place::new();
        let (reply, own) = (fault.reply, fault.name);
        let server = Ollama::builder()
            .model(MODEL, &["completion"])
            .script(
                move |request| if request.attempt == 0 && is_unlucky(&request.passage) { reply() } else { Reply::Good },
            )
            .start();
        let mut settings = vec!["--limit", "16", "--tries", "1"];
        settings.extend(fault.settings);
        let made = json(&mut place.synthesis(&[&server], &settings));
        let without = place.lines(made["artifact"].as_str().unwrap(), "without.jsonl");
        let failed: Vec<&str> =
            without.iter().filter(|row| row["reason"] == "no answer").map(|row| row["why"].as_str().unwrap()).collect();
        let unlucky = server.requests().iter().filter(|seen| is_unlucky(&seen.passage)).count();
        assert!(unlucky > 0, "{own}: nobody was unlucky");
        if fault.told.is_empty() {
            assert!(failed.is_empty(), "{own}: {failed:?}");
        } else {
            assert!(!failed.is_empty(), "{own}: nobody was told: {made}");
            assert!(failed.iter().all(|why| why.contains(fault.told)), "{own}: {failed:?}");
            // The next time they are asked about again, and nobody else is.
            let before = times(&server.requests());
            let again = json(&mut place.synthesis(&[&server], &settings));
            assert_eq!((&again["failed"], &again["asked"]), (&json!(0), &json!(failed.len())), "{own}");
            let after = times(&server.requests());
            assert_eq!(after.values().sum::<usize>(), before.values().sum::<usize>() + failed.len(), "{own}");
        }
        if fault.of_server {
            assert!(place.logged().contains("left alone for a while"), "{own}");
        }
        if own == "split characters" {
            let rows = place.lines(made["artifact"].as_str().unwrap(), "train.jsonl");
            assert!(rows.iter().all(|row| !row["query"].as_str().unwrap().contains('\u{fffd}')));
        }
    }
}

#[test]
fn a_wrong_answer_is_told_to_the_model() {
    let place = Place::new();
    let server = Ollama::builder()
        .model(MODEL, &["completion", "thinking"])
        .script(|request| if request.attempt == 0 { Reply::Truncated } else { Reply::Good })
        .start();
    let made = json(&mut place.synthesis(&[&server], &["--limit", "4", "--concurrency", "1"]));
    assert_eq!(made["failed"], 0);
    let seen = server.requests();
    let (first, second) = (&seen[0].body, &seen[1].body);
    assert_eq!((&first["think"], &second["think"]), (&json!(false), &json!(false)), "it can think, and should not");
    assert_eq!((&first["options"]["num_predict"], &second["options"]["num_predict"]), (&json!(512), &json!(1024)));
    assert_ne!(first["options"]["seed"], second["options"]["seed"]);
    let told = second["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
    assert!(told.contains("512") || told.contains("cut off") || told.contains("after"), "{told}");
}

#[test]
fn a_model_that_is_gone_ends_it_with_nothing_lost() {
    let place = Place::new();
    let server = Ollama::builder()
        .model(MODEL, &["completion"])
        .script(|request| {
            let gone = Reply::Status(404, format!("model '{MODEL}' not found"));
            if request.number < 5 { Reply::Good } else { gone }
        })
        .start();
    let (code, text) = failure(&mut place.synthesis(&[&server], &["--concurrency", "1"]));
    assert!(
        code == 1 && text.contains("no endpoint answers any more") && text.contains("ollama pull qwen3:8b"),
        "{text}"
    );
    let healthy = Ollama::start(MODEL);
    let made = json(&mut place.synthesis(&[&healthy], &[]));
    let all = made["asked"].as_u64().unwrap() as usize;
    assert_eq!(all, healthy.requests().len());
    let asked: HashMap<u64, usize> = times(&server.requests()[..5]);
    assert!(healthy.requests().iter().all(|seen| !asked.contains_key(&seen.hash)), "nothing is asked twice");
}

#[test]
fn bad_days_at_three_endpoints_cost_no_passage() {
    let place = Place::new();
    let server = |number: usize| {
        Ollama::builder()
            .model(MODEL, &["completion"])
            .answer_after(Duration::from_millis(5))
            .script(move |request| match (request.number * 3 + number) % 40 {
                3 => Reply::Refuse,
                13 => Reply::Status(500, "no".to_owned()),
                23 => Reply::CutStream,
                33 => Reply::Text("no JSON".to_owned()),
                _ => Reply::Good,
            })
            .start()
    };
    let servers: Vec<Ollama> = (0..3).map(server).collect();
    let made = json(&mut place.synthesis(&servers.iter().collect::<Vec<_>>(), &[]));
    assert_eq!(made["failed"], 0, "{made}");
    assert_eq!(made["passages"], made["asked"]);
}
