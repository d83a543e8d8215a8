use std::path::{Path, PathBuf};

/// The errors of an experiment, each in one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that is not allowed, of an option or of a field of a record.
    #[error("{name} is {value}; allowed: {allowed}")]
    Usage {
        /// The option or field.
        name: String,
        /// The value.
        value: String,
        /// The allowed values.
        allowed: String,
    },
    /// The library refused a configuration.
    #[error(transparent)]
    Layer(#[from] ei_norm::Error),
    /// Data that cannot be used, or that are not there.
    #[error("{0}")]
    Data(String),
    /// The image of a figure could not be encoded.
    #[error("PNG encoding failed: {0}")]
    Figure(String),
    /// A stop was requested.
    #[error("interrupted")]
    Interrupted,
    /// A file or folder could not be written or read.
    #[error("cannot {action} {}: {source}", shown(path))]
    Io {
        /// The action that failed, such as `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file exists but its content is wrong.
    #[error("{}: {problem}", shown(path))]
    File {
        /// The file.
        path: PathBuf,
        /// The fault.
        problem: String,
    },
    /// A report was requested before the first run had ended.
    #[error("no run of {expected} has ended that could be used; a report needs one")]
    NoRuns {
        /// The number of requested runs.
        expected: usize,
    },
    /// A fault of the program, which is named, ended a run.
    #[error("the run panicked: {0}")]
    Run(String),
    /// The system refused a thread, for the named reason.
    #[error(
        "no thread could be started ({0}); allowed: as many threads as the system's limit (ulimit -u) \
         leaves; fewer runs at once (--jobs, --threads) need fewer"
    )]
    Thread(String),
    /// The system's limit of memory is too low.
    #[error(
        "{at_once} runs at a time need about {needed} MB of memory; allowed: {limit} MB ({name}), enough \
         for {enough_for} at a time"
    )]
    Memory {
        /// The number of runs to be trained at a time.
        at_once: usize,
        /// The estimated memory of these runs, in MB of 2²⁰ bytes.
        needed: u64,
        /// The available memory, in the same unit.
        limit: u64,
        /// The name of the limit.
        name: &'static str,
        /// The number of runs at a time for which the memory suffices.
        enough_for: usize,
    },
    /// The device is not available.
    #[error("device {name} is not available: {problem}")]
    Device {
        /// The device.
        name: String,
        /// The reason.
        problem: String,
    },
}

impl Error {
    /// An [`Error::Usage`] of these parts.
    pub fn usage(name: &str, value: impl ToString, allowed: &str) -> Self {
        Self::Usage {
            name: name.to_owned(),
            value: value.to_string(),
            allowed: allowed.to_owned(),
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        // The error of a temporary file names that file, which the user does not know.
        let text = source.to_string();
        let source = match text.split_once(" at path ") {
            Some((problem, _)) => std::io::Error::new(source.kind(), problem),
            None => source,
        };
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn file(path: &Path, problem: impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            problem: problem.to_string(),
        }
    }

    /// The reason without the file, for a file that was read.
    pub(crate) fn without_file(self) -> String {
        match self {
            Self::Io { source, .. } => source.to_string(),
            Self::File { problem, .. } => problem,
            other => other.to_string(),
        }
    }

    /// The exit code of a program that ends with this error: 2 for a value that is not allowed, 1 for all others.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::Layer(_) => 2,
            _ => 1,
        }
    }
}

/// The message, for a fault whose place is named later.
impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.to_string()
    }
}

/// A path as text for a message; always one line.
pub(crate) fn shown(path: &Path) -> String {
    one_line(&path.display().to_string())
}

/// The text with its control characters escaped, so that it is always one line.
pub(crate) fn one_line(text: &str) -> String {
    // Some line separators are not control characters.
    let is_escaped = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let shown = text.chars().map(|c| match is_escaped(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_break_the_line() {
        assert_eq!(shown(Path::new("/a\nb\u{1b}/ü c")), "/a\\nb\\u{1b}/ü c");
    }

    #[test]
    fn errors_cross_threads() {
        fn check<T: std::error::Error + Send + Sync + 'static>() {}
        check::<Error>();
    }
}
