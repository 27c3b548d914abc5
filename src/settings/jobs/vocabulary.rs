//! Another vocabulary for an encoder, and smaller encoders.

use super::{DocumentsToUse, Negatives, Precision};
use crate::settings::define::settings;
use crate::settings::value::choice;

choice! {
    /// What becomes of the base's vocabulary.
    Vocabulary {
        /// It stays.
        Keep = "keep",
        /// The worst-split words become whole tokens.
        Extend = "extend",
        /// A tokenizer trained here takes its place.
        Replace = "replace",
    }
}

settings! {
    /// Putting another vocabulary into an encoder, and aligning it to the encoder it was.
    AlignSettings for "align" {
        /// The model whose vocabulary changes: an artifact's name, a folder, or `embedded`.
        base: String = "embedded".to_owned();
        /// What becomes of its vocabulary.
        vocabulary: Vocabulary = Vocabulary::Replace;
        /// The tokenizer that replaces the base's; default: the newest trained here.
        tokenizer: Option<String> = None;
        /// Worst-split words to add, with `--vocabulary extend`.
        extend_words: usize = 1000, range 1..100_000, unit "words";
        /// Leave a cased tokenizer cased over an uncased base; otherwise it is made to lower-case.
        keep_case: bool = false;
        /// The documents whose sentences it learns from: no question is among them.
        documents: DocumentsToUse = DocumentsToUse::All;
        /// Passes in which the token embeddings alone are trained, first.
        embedding_epochs: f64 = 4.0, range 0.0..1000.0, unit "epochs";
        /// Their highest learning rate.
        embedding_lr: f64 = 1e-3, range 0.0..1.0;
        /// Passes in which everything is trained, afterwards.
        epochs: f64 = 8.0, range 0.0..1000.0, unit "epochs";
        /// The highest learning rate of these.
        lr: f64 = 1e-4, range 0.0..1.0;
        /// Texts in a batch.
        batch: usize = 64, range 2..65536, unit "texts";
        /// Texts encoded at a time; default: 32 on the CPU, 256 on a GPU.
        micro_batch: Option<usize> = None, range 1..65536, unit "texts";
        /// Weight of the similarities between the batch's texts, beside that of the cosine to the base's embedding.
        similarities: f64 = 1.0, range 0.0..1000.0;
        /// Looks at the agreement, twenty in each part, after which a part ends that has not become better; 0: it goes to its end.
        early_stopping: usize = 4, range 0..1000, unit "looks";
        /// Tokens of a text that are read; default: as many as the base reads.
        max_length: Option<usize> = None, range 8..8192, unit "tokens";
        /// The floating-point format of matrix products; default: bf16 on a GPU that has it, else f32.
        precision: Option<Precision> = None;
        /// Stop each part after so many steps.
        max_steps: Option<usize> = None, range 1..100_000_000, unit "steps";
        /// The aligned model's name.
        name: String = "aligned".to_owned();
        /// Seed of every random choice.
        seed: u64 = 42;
    }
}

settings! {
    /// Comparing what may become of a base's vocabulary: kept, extended, replaced, each tuned.
    LadderSettings for "ladder" {
        /// What is compared; the kept vocabulary always is.
        arms: Vec<Vocabulary> = vec![Vocabulary::Keep, Vocabulary::Extend, Vocabulary::Replace];
        /// The model to start from: an artifact's name, a folder, or `embedded`.
        base: String = "embedded".to_owned();
        /// The training pairs: an artifact's name; default: the newest.
        pairs: Option<String> = None;
        /// The tokenizer that replaces the base's; default: the newest trained here.
        tokenizer: Option<String> = None;
        /// Worst-split words to add.
        extend_words: usize = 1000, range 1..100_000, unit "words";
        /// Leave a cased tokenizer cased over an uncased base.
        keep_case: bool = false;
        /// Times that each arm is trained, each with a seed of its own.
        seeds: usize = 3, range 1..100, unit "seeds";
        /// Passes over the corpus's sentences in which a changed vocabulary is aligned.
        align_epochs: f64 = 8.0, range 0.0..1000.0, unit "epochs";
        /// Passes of the inverse cloze task before the pairs.
        cloze_epochs: f64 = 0.0, range 0.0..1000.0, unit "epochs";
        /// Where explicit hard negatives come from.
        negatives: Negatives = Negatives::None;
        /// Rank queries for a passage too, not only passages for a query.
        symmetric: bool = false;
        /// Passes over the training pairs.
        epochs: f64 = 3.0, range 0.001..10000.0, unit "epochs";
        /// Pairs in a batch.
        batch: usize = 32, range 2..65536, unit "pairs";
        /// The highest learning rate.
        lr: f64 = 5e-5, range 0.0..1.0;
        /// Tokens of a text that are read; default: as many as the base reads.
        max_length: Option<usize> = None, range 8..8192, unit "tokens";
        /// The floating-point format of matrix products; default: bf16 on a GPU that has it, else f32.
        precision: Option<Precision> = None;
        /// Stop each training after so many steps.
        max_steps: Option<usize> = None, range 1..100_000_000, unit "steps";
        /// The test questions: an artifact's name; default: the newest of your own, else the newest made from the documents.
        questions: Option<String> = None;
        /// Sign flips of the randomization test and resamples of the bootstrap.
        resamples: usize = 10000, range 100..10_000_000, unit "times";
        /// The comparison's name.
        name: String = "ladder".to_owned();
        /// The first seed; the others follow it.
        seed: u64 = 42;
    }
}

choice! {
    /// What a student begins with.
    Beginning {
        /// The teacher's layers and token embeddings, cut to size.
        Teacher = "teacher",
        /// Random values.
        Scratch = "scratch",
    }
}

choice! {
    /// The floating-point format that weights are kept in.
    Stored {
        /// As they were trained.
        F32 = "f32",
        /// Half the room; values keep three digits.
        F16 = "f16",
    }
}

settings! {
    /// Distilling a smaller encoder from a larger one.
    DistillSettings for "distill" {
        /// The model to be like: an artifact's name, a folder.
        teacher: String = String::new();
        /// Layers of the student.
        layers: usize = 3, range 1..100, unit "layers";
        /// Width of its hidden states; where it is not the teacher's, a dense layer leads to the teacher's dimensions.
        hidden: usize = 384, range 32..4096, unit "values";
        /// Width inside its feed-forward parts; default: four times --hidden.
        inner: Option<usize> = None, range 32..16384, unit "values";
        /// Positions: its longest text.
        positions: usize = 256, range 16..8192, unit "tokens";
        /// The student's tokenizer: an artifact's name, a tokenizer.json; default: the teacher's.
        tokenizer: Option<String> = None;
        /// What the student begins with; `teacher` needs the teacher's width.
        from: Beginning = Beginning::Teacher;
        /// Passes over the texts.
        epochs: f64 = 10.0, range 0.0..1000.0, unit "epochs";
        /// The highest learning rate.
        lr: f64 = 1e-3, range 0.0..1.0;
        /// Texts in a batch.
        batch: usize = 256, range 2..65536, unit "texts";
        /// Texts encoded at a time; default: 32 on the CPU, 256 on a GPU.
        micro_batch: Option<usize> = None, range 1..65536, unit "texts";
        /// Weight of the similarities between the batch's texts, beside that of the cosine to the teacher's embedding. Squared
        /// errors of cosines are small: below 30 they count for little.
        similarities: f64 = 120.0, range 0.0..1000.0;
        /// Tokens of a text that are read.
        max_length: usize = 256, range 8..8192, unit "tokens";
        /// The floating-point format of matrix products; default: bf16 on a GPU that has it, else f32.
        precision: Option<Precision> = None;
        /// Stop after so many steps.
        max_steps: Option<usize> = None, range 1..100_000_000, unit "steps";
        /// The floating-point format that the student is written in.
        stored: Stored = Stored::F32;
        /// The student's name.
        name: String = "distilled".to_owned();
        /// Seed of every random choice.
        seed: u64 = 42;
    }
}
