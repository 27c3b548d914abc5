//! The workbench in a real pseudo-terminal: keys in, a screen out, and the terminal as it was before.

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::support::{Place, failure, json, lapidary};

/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(1);

/// A terminal with a program in it.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn open(command: CommandBuilder, rows: u16, cols: u16) -> Self {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, cols, 0)));
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (seen, all) = (Arc::clone(&screen), Arc::clone(&bytes));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                seen.lock().unwrap().process(&buffer[..n]);
                all.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Self { master: pair.master, writer, child, screen, bytes }
    }

    fn workbench(place: &Place) -> Self {
        Self::open(place.command(&[]), 40, 120)
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the screen says something; says after how long.
    fn wait_for(&self, what: &str) -> Duration {
        let begun = Instant::now();
        while !self.text().contains(what) {
            assert!(begun.elapsed() < PATIENCE, "{what:?} never came:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
        begun.elapsed()
    }

    fn wait_until(&self, what: &str, ready: impl Fn(&vt100::Screen) -> bool) {
        let begun = Instant::now();
        while !ready(self.screen.lock().unwrap().screen()) {
            assert!(begun.elapsed() < PATIENCE, "{what}:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn resize(&self, rows: u16, cols: u16) {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        self.master.resize(size).unwrap();
        self.screen.lock().unwrap().screen_mut().set_size(rows, cols);
    }

    /// Waits for the program to end; says after how long.
    fn wait_for_end(&mut self) -> (Duration, u32) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (begun.elapsed(), status.exit_code());
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// Its folder is the home of whoever sits at the terminal.
impl Place {
    /// What a command without a terminal answers. The queue of training jobs is this place's own.
    fn answer(&self, arguments: &[&str]) -> serde_json::Value {
        json(self.call(arguments).env("LAPIDARY_STATE_DIR", self.folder.path()))
    }

    fn command(&self, arguments: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lapidary"));
        command.args(arguments);
        command.arg("--workspace");
        command.arg(&self.root);
        self.dress(&mut command);
        command
    }

    /// The environment of a plain terminal.
    fn dress(&self, command: &mut CommandBuilder) {
        command.env("HOME", self.folder.path());
        command.env("TERM", "xterm");
        command.env("LANG", "C.UTF-8");
        command.env("LC_ALL", "C.UTF-8");
        command.env("LAPIDARY_STATE_DIR", self.folder.path());
        command.env("LAPIDARY_CONFIG", self.config());
        command.env("RUST_BACKTRACE", "0");
        command.env_remove("COLORTERM");
        command.env_remove("NO_COLOR");
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    fn runs(&self) -> Vec<serde_json::Value> {
        self.answer(&["runs"])["runs"].as_array().unwrap().clone()
    }

    fn wait_for_state(&self, state: &str) -> serde_json::Value {
        let begun = Instant::now();
        loop {
            let runs = self.runs();
            if let Some(run) = runs.iter().find(|run| run["state"] == state) {
                return run.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "no run is {state}: {runs:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// An interactive shell that starts the workbench, as people do.
fn shell(place: &Place) -> Terminal {
    let mut command = CommandBuilder::new("sh");
    command.arg("-i");
    place.dress(&mut command);
    command.env("PS1", "ready> ");
    let mut terminal = Terminal::open(command, 30, 100);
    terminal.wait_for("ready>");
    let binary = env!("CARGO_BIN_EXE_lapidary");
    terminal.press(&format!("{binary} --workspace {}\n", place.root.display()));
    terminal.wait_for("[1 Corpus]");
    terminal
}

/// What a terminal looks like that was given back.
fn is_given_back(screen: &vt100::Screen) -> bool {
    !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
}

#[test]
fn it_starts_and_quits_and_the_terminal_is_as_before() {
    let place = Place::new();
    let mut terminal = shell(&place);
    terminal.wait_until("the alternate screen", vt100::Screen::alternate_screen);
    terminal.wait_for("ammonia");
    terminal.press("?");
    terminal.wait_for("walk to the token before");
    terminal.press("q");
    terminal.press("q");
    terminal.wait_until("the terminal is given back", is_given_back);
    terminal.press("stty -a; echo th'e e'nd\n");
    terminal.wait_for("the end");
    let settings = terminal.text();
    for setting in ["icanon", "echo", "isig", "opost"] {
        assert!(settings.split_whitespace().any(|word| word == setting), "{setting}:\n{settings}");
    }
}

#[test]
fn every_pane_opens_and_is_drawn_in_one_piece() {
    let place = Place::with_pairs();
    let mut terminal = Terminal::workbench(&place);
    for (key, title) in
        [("2", "TOKENIZERS"), ("3", "structural@v1"), ("4", "[4 Tuning]"), ("6", "RUNS"), ("1", "DOCUMENTS")]
    {
        terminal.press(key);
        terminal.wait_for(title);
    }
    // Every frame stands between its marks.
    let bytes = terminal.bytes.lock().unwrap().clone();
    let count = |mark: &[u8]| bytes.windows(mark.len()).filter(|window| *window == mark).count();
    let (begun, ended) = (count(b"\x1b[?2026h"), count(b"\x1b[?2026l"));
    assert!(begun > 5 && begun.abs_diff(ended) <= 1, "{begun} begun, {ended} ended");
}

#[test]
fn an_idle_workbench_sends_nothing() {
    let place = Place::new();
    let mut terminal = Terminal::workbench(&place);
    terminal.wait_for("fragmented: train your own");
    let length = || terminal.bytes.lock().unwrap().len();
    // Until the last worker is done there may be something to draw.
    let mut before = 0;
    let begun = Instant::now();
    while length() != before {
        assert!(begun.elapsed() < PATIENCE, "it never comes to rest");
        before = length();
        std::thread::sleep(Duration::from_secs(2));
    }
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(length() - before, 0, "bytes of an unchanged model");
    terminal.press("q");
    assert_eq!(terminal.wait_for_end().1, 0);
}

#[test]
fn a_storm_of_sizes_leaves_a_whole_screen() {
    let place = Place::new();
    let mut terminal = Terminal::workbench(&place);
    terminal.wait_for("[1 Corpus]");
    for n in 0_u16..60 {
        terminal.resize(2 + n * 7 % 60, 5 + n * 13 % 200);
        std::thread::sleep(Duration::from_millis(3));
    }
    terminal.resize(8, 30);
    terminal.wait_for("lapidary needs 40x10");
    terminal.resize(24, 80);
    terminal.wait_for("[1 Corpus]");
    terminal.wait_for("DOCUMENTS 20");
    terminal.press("q");
    assert_eq!(terminal.wait_for_end().1, 0);
}

#[test]
fn ctrl_z_gives_the_shell_back_and_fg_returns() {
    let place = Place::new();
    let mut terminal = shell(&place);
    terminal.wait_for("DOCUMENTS");
    terminal.press("\x1a");
    terminal.wait_until("the terminal is given back", is_given_back);
    terminal.press("echo in'side the sh'ell\n");
    terminal.wait_for("inside the shell");
    terminal.press("fg\n");
    terminal.wait_until("the alternate screen", vt100::Screen::alternate_screen);
    terminal.wait_for("DOCUMENTS");
    terminal.press("6");
    terminal.wait_for("[6 Runs]");
    terminal.press("q");
    terminal.wait_until("the terminal is given back", is_given_back);
}

/// Is run again by the next test, inside a terminal: there it panics while it draws.
#[test]
fn panics_while_it_draws() {
    if std::env::var_os("LAPIDARY_TEST_PANIC").is_none() {
        return;
    }
    lapidary::tui::terminal::restore_on_panic();
    let mut screen = lapidary::tui::terminal::Screen::enter(true).unwrap();
    screen.draw(|_| panic!("the pane is on fire")).unwrap();
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    let place = Place::new();
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["workbench::panics_while_it_draws", "--exact", "--nocapture"]);
    place.dress(&mut command);
    command.env("LAPIDARY_TEST_PANIC", "1");
    let mut terminal = Terminal::open(command, 24, 80);
    assert_ne!(terminal.wait_for_end().1, 0);
    terminal.wait_for("the pane is on fire");
    assert!(is_given_back(terminal.screen.lock().unwrap().screen()));
    let bytes = terminal.bytes.lock().unwrap().clone();
    let at = |mark: &[u8]| bytes.windows(mark.len()).position(|window| window == mark).unwrap();
    assert!(at(b"\x1b[?1049l") < at(b"the pane is on fire"), "the words stand on the screen that stays");
}

/// Is run again by the next test: it holds a terminal with a workbench in it until it is killed, which is all that a
/// broken connection does.
#[test]
fn holds_a_terminal() {
    let Some(told) = std::env::var_os("LAPIDARY_TEST_HOLD") else { return };
    let root = std::env::var_os("LAPIDARY_TEST_ROOT").unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lapidary"));
    command.arg("--workspace");
    command.arg(root);
    command.env("TERM", "xterm");
    let mut terminal = Terminal::open(command, 40, 120);
    terminal.wait_for("DOCUMENTS");
    // A job by its form, as it stands.
    terminal.press("4n");
    terminal.wait_for("Start which job?");
    terminal.press("\r");
    terminal.wait_for("tune: Fine-tune an encoder");
    terminal.press("\r");
    terminal.wait_for("started 20");
    std::fs::write(told, terminal.child.process_id().unwrap().to_string()).unwrap();
    std::thread::sleep(PATIENCE);
}

/// Whether a process is over; one that waits for its parent's look is.
fn is_over(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

#[test]
#[cfg(target_os = "linux")]
fn a_hang_up_ends_the_workbench_and_not_its_job() {
    let place = Place::with_pairs();
    let told = place.folder.path().join("pid");
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["workbench::holds_a_terminal", "--exact"])
        .env("LAPIDARY_TEST_HOLD", &told)
        .env("LAPIDARY_TEST_ROOT", &place.root)
        .env("HOME", place.folder.path())
        .env("LC_ALL", "C.UTF-8")
        .env("LAPIDARY_STATE_DIR", place.folder.path())
        .env("LAPIDARY_CONFIG", place.config())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let pid = loop {
        match std::fs::read_to_string(&told) {
            Ok(pid) if !pid.is_empty() => break pid,
            _ => assert!(begun.elapsed() < PATIENCE && holder.try_wait().unwrap().is_none(), "no workbench"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let run = place.wait_for_state("running");
    assert!(!is_over(&pid));
    holder.kill().unwrap();
    let begun = Instant::now();
    while !is_over(&pid) {
        assert!(begun.elapsed() < Duration::from_secs(1), "the workbench outlives its terminal");
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("the workbench ended {:?} after its terminal", begun.elapsed());
    holder.wait().unwrap();
    assert_eq!(place.wait_for_state("running")["id"], run["id"]);

    let mut second = Terminal::workbench(&place);
    second.wait_for("1 run");
    second.press("4");
    second.wait_for("running");
    second.press("x");
    second.wait_for("stops at its next safe point");
    place.wait_for_state("stopped");
}

#[test]
fn a_killed_worker_is_shown_as_crashed() {
    let place = Place::with_pairs();
    let id = place.answer(&["tune", "--detach"])["run"].as_str().unwrap().to_owned();
    let mut terminal = Terminal::workbench(&place);
    terminal.press("6");
    terminal.wait_for("running");
    let record = std::fs::read_to_string(place.root.join("runs").join(&id).join("run.json")).unwrap();
    let pid = serde_json::from_str::<serde_json::Value>(&record).unwrap()["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let took = terminal.wait_for("crashed");
    println!("crashed on screen after {took:?}");
    terminal.wait_for("r resumes it");
}

#[test]
fn what_is_wrong_is_named_on_screen() {
    let place = Place::new();
    std::fs::write(place.config(), "colour = 'none'\nflavour = 'mint'\n").unwrap();
    let newer = place.root.join("runs/20260101T000000Z-tune-0001");
    std::fs::create_dir_all(&newer).unwrap();
    std::fs::write(newer.join("run.json"), r#"{"schema": 99}"#).unwrap();
    let torn = place.root.join("runs/20260101T000000Z-tune-0002");
    std::fs::create_dir_all(&torn).unwrap();
    let record =
        r#"{"schema":1,"job":"tune","settings":{},"device":"cpu","created_unix_ms":5,"host":"h","boot":"b","pid":1}"#;
    std::fs::write(torn.join("run.json"), record).unwrap();
    std::fs::write(
        torn.join("events.jsonl"),
        "garbage\n{\"v\":1,\"t\":6,\"kind\":\"note\",\"text\":\"it spoke\"}\n{\"v\":1,",
    )
    .unwrap();
    let mut terminal = Terminal::workbench(&place);
    terminal.wait_for("unknown field `flavour`");
    terminal.wait_for("config.toml:2");
    terminal.press("\x1b");
    // An escape and a key at once would be another key.
    terminal.wait_until("the words go", |screen| !screen.contents().contains("flavour"));
    terminal.press("6");
    terminal.wait_for("has schema 99");
    terminal.press("/");
    terminal.press("0002\r");
    terminal.wait_for("it spoke");
    terminal.wait_for("lines of its log that are no events and were left out: 1");
    terminal.press("q");
    assert_eq!(terminal.wait_for_end().1, 0);
}

#[test]
fn a_corpus_that_vanishes_is_named_and_nothing_crashes() {
    let place = Place::new();
    let mut terminal = Terminal::workbench(&place);
    terminal.wait_for("a word");
    std::fs::remove_dir_all(place.root.join("corpus")).unwrap();
    for _ in 0..4 {
        terminal.press("\x1b[B");
        std::thread::sleep(Duration::from_millis(50));
    }
    terminal.wait_for("No such file");
    terminal.press("6");
    terminal.wait_for("[6 Runs]");
    terminal.press("q");
    assert_eq!(terminal.wait_for_end().1, 0);
}

#[test]
fn no_escape_of_a_document_reaches_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    std::fs::create_dir(&documents).unwrap();
    let evil = "A \u{1b}[31mred\u{1b}[0m word, a bell \u{7}, \u{202e}reversed\u{202c}, e\u{301}, שלום, and\u{9b}8m.";
    let record = serde_json::json!({ "title": "Title \u{1b}]0;owned\u{7}", "text": evil });
    std::fs::write(documents.join("evil.jsonl"), record.to_string()).unwrap();
    let long = "x".repeat(1_000_000);
    std::fs::write(documents.join("long.txt"), format!("one line {long} of a megabyte")).unwrap();
    let root = folder.path().join("w");
    json(lapidary().arg("init").arg(&root).arg("--corpus").arg(&documents));
    let place = Place { root, folder };
    let mut terminal = Terminal::workbench(&place);
    terminal.wait_for("DOCUMENTS 2");
    terminal.wait_for("a word");
    for key in ["\x1b[B", "\x1b[A", "w", "\x1b[C", "v"] {
        terminal.press(key);
        std::thread::sleep(Duration::from_millis(100));
    }
    terminal.press("q");
    assert_eq!(terminal.wait_for_end().1, 0);
    let bytes = terminal.bytes.lock().unwrap().clone();
    for sequence in ["\u{1b}]0;", "\u{1b}[31mred", "\u{7}", "\u{202e}", "\u{9b}"] {
        let sequence = sequence.as_bytes();
        let found = bytes.windows(sequence.len()).any(|window| window == sequence);
        assert!(!found, "{:?} reached the terminal", String::from_utf8_lossy(sequence));
    }
}

#[test]
fn without_a_terminal_it_says_so() {
    let (code, said) = failure(&mut lapidary());
    assert_eq!(code, 2);
    assert!(said.contains("the workbench needs a terminal"), "{said}");
}

#[test]
fn the_keys_are_told_as_a_configuration() {
    let place = Place::new();
    let told = lapidary().arg("keys").env("LAPIDARY_CONFIG", place.config()).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("[keys.corpus]") && told.contains("worst"), "{told}");
    // What it prints can be the file itself.
    std::fs::write(place.config(), &told).unwrap();
    let listed = json(lapidary().arg("keys").env("LAPIDARY_CONFIG", place.config()));
    assert!(listed["keys"].as_array().unwrap().len() > 80);
    std::fs::write(place.config(), "[keys.corpus]\nworst = ['q']\n").unwrap();
    let (code, said) = failure(lapidary().arg("keys").env("LAPIDARY_CONFIG", place.config()));
    assert!(code == 1 && said.contains("would do two things"), "{said}");
    assert!(Path::new(&place.root).is_dir());
}
