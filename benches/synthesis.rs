//! Asking a language model about many passages: how busy it is kept, and what bad days cost.
//!
//! `cargo bench --profile dev --bench synthesis`. The servers are those of the tests: they speak Ollama's format over HTTP
//! and answer after 50 ms, four at a time, so that the numbers are the client's and no model's.

// The tests' server, with what only they use.
#[path = "../tests/behaviour/support/ollama/mod.rs"]
mod ollama;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ollama::{Ollama, Reply};
use serde_json::Value;

const MODEL: &str = "qwen3:8b";
const ANSWER: Duration = Duration::from_millis(50);
const SLOTS: usize = 4;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!("one server, answers after 50 ms, four at once; medians of three");
    for concurrency in [4, 5] {
        let root = workspace(folder.path(), 1500);
        let mut shares: Vec<f64> =
            (0..3).map(|seed| busy(&root, concurrency, 10 * concurrency as u64 + seed)).collect();
        shares.sort_by(f64::total_cmp);
        println!("  --concurrency {concurrency}: its slots are busy {:.1} % of the time", shares[1] * 100.0);
    }
    println!("20,000 passages, three servers, one call of ten fails in one of ten ways");
    soak(&workspace(folder.path(), 20_000));
}

/// The share of the time that the slots of a server are busy, from its first request to its last.
fn busy(root: &Path, concurrency: usize, seed: u64) -> f64 {
    let server = server(0, false);
    synthesize(root, &[&server], &["--concurrency", &concurrency.to_string(), "--seed", &seed.to_string()]);
    server.busy().share()
}

fn soak(root: &Path) {
    let servers: Vec<Ollama> = (0..3).map(|number| server(number, true)).collect();
    let begun = Instant::now();
    let settings = ["--concurrency", "4", "--silence", "2", "--load-timeout", "2"];
    let made = synthesize(root, &servers.iter().collect::<Vec<_>>(), &settings);
    let seconds = begun.elapsed().as_secs_f64();
    let requests: usize = servers.iter().map(|server| server.requests().len()).sum();
    println!(
        "  {seconds:.0} s, {requests} requests, {} passages, {} answered, {} given up, {} MiB at most",
        made["passages"],
        made["passages"].as_u64().unwrap_or(0) - made["failed"].as_u64().unwrap_or(0),
        made["failed"],
        made["peak_rss_mib"],
    );
    for (number, server) in servers.iter().enumerate() {
        println!(
            "  server {number}: {} requests, busy {:.1} %",
            server.requests().len(),
            server.busy().share() * 100.0
        );
    }
}

/// A server; on bad days one call of ten fails, each time in another way.
fn server(number: usize, bad_days: bool) -> Ollama {
    let builder = Ollama::builder().model(MODEL, &["completion"]).slots(SLOTS).answer_after(ANSWER).forget_bodies();
    builder
        .script(move |request| {
            if !bad_days || !(request.number + number).is_multiple_of(10) {
                return Reply::Good;
            }
            match (request.number + number) / 10 % 10 {
                0 => Reply::Refuse,
                1 => Reply::Status(500, "out of memory".to_owned()),
                2 => Reply::Status(503, "server busy".to_owned()),
                3 => Reply::ErrorLine("an error was encountered while running the model".to_owned()),
                4 => Reply::CutStream,
                5 => Reply::SplitCharacter,
                6 => Reply::Text("no JSON at all".to_owned()),
                7 => Reply::Truncated,
                8 => Reply::Fenced,
                // Longer than the client waits here.
                _ if request.number % 400 == 90 => Reply::Silence(Duration::from_mins(1)),
                _ => Reply::Thinking("what is this about?".to_owned()),
            }
        })
        .start()
}

fn synthesize(root: &Path, servers: &[&Ollama], more: &[&str]) -> Value {
    let mut command = lapidary();
    command.args(["pairs", "synthesize", "--format", "json", "--workspace"]).arg(root).args(more);
    for server in servers {
        command.arg("--endpoint").arg(server.url());
    }
    let output = command.output().expect("lapidary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).expect("a report")
}

/// A workspace of so many passages of 60 words each, no two alike.
fn workspace(folder: &Path, passages: usize) -> std::path::PathBuf {
    let (set, root) = (folder.join(format!("set{passages}")), folder.join(format!("workspace{passages}")));
    if root.exists() {
        return root;
    }
    std::fs::create_dir_all(set.join("qrels")).expect("a folder");
    let mut random = 1_u64;
    let mut next = |most: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % most
    };
    let mut corpus = String::new();
    for passage in 0..passages {
        let words: Vec<String> = (0..60).map(|_| word(next(8000))).collect();
        let (document, text) = (passage / 4, words.join(" "));
        let _ = writeln!(corpus, "{{\"_id\":\"p{passage}\",\"title\":\"Manual {document}\",\"text\":\"{text}\"}}");
    }
    let write = |name: &str, text: &str| std::fs::write(set.join(name), text).expect("a file");
    write("corpus.jsonl", &corpus);
    write("queries.jsonl", "{\"_id\":\"q\",\"text\":\"which valve\"}\n{\"_id\":\"r\",\"text\":\"which pump\"}\n");
    write("qrels/train.tsv", "query-id\tcorpus-id\tscore\nr\tp9\t1\n");
    write("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq\tp0\t1\n");
    let made = lapidary().arg("init").arg(&root).arg("--beir").arg(&set).output().expect("lapidary runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    root
}

/// A word that can be spoken, one for each number.
fn word(number: u64) -> String {
    let (consonants, vowels) = (b"bdfgklmnprstvz", b"aeiou");
    let mut rest = number + 200;
    let mut word = String::new();
    while rest > 0 {
        word.push(char::from(consonants[(rest % 14) as usize]));
        word.push(char::from(vowels[(rest / 14 % 5) as usize]));
        rest /= 70;
    }
    word
}

fn lapidary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lapidary"));
    command.env("LAPIDARY_STATE_DIR", std::env::temp_dir().join("lapidary-bench-state"));
    command
}
