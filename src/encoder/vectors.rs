//! The vectors of many texts under a model: computed once, kept in the workspace's cache by content.

use super::reference::Found;
use super::{Embeddings, Encoder, Result, Role, Tokens};
use crate::progress::{Event, Observer};
use crate::workspace::{Digest, Hasher, Workspace};

/// Embeds through the cache of a workspace.
#[derive(Clone, Copy)]
pub struct Vectors<'a> {
    /// Whose cache.
    pub workspace: &'a Workspace,
    /// Where the encoder computes: `cpu`, `cuda:0`. Places differ in the last digits, and so keep vectors of their own.
    pub place: &'a str,
    /// Who watches, and may ask to stop.
    pub observer: &'a dyn Observer,
}

impl Vectors<'_> {
    /// Texts under one model, one row a text; the same texts under the same model are read from the cache. A phase is
    /// reported only where they must be computed; `what` names them in it.
    pub fn embed(
        &self,
        encoder: &Encoder,
        model: &Found,
        texts: &[&str],
        role: Role,
        what: &str,
    ) -> Result<Embeddings> {
        let key = self.key(encoder, model, texts, role);
        let cache = self.workspace.cache();
        let dim = encoder.dim();
        if let Some(bytes) = cache.get("embeddings", &key)?
            && bytes.len() == texts.len() * dim * 4
        {
            let data = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            return Ok(Embeddings::new(dim, data));
        }
        self.observer.on(Event::phase(format!("embed {what}")));
        let tokens = Tokens { workspace: self.workspace }.of(encoder, texts, role)?;
        let embeddings = encoder.embed(&tokens, self.observer)?;
        let bytes: Vec<u8> = embeddings.data.iter().flat_map(|value| value.to_le_bytes()).collect();
        cache.put("embeddings", &key, &bytes)?;
        Ok(embeddings)
    }

    fn key(&self, encoder: &Encoder, model: &Found, texts: &[&str], role: Role) -> Digest {
        let start = Hasher::default()
            .part(model.digest.as_str())
            .part(encoder.max_length().to_string())
            .part(format!("{role:?}"))
            .part(format!("{:?}", encoder.precision()))
            .part(self.place);
        texts.iter().fold(start, Hasher::part).finish()
    }
}
