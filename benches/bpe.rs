//! Trains byte-level BPE on a file, a line with its ending being a document, from the first read to the saved
//! `tokenizer.json`; prints seconds, MB/s and the most memory held as JSON.
//!
//!     cargo bench --bench bpe -- TEXT VOCABULARY [OUT.json] [--heldout FILE | --afterwards FILE] [--pattern gpt2|cl100k] ...
//!
//! VOCABULARY leaves the special tokens out, and nothing is normalized, so that the merges are those of a trainer that has
//! neither. `--heldout FILE` follows tokens per word on another text as the vocabulary grows; `--afterwards FILE` counts them
//! with the finished tokenizer alone, as is done where no curve is drawn. Any setting of `lapidary tokenizer train` may be given. `benches/compare.sh bpe` runs it in turns with others.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::time::Instant;

use lapidary::progress::{Clock as _, Event, Observer, SystemClock, peak_rss_mib};
use lapidary::settings::{Normalization, Settings as _, TokenizerSettings};
use lapidary::tokenizer::{Counter, Fragmentation, train_bpe};

/// Tells on stderr when each phase began, where `LAPIDARY_BENCH_PHASES` is set.
struct Phases(Option<SystemClock>);

impl Observer for Phases {
    fn on(&self, event: Event) {
        if let (Some(clock), Event::Phase { name }) = (&self.0, event) {
            eprintln!("{:7.2} s  {name}  {:?} MiB", clock.monotonic().as_secs_f64(), peak_rss_mib());
        }
    }
}

/// The lines of a file with their endings.
fn lines(path: &str) -> impl Iterator<Item = String> + Send {
    let mut from = BufReader::with_capacity(1 << 20, File::open(path).expect("the text"));
    std::iter::from_fn(move || {
        let mut line = String::new();
        (from.read_line(&mut line).expect("UTF-8") > 0).then_some(line)
    })
}

fn main() {
    let (mut operands, mut heldout, mut afterwards) = (Vec::new(), None, None);
    let mut settings =
        TokenizerSettings { normalize: Normalization::None, min_frequency: 2, ..TokenizerSettings::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--heldout" => heldout = arguments.next(),
            "--afterwards" => afterwards = arguments.next(),
            setting if setting.starts_with("--") => {
                let value = arguments.next().unwrap_or_default();
                settings.set(&setting[2..].replace('-', "_"), &value).expect("a setting of `tokenizer train`");
            }
            _ => operands.push(argument),
        }
    }
    let [path, vocabulary, out @ ..] = &operands[..] else {
        println!("nothing to do: name a text and a vocabulary size");
        return;
    };
    settings.vocab_size = vocabulary.parse::<usize>().expect("a number of tokens") + 5;
    let begun = Instant::now();
    let clock = SystemClock::default();
    let phases = Phases(std::env::var_os("LAPIDARY_BENCH_PHASES").map(|_| clock));
    let held = heldout.iter().flat_map(|path| lines(path));
    let trained = train_bpe(&settings, lines(path), held, None, &phases, &clock).expect("a tokenizer");
    phases.on(Event::phase("save"));
    let named = tempfile::NamedTempFile::new().expect("a temporary file");
    let to = out.first().map_or_else(|| named.path().to_owned(), Into::into);
    trained.tokenizer.save(&to, false).expect("a file");
    let mut ratio = trained.curve.last().and_then(|point| point.heldout).map(Fragmentation::ratio);
    if let Some(path) = &afterwards {
        let counter = Counter::new(trained.tokenizer.clone());
        let texts: Vec<String> = lines(path).collect();
        let counted = counter.count(&texts).expect("texts that can be split");
        ratio = Some(counted.into_iter().fold(Fragmentation::default(), |all, one| all + one).ratio());
    }
    let seconds = begun.elapsed().as_secs_f64();
    let megabytes = std::fs::metadata(path).expect("the text").len() as f64 / 1e6;
    println!(
        "{}",
        serde_json::json!({
            "kind": "lapidary", "vocab": trained.tokenizer.get_vocab_size(true), "mb": megabytes, "seconds": seconds,
            "mb_per_s": megabytes / seconds, "peak_rss_mib": peak_rss_mib(), "spills": trained.spills, "ratio_heldout": ratio,
        })
    );
}
