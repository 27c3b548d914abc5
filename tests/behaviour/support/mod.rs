//! A workspace on disk, the binary, and the real model and data where the environment names them.

pub(crate) mod hub;
pub(crate) mod ollama;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;

thread_local! {
    /// Each test waits in a queue of its own, not behind the others or behind what the user trains.
    static STATE: tempfile::TempDir = tempfile::tempdir().unwrap();
}

/// Where this test's runs wait for each other.
pub(crate) fn state() -> PathBuf {
    STATE.with(|folder| folder.path().to_owned())
}

/// The binary, told to stay small.
pub(crate) fn lapidary() -> Command {
    let mut command = Command::cargo_bin("lapidary").unwrap();
    command.env_remove("LAPIDARY_WORKSPACE").env_remove("OLLAMA_HOST").env("LAPIDARY_STATE_DIR", state());
    command
}

/// What a successful command printed with `--format json`.
pub(crate) fn json(command: &mut Command) -> Value {
    let output = command.args(["--format", "json"]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{}", tail(&err));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// What a failing command said, and its exit code.
pub(crate) fn failure(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?} should have failed");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Twenty of the sample documents: enough for a cycle, few enough for a test.
const DOCUMENTS: [&str; 20] = [
    "compressors/economiser-and-two-stage.md",
    "compressors/screw-compressor-slide-valve.md",
    "compressors/startup-checklist.txt",
    "compressors/thermosiphon-oil-cooling.md",
    "condensers/evaporative-condenser.md",
    "controls/fault-codes.jsonl",
    "evaporators/defrost-schedules.txt",
    "evaporators/hot-gas-defrost.md",
    "evaporators/liquid-overfeed.md",
    "glossary.csv",
    "ru/ammiachnye-resivery.md",
    "ru/ottaika-goryachim-gazom.md",
    "ru/pusk-vintovogo-kompressora.txt",
    "ru/utechka-ammiaka.md",
    "safety/leak-detection.rst",
    "safety/safety-relief.html",
    "secondary/brine-chiller.md",
    "secondary/glycol-loop.txt",
    "vessels/high-pressure-receiver.md",
    "vessels/oil-draining-ammonia.md",
];

/// A folder with some of the project's own sample documents.
pub(crate) fn sample() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-corpus");
        for document in DOCUMENTS {
            let name = Path::new(document).file_name().unwrap();
            std::fs::copy(from.join(document), folder.path().join(name)).unwrap();
        }
        folder
    });
    folder.path().to_owned()
}

/// A workspace over the sample documents.
pub(crate) fn sample_workspace(folder: &Path) -> PathBuf {
    let root = folder.join("workspace");
    lapidary().arg("init").arg(&root).arg("--corpus").arg(sample()).assert().success();
    root
}

/// A workspace of a test's own over the sample documents. Tests give it more methods where they need them.
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { root: sample_workspace(folder.path()), folder }
    }

    /// One that has pairs from its documents' structure.
    pub(crate) fn with_pairs() -> Self {
        let place = Self::new();
        json(&mut place.call(&["pairs", "structural"]));
        place
    }

    /// A command in the workspace.
    pub(crate) fn call(&self, arguments: &[&str]) -> Command {
        let mut command = lapidary();
        command.args(arguments).arg("--workspace").arg(&self.root);
        command
    }
}

/// Waits two minutes at most.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(2), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder that the environment names; where it does not, the test says that it was skipped.
pub(crate) fn from_environment(variable: &str, test: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        println!("skipped: {test} needs {variable}");
    }
    path
}
