//! Fine-tuning an encoder.

use super::Vocabulary;
use crate::settings::define::settings;
use crate::settings::value::{Value, choice};
use crate::settings::{Parameter, SettingError, Shape};

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
        /// Tokens of a text that are read; default: as many as the base reads.
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
