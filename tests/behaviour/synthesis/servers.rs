//! Servers and runs: found, shared, lost and found again, paused, killed.

use std::time::Duration;

use serde_json::{Value, json};

use super::{MODEL, times};
use crate::support::ollama::Ollama;
use crate::support::{Place, failure, json, wait_until};

#[test]
fn without_ollama_it_is_said_how_to_have_one() {
    let place = Place::new();
    let server = Ollama::start(MODEL);
    server.stop();
    let (code, text) = failure(&mut place.synthesis(&[&server], &[]));
    assert_eq!(code, 1);
    for part in
        [server.url().trim_end_matches('/'), "ollama serve", "ollama pull", "--endpoint", "lapidary pairs structural"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (code, text) = failure(&mut place.call(&["pairs", "synthesize", "--endpoint", "https://gpu:11434"]));
    assert!(code == 1 && text.contains("ssh -L"), "{text}");
    assert_eq!(std::fs::read_dir(place.root.join("pairs")).map_or(0, Iterator::count), 0, "no half artifact");
}

#[test]
fn the_environment_names_the_server() {
    let (place, server) = (Place::new(), Ollama::start(MODEL));
    let host = server.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let models = json(place.call(&["pairs", "models"]).env("OLLAMA_HOST", &host));
    let names: Vec<&Value> = models["endpoints"][0]["models"].as_array().unwrap().iter().map(|m| &m["name"]).collect();
    assert_eq!(names, [MODEL], "models that only embed are hidden");
    let made = json(place.call(&["pairs", "synthesize", "--limit", "3"]).env("OLLAMA_HOST", &host));
    assert_eq!(made["model"], MODEL);
}

#[test]
fn a_missing_model_is_named_or_fetched() {
    let (place, server) = (Place::new(), Ollama::start("llama3.1:8b"));
    let (_, text) = failure(&mut place.synthesis(&[&server], &["--model", MODEL]));
    for part in ["qwen3:8b", "llama3.1:8b", "ollama pull qwen3:8b", "--pull"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, text) = failure(&mut place.synthesis(&[&server], &["--model", "nomic-embed-text"]));
    assert!(text.contains("makes embeddings") && text.contains("llama3.1:8b"), "{text}");
    let made = json(&mut place.synthesis(&[&server], &["--model", MODEL, "--pull", "--limit", "3"]));
    assert_eq!((&made["model"], server.pulls()), (&json!(MODEL), vec![MODEL.to_owned()]));
    let (_, text) = failure(&mut place.synthesis(&[&server], &["--model", "nosuch", "--pull"]));
    assert!(text.contains("fetching nosuch"), "{text}");
}

#[test]
fn endpoints_share_the_work_and_one_that_falls_is_taken_back() {
    let place = Place::new();
    let slow = Ollama::builder().model(MODEL, &["completion"]).answer_after(Duration::from_millis(40)).start();
    let fast = Ollama::builder().model(MODEL, &["completion"]).answer_after(Duration::from_millis(10)).start();
    let (command_slow, command_fast) = (slow.url(), fast.url());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The fast one falls once it has answered some, and comes back.
            wait_until("some answers", || fast.requests().len() > 10);
            fast.stop();
            std::thread::sleep(Duration::from_millis(400));
            fast.restart();
        });
        let made = json(
            place
                .call(&["pairs", "synthesize", "--endpoint", &command_slow, "--endpoint", &command_fast])
                .args(["--concurrency", "1"]),
        );
        assert_eq!(made["failed"], 0, "{made}");
        assert!(made["kept"].as_u64().unwrap() > 60, "{made}");
    });
    assert!(slow.requests().len() > 5 && fast.requests().len() > slow.requests().len() / 2);
    let log = place.logged();
    assert!(
        log.contains("an endpoint is left alone for a while")
            && log.contains("\"resting\"")
            && log.contains("answers again"),
        "{log}"
    );
    let last = log
        .lines()
        .rfind(|line| line.contains("\"kind\":\"endpoint\"") && line.contains(fast.url().trim_end_matches('/')));
    assert!(last.unwrap().contains("\"ready\""), "it works again: {last:?}");
}

#[cfg(unix)]
#[test]
fn killed_at_any_moment_it_goes_on_and_asks_nothing_twice() {
    use std::process::{Command, Stdio};
    let place = Place::new();
    let server = Ollama::builder().model(MODEL, &["completion"]).answer_after(Duration::from_millis(15)).start();
    for round in 1..=3 {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("lapidary"))
            .args(["pairs", "synthesize", "--concurrency", "2", "--endpoint", &server.url(), "--workspace"])
            .arg(&place.root)
            .env("LAPIDARY_STATE_DIR", crate::support::state())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("some answers", || server.requests().iter().filter(|seen| seen.status == 200).count() > 14 * round);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let runs = json(&mut place.call(&["runs", "list"]));
    let crashed: Vec<&Value> =
        runs["runs"].as_array().unwrap().iter().filter(|run| run["state"] == "crashed").collect();
    assert_eq!(crashed.len(), 3, "{runs}");
    let made = json(&mut place.call(&["runs", "resume", crashed[2]["id"].as_str().unwrap()]));
    assert_eq!(made["failed"], 0);
    let passages = place.passages().len() - place.lines("synthesized@v1", "without.jsonl").len();
    let times = times(&server.requests());
    assert_eq!(times.len(), passages, "every passage was asked about");
    // What was under way when the process died was never heard: two slots, three deaths.
    let again: usize = times.values().map(|times| times - 1).sum();
    assert!(again <= 6, "{again} requests were made again");
}

#[test]
fn it_pauses_goes_on_and_changes_its_pace() {
    let place = Place::new();
    let server = Ollama::builder().model(MODEL, &["completion"]).answer_after(Duration::from_millis(60)).start();
    let started = json(place.synthesis(&[&server], &["--concurrency", "1"]).arg("--detach"));
    let run = started["run"].as_str().unwrap();
    wait_until("it asks", || server.requests().len() > 2);
    json(&mut place.call(&["runs", "pause", run]));
    wait_until("it pauses", || place.logged().contains("\"paused\":true"));
    std::thread::sleep(Duration::from_millis(200));
    let paused = server.requests().len();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.requests().len(), paused, "nothing is asked meanwhile");
    json(&mut place.call(&["runs", "concurrency", run, "4"]));
    json(&mut place.call(&["runs", "continue", run]));
    wait_until("four at once", || server.busy().peak == 4);
    let output = place.call(&["runs", "watch", run]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let (code, text) = failure(&mut place.call(&["runs", "pause", run]));
    assert!(code == 4, "{text}");
}

#[test]
fn two_who_ask_the_same_at_once_do_not_ask_twice() {
    let place = Place::new();
    let server = Ollama::builder().model(MODEL, &["completion"]).answer_after(Duration::from_millis(50)).start();
    let started = json(place.synthesis(&[&server], &[]).arg("--detach"));
    wait_until("it asks", || !server.requests().is_empty());
    let (code, text) = failure(&mut place.synthesis(&[&server], &[]));
    assert!(code == 1 && text.contains("another run asks the same"), "{text}");
    json(&mut place.call(&["runs", "stop", started["run"].as_str().unwrap()]));
    wait_until("it stops", || place.logged().contains("\"outcome\":\"stopped\""));
    let hung_up = server.requests().iter().filter(|seen| seen.hung_up).count();
    assert!(hung_up <= 2 && std::fs::read_dir(place.root.join("pairs")).map_or(0, Iterator::count) == 0);
}
