use crate::dale::Sign;

/// An error about values that a user supplies or that are computed from them.
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
        /// The values that are allowed.
        allowed: &'static str,
    },
    /// A tensor whose shape does not fit.
    #[error("`{parameter}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The parameter or the argument.
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
        /// The value farthest from the allowed range (NaN if any value is NaN).
        worst: f64,
    },
    /// A parameter whose role an optimizer cannot serve.
    #[error("`{path}`: {problem}")]
    Role {
        /// The path of the parameter in its module, as in a record.
        path: String,
        /// The problem.
        problem: &'static str,
    },
    /// A schedule of learning rates that Burn refuses, with its message.
    #[error("the schedule of learning rates: {0}")]
    Schedule(String),
    /// A record of an optimizer that does not fit.
    #[error("the record of the optimizer does not fit: {problem}")]
    Record {
        /// The problem, with the name of the parameter if it concerns a single parameter.
        problem: String,
    },
    /// A negative input of a layer, found by an [`InputCheck`](crate::InputCheck).
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
        /// The lowest value (NaN if any value is NaN).
        worst: f64,
    },
    /// A back-propagated error that is not finite, found by a [`GradSentinel`](crate::grad::GradSentinel).
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
    /// A key of a file with weights that does not fit the model.
    #[error("`{key}`: found {found}; expected {expected}")]
    Import {
        /// The key of the table or of the file, or the path in the model if the table has no key for it.
        key: String,
        /// The content of the file.
        found: String,
        /// The expected content.
        expected: String,
    },
    /// A file with weights that cannot be read or written.
    #[error("weights: {reason}")]
    File {
        /// The reason.
        reason: String,
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

    #[cfg(feature = "import")]
    pub(crate) fn import(key: &str, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Import {
            key: on_one_line(key),
            found: on_one_line(&found.into()),
            expected: on_one_line(&expected.into()),
        }
    }

    #[cfg(feature = "import")]
    pub(crate) fn file(reason: impl ToString) -> Self {
        Self::File {
            reason: on_one_line(&reason.to_string()),
        }
    }
}

/// Joins lines: text from a file may contain line breaks.
#[cfg(feature = "import")]
fn on_one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// A list of names for a message: the first names, and the number of others.
#[cfg(feature = "import")]
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
