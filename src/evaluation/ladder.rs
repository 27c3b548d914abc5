//! What a comparison of vocabularies measured before it opened the test: `ladder.json` beside its evaluation.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Result;
use crate::settings::{Choice as _, Vocabulary};
use crate::workspace::Error;

/// The arms, and what to do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Ladder {
    /// Each vocabulary that was tried.
    pub arms: Vec<Arm>,
    /// The one that is best on dev.
    pub chosen: Vocabulary,
    /// What to do, in words.
    pub recommendation: String,
    /// How often each was trained.
    pub seeds: usize,
}

/// What was measured of a vocabulary without the test questions; means over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// What became of the base's vocabulary.
    pub vocabulary: Vocabulary,
    /// What it costs to use.
    #[serde(flatten)]
    pub cost: Cost,
    /// The mean cosine to the base's embeddings of held-out texts, after alignment; none: there was nothing to align.
    pub agreement: Option<f64>,
    /// MRR@10 on dev before tuning.
    pub dev_untuned: f64,
    /// After tuning.
    pub dev_tuned: f64,
    /// That of each seed.
    pub dev_by_seed: Vec<f64>,
}

/// Tokens, time and room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Tokens in the vocabulary.
    pub tokens: usize,
    /// Tokens per word on documents held out for the test.
    pub tokens_per_word: f64,
    /// Share of all passages of which not all tokens are read.
    pub truncated: f64,
    /// Tokens embedded a second, tokenizing included.
    pub tokens_per_s: f64,
    /// Passages embedded a second, tokenizing included.
    pub passages_per_s: f64,
    /// Size of the weights in f32, MiB.
    pub model_mib: f64,
}

impl Ladder {
    /// Reads it from an evaluation's folder; none where the evaluation is of another kind.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join("ladder.json");
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| Error::malformed(&path, format!("{error}; run `lapidary ladder` again")).into())
    }
}

/// A measure: its name, and how it is written.
type Row<'a> = (&'a str, &'a dyn Fn(&Arm) -> String);

/// The arms side by side, a measure a line, within 80 columns.
pub fn arms_table(arms: &[Arm], chosen: Vocabulary, seeds: usize) -> String {
    let mut text = format!("{:<28}", "");
    for arm in arms {
        let mark = if arm.vocabulary == chosen { "> " } else { "" };
        text.push_str(&format!("{:>13}", format!("{mark}{}", arm.vocabulary.word())));
    }
    text.push('\n');
    let rows: [Row<'_>; 9] = [
        ("tokens in the vocabulary", &|arm| arm.cost.tokens.to_string()),
        ("tokens per word, unseen", &|arm| format!("{:.3}", arm.cost.tokens_per_word)),
        ("passages cut short", &|arm| format!("{:.1} %", 100.0 * arm.cost.truncated)),
        ("tokens a second", &|arm| format!("{:.0}", arm.cost.tokens_per_s)),
        ("passages a second", &|arm| format!("{:.1}", arm.cost.passages_per_s)),
        ("weights in f32, MiB", &|arm| format!("{:.1}", arm.cost.model_mib)),
        ("agreement with the base", &|arm| {
            arm.agreement.map_or_else(|| "-".to_owned(), |cosine| format!("{cosine:.3}"))
        }),
        ("MRR@10 on dev, untuned", &|arm| format!("{:.3}", arm.dev_untuned)),
        ("MRR@10 on dev, tuned", &|arm| format!("{:.3}", arm.dev_tuned)),
    ];
    for (name, of) in rows {
        text.push_str(&format!("{name:<28}"));
        for arm in arms {
            text.push_str(&format!("{:>13}", of(arm)));
        }
        text.push('\n');
    }
    let told = if seeds == 1 { "one seed".to_owned() } else { format!("means of {seeds} seeds") };
    text.push_str(&format!("{told}; > is the best on dev, which was asked the test beside keep\n"));
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What `lapidary ladder` writes, shortened.
    pub(crate) const WRITTEN: &str = r#"{"artifact":"","base":"embedded","seeds":3,"chosen":"replace","recommendation":"Replace the vocabulary: tuned, it beats the kept one.",
        "arms":[{"vocabulary":"keep","tokens":30522,"tokens_per_word":6.278,"truncated":0.971,"tokens_per_s":1900000.0,"passages_per_s":9328.0,
        "model_mib":86.1,"agreement":null,"dev_untuned":0.15,"dev_tuned":0.356,"dev_by_seed":[0.35]},
        {"vocabulary":"replace","tokens":16000,"tokens_per_word":1.358,"truncated":0.067,"tokens_per_s":1800000.0,"passages_per_s":10607.0,
        "model_mib":64.8,"agreement":0.882,"dev_untuned":0.16,"dev_tuned":0.54,"dev_by_seed":[0.54]}]}"#;

    #[test]
    fn it_is_read_back_and_fits_a_narrow_screen() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Ladder::read(folder.path()).unwrap(), None);
        std::fs::write(folder.path().join("ladder.json"), WRITTEN).unwrap();
        let ladder = Ladder::read(folder.path()).unwrap().unwrap();
        let table = arms_table(&ladder.arms, ladder.chosen, ladder.seeds);
        assert!(table.lines().all(|line| line.chars().count() <= 78), "{table}");
        assert_eq!(ladder.recommendation, "Replace the vocabulary: tuned, it beats the kept one.");
        for part in ["> replace", "97.1 %", "0.882", "0.540"] {
            assert!(table.contains(part), "{part}: {table}");
        }
        std::fs::write(folder.path().join("ladder.json"), "{").unwrap();
        let error = Ladder::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("ladder.json") && error.contains("lapidary ladder"), "{error}");
    }
}
