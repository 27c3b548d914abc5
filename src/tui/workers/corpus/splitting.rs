//! Splitting one text: tokenizers are loaded once, recent splits are kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::encoder::reference;
use crate::tokenizer::{self, Fragmentation, TokenSpan, Tokenizer, WordPieces, token_spans, word_pieces};
use crate::workspace::{Digest, Workspace};

/// Bytes of a text that are split: a longer one shows its beginning.
pub const UPPERMOST: usize = 64 << 10;
/// Splits that are kept.
const KEPT: usize = 32;

/// How a tokenizer splits a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The tokens with the bytes they cover, in order.
    pub spans: Vec<TokenSpan>,
    /// The words with their tokens.
    pub words: Vec<WordPieces>,
}

impl Split {
    /// Words and tokens.
    pub fn count(&self) -> Fragmentation {
        Fragmentation { words: self.words.len() as u64, tokens: self.spans.len() as u64 }
    }

    /// The word that a token belongs to; none for white space.
    pub fn word_of(&self, token: usize) -> Option<&WordPieces> {
        self.words.iter().find(|word| word.spans.contains(&token))
    }
}

/// Splits by the tokenizers' names, or why there is none.
pub type Splits = Vec<(String, Result<Arc<Split>, String>)>;

/// A tokenizer in memory.
pub(super) struct Loaded {
    pub(super) tokenizer: Tokenizer,
    pub(super) digest: Digest,
}

type Slot = Arc<Mutex<Option<Arc<Loaded>>>>;

/// The tokenizers in memory, by what they are called.
pub(super) struct Tokenizers {
    workspace: Workspace,
    slots: Mutex<HashMap<String, Slot>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tokenizers {
    pub(super) fn new(workspace: Workspace) -> Self {
        Self { workspace, slots: Mutex::default() }
    }

    fn slot(&self, name: &str) -> Slot {
        Arc::clone(lock(&self.slots).entry(name.to_owned()).or_default())
    }

    /// A tokenizer; loaded where it was not. Who asks for one that another thread is loading waits for it.
    pub(super) fn get(&self, name: &str) -> Result<Arc<Loaded>, String> {
        let slot = self.slot(name);
        let mut slot = lock(&slot);
        if let Some(loaded) = &*slot {
            return Ok(Arc::clone(loaded));
        }
        let found = reference::tokenizer(&self.workspace, Some(name)).map_err(|error| error.to_string())?;
        let tokenizer = tokenizer::load(&found.path).map_err(|error| {
            format!("{error}; train another with `lapidary tokenizer train`, or choose one that can be read")
        })?;
        let loaded = Arc::new(Loaded { tokenizer, digest: found.digest });
        *slot = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// Whether a tokenizer is at hand.
    fn is_loaded(&self, name: &str) -> bool {
        self.slot(name).try_lock().is_ok_and(|slot| slot.is_some())
    }
}

/// Splits texts.
pub(super) struct Splitter {
    tokenizers: Arc<Tokenizers>,
    /// The newest last.
    kept: VecDeque<(String, Arc<str>, Arc<Split>)>,
}

impl Splitter {
    pub(super) fn new(tokenizers: Arc<Tokenizers>) -> Self {
        Self { tokenizers, kept: VecDeque::with_capacity(KEPT) }
    }

    pub(super) fn is_loaded(&self, name: &str) -> bool {
        self.tokenizers.is_loaded(name)
    }

    /// How each of these tokenizers splits a text.
    pub(super) fn split_all(&mut self, text: &Arc<str>, tokenizers: &[String]) -> Splits {
        tokenizers.iter().map(|name| (name.clone(), self.split(text, name))).collect()
    }

    fn split(&mut self, text: &Arc<str>, name: &str) -> Result<Arc<Split>, String> {
        if let Some(at) = self.kept.iter().position(|(of, kept, _)| of == name && kept == text) {
            // The least recently asked for goes first.
            if let Some(entry) = self.kept.remove(at) {
                let split = Arc::clone(&entry.2);
                self.kept.push_back(entry);
                return Ok(split);
            }
        }
        let loaded = self.tokenizers.get(name)?;
        let spans = token_spans(&loaded.tokenizer, text).map_err(|error| format!("{name}: {error}"))?;
        let words = word_pieces(text, &spans);
        let split = Arc::new(Split { spans, words });
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((name.to_owned(), Arc::clone(text), Arc::clone(&split)));
        Ok(split)
    }
}
