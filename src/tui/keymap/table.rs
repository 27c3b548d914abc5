//! The one table of all bindings.

use super::{Action, Action as A, Context, Context as C};

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
    bind(C::Pairs, &["p"], A::Pause, "pause", "pause the synthesis: what is under way is finished; again: go on"),
    bind(C::Pairs, &["+", "="], A::More, "concurrency", "one request more under way at each endpoint of the synthesis"),
    bind(C::Pairs, &["-"], A::Fewer, "", "one request fewer"),
    bind(C::Pairs, &["X"], A::Stop, "stop", "stop the job that makes pairs; a synthesis can be resumed"),
    bind(C::Pairs, &["F"], A::Finish, "finish", "finish the review: write the next version of the pairs"),
    bind(C::Pairs, &["h"], A::Health, "health", "lengths, lexical overlap and duplicates of the set"),
    bind(C::Pairs, &["n"], A::New, "make", "make pairs: by rule, by a language model, or import your own"),
    bind(C::Pairs, &["f"], A::Follow, "", "watch the job that makes pairs, or go back to the set"),
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
    bind(C::Compare, &["v"], A::Ladder, "", "what keeping, extending and replacing the vocabulary came to"),
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
    bind(C::Overlay, &["enter"], A::Open, "choose", "choose the row under the cursor"),
    bind(C::Overlay, &["y"], A::Copy, "copy", "copy it"),
    bind(C::Overlay, &["ctrl-z"], A::Suspend, "", "back to the shell; `fg` returns"),
    bind(C::Overlay, &["ctrl-l"], A::Redraw, "", "draw everything anew"),
    bind(C::Overlay, &["esc", "q", "?", "ctrl-c"], A::Back, "close", "close it"),
];
