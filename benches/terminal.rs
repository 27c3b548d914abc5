//! What a person at the terminal waits for, measured from outside through a pseudo-terminal: the first frame on a large
//! workspace, a key's way to the screen, attaching to a run of many steps; and the memory that takes.
//!
//! `cargo bench --bench terminal`. Times are medians; the machine should have nothing else to do.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lapidary::corpus::{Document, Fold, Passage};
use lapidary::progress::{Event, Scalars, SystemClock};
use lapidary::runs::{EventLog, NewRun, RunFolder};
use lapidary::workspace::{Config, Kind, Manifest, Source, Workspace};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use serde_json::{Value, json};

const PASSAGES: usize = 100_000;
const STEPS: u64 = 100_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let large = large_workspace(&folder.path().join("large"));
    let (mut first, mut listed) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let begun = Instant::now();
        let mut workbench = Workbench::open(large.root(), folder.path());
        workbench.wait_for("[1 Corpus]");
        first.push(begun.elapsed());
        workbench.wait_for("DOCUMENTS 2,000");
        listed.push(begun.elapsed());
        workbench.quit();
    }
    report("first frame, 100,000 passages", &first);
    report("its documents listed", &listed);

    let mut workbench = Workbench::open(large.root(), folder.path());
    workbench.wait_for("DOCUMENTS 2,000");
    std::thread::sleep(Duration::from_secs(2));
    let keys: Vec<Duration> = (0..60).map(|n| workbench.key(if n % 2 == 0 { b"\x1b[B" } else { b"\x1b[A" })).collect();
    report("a key to its frame, corpus pane", &keys);
    workbench.quit();

    let long = long_run(&folder.path().join("long"));
    let mut workbench = Workbench::open(long.root(), folder.path());
    workbench.wait_for("[1 Corpus]");
    let begun = Instant::now();
    workbench.press(b"4");
    // The last step, read to the end.
    workbench.wait_for("step 100,000 of 100,000");
    let attached = begun.elapsed();
    report("attach to 100,000 steps, from the start of the workbench", &[attached]);
    println!("  resident after it: {} MiB", workbench.resident_mib());
    let keys: Vec<Duration> = (0..60).map(|n| workbench.key(if n % 2 == 0 { b"h" } else { b"l" })).collect();
    report("a key to its frame, tuning pane with 100,000 steps", &keys);
    workbench.quit();

    let sample = folder.path().join("sample");
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-corpus");
    lapidary(&["init", &sample.to_string_lossy(), "--corpus", &documents.to_string_lossy()], folder.path());
    let here = ["--workspace", &sample.to_string_lossy()].map(str::to_owned);
    let call = |arguments: &[&str]| {
        let whole: Vec<&str> = arguments.iter().copied().chain(here.iter().map(String::as_str)).collect();
        lapidary(&whole, folder.path());
    };
    call(&["pairs", "structural"]);
    call(&["tune", "--detach"]);
    let mut workbench = Workbench::open(&sample, folder.path());
    workbench.wait_for("1 run");
    std::thread::sleep(Duration::from_secs(3));
    let keys: Vec<Duration> = (0..60).map(|n| workbench.key(if n % 2 == 0 { b"\x1b[C" } else { b"\x1b[D" })).collect();
    report("a key to its frame, corpus pane, while a training takes all cores", &keys);
    workbench.quit();
    call(&["runs", "stop", "tune"]);
}

/// Calls the binary and waits for it.
fn lapidary(arguments: &[&str], home: &Path) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lapidary"));
    let output = command.args(arguments).env("HOME", home).env("LAPIDARY_STATE_DIR", home).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn report(what: &str, times: &[Duration]) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let ms = |at: usize| times[at.min(times.len() - 1)].as_secs_f64() * 1000.0;
    let (median, late) = (ms(times.len() / 2), ms(times.len() * 95 / 100));
    println!("{what}: median {median:.1} ms, 95 % {late:.1} ms, of {}", times.len());
}

/// A workspace with many passages, written as the corpus job would.
fn large_workspace(root: &Path) -> Workspace {
    let workspace = Workspace::create(root, &Config::new("large", Source::Corpus(vec!["documents".into()]))).unwrap();
    let staged = workspace.stage(Kind::Corpus, "corpus").unwrap();
    let words = ["ammonia", "receiver", "valve", "condenser", "defrost", "thermosiphon", "suction", "oil", "is", "the"];
    let text: String = (0..180).map(|n| words[n * 7 % words.len()]).collect::<Vec<_>>().join(" ");
    let (mut documents, mut passages) = (String::new(), String::new());
    for document in 0..PASSAGES / 50 {
        let record = Document {
            id: format!("d{document:06}"),
            path: format!("manuals/volume-{document:06}.md"),
            title: format!("Volume {document}"),
            format: "markdown".to_owned(),
            encoding: "UTF-8".to_owned(),
            words: 180 * 50,
            passages: 50,
            fold: Fold::Train,
        };
        documents.push_str(&(serde_json::to_string(&record).unwrap() + "\n"));
        for passage in 0..50 {
            let record = Passage {
                id: format!("p{document:06}-{passage:02}"),
                document: format!("d{document:06}"),
                heading: vec![format!("Volume {document}"), format!("Section {passage}")],
                text: format!("{text} {document} {passage}"),
                fold: Fold::Train,
                cluster: (document * 50 + passage) as u32,
            };
            passages.push_str(&(serde_json::to_string(&record).unwrap() + "\n"));
        }
    }
    std::fs::write(staged.path().join("documents.jsonl"), documents).unwrap();
    std::fs::write(staged.path().join("passages.jsonl"), passages).unwrap();
    staged.commit(Manifest::new("corpus", &(), "cpu", Vec::new(), json!({}), 1)).unwrap();
    workspace
}

/// A workspace with one run of many steps, eight hours long.
fn long_run(root: &Path) -> Workspace {
    let workspace = Workspace::create(root, &Config::new("long", Source::Corpus(vec!["documents".into()]))).unwrap();
    let settings = json!({ "name": "long", "epochs": 3.0 });
    let new = NewRun { job: "tune", settings: settings.clone(), device: "cpu", trains: true };
    let run = RunFolder::create(&workspace, &new, &SystemClock::default()).unwrap();
    let log = EventLog::open(&run.path().join("events.jsonl")).unwrap();
    let start = 1_795_000_000_000;
    log.append(&Event::Start { job: "tune".to_owned(), settings, device: "cpu".to_owned() }, start);
    for step in 1..=STEPS {
        let t = start + step * 288;
        let loss = 2.0 / (1.0 + step as f64 / 5000.0) + 0.2 * ((step * 7919 % 1000) as f64 / 1000.0);
        let values = [
            ("loss", loss),
            ("learning_rate", 5e-5 * (1.0 - step as f64 / STEPS as f64)),
            ("gradient_norm", 6.0),
            ("tokens_per_s", 7900.0),
            ("pairs_per_s", 31.0),
        ];
        log.append(&Event::Scalar { step, values: Scalars::from(values) }, t);
        log.append(&Event::progress(step as usize, STEPS as usize, "steps"), t);
    }
    let end = Event::End { outcome: lapidary::progress::Outcome::Finished, error: None, result: Value::Null };
    log.append(&end, start + STEPS * 288 + 1);
    workspace
}

struct Workbench {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn std::io::Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
}

impl Workbench {
    fn open(root: &Path, home: &Path) -> Self {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lapidary"));
        command.arg("--workspace");
        command.arg(root);
        command.env("HOME", home);
        command.env("TERM", "xterm");
        command.env("LC_ALL", "C.UTF-8");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send((Instant::now(), buffer[..n].to_vec())).is_err() {
                    return;
                }
            }
        });
        Self { master: pair.master, writer, child, output, screen: vt100::Parser::new(40, 120, 0) }
    }

    fn press(&mut self, keys: &[u8]) {
        self.writer.write_all(keys).unwrap();
        self.writer.flush().unwrap();
    }

    fn wait_for(&mut self, text: &str) {
        while !self.screen.screen().contents().contains(text) {
            let Ok((_, bytes)) = self.output.recv_timeout(Duration::from_mins(1)) else {
                panic!("{text:?} never came:\n{}", self.screen.screen().contents());
            };
            self.screen.process(&bytes);
        }
    }

    /// From a key to the first bytes after it, on a workbench that was idle.
    fn key(&mut self, key: &[u8]) -> Duration {
        std::thread::sleep(Duration::from_millis(120));
        while let Ok((_, bytes)) = self.output.try_recv() {
            self.screen.process(&bytes);
        }
        let begun = Instant::now();
        self.press(key);
        let (at, _) = self.output.recv_timeout(Duration::from_secs(10)).expect("a frame");
        at - begun
    }

    fn resident_mib(&self) -> u64 {
        let pid = self.child.process_id().unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
    }

    fn quit(mut self) {
        self.press(b"q");
        let _ = self.child.wait();
        drop(self.master);
    }
}
