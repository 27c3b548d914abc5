//! The vectors of all passages under a model: computed once, kept in the cache by content.

use super::reference::Found;
use super::{Context, Result};
use crate::encoder::{Embeddings, Encoder, Role};
use crate::progress::Event;
use crate::workspace::Hasher;

/// Texts under one model; the same texts under the same model are read from the cache.
pub(super) fn embed(
    context: &Context<'_>,
    encoder: &Encoder,
    model: &Found,
    texts: &[&str],
    role: Role,
    what: &str,
) -> Result<Embeddings> {
    let mut hasher = Hasher::default()
        .part(model.digest.as_str())
        .part(encoder.max_length().to_string())
        .part(format!("{role:?}"))
        .part(&context.place.name);
    for text in texts {
        hasher = hasher.part(text);
    }
    let key = hasher.finish();
    let cache = context.workspace.cache();
    let dim = encoder.dim();
    if let Some(bytes) = cache.get("embeddings", &key)?
        && bytes.len() == texts.len() * dim * 4
    {
        let data = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        return Ok(Embeddings::new(dim, data));
    }
    context.observer.on(Event::phase(format!("embed {what}")));
    let tokens = encoder.tokenize(texts, role)?;
    let embeddings = encoder.embed(&tokens, context.observer)?;
    let bytes: Vec<u8> = embeddings.data.iter().flat_map(|value| value.to_le_bytes()).collect();
    cache.put("embeddings", &key, &bytes)?;
    Ok(embeddings)
}
