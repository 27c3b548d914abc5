use candle_core::Device;
use tokenizers::Tokenizer;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::pre_tokenizers::whitespace::Whitespace;

use super::*;
use crate::encoder::{BertConfig, Role};
use crate::progress::{Recorder, Silent, SystemClock};
use crate::tokenizer::Source;

const WORDS: usize = 60;

fn tokenizer(words: &[String]) -> Tokenizer {
    let vocabulary = words.iter().enumerate().map(|(id, word)| (word.clone(), id as u32)).collect();
    let model = WordLevel::builder().vocab(vocabulary).unk_token("w0".to_owned()).build().unwrap();
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(Whitespace {}));
    tokenizer
}

fn teacher() -> Encoder {
    let words: Vec<String> = (0..WORDS).map(|id| format!("w{id}")).collect();
    Encoder::random(BertConfig::tiny(2), tokenizer(&words), 1, &Device::Cpu).unwrap()
}

/// The teacher with a vocabulary half as large, of which nothing is known.
fn student(teacher: &Encoder) -> Encoder {
    let words: Vec<String> = (0..WORDS / 2).map(|id| format!("w{}", 2 * id)).collect();
    teacher.transplanted(tokenizer(&words), &vec![Source::Anything; WORDS / 2]).unwrap().0
}

fn lessons(teacher: &Encoder, student: &Encoder, from: usize, count: usize) -> Lessons {
    let text = |at: usize| {
        let words: Vec<String> = (0..4 + at % 5).map(|word| format!("w{}", (at * 7 + word * 11) % WORDS)).collect();
        words.join(" ")
    };
    let texts: Vec<String> = (from..from + count).map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let tokens = |encoder: &Encoder| encoder.tokenize(&texts, Role::Passage).unwrap();
    Lessons {
        targets: teacher.embed(&tokens(teacher), &Silent).unwrap(),
        texts: tokens(student).into_iter().map(Arc::from).collect(),
    }
}

fn options() -> ImitationOptions {
    ImitationOptions {
        embeddings: Part { epochs: 6.0, lr: 3e-3 },
        whole: Part { epochs: 3.0, lr: 3e-4 },
        batch: 8,
        micro_batch: 8,
        similarities: 1.0,
        patience: None,
        max_steps: None,
        seed: 3,
    }
}

fn aligned(folder: &std::path::Path, resume: bool, observer: &dyn Observer) -> (Encoder, ImitationOutcome) {
    let teacher = teacher();
    let mut student = student(&teacher);
    let (known, heldout) = (lessons(&teacher, &student, 0, 48), lessons(&teacher, &student, 100, 16));
    let checkpoints = Checkpoints::new(folder, resume);
    let outcome =
        imitate(&mut student, &known, &heldout, &options(), &checkpoints, observer, &SystemClock::default()).unwrap();
    (student, outcome)
}

fn values(encoder: &Encoder) -> Vec<f32> {
    encoder.parameters().iter().flat_map(|(_, var)| var.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
}

#[test]
fn a_student_comes_to_agree() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let (student, outcome) = aligned(folder.path(), false, &recorder);
    let embeddings = outcome.after_embeddings.unwrap();
    assert!(embeddings > outcome.before + 0.02 && outcome.after >= embeddings, "{outcome:?}");
    assert_eq!(student.frozen(), Frozen::default());
    let phases: Vec<String> = recorder
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Phase { name, .. } if name.starts_with("align") => Some(name),
            _ => None,
        })
        .collect();
    assert_eq!(phases, ["align embeddings", "align all"]);
}

#[test]
fn embeddings_alone_move_first() {
    let teacher = teacher();
    let mut student = student(&teacher);
    let (known, heldout) = (lessons(&teacher, &student, 0, 24), lessons(&teacher, &student, 100, 8));
    let folder = tempfile::tempdir().unwrap();
    let options = ImitationOptions { whole: Part { epochs: 0.0, lr: 1.0 }, ..options() };
    let checkpoints = Checkpoints::new(folder.path(), false);
    imitate(&mut student, &known, &heldout, &options, &checkpoints, &Silent, &SystemClock::default()).unwrap();
    for (name, var) in student.parameters().iter().filter(|(name, _)| name.starts_with("encoder.layer.")) {
        let theirs = teacher.parameters().get(name).unwrap();
        let apart = (var.as_tensor() - theirs.as_tensor()).unwrap().sqr().unwrap().sum_all().unwrap();
        assert_eq!(apart.to_scalar::<f32>().unwrap(), 0.0, "{name} moved");
    }
}

/// Asks to stop at the so-manyth step.
struct StopAt(Recorder, u64);

impl Observer for StopAt {
    fn on(&self, event: Event) {
        self.0.on(event);
    }

    fn stop_requested(&self) -> bool {
        let steps = self.0.events().iter().filter(|event| matches!(event, Event::Scalar { .. })).count();
        steps as u64 >= self.1
    }
}

#[test]
fn one_that_was_interrupted_goes_on_to_the_same_student() {
    let whole = tempfile::tempdir().unwrap();
    let (expected, _) = aligned(whole.path(), false, &Silent);
    // In the first part, and in the second.
    for stop_at in [5, 40] {
        let folder = tempfile::tempdir().unwrap();
        let (_, stopped) = aligned(folder.path(), false, &StopAt(Recorder::default(), stop_at));
        assert!(stopped.stopped);
        let (resumed, outcome) = aligned(folder.path(), true, &Silent);
        assert!(!outcome.stopped);
        assert_eq!(values(&resumed), values(&expected), "stopped at step {stop_at}");
    }
}

#[test]
fn a_teacher_of_other_dimensions_is_refused() {
    let teacher = teacher();
    let mut student = student(&teacher);
    let mut known = lessons(&teacher, &student, 0, 8);
    known.targets = Embeddings::new(2, vec![1.0; 16]);
    let heldout = lessons(&teacher, &student, 100, 4);
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path(), false);
    let error = imitate(&mut student, &known, &heldout, &options(), &checkpoints, &Silent, &SystemClock::default());
    assert!(error.unwrap_err().to_string().contains("24 dimensions"), "the student's");
}
