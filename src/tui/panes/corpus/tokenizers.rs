//! Which tokenizers are shown, and which could be.

use super::{Arrival, CorpusPane, Mode};
use crate::tui::message::Effect;
use crate::tui::overlay::{Choice, Overlay, Purpose};
use crate::tui::shared::Shared;
use crate::tui::widgets::symbols::visible;

/// The tokenizer that every workbench carries.
const EMBEDDED: &str = "embedded";

impl CorpusPane {
    /// Chooses the tokenizers anew: those of the user, else the base's of the newest tune and the newest trained here.
    pub(super) fn settle_slots(&mut self, shared: &Shared) -> Vec<Effect> {
        let base = base_of_newest(shared).unwrap_or_else(|| EMBEDDED.to_owned());
        let trained = shared.artifacts.tokenizers.first().map(|version| version.reference.clone());
        let [first, second] = self.chosen.clone();
        let first = first.unwrap_or(base);
        let second = second.or(trained).filter(|second| *second != first);
        let slots = [Some(first), second];
        if slots == self.slots {
            return Vec::new();
        }
        let byte = self.byte();
        self.slots = slots;
        if self.slots[1].is_none() {
            self.mode = Mode::Both;
        }
        self.order();
        self.order_worst();
        let mut effects = Vec::new();
        if self.corpus.is_some() {
            let arrival = self.arrival.take().unwrap_or(Arrival::Byte(byte));
            effects.extend(self.show(self.wanted, arrival));
        }
        if !self.scratch.is_empty() {
            effects.extend(self.split_scratch());
        }
        effects.extend(self.count());
        effects
    }

    /// The choice of a tokenizer.
    pub(super) fn choice(&self, shared: &Shared) -> Effect {
        let mut rows =
            vec![(EMBEDDED.to_owned(), "embedded               the base that every workbench carries".to_owned())];
        let mut add = |value: &str, what: &str| {
            if rows.iter().all(|(known, _)| known != value) {
                rows.push((value.to_owned(), format!("{:<22} {what}", visible(value, &shared.palette))));
            }
        };
        for version in &shared.artifacts.tokenizers {
            let size = version.details["vocab_size"].as_u64();
            let size = size.map(|size| format!("{} tokens, ", crate::tui::shared::thousands(size))).unwrap_or_default();
            add(&version.reference, &format!("trained here, {size}{}", shared.ago(version.made_ms)));
        }
        for version in &shared.artifacts.models {
            add(&version.reference, &format!("of a model, {}", shared.ago(version.made_ms)));
        }
        if let Some(base) = base_of_newest(shared) {
            add(&base, "what the newest model was tuned from");
        }
        let slot = usize::from(self.mode != Mode::First);
        let title = match (slot, &self.slots[0]) {
            (1, Some(base)) if self.mode == Mode::Both => {
                format!("Which tokenizer stands beside {}?", name_of(base))
            }
            _ => "Which tokenizer is shown?".to_owned(),
        };
        let mut choice = Choice::one(Purpose::Tokenizer, visible(&title, &shared.palette).into_owned(), rows);
        let current = self.slots[slot].as_ref();
        choice.selected = choice.rows.iter().position(|(value, _)| Some(value) == current).unwrap_or(0);
        Effect::Open(Box::new(Overlay::Choice(choice)))
    }
}

/// What a tokenizer is called on the screen: `base all-MiniLM-L6-v2` for the one that nobody chose.
pub(super) fn label_of(pane: &CorpusPane, reference: &str) -> String {
    let base = pane.chosen[0].is_none() && pane.slots[0].as_deref() == Some(reference);
    if base { format!("base {}", name_of(reference)) } else { name_of(reference).to_owned() }
}

/// What the newest tuned model was tuned from.
fn base_of_newest(shared: &Shared) -> Option<String> {
    let models = shared.artifacts.models.iter();
    models.flat_map(|model| &model.inputs).find(|input| input.role == "base").map(|input| input.reference.clone())
}

/// What a tokenizer is called where there is little room: of a path the last part.
pub(super) fn name_of(reference: &str) -> &str {
    let path = reference.trim_end_matches(['/', '\\']);
    let path = path.strip_suffix("/tokenizer.json").unwrap_or(path);
    path.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(reference)
}
