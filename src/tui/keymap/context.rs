//! Where a key is pressed.

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
