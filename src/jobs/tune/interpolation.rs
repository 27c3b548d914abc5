//! How much of the tuned weights the model gets.

use super::dev::DevSet;
use crate::encoder::Encoder;
use crate::jobs::{Context, Result};
use crate::progress::Event;
use crate::settings::Interpolation;
use crate::training::{TrainingOutcome, Weights};

/// The shares that `auto` tries, beside the tuned weights alone.
const SHARES: [f64; 3] = [0.25, 0.5, 0.75];

/// What the encoder holds at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// Share of the tuned weights.
    pub(super) share: f64,
    /// Its score on dev.
    pub(super) dev: Option<f64>,
}

/// Sets the encoder, which holds the tuned weights, to what is wanted between the base's and them.
pub(super) fn interpolate(
    wanted: Interpolation,
    base: Option<&Weights>,
    encoder: &Encoder,
    outcome: &TrainingOutcome,
    dev: Option<&DevSet>,
    context: &Context<'_>,
) -> Result<Kept> {
    let whole = Kept { share: 1.0, dev: outcome.best_dev };
    let Some(base) = base else { return Ok(whole) };
    let tuned = Weights::of(encoder)?;
    let score = |share: f64| -> Result<Kept> {
        base.towards(&tuned, share, encoder)?;
        let dev = dev.map(|dev| dev.mrr10(encoder, context)).transpose()?;
        Ok(Kept { share, dev })
    };
    context.observer.on(Event::phase("interpolate"));
    let share = match wanted {
        Interpolation::Share(share) => share,
        Interpolation::Auto if dev.is_none() => {
            let text =
                "no dev questions: --interpolate auto has nothing to choose by, and the tuned weights stay as they are";
            context.observer.on(Event::warning(text));
            return Ok(whole);
        }
        Interpolation::Auto => {
            let mut tried: Vec<Kept> = SHARES.into_iter().map(score).collect::<Result<_>>()?;
            tried.push(whole);
            let told: Vec<String> =
                tried.iter().map(|kept| format!("{}: {:.3}", kept.share, kept.dev.unwrap_or_default())).collect();
            let best = best(&tried).unwrap_or(whole);
            let text =
                format!("MRR@10 on dev by share of the tuned weights: {}; {} is kept", told.join(", "), best.share);
            context.observer.on(Event::note(text));
            base.towards(&tuned, best.share, encoder)?;
            return Ok(best);
        }
    };
    score(share)
}

/// The best on dev; of equals the one with the smaller share, which forgets less.
fn best(tried: &[Kept]) -> Option<Kept> {
    tried.iter().copied().reduce(|best, next| if next.dev > best.dev { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_smaller_share() {
        let tried =
            [(0.25, 0.4), (0.5, 0.6), (0.75, 0.6), (1.0, 0.5)].map(|(share, dev)| Kept { share, dev: Some(dev) });
        assert_eq!(best(&tried).unwrap().share, 0.5);
    }
}
