//! The loop: messages in, effects out, a frame where something changed and the pace allows.
//!
//! Threads read keys, signals, the terminal's hang-up and the workspace; all speak through one bounded channel. What is
//! typed is drawn at once, at most thirty times a second; what jobs report, four times, and half as often where the link
//! takes long to swallow a frame.

mod pace;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::Event as TerminalEvent;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGTERM, SIGTSTP};

use self::pace::Pace;
use super::message::{Effect, Msg, Start, clipboard_file};
use super::model::{Dirty, Model, SMOOTHING, update};
use super::preferences::Prepared;
use super::runs::Runs;
use super::shared::{Artifacts, Shared};
use super::terminal::{Screen, restore, restore_on_panic, stop_group, wait_for_hang_up};
use super::view::view;
use super::watch::{Watched, watch};
use super::workers::{Outbox, Workers};
use crate::progress::{Clock, SystemClock};
use crate::runs::RunFolder;
use crate::workspace::{Workspace, write_atomic, write_json_atomic};

/// Messages that may wait.
const WAITING: usize = 256;
/// Messages taken before the screen gets its turn.
const DRAINED: usize = 1000;
/// How long the loop may take to end once the terminal is gone; then the process is ended from outside it.
const GRACE: Duration = Duration::from_millis(500);

/// How jobs are started: the command line knows how, the workbench does not.
pub trait Launcher: Send + Sync {
    /// Starts a job in a process of its own. Returns its run and what is worth saying.
    fn start(&self, workspace: &Workspace, start: &Start) -> Result<(String, Option<String>), String>;
    /// Goes on with a run in a process of its own.
    fn resume(&self, workspace: &Workspace, run: &RunFolder) -> Result<Option<String>, String>;
}

/// What the workbench is opened with.
pub struct Options {
    /// The user's preferences.
    pub prepared: Prepared,
    /// How jobs are started.
    pub launcher: Arc<dyn Launcher>,
    /// Where jobs compute unless a form says otherwise.
    pub device: String,
    /// What the first screen says, where somebody is new here.
    pub welcome: Option<String>,
    /// Work to do behind the workbench, such as a demonstration that starts one job after the other.
    pub behind: Option<Box<dyn FnOnce(Outbox) + Send>>,
}

/// Why the workbench ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Somebody quit.
    Quit,
    /// The terminal is gone.
    HungUp,
}

/// Opens the workbench and stays until somebody quits or the terminal is gone. Says how many jobs go on.
pub fn run(workspace: &Workspace, options: Options) -> io::Result<(Ended, usize)> {
    let clock = SystemClock::default();
    let (sender, messages) = sync_channel::<Msg>(WAITING);
    let outbox = Outbox::new(sender.clone());
    let mut model = Model::new(shared(workspace, &options, &clock), options.prepared.problem.clone());
    model.welcome = options.welcome;

    restore_on_panic();
    let mut screen = Screen::enter(options.prepared.preferences.synchronized)?;
    // The first frame before anything is read.
    screen.draw(|frame| view(&model, frame.area(), frame.buffer_mut()))?;
    model.dirty = Dirty::Clean;

    let watched = Watched::default();
    listen(&sender)?;
    spawn("watch", {
        let (workspace, watched, outbox) = (workspace.clone(), watched.clone(), outbox.clone());
        move || watch(&workspace, &watched, &outbox)
    })?;
    if let Some(behind) = options.behind {
        let outbox = outbox.clone();
        spawn("behind", move || behind(outbox))?;
    }
    let workers = Workers::spawn(workspace, &options.device, &outbox);
    let mut runtime = Runtime {
        workspace: workspace.clone(),
        workers,
        watched,
        launcher: options.launcher,
        outbox,
        screen,
        clock,
        pace: Pace::new(options.prepared.preferences.input_fps, options.prepared.preferences.data_fps),
    };
    let ended = runtime.run(&mut model, &messages)?;
    let living = model.shared.runs.living().count();
    drop(runtime);
    Ok((ended, living))
}

fn shared(workspace: &Workspace, options: &Options, clock: &SystemClock) -> Shared {
    Shared {
        palette: options.prepared.palette,
        keymap: options.prepared.keymap.clone(),
        name: workspace.config().name.clone(),
        root: workspace.root().to_owned(),
        device: options.device.clone(),
        overrides: workspace.config().settings.clone(),
        remembered: remembered(workspace),
        now_ms: clock.unix_ms(),
        utc_offset: utc_offset(),
        smoothing: SMOOTHING,
        runs: Runs::default(),
        artifacts: Artifacts::default(),
    }
}

/// What was typed into forms before: kept beside what can be made again.
fn forms_file(workspace: &Workspace) -> std::path::PathBuf {
    workspace.root().join("cache").join("forms.json")
}

fn remembered(workspace: &Workspace) -> std::collections::BTreeMap<String, Vec<(String, String)>> {
    let text = std::fs::read_to_string(forms_file(workspace)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Seconds by which local time is ahead of UTC, as `date` tells; 0 where there is none.
fn utc_offset() -> i32 {
    let output = std::process::Command::new("date").arg("+%z").stdin(std::process::Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let parsed = text
        .get(1..3)
        .zip(text.get(3..5))
        .and_then(|(hours, minutes)| Some(hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60));
    parsed.map_or(0, |seconds| if text.starts_with('-') { -seconds } else { seconds })
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(format!("workbench-{name}")).spawn(body).map(|_| ())
}

/// Starts the threads that listen to the terminal and to signals.
fn listen(sender: &SyncSender<Msg>) -> io::Result<()> {
    let keys = sender.clone();
    spawn("keys", move || {
        // On a dead terminal this never returns; the thread below ends the process then.
        while let Ok(event) = crossterm::event::read() {
            let message = match event {
                TerminalEvent::Key(event) => Msg::Key(event),
                TerminalEvent::Paste(text) => Msg::Paste(text),
                TerminalEvent::Mouse(event) => Msg::Mouse(event),
                TerminalEvent::Resize(width, height) => Msg::Resize(width, height),
                TerminalEvent::FocusGained | TerminalEvent::FocusLost => continue,
            };
            if keys.send(message).is_err() {
                return;
            }
        }
    })?;
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGTSTP, SIGCONT])?;
    let caught = sender.clone();
    spawn("signals", move || {
        for signal in signals.forever() {
            let message = match signal {
                SIGTERM => Msg::Terminate,
                SIGHUP => Msg::HangUp,
                SIGTSTP => Msg::Suspend,
                _ => Msg::Continued,
            };
            if caught.send(message).is_err() {
                return;
            }
        }
    })?;
    let hung_up = sender.clone();
    spawn("hang-up", move || {
        wait_for_hang_up();
        // A full channel must not keep this from its work.
        let _ = hung_up.try_send(Msg::HangUp);
        std::thread::sleep(GRACE);
        restore();
        std::process::exit(1);
    })
}

struct Runtime {
    workspace: Workspace,
    workers: Workers,
    watched: Watched,
    launcher: Arc<dyn Launcher>,
    outbox: Outbox,
    screen: Screen,
    clock: SystemClock,
    pace: Pace,
}

impl Runtime {
    fn run(&mut self, model: &mut Model, messages: &Receiver<Msg>) -> io::Result<Ended> {
        let mut tick = Instant::now();
        loop {
            let now = Instant::now();
            let due = self.pace.due(model.dirty, self.screen.last_send, now).unwrap_or(tick).min(tick);
            match messages.recv_timeout(due.saturating_duration_since(now)) {
                Ok(message) => {
                    if let Some(ended) = self.take(model, message)? {
                        return Ok(ended);
                    }
                    for message in messages.try_iter().take(DRAINED) {
                        if let Some(ended) = self.take(model, message)? {
                            return Ok(ended);
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Ended::Quit),
            }
            let now = Instant::now();
            if now >= tick {
                tick = now + Duration::from_secs(1);
                self.take(model, Msg::Clock(self.clock.unix_ms()))?;
            }
            if self.pace.due(model.dirty, self.screen.last_send, now).is_some_and(|due| due <= now) {
                self.screen.draw(|frame| view(model, frame.area(), frame.buffer_mut()))?;
                self.pace.drawn(now);
                model.dirty = Dirty::Clean;
            }
        }
    }

    fn take(&mut self, model: &mut Model, message: Msg) -> io::Result<Option<Ended>> {
        let ended = if matches!(message, Msg::HangUp) { Ended::HungUp } else { Ended::Quit };
        for effect in update(model, message) {
            if matches!(effect, Effect::Quit) {
                return Ok(Some(ended));
            }
            self.carry_out(model, effect)?;
        }
        Ok(None)
    }

    fn carry_out(&mut self, model: &mut Model, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Suspend => {
                stop_group();
                self.screen.take()?;
                model.dirty = Dirty::Input;
            }
            Effect::Redraw => {
                self.screen.take()?;
                model.dirty = Dirty::Input;
            }
            Effect::Mouse(on) => self.screen.mouse(on)?,
            Effect::Copy(text) => self.copy(text)?,
            Effect::Ask(question) => self.workers.ask(question),
            Effect::Watch(runs) => self.watched.set(runs),
            Effect::Start(start) => self.aside(move |workspace, launcher| match launcher.start(workspace, &start) {
                Ok((run, note)) => Msg::Started { run, note },
                Err(error) => Msg::Failed(error),
            }),
            Effect::Resume(id) => self.aside(move |workspace, launcher| {
                let resumed = RunFolder::find(workspace, &id)
                    .map_err(|error| error.to_string())
                    .and_then(|run| launcher.resume(workspace, &run));
                match resumed {
                    Ok(note) => Msg::Notice(
                        note.map_or_else(|| format!("resumed {id}"), |note| format!("resumed {id}: {note}")),
                    ),
                    Err(error) => Msg::Failed(error),
                }
            }),
            Effect::Stop(id) => {
                let now = self.clock.unix_ms();
                self.aside(move |workspace, _| match RunFolder::find(workspace, &id).and_then(|run| run.stop(now)) {
                    Ok(_) => Msg::Notice(format!("{id} stops at its next safe point; it can be resumed")),
                    Err(error) => Msg::Failed(error.to_string()),
                });
            }
            Effect::Checkpoint(id) => {
                let now = self.clock.unix_ms();
                self.aside(move |workspace, _| {
                    match RunFolder::find(workspace, &id).and_then(|run| run.ask_for_checkpoint(now)) {
                        Ok(_) => Msg::Notice(format!("{id} writes a checkpoint at its next safe point")),
                        Err(error) => Msg::Failed(error.to_string()),
                    }
                });
            }
            // What came of these the pane shows as soon as the job tells: no words at the foot are needed.
            Effect::Pause(id) => self.control(id, RunFolder::pause),
            Effect::Continue(id) => self.control(id, RunFolder::go_on),
            Effect::Concurrency(id, wanted) => self.control(id, move |run, now| run.set_concurrency(wanted, now)),
            Effect::Remember { .. } => {
                let (file, forms) = (forms_file(&self.workspace), model.shared.remembered.clone());
                // A form that is not remembered costs some typing.
                self.aside(move |_, _| match write_json_atomic(&file, &forms) {
                    Ok(()) => Msg::Clock(SystemClock::default().unix_ms()),
                    Err(error) => Msg::Failed(error.to_string()),
                });
            }
            Effect::ReadLog(id) => {
                self.aside(move |workspace, _| match RunFolder::find(workspace, &id) {
                    Ok(run) => Msg::Log { lines: log_lines(&run), run: id },
                    Err(error) => Msg::Failed(error.to_string()),
                });
            }
            // The model's own are carried out by it.
            Effect::Quit
            | Effect::Open(_)
            | Effect::Go(_)
            | Effect::Attach(_)
            | Effect::Smooth(_)
            | Effect::Say(_)
            | Effect::Complain(_) => {}
        }
        Ok(())
    }

    /// Asks something of a run; only what goes wrong is said.
    fn control(&self, id: String, ask: impl FnOnce(&RunFolder, u64) -> crate::runs::Result<String> + Send + 'static) {
        let now = self.clock.unix_ms();
        self.aside(move |workspace, _| match RunFolder::find(workspace, &id).and_then(|run| ask(&run, now)) {
            Ok(_) => Msg::Clock(now),
            Err(error) => Msg::Failed(error.to_string()),
        });
    }

    /// Does what may take a while in a thread of its own, and sends what came of it.
    fn aside(&self, work: impl FnOnce(&Workspace, &dyn Launcher) -> Msg + Send + 'static) {
        let (workspace, launcher) = (self.workspace.clone(), Arc::clone(&self.launcher));
        let (outbox, watched) = (self.outbox.clone(), self.watched.clone());
        let started = spawn("aside", move || {
            let message = work(&workspace, launcher.as_ref());
            watched.nudge();
            outbox.send(message);
        });
        if let Err(error) = started {
            // The channel may be full; a lost word is better than a loop that waits for itself.
            let _ = self.outbox.try_send(Msg::Failed(format!("starting a thread: {error}")));
        }
    }

    /// Copies by OSC 52, which terminals may ignore without a word: so the text is kept in a file too.
    fn copy(&mut self, text: String) -> io::Result<()> {
        self.screen.command(CopyToClipboard::to_clipboard_from(text.as_bytes()))?;
        let file = clipboard_file(self.workspace.root());
        self.aside(move |_, _| match write_atomic(&file, text.as_bytes()) {
            Ok(()) => Msg::Notice(format!("sent to the terminal's clipboard, and kept in {}", file.display())),
            Err(error) => Msg::Failed(error.to_string()),
        });
        Ok(())
    }
}

/// The last lines of what a job printed, and of what it said.
fn log_lines(run: &RunFolder) -> Vec<String> {
    let text = std::fs::read(run.path().join("log.txt")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(2000)..].to_vec()
}
