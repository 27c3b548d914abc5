//! What `tune` can be asked for besides the usual.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use crate::support::{Place, failure, json};

#[test]
fn tune_freezes_cuts_averages_and_asks_everyday_questions() {
    let place = Place::with_pairs();
    let (root, here) = (&place.root, |arguments: &[&str]| place.call(arguments));
    let short = ["--batch", "8", "--max-length", "64", "--eval-steps", "1", "--max-steps", "4"];
    let tune = |more: &[&str]| here(&[&["tune"], &short[..], more].concat());

    let (_, text) = failure(&mut tune(&["--matryoshka", "384,64"]));
    assert!(text.contains("--matryoshka 384: the embeddings have 384 dimensions"), "{text}");
    let (_, text) = failure(&mut tune(&["--freeze-layers", "99"]));
    assert!(text.contains("--freeze-layers 99: the model has"), "{text}");

    // At no rate to speak of, no look at dev is better than the first.
    let options = [
        &["--freeze-layers", "1", "--freeze-embeddings", "--matryoshka", "64,128", "--accumulate", "2"][..],
        &["--ema", "0.9", "--interpolate", "auto", "--early-stopping", "1", "--lr", "1e-12"],
    ];
    let tuned = json(&mut tune(&options.concat()));
    let steps = ["steps", "early_stop", "best_step"].map(|name| tuned[name].as_u64());
    assert_eq!(steps, [Some(2), Some(2), Some(1)], "{tuned}");
    assert_eq!(tuned["tuned_share"], 0.25, "of equals the smaller share");
    let by_dim = tuned["dev_mrr10_by_dim"].as_array().unwrap();
    assert_eq!(by_dim.iter().map(|at| at["dim"].as_u64().unwrap()).collect::<Vec<_>>(), [384, 128, 64]);
    assert_eq!(by_dim[0]["mrr10"], tuned["dev_mrr10"]);
    let anchor = |name: &str| tuned[name].as_f64().unwrap();
    assert!(anchor("anchor_mrr10_base") > 0.3, "also the small base knows some everyday things: {tuned}");
    assert!((anchor("anchor_mrr10_base") - anchor("anchor_mrr10")).abs() < 0.01, "{tuned}");
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(root.join("models/tuned/v1/manifest.json")).unwrap()).unwrap();
    for name in ["dev_mrr10_by_dim", "anchor_mrr10", "anchor_mrr10_base", "tuned_share", "early_stop"] {
        assert_eq!(manifest["details"][name], tuned[name], "{name}");
    }
    assert_eq!(manifest["details"]["anchor"]["en"]["counts"], true, "{manifest}");

    let tuned = json(&mut tune(&["--freeze-layers", "1", "--freeze-embeddings", "--lr", "1e-3"]));
    assert_eq!((tuned["steps"].as_u64(), tuned["tuned_share"].as_f64()), (Some(4), Some(1.0)), "{tuned}");
    assert!(tuned["early_stop"].is_null() && tuned["dev_mrr10_by_dim"].as_array().unwrap().is_empty(), "{tuned}");
    let before = weights(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/base-encoder"));
    for (name, after) in weights(&root.join("models/tuned/v2")) {
        let frozen = name.starts_with("embeddings.") || name.starts_with("encoder.layer.0.");
        if !name.ends_with("key.bias") && !name.starts_with("pooler.") {
            assert_eq!(before.iter().any(|(of, values)| *of == name && *values == after), frozen, "{name}");
        }
    }
}

fn weights(folder: &Path) -> Vec<(String, Vec<f32>)> {
    let tensors = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
    let values = |tensor: &Tensor| tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}
