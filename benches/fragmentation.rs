//! How fast fragmentation is counted, beside encoding in full with `tokenizers`' own `encode_batch`; the counts must agree.
//!
//!     LAPIDARY_BENCH_TEXT=text.txt LAPIDARY_BENCH_TOKENIZER=tokenizer.json cargo bench --bench fragmentation
//!
//! Documents are runs of 50 lines. Where the variables are unset, the README and the embedded base's tokenizer serve: too
//! little text to say much.

use std::path::PathBuf;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::BytesCount;
use lapidary::tokenizer::Counter;
use tokenizers::Tokenizer;

static DOCUMENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let text = std::fs::read_to_string(named("LAPIDARY_BENCH_TEXT", "README.md")).expect("the text, as UTF-8");
    let lines: Vec<&str> = text.split('\n').collect();
    lines.chunks(50).map(|lines| lines.join("\n")).collect()
});

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let file = named("LAPIDARY_BENCH_TOKENIZER", "assets/base-encoder/tokenizer.json");
    let mut tokenizer = Tokenizer::from_file(file).expect("a tokenizer.json");
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).expect("truncation switched off");
    tokenizer
});

fn named(variable: &str, otherwise: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(otherwise), PathBuf::from)
}

fn main() {
    let counted: u64 = counts().iter().sum();
    assert_eq!(counted, encoded(), "the counts differ");
    println!("{} documents, {counted} tokens either way", DOCUMENTS.len());
    divan::main();
}

fn counts() -> Vec<u64> {
    let counts = Counter::new(TOKENIZER.clone()).count(&DOCUMENTS).expect("counts");
    counts.into_iter().map(|count| count.tokens).collect()
}

fn encoded() -> u64 {
    let texts: Vec<&str> = DOCUMENTS.iter().map(String::as_str).collect();
    let encodings = TOKENIZER.encode_batch(texts, false).expect("encodings");
    encodings.iter().map(|encoding| encoding.len() as u64).sum()
}

fn bytes() -> BytesCount {
    BytesCount::new(DOCUMENTS.iter().map(String::len).sum::<usize>())
}

/// A new counter each time: nothing is remembered from the last.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn counter(bencher: Bencher<'_, '_>) {
    bencher.counter(bytes()).bench_local(counts);
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn encode_batch(bencher: Bencher<'_, '_>) {
    bencher.counter(bytes()).bench_local(encoded);
}
