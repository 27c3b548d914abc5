//! Which key does what, and what the screen says about it: one table.
//!
//! Dispatch, the footer, the `?` overlay, `lapidary keys` and the user's overrides all read [`TABLE`]; a test holds that
//! no context binds a key twice. Keys typed into a field go to the field and never come here.

mod action;
mod context;
mod key;
mod table;

use std::collections::BTreeMap;

use crossterm::event::KeyEvent;

pub use action::Action;
pub use context::Context;
pub use key::Key;
pub use table::{Binding, TABLE};

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

    /// What the footer can show: action, key and label, the most particular first.
    pub fn footer(&self, context: Context) -> Vec<(Action, String, &'static str)> {
        let shown = self.rows_of(context).filter(|(row, keys)| !row.label.is_empty() && !keys.is_empty());
        shown.map(|(row, keys)| (row.action, keys[0].to_string(), row.label)).collect()
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
    use crossterm::event::{KeyCode, KeyModifiers};

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
