//! What the user has set for the workbench: colours, glyphs, pace, keys. `config.toml` in the user's configuration folder.
//!
//! A file that cannot be used as a whole is not used at all: the workbench says what is wrong with it, on screen, and goes
//! on with the defaults.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::keymap::{Keymap, Overrides};
use super::palette::{Background, Charset, Depth, Palette};

/// The file as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preferences {
    /// How many colours.
    pub colour: Colour,
    /// What lies behind the text.
    pub background: Behind,
    /// Which characters.
    pub glyphs: Glyphs,
    /// Whether a frame is framed by synchronized-update sequences; terminals without them ignore them.
    pub synchronized: bool,
    /// The most frames a second for what is typed.
    pub input_fps: u32,
    /// The most frames a second for what jobs report; half of that on a slow link.
    pub data_fps: u32,
    /// Other keys: `[keys.corpus] worst = ["W"]`.
    pub keys: Overrides,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            colour: Colour::Auto,
            background: Behind::Auto,
            glyphs: Glyphs::Auto,
            synchronized: true,
            input_fps: 30,
            data_fps: 4,
            keys: Overrides::new(),
        }
    }
}

/// How many colours are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Colour {
    /// What the terminal says.
    #[serde(rename = "auto")]
    Auto,
    /// None.
    #[serde(rename = "none")]
    None,
    /// 16.
    #[serde(rename = "16")]
    Ansi16,
    /// 256.
    #[serde(rename = "256")]
    Indexed256,
    /// All.
    #[serde(rename = "true")]
    True,
}

/// What is said to lie behind the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Behind {
    /// What the terminal says.
    Auto,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

/// Which characters are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Glyphs {
    /// What the locale says.
    Auto,
    /// Unicode.
    Utf8,
    /// ASCII.
    Ascii,
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("reading {}: {source}; the defaults are used", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{}{}: {problem}; the defaults are used", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1, where it is known.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
}

/// Preferences with what follows from them.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The file.
    pub preferences: Preferences,
    /// Colours and glyphs.
    pub palette: Palette,
    /// Keys.
    pub keymap: Keymap,
    /// What was wrong with the file.
    pub problem: Option<String>,
}

impl Preferences {
    /// Where the file is: `LAPIDARY_CONFIG`, or the user's configuration folder.
    pub fn file() -> Option<PathBuf> {
        if let Some(path) = std::env::var_os("LAPIDARY_CONFIG") {
            return Some(PathBuf::from(path));
        }
        directories::ProjectDirs::from("", "", "lapidary").map(|folders| folders.config_dir().join("config.toml"))
    }

    /// Reads a file; one that is not there is empty.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let malformed = |line, problem: String| Error::Malformed { path: path.to_owned(), line, problem };
        let preferences: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            malformed(line, error.message().trim().replace('\n', " "))
        })?;
        for (name, value) in [("input_fps", preferences.input_fps), ("data_fps", preferences.data_fps)] {
            if !(1..=60).contains(&value) {
                return Err(malformed(None, format!("{name} = {value}: must lie between 1 and 60")));
            }
        }
        Keymap::with_overrides(&preferences.keys).map_err(|error| malformed(None, error.to_string()))?;
        Ok(preferences)
    }

    /// Reads the user's file and the environment.
    pub fn prepare() -> Prepared {
        let read = Self::file().map_or_else(|| Ok(Self::default()), |path| Self::read(&path));
        let environment = Palette::from_environment(|name| std::env::var(name).ok());
        match read {
            Ok(preferences) => preferences.prepared(environment, None),
            Err(error) => Self::default().prepared(environment, Some(error.to_string())),
        }
    }

    /// The preferences over what the environment says.
    pub fn prepared(self, environment: Palette, problem: Option<String>) -> Prepared {
        let palette = Palette {
            depth: match self.colour {
                Colour::Auto => environment.depth,
                Colour::None => Depth::Mono,
                Colour::Ansi16 => Depth::Ansi16,
                Colour::Indexed256 => Depth::Indexed256,
                Colour::True => Depth::Rgb,
            },
            background: match self.background {
                Behind::Auto => environment.background,
                Behind::Dark => Background::Dark,
                Behind::Light => Background::Light,
            },
            charset: match self.glyphs {
                Glyphs::Auto => environment.charset,
                Glyphs::Utf8 => Charset::Utf8,
                Glyphs::Ascii => Charset::Ascii,
            },
        };
        let keymap = Keymap::with_overrides(&self.keys).unwrap_or_default();
        Prepared { preferences: self, palette, keymap, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Preferences, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Preferences::read(&path)
    }

    #[test]
    fn a_file_is_read() {
        let preferences = read("colour = '256'\nglyphs = 'ascii'\n[keys.corpus]\nworst = ['W']\n").unwrap();
        assert_eq!((preferences.colour, preferences.glyphs), (Colour::Indexed256, Glyphs::Ascii));
        assert_eq!(read("").unwrap(), Preferences::default());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let error = |text: &str| read(text).unwrap_err().to_string();
        let unknown = error("synchronized = true\ncolor = 'none'\n");
        assert!(unknown.contains("config.toml:2: unknown field `color`"), "{unknown}");
        let hue = error("colour = 'mauve'\n");
        assert!(hue.contains("config.toml:1: unknown variant `mauve`"), "{hue}");
        assert!(error("[keys.corpus]\nworst = ['q']\n").contains("would do two things"));
        assert!(error("data_fps = 0").contains("between 1 and 60"));
    }
}
