//! The model card: what the model is, what it was measured to do, and where it comes from.
//!
//! It says what a reader would want to know before trusting it, also where that does not flatter: BM25 ahead,
//! questions made by rule, few of them, a difference that chance explains.

use std::fmt::Write as _;

use serde_json::Value;

/// Fewer questions than this are called few.
const FEW_QUESTIONS: u64 = 100;
/// Differences with a greater p-value are called uncertain.
const SIGNIFICANT: f64 = 0.05;
/// The columns of the measured table: key, heading.
const COLUMNS: [(&str, &str); 9] = [
    ("mrr10", "MRR@10"),
    ("p1", "P@1"),
    ("p5", "P@5"),
    ("p10", "P@10"),
    ("r1", "R@1"),
    ("r5", "R@5"),
    ("r10", "R@10"),
    ("ndcg10", "nDCG@10"),
    ("map100", "MAP@100"),
];

/// What a card tells of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Card {
    /// What the model is called: `cold@v2`.
    pub name: String,
    /// What it was tuned from: a hub id, a folder, `embedded`.
    pub base: Option<String>,
    /// What it was made from: part, reference, digest.
    pub lineage: Vec<(String, String, String)>,
    /// The settings of the job that made it.
    pub settings: Option<Value>,
    /// `metrics.json` of an evaluation in which it took part.
    pub metrics: Option<Value>,
}

impl Card {
    /// The card as Markdown, with the front matter that model hubs read.
    pub fn render(&self) -> String {
        let mut text = self.front_matter();
        let name = &self.name;
        // Writing into a String cannot fail; so below.
        let _ = writeln!(text, "\n# {name}\n");
        let from = self.base.as_ref().map_or_else(String::new, |base| format!(", tuned from `{base}`"));
        let _ = writeln!(
            text,
            "A sentence embedding model for the retrieval of passages in one domain{from}. Made with lapidary {}.\n",
            env!("CARGO_PKG_VERSION")
        );
        text.push_str(
            "## Use\n\n```python\nfrom sentence_transformers import SentenceTransformer\n\nmodel = SentenceTransformer(\"path/to/this/folder\")\n\
             queries = model.encode_query([\"a question\"])\npassages = model.encode_document([\"a passage\"])\nscores = model.similarity(queries, passages)\n```\n\n\
             Vectors of another model cannot be compared with these: embed every passage again.\n\n## Measured\n\n",
        );
        match &self.metrics {
            Some(metrics) => self.measured(metrics, &mut text),
            None => text.push_str("Not measured yet on questions it has not seen. `lapidary evaluate` does.\n"),
        }
        self.origin(&mut text);
        text
    }

    fn front_matter(&self) -> String {
        let mut text = String::from(
            "---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\ntags:\n- sentence-transformers\n\
             - sentence-similarity\n- feature-extraction\n- lapidary\n",
        );
        // Hubs resolve this field: a folder on someone's disk would be a broken link.
        if let Some(base) = self.base.as_deref().filter(|base| is_hub_id(base)) {
            let _ = writeln!(text, "base_model: {}", Value::from(base));
        }
        text.push_str("---\n");
        text
    }

    fn measured(&self, metrics: &Value, text: &mut String) {
        let systems = metrics["systems"].as_array().map_or(&[][..], Vec::as_slice);
        let made = if metrics["synthetic"] == true { "questions made from the documents by rule" } else { "questions" };
        let (queries, passages) =
            (metrics["queries"].as_u64().unwrap_or_default(), metrics["passages"].as_u64().unwrap_or_default());
        let _ = writeln!(text, "{queries} {made} that were held out, each asked of all {passages} passages.\n");
        let headings: Vec<&str> = COLUMNS.iter().map(|(_, heading)| *heading).collect();
        let _ = writeln!(text, "| | {} |\n|---|{}", headings.join(" | "), "---|".repeat(COLUMNS.len()));
        for system in systems {
            let values: Vec<String> = COLUMNS
                .iter()
                .map(|(key, _)| number(system, key).map_or_else(String::new, |n| format!("{n:.3}")))
                .collect();
            let _ = writeln!(text, "| {} | {} |", name_of(system).replace('|', "\\|"), values.join(" | "));
        }
        text.push('\n');
        for delta in metrics["deltas"].as_array().into_iter().flatten() {
            text.push_str(&difference(delta));
        }
        let caveats = self.caveats(metrics, systems);
        if !caveats.is_empty() {
            text.push_str("\nTo bear in mind:\n\n");
            for caveat in &caveats {
                let _ = writeln!(text, "- {caveat}");
            }
        }
    }

    fn caveats(&self, metrics: &Value, systems: &[Value]) -> Vec<String> {
        let mut caveats = Vec::new();
        let of_kind = |kind: &'static str| systems.iter().filter(move |system| system["kind"] == kind);
        let this = systems
            .iter()
            .find(|system| system["model"] == *self.name && system["kind"] != "fusion")
            .or_else(|| of_kind("tuned").next_back());
        let score = |system: &Value| number(system, "mrr10").unwrap_or(f64::NAN);
        let best = |kind| of_kind(kind).max_by(|a, b| score(a).total_cmp(&score(b)));
        if let (Some(this), Some(bm25)) = (this, best("bm25"))
            && score(bm25) > score(this)
        {
            let mut caveat =
                format!("BM25, which needs no model, is ahead: MRR@10 {:.3} against {:.3}.", score(bm25), score(this));
            if let Some(fusion) = best("fusion").filter(|fusion| score(fusion) > score(bm25)) {
                let _ = write!(caveat, " Both together do better than either: {:.3}.", score(fusion));
            }
            caveats.push(caveat);
        }
        if let (Some(this), Some(base)) = (this, of_kind("base").next()) {
            let delta = metrics["deltas"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|delta| delta["a"] == name_of(this) && delta["b"] == name_of(base));
            let p = delta.and_then(|delta| delta["p_value"].as_f64());
            if score(this) <= score(base) {
                caveats.push("It does not do better than its base on these questions.".to_owned());
            } else if p.is_some_and(|p| p > SIGNIFICANT) {
                caveats.push("Chance alone would explain its lead over its base.".to_owned());
            }
        }
        if metrics["synthetic"] == true {
            caveats
                .push("The questions were made from titles, headings and sentences; people ask otherwise.".to_owned());
        }
        if metrics["queries"].as_u64().is_some_and(|queries| queries < FEW_QUESTIONS) {
            caveats.push(format!("Fewer than {FEW_QUESTIONS} questions: the figures are rough."));
        }
        if let Some(looks) = metrics["looks"].as_u64().filter(|looks| *looks > 1) {
            caveats.push(format!(
                "These questions were looked at {looks} times: the more often, the less they say about new ones."
            ));
        }
        caveats.push("Whether the base saw any of these texts in its own training cannot be known here.".to_owned());
        caveats
    }

    fn origin(&self, text: &mut String) {
        if !self.lineage.is_empty() {
            text.push_str("\n## Made from\n\n| part | what | sha256 |\n|---|---|---|\n");
            for (role, reference, digest) in &self.lineage {
                let _ = writeln!(text, "| {role} | `{reference}` | `{digest}` |");
            }
        }
        if let Some(settings) = &self.settings {
            let _ = writeln!(text, "\n## Settings\n\n```json\n{settings:#}\n```");
        }
    }
}

/// `owner/name`, as hubs have it.
fn is_hub_id(base: &str) -> bool {
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    base.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name))
}

fn name_of(system: &Value) -> &str {
    system["name"].as_str().unwrap_or_default()
}

/// A metric of a system, whether beside its name or one level below.
fn number(system: &Value, key: &str) -> Option<f64> {
    system[key].as_f64().or_else(|| system["metrics"][key].as_f64())
}

fn difference(delta: &Value) -> String {
    let get = |key: &str| delta[key].as_f64().unwrap_or(f64::NAN);
    let count = |key: &str| delta[key].as_u64().unwrap_or_default();
    let bound = |at: usize| delta["ci95"][at].as_f64().unwrap_or(f64::NAN);
    format!(
        "- {} against {}: MRR@10 {:+.3} (95 % interval {:+.3} to {:+.3}, p = {:.4}; better on {}, equal on {}, worse on {})\n",
        delta["a"].as_str().unwrap_or_default(),
        delta["b"].as_str().unwrap_or_default(),
        get("mrr10"),
        bound(0),
        bound(1),
        get("p_value"),
        count("wins"),
        count("ties"),
        count("losses"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn card(bm25: f64, synthetic: bool) -> String {
        let system = |kind: &str, name: &str, model: Option<&str>, mrr10: f64| json!({"kind": kind, "name": name, "model": model, "mrr10": mrr10});
        let metrics = json!({
            "queries": 393, "passages": 2001, "synthetic": synthetic, "looks": 2,
            "systems": [
                system("base", "minilm", Some("minilm"), 0.353), system("tuned", "cold@v2", Some("cold@v2"), 0.508),
                system("bm25", "BM25 plain", None, bm25), system("fusion", "both", Some("cold@v2"), 0.705),
            ],
            "deltas": [{"a": "cold@v2", "b": "minilm", "mrr10": 0.155, "p_value": 0.0001, "ci95": [0.12, 0.19], "wins": 200, "ties": 100, "losses": 93}],
        });
        let lineage = vec![("base".to_owned(), "minilm".to_owned(), "ab12".to_owned())];
        let base = Some("sentence-transformers/all-MiniLM-L6-v2".to_owned());
        Card { name: "cold@v2".into(), base, lineage, settings: Some(json!({"epochs": 3})), metrics: Some(metrics) }
            .render()
    }

    #[test]
    fn a_card_tells_scores_origin_and_that_bm25_is_ahead() {
        let text = card(0.667, true);
        for wanted in [
            "library_name: sentence-transformers\n",
            "base_model: \"sentence-transformers/all-MiniLM-L6-v2\"\n",
            "| cold@v2 | 0.508 |",
            "BM25, which needs no model, is ahead: MRR@10 0.667 against 0.508. Both together do better than either: 0.705.",
            "cold@v2 against minilm: MRR@10 +0.155 (95 % interval +0.120 to +0.190, p = 0.0001; better on 200, equal on 100, worse on 93)",
            "looked at 2 times",
            "people ask otherwise",
            "| base | `minilm` | `ab12` |",
            "\"epochs\": 3",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
        }
        let text = card(0.4, false);
        assert!(!text.contains("is ahead") && !text.contains("people ask otherwise"), "{text}");
    }

    #[test]
    fn without_measurements_it_says_so_and_a_folder_is_no_hub_id() {
        let text = Card { name: "m".into(), base: Some("/home/me/minilm".into()), ..Card::default() }.render();
        assert!(text.contains("Not measured yet") && !text.contains("base_model"), "{text}");
    }
}
