//! The parameters of each job. A default that comes from a paper or a measurement says so.

use super::define::settings;
use super::value::{Value, choice};
use super::{Parameter, SettingError, Shape};

choice! {
    /// Which documents a tokenizer is trained on.
    DocumentsToUse {
        /// Those of the train fold: the others judge it.
        Train = "train",
        /// All of them: nothing is left to judge it honestly.
        All = "all",
    }
}
/// The name this choice has in signatures.
pub use DocumentsToUse as Documents;

choice! {
    /// What training minimises.
    Loss {
        /// Multiple Negatives Ranking Loss: the other passages of the batch are the negatives (Henderson et al. 2017).
        Mnrl = "mnrl",
        /// Triplet loss: the positive must be nearer than the negative by a margin (Schroff et al. 2015).
        Triplet = "triplet",
    }
}

choice! {
    /// The distance of the triplet loss.
    TripletDistance {
        /// One minus the cosine; margins near 0.2.
        Cosine = "cosine",
        /// Euclidean between the embeddings; margins near 0.5 for unit vectors.
        Euclidean = "euclidean",
    }
}

choice! {
    /// Where explicit hard negatives come from.
    Negatives {
        /// No explicit ones: the rest of the batch must do.
        None = "none",
        /// The best-ranked wrong passages of BM25.
        Bm25 = "bm25",
        /// The best-ranked wrong passages of the base model.
        Base = "base",
    }
}

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

choice! {
    /// The floating-point format of the computation.
    Precision {
        /// 32-bit throughout.
        F32 = "f32",
        /// 16-bit brain floats, with 32-bit sums and parameters.
        Bf16 = "bf16",
    }
}

/// How much of the tuned weights the saved model has; the rest is the base's.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The share that scores best on dev.
    Auto,
    /// This share.
    #[serde(untagged)]
    Share(f64),
}

impl Value for Interpolation {
    const SHAPE: Shape = Shape::Text;

    fn parse(given: &str, parameter: &Parameter) -> Result<Self, SettingError> {
        if given == "auto" {
            return Ok(Self::Auto);
        }
        let share: f64 = given.parse().map_err(|_| parameter.refuse(given, "must be a number, or auto"))?;
        parameter.within_range(given, share)?;
        Ok(Self::Share(share))
    }

    fn show(&self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::Share(share) => share.show(),
        }
    }
}

settings! {
    /// Reading documents into passages and folds.
    CorpusSettings for "corpus" {
        /// Words in a passage; passages end at headings and sentences.
        passage_words: usize = 180, range 20..2000, unit "words";
        /// Jaccard similarity of 5-word shingles from which two passages are near-duplicates.
        duplicate_threshold: f64 = 0.8, range 0.5..1.0;
        /// Share of the documents whose questions choose the best checkpoint.
        dev_share: f64 = 0.1, range 0.0..0.5;
        /// Share of the documents whose questions are asked once, at the end.
        test_share: f64 = 0.1, range 0.0..0.5;
        /// A table with the columns document and fold (such as a table of questions), which fixes the folds of the documents that
        /// it names; the others are dealt.
        folds: Option<String> = None;
        /// A table of questions (the columns document, quote and question, and perhaps fold and kind): it fixes the folds of the
        /// documents that it names, and its questions become pairs and test questions once the documents are read.
        questions: Option<String> = None;
        /// Seed of the folds.
        seed: u64 = 13;
    }
}

settings! {
    /// Measuring fragmentation.
    InspectSettings for "inspect" {
        /// The tokenizer to judge: an artifact's name, a folder, a tokenizer.json, that of a model of the hub
        /// (organisation/name), or `embedded`; default: the newest trained here, else `embedded`.
        tokenizer: Option<String> = None;
        /// How many of the worst-split words to list.
        worst: usize = 20, range 0..100_000, unit "words";
    }
}

choice! {
    /// How a tokenizer's pieces are found.
    TokenizerKind {
        /// The most frequent pair of neighbours becomes one token, over and over (Sennrich et al. 2016), on bytes
        /// (Radford et al. 2019): no text is unknown.
        Bpe = "bpe",
        /// Greedy longest match from a vocabulary of characters and their compounds (Schuster & Nakajima 2012), as BERT
        /// reads it.
        WordPiece = "wordpiece",
    }
}

choice! {
    /// Where text is cut before merges are counted; no token crosses such a cut.
    SplitPattern {
        /// GPT-2's: contractions, letters, digits, other signs, each with the blank before it.
        Gpt2 = "gpt2",
        /// The newer one of cl100k and Llama 3: digits three at a time, a sign joins the letters behind it, line ends
        /// join the signs before them.
        Cl100k = "cl100k",
    }
}

choice! {
    /// The Unicode normal form that text is brought into first.
    Normalization {
        /// None: text stays as it is.
        None = "none",
        /// Composed characters.
        Nfc = "nfc",
        /// Composed characters, compatible ones made the same: `ﬁ` becomes `fi`.
        Nfkc = "nfkc",
    }
}

choice! {
    /// The bytes that have a token of their own from the beginning.
    InitialAlphabet {
        /// All 256: no text is unknown.
        Bytes = "bytes",
        /// Those that the documents hold: others are left out of what is encoded.
        Seen = "seen",
    }
}

settings! {
    /// Training a tokenizer.
    TokenizerSettings for "tokenizer" {
        /// What is trained: bpe, on bytes, or wordpiece, as BERT has it.
        kind: TokenizerKind = TokenizerKind::Bpe;
        /// Tokens in the vocabulary, special tokens included.
        vocab_size: usize = 16000, range 300..1_000_000, unit "tokens";
        /// How often a pair must occur to be merged.
        min_frequency: u64 = 2, range 1..1_000_000, unit "times";
        /// Lower-case the text first, as an uncased base does.
        lowercase: bool = false;
        /// The Unicode normal form that text is brought into first.
        normalize: Normalization = Normalization::Nfc;
        /// Where text is cut before merges are counted: gpt2, or cl100k, the newer one.
        pattern: SplitPattern = SplitPattern::Gpt2;
        /// Put a blank before a text that begins without one, so that its first word is as any other.
        prefix_space: bool = false;
        /// Merge only what stays shorter than this; pairs of two bytes always may. Default: no limit.
        max_token_length: Option<usize> = None, range 1..1_000_000, unit "bytes";
        /// The bytes that have a token from the beginning: all, or those that the documents hold.
        initial_alphabet: InitialAlphabet = InitialAlphabet::Bytes;
        /// Keep so many bytes only, the most frequent; text with others loses them. Default: no limit.
        limit_alphabet: Option<usize> = None, range 1..256, unit "bytes";
        /// More special tokens, parted by commas, behind `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`.
        special_tokens: Vec<String> = Vec::new();
        /// Memory for counted words; what is more is sorted, written to disk and merged in the end.
        count_memory: usize = 4096, range 1..1_000_000, unit "MiB";
        /// Train `WordPiece` on the same documents too, and judge both at a few sizes.
        compare_wordpiece: bool = false;
        /// Which documents to train on: train, so that the others judge it, or all.
        documents: DocumentsToUse = DocumentsToUse::Train;
        /// The artifact's name.
        name: String = "bpe".to_owned();
    }
}

settings! {
    /// Building pairs from the structure of the documents.
    PairsSettings for "pairs" {
        /// Sentences of a passage that serve as a query for the rest of it (inverse cloze; Lee et al. 2019).
        cloze: usize = 1, range 0..20, unit "a passage";
        /// How often the sentence is removed from the passage it was taken from.
        remove: f64 = 0.9, range 0.0..1.0;
        /// Use titles and headings as queries for their text.
        headings: bool = true;
        /// The artifact's name.
        name: String = "structural".to_owned();
        /// Seed of the choice of sentences.
        seed: u64 = 13;
    }
}

choice! {
    /// Who looks for a question's passage in the round trip.
    RoundTripBy {
        /// BM25: needs no model.
        Bm25 = "bm25",
        /// The base encoder that will be tuned.
        Base = "base",
    }
}

settings! {
    /// Making pairs with a local language model: from each passage, the questions that its readers might ask.
    PairsSynthesisSettings for "pairs-synthesize" {
        /// The model, as Ollama calls it (`qwen3:8b`); default: the only one there, or the one that was changed last.
        model: Option<String> = None;
        /// Download the model where it is missing.
        pull: bool = false;
        /// Questions for each passage, of different kinds.
        questions: usize = 3, range 1..8, unit "a passage";
        /// The language of the questions; default: the passage's own, detected.
        language: Option<String> = None;
        /// A file with the prompt; default: the workspace's `prompts/synthesis.md`, else the one that comes with lapidary.
        prompt: Option<String> = None;
        /// Questions that real users asked, of the newest pairs that hold any, shown to the model as examples.
        examples: usize = 4, range 0..16, unit "questions";
        /// Ask about so many passages only, spread over the corpus: a trial; default: all.
        limit: Option<usize> = None, range 1..10_000_000, unit "passages";
        /// Requests under way at once at each endpoint; Ollama answers one at a time unless `OLLAMA_NUM_PARALLEL` says more.
        concurrency: usize = 2, range 1..64, unit "requests";
        /// How freely the model writes; 0: always its likeliest words.
        temperature: f64 = 0.7, range 0.0..2.0;
        /// Tokens that the model sees at once, prompt and answer.
        num_ctx: usize = 4096, range 512..1_000_000, unit "tokens";
        /// Tokens of an answer.
        num_predict: usize = 512, range 32..32_768, unit "tokens";
        /// How long Ollama keeps the model loaded between two requests.
        keep_alive: usize = 30, range 1..1440, unit "minutes";
        /// Leave the model loaded at the end; default: it is unloaded, so that training has the GPU's memory.
        keep_loaded: bool = false;
        /// Seconds without a word after which an answer that has begun is given up.
        silence: f64 = 60.0, range 0.1..3600.0, unit "seconds";
        /// Seconds until the first word: loading a model takes its time.
        load_timeout: f64 = 300.0, range 0.1..7200.0, unit "seconds";
        /// Minutes without any endpoint that answers after which the work stops, to be resumed.
        patience: f64 = 10.0, range 0.001..1440.0, unit "minutes";
        /// Times that a passage is asked about before it is given up.
        tries: usize = 4, range 1..20, unit "times";
        /// A question stays if its passage is among the so many that rank best for it; 0: whatever its rank
        /// (round-trip consistency; Dai et al. 2023).
        round_trip: usize = 10, range 0..1000, unit "passages";
        /// Who ranks the passages in the round trip.
        round_trip_by: RoundTripBy = RoundTripBy::Bm25;
        /// The base encoder of the round trip: an artifact's name, a folder, a model of the hub (organisation/name), or `embedded`.
        base: String = "embedded".to_owned();
        /// Let the model judge each question from 1 to 5 and keep those with at least so much; 0: no judge.
        judge: usize = 0, range 0..5;
        /// The artifact's name.
        name: String = "synthesized".to_owned();
        /// Seed of the model's choice of words, and of the examples.
        seed: u64 = 13;
    }
}

settings! {
    /// Importing the user's own pairs.
    PairsImportSettings for "pairs-import" {
        /// The artifact's name.
        name: String = "imported".to_owned();
        /// Seed of the choice of dev queries where the files name none.
        seed: u64 = 13;
    }
}

settings! {
    /// Fine-tuning an encoder.
    TuneSettings for "tune" {
        /// The model to start from: an artifact's name, a folder, a model of the hub (organisation/name), or `embedded`.
        base: String = "embedded".to_owned();
        /// The training pairs: an artifact's name; default: the newest.
        pairs: Option<String> = None;
        /// What becomes of the base's vocabulary; a changed one is aligned to the base before tuning.
        vocabulary: Vocabulary = Vocabulary::Keep;
        /// The tokenizer that replaces the base's, with `--vocabulary replace`; default: the newest trained here.
        tokenizer: Option<String> = None;
        /// Worst-split words to add, with `--vocabulary extend`.
        extend_words: usize = 1000, range 1..100_000, unit "words";
        /// Leave a cased tokenizer cased over an uncased base; otherwise it is made to lower-case.
        keep_case: bool = false;
        /// Passes over the corpus's sentences in which a changed vocabulary is aligned; 0: it is not.
        align_epochs: f64 = 8.0, range 0.0..1000.0, unit "epochs";
        /// Passes over sentences of all documents as queries for the rest of their passages, before the pairs (inverse cloze; Lee
        /// et al. 2019): no question is among them.
        cloze_epochs: f64 = 0.0, range 0.0..1000.0, unit "epochs";
        /// The loss to minimise.
        loss: Loss = Loss::Mnrl;
        /// Factor on the cosine before the softmax of MNRL: 20 is a temperature of 0.05.
        scale: f64 = 20.0, range 1.0..1000.0;
        /// Rank queries for a passage too, not only passages for a query.
        symmetric: bool = false;
        /// The distance of the triplet loss.
        distance: TripletDistance = TripletDistance::Cosine;
        /// The margin of the triplet loss; default: 0.2 for cosine, 0.5 for euclidean.
        margin: Option<f64> = None, range 0.0..100.0;
        /// Where explicit hard negatives come from; the triplet loss takes `base` unless told otherwise.
        negatives: Option<Negatives> = None;
        /// Explicit negatives for each pair.
        negatives_per_pair: usize = 1, range 1..16, unit "passages";
        /// A mined negative must score below the positive by this share of the positive's score (NV-Retriever, 2024).
        relative_margin: f64 = 0.05, range 0.0..1.0;
        /// Dimensions of the embeddings; default: the base's.
        dim: Option<usize> = None, range 8..4096, unit "dimensions";
        /// Cut to --dim by a trained dense layer even where truncation would do.
        dense: bool = false;
        /// Widths at which the first dimensions alone must serve too, such as 256,128,64: the loss is the mean over the
        /// whole and each of them (Matryoshka; Kusupati et al. 2022).
        matryoshka: Vec<usize> = Vec::new(), range 1..4096, unit "dimensions";
        /// Layers that stay as they are, from the lowest on: faster, and less is forgotten.
        freeze_layers: usize = 0, range 0..1000, unit "layers";
        /// Leave the embeddings of tokens and positions as they are.
        freeze_embeddings: bool = false;
        /// Passes over the training pairs.
        epochs: f64 = 3.0, range 0.001..10000.0, unit "epochs";
        /// Pairs in a batch, over all devices together: more pairs, more negatives for each.
        batch: usize = 32, range 2..65536, unit "pairs";
        /// Texts encoded at a time; the gradient is cached in between, so memory follows this and not the batch (`GradCache`, 2021); default: 32 on the CPU, 256 on a GPU.
        micro_batch: Option<usize> = None, range 1..65536, unit "texts";
        /// Batches of which each step averages the gradients; a larger --batch learns more from as many pairs, since each then
        /// has more negatives.
        accumulate: usize = 1, range 1..65536, unit "batches";
        /// The highest learning rate.
        lr: f64 = 5e-5, range 0.0..1.0;
        /// Share of the steps over which the learning rate rises; then it falls to zero.
        warmup: f64 = 0.1, range 0.0..1.0;
        /// Weight decay, not applied to biases and `LayerNorm`.
        weight_decay: f64 = 0.01, range 0.0..1.0;
        /// The gradient is scaled down to this norm; 0: never.
        max_grad_norm: f64 = 1.0, range 0.0..1_000_000.0;
        /// Keep a running average of the weights that forgets this little with each step, such as 0.999, and judge and save
        /// it instead of the last ones; default: none.
        ema: Option<f64> = None, range 0.0..0.999_999;
        /// Share of hidden values dropped at random; default: the base's configuration.
        dropout: Option<f64> = None, range 0.0..0.9;
        /// Tokens of a text that are read; default: the base's, at most 256.
        max_length: Option<usize> = None, range 8..8192, unit "tokens";
        /// The floating-point format of matrix products; sums and parameters are f32 always; default: bf16 on a GPU that has it, else f32.
        precision: Option<Precision> = None;
        /// Steps between two looks at dev; default: five looks in the run.
        eval_steps: Option<usize> = None, range 1..10_000_000, unit "steps";
        /// Looks at dev in a row without a better score after which training stops; default: it never does.
        early_stopping: Option<usize> = None, range 1..1_000_000, unit "looks";
        /// Steps between two checkpoints; default: with a look at dev where the last is a minute old, and every five minutes.
        save_steps: Option<usize> = None, range 1..10_000_000, unit "steps";
        /// Stop after so many steps, whatever the epochs say.
        max_steps: Option<usize> = None, range 1..100_000_000, unit "steps";
        /// Share of the tuned weights in the model, the rest being the base's: less is forgotten (`WiSE-FT`; Wortsman et al.
        /// 2022). auto: whichever of 0.25, 0.5, 0.75 and 1 scores best on dev.
        interpolate: Interpolation = Interpolation::Share(1.0), range 0.0..1.0;
        /// The tuned model's name.
        name: String = "tuned".to_owned();
        /// Seed of every random choice: order, dropout, new layers.
        seed: u64 = 42;
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
        /// Tokens of a text that are read; default: the base's, at most 256.
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
        /// Tokens of a text that are read; default: the base's, at most 256.
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
        lr: f64 = 5e-4, range 0.0..1.0;
        /// Texts in a batch.
        batch: usize = 256, range 2..65536, unit "texts";
        /// Texts encoded at a time; default: 32 on the CPU, 256 on a GPU.
        micro_batch: Option<usize> = None, range 1..65536, unit "texts";
        /// Weight of the similarities between the batch's texts, beside that of the cosine to the teacher's embedding.
        similarities: f64 = 1.0, range 0.0..1000.0;
        /// Tokens of a text that are read.
        max_length: usize = 256, range 8..8192, unit "tokens";
        /// The floating-point format of matrix products; default: bf16 on a GPU that has it, else f32.
        precision: Option<Precision> = None;
        /// Stop after so many steps.
        max_steps: Option<usize> = None, range 1..100_000_000, unit "steps";
        /// The student's name.
        name: String = "distilled".to_owned();
        /// Seed of every random choice.
        seed: u64 = 42;
    }
}

settings! {
    /// Judging models on held-out questions.
    EvaluateSettings for "evaluate" {
        /// The test questions: an artifact's name; default: the newest of your own, else the newest made from the documents.
        questions: Option<String> = None;
        /// Tokens of a text that are read; default: each model's own.
        max_length: Option<usize> = None, range 8..8192, unit "tokens";
        /// The floating-point format of matrix products: bf16 is faster where there is hardware for it, and rounds.
        precision: Precision = Precision::F32;
        /// Language of the BM25 stemmer (`none`: no stemming); default: the corpus's language, detected.
        stemmer: Option<String> = None;
        /// Sign flips of the randomization test and resamples of the bootstrap.
        resamples: usize = 10000, range 100..10_000_000, unit "times";
        /// The evaluation's name.
        name: String = "evaluation".to_owned();
        /// Seed of the resampling.
        seed: u64 = 13;
    }
}
