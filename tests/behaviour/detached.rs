//! Jobs that outlive the terminal: started, followed, killed, queued, resumed.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use lapidary::progress::{Clock as _, Event, SystemClock};
use lapidary::runs::{LoggedEvent, RunFolder, State, Status, Tail, Watcher};
use lapidary::workspace::Workspace;
use rustix::process::{Pid, Signal, getsid, kill_process, kill_process_group};

use crate::support::{Place, failure, json, state, wait_until};

const LONG: Duration = Duration::from_mins(2);

impl Place {
    fn tune(&self, steps: &str, more: &[&str]) -> assert_cmd::Command {
        let mut command = self.call(&["tune", "--batch", "4", "--max-length", "32", "--eval-steps", "1000"]);
        command.args(["--max-steps", steps]).args(more);
        command
    }

    fn run(&self, id: &str) -> RunFolder {
        RunFolder::find(&Workspace::open(&self.root).unwrap(), id).unwrap()
    }

    fn started(&self, command: &mut assert_cmd::Command) -> RunFolder {
        self.run(json(command.arg("--detach"))["run"].as_str().unwrap())
    }

    /// The exit code of `runs watch`, and what it showed on stdout and stderr.
    fn watch(&self, run: &RunFolder) -> (i32, String, String) {
        let output = self.call(&["runs", "watch", &run.id()]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }
}

fn events(run: &RunFolder) -> Vec<LoggedEvent> {
    Tail::open(run).poll(usize::MAX, LONG).unwrap().events
}

/// The loss of every step, a step that was taken twice once.
fn losses(run: &RunFolder) -> Vec<(u64, f64)> {
    let mut losses: Vec<(u64, f64)> = events(run)
        .into_iter()
        .filter_map(|logged| {
            if let Event::Scalar { step, values } = logged.event { Some((step, values.0["loss"])) } else { None }
        })
        .collect();
    losses.sort_by_key(|(step, _)| *step);
    losses.dedup();
    losses
}

fn worker(run: &RunFolder) -> Pid {
    Pid::from_raw(run.record().unwrap().pid.cast_signed()).unwrap()
}

#[test]
fn a_worker_outlives_the_terminal_it_was_started_from() {
    let place = Place::with_pairs();
    let call = place.tune("12", &["--save-steps", "100", "--detach"]);
    let call = std::iter::once(call.get_program()).chain(call.get_args()).map(|word| word.to_str().unwrap().to_owned());
    // A shell with a process group of its own, as a terminal gives it, that stays when the job is started.
    let mut shell = std::process::Command::new("/bin/sh")
        .args(["-c", "\"$0\" \"$@\"; sleep 600"])
        .args(call)
        .env("LAPIDARY_STATE_DIR", state())
        .process_group(0)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let runs = || RunFolder::list(&Workspace::open(&place.root).unwrap()).unwrap();
    let tuning = || runs().into_iter().find(|run| run.id().contains("-tune-"));
    wait_until("no step was taken", || tuning().is_some_and(|run| !losses(&run).is_empty()));
    let run = tuning().unwrap();
    let pid = worker(&run);
    assert_eq!(getsid(Some(pid)).unwrap(), pid, "it leads a session of its own");
    kill_process_group(Pid::from_child(&shell), Signal::KILL).unwrap();
    shell.wait().unwrap();
    kill_process(pid, Signal::HUP).unwrap();

    json(&mut place.call(&["runs", "checkpoint", &run.id()]));
    let (code, shown, said) = place.watch(&run);
    assert_eq!(code, 0, "{shown}{said}");
    for part in ["tune on cpu", "- train", "step 12  ", "finished", "tuned@v1"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let asked = events(&run).into_iter().any(|logged| match logged.event {
        Event::Checkpoint { step, best, .. } => step < 12 && !best,
        _ => false,
    });
    assert!(asked, "a checkpoint was asked for: {shown}");
    assert_eq!(Status::of(&run).unwrap().state, State::Finished);
    let (code, text) = failure(&mut place.call(&["runs", "checkpoint", &run.id()]));
    assert_eq!(code, 4, "{text}");
}

#[test]
fn a_killed_worker_is_crashed_and_goes_on_to_the_same_losses() {
    let place = Place::with_pairs();
    let every = ["--save-steps", "1"];
    json(&mut place.tune("6", &every));
    let whole = losses(&RunFolder::list(&Workspace::open(&place.root).unwrap()).unwrap().pop().unwrap());
    assert_eq!(whole.len(), 6);

    let run = place.started(&mut place.tune("6", &every));
    let (mut watcher, clock) = (Watcher::open(&run), SystemClock::default());
    let mut look = || {
        watcher.poll(usize::MAX, LONG, clock.unix_ms()).unwrap();
        watcher.status().state
    };
    wait_until("no checkpoint was written", || {
        assert!(look().is_live());
        losses(&run).len() >= 2
            && events(&run).iter().any(|logged| matches!(logged.event, Event::Checkpoint { best: false, .. }))
    });
    kill_process(worker(&run), Signal::KILL).unwrap();
    let killed = Instant::now();
    while look() != State::Crashed {
        assert!(killed.elapsed() < Duration::from_secs(1), "a crash is seen within a second: {:?}", look());
        std::thread::sleep(Duration::from_millis(250));
    }
    let (code, shown, _) = place.watch(&run);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("crashed") && shown.contains("runs resume"), "{shown}");
    assert!(losses(&run).len() < 6, "it was killed on its way");

    let resumed = json(&mut place.call(&["runs", "resume", &run.id(), "--detach"]));
    assert_eq!(resumed["run"], run.id());
    let (code, shown, said) = place.watch(&run);
    assert_eq!(code, 0, "{shown}{said}");
    assert_eq!(losses(&run), whole);
}

#[test]
fn one_training_at_a_time_and_the_next_is_queued() {
    let place = Place::with_pairs();
    let first = place.started(&mut place.tune("500", &[]));
    let given_up = place.started(&mut place.tune("1", &[]));
    wait_until("the second is not queued", || {
        Status::of(&given_up).unwrap().state == State::Queued && {
            events(&given_up).iter().any(|logged| matches!(logged.event, Event::Note { .. }))
        }
    });
    let listed = json(&mut place.call(&["runs"]));
    let listed = listed["runs"].as_array().unwrap().iter().find(|run| run["id"] == given_up.id()).unwrap();
    assert_eq!((listed["state"].as_str(), listed["phase"].as_str()), (Some("queued"), Some("queued")));
    json(&mut place.call(&["runs", "stop", &given_up.id()]));
    assert_eq!(place.watch(&given_up).0, 3, "a waiting run can be stopped");

    let foreground = std::thread::scope(|scope| {
        let mut command = place.tune("1", &["--format", "json"]);
        command.env("LAPIDARY_STATE_DIR", state());
        let waits = scope.spawn(move || command.output().unwrap());
        wait_until("the third is not queued", || {
            let runs = RunFolder::list(&Workspace::open(&place.root).unwrap()).unwrap();
            runs.last().is_some_and(|run| run.id() != given_up.id() && Status::of(run).unwrap().state == State::Queued)
        });
        kill_process(worker(&first), Signal::TERM).unwrap();
        waits.join().unwrap()
    });
    let (code, shown, _) = place.watch(&first);
    assert_eq!(code, 3, "SIGTERM is a request to stop: {shown}");
    assert!(foreground.status.success());
    let told = String::from_utf8_lossy(&foreground.stderr).into_owned();
    let told: Vec<LoggedEvent> = told.lines().filter_map(|line| LoggedEvent::parse(line.as_bytes()).ok()).collect();
    let at = |wanted: &dyn Fn(&Event) -> bool| told.iter().find(|logged| wanted(&logged.event)).map(|logged| logged.t);
    let queued = at(&|event| *event == Event::phase(lapidary::runs::QUEUED)).unwrap();
    let step = at(&|event| matches!(event, Event::Scalar { .. })).unwrap();
    assert!(at(&|event| matches!(event, Event::Note { text } if text.contains(&first.id()))).is_some());
    let ended = events(&first).last().unwrap().t;
    assert!(queued <= ended && ended <= step, "{queued} {ended} {step}");
}

#[test]
fn a_job_that_cannot_be_done_says_so_to_whoever_watches() {
    let place = Place::new();
    let run = place.started(&mut place.tune("1", &[]));
    let (code, shown, _) = place.watch(&run);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("failed: ") && shown.contains("pairs"), "{shown}");
    let text = std::fs::read_to_string(run.log_text()).unwrap();
    assert!(text.contains("lapidary: "), "its stderr is kept: {text}");

    let run = place.started(place.call(&["pairs", "structural"]).args(["--device", "no such device"]));
    let (code, shown, _) = place.watch(&run);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("must be auto, cpu"), "{shown}");
}

#[test]
fn damage_is_named_and_hides_nothing() {
    let place = Place::new();
    let newer = place.started(&mut place.call(&["pairs", "structural"]));
    assert_eq!(place.watch(&newer).0, 0);
    let garbage = place.started(&mut place.call(&["pairs", "structural"]));
    assert_eq!(place.watch(&garbage).0, 0);
    append(
        &newer,
        "what is this\n\u{0}{\"v\":1\n{\"v\":1,\"t\":5,\"kind\":\"hologram\",\"depth\":3}\n{\"v\":1,\"t\":6,\"ki",
    );
    write(&newer, r#"{"schema": 99, "job": {"name": "pairs"}}"#);
    write(&garbage, "\u{1}");

    let (code, shown, said) = place.watch(&newer);
    assert_eq!(code, 0, "{shown}{said}");
    assert!(said.contains("schema 99") && said.contains("2 lines"), "{said}");
    assert!(shown.contains("finished"), "{shown}");
    let listed = json(&mut place.call(&["runs"]));
    let listed = listed["runs"].as_array().unwrap();
    assert_eq!(listed.len(), 3, "{listed:?}");
    for (run, reason) in [(&newer, "schema 99"), (&garbage, "expected value")] {
        let found = listed.iter().find(|listed| listed["id"] == run.id()).unwrap();
        assert_eq!(found["state"], "finished");
        assert!(found["problem"].as_str().unwrap().contains(reason), "{found}");
    }
    let plain = place.call(&["runs"]).output().unwrap();
    let plain = String::from_utf8_lossy(&plain.stdout);
    assert!(plain.contains("schema 99") && plain.lines().count() == 3, "{plain}");
    let (code, text) = failure(&mut place.call(&["runs", "resume", &garbage.id()]));
    assert!(code == 4 || code == 1, "{text}");
}

fn append(run: &RunFolder, text: &str) {
    use std::io::Write as _;
    let path = run.path().join("events.jsonl");
    std::fs::File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn write(run: &RunFolder, record: &str) {
    std::fs::write(Path::new(run.path()).join("run.json"), record).unwrap();
}
