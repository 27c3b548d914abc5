//! How fast an encoder embeds: forward passes of the shape of all-MiniLM-L6-v2. `train_step` is about training.
//!
//!     cargo bench --bench encoder

mod minilm;

use candle_core::Device;
use divan::Bencher;
use divan::counter::ItemsCount;
use lapidary::progress::Silent;

fn main() {
    divan::main();
}

#[divan::bench(args = [64, 128, 256], sample_count = 5, sample_size = 1)]
fn forward_tokens(bencher: Bencher<'_, '_>, length: usize) {
    let encoder = minilm::encoder(&Device::Cpu);
    let texts: Vec<Vec<u32>> = (0..4096 / length).map(|at| minilm::text(length, at)).collect();
    bencher.counter(ItemsCount::new(4096_usize)).bench_local(|| encoder.embed(&texts, &Silent).expect("embeddings"));
}
