//! What a comparison of vocabularies measured before it opened the test: `ladder.json` beside its evaluation.

use std::path::Path;

use serde::Deserialize;

use super::Result;
use crate::workspace::Error;

/// The arms, and what to do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Ladder {
    /// Each vocabulary that was tried.
    pub arms: Vec<Rung>,
    /// The one that is best on dev.
    pub chosen: String,
    /// What to do, in words.
    pub recommendation: String,
    /// How often each was trained.
    pub seeds: usize,
}

/// A vocabulary, what it costs to use and what it scores on dev; means over seeds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Rung {
    /// `keep`, `extend`, `replace`.
    pub vocabulary: String,
    /// Its tokens.
    pub tokens: usize,
    /// Tokens per word on unseen documents.
    pub tokens_per_word: f64,
    /// Share of the passages that are cut short.
    pub truncated: f64,
    /// Tokens embedded a second.
    pub tokens_per_s: f64,
    /// Passages embedded a second.
    pub passages_per_s: f64,
    /// Size of the weights in f32, MiB.
    pub model_mib: f64,
    /// The mean cosine to the base's embeddings after alignment, where there was one.
    pub agreement: Option<f64>,
    /// MRR@10 on dev before tuning.
    pub dev_untuned: f64,
    /// After tuning.
    pub dev_tuned: f64,
}

/// A measure: its name, and how it is written.
type Row<'a> = (&'a str, &'a dyn Fn(&Rung) -> String);

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

    /// The arms side by side, a measure a line, within 80 columns; then what to do.
    pub fn table(&self) -> String {
        let mut text = format!("{:<28}", "");
        for rung in &self.arms {
            let mark = if rung.vocabulary == self.chosen { "> " } else { "" };
            text.push_str(&format!("{:>13}", format!("{mark}{}", rung.vocabulary)));
        }
        text.push('\n');
        let rows: [Row<'_>; 9] = [
            ("tokens in the vocabulary", &|rung| rung.tokens.to_string()),
            ("tokens per word, unseen", &|rung| format!("{:.3}", rung.tokens_per_word)),
            ("passages cut short", &|rung| format!("{:.1} %", 100.0 * rung.truncated)),
            ("tokens a second", &|rung| format!("{:.0}", rung.tokens_per_s)),
            ("passages a second", &|rung| format!("{:.1}", rung.passages_per_s)),
            ("weights, MiB", &|rung| format!("{:.1}", rung.model_mib)),
            ("agreement with the base", &|rung| {
                rung.agreement.map_or_else(|| "-".to_owned(), |cosine| format!("{cosine:.3}"))
            }),
            ("MRR@10 on dev, untuned", &|rung| format!("{:.3}", rung.dev_untuned)),
            ("MRR@10 on dev, tuned", &|rung| format!("{:.3}", rung.dev_tuned)),
        ];
        for (name, of) in rows {
            text.push_str(&format!("{name:<28}"));
            for rung in &self.arms {
                text.push_str(&format!("{:>13}", of(rung)));
            }
            text.push('\n');
        }
        let seeds = if self.seeds == 1 { "one seed".to_owned() } else { format!("means of {} seeds", self.seeds) };
        text.push_str(&format!("{seeds}; > is the best on dev, which was asked the test beside keep\n"));
        text.push_str(&format!("\n{}\n", self.recommendation));
        text
    }
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
        let table = ladder.table();
        assert!(table.lines().all(|line| line.chars().count() <= 78), "{table}");
        for part in ["> replace", "97.1 %", "0.882", "0.540", "Replace the vocabulary"] {
            assert!(table.contains(part), "{part}: {table}");
        }
        std::fs::write(folder.path().join("ladder.json"), "{").unwrap();
        let error = Ladder::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("ladder.json") && error.contains("lapidary ladder"), "{error}");
    }
}
