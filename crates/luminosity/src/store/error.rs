use std::path::{Path, PathBuf};

/// What can go wrong with a store, one line each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder could not be written or read.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file that is there but is not what it should be.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what is allowed.
        problem: String,
    },
    /// The store was made for something else.
    #[error(
        "{} was made for {key} = {stored}, asked for is {key} = {asked}; allowed: the same request, \
         or another folder", path.display()
    )]
    Request {
        /// The manifest.
        path: PathBuf,
        /// The first value that differs, as the path to it.
        key: String,
        /// The value in the manifest.
        stored: String,
        /// The value asked for.
        asked: String,
    },
    /// A list of jobs that cannot be worked on.
    #[error("{problem}")]
    Jobs {
        /// What is wrong with it, and what is allowed.
        problem: String,
    },
    /// A record that would not be understood when read again.
    #[error("the record of {id} cannot be stored: {problem}")]
    Record {
        /// The run.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The system refused a thread.
    #[error("cannot start a thread: {source}; fewer threads may do")]
    Thread {
        /// Why.
        source: std::io::Error,
    },
}

impl StoreError {
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
}
