//! What happens, and what to do about it.

use std::path::PathBuf;

use crossterm::event::{KeyEvent, MouseEvent};
use serde_json::Value;

use super::overlay::Overlay;
use super::workers::{Answer, Question};
use crate::runs::{LoggedEvent, Status};

/// Something that happened.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The window has another size, in cells.
    Resize(u16, u16),
    /// The shell asks to stop: SIGTSTP.
    Suspend,
    /// The process was continued: SIGCONT.
    Continued,
    /// SIGTERM.
    Terminate,
    /// The terminal is gone.
    HangUp,
    /// The time, in milliseconds since 1970; once a second.
    Clock(u64),
    /// A worker thread knows something.
    Answer(Answer),
    /// The runs of the workspace, oldest first.
    Runs(Vec<Status>),
    /// New events of a run that is watched.
    Events(RunEvents),
    /// The artifacts of the workspace.
    Artifacts(super::shared::Artifacts),
    /// A job was started.
    Started {
        /// Its run.
        run: String,
        /// How it was started, where that is worth a word.
        note: Option<String>,
    },
    /// A demonstration goes to its next pane, unless the user has taken over.
    Tour {
        /// The pane.
        pane: super::model::PaneId,
        /// What is to be seen there.
        text: String,
    },
    /// What a run printed.
    Log {
        /// The run.
        run: String,
        /// The lines.
        lines: Vec<String>,
    },
    /// Something went well: a word to show.
    Notice(String),
    /// Something went wrong: the words to show.
    Failed(String),
}

/// Events of one run, in order.
#[derive(Debug)]
pub struct RunEvents {
    /// The run.
    pub run: String,
    /// The events, or those since the last batch.
    pub events: Vec<LoggedEvent>,
    /// Lines that were no events.
    pub garbage: usize,
    /// Whether these are the first: the log was read from its beginning.
    pub reset: bool,
    /// Whether more is waiting to be read.
    pub more: bool,
}

/// Something to do.
#[derive(Debug)]
pub enum Effect {
    /// End the workbench.
    Quit,
    /// Give the terminal back until the shell continues us.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Mouse on or off.
    Mouse(bool),
    /// Put a text on the clipboard, and into a file beside.
    Copy(String),
    /// Ask a worker thread.
    Ask(Question),
    /// Start a job.
    Start(Start),
    /// Ask a run to stop.
    Stop(String),
    /// Ask a run for a checkpoint.
    Checkpoint(String),
    /// Ask a run to begin nothing new.
    Pause(String),
    /// Ask a run to go on after a pause.
    Continue(String),
    /// Ask a run to have so much under way at once.
    Concurrency(String, usize),
    /// Go on with a run.
    Resume(String),
    /// Read these runs' events, and no others.
    Watch(Vec<String>),
    /// Remember a form.
    Remember {
        /// The job.
        job: &'static str,
        /// What was typed, by field.
        values: Vec<(String, String)>,
    },
    /// Show a run's log.
    ReadLog(String),
    /// Open an overlay.
    Open(Box<Overlay>),
    /// Go to the pane that shows a run, and show it there.
    Attach(String),
    /// Go to a pane.
    Go(super::model::PaneId),
    /// Smooth curves so much: the share of the past in each point.
    Smooth(f64),
    /// Say something at the foot of the screen.
    Say(String),
    /// Say that something went wrong.
    Complain(String),
}

/// A job to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The job's name.
    pub job: String,
    /// Its record.
    pub record: Value,
    /// Where to compute.
    pub device: String,
}

/// Where a copy is kept for terminals that ignore OSC 52.
pub fn clipboard_file(root: &std::path::Path) -> PathBuf {
    root.join("cache").join("clipboard.txt")
}
