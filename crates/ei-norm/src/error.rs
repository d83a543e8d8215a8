use crate::dale::Sign;

/// What can go wrong with values that a user supplies, or that come out of them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration value that is not allowed.
    #[error("{name} is {value}; allowed: {allowed}")]
    Config {
        /// The option, as it is called in the configuration.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What would have been accepted.
        allowed: &'static str,
    },
    /// A weight whose shape does not fit the layer.
    #[error("`{parameter}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The parameter.
        parameter: &'static str,
        /// The shape that was given.
        found: Vec<usize>,
        /// The shape that fits.
        expected: Vec<usize>,
    },
    /// A parameter that breaks Dale's law.
    #[error("`{path}` must be {sign}, but {count} of its values are not; the worst is {worst}")]
    Dale {
        /// The path of the parameter in its module, as in a record.
        path: String,
        /// The sign that the parameter must keep.
        sign: Sign,
        /// How many values break it.
        count: usize,
        /// The value farthest from what is allowed (NaN if any is).
        worst: f64,
    },
    /// An input of a layer that is negative, as an [`InputCheck`](crate::InputCheck) finds it.
    #[error(
        "the input of `{place}` must be non-negative, but {count} of its {values} values are not; \
         the worst is {worst}"
    )]
    NegativeInput {
        /// The name that the layer was given.
        place: String,
        /// How many values are negative or NaN.
        count: usize,
        /// How many values the input has.
        values: usize,
        /// The lowest value (NaN if any is).
        worst: f64,
    },
    /// A back-propagated error that is not finite, as a
    /// [`GradSentinel`](crate::grad::GradSentinel) finds it.
    #[error(
        "the error at `{place}` is not finite: {nan} NaN and {infinite} infinite among {values} values"
    )]
    NotFinite {
        /// The name that the place was given.
        place: String,
        /// How many values are NaN.
        nan: usize,
        /// How many values are infinite.
        infinite: usize,
        /// How many values the error has.
        values: usize,
    },
}

impl Error {
    pub(crate) fn config(name: &'static str, value: impl ToString, allowed: &'static str) -> Self {
        Self::Config {
            name,
            value: value.to_string(),
            allowed,
        }
    }
}
