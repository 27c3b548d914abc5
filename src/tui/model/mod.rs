//! What the workbench knows, and how it changes.
//!
//! [`update`] is the only way the model changes, and it does nothing else: what must be done outside (a job started, a
//! question asked) it returns as [`Effect`]s.

mod input;

use crossterm::event::KeyEventKind;

use super::keymap::Context;
use super::live::Gravity;
use super::message::{Effect, Msg};
use super::overlay::{Overlay, Scroll};
use super::panes::{ComparePane, CorpusPane, PairsPane, Pane, RunsPane, TokenizerPane, TuningPane};
use super::shared::Shared;
use super::widgets::symbols::visible;
use super::workers::Answer;

/// Milliseconds for which a notice stays.
const NOTICE_MS: u64 = 6000;
/// How much curves are smoothed before anyone asks for more or less.
pub const SMOOTHING: f64 = 0.9;

/// The panes, by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaneId {
    /// 1.
    #[default]
    Corpus,
    /// 2.
    Tokenizer,
    /// 3.
    Pairs,
    /// 4.
    Tuning,
    /// 5.
    Compare,
    /// 6.
    Runs,
}

impl PaneId {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Corpus, Self::Tokenizer, Self::Pairs, Self::Tuning, Self::Compare, Self::Runs];

    /// Its name in the head of the screen.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Corpus => "Corpus",
            Self::Tokenizer => "Tokenizer",
            Self::Pairs => "Pairs",
            Self::Tuning => "Tuning",
            Self::Compare => "Compare",
            Self::Runs => "Runs",
        }
    }

    fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|pane| *pane == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }

    /// The pane that shows runs of a job.
    pub fn of_job(job: &str) -> Self {
        match job {
            "tokenizer" => Self::Tokenizer,
            "pairs-structural" | "pairs-import" | "pairs-synthesize" | "pairs-review" => Self::Pairs,
            "tune" | "align" | "distill" | "ladder" => Self::Tuning,
            "evaluate" => Self::Compare,
            "corpus" => Self::Corpus,
            _ => Self::Runs,
        }
    }
}

/// How soon the screen must show what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dirty {
    /// Nothing changed.
    Clean,
    /// A job reported something.
    Data,
    /// Somebody pressed a key.
    Input,
}

/// Words at the foot of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The words.
    pub text: String,
    /// Whether something went wrong.
    pub wrong: bool,
    /// When they go; `None`: when a key is pressed.
    pub until_ms: Option<u64>,
}

/// What the workbench knows.
#[derive(Debug)]
pub struct Model {
    /// What every pane sees.
    pub shared: Shared,
    /// The pane in view.
    pub pane: PaneId,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// Words at the foot.
    pub notice: Option<Notice>,
    /// Whether the mouse is on.
    pub mouse: bool,
    /// Whether this is a demonstration, and its first line says what to press.
    pub welcome: Option<String>,
    /// How soon the screen must follow.
    pub dirty: Dirty,
    corpus: CorpusPane,
    tokenizer: TokenizerPane,
    pairs: PairsPane,
    tuning: TuningPane,
    compare: ComparePane,
    runs: RunsPane,
    watched: Vec<String>,
    /// Whether a key was pressed yet.
    touched: bool,
    /// Where the tabs are, as last drawn: columns of each.
    pub(super) tabs: std::cell::RefCell<Vec<(u16, u16)>>,
}

impl Model {
    /// A workbench that knows nothing yet.
    pub fn new(shared: Shared, problem: Option<String>) -> Self {
        Self {
            shared,
            pane: PaneId::Corpus,
            overlay: None,
            notice: problem.map(|text| Notice { text, wrong: true, until_ms: None }),
            mouse: false,
            welcome: None,
            dirty: Dirty::Input,
            corpus: CorpusPane::default(),
            tokenizer: TokenizerPane::default(),
            pairs: PairsPane::default(),
            tuning: TuningPane::default(),
            compare: ComparePane::default(),
            runs: RunsPane::default(),
            watched: Vec::new(),
            touched: false,
            tabs: std::cell::RefCell::default(),
        }
    }

    /// The corpus pane as it is inside.
    #[cfg(test)]
    pub(super) fn corpus_pane(&mut self) -> &mut CorpusPane {
        &mut self.corpus
    }

    /// A pane, and what it sees.
    pub fn pane(&self, id: PaneId) -> &dyn Pane {
        match id {
            PaneId::Corpus => &self.corpus,
            PaneId::Tokenizer => &self.tokenizer,
            PaneId::Pairs => &self.pairs,
            PaneId::Tuning => &self.tuning,
            PaneId::Compare => &self.compare,
            PaneId::Runs => &self.runs,
        }
    }

    #[cfg(test)]
    pub(super) fn tuning(&self) -> &TuningPane {
        &self.tuning
    }

    fn open_pane(&mut self) -> (&mut dyn Pane, &Shared) {
        let id = self.pane;
        self.pane_mut(id)
    }

    fn pane_mut(&mut self, id: PaneId) -> (&mut dyn Pane, &Shared) {
        let shared = &self.shared;
        match id {
            PaneId::Corpus => (&mut self.corpus, shared),
            PaneId::Tokenizer => (&mut self.tokenizer, shared),
            PaneId::Pairs => (&mut self.pairs, shared),
            PaneId::Tuning => (&mut self.tuning, shared),
            PaneId::Compare => (&mut self.compare, shared),
            PaneId::Runs => (&mut self.runs, shared),
        }
    }

    /// Where keys are bound now.
    pub fn context(&self) -> Context {
        match &self.overlay {
            Some(Overlay::Form(_)) => Context::Form,
            Some(_) => Context::Overlay,
            None => self.pane(self.pane).context(),
        }
    }

    fn say(&mut self, text: String, wrong: bool) {
        // What went wrong stays until a key is pressed: nobody may have been looking.
        let until_ms = (!wrong).then_some(self.shared.now_ms + NOTICE_MS);
        self.notice = Some(Notice { text, wrong, until_ms });
    }
}

/// Changes the model, and says what to do.
pub fn update(model: &mut Model, message: Msg) -> Vec<Effect> {
    let mut effects = match message {
        Msg::Key(event) => {
            if event.kind == KeyEventKind::Release {
                return Vec::new();
            }
            model.dirty = Dirty::Input;
            input::key(model, &event)
        }
        Msg::Paste(text) => {
            model.dirty = Dirty::Input;
            input::paste(model, &text)
        }
        Msg::Mouse(event) => input::mouse(model, event),
        Msg::Resize(..) => {
            model.dirty = Dirty::Input;
            Vec::new()
        }
        Msg::Suspend => vec![Effect::Suspend],
        Msg::Continued => vec![Effect::Redraw],
        Msg::Terminate | Msg::HangUp => vec![Effect::Quit],
        Msg::Clock(now) => {
            model.shared.now_ms = now;
            if model.notice.as_ref().and_then(|notice| notice.until_ms).is_some_and(|until| until <= now) {
                model.notice = None;
                model.dirty = model.dirty.max(Dirty::Data);
            }
            // Ages and clocks are on the screen only while something runs, or where runs are listed.
            if model.pane == PaneId::Runs || model.shared.runs.living().next().is_some() {
                model.dirty = model.dirty.max(Dirty::Data);
            }
            Vec::new()
        }
        Msg::Answer(answer) => {
            // An answer to a key belongs to that key's frame.
            model.dirty = Dirty::Input;
            let id = match &answer {
                Answer::Corpus(_) => PaneId::Corpus,
                Answer::Pairs(_) => PaneId::Pairs,
                Answer::Compare(_) => PaneId::Compare,
                Answer::Vocabulary(_) => PaneId::Tokenizer,
            };
            let (pane, shared) = model.pane_mut(id);
            pane.answer(answer, shared)
        }
        Msg::Runs(lines) => {
            let first = !model.shared.runs.read;
            model.shared.runs.set(lines);
            model.dirty = model.dirty.max(if first { Dirty::Input } else { Dirty::Data });
            refresh(model)
        }
        Msg::Events(batch) => {
            model.dirty = model.dirty.max(Dirty::Data);
            if model.watched.contains(&batch.run) {
                let smoothing = model.shared.smoothing;
                model.shared.runs.take(batch, smoothing);
            }
            Vec::new()
        }
        Msg::Artifacts(artifacts) => {
            model.dirty = Dirty::Input;
            model.shared.artifacts = artifacts;
            refresh(model)
        }
        Msg::Started { run, note } => {
            model.dirty = Dirty::Input;
            model.overlay = None;
            let text = note.map_or_else(|| format!("started {run}"), |note| format!("started {run}: {note}"));
            model.say(text, false);
            Vec::new()
        }
        Msg::Tour { pane, text } => {
            model.dirty = Dirty::Input;
            model.welcome = Some(text);
            if model.touched { Vec::new() } else { go(model, pane) }
        }
        Msg::Log { run, lines } => {
            model.dirty = Dirty::Input;
            model.overlay = Some(log(model, &run, lines));
            Vec::new()
        }
        Msg::Notice(text) => {
            model.dirty = Dirty::Input;
            model.say(text, false);
            Vec::new()
        }
        Msg::Failed(text) => {
            model.dirty = Dirty::Input;
            model.say(text, true);
            Vec::new()
        }
    };
    effects = settle(model, effects);
    let mut watched: Vec<String> = PaneId::ALL.iter().flat_map(|id| model.pane(*id).watching(&model.shared)).collect();
    watched.sort_unstable();
    watched.dedup();
    if watched != model.watched {
        model.shared.runs.keep(&watched);
        model.watched.clone_from(&watched);
        effects.push(Effect::Watch(watched));
    }
    effects
}

/// What a run said in its events, then what its process printed.
fn log(model: &Model, run: &str, printed: Vec<String>) -> Overlay {
    let mut lines = Vec::new();
    if let Some(live) = model.shared.runs.live(run) {
        for (t, gravity, text) in &live.messages {
            let mark = match gravity {
                Gravity::Note => "",
                Gravity::Warning => "warning: ",
                Gravity::Error => "error: ",
            };
            lines.push(format!("{}  {mark}{text}", model.shared.time_of_day(*t)));
        }
        if live.garbage > 0 {
            lines.push(format!("lines of its log that are no events and were left out: {}", live.garbage));
        }
    }
    if !printed.is_empty() {
        lines.push("-- log.txt".to_owned());
        lines.extend(printed);
    }
    if lines.is_empty() {
        lines.push("it has said nothing yet".to_owned());
    }
    let lines = lines.iter().map(|line| visible(line, &model.shared.palette).into_owned()).collect();
    Overlay::Text { title: format!("Log of {run}"), lines, scroll: Scroll::at_end() }
}

/// Carries out the effects that are the model's own.
fn settle(model: &mut Model, effects: Vec<Effect>) -> Vec<Effect> {
    let mut rest = Vec::new();
    for effect in effects {
        match effect {
            Effect::Open(overlay) => {
                model.overlay = Some(*overlay);
                model.dirty = Dirty::Input;
            }
            Effect::Go(pane) => {
                model.dirty = Dirty::Input;
                rest.extend(go(model, pane));
            }
            Effect::Attach(run) => {
                let job = model.shared.runs.status(&run).map(|status| status.job.clone()).unwrap_or_default();
                rest.extend(go(model, PaneId::of_job(&job)));
                let (pane, shared) = model.open_pane();
                let more = pane.attach(&run, shared);
                rest.extend(more);
                model.dirty = Dirty::Input;
            }
            Effect::Smooth(smoothing) => {
                model.shared.smoothing = smoothing;
                model.shared.runs.smooth(smoothing);
            }
            Effect::Say(text) => model.say(text, false),
            Effect::Complain(text) => model.say(text, true),
            Effect::Remember { job, values } => {
                model.shared.remembered.insert(job.to_owned(), values.clone());
                rest.push(Effect::Remember { job, values });
            }
            Effect::Mouse(on) => {
                model.mouse = on;
                rest.push(Effect::Mouse(on));
            }
            other => rest.push(other),
        }
    }
    rest
}

fn refresh(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    for id in PaneId::ALL {
        let (pane, shared) = model.pane_mut(id);
        effects.extend(pane.refresh(shared));
    }
    effects
}

fn go(model: &mut Model, pane: PaneId) -> Vec<Effect> {
    model.pane = pane;
    model.overlay = None;
    let (pane, shared) = model.open_pane();
    pane.opened(shared)
}
