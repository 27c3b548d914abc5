//! The encoder beside another implementation: `candle-transformers`' BERT, on the base that comes with the sources.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use lapidary::encoder::{Encoder, Role};
use lapidary::progress::Silent;

#[test]
fn embeddings_are_those_of_candle_transformers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/base-encoder");
    let encoder = Encoder::load(&folder, &Device::Cpu).unwrap();
    let texts = [
        "The purge drum vents non-condensable gases.",
        "valve",
        "What opens the solenoid of the hot gas line, and when?",
    ];
    let tokens = encoder.tokenize(&texts, Role::Passage).unwrap();
    let found = encoder.embed(&tokens, &Silent).unwrap();

    let config: Config = serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
    let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).unwrap();
    let reference = BertModel::load(weights, &config).unwrap();
    for (at, ids) in tokens.iter().enumerate() {
        let ids = Tensor::new(ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let hidden = reference.forward(&ids, &ids.zeros_like().unwrap(), None).unwrap();
        let pooled: Vec<f32> = hidden.mean(1).unwrap().squeeze(0).unwrap().to_vec1().unwrap();
        let length = pooled.iter().map(|x| x * x).sum::<f32>().sqrt();
        let row = found.row(at);
        assert_eq!(row.len(), pooled.len());
        for (x, expected) in row.iter().zip(&pooled) {
            assert!((x - expected / length).abs() < 1e-5, "{:?}: {x}, expected {}", texts[at], expected / length);
        }
    }
}
