use crate::dale::Sign;

/// What can go wrong with values that a user supplies.
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
