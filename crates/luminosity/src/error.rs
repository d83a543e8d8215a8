use std::path::{Path, PathBuf};

/// What can go wrong in an experiment, one line each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that a user gave and that is not allowed.
    #[error("{name} is {value}; allowed: {allowed}")]
    Usage {
        /// The option.
        name: String,
        /// The value.
        value: String,
        /// What would have been accepted.
        allowed: String,
    },
    /// The library refused a configuration.
    #[error(transparent)]
    Layer(#[from] ei_norm::Error),
    /// The data.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// A figure could not be drawn.
    #[error(transparent)]
    Figure(#[from] crate::figure::FigureError),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A file or folder could not be written or read.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file that is there but is not what it should be.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A report was asked for before the first run had ended.
    #[error("no run of {expected} has ended that could be used; a report needs one")]
    NoRuns {
        /// How many were asked for.
        expected: usize,
    },
    /// A run ended by a mistake of the program.
    #[error("the run panicked: {problem}")]
    Run {
        /// Which.
        problem: String,
    },
    /// The system refused a thread.
    #[error(
        "no thread could be started ({problem}); allowed: as many processes as the system's limit \
         (ulimit -u) leaves, which fewer jobs at once need fewer of"
    )]
    Thread {
        /// Why.
        problem: String,
    },
    /// The system's limit of memory is too low.
    #[error(
        "{at_once} at a time need about {needed} MB of memory; allowed by the system (ulimit -v) are \
         {limit} MB, enough for {enough_for} at a time"
    )]
    Memory {
        /// How many runs were to be trained at a time.
        at_once: usize,
        /// About how many megabytes they need.
        needed: u64,
        /// How many there are.
        limit: u64,
        /// How many runs at a time these are enough for.
        enough_for: usize,
    },
    /// A device that is not there.
    #[error("device {name} is not available: {problem}")]
    Device {
        /// The device.
        name: String,
        /// Why.
        problem: String,
    },
}

impl Error {
    /// See [`Error::Usage`].
    pub fn usage(name: &str, value: impl ToString, allowed: &str) -> Self {
        Self::Usage {
            name: name.to_owned(),
            value: value.to_string(),
            allowed: allowed.to_owned(),
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
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

    /// 2 if the command line is to blame, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::Layer(_) => 2,
            _ => 1,
        }
    }
}
