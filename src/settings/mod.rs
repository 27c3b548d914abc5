//! Every job's parameters, defined once: name, default, range, unit, help.
//!
//! `settings!` turns one table per job into a struct with defaults and a list of [`Parameter`]s. The
//! command line is generated from that list, a form can be, a workspace's configuration is checked
//! against it, and the struct itself is what a manifest keeps.

mod define;
mod jobs;
mod table;
mod value;

pub use jobs::{
    AlignSettings, Beginning, CorpusSettings, DistillSettings, Documents, DocumentsToUse, EvaluateSettings,
    InitialAlphabet, InspectSettings, Interpolation, LadderSettings, Loss, Negatives, Normalization,
    PairsImportSettings, PairsSettings, PairsSynthesisSettings, Precision, RoundTripBy, SplitPattern, Stored,
    TokenizerKind, TokenizerSettings, TripletDistance, TuneSettings, Vocabulary,
};
pub use table::{JOBS, JobTable, Operand, words};
pub use value::{Choice, Value};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// One parameter of a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Its name in structs, configuration and manifests: `max_length`.
    pub name: &'static str,
    /// What may stand there.
    pub shape: Shape,
    /// The least and the greatest value of a number.
    pub range: Option<(f64, f64)>,
    /// What a number counts; empty where it counts nothing.
    pub unit: &'static str,
    /// What it does, for a person.
    pub help: &'static str,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// On or off: a flag without a value.
    Switch,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text: a name, a path, a reference to an artifact.
    Text,
}

impl Parameter {
    /// Its name on the command line: `max-length`.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The help, with unit and range: what `--help` and a form show.
    pub fn description(&self) -> String {
        let mut text = self.help.trim().to_owned();
        if let Some((least, greatest)) = self.range {
            let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
            text.push_str(&format!(" [{least} to {greatest}{unit}]"));
        }
        text
    }

    fn refuse(&self, given: &str, problem: impl std::fmt::Display) -> SettingError {
        SettingError::Invalid { flag: self.flag(), given: given.to_owned(), problem: problem.to_string() }
    }

    /// Checks a number against the range.
    pub(crate) fn within_range(&self, given: &str, number: f64) -> Result<(), SettingError> {
        match self.range {
            Some((least, greatest)) if !(least..=greatest).contains(&number) => {
                let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
                Err(self.refuse(given, format!("must lie between {least} and {greatest}{unit}")))
            }
            _ => Ok(()),
        }
    }
}

/// A job's parameters.
pub trait Settings: Default + Clone + Serialize + DeserializeOwned {
    /// The job's name, which is its table in a workspace's configuration.
    const JOB: &'static str;

    /// What can be set, in the order in which a person should meet it.
    fn parameters() -> &'static [Parameter];

    /// Sets one parameter from text, checked against its shape and range.
    fn set(&mut self, name: &str, given: &str) -> Result<(), SettingError>;

    /// One parameter as text; empty where it is unset.
    fn get(&self, name: &str) -> Option<String>;
}

/// A parameter that cannot be what was given.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingError {
    /// The value does not fit.
    #[error("--{flag} {given}: {problem}")]
    Invalid {
        /// The parameter, as on the command line.
        flag: String,
        /// What was given.
        given: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No such parameter.
    #[error("{job} has no setting {name:?}; it has: {known}")]
    Unknown {
        /// The job.
        job: &'static str,
        /// What was asked for.
        name: String,
        /// What exists.
        known: String,
    },
}

/// The defaults of a job with a table of overrides laid over them, as `lapidary.toml` holds them.
pub fn with_overrides<S: Settings>(overrides: Option<&toml::Table>) -> Result<S, SettingError> {
    let mut settings = S::default();
    for (name, value) in overrides.into_iter().flatten() {
        settings.set(name, &text_of(value))?;
    }
    Ok(settings)
}

/// A value of the configuration as a command line would give it.
fn text_of(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_parameter_round_trips<S: Settings + PartialEq + std::fmt::Debug>() {
        let defaults = S::default();
        let mut copy = S::default();
        for parameter in S::parameters() {
            let text = defaults.get(parameter.name).unwrap();
            if !text.is_empty() {
                copy.set(parameter.name, &text).unwrap();
            }
            assert!(!parameter.help.is_empty(), "{} has no help", parameter.name);
        }
        assert_eq!(copy, defaults);
    }

    #[test]
    fn defaults_satisfy_their_own_ranges() {
        every_parameter_round_trips::<CorpusSettings>();
        every_parameter_round_trips::<InspectSettings>();
        every_parameter_round_trips::<TokenizerSettings>();
        every_parameter_round_trips::<PairsSettings>();
        every_parameter_round_trips::<PairsSynthesisSettings>();
        every_parameter_round_trips::<TuneSettings>();
        every_parameter_round_trips::<EvaluateSettings>();
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_flag_and_range() {
        let error = TuneSettings::default().set("batch", "0").unwrap_err();
        assert_eq!(error.to_string(), "--batch 0: must lie between 2 and 65536 pairs");
        let error = TuneSettings::default().set("loss", "hinge").unwrap_err();
        assert_eq!(error.to_string(), "--loss hinge: must be one of mnrl, triplet");
    }

    #[test]
    fn lists_are_parted_by_commas() {
        let mut settings = TuneSettings::default();
        settings.set("matryoshka", "256, 128,64").unwrap();
        assert_eq!(settings.matryoshka, [256, 128, 64]);
        assert_eq!(settings.get("matryoshka").unwrap(), "256,128,64");
        let error = settings.set("matryoshka", "256,x").unwrap_err();
        assert_eq!(error.to_string(), "--matryoshka x: must be a whole number");
        assert!(settings.set("matryoshka", "0").is_err());
        settings.set("matryoshka", "").unwrap();
        assert!(settings.matryoshka.is_empty());
        let table: toml::Table = "matryoshka = [128, 64]\ninterpolate = 0.5".parse().unwrap();
        let settings = with_overrides::<TuneSettings>(Some(&table)).unwrap();
        assert_eq!((settings.matryoshka, settings.interpolate), (vec![128, 64], Interpolation::Share(0.5)));
    }

    #[test]
    fn a_share_is_a_number_or_auto() {
        let mut settings = TuneSettings::default();
        for (given, json) in [("auto", serde_json::json!("auto")), ("0.25", serde_json::json!(0.25))] {
            settings.set("interpolate", given).unwrap();
            assert_eq!(settings.get("interpolate").unwrap(), given);
            let record = serde_json::to_value(&settings).unwrap();
            assert_eq!(record["interpolate"], json);
            assert_eq!(serde_json::from_value::<TuneSettings>(record).unwrap(), settings);
        }
        let error = settings.set("interpolate", "most").unwrap_err();
        assert_eq!(error.to_string(), "--interpolate most: must be a number, or auto");
        assert!(settings.set("interpolate", "1.5").is_err());
    }

    #[test]
    fn overrides_name_what_they_do_not_know() {
        let table: toml::Table = "lr = 1e-5\nepoch = 2".parse().unwrap();
        let error = with_overrides::<TuneSettings>(Some(&table)).unwrap_err();
        assert!(error.to_string().starts_with("tune has no setting \"epoch\"; it has: base, "), "{error}");
    }
}
