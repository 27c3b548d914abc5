//! Pairs by a language model: a server that speaks Ollama's format over HTTP, in good days and bad.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::ollama::{Ollama, Reply, Seen};
use crate::support::{failure, json, lapidary, sample_workspace};

const MODEL: &str = "qwen3:8b";

/// A workspace over the sample documents.
struct Place {
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { root: sample_workspace(folder.path()), _folder: folder }
    }

    fn call(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = lapidary();
        command.args(arguments).arg("--workspace").arg(&self.root);
        command
    }

    /// A synthesis at these servers.
    fn synthesis(&self, servers: &[&Ollama], more: &[&str]) -> assert_cmd::Command {
        let mut command = self.call(&["pairs", "synthesize"]);
        for server in servers {
            command.arg("--endpoint").arg(server.url());
        }
        command.args(more);
        command
    }

    fn lines(&self, artifact: &str, file: &str) -> Vec<Value> {
        let (name, version) = artifact.split_once('@').unwrap();
        let path = self.root.join("pairs").join(name).join(version).join(file);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn manifest(&self, kind: &str, artifact: &str) -> Value {
        let (name, version) = artifact.split_once('@').unwrap();
        let path = self.root.join(kind).join(name).join(version).join("manifest.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// The passages of the corpus, by id.
    fn passages(&self) -> HashMap<String, Value> {
        let text = std::fs::read_to_string(self.root.join("corpus/v1/passages.jsonl")).unwrap();
        let passages = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        passages.map(|passage| (passage["id"].as_str().unwrap().to_owned(), passage)).collect()
    }

    /// Everything that the runs have logged, one text a line.
    fn logged(&self) -> String {
        let mut text = String::new();
        for run in std::fs::read_dir(self.root.join("runs")).unwrap() {
            text.push_str(&std::fs::read_to_string(run.unwrap().path().join("events.jsonl")).unwrap_or_default());
        }
        text
    }
}

/// How often each passage was asked about.
fn times(seen: &[Seen]) -> HashMap<u64, usize> {
    let mut times = HashMap::new();
    for request in seen {
        *times.entry(request.hash).or_insert(0) += 1;
    }
    times
}

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
    assert!(log.contains("an endpoint is left alone for a while") && log.contains("\"resting\""), "{log}");
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

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
