//! The demonstration inside the workbench: one job after the other, each in its pane.

use std::time::Duration;

use clap::ArgMatches;

use crate::commands::workbench::Processes;
use crate::jobs::{EvaluateJob, Job};
use crate::runs::{RunFolder, State, Status};
use crate::tui::message::{Msg, Start};
use crate::tui::model::PaneId;
use crate::tui::runtime::Launcher as _;
use crate::tui::workers::Outbox;
use crate::workspace::Workspace;

/// How long a pane is shown in which nothing happens.
const LOOK: Duration = Duration::from_secs(5);
/// How often a run is looked at.
const PACE: Duration = Duration::from_millis(300);

pub(super) struct Tour {
    steps: Vec<(Step, &'static str)>,
    launcher: Processes,
}

/// What is done at a step; what it is for stands beside it.
enum Step {
    Look(PaneId),
    Work(Box<Job>),
}

impl Tour {
    pub(super) fn new(matches: &ArgMatches, launcher: Processes) -> Self {
        let work = |job| Step::Work(Box::new(job));
        let steps = vec![
            (Step::Look(PaneId::Corpus), "what the base's tokenizer does to the words of a refrigeration plant"),
            (work(Job::Tokenizer(super::tokenizer())), "a tokenizer of the corpus's own words is trained"),
            (Step::Look(PaneId::Pairs), "what operators asked, and the passages that answer it"),
            (work(Job::Tune(super::tuning(matches))), "the base learns which passages answer which questions"),
            (work(Job::Evaluate(EvaluateJob::default())), "the proof, on questions that no training saw"),
        ];
        Self { steps, launcher }
    }

    /// Takes every step; ends where one fails, or where nobody looks any more.
    pub(super) fn take(self, workspace: &Workspace, outbox: &Outbox) {
        let count = self.steps.len();
        let failed = |error: String| outbox.send(Msg::Failed(format!("the demonstration ends here: {error}")));
        for (number, (step, what)) in self.steps.into_iter().enumerate() {
            let (pane, run) = match step {
                Step::Look(pane) => (pane, None),
                Step::Work(job) => {
                    let start = Start { job: job.name().to_owned(), record: job.settings(), device: "auto".to_owned() };
                    match self.launcher.start(workspace, &start) {
                        Ok((run, _)) => (PaneId::of_job(job.name()), Some(run)),
                        Err(error) => {
                            failed(error);
                            return;
                        }
                    }
                }
            };
            if !outbox.send(Msg::Tour { pane, text: format!("{} of {count}: {what}", number + 1) }) {
                return;
            }
            match run.map(|run| ended_well(workspace, &run)) {
                None => std::thread::sleep(LOOK),
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    failed(error);
                    return;
                }
            }
        }
        let text = "That was the whole cycle: walk through the panes with 1 to 6. \
                    Your own documents: lapidary init DIR --corpus PATH";
        outbox.send(Msg::Tour { pane: PaneId::Compare, text: text.to_owned() });
    }
}

/// Waits for a run to end; an error where it did not end well.
fn ended_well(workspace: &Workspace, run: &str) -> Result<(), String> {
    let run = RunFolder::find(workspace, run).map_err(|error| error.to_string())?;
    loop {
        let status = Status::of(&run).map_err(|error| error.to_string())?;
        match status.state {
            State::Finished => return Ok(()),
            state if state.is_live() => std::thread::sleep(PACE),
            state => {
                let why = status.error.map(|error| format!(": {error}")).unwrap_or_default();
                return Err(format!("{} {}{why}", status.job, state.word()));
            }
        }
    }
}
