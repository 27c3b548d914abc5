//! What every pane sees: palette, keys, the workspace's artifacts and runs, the time.

use std::path::PathBuf;

use serde_json::Value;

use super::keymap::Keymap;
use super::palette::Palette;
use super::runs::Runs;
use crate::workspace::{Input, Kind};

/// What every pane sees.
#[derive(Debug)]
pub struct Shared {
    /// Colours and glyphs.
    pub palette: Palette,
    /// Keys.
    pub keymap: Keymap,
    /// The workspace's name.
    pub name: String,
    /// Its folder.
    pub root: PathBuf,
    /// Where jobs compute unless a form says otherwise: `auto`, `cpu`, `cuda:0`.
    pub device: String,
    /// What its configuration sets, a table a job.
    pub overrides: std::collections::BTreeMap<String, toml::Table>,
    /// What was typed into forms before.
    pub remembered: std::collections::BTreeMap<String, Vec<(String, String)>>,
    /// Milliseconds since 1970, UTC.
    pub now_ms: u64,
    /// Seconds by which local time is ahead of UTC.
    pub utc_offset: i32,
    /// How much curves are smoothed: the share of the past in each point.
    pub smoothing: f64,
    /// The runs.
    pub runs: Runs,
    /// The artifacts.
    pub artifacts: Artifacts,
}

/// The artifacts of a workspace, each kind by the time it was made, the newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Artifacts {
    /// Whether they were read at all.
    pub read: bool,
    /// Corpora.
    pub corpora: Vec<Version>,
    /// Tokenizers.
    pub tokenizers: Vec<Version>,
    /// Sets of pairs.
    pub pairs: Vec<Version>,
    /// Sets of questions.
    pub questions: Vec<Version>,
    /// Models.
    pub models: Vec<Version>,
    /// Evaluations.
    pub evaluations: Vec<Version>,
    /// What could not be read, and why.
    pub problems: Vec<String>,
}

/// One version of an artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its kind.
    pub kind: Kind,
    /// What finds it again: `cold@v3`.
    pub reference: String,
    /// Its folder.
    pub path: PathBuf,
    /// When it was made, in milliseconds since 1970, UTC.
    pub made_ms: u64,
    /// The job that made it.
    pub job: String,
    /// That job's settings.
    pub settings: Value,
    /// What it was made from.
    pub inputs: Vec<Input>,
    /// What its manifest says of its content.
    pub details: Value,
    /// How often its test questions were looked at.
    pub looks: u32,
    /// Bytes of its files.
    pub bytes: u64,
    /// Whether it was made from another corpus than the newest.
    pub stale: bool,
}

impl Artifacts {
    /// All versions of a kind.
    pub fn of(&self, kind: Kind) -> &[Version] {
        match kind {
            Kind::Corpus => &self.corpora,
            Kind::Tokenizer => &self.tokenizers,
            Kind::Pairs => &self.pairs,
            Kind::Questions => &self.questions,
            Kind::Model => &self.models,
            Kind::Evaluation => &self.evaluations,
        }
    }

    /// The version that a reference names.
    pub fn find(&self, kind: Kind, reference: &str) -> Option<&Version> {
        self.of(kind).iter().find(|version| version.reference == reference)
    }
}

impl Shared {
    /// How long ago a moment was, in words: `12 s ago`, `yesterday 14:02`, `3 days ago`.
    pub fn ago(&self, unix_ms: u64) -> String {
        let seconds = self.now_ms.saturating_sub(unix_ms) / 1000;
        match seconds {
            0..60 => format!("{seconds} s ago"),
            60..3600 => format!("{} min ago", seconds / 60),
            3600..86_400 => format!("{} h ago", seconds / 3600),
            86_400..172_800 => "yesterday".to_owned(),
            _ => format!("{} days ago", seconds / 86_400),
        }
    }

    /// The time of day, as the user's clock shows it.
    pub fn time_of_day(&self, unix_ms: u64) -> String {
        let seconds = (unix_ms / 1000) as i64 + i64::from(self.utc_offset);
        let day = seconds.rem_euclid(86_400);
        format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60)
    }
}

/// A span of time, in words that do not flicker: `45 s`, `1 min 12 s`, `3 h 05 min`.
pub fn span(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        600..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How long something will take, in steps that grow with it: nobody needs the second of an hour.
pub fn remaining(seconds: f64) -> String {
    let grain = match seconds {
        _ if seconds < 60.0 => 5.0,
        _ if seconds < 600.0 => 10.0,
        _ if seconds < 3600.0 => 60.0,
        _ => 300.0,
    };
    span((seconds / grain).ceil() * grain)
}

/// A count with thousands parted: `15,915`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(span(72.4), "1 min 12 s");
        assert_eq!(span(11_100.0), "3 h 05 min");
        assert_eq!(span(f64::INFINITY), "unknown");
        let times = [3.0, 71.0, 72.0, 601.0, 7000.0, f64::INFINITY];
        assert_eq!(times.map(remaining), ["5 s", "1 min 20 s", "1 min 20 s", "11 min", "2 h 00 min", "unknown"]);
    }
}
