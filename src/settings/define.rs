//! The macro that makes a job's settings from one table.

/// Defines a settings struct, its defaults and its parameters.
///
/// ```text
/// settings! {
///     /// What the job is.
///     TuneSettings for "tune" {
///         /// Passes over the training pairs.
///         epochs: f64 = 3.0, range 0.01..1000.0, unit "epochs";
///     }
/// }
/// ```
macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        $name:ident for $job:literal {
            $(
                $(#[doc = $help:literal])+
                $field:ident: $type:ty = $default:expr
                    $(, range $least:literal .. $greatest:literal)?
                    $(, unit $unit:literal)?;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[allow(clippy::struct_excessive_bools)] // one switch a flag, as on the command line
        pub struct $name {
            $( $(#[doc = $help])+ pub $field: $type, )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )+ }
            }
        }

        impl $crate::settings::Settings for $name {
            const JOB: &'static str = $job;

            fn parameters() -> &'static [$crate::settings::Parameter] {
                const PARAMETERS: &[$crate::settings::Parameter] = &[
                    $(
                        $crate::settings::Parameter {
                            name: stringify!($field),
                            shape: <$type as $crate::settings::Value>::SHAPE,
                            range: $crate::settings::define::optional_range(&[$($least as f64, $greatest as f64)?]),
                            unit: concat!($($unit)?),
                            help: concat!($($help),+),
                        },
                    )+
                ];
                PARAMETERS
            }

            fn set(&mut self, name: &str, given: &str) -> Result<(), $crate::settings::SettingError> {
                let Some(parameter) = Self::parameters().iter().find(|p| p.name == name) else {
                    return Err($crate::settings::SettingError::Unknown {
                        job: Self::JOB,
                        name: name.to_owned(),
                        known: Self::parameters().iter().map(|p| p.name).collect::<Vec<_>>().join(", "),
                    });
                };
                match name {
                    $( stringify!($field) => {
                        self.$field = <$type as $crate::settings::Value>::parse(given, parameter)?;
                    } )+
                    _ => unreachable!("every parameter is a field"),
                }
                Ok(())
            }

            fn get(&self, name: &str) -> Option<String> {
                match name {
                    $( stringify!($field) => Some($crate::settings::Value::show(&self.$field)), )+
                    _ => None,
                }
            }
        }
    };
}
pub(super) use settings;

/// The range that a macro arm may or may not have given.
pub(super) const fn optional_range(bounds: &[f64]) -> Option<(f64, f64)> {
    match bounds {
        [least, greatest] => Some((*least, *greatest)),
        _ => None,
    }
}
