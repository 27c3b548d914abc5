//! The same numbers as sentence-transformers: ten training steps on the real model.
//!
//! `LAPIDARY_TEST_PARITY` names a JSON file with the batches and what sentence-transformers made of them (f32, no dropout).

use candle_core::Device;
use lapidary::encoder::{Dropout, Embeddings, Encoder, Role};
use lapidary::progress::Silent;
use lapidary::training::{AdamW, AdamWOptions, Distance, Example, Objective, batch_gradients};
use serde_json::Value;

use crate::support::from_environment;

const TEST: &str = "parity with sentence-transformers";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn close(found: f64, expected: f64, share: f64, what: &str) {
    assert!((found - expected).abs() <= share * expected.abs(), "{what}: {found}, expected {expected}");
}

fn embed(encoder: &Encoder, texts: &[&str]) -> Embeddings {
    encoder.embed(&encoder.tokenize(texts, Role::Passage).unwrap(), &Silent).unwrap()
}

/// One minus the cosine of each row with what it should be.
fn distances(found: &Embeddings, expected: &Value) -> Vec<f64> {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    let distance = |(row, expected): (&[f32], &Value)| {
        let expected: Vec<f64> = expected.as_array().unwrap().iter().map(number).collect();
        let dot: f64 = row.iter().zip(&expected).map(|(a, b)| f64::from(*a) * b).sum();
        let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        1.0 - dot / length(&mut row.iter().map(|x| f64::from(*x))) / length(&mut expected.iter().copied())
    };
    found.rows().zip(expected).map(distance).collect()
}

fn examples(encoder: &Encoder, batch: &Value) -> Vec<Example> {
    let rows = batch.as_array().unwrap();
    let column = |at: usize, role| {
        let texts: Vec<&str> = rows.iter().map(|row| text(&row[at])).collect();
        encoder.tokenize(&texts, role).unwrap()
    };
    let (queries, positives) = (column(0, Role::Query), column(1, Role::Passage));
    let pairs = queries.into_iter().zip(positives);
    let example = |(query, positive): (Vec<u32>, Vec<u32>)| Example::Pair {
        query: query.into(),
        positive: positive.into(),
        negatives: Vec::new(),
        keys: Vec::new(),
    };
    pairs.map(example).collect()
}

fn triplet_values(encoder: &Encoder, reference: &Value, objective: &Objective) -> Vec<f64> {
    let triplets = reference["triplets"].as_array().unwrap();
    let tensor = |texts: &[&str]| {
        let tokens = encoder.tokenize(texts, Role::Passage).unwrap();
        encoder.forward(&tokens.iter().map(Vec::as_slice).collect::<Vec<_>>(), Dropout::Off).unwrap()
    };
    let value = |triplet: &Value| {
        let [query, positive, negative] = [0, 1, 2].map(|at| tensor(&[text(&triplet[at])]));
        f64::from(objective.loss(&query, &positive, Some(&negative)).unwrap().to_scalar::<f32>().unwrap())
    };
    triplets.iter().map(value).collect()
}

#[test]
fn ten_steps_are_those_of_sentence_transformers() {
    let Some(model) = from_environment("LAPIDARY_TEST_MODEL", TEST) else { return };
    let Some(file) = from_environment("LAPIDARY_TEST_PARITY", TEST) else { return };
    let reference: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut encoder = Encoder::load(&model, &Device::Cpu).unwrap();
    encoder.set_max_length(128).unwrap();

    let sentences: Vec<&str> = reference["sentences"].as_array().unwrap().iter().map(text).collect();
    let before = distances(&embed(&encoder, &sentences), &reference["embeddings_before"]);
    assert!(before.iter().all(|distance| *distance < 1e-5), "embeddings before: {before:?}");

    for (name, values) in reference["triplet_loss_before"].as_object().unwrap() {
        let margin: f64 = name.rsplit("margin").next().unwrap().parse().unwrap();
        let distance = if name.starts_with("cosine") { Distance::Cosine } else { Distance::Euclidean };
        let found = triplet_values(&encoder, &reference, &Objective::Triplet { distance, margin });
        for (found, expected) in found.iter().zip(values["each"].as_array().unwrap()) {
            assert!((found - number(expected)).abs() < 1e-4, "{name}: {found}, expected {expected}");
        }
    }

    let batches: Vec<Vec<Example>> =
        reference["batches"].as_array().unwrap().iter().map(|batch| examples(&encoder, batch)).collect();
    for (side, of) in [("queries", 0), ("passages", 1)] {
        for (expected, example) in reference["batch0_input_ids"][side].as_array().unwrap().iter().zip(&batches[0]) {
            let Example::Pair { query, positive, .. } = example else { unreachable!("pairs alone") };
            let ids = if of == 0 { query } else { positive };
            let padded: Vec<u32> = expected.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
            assert_eq!(&padded[..ids.len()], &ids[..]);
            assert!(padded[ids.len()..].iter().all(|id| *id == 0));
        }
    }

    let objective = Objective::Mnrl { scale: 20.0, symmetric: false };
    let mut optimizer = AdamW::new(AdamWOptions::default());
    for (step, batch) in batches.iter().enumerate() {
        let batch: Vec<&Example> = batch.iter().collect();
        // Cached in some steps, at once in others: it must make no difference.
        let micro_batch = if step % 2 == 0 { 4 } else { 1000 };
        let found = batch_gradients(&encoder, &batch, &objective, micro_batch, 0.0, 0).unwrap();
        close(found.loss().unwrap(), number(&reference["losses"][step]), 1e-3, &format!("loss of step {}", step + 1));
        let norm = AdamW::gradient_norm(&found.gradients).unwrap();
        close(norm, number(&reference["grad_norms"][step]), 1e-3, &format!("gradient norm of step {}", step + 1));
        if step == 0 {
            for (name, gradient) in &found.gradients {
                let norm = gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
                if name.ends_with("attention.self.key.bias") {
                    assert!(norm < 1e-6, "{name}: {norm}");
                } else {
                    let expected = &reference["step1_grad_norms"][format!("0.model.{name}")];
                    close(f64::from(norm), number(expected), 1e-2, name);
                }
            }
            assert_eq!(found.gradients.len(), encoder.parameters().iter().len());
        }
        optimizer.update(encoder.parameters(), &found.gradients, 2e-5, 1.0).unwrap();
    }

    let after = distances(&embed(&encoder, &sentences), &reference["embeddings_after"]);
    assert!(after.iter().all(|distance| *distance < 1e-4), "embeddings after: {after:?}");
    let batch: Vec<&Example> = batches[0].iter().collect();
    let loss = batch_gradients(&encoder, &batch, &objective, 1000, 0.0, 0).unwrap().loss().unwrap();
    close(loss, number(&reference["mnrl_batch0_after"]), 1e-3, "loss of batch 0 after ten steps");
}
