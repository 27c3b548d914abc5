//! Stopped, resumed, spilled: the tokenizer and its curve stay the same.

use super::*;
use crate::workspace::digest_bytes;

/// Stops at the event of a number, and keeps what was told.
struct StopsAfter {
    recorder: Recorder,
    events: usize,
}

impl Observer for StopsAfter {
    fn on(&self, event: Event) {
        self.recorder.on(event);
        if self.recorder.events().len() >= self.events {
            self.recorder.request_stop();
        }
    }

    fn stop_requested(&self) -> bool {
        self.recorder.stop_requested()
    }
}

fn texts() -> (Vec<String>, Vec<String>) {
    let mut texts = sample_corpus();
    texts.push("The [SEP] between [CLS] and [MASK]s.".to_owned());
    // More than one thread takes at a time.
    let more: Vec<String> = (0..3000).map(|n| format!("Valve {n} of {} is {}.", n % 7, n * n)).collect();
    let heldout = texts.iter().step_by(5).cloned().chain(more.iter().step_by(9).cloned()).collect();
    texts.extend(more);
    (texts, heldout)
}

fn run(
    settings: &TokenizerSettings,
    (texts, heldout): &(Vec<String>, Vec<String>),
    checkpoints: Option<&Checkpoints>,
    observer: &dyn Observer,
    clock: &dyn Clock,
) -> Result<Trained> {
    let training = Training { settings, total: None, checkpoints, observer, clock };
    training.run(texts.iter().cloned(), heldout.iter().cloned())
}

#[test]
fn a_stopped_training_goes_on_to_the_same_tokenizer() {
    let texts = texts();
    let settings = settings(900, 2, false);
    let whole = run(&settings, &texts, None, &Silent, &SystemClock::default()).unwrap();
    let mut went_on = [false; 2];
    for events in [1, 2, 3, 5, 8, 30, 200, 700, 1200] {
        let folder = tempfile::tempdir().unwrap();
        let of = digest_bytes("this");
        let first = Checkpoints::new(folder.path(), false, of.clone());
        let observer = StopsAfter { recorder: Recorder::default(), events };
        // The clock ticks at every look: a checkpoint is due again and again.
        let stopped = run(&settings, &texts, Some(&first), &observer, &Ticking::default());
        assert!(matches!(stopped, Err(Error::Stopped)), "{events}");
        let recorder = Recorder::default();
        let resumed = Checkpoints::new(folder.path(), true, of);
        let trained = run(&settings, &texts, Some(&resumed), &recorder, &SystemClock::default()).unwrap();
        assert_eq!(json(&trained.tokenizer), json(&whole.tokenizer), "{events}");
        assert_eq!(trained.curve, whole.curve, "{events}");
        assert_eq!(trained.special_in_text, whole.special_in_text, "{events}");
        for event in recorder.events() {
            if let Event::Note { text } = event {
                went_on[0] |= text.contains("passages are counted");
                went_on[1] |= text.contains("pairs are merged");
            }
        }
    }
    assert_eq!(went_on, [true; 2], "some were stopped while counting, some while merging");
}

#[test]
fn a_checkpoint_of_something_else_or_a_broken_one_is_not_gone_on_from() {
    let texts = texts();
    let settings = settings(600, 2, false);
    let whole = json(&run(&settings, &texts, None, &Silent, &SystemClock::default()).unwrap().tokenizer);
    let folder = tempfile::tempdir().unwrap();
    let stop = || {
        let observer = StopsAfter { recorder: Recorder::default(), events: 60 };
        let checkpoints = Checkpoints::new(folder.path(), false, digest_bytes("this"));
        assert!(run(&settings, &texts, Some(&checkpoints), &observer, &Ticking::default()).is_err());
    };
    let warned = |of: &str| {
        let recorder = Recorder::default();
        let checkpoints = Checkpoints::new(folder.path(), true, digest_bytes(of));
        let trained = run(&settings, &texts, Some(&checkpoints), &recorder, &SystemClock::default()).unwrap();
        assert_eq!(json(&trained.tokenizer), whole);
        recorder
            .events()
            .into_iter()
            .find_map(|event| if let Event::Warning { text } = event { Some(text) } else { None })
    };
    stop();
    assert!(warned("that").unwrap().contains("the documents or settings are not those"));
    stop();
    let mut words = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let words = words.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("words")).unwrap();
    let mut bytes = std::fs::read(&words).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&words, bytes).unwrap();
    assert!(warned("this").unwrap().contains("not whole"));
    stop();
    std::fs::write(folder.path().join("state.json"), "{\"version\":").unwrap();
    assert!(warned("this").unwrap().contains("cannot be read"));
}

#[test]
fn words_that_memory_has_no_room_for_change_nothing() {
    // A megabyte of words that are all different, twice.
    let mut texts = texts();
    let word = |n: usize| format!(" {}", in_letters(n));
    texts.0.extend(
        (0..2).flat_map(|_| (0..400).map(|n| (0..120).map(|m| word(120 * n + m)).collect::<Vec<_>>().concat())),
    );
    let plain = settings(700, 2, false);
    let whole = run(&plain, &texts, None, &Silent, &SystemClock::default()).unwrap();
    assert_eq!(whole.spills, 0);
    let tight = TokenizerSettings { count_memory: 1, ..plain };
    let recorder = Recorder::default();
    let spilled = run(&tight, &texts, None, &recorder, &SystemClock::default()).unwrap();
    assert!(spilled.spills > 1, "{}", spilled.spills);
    assert_eq!(json(&spilled.tokenizer), json(&whole.tokenizer));
    assert_eq!(spilled.curve, whole.curve);
    let told =
        recorder.events().into_iter().filter(|event| matches!(event, Event::Note { text } if text.contains("1 MiB")));
    assert_eq!(told.count(), 1);
}
