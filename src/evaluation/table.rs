//! What was measured, for a person to read.

use super::{Delta, Overlap, System, SystemKind};

/// Fewer questions than this say little.
const FEW: usize = 100;

/// Everything a table tells.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// The systems, in the order of the rows.
    pub systems: &'a [System],
    /// The differences, in the order of the sentences.
    pub deltas: &'a [Delta],
    /// Scores by lexical overlap.
    pub overlap: &'a [Overlap],
    /// How many questions.
    pub queries: usize,
    /// Among how many passages.
    pub passages: usize,
    /// Whether the questions were made from the documents.
    pub synthetic: bool,
    /// How often they were looked at.
    pub looks: u32,
}

impl Table<'_> {
    /// The table, then what it means in sentences.
    pub fn render(&self) -> String {
        let width = self.systems.iter().map(|system| system.name.chars().count()).max().unwrap_or(0).max(6);
        let mut text =
            format!("{:<width$}  MRR@10    P@1    P@5   P@10    R@1    R@5   R@10  nDCG@10  MAP@100\n", "system");
        for system in self.systems {
            let m = &system.metrics;
            text.push_str(&format!(
                "{:<width$}  {:>6.3}  {:>5.3}  {:>5.3}  {:>5.3}  {:>5.3}  {:>5.3}  {:>5.3}  {:>7.3}  {:>7.3}\n",
                system.name, m.mrr10, m.p1, m.p5, m.p10, m.r1, m.r5, m.r10, m.ndcg10, m.map100
            ));
        }
        let made = if self.synthetic { "synthetic questions, made from the documents" } else { "held-out questions" };
        let looks =
            if self.looks == 1 { "looked at once".to_owned() } else { format!("looked at {} times", self.looks) };
        text.push_str(&format!("\n{} {made}, {looks}, among {} passages.\n", self.queries, self.passages));
        if self.looks > 1 {
            text.push_str("The more often a test is looked at, the less it proves.\n");
        }
        for delta in self.deltas {
            text.push_str(&sentence(delta));
        }
        text.push_str(&self.advice());
        if self.queries < FEW {
            text.push_str(&format!("Fewer than {FEW} questions: small differences cannot be seen.\n"));
        }
        if self.synthetic {
            text.push_str("Questions made from the documents share their words and flatter BM25; ask your users' own where you can.\n");
        }
        text.push_str(&self.by_overlap());
        text
    }

    /// What to use, where words and model together are best.
    fn advice(&self) -> String {
        let best = self.systems.iter().max_by(|a, b| a.metrics.mrr10.total_cmp(&b.metrics.mrr10));
        match best {
            Some(best) if best.kind == SystemKind::Fusion => {
                format!("Best is {} with {:.3}: use both.\n", best.name, best.metrics.mrr10)
            }
            Some(best) if best.kind == SystemKind::Bm25 => {
                format!(
                    "Best is {} with {:.3}: on these questions words alone are enough.\n",
                    best.name, best.metrics.mrr10
                )
            }
            Some(best) => format!("Best is {} with {:.3}.\n", best.name, best.metrics.mrr10),
            None => String::new(),
        }
    }

    fn by_overlap(&self) -> String {
        let filled: Vec<&Overlap> = self.overlap.iter().filter(|bucket| bucket.queries > 0).collect();
        if filled.len() < 2 {
            return String::new();
        }
        let mut text = "\nMRR@10 by share of a question's words that stand in its passage\n".to_owned();
        let width = self.systems.iter().map(|system| system.name.chars().count()).max().unwrap_or(0).max(6);
        text.push_str(&format!("{:<width$}", "system"));
        for bucket in &filled {
            text.push_str(&format!("  {:>12}", format!("{} ({})", bucket.bucket, bucket.queries)));
        }
        text.push('\n');
        for system in self.systems {
            text.push_str(&format!("{:<width$}", system.name));
            for bucket in &filled {
                text.push_str(&format!("  {:>12.3}", bucket.mrr10.get(&system.name).copied().unwrap_or(0.0)));
            }
            text.push('\n');
        }
        text
    }
}

fn sentence(delta: &Delta) -> String {
    let p = if delta.p_value < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {:.4}", delta.p_value) };
    let verdict = match delta.mrr10 {
        _ if delta.p_value >= 0.05 => {
            format!("{} and {} cannot be told apart: {:+.3} MRR@10", delta.a, delta.b, delta.mrr10)
        }
        difference if difference > 0.0 => format!("{} beats {} by {:.3} MRR@10", delta.a, delta.b, difference),
        difference => format!("{} is worse than {} by {:.3} MRR@10", delta.a, delta.b, -difference),
    };
    format!(
        "{verdict} (95 %: {:+.3} to {:+.3}, {p}): {} better, {} same, {} worse.\n",
        delta.ci95[0], delta.ci95[1], delta.wins, delta.ties, delta.losses
    )
}
