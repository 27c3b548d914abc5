//! What a vocabulary costs whoever uses it.

use crate::corpus::Passage;
use crate::encoder::{Encoder, Role};
use crate::evaluation::Cost;
use crate::jobs::splitting::Splitting;
use crate::jobs::{Context, Result};
use crate::progress::{Event, Silent};

/// Times that the passages are embedded to time it; the median counts.
const ROUNDS: usize = 3;
/// Passages that are embedded to time it, at most.
const TIMED: usize = 2000;

/// Tokens, time and room that an encoder takes.
pub(super) fn cost_of(context: &Context<'_>, encoder: &Encoder, passages: &[Passage]) -> Result<Cost> {
    context.observer.on(Event::phase("time"));
    let splitting = Splitting::of(encoder.tokenizer(), passages, encoder.max_length())?;
    let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
    let timed = &texts[..texts.len().min(TIMED)];
    let (mut seconds, mut tokens) = (Vec::new(), 0);
    for _ in 0..=ROUNDS {
        context.check_stop()?;
        let begun = context.clock.monotonic();
        let ids = encoder.tokenize(timed, Role::Passage)?;
        encoder.embed(&ids, &Silent)?;
        seconds.push(context.clock.monotonic().saturating_sub(begun).as_secs_f64().max(1e-9));
        tokens = ids.iter().map(Vec::len).sum();
    }
    // The first time warms up.
    seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    Ok(Cost {
        tokens: encoder.config().vocab_size,
        tokens_per_word: splitting.tokens_per_word,
        truncated: splitting.cut_short,
        tokens_per_s: tokens as f64 / median,
        passages_per_s: timed.len() as f64 / median,
        model_mib: (encoder.parameters().count() * 4) as f64 / f64::from(1 << 20),
    })
}
