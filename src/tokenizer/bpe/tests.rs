//! The reference is the `tokenizers` crate: its trainer for the merges, and [`Counter`] for the curve.

mod resume;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use proptest::prelude::*;
use tokenizers::AddedToken;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::BpeTrainerBuilder;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::utils::ProgressFormat;

use super::assemble::pipeline;
use super::vocabulary::SPECIAL;
use super::*;
use crate::progress::{Recorder, Silent, SystemClock};
use crate::settings::{InitialAlphabet, Normalization};
use crate::tokenizer::{Counter, hostile};

/// A clock on which a tenth of a second goes by whenever it is looked at: nothing is left out of the events.
#[derive(Default)]
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn monotonic(&self) -> Duration {
        Duration::from_millis(100 * self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn unix_ms(&self) -> u64 {
        0
    }
}

fn settings(vocab_size: usize, min_frequency: u64, lowercase: bool) -> TokenizerSettings {
    TokenizerSettings { vocab_size, min_frequency, lowercase, ..TokenizerSettings::default() }
}

fn train(settings: &TokenizerSettings, texts: &[String], heldout: &[String]) -> Trained {
    let clock = SystemClock::default();
    train_bpe(settings, texts.iter().cloned(), heldout.iter().cloned(), None, &Silent, &clock).unwrap()
}

/// What the library makes of it. The pipeline of its normalizers and pre-tokenizers is held to their parts elsewhere.
fn library(settings: &TokenizerSettings, texts: &[String]) -> Tokenizer {
    let mut tokenizer = pipeline(settings).unwrap();
    let special = special_tokens(settings);
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(settings.vocab_size)
        .min_frequency(settings.min_frequency)
        .max_token_length(settings.max_token_length)
        .show_progress(false)
        .progress_format(ProgressFormat::Silent)
        .special_tokens(special.iter().map(|token| AddedToken::from(token.as_str(), true)).collect());
    if settings.initial_alphabet == InitialAlphabet::Bytes {
        trainer = trainer.initial_alphabet(ByteLevel::alphabet().into_iter().collect());
    }
    if let Some(limit) = settings.limit_alphabet {
        trainer = trainer.limit_alphabet(limit);
    }
    tokenizer.train(&mut TrainerWrapper::from(trainer.build()), texts.iter()).unwrap();
    let template = TemplateProcessing::builder()
        .try_single("[CLS]:0 $A:0 [SEP]:0")
        .unwrap()
        .try_pair("[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1")
        .unwrap()
        .special_tokens(vec![("[CLS]".to_owned(), 2), ("[SEP]".to_owned(), 3)])
        .build()
        .unwrap();
    tokenizer.with_post_processor(Some(template));
    tokenizer
}

fn json(tokenizer: &Tokenizer) -> String {
    tokenizer.to_string(true).unwrap()
}

/// The tokenizer as it was when its vocabulary had this size: the JSON without what came later.
fn truncated(tokenizer: &Tokenizer, vocab_size: usize) -> Tokenizer {
    let mut json = serde_json::to_value(tokenizer).unwrap();
    let merges = json["model"]["merges"].as_array_mut().unwrap();
    merges.truncate(vocab_size - SPECIAL.len() - 256);
    let vocabulary = json["model"]["vocab"].as_object_mut().unwrap();
    vocabulary.retain(|_, id| id.as_u64().unwrap() < vocab_size as u64);
    serde_json::from_value(json).unwrap()
}

fn counted(tokenizer: Tokenizer, texts: &[String]) -> Fragmentation {
    let counts = Counter::new(tokenizer).count(texts).unwrap();
    counts.into_iter().fold(Fragmentation::default(), |sum, count| sum + count)
}

/// Every point of the curve is what the truncated tokenizer counts.
fn check_curve(trained: &Trained, texts: &[String], heldout: &[String], every: usize) {
    let last = trained.curve.len() - 1;
    for (at, point) in trained.curve.iter().enumerate().filter(|(at, _)| at % every == 0 || *at == last) {
        let tokenizer = truncated(&trained.tokenizer, point.vocab_size);
        assert_eq!(tokenizer.get_vocab_size(true), point.vocab_size);
        assert_eq!(point.train, counted(tokenizer.clone(), texts), "train, point {at}");
        let expected = counted(tokenizer, heldout);
        assert_eq!(point.heldout, (expected.words > 0).then_some(expected), "held out, point {at}");
    }
    assert_eq!(trained.curve[last].vocab_size, trained.tokenizer.get_vocab_size(true));
    assert!(trained.curve.windows(2).all(|pair| pair[0].vocab_size < pair[1].vocab_size));
}

/// Texts in which pairs come again, overlap, and tie; and what has tripped tokenizers up.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let repeats = ["aa", "aaa", "ab", "ba", "abab", "1111", "receiver"];
    let pieces = [&repeats, hostile::PIECES].concat();
    let hostile = prop::collection::vec(prop::sample::select(pieces), 0..40).prop_map(|parts| parts.concat());
    let few_letters = "[ab ]{0,60}";
    let long = (1_usize..2000, prop::sample::select(vec!["a", "ab", "aab", "ж", "x."]))
        .prop_map(|(times, piece)| piece.repeat(times));
    let text = prop_oneof![6 => hostile, 3 => few_letters, 1 => "\\PC{0,60}", 1 => any::<String>(), 1 => long];
    prop::collection::vec(text, 0..12)
}

fn sample_corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-corpus");
    let files = |name: &str| std::fs::read_dir(folder.join(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = ["compressors", "ru"].into_iter().flat_map(files).collect();
    paths.sort();
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
    texts.flat_map(|text| text.split("\n\n").map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn any_settings() -> impl Strategy<Value = TokenizerSettings> {
    let special = prop_oneof![
        6 => Just(Vec::new()),
        1 => Just(vec!["valve".to_owned(), "a".to_owned(), "[PAD]".to_owned()]),
        1 => Just(vec!["ab".to_owned(), "Ġthe".to_owned()]),
    ];
    (
        (prop_oneof![Just(300), 261_usize..420, Just(5000)], prop_oneof![3 => 1_u64..4, 1 => 4_u64..30], any::<bool>()),
        prop::sample::select(vec![Normalization::Nfc, Normalization::Nfkc, Normalization::None]),
        prop::sample::select(vec![SplitPattern::Gpt2, SplitPattern::Cl100k]),
        (any::<bool>(), prop_oneof![2 => Just(None), 1 => (1_usize..12).prop_map(Some)], any::<bool>(), special),
    )
        .prop_map(
            |((vocab_size, min_frequency, lowercase), normalize, pattern, (prefix_space, length, seen, special))| {
                TokenizerSettings {
                    normalize,
                    pattern,
                    prefix_space,
                    max_token_length: length,
                    initial_alphabet: if seen { InitialAlphabet::Seen } else { InitialAlphabet::Bytes },
                    special_tokens: special,
                    ..settings(vocab_size, min_frequency, lowercase)
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_tokenizer_is_the_librarys(
        texts in texts(),
        heldout in texts(),
        vocab_size in prop_oneof![Just(300), 261_usize..420, Just(5000)],
        min_frequency in prop_oneof![3 => 1_u64..4, 1 => 4_u64..30],
        lowercase: bool,
    ) {
        let settings = settings(vocab_size, min_frequency, lowercase);
        let trained = train(&settings, &texts, &heldout);
        let expected = library(&settings, &texts);
        prop_assert_eq!(trained.tokenizer.get_vocab(true), expected.get_vocab(true));
        prop_assert_eq!(json(&trained.tokenizer), json(&expected));
        check_curve(&trained, &texts, &heldout, 7);
    }

    #[test]
    fn it_is_so_whatever_the_settings(settings in any_settings(), texts in texts(), heldout in texts()) {
        let trained = train(&settings, &texts, &heldout);
        let expected = library(&settings, &texts);
        prop_assert_eq!(trained.tokenizer.get_vocab(true), expected.get_vocab(true));
        prop_assert_eq!(json(&trained.tokenizer), json(&expected));
        let last = trained.curve.last().unwrap();
        prop_assert_eq!(last.train, counted(trained.tokenizer.clone(), &texts));
        let expected = counted(trained.tokenizer, &heldout);
        prop_assert_eq!(last.heldout, (expected.words > 0).then_some(expected));
    }
}

#[test]
fn the_default_pipeline_is_nfc_and_gpt2s() {
    let json = serde_json::to_value(pipeline(&settings(1000, 2, true)).unwrap()).unwrap();
    let byte_level = |add_prefix_space: bool, use_regex: bool| {
        serde_json::json!({
            "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": use_regex,
        })
    };
    let lowered = serde_json::json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]});
    assert_eq!((&json["normalizer"], &json["pre_tokenizer"]), (&lowered, &byte_level(false, true)));
    let newer = TokenizerSettings {
        pattern: SplitPattern::Cl100k,
        prefix_space: true,
        normalize: Normalization::None,
        ..settings(1000, 2, false)
    };
    let json = serde_json::to_value(pipeline(&newer).unwrap()).unwrap();
    assert!(json["normalizer"].is_null());
    assert_eq!(json["pre_tokenizer"]["pretokenizers"][0]["behavior"], "Isolated");
    assert_eq!(json["pre_tokenizer"]["pretokenizers"][1], byte_level(true, false));
}

#[test]
fn an_alphabet_that_is_limited_is_the_librarys() {
    // No two bytes are as frequent, so that nothing is left to chance: z, y, x ... stand 1, 3, 9 times and more.
    let text: String = "zyxwvut"
        .chars()
        .enumerate()
        .map(|(at, c)| [c, 'x'].iter().collect::<String>().repeat(3_usize.pow(at as u32)))
        .collect();
    for limit in 1..8 {
        let settings = TokenizerSettings {
            initial_alphabet: InitialAlphabet::Seen,
            limit_alphabet: Some(limit),
            ..settings(300, 1, false)
        };
        let texts = [text.clone()];
        let trained = train(&settings, &texts, &texts);
        assert_eq!(json(&trained.tokenizer), json(&library(&settings, &texts)), "{limit}");
        assert_eq!(trained.curve.last().unwrap().train, counted(trained.tokenizer, &texts), "{limit}");
    }
}

#[test]
fn a_word_of_a_megabyte() {
    // The library moves the rest of a word at every merge: it is asked about short ones, which become the same.
    let texts = |times: usize| ["abcde".repeat(times), "\0".repeat(times), String::new(), "ж".repeat(2 * times)];
    for pattern in [SplitPattern::Gpt2, SplitPattern::Cl100k] {
        let settings = TokenizerSettings { pattern, ..settings(275, 2, false) };
        let short = library(&settings, &texts(1 << 10));
        assert_eq!(json(&train(&settings, &texts(1 << 10), &[]).tokenizer), json(&short));
        assert_eq!(json(&train(&settings, &texts(1 << 18), &[]).tokenizer), json(&short));
    }
}

/// A number as a word of letters.
fn in_letters(mut n: usize) -> String {
    let mut letters = String::new();
    for _ in 0..4 {
        letters.push((b'a' + (n % 26) as u8) as char);
        n /= 26;
    }
    letters
}

#[test]
fn the_sample_corpus_gives_the_librarys_tokenizer() {
    let texts = sample_corpus();
    for settings in
        [settings(16_000, 2, false), settings(2000, 2, true), settings(261, 1, false), settings(8000, 5, true)]
    {
        let trained = train(&settings, &texts, &[]);
        assert_eq!(json(&trained.tokenizer), json(&library(&settings, &texts)), "{settings:?}");
        assert!(trained.curve.iter().all(|point| point.heldout.is_none()));
    }
}

#[test]
fn the_curve_is_what_smaller_tokenizers_count() {
    let texts = sample_corpus();
    let (heldout, learned): (Vec<_>, Vec<_>) = texts.into_iter().enumerate().partition(|(at, _)| at % 5 == 0);
    let plain = |texts: Vec<(usize, String)>| texts.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    let (heldout, mut learned) = (plain(heldout), plain(learned));
    learned.push("The [SEP] between [CLS] and [MASK]s, [PAD] or[UNK] not, is cut out before anything else.".to_owned());
    let trained = train(&settings(1500, 2, false), &learned, &heldout);
    assert_eq!(trained.curve.len(), 41);
    check_curve(&trained, &learned, &heldout, 1);
    let middle = trained.curve[20];
    let smaller = train(&settings(middle.vocab_size, 2, false), &learned, &[]);
    assert_eq!(middle.heldout, Some(counted(smaller.tokenizer, &heldout)), "merges are a prefix");
}

#[test]
fn held_out_texts_have_no_say() {
    let texts = sample_corpus();
    let heldout = vec!["zqzqzq zqzqzq valve".repeat(10_000)];
    let settings = settings(1000, 2, false);
    assert_eq!(json(&train(&settings, &texts, &heldout).tokenizer), json(&train(&settings, &texts, &[]).tokenizer));
}

#[test]
fn every_event_is_told_in_order() {
    let texts = sample_corpus();
    let (recorder, clock) = (Recorder::default(), Ticking::default());
    let heldout = vec!["The purge drum vents non-condensable gases.".to_owned()];
    let (total, count) = (Some(texts.len() + 1), texts.len() as u64);
    let settings = settings(700, 2, false);
    let trained = train_bpe(&settings, texts.into_iter(), heldout.into_iter(), total, &recorder, &clock).unwrap();
    let events = recorder.events();

    let phases: Vec<usize> =
        events.iter().enumerate().filter(|(_, event)| matches!(event, Event::Phase { .. })).map(|(at, _)| at).collect();
    assert_eq!(
        phases.iter().map(|at| events[*at].clone()).collect::<Vec<_>>(),
        ["count words", "merge"].map(Event::phase)
    );
    let (counting, merging) = (&events[..phases[1]], &events[phases[1]..]);
    let last = Event::progress(count as usize + 1, total, "passages");
    assert_eq!(counting.last(), Some(&last));
    assert_eq!(merging.last(), Some(&Event::progress(439, 439, "merges")));

    let model = serde_json::to_value(&trained.tokenizer).unwrap();
    let merges = model["model"]["merges"].as_array().unwrap();
    let mut told = Vec::new();
    let mut counts = Vec::new();
    for event in merging {
        if let Event::Merge { done, left, right, count } = event {
            assert_eq!(*done as usize, told.len() + 1);
            told.push(serde_json::json!([left, right]));
            counts.push(*count);
        }
    }
    let shown = |part: &serde_json::Value| super::readable(part.as_str().unwrap());
    let expected: Vec<_> = merges.iter().map(|pair| serde_json::json!([shown(&pair[0]), shown(&pair[1])])).collect();
    assert_eq!(told, expected);
    assert!(counts.is_sorted_by(|a, b| a >= b) && counts.iter().all(|count| *count >= 2), "{counts:?}");

    let scalars: Vec<&Event> = merging.iter().filter(|event| matches!(event, Event::Scalar { .. })).collect();
    let expected: Vec<Event> =
        (1..=trained.curve.len()).map(|n| trained.curve[n - 1].event(knee(&trained.curve[..n]))).collect();
    assert_eq!(scalars, expected.iter().collect::<Vec<_>>());
    let Event::Scalar { step: 700, values } = &expected[40] else { panic!("{:?}", expected[40]) };
    assert_eq!(values.0.keys().collect::<Vec<_>>(), ["knee", "ratio_heldout", "ratio_train"]);
}

#[test]
fn a_clock_that_stands_still_lets_one_merge_through() {
    struct Still;
    impl Clock for Still {
        fn monotonic(&self) -> Duration {
            Duration::from_secs(7)
        }

        fn unix_ms(&self) -> u64 {
            0
        }
    }
    let recorder = Recorder::default();
    train_bpe(&settings(700, 2, false), sample_corpus().into_iter(), std::iter::empty(), None, &recorder, &Still)
        .unwrap();
    assert_eq!(recorder.events().iter().filter(|event| matches!(event, Event::Merge { .. })).count(), 1);
}

/// Asks to stop when an event comes by.
struct StopsAt {
    recorder: Recorder,
    at: fn(&Event) -> bool,
    after: Mutex<usize>,
}

impl Observer for StopsAt {
    fn on(&self, event: Event) {
        if self.recorder.stop_requested() {
            *self.after.lock().unwrap() += 1;
        }
        if (self.at)(&event) {
            self.recorder.request_stop();
        }
        self.recorder.on(event);
    }

    fn stop_requested(&self) -> bool {
        self.recorder.stop_requested()
    }
}

#[test]
fn training_stops_in_either_phase() {
    let moments: [fn(&Event) -> bool; 4] = [
        |event| matches!(event, Event::Phase { name } if name == "count words"),
        |event| matches!(event, Event::Progress { unit, .. } if unit == "passages"),
        |event| matches!(event, Event::Phase { name } if name == "merge"),
        |event| matches!(event, Event::Merge { done: 50, .. }),
    ];
    for (at, moment) in moments.into_iter().enumerate() {
        let observer = StopsAt { recorder: Recorder::default(), at: moment, after: Mutex::default() };
        // Texts without an end: only a stop ends the counting.
        let texts: Box<dyn Iterator<Item = String> + Send> =
            if at < 2 { Box::new(sample_corpus().into_iter().cycle()) } else { Box::new(sample_corpus().into_iter()) };
        let result =
            train_bpe(&settings(2000, 2, false), texts, std::iter::empty(), None, &observer, &Ticking::default());
        assert!(matches!(result, Err(Error::Stopped)), "moment {at}");
        // The progress beside the merge; texts that another thread had taken already.
        assert!(*observer.after.lock().unwrap() <= 1, "moment {at}");
    }
}

/// Counts the looks at whether to stop.
#[derive(Default)]
struct Watched(AtomicUsize);

impl Observer for Watched {
    fn on(&self, _event: Event) {}

    fn stop_requested(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        false
    }
}

#[test]
fn there_is_a_look_for_every_so_much_work() {
    // One text without an end of a line, which has to be normalized: nothing but the work itself asks.
    let text = "The re\u{301}ceiver is pumped down. 12,345 ".repeat(40_000);
    let (watched, clock) = (Watched::default(), SystemClock::default());
    let settings = settings(262, 2, true);
    let texts = [text.clone()].into_iter();
    train_bpe(&settings, texts, std::iter::empty(), None, &watched, &clock).unwrap();
    // Its bytes are passed four times: white-space words, normal form, lower case, pieces; each of them is a unit.
    let looks = watched.0.load(Ordering::Relaxed);
    assert!(looks >= 7 * text.len() / 2 / Looks::UNITS, "{looks} looks at {} bytes", text.len());

    // Words that share nothing but their pairs: each merge passes through all of them.
    let words = 60_000;
    let text = (0..words).map(|n| format!(" zq{}", in_letters(n))).collect::<Vec<_>>().concat();
    let count = |vocab_size: usize| {
        let watched = Watched::default();
        let settings = super::tests::settings(vocab_size, 2, false);
        train_bpe(&settings, [text.clone()].into_iter(), std::iter::empty(), None, &watched, &clock).unwrap();
        watched.0.load(Ordering::Relaxed)
    };
    // ` z` or `zq`, then both: two merges that look at 2 tokens of each word at least, with one look each beside them.
    let (before, after) = (count(261), count(263));
    assert!(after - before >= 2 + 2 * 2 * words / Looks::UNITS, "{before}, then {after}");
}

#[test]
fn what_is_odd_is_told() {
    let recorder = Recorder::default();
    let texts = ["A [SEP] b [SEP] and [MASK].".to_owned(), "plain".to_owned()];
    let settings = TokenizerSettings { pattern: SplitPattern::Cl100k, prefix_space: true, ..settings(5000, 2, false) };
    let clock = SystemClock::default();
    let trained = train_bpe(&settings, texts.iter().cloned(), std::iter::empty(), None, &recorder, &clock).unwrap();
    assert_eq!(trained.special_in_text, [("[SEP]".to_owned(), 2), ("[MASK]".to_owned(), 1)]);
    let warnings: Vec<String> = recorder
        .events()
        .into_iter()
        .filter_map(|event| if let Event::Warning { text } = event { Some(text) } else { None })
        .collect();
    assert!(warnings[0].contains("before every piece"), "{warnings:?}");
    assert!(warnings[1].contains("[SEP] 2 times, [MASK] 1 times"), "{warnings:?}");
    assert!(warnings[2].contains("not 5000: no two neighbours are left that stand together 2 times"), "{warnings:?}");
}
