//! What can go wrong with the data, each in one line that says what to do.

use std::fmt::Write;
use std::path::Path;

use thiserror::Error;

use super::idx::IdxProblem;
use super::{CLASSES, PIXELS};

/// Why the data could not be located, read, verified or downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DataError {
    /// One file is not a well-formed IDX file of the expected kind.
    #[error("{file}: {problem}")]
    Idx {
        /// The file as the user knows it.
        file: String,
        /// What is wrong with it.
        problem: IdxProblem,
    },

    /// The data folder does not exist or is something else.
    #[error("{folder}: not a folder; must be one that holds the four IDX files of Fashion-MNIST")]
    NotAFolder {
        /// The path that was given.
        folder: String,
    },

    /// A data folder lacks one of its four files.
    #[error("{folder}: no file {name} or {name}.gz; a data folder must hold all four IDX files")]
    MissingFile {
        /// The folder searched.
        folder: String,
        /// The usual name of the file.
        name: &'static str,
    },

    /// Images and labels of one split do not belong together.
    #[error(
        "{images_file} holds {images} images but {labels_file} holds {labels} labels; \
         the counts must be equal"
    )]
    CountMismatch {
        /// The file of the images.
        images_file: String,
        /// How many it holds.
        images: usize,
        /// The file of the labels.
        labels_file: String,
        /// How many it holds.
        labels: usize,
    },

    /// Images and labels given in memory do not make a split.
    #[error(
        "{pixels} pixels with {labels} labels, the largest {largest}; must be at least one label, \
         all of them below {CLASSES}, and {PIXELS} pixels for each"
    )]
    BadSplit {
        /// How many pixels were given.
        pixels: usize,
        /// How many labels were given.
        labels: usize,
        /// The largest label, 0 where there is none.
        largest: u8,
    },

    /// The full data set was asked for and is not installed.
    #[error(
        "the full Fashion-MNIST is neither in {cache} nor in {system}: \
         get it with `luminosity data --fetch` or `apt-get install dataset-fashion-mnist`, \
         or name a folder with --data DIR or EI_NORM_DATA"
    )]
    NoFullData {
        /// The cache folder searched.
        cache: String,
        /// The system folder searched.
        system: String,
    },

    /// The full data set was asked for and other content stands in its place.
    #[error(
        "{file}: SHA-256 of the content is {found}, must be the published {expected}; \
         get it again with `luminosity data --fetch`, or use other data with --data DIR"
    )]
    NotPublished {
        /// The file that differs.
        file: String,
        /// The digest of its content.
        found: String,
        /// The digest of the published content.
        expected: &'static str,
    },

    /// Nothing tells where the user's cache is.
    #[error("the user has no home directory to cache data in; name a folder with --data DIR")]
    NoCacheFolder,

    /// A download failed or brought the wrong content.
    #[error(
        "{url}: {reason}; instead of a download, `apt-get install dataset-fashion-mnist` \
         or name a folder that has the data with --data DIR"
    )]
    Download {
        /// The address of the file.
        url: String,
        /// What happened.
        reason: String,
    },

    /// The folder for downloads cannot be written.
    #[error("{path}: cannot store the download: {reason}; must be on a writable disk with space")]
    Store {
        /// The file or folder that failed.
        path: String,
        /// What the operating system said.
        reason: String,
    },

    /// A file that is preferred over the download has the wrong content.
    #[error("{path}: not the published file, but would be used instead of it; move it away first")]
    InTheWay {
        /// The file in question.
        path: String,
    },
}

/// A path as text for a message, on one line whatever characters it holds.
pub(crate) fn shown(path: &Path) -> String {
    one_line(&path.display().to_string())
}

/// The text with its control characters escaped, so that it stays one line.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            // Writing into a String cannot fail.
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
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
        check::<DataError>();
    }
}
