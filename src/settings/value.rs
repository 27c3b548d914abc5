//! What a setting's type must know: how it is read from text and shown as text.

use super::{Parameter, SettingError, Shape};

/// A type that a setting can have.
pub trait Value: Sized {
    /// What the parameter takes.
    const SHAPE: Shape;
    /// Reads it, checked against the parameter.
    fn parse(given: &str, parameter: &Parameter) -> Result<Self, SettingError>;
    /// Shows it so that [`Value::parse`] reads it back; empty where unset.
    fn show(&self) -> String;
}

/// A setting that is one of a few words.
pub trait Choice: Sized + Copy + PartialEq + 'static {
    /// The words.
    const WORDS: &'static [&'static str];
    /// All values, in the order of the words.
    const ALL: &'static [Self];
    /// The word of this value.
    fn word(self) -> &'static str {
        let at = Self::ALL.iter().position(|value| *value == self).unwrap_or(0);
        Self::WORDS[at]
    }
}

/// Defines an enum whose values are words on the command line and in JSON.
macro_rules! choice {
    ($(#[doc = $about:literal])+ $name:ident { $( $(#[doc = $help:literal])+ $variant:ident = $word:literal, )+ }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[doc = $help])+ #[serde(rename = $word)] $variant, )+
        }

        impl $crate::settings::Choice for $name {
            const WORDS: &'static [&'static str] = &[$($word),+];
            const ALL: &'static [Self] = &[$(Self::$variant),+];
        }
    };
}
pub(super) use choice;

impl<C: Choice> Value for C {
    const SHAPE: Shape = Shape::Choice(C::WORDS);

    fn parse(given: &str, parameter: &Parameter) -> Result<Self, SettingError> {
        let at = C::WORDS.iter().position(|word| *word == given);
        at.map(|at| C::ALL[at])
            .ok_or_else(|| parameter.refuse(given, format!("must be one of {}", C::WORDS.join(", "))))
    }

    fn show(&self) -> String {
        self.word().to_owned()
    }
}

// `bool` and the numbers below are foreign types that could one day implement `Choice` only if this
// crate said so: it does not.
macro_rules! number {
    ($type:ty, $shape:ident, $expected:literal) => {
        impl Value for $type {
            const SHAPE: Shape = Shape::$shape;

            fn parse(given: &str, parameter: &Parameter) -> Result<Self, SettingError> {
                let number: $type =
                    given.trim().replace('_', "").parse().map_err(|_| parameter.refuse(given, $expected))?;
                parameter.within_range(given, number as f64)?;
                Ok(number)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    };
}
number!(usize, Integer, "must be a whole number");
number!(u64, Integer, "must be a whole number");
number!(f64, Number, "must be a number");

impl Value for bool {
    const SHAPE: Shape = Shape::Switch;

    fn parse(given: &str, parameter: &Parameter) -> Result<Self, SettingError> {
        given.parse().map_err(|_| parameter.refuse(given, "must be true or false"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const SHAPE: Shape = Shape::Text;

    fn parse(given: &str, _parameter: &Parameter) -> Result<Self, SettingError> {
        Ok(given.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl<V: Value> Value for Option<V> {
    const SHAPE: Shape = V::SHAPE;

    fn parse(given: &str, parameter: &Parameter) -> Result<Self, SettingError> {
        if given.is_empty() { Ok(None) } else { V::parse(given, parameter).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map(Value::show).unwrap_or_default()
    }
}

/// Several, parted by commas.
impl<V: Value> Value for Vec<V> {
    const SHAPE: Shape = Shape::Text;

    fn parse(given: &str, parameter: &Parameter) -> Result<Self, SettingError> {
        let items = given.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| V::parse(item, parameter)).collect()
    }

    fn show(&self) -> String {
        self.iter().map(Value::show).collect::<Vec<_>>().join(",")
    }
}
