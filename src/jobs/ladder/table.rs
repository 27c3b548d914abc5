//! The ladder as a person reads it.

use super::proof::{FUSED, FUSED_PIECES, PIECES, Proof, TUNED, name};
use crate::evaluation::{self, Arm};
use crate::settings::Vocabulary;

/// A difference that luck makes as often is none.
const LEVEL: f64 = 0.05;

/// One table of the arms, one of the test, and what follows.
pub(super) fn render(arms: &[Arm], chosen: Vocabulary, proof: &Proof, seeds: usize, recommendation: &str) -> String {
    let mut text = evaluation::arms_table(arms, chosen, seeds) + "\n";
    let width = proof.systems.iter().map(|proven| proven.system.name.len()).max().unwrap_or(0);
    text.push_str(&format!("{:<width$}  MRR@10    95 %             P@1   R@10   by seed\n", "on the test questions"));
    for proven in &proof.systems {
        let by_seed: Vec<String> = proven.by_seed.iter().map(|score| format!("{score:.3}")).collect();
        let by_seed = if proven.by_seed.len() > 1 { by_seed.join(" ") } else { String::new() };
        text.push_str(&format!(
            "{:<width$}  {:>6.3}  {:.3} to {:.3}  {:>6.3}  {:>5.3}   {by_seed}\n",
            proven.system.name,
            proven.system.metrics.mrr10,
            proven.ci95[0],
            proven.ci95[1],
            proven.system.metrics.p1,
            proven.system.metrics.r10
        ));
    }
    let looks = if proof.looks == 1 { "looked at once".to_owned() } else { format!("looked at {} times", proof.looks) };
    text.push_str(&format!("{} questions, {looks}, among {} passages\n\n", proof.queries, proof.passages));
    for delta in &proof.deltas {
        text.push_str(&format!(
            "{} against {}: {:+.3} (95 %: {:+.3} to {:+.3}, p {})\n",
            delta.a,
            delta.b,
            delta.mrr10,
            delta.ci95[0],
            delta.ci95[1],
            p_value(delta.p_value)
        ));
    }
    text.push_str(&format!("\n{recommendation}\n"));
    text
}

fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// What to do, whichever way it fell.
pub(super) fn recommendation(arms: &[Arm], chosen: Vocabulary, proof: &Proof) -> String {
    let cost = |vocabulary| arms.iter().find(|arm| arm.vocabulary == vocabulary).map(|arm| arm.cost);
    let delta = |a: &str, b: &str| proof.deltas.iter().find(|delta| delta.a == a && delta.b == b);
    let mut text = if arms.len() == 1 {
        "Nothing but the base's vocabulary was tried.".to_owned()
    } else if chosen == Vocabulary::Keep {
        "Keep the base's vocabulary: no other did better on dev, so none was tested.".to_owned()
    } else {
        let (arm, keep) = (name(chosen, TUNED), name(Vocabulary::Keep, TUNED));
        let verb = match chosen {
            Vocabulary::Extend => "Extend the vocabulary",
            Vocabulary::Replace | Vocabulary::Keep => "Replace the vocabulary",
        };
        match delta(&arm, &keep) {
            Some(delta) if delta.p_value < LEVEL && delta.mrr10 > 0.0 => {
                format!("{verb}: tuned, it beats the kept one by {:.3} MRR@10, which is more than luck.", delta.mrr10)
            }
            Some(delta) if delta.p_value < LEVEL => format!(
                "Keep the base's vocabulary: what won on dev lost by {:.3} MRR@10 on the test, which is more than luck.",
                -delta.mrr10
            ),
            Some(delta) => {
                let faster = match (cost(chosen), cost(Vocabulary::Keep)) {
                    (Some(new), Some(old)) => new.passages_per_s / old.passages_per_s.max(1e-9),
                    _ => 1.0,
                };
                let why = if faster > 1.05 {
                    format!("it embeds {faster:.2} times as many passages a second, and that is what speaks for it")
                } else {
                    "nothing else speaks for it either: keep the base's".to_owned()
                };
                format!(
                    "Either will do: the {} vocabulary scores {:+.3} MRR@10 against the kept one, no more than luck; {why}.",
                    match chosen {
                        Vocabulary::Extend => "extended",
                        _ => "new",
                    },
                    delta.mrr10
                )
            }
            None => String::new(),
        }
    };
    if chosen != Vocabulary::Keep
        && let Some(whole) = delta(&name(chosen, TUNED), &name(Vocabulary::Keep, TUNED))
        && let Some(pieces) = delta(&name(chosen, PIECES), &name(Vocabulary::Keep, PIECES))
    {
        text.push_str(&format!(
            " Where passages are so short that nothing is cut, the difference is {:+.3} in place of {:+.3}: the rest is what truncation alone explains.",
            pieces.mrr10, whole.mrr10
        ));
    }
    let best_of = |whats: [&str; 2]| {
        let systems = whats.into_iter().filter_map(|what| proof.system(&name(chosen, what)));
        systems.max_by(|a, b| a.system.metrics.mrr10.total_cmp(&b.system.metrics.mrr10))
    };
    if let (Some(fused), Some(alone), Some(bm25)) =
        (best_of([FUSED, FUSED_PIECES]), best_of([TUNED, PIECES]), proof.bm25())
    {
        let [fused_mrr, alone, bm25] = [fused, alone, bm25].map(|proven| proven.system.metrics.mrr10);
        if fused_mrr > alone.max(bm25) {
            text.push_str(&format!(" Best of all, at {fused_mrr:.3}: {}.", fused.system.name));
        } else if bm25 >= alone {
            text.push_str(&format!(" BM25 alone is ahead of all, at {bm25:.3}."));
        }
    }
    text
}
