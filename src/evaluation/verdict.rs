//! "Is it better?", answered in sentences, whichever way it falls.

use super::{Delta, Findings, System, SystemKind};

/// Differences that luck makes at least this often are none.
const LUCK: f64 = 0.05;
/// Fewer questions than this say little.
const FEW: usize = 100;

/// Which way it fell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The tuned model is better than its base.
    Better,
    /// It is worse.
    Worse,
    /// They cannot be told apart, or there was nothing to tell apart.
    Undecided,
}

/// The answer, and the sentences that say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which way it fell.
    pub answer: Answer,
    /// The sentences: tuned against base, then words alone, then both together, then what to doubt.
    pub text: String,
}

impl Verdict {
    /// What the numbers say.
    pub fn of(findings: &Findings) -> Self {
        let base = findings.of_kind(SystemKind::Base);
        let tuned = findings.of_kind(SystemKind::Tuned);
        let words = findings.of_kind(SystemKind::Bm25);
        let model = tuned.or(base);
        let made = if findings.synthetic { "synthetic" } else { "held-out" };
        let asked = format!("{} {made} question{}", findings.queries, if findings.queries == 1 { "" } else { "s" });
        let delta = tuned.zip(base).and_then(|(tuned, base)| findings.delta(&tuned.name, &base.name));
        let (answer, mut text) = match (&delta, model) {
            (Some(delta), _) => against_base(delta, &asked),
            (None, Some(model)) => {
                let text = format!(
                    "On {asked} {} reaches {:.3} MRR@10; no tuned model and base were judged together.",
                    model.name, model.metrics.mrr10
                );
                (Answer::Undecided, text)
            }
            (None, None) => (Answer::Undecided, format!("On {asked} no model was judged.")),
        };
        if let Some((model, words)) = model.zip(words) {
            text.push_str(&against_words(findings, model, words));
        }
        text.push_str(&together(findings));
        if findings.queries < FEW {
            text.push_str(&format!(" Fewer than {FEW} questions: small differences cannot be seen."));
        }
        Self { answer, text }
    }
}

fn against_base(delta: &Delta, asked: &str) -> (Answer, String) {
    let measured = format!(
        "(95 %: {:+.3} to {:+.3}, {}): {} better, {} same, {} worse.",
        delta.ci95[0],
        delta.ci95[1],
        chance(delta.p_value),
        delta.wins,
        delta.ties,
        delta.losses
    );
    if delta.p_value >= LUCK {
        let text = format!("On {asked} tuned and base cannot be told apart: {:+.3} MRR@10 {measured}", delta.mrr10);
        return (Answer::Undecided, text);
    }
    let (answer, verb) = if delta.mrr10 > 0.0 { (Answer::Better, "beats") } else { (Answer::Worse, "is worse than") };
    (answer, format!("On {asked} tuned {verb} base by {:.3} MRR@10 {measured}", delta.mrr10.abs()))
}

/// How often luck does as much, as it is written: never `p = 0.0000`.
fn chance(p: f64) -> String {
    if p < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") }
}

fn against_words(findings: &Findings, model: &System, words: &System) -> String {
    let (ours, theirs) = (model.metrics.mrr10, words.metrics.mrr10);
    let luck = findings.delta(&model.name, &words.name).is_some_and(|delta| delta.p_value >= LUCK);
    match () {
        () if luck => format!(" BM25 alone cannot be told apart from it ({theirs:.3} to {ours:.3})."),
        () if theirs > ours => format!(" BM25 alone is still ahead of it ({theirs:.3} to {ours:.3})."),
        () if theirs < ours => format!(" BM25 alone is behind it ({theirs:.3} to {ours:.3})."),
        () => format!(" BM25 alone scores the same ({theirs:.3})."),
    }
}

/// What both together reach, and the advice that follows.
fn together(findings: &Findings) -> String {
    let Some(fused) = findings.of_kind(SystemKind::Fusion) else { return String::new() };
    let alone = findings.systems.iter().filter(|system| system.kind != SystemKind::Fusion);
    let best = alone.max_by(|a, b| a.metrics.mrr10.total_cmp(&b.metrics.mrr10));
    let Some(best) = best else { return String::new() };
    let score = fused.metrics.mrr10;
    let luck = findings.delta(&fused.name, &best.name).is_some_and(|delta| delta.p_value >= LUCK);
    let advice = if luck {
        format!("no telling it from {} alone ({:.3}).", best.name, best.metrics.mrr10)
    } else if score > best.metrics.mrr10 {
        "use both.".to_owned()
    } else {
        format!("{} alone is better ({:.3}).", best.name, best.metrics.mrr10)
    };
    format!(" Both together: {score:.3}; {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::Metrics;

    fn findings(base: f64, tuned: f64, words: f64, both: f64, p: f64) -> Findings {
        let system = |kind, name: &str, mrr10| System::new(kind, name, None, Metrics { mrr10, ..Metrics::default() });
        let delta = |a: &str, b: &str, mrr10: f64| Delta {
            a: a.to_owned(),
            b: b.to_owned(),
            mrr10,
            p_value: p,
            ci95: [mrr10 - 0.03, mrr10 + 0.03],
            wins: 201,
            ties: 131,
            losses: 61,
        };
        Findings {
            queries: 393,
            passages: 2001,
            questions: "own@v1".to_owned(),
            synthetic: false,
            looks: 1,
            systems: vec![
                system(SystemKind::Base, "embedded", base),
                system(SystemKind::Tuned, "cold@v1", tuned),
                system(SystemKind::Bm25, "BM25 english", words),
                system(SystemKind::Fusion, "BM25 + cold@v1, scores", both),
            ],
            deltas: vec![
                delta("cold@v1", "embedded", tuned - base),
                delta("cold@v1", "BM25 english", tuned - words),
                delta("BM25 + cold@v1, scores", "BM25 english", both - words),
                delta("BM25 + cold@v1, scores", "cold@v1", both - tuned),
            ],
            ladder: None,
            per_query: Vec::new(),
        }
    }

    #[test]
    fn better_but_words_alone_are_ahead() {
        let verdict = Verdict::of(&findings(0.352, 0.503, 0.667, 0.705, 0.00005));
        assert_eq!(verdict.answer, Answer::Better);
        assert_eq!(
            verdict.text,
            "On 393 held-out questions tuned beats base by 0.151 MRR@10 (95 %: +0.121 to +0.181, p < 0.0001): 201 better, \
             131 same, 61 worse. BM25 alone is still ahead of it (0.667 to 0.503). Both together: 0.705; use both."
        );
    }

    #[test]
    fn worse_is_called_worse() {
        let verdict = Verdict::of(&findings(0.6, 0.5, 0.4, 0.45, 0.01));
        assert_eq!(verdict.answer, Answer::Worse);
        assert!(verdict.text.contains("tuned is worse than base by 0.100 MRR@10"), "{}", verdict.text);
        assert!(verdict.text.contains("BM25 alone is behind it (0.400 to 0.500)"), "{}", verdict.text);
        assert!(verdict.text.ends_with("Both together: 0.450; embedded alone is better (0.600)."), "{}", verdict.text);
    }

    #[test]
    fn luck_decides_nothing() {
        let verdict = Verdict::of(&findings(0.5, 0.51, 0.52, 0.53, 0.4));
        assert_eq!(verdict.answer, Answer::Undecided);
        assert!(verdict.text.contains("tuned and base cannot be told apart: +0.010 MRR@10"), "{}", verdict.text);
        assert!(verdict.text.contains("BM25 alone cannot be told apart from it"), "{}", verdict.text);
        assert!(verdict.text.contains("no telling it from BM25 english alone (0.520)"), "{}", verdict.text);
    }

    #[test]
    fn what_was_not_judged_is_not_claimed() {
        let mut few = findings(0.5, 0.6, 0.4, 0.7, 0.01);
        few.systems.remove(1);
        few.deltas.clear();
        (few.queries, few.synthetic) = (40, true);
        let verdict = Verdict::of(&few);
        assert_eq!(verdict.answer, Answer::Undecided);
        assert!(verdict.text.starts_with("On 40 synthetic questions embedded reaches 0.500"), "{}", verdict.text);
        assert!(verdict.text.ends_with("Fewer than 100 questions: small differences cannot be seen."));
        few.systems.clear();
        assert!(Verdict::of(&few).text.starts_with("On 40 synthetic questions no model was judged."));
    }

    #[test]
    fn a_difference_can_be_seen_from_both_sides() {
        let found = findings(0.352, 0.503, 0.667, 0.705, 0.01);
        let delta = found.delta("BM25 english", "cold@v1").unwrap();
        assert!((delta.mrr10 - 0.164).abs() < 1e-9 && (delta.ci95[0] - 0.134).abs() < 1e-9);
        assert_eq!((delta.wins, delta.losses), (61, 201));
    }
}
