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
    /// A run ended by a mistake of the program.
    #[error("the run panicked: {problem}")]
    Run {
        /// Which.
        problem: String,
    },
    /// The system refused a thread.
    #[error("no thread could be started ({problem}); fewer --threads may do")]
    Thread {
        /// Why.
        problem: String,
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
