//! Whose questions a run's dev score is of: a person's, or made from the documents.

use serde_json::Value;

use crate::runs::Status;
use crate::tui::shared::{Shared, Version};
use crate::workspace::Kind;

/// Whether a run looks at questions that were made from the documents, by rule or by a language model.
pub(super) fn synthetic(status: &Status, shared: &Shared) -> bool {
    pairs(status, shared).is_some_and(|pairs| pairs.details.get("synthetic").and_then(Value::as_bool).unwrap_or(false))
}

/// The pairs of a run: as its model names them, or as its settings do; where they name none, the newest that were there
/// when it started.
fn pairs<'s>(status: &Status, shared: &'s Shared) -> Option<&'s Version> {
    let artifacts = &shared.artifacts;
    let made = status.result.get("artifact").and_then(Value::as_str);
    if let Some(model) = made.and_then(|made| artifacts.find(Kind::Model, made))
        && let Some(input) = model.inputs.iter().find(|input| input.role == "pairs")
    {
        return artifacts.find(Kind::Pairs, &input.reference);
    }
    let started = status.started_unix_ms.unwrap_or(status.created_unix_ms);
    let mut there = artifacts.pairs.iter().filter(|version| version.made_ms <= started);
    match status.settings.get("pairs").and_then(Value::as_str) {
        None => there.next(),
        Some(name) if name.contains('@') => artifacts.find(Kind::Pairs, name),
        Some(name) => there.find(|version| version.reference.split('@').next() == Some(name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::progress::{Event, Scalars};
    use crate::runs::{LoggedEvent, State};
    use crate::tui::message::{Msg, RunEvents};
    use crate::tui::model::{Model, update};
    use crate::tui::shared::Artifacts;
    use crate::tui::testing::{draw, model, press, status, text, version};
    use crate::workspace::{Input, digest_bytes};

    /// A workbench with these pairs, newest first: their names and whether they are synthetic.
    fn with(pairs: &[(&str, bool)]) -> Model {
        let mut model = model();
        let now = model.shared.now_ms;
        let made = pairs.iter().enumerate().map(|(at, (name, synthetic))| {
            version(Kind::Pairs, name, now - 1000 * (at as u64 + 1), json!({ "synthetic": synthetic }))
        });
        let pairs = made.collect();
        update(&mut model, Msg::Artifacts(Artifacts { read: true, pairs, ..Artifacts::default() }));
        model
    }

    #[test]
    fn the_pairs_of_a_run_are_known_by_its_model_its_settings_or_its_time() {
        let mut model = with(&[("b@v2", true), ("a@v1", false), ("b@v1", false)]);
        let now = model.shared.now_ms;
        let mut run = status("r", "tune", State::Running, now);
        assert!(synthetic(&run, &model.shared), "the newest");
        run.started_unix_ms = Some(now - 1500);
        assert!(!synthetic(&run, &model.shared), "the newest at that time");
        run.started_unix_ms = Some(now);
        run.settings = json!({ "pairs": "a" });
        assert!(!synthetic(&run, &model.shared));
        run.settings = json!({ "pairs": "b" });
        assert!(synthetic(&run, &model.shared), "the newest of the name");
        run.settings = json!({ "pairs": "b@v1" });
        assert!(!synthetic(&run, &model.shared));
        let mut tuned = version(Kind::Model, "m@v1", now, json!({}));
        tuned.inputs = vec![Input { role: "pairs".into(), reference: "b@v2".into(), sha256: digest_bytes("x") }];
        model.shared.artifacts.models = vec![tuned];
        run.result = json!({ "artifact": "m@v1" });
        assert!(synthetic(&run, &model.shared), "what made it is surer than what was asked for");
    }

    #[test]
    fn a_score_on_synthetic_questions_says_so_at_every_width() {
        let mut model = with(&[("b@v2", true)]);
        let now = model.shared.now_ms;
        let mut run = status("r", "tune", State::Finished, now - 500);
        run.result = json!({ "dev_mrr10": 0.503 });
        update(&mut model, Msg::Runs(vec![run]));
        press(&mut model, "4");
        let scored = |step, name, score| Event::Eval { step, values: Scalars::from([(name, score)]) };
        let mut events = vec![scored(0, "mrr10_bm25", 0.667), scored(0, "mrr10", 0.352), scored(25, "mrr10", 0.503)];
        for step in 1..=30 {
            events.push(Event::Scalar { step, values: Scalars::from([("loss", 1.0 / step as f64)]) });
        }
        let events = events.into_iter().map(|event| LoggedEvent { v: 1, t: now, event }).collect();
        update(&mut model, Msg::Events(RunEvents { run: "r".into(), events, garbage: 0, reset: true, more: false }));
        for (width, words) in [
            (200, "MRR@10 on synthetic dev   base 0.352   BM25 0.667   tuned 0.503 ▲ +0.151"),
            (120, "MRR@10 on synthetic dev  BM25 0.667  tuned 0.503 ▲ +0.151"),
            (100, "MRR@10 synthetic tuned 0.503 ▲ +0.151"),
            (80, "MRR@10 on synthetic dev   base 0.352   BM25 0.667   tuned 0.503 ▲ +0.151"),
            (41, "MRR@10 synthetic tuned 0.503 ▲ +0.151"),
        ] {
            let screen = text(&draw(&model, width, 40));
            assert!(screen.contains(words), "{width}: {screen}");
        }
        press(&mut model, "end");
        assert!(text(&draw(&model, 120, 40)).contains("synthetic MRR@10 0.503 @25"));
        press(&mut model, "esc");
        press(&mut model, "enter");
        assert!(text(&draw(&model, 120, 40)).contains("MRR@10 0.503 on synthetic dev"));
    }
}
