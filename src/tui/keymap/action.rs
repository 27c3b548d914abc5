//! What a key can do.

/// Defines the actions with their names, so that a configuration can name them.
macro_rules! actions {
    ($($(#[doc = $help:literal])+ $action:ident = $name:literal,)+) => {
        /// What a key can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[doc = $help])+ $action,)+
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$action,)+];

            /// Its name in the configuration.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$action => $name,)+ }
            }
        }
    };
}

actions! {
    /// End the workbench; jobs go on.
    Quit = "quit",
    /// Give the terminal back to the shell.
    Suspend = "suspend",
    /// Show the keys.
    Help = "help",
    /// The corpus.
    PaneCorpus = "pane_corpus",
    /// The tokenizers.
    PaneTokenizer = "pane_tokenizer",
    /// The pairs.
    PanePairs = "pane_pairs",
    /// Tuning.
    PaneTuning = "pane_tuning",
    /// Comparison.
    PaneCompare = "pane_compare",
    /// The runs.
    PaneRuns = "pane_runs",
    /// The next pane.
    NextPane = "next_pane",
    /// The pane before.
    PreviousPane = "previous_pane",
    /// Draw everything anew.
    Redraw = "redraw",
    /// Mouse on or off.
    Mouse = "mouse",
    /// Copy what the cursor is on.
    Copy = "copy",
    /// Leave what is open.
    Back = "back",
    /// Start a job.
    New = "new",
    /// One row up.
    Up = "up",
    /// One row down.
    Down = "down",
    /// A page up.
    PageUp = "page_up",
    /// A page down.
    PageDown = "page_down",
    /// The first row.
    First = "first",
    /// The last row.
    Last = "last",
    /// Filter the list.
    Filter = "filter",
    /// Sort by the next column.
    Sort = "sort",
    /// Open what the cursor is on.
    Open = "open",
    /// One to the left: a token, a point of the curve.
    Left = "left",
    /// One to the right.
    Right = "right",
    /// Far to the left.
    FarLeft = "far_left",
    /// Far to the right.
    FarRight = "far_right",
    /// The passage before.
    PreviousPassage = "previous_passage",
    /// The next passage.
    NextPassage = "next_passage",
    /// Another tokenizer.
    Tokenizer = "tokenizer",
    /// One tokenizer or two.
    Both = "both",
    /// The words that cost most.
    Worst = "worst",
    /// Type a text of one's own.
    Type = "type",
    /// Two versions against each other.
    Diff = "diff",
    /// Ask the run to stop.
    Stop = "stop",
    /// Go on with a run.
    Resume = "resume",
    /// Write a checkpoint now.
    Checkpoint = "checkpoint",
    /// Show the log.
    Log = "log",
    /// Accept the pair.
    Accept = "accept",
    /// Reject the pair.
    Reject = "reject",
    /// Edit the question.
    Edit = "edit",
    /// Pause the synthesis, or let it go on.
    Pause = "pause",
    /// More requests under way at once.
    More = "more",
    /// Fewer of them.
    Fewer = "fewer",
    /// Finish the review.
    Finish = "finish",
    /// The dataset's health.
    Health = "health",
    /// Lay another run over this one.
    Overlay = "overlay",
    /// Make this run the baseline.
    Pin = "pin",
    /// What lies along the x axis.
    Axis = "axis",
    /// Linear or logarithmic.
    Logarithmic = "logarithmic",
    /// Closer.
    ZoomIn = "zoom_in",
    /// Further away.
    ZoomOut = "zoom_out",
    /// Keep the newest in view.
    Follow = "follow",
    /// Another run.
    NextRun = "next_run",
    /// The run before.
    PreviousRun = "previous_run",
    /// Smoother or rougher curves.
    Smooth = "smooth",
    /// Other models.
    Models = "models",
    /// What each vocabulary came to.
    Ladder = "ladder",
    /// The questions that were won and lost.
    Questions = "questions",
    /// What made it, from what.
    Lineage = "lineage",
    /// The next field.
    NextField = "next_field",
    /// The field before.
    PreviousField = "previous_field",
    /// The next choice.
    NextChoice = "next_choice",
    /// The choice before.
    PreviousChoice = "previous_choice",
    /// Start the job of the form.
    Submit = "submit",
    /// The default again.
    Reset = "reset",
    /// The command line of the form.
    CopyCommand = "copy_command",
}
