//! One query over 100,000 passages: two models of 384 dimensions, BM25, and BM25 with a model.

use divan::{Bencher, black_box};
use lapidary::encoder::Embeddings;
use lapidary::retrieval::{Analyzer, Bm25, fuse_standardised, scores, top};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const PASSAGES: usize = 100_000;
const DIM: usize = 384;
const WORDS: usize = 120;
const VOCABULARY: usize = 30_000;
const DEPTH: usize = 100;

fn main() {
    divan::main();
}

fn unit_vectors(count: usize, seed: u64) -> Embeddings {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut data: Vec<f32> = (0..count * DIM).map(|_| rng.random::<f32>() - 0.5).collect();
    for row in data.chunks_exact_mut(DIM) {
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.iter_mut().for_each(|value| *value /= length);
    }
    Embeddings::new(DIM, data)
}

/// Passages of words whose frequencies fall as those of a language do.
fn texts() -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let word = |rng: &mut ChaCha8Rng| {
        let rank = (VOCABULARY as f64).powf(rng.random::<f64>()) as usize;
        format!("word{rank}")
    };
    (0..PASSAGES).map(|_| (0..WORDS).map(|_| word(&mut rng)).collect::<Vec<_>>().join(" ")).collect()
}

struct Desk {
    ids: Vec<String>,
    base: Embeddings,
    tuned: Embeddings,
    query: Embeddings,
    bm25: Bm25,
}

impl Desk {
    fn new() -> Self {
        let texts = texts();
        Self {
            ids: (0..PASSAGES).map(|at| format!("passage-{at:06}")).collect(),
            base: unit_vectors(PASSAGES, 1),
            tuned: unit_vectors(PASSAGES, 2),
            query: unit_vectors(1, 4),
            bm25: Bm25::index(texts.iter().map(String::as_str), Analyzer::plain()),
        }
    }
}

const QUERY: &str = "word1 word3 word40 word500 word7000 word12000 word2";

/// Everything but embedding the query itself: four rankings.
#[divan::bench(sample_count = 20)]
fn one_query(bencher: Bencher) {
    let desk = Desk::new();
    bencher.bench_local(|| {
        let words = desk.bm25.scores(black_box(QUERY));
        let base = scores(desk.query.row(0), &desk.base);
        let tuned = scores(desk.query.row(0), &desk.tuned);
        let both = fuse_standardised(&words, &tuned);
        [words, base, tuned, both].map(|scores| top(&scores, &desk.ids, DEPTH))
    });
}

/// One model alone.
#[divan::bench(sample_count = 20)]
fn one_model(bencher: Bencher) {
    let desk = Desk::new();
    bencher.bench_local(|| top(&scores(black_box(desk.query.row(0)), &desk.tuned), &desk.ids, DEPTH));
}

/// Words alone.
#[divan::bench(sample_count = 20)]
fn words_alone(bencher: Bencher) {
    let desk = Desk::new();
    bencher.bench_local(|| top(&desk.bm25.scores(black_box(QUERY)), &desk.ids, DEPTH));
}
