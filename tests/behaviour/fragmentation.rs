//! The real tokenizer on real text: the same count as encoding in full.

use lapidary::tokenizer::{self, Counter};

use crate::support::from_environment;

#[test]
fn real_text_is_counted_exactly() {
    const TEST: &str = "exact counts on real text";
    let Some(model) = from_environment("LAPIDARY_TEST_MODEL", TEST) else { return };
    let Some(data) = from_environment("LAPIDARY_TEST_DATA", TEST) else { return };
    let tokenizer = tokenizer::load(&model).unwrap();
    let counter = Counter::new(tokenizer.clone());
    assert!(counter.exact_by_words());
    for set in ["covidqa", "xquad-ru"] {
        let lines = std::fs::read_to_string(data.join(set).join("corpus.jsonl")).unwrap();
        let text =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
        let texts: Vec<String> = lines.lines().map(text).collect();
        let counted: Vec<u64> = counter.count(&texts).unwrap().iter().map(|count| count.tokens).collect();
        let encoded = tokenizer.encode_batch(texts.clone(), false).unwrap();
        assert_eq!(counted, encoded.iter().map(|encoding| encoding.len() as u64).collect::<Vec<_>>(), "{set}");
    }
}
