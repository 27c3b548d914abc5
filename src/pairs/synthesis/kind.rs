//! The kinds of question that are asked of a passage, and the JSON that holds the answers.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::workspace::short_id;

/// A way of asking. Users ask in all of them, and a model left to itself writes one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::pairs) enum QuestionKind {
    /// A full question.
    Natural,
    /// A few words, as typed into a search box.
    Keywords,
    /// A question in other words than the passage's.
    Paraphrase,
    /// A situation or a symptom that the passage helps with.
    Problem,
}

impl QuestionKind {
    /// All of them.
    pub(in crate::pairs) const ALL: [Self; 4] = [Self::Natural, Self::Keywords, Self::Paraphrase, Self::Problem];

    /// The kind's name in prompts, answers and files.
    pub(in crate::pairs) const fn word(self) -> &'static str {
        match self {
            Self::Natural => "natural",
            Self::Keywords => "keywords",
            Self::Paraphrase => "paraphrase",
            Self::Problem => "problem",
        }
    }
}

impl fmt::Display for QuestionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One question that the model is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pairs) struct Asked {
    /// Its kind.
    pub(in crate::pairs) kind: QuestionKind,
    /// Its property in the JSON: the kind's word, with a number from the second of a kind on (`natural_2`).
    pub(in crate::pairs) key: String,
}

impl Asked {
    /// A key for each of the kinds, in their order.
    pub(in crate::pairs) fn of(kinds: impl IntoIterator<Item = QuestionKind>) -> Vec<Self> {
        let mut asked: Vec<Self> = Vec::new();
        for kind in kinds {
            let before = asked.iter().filter(|other| other.kind == kind).count();
            let key = if before == 0 { kind.word().to_owned() } else { format!("{kind}_{}", before + 1) };
            asked.push(Self { kind, key });
        }
        asked
    }
}

/// `count` kinds for a passage, all of them before any repeats. Where fewer are wanted than there are, the passage's id says
/// which, so that a corpus has as many of each. In the order of their keys, which is the schema's too: a model that writes
/// by the schema meets them as the prompt lists them.
pub(in crate::pairs) fn kinds_for(passage_id: &str, count: usize) -> Vec<Asked> {
    let all = QuestionKind::ALL;
    let first = turn_of(passage_id, all.len());
    let mut asked = Asked::of((0..count).map(|nth| all[(first + nth) % all.len()]));
    asked.sort_by(|one, other| one.key.cmp(&other.key));
    asked
}

/// A number below `turns` that is the passage's own.
fn turn_of(passage_id: &str, turns: usize) -> usize {
    // The id is hexadecimal: each of the sixteen digits comes as often, and sixteen is a multiple of four.
    let id = short_id(&["kind of question", passage_id]);
    let digit = id.chars().last().and_then(|digit| digit.to_digit(16)).unwrap_or_default();
    digit as usize % turns
}

/// The JSON schema of the answer: a string for each question.
pub(in crate::pairs) fn schema(asked: &[Asked]) -> Value {
    object_of(asked, &json!({ "type": "string" }))
}

/// The JSON schema of a judgement: a score for each question.
pub(in crate::pairs) fn judge_schema(asked: &[Asked]) -> Value {
    object_of(asked, &json!({ "type": "integer", "minimum": 1, "maximum": 5 }))
}

fn object_of(asked: &[Asked], property: &Value) -> Value {
    let properties: Map<_, _> = asked.iter().map(|asked| (asked.key.clone(), property.clone())).collect();
    let keys: Vec<_> = asked.iter().map(|asked| asked.key.as_str()).collect();
    json!({ "type": "object", "properties": properties, "required": keys, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn all_kinds_come_before_any_repeats() {
        for count in 1..=8 {
            let asked = kinds_for("a receiver", count);
            assert_eq!(asked.len(), count);
            let kinds: BTreeSet<_> = asked.iter().map(|asked| asked.kind).collect();
            assert_eq!(kinds.len(), count.min(4));
            let keys: BTreeSet<_> = asked.iter().map(|asked| asked.key.as_str()).collect();
            assert_eq!(keys.len(), count, "keys name one question each");
        }
        let keys: Vec<_> = kinds_for("any", 8).into_iter().map(|asked| asked.key).collect();
        assert_eq!(
            keys,
            ["keywords", "keywords_2", "natural", "natural_2", "paraphrase", "paraphrase_2", "problem", "problem_2"]
        );
        assert_eq!(kinds_for("any", 3), kinds_for("any", 3));
    }

    #[test]
    fn a_corpus_has_as_many_of_each_kind() {
        for count in [1, 2, 3, 5] {
            let mut counts = BTreeMap::new();
            for passage in 0..4000 {
                for asked in kinds_for(&format!("passage {passage}"), count) {
                    *counts.entry(asked.kind).or_insert(0_usize) += 1;
                }
            }
            let fair = 4000 * count / 4;
            assert!(counts.values().all(|&n| n.abs_diff(fair) < 120), "{count}: {counts:?}");
        }
    }

    #[test]
    fn the_schema_wants_every_key_and_no_other() {
        let asked = Asked::of([QuestionKind::Natural, QuestionKind::Natural]);
        assert_eq!(
            schema(&asked),
            json!({
                "type": "object",
                "properties": { "natural": { "type": "string" }, "natural_2": { "type": "string" } },
                "required": ["natural", "natural_2"],
                "additionalProperties": false
            })
        );
        let score = &judge_schema(&asked)["properties"]["natural_2"];
        assert_eq!(*score, json!({ "type": "integer", "minimum": 1, "maximum": 5 }));
    }

    #[test]
    fn a_kind_is_kept_as_its_word() {
        for kind in QuestionKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }
}
