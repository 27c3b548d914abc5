//! Which key does what, and what the screen says about it: one table.
//!
//! Dispatch, the footer, the `?` overlay, `lapidary keys` and the user's overrides all read [`TABLE`]; a test holds that
//! no context binds a key twice. Keys typed into a field go to the field and never come here.

use std::collections::BTreeMap;
use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where a key is pressed. A pane sees its own bindings, those of lists, and those that hold everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Everywhere.
    Everywhere,
    /// In every pane's list.
    List,
    /// Pane 1.
    Corpus,
    /// Pane 2.
    Tokenizer,
    /// Pane 3.
    Pairs,
    /// Pane 4.
    Tuning,
    /// Pane 5.
    Compare,
    /// Pane 6.
    Runs,
    /// In a form that starts a job.
    Form,
    /// In an overlay: help, a log, details.
    Overlay,
}

impl Context {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 10] = [
        Self::Everywhere,
        Self::List,
        Self::Corpus,
        Self::Tokenizer,
        Self::Pairs,
        Self::Tuning,
        Self::Compare,
        Self::Runs,
        Self::Form,
        Self::Overlay,
    ];

    /// Its name in the configuration and in the help.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::List => "list",
            Self::Corpus => "corpus",
            Self::Tokenizer => "tokenizer",
            Self::Pairs => "pairs",
            Self::Tuning => "tuning",
            Self::Compare => "compare",
            Self::Runs => "runs",
            Self::Form => "form",
            Self::Overlay => "overlay",
        }
    }

    /// The contexts whose bindings hold here, the nearest first.
    pub fn layers(self) -> &'static [Self] {
        match self {
            Self::Corpus => &[Self::Corpus, Self::List, Self::Everywhere],
            Self::Tokenizer => &[Self::Tokenizer, Self::List, Self::Everywhere],
            Self::Pairs => &[Self::Pairs, Self::List, Self::Everywhere],
            Self::Tuning => &[Self::Tuning, Self::List, Self::Everywhere],
            Self::Compare => &[Self::Compare, Self::List, Self::Everywhere],
            Self::Runs => &[Self::Runs, Self::List, Self::Everywhere],
            Self::Form => &[Self::Form],
            Self::Overlay => &[Self::Overlay],
            Self::List | Self::Everywhere => &[Self::Everywhere],
        }
    }
}

/// A key with its modifiers: `ctrl-z`, `shift-tab`, `G`, `left`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Key {
    /// The key of a terminal's event. Letters carry their own case: shift is dropped from them.
    pub fn of(event: &KeyEvent) -> Self {
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let mut code = event.code;
        if matches!(code, KeyCode::Char(_)) {
            modifiers -= KeyModifiers::SHIFT;
        }
        if code == KeyCode::BackTab {
            (code, modifiers) = (KeyCode::Tab, modifiers | KeyModifiers::SHIFT);
        }
        Self { code, modifiers }
    }

    /// The event that a terminal sends for the key.
    pub fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }

    /// Reads a key as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        loop {
            let cut = ["ctrl-", "alt-", "shift-"].iter().find(|prefix| {
                rest.len() > prefix.len()
                    && rest.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
            });
            let Some(prefix) = cut else { break };
            modifiers |= match *prefix {
                "ctrl-" => KeyModifiers::CONTROL,
                "alt-" => KeyModifiers::ALT,
                _ => KeyModifiers::SHIFT,
            };
            rest = &rest[prefix.len()..];
        }
        let mut letters = rest.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(letter), None) => KeyCode::Char(letter),
            _ => NAMES.iter().find(|(name, _)| rest.eq_ignore_ascii_case(name)).map(|(_, code)| *code)?,
        };
        Some(Self { code, modifiers })
    }
}

/// Keys that have names rather than characters.
const NAMES: &[(&str, KeyCode)] = &[
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("page-up", KeyCode::PageUp),
    ("page-down", KeyCode::PageDown),
    ("f1", KeyCode::F(1)),
    ("f2", KeyCode::F(2)),
    ("f3", KeyCode::F(3)),
    ("f4", KeyCode::F(4)),
    ("f5", KeyCode::F(5)),
    ("f6", KeyCode::F(6)),
];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "ctrl-"), (KeyModifiers::ALT, "alt-"), (KeyModifiers::SHIFT, "shift-")]
        {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match NAMES.iter().find(|(_, code)| *code == self.code) {
            Some((name, _)) => f.write_str(name),
            None => match self.code {
                KeyCode::Char(letter) => write!(f, "{letter}"),
                other => write!(f, "{other}"),
            },
        }
    }
}

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

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// The keys, as written; the first is the one that is shown.
    pub keys: &'static [&'static str],
    /// What.
    pub action: Action,
    /// The footer's word; empty: help only.
    pub label: &'static str,
    /// The help's sentence.
    pub help: &'static str,
}

const fn bind(
    context: Context,
    keys: &'static [&'static str],
    action: Action,
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding { context, keys, action, label, help }
}

use Action as A;
use Context as C;

/// Every binding, in the order in which footer and help show them.
#[rustfmt::skip]
pub const TABLE: &[Binding] = &[
    bind(C::Corpus, &["left", "h"], A::Left, "token", "walk to the token before"),
    bind(C::Corpus, &["right", "l"], A::Right, "", "walk to the next token"),
    bind(C::Corpus, &["t"], A::Tokenizer, "tokenizer", "choose the tokenizer to compare with"),
    bind(C::Corpus, &["v"], A::Both, "both", "show one tokenizer or two, stacked"),
    bind(C::Corpus, &["w"], A::Worst, "worst words", "list the words that cost most"),
    bind(C::Corpus, &["e"], A::Type, "your own text", "type a text and see it split"),
    bind(C::Corpus, &["["], A::PreviousPassage, "", "the passage before"),
    bind(C::Corpus, &["]"], A::NextPassage, "", "the next passage"),
    bind(C::Corpus, &["enter"], A::Open, "", "show a passage that holds the word"),
    bind(C::Corpus, &["n"], A::New, "", "start a job"),

    bind(C::Tokenizer, &["n"], A::New, "train", "train a tokenizer"),
    bind(C::Tokenizer, &["x"], A::Stop, "stop", "stop the training; it can be started again"),
    bind(C::Tokenizer, &["d"], A::Diff, "compare", "compare the version under the cursor with the one before"),
    bind(C::Tokenizer, &["left", "h"], A::Left, "", "move the crosshair left"),
    bind(C::Tokenizer, &["right", "l"], A::Right, "", "move the crosshair right"),
    bind(C::Tokenizer, &["i"], A::Lineage, "lineage", "what made this version, from what"),

    bind(C::Pairs, &["space"], A::Accept, "accept", "accept the question under the cursor"),
    bind(C::Pairs, &["x"], A::Reject, "reject", "reject it; finishing the review leaves it out"),
    bind(C::Pairs, &["e"], A::Edit, "edit", "edit it"),
    bind(C::Pairs, &["["], A::PreviousPassage, "passage", "the passage before"),
    bind(C::Pairs, &["]"], A::NextPassage, "", "the next passage"),
    bind(C::Pairs, &["F"], A::Finish, "finish", "finish the review: write the next version of the pairs"),
    bind(C::Pairs, &["h"], A::Health, "health", "lengths, lexical overlap and duplicates of the set"),
    bind(C::Pairs, &["n"], A::New, "make", "make pairs: structural, or import your own"),
    bind(C::Pairs, &["f"], A::Follow, "", "watch the job that makes pairs, or go back to the set"),
    bind(C::Pairs, &["X"], A::Stop, "", "stop the job that makes pairs"),
    bind(C::Pairs, &["t"], A::Tokenizer, "", "another set of pairs"),

    bind(C::Tuning, &["n"], A::New, "tune", "fine-tune an encoder"),
    bind(C::Tuning, &["x"], A::Stop, "stop", "stop at the next safe point; it can be resumed"),
    bind(C::Tuning, &["left", "h"], A::Left, "crosshair", "move the crosshair left"),
    bind(C::Tuning, &["right", "l"], A::Right, "", "move the crosshair right"),
    bind(C::Tuning, &["shift-left", "H"], A::FarLeft, "", "move the crosshair far to the left"),
    bind(C::Tuning, &["shift-right", "L"], A::FarRight, "", "move the crosshair far to the right"),
    bind(C::Tuning, &["z"], A::ZoomIn, "zoom", "zoom in at the crosshair"),
    bind(C::Tuning, &["Z"], A::ZoomOut, "", "zoom out"),
    bind(C::Tuning, &["f"], A::Follow, "", "follow the newest steps"),
    bind(C::Tuning, &["a"], A::Axis, "axis", "x by step, epoch, time since the start, time of day"),
    bind(C::Tuning, &["u"], A::Logarithmic, "", "loss on a logarithmic axis"),
    bind(C::Tuning, &["S"], A::Smooth, "", "smoother curves, in turn"),
    bind(C::Tuning, &["o"], A::Overlay, "overlay", "lay the run under the cursor over the open one"),
    bind(C::Tuning, &["b"], A::Pin, "", "make the open run the baseline that others are compared with"),
    bind(C::Tuning, &["d"], A::Diff, "", "settings that differ between the runs shown"),
    bind(C::Tuning, &["c"], A::Checkpoint, "checkpoint", "write a checkpoint now"),
    bind(C::Tuning, &["r"], A::Resume, "", "resume a stopped, failed or crashed run"),
    bind(C::Tuning, &["i"], A::Log, "log", "what the run has said"),
    bind(C::Tuning, &["]"], A::NextRun, "", "the next run"),
    bind(C::Tuning, &["["], A::PreviousRun, "", "the run before"),

    bind(C::Compare, &["e"], A::Type, "query", "type a query"),
    bind(C::Compare, &["w"], A::Questions, "won and lost", "test questions by gain and by loss, or your own query"),
    bind(C::Compare, &["left", "h"], A::Left, "", "the system to the left"),
    bind(C::Compare, &["right", "l"], A::Right, "", "the system to the right"),
    bind(C::Compare, &["o"], A::Models, "models", "compare other models"),
    bind(C::Compare, &["t"], A::Tokenizer, "", "how each tokenizer splits the query"),
    bind(C::Compare, &["n"], A::New, "evaluate", "judge the models on the held-out questions"),

    bind(C::Runs, &["x"], A::Stop, "stop", "stop at the next safe point; it can be resumed"),
    bind(C::Runs, &["r"], A::Resume, "resume", "go on with a run that stopped, failed or crashed"),
    bind(C::Runs, &["i"], A::Log, "log", "what the run has said"),
    bind(C::Runs, &["d"], A::Lineage, "lineage", "what it made, and what that was made from"),
    bind(C::Runs, &["n"], A::New, "start", "start a job"),

    bind(C::List, &["up", "k"], A::Up, "move", "one row up"),
    bind(C::List, &["down", "j"], A::Down, "", "one row down"),
    bind(C::List, &["page-up", "ctrl-b"], A::PageUp, "", "a page up"),
    bind(C::List, &["page-down", "ctrl-f"], A::PageDown, "", "a page down"),
    bind(C::List, &["home", "g"], A::First, "", "the first row"),
    bind(C::List, &["end", "G"], A::Last, "", "the last row"),
    bind(C::List, &["enter"], A::Open, "open", "open what the cursor is on"),
    bind(C::List, &["/"], A::Filter, "filter", "show only what contains the words typed"),
    bind(C::List, &["s"], A::Sort, "", "sort by the next column"),

    bind(C::Everywhere, &["1"], A::PaneCorpus, "", "what does the tokenizer do to my words?"),
    bind(C::Everywhere, &["2"], A::PaneTokenizer, "", "which vocabulary is worth it?"),
    bind(C::Everywhere, &["3"], A::PanePairs, "", "are these the questions my users ask?"),
    bind(C::Everywhere, &["4"], A::PaneTuning, "", "is it learning, and is it better?"),
    bind(C::Everywhere, &["5"], A::PaneCompare, "", "would my users notice?"),
    bind(C::Everywhere, &["6"], A::PaneRuns, "", "what is going on, and what made what?"),
    bind(C::Everywhere, &["tab"], A::NextPane, "", "the next pane"),
    bind(C::Everywhere, &["shift-tab"], A::PreviousPane, "", "the pane before"),
    bind(C::Everywhere, &["y"], A::Copy, "", "copy what the cursor is on (OSC 52, and a file)"),
    bind(C::Everywhere, &["m"], A::Mouse, "", "mouse on or off; while it is on, shift-drag selects text"),
    bind(C::Everywhere, &["esc"], A::Back, "", "leave what is open; clear the filter"),
    bind(C::Everywhere, &["ctrl-l"], A::Redraw, "", "draw everything anew"),
    bind(C::Everywhere, &["ctrl-z"], A::Suspend, "", "back to the shell; `fg` returns"),
    bind(C::Everywhere, &["q", "ctrl-c"], A::Quit, "", "quit; jobs go on"),
    bind(C::Everywhere, &["?", "f1"], A::Help, "help", "these keys"),

    bind(C::Form, &["down", "tab"], A::NextField, "field", "the next field"),
    bind(C::Form, &["up", "shift-tab"], A::PreviousField, "", "the field before"),
    bind(C::Form, &["right"], A::NextChoice, "choice", "the next choice"),
    bind(C::Form, &["left"], A::PreviousChoice, "", "the choice before"),
    bind(C::Form, &["enter"], A::Submit, "start", "start the job"),
    bind(C::Form, &["ctrl-r"], A::Reset, "default", "the default again"),
    bind(C::Form, &["ctrl-y"], A::CopyCommand, "copy command", "copy the command line that does the same"),
    bind(C::Form, &["ctrl-z"], A::Suspend, "", "back to the shell; `fg` returns"),
    bind(C::Form, &["ctrl-l"], A::Redraw, "", "draw everything anew"),
    bind(C::Form, &["esc", "ctrl-c"], A::Back, "leave", "leave the form; what was typed is kept"),

    bind(C::Overlay, &["up", "k"], A::Up, "scroll", "one line up"),
    bind(C::Overlay, &["down", "j"], A::Down, "", "one line down"),
    bind(C::Overlay, &["page-up", "ctrl-b"], A::PageUp, "", "a page up"),
    bind(C::Overlay, &["page-down", "ctrl-f", "space"], A::PageDown, "", "a page down"),
    bind(C::Overlay, &["home", "g"], A::First, "", "the top"),
    bind(C::Overlay, &["end", "G"], A::Last, "", "the bottom"),
    bind(C::Overlay, &["enter"], A::Open, "", "choose the row under the cursor"),
    bind(C::Overlay, &["y"], A::Copy, "copy", "copy it"),
    bind(C::Overlay, &["ctrl-z"], A::Suspend, "", "back to the shell; `fg` returns"),
    bind(C::Overlay, &["ctrl-l"], A::Redraw, "", "draw everything anew"),
    bind(C::Overlay, &["esc", "q", "?", "ctrl-c"], A::Back, "close", "close it"),
];

/// The table with the user's overrides.
#[derive(Debug, Clone)]
pub struct Keymap {
    rows: Vec<(Binding, Vec<Key>)>,
}

/// What is wrong with an override.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// A context that does not exist.
    #[error("[keys.{0}]: no such place; there are: {places}", places = Context::ALL.map(Context::name).join(", "))]
    Context(String),
    /// An action that the context does not have.
    #[error("[keys.{context}] {action}: no such action there; `lapidary keys` lists them")]
    Action {
        /// Where.
        context: String,
        /// What was named.
        action: String,
    },
    /// A key that cannot be read.
    #[error("[keys.{context}] {action} = {key:?}: no such key; write `x`, `G`, `ctrl-x`, `shift-tab`, `page-up`")]
    Key {
        /// Where.
        context: String,
        /// For what.
        action: String,
        /// What was given.
        key: String,
    },
    /// A key that something else has.
    #[error("[keys.{context}] {key} would do two things: {first} and {second}; give one of them another key")]
    Twice {
        /// Where.
        context: String,
        /// The key.
        key: String,
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

/// The user's keys: for each context, for each action, its keys.
pub type Overrides = BTreeMap<String, BTreeMap<String, Vec<String>>>;

impl Default for Keymap {
    fn default() -> Self {
        let rows = TABLE.iter().map(|row| (*row, row.keys.iter().filter_map(|key| Key::parse(key)).collect()));
        Self { rows: rows.collect() }
    }
}

impl Keymap {
    /// The table with some rows' keys replaced. An error leaves nothing half done.
    pub fn with_overrides(overrides: &Overrides) -> Result<Self, KeymapError> {
        let mut keymap = Self::default();
        for (context, actions) in overrides {
            if !Context::ALL.iter().any(|known| known.name() == context) {
                return Err(KeymapError::Context(context.clone()));
            }
            for (action, keys) in actions {
                let row = keymap
                    .rows
                    .iter_mut()
                    .find(|(row, _)| row.context.name() == context && row.action.name() == action)
                    .ok_or_else(|| KeymapError::Action { context: context.clone(), action: action.clone() })?;
                row.1 = keys
                    .iter()
                    .map(|key| {
                        Key::parse(key).ok_or_else(|| KeymapError::Key {
                            context: context.clone(),
                            action: action.clone(),
                            key: key.clone(),
                        })
                    })
                    .collect::<Result<_, _>>()?;
            }
        }
        keymap.check()?;
        Ok(keymap)
    }

    /// No key may do two things in one place.
    fn check(&self) -> Result<(), KeymapError> {
        for context in Context::ALL {
            let mut seen: Vec<(Key, Action)> = Vec::new();
            for (row, keys) in self.rows_of(context) {
                for key in keys {
                    // A pane may say in its own words what a key of every list does there.
                    let taken = seen.iter().find(|(other, action)| other == key && *action != row.action);
                    if let Some((_, first)) = taken {
                        return Err(KeymapError::Twice {
                            context: context.name().to_owned(),
                            key: key.to_string(),
                            first: first.name(),
                            second: row.action.name(),
                        });
                    }
                    seen.push((*key, row.action));
                }
            }
        }
        Ok(())
    }

    fn rows_of(&self, context: Context) -> impl Iterator<Item = (&Binding, &[Key])> {
        context.layers().iter().flat_map(move |layer| {
            self.rows.iter().filter(move |(row, _)| row.context == *layer).map(|(row, keys)| (row, keys.as_slice()))
        })
    }

    /// What a key does in a context.
    pub fn action(&self, context: Context, event: &KeyEvent) -> Option<Action> {
        let key = Key::of(event);
        self.rows_of(context).find(|(_, keys)| keys.contains(&key)).map(|(row, _)| row.action)
    }

    /// The first key of an action in a context, as it is written.
    pub fn key(&self, context: Context, action: Action) -> Option<String> {
        self.rows_of(context)
            .find(|(row, _)| row.action == action)
            .and_then(|(_, keys)| keys.first().map(Key::to_string))
    }

    /// What the footer can show: key and label, the most particular first.
    pub fn footer(&self, context: Context) -> Vec<(String, &'static str)> {
        let shown = self.rows_of(context).filter(|(row, keys)| !row.label.is_empty() && !keys.is_empty());
        shown.map(|(row, keys)| (keys[0].to_string(), row.label)).collect()
    }

    /// What help shows for a context: keys and sentence, this context's own rows only.
    pub fn help(&self, context: Context) -> Vec<(String, &'static str)> {
        let own = self.rows.iter().filter(|(row, _)| row.context == context);
        own.map(|(row, keys)| (keys.iter().map(Key::to_string).collect::<Vec<_>>().join(", "), row.help)).collect()
    }

    /// All rows: context, action, keys, sentence.
    pub fn rows(&self) -> impl Iterator<Item = (Context, Action, Vec<String>, &'static str)> {
        self.rows
            .iter()
            .map(|(row, keys)| (row.context, row.action, keys.iter().map(Key::to_string).collect(), row.help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_context_binds_a_key_twice() {
        Keymap::default().check().unwrap();
    }

    #[test]
    fn every_key_is_readable_and_every_action_reachable() {
        for row in TABLE {
            assert!(!row.keys.is_empty() && !row.help.is_empty(), "{row:?}");
            for key in row.keys {
                let parsed = Key::parse(key).unwrap_or_else(|| panic!("{key}"));
                assert_eq!(parsed.to_string(), *key);
            }
        }
        for action in Action::ALL {
            assert!(TABLE.iter().any(|row| row.action == *action), "{action:?} has no key");
        }
    }

    #[test]
    fn overrides_replace_and_are_checked() {
        let parse = |text: &str| toml::from_str::<Overrides>(text).unwrap();
        let keymap = Keymap::with_overrides(&parse("corpus.worst = ['W']")).unwrap();
        assert_eq!(keymap.key(Context::Corpus, Action::Worst).as_deref(), Some("W"));
        let error = |text: &str| Keymap::with_overrides(&parse(text)).unwrap_err().to_string();
        assert!(error("attic.worst = ['W']").contains("[keys.attic]: no such place"));
        assert!(error("corpus.fly = ['W']").contains("[keys.corpus] fly: no such action"));
        assert!(error("corpus.worst = ['hyper-w']").contains("no such key"));
        assert!(error("corpus.worst = ['q']").contains("would do two things"), "{}", error("corpus.worst = ['q']"));
    }

    #[test]
    fn a_shifted_letter_is_its_capital() {
        let event = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(Keymap::default().action(Context::Corpus, &event), Some(Action::Last));
        let back = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(Keymap::default().action(Context::Runs, &back), Some(Action::PreviousPane));
    }
}
