//! Every job's settings behind one door, for whoever handles jobs by name: a form, a queue, a command line to copy.
//!
//! Values stand as text, keyed by parameter; what they may be is decided by the settings themselves.

use serde_json::{Value, json};

use super::jobs::{
    AlignSettings, DistillSettings, EvaluateSettings, LadderSettings, PairsImportSettings, PairsSettings,
    PairsSynthesisSettings, TokenizerSettings, TuneSettings,
};
use super::{Parameter, SettingError, Settings, Shape, with_overrides};

/// Parameters with what was given for them.
type Given<'a> = [(&'a str, &'a str)];

/// One job: its name, its command line, its parameters.
#[derive(Clone, Copy)]
pub struct JobTable {
    /// The job's name, as its runs record it: `pairs-structural`.
    pub job: &'static str,
    /// Its command line: `pairs structural`.
    pub command: &'static str,
    /// What it does, for a person.
    pub about: &'static str,
    /// What it takes besides settings.
    pub operands: &'static [Operand],
    parameters: fn() -> &'static [Parameter],
    defaults: fn(Option<&toml::Table>) -> Result<Vec<String>, SettingError>,
    record: fn(&Given<'_>) -> Result<Value, SettingError>,
    check: fn(&str, &str) -> Result<(), SettingError>,
    table: &'static str,
    wrapped: bool,
}

impl std::fmt::Debug for JobTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobTable").field("job", &self.job).finish_non_exhaustive()
    }
}

/// What a job takes besides settings, such as files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// Its name in the run's record: `files`.
    pub name: &'static str,
    /// Its flag on the command line; empty: it stands there without one.
    pub flag: &'static str,
    /// What it is, for a person.
    pub help: &'static str,
    /// Whether there may be several, parted by white space (quotes keep it).
    pub many: bool,
    /// Whether the job cannot do without.
    pub required: bool,
}

/// The jobs that can be started with a form.
pub const JOBS: &[JobTable] = &[
    JobTable {
        operands: &[],
        wrapped: false,
        ..table::<TokenizerSettings>("tokenizer", "tokenizer train", "Train a tokenizer on the corpus")
    },
    JobTable {
        operands: &[],
        wrapped: false,
        ..table::<PairsSettings>(
            "pairs-structural",
            "pairs structural",
            "Make pairs from titles, headings and sentences",
        )
    },
    JobTable {
        operands: &[Operand {
            name: "endpoints",
            flag: "endpoint",
            help: "Where Ollama answers, several to share the work; default: OLLAMA_HOST, else http://127.0.0.1:11434",
            many: true,
            required: false,
        }],
        wrapped: true,
        ..table::<PairsSynthesisSettings>(
            "pairs-synthesize",
            "pairs synthesize",
            "Let a local language model ask about each passage",
        )
    },
    JobTable {
        operands: &[Operand {
            name: "files",
            flag: "",
            help: "CSV, TSV, JSONL or LlamaIndex files, or a BEIR folder",
            many: true,
            required: true,
        }],
        wrapped: true,
        ..table::<PairsImportSettings>("pairs-import", "pairs import", "Import pairs of your own")
    },
    JobTable {
        operands: &[],
        wrapped: false,
        ..table::<TuneSettings>("tune", "tune", "Fine-tune an encoder on the pairs")
    },
    JobTable {
        operands: &[],
        wrapped: false,
        ..table::<AlignSettings>("align", "align", "Put another vocabulary into an encoder and align it")
    },
    JobTable {
        operands: &[],
        wrapped: false,
        ..table::<LadderSettings>("ladder", "ladder", "Compare a vocabulary kept, extended and replaced")
    },
    JobTable {
        operands: &[
            Operand {
                name: "corpus",
                flag: "corpus",
                help: "Documents to learn from; default: the workspace's corpus",
                many: true,
                required: false,
            },
            Operand {
                name: "translations",
                flag: "translations",
                help: "Lines of an English text, a tab, and its translation",
                many: true,
                required: false,
            },
            Operand {
                name: "lines",
                flag: "lines",
                help: "Texts to learn from as they are, one a line",
                many: true,
                required: false,
            },
        ],
        wrapped: true,
        ..table::<DistillSettings>("distill", "distill", "Train a small encoder to embed as a large one does")
    },
    JobTable {
        operands: &[Operand {
            name: "models",
            flag: "model",
            help: "The models to judge; default: the newest tuned one and its base",
            many: true,
            required: false,
        }],
        wrapped: true,
        ..table::<EvaluateSettings>("evaluate", "evaluate", "Judge models on the held-out questions")
    },
];

const fn table<S: Settings>(job: &'static str, command: &'static str, about: &'static str) -> JobTable {
    JobTable {
        job,
        command,
        about,
        operands: &[],
        parameters: S::parameters,
        defaults: defaults::<S>,
        record: record::<S>,
        check: check::<S>,
        table: S::JOB,
        wrapped: false,
    }
}

fn defaults<S: Settings>(overrides: Option<&toml::Table>) -> Result<Vec<String>, SettingError> {
    let settings = with_overrides::<S>(overrides)?;
    Ok(S::parameters().iter().map(|parameter| settings.get(parameter.name).unwrap_or_default()).collect())
}

fn record<S: Settings>(values: &Given<'_>) -> Result<Value, SettingError> {
    let mut settings = S::default();
    for (name, given) in values {
        settings.set(name, given)?;
    }
    Ok(serde_json::to_value(settings).unwrap_or(Value::Null))
}

fn check<S: Settings>(name: &str, given: &str) -> Result<(), SettingError> {
    S::default().set(name, given)
}

impl JobTable {
    /// The job of a name.
    pub fn find(job: &str) -> Option<&'static Self> {
        JOBS.iter().find(|table| table.job == job)
    }

    /// Its table in a workspace's configuration.
    pub const fn settings_table(&self) -> &'static str {
        self.table
    }

    /// What can be set.
    pub fn parameters(&self) -> &'static [Parameter] {
        (self.parameters)()
    }

    /// What each parameter is before anyone sets it: the default, or what the workspace's configuration says.
    pub fn defaults(&self, overrides: Option<&toml::Table>) -> Result<Vec<String>, SettingError> {
        (self.defaults)(overrides)
    }

    /// Whether a parameter may be what was given. An empty text stands for the default of a parameter that has none.
    pub fn check(&self, name: &str, given: &str) -> Result<(), SettingError> {
        (self.check)(name, given)
    }

    /// The record from which a run starts the job: complete settings, and the operands where it takes any.
    pub fn record(&self, values: &[(&str, &str)], operands: &[(&str, Vec<String>)]) -> Result<Value, SettingError> {
        let settings = (self.record)(values)?;
        if !self.wrapped {
            return Ok(settings);
        }
        let mut record = json!({ "settings": settings });
        for operand in self.operands {
            let given = operands.iter().find(|(name, _)| *name == operand.name).map(|(_, given)| given.clone());
            record[operand.name] = json!(given.unwrap_or_default());
        }
        if self.job == "evaluate" {
            record["beir"] = Value::Null;
        }
        Ok(record)
    }

    /// The command line that does the same: only what differs from the defaults.
    pub fn command_line(&self, values: &[(&str, &str)], operands: &[(&str, Vec<String>)]) -> String {
        let mut line = format!("lapidary {}", self.command);
        let defaults = self.defaults(None).unwrap_or_default();
        for (parameter, default) in self.parameters().iter().zip(&defaults) {
            let Some((_, given)) = values.iter().find(|(name, _)| *name == parameter.name) else { continue };
            if given == default || given.is_empty() {
                continue;
            }
            if parameter.shape == Shape::Switch {
                if *given == "true" {
                    line.push_str(&format!(" --{}", parameter.flag()));
                }
            } else {
                line.push_str(&format!(" --{} {}", parameter.flag(), quoted(given)));
            }
        }
        for operand in self.operands {
            let given = operands.iter().find(|(name, _)| *name == operand.name).map_or(&[][..], |(_, given)| given);
            for value in given {
                if !operand.flag.is_empty() {
                    line.push_str(&format!(" --{}", operand.flag));
                }
                line.push_str(&format!(" {}", quoted(value)));
            }
        }
        line
    }
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./@:=+,%~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Parts a line into words at white space; single and double quotes keep it.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut open) = (Vec::new(), String::new(), None, false);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(mark), _) if letter == mark => quote = None,
            (Some(_), _) => word.push(letter),
            (None, '\'' | '"') => (quote, open) = (Some(letter), true),
            (None, _) if letter.is_whitespace() => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            (None, _) => word.push(letter),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_starts_from_its_own_defaults() {
        for table in JOBS {
            let defaults = table.defaults(None).unwrap();
            let values: Vec<(&str, &str)> = table
                .parameters()
                .iter()
                .zip(&defaults)
                .filter(|(_, value)| !value.is_empty())
                .map(|(parameter, value)| (parameter.name, value.as_str()))
                .collect();
            let record = table.record(&values, &[]).unwrap();
            assert!(record.is_object(), "{}", table.job);
            assert_eq!(table.command_line(&values, &[]), format!("lapidary {}", table.command));
        }
    }

    #[test]
    fn the_command_line_says_what_differs() {
        let tune = JobTable::find("tune").unwrap();
        let line =
            tune.command_line(&[("epochs", "5"), ("symmetric", "true"), ("name", "it's mine"), ("lr", "0.00005")], &[]);
        assert_eq!(line, "lapidary tune --symmetric --epochs 5 --name 'it'\\''s mine'");
        let import = JobTable::find("pairs-import").unwrap();
        let files = [("files", vec!["a b.csv".to_owned(), "c.csv".to_owned()])];
        assert_eq!(import.command_line(&[], &files), "lapidary pairs import 'a b.csv' c.csv");
        assert_eq!(import.record(&[("name", "mine")], &files).unwrap()["files"][0], "a b.csv");
    }

    #[test]
    fn words_are_parted_as_a_shell_does() {
        assert_eq!(words("a 'b c' \"d\"e ''"), ["a", "b c", "de", ""]);
        assert!(words("  ").is_empty());
    }

    #[test]
    fn a_value_is_checked_as_on_the_command_line() {
        let tune = JobTable::find("tune").unwrap();
        assert!(tune.check("batch", "32").is_ok());
        assert_eq!(tune.check("batch", "x").unwrap_err().to_string(), "--batch x: must be a whole number");
    }
}
