//! Errors of the data, each in one line that also tells how to correct it.

use std::fmt::Write;
use std::path::Path;

use thiserror::Error;

use super::input::Problem;
use super::split::{MAX_CHANNELS, MAX_CLASSES, MAX_SIDE, Shape};

/// The possible contents of a data folder, for messages.
const READ: &str = "four IDX files with the names of MNIST, EMNIST or QMNIST, the binary batches of \
    CIFAR-10, or NAME_train.csv and NAME_test.csv";

/// An error in locating, reading, verifying or downloading the data.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DataError {
    /// One file is not valid.
    #[error("{file}: {problem}")]
    File {
        /// The name of the file for the user.
        file: String,
        /// The fault.
        problem: Problem,
    },

    /// The given path does not exist.
    #[error("{path}: no such file or folder; must be a folder of data, a .npz file{defined}")]
    NotThere {
        /// The given path.
        path: String,
        /// The names of the defined data sets, as the end of the list of allowed values.
        defined: String,
    },

    /// The given file has no known format.
    #[error(
        "{path}: not a folder and not a .npz file; name one of the two, of files that lie in a folder the folder"
    )]
    OtherFile {
        /// The given path.
        path: String,
    },

    /// A data folder lacks one of the files of its data set.
    #[error("{folder}: no file {name} or {name}.gz; it holds {found}, and must hold {READ}")]
    MissingFile {
        /// The folder searched.
        folder: String,
        /// The usual name of the file.
        name: String,
        /// The content of the folder.
        found: String,
    },

    /// A data folder has no readable data.
    #[error("{folder}: no data; it holds {found}, and must hold {READ}")]
    NoData {
        /// The folder searched.
        folder: String,
        /// Its content.
        found: String,
    },

    /// A data folder holds several data sets.
    #[error("{folder}: several data sets; name one of {names}")]
    Several {
        /// The folder searched.
        folder: String,
        /// The names to choose from.
        names: String,
    },

    /// Images and labels of one split do not belong together.
    #[error(
        "{images_file} holds {images} images but {labels_file} holds {labels} labels; \
         the counts must be equal"
    )]
    CountMismatch {
        /// The file of the images.
        images_file: String,
        /// The number of images.
        images: usize,
        /// The file of the labels.
        labels_file: String,
        /// The number of labels.
        labels: usize,
    },

    /// The training and the test images have different shapes or classes.
    #[error(
        "{train} to train on but {test} to test with; must have the same shape and number of classes"
    )]
    SplitMismatch {
        /// The training images.
        train: String,
        /// The test images.
        test: String,
    },

    /// The test labels are not among the training labels.
    #[error(
        "label {train} in {train_file} but {test} in {test_file}; must be 0 to K - 1 for K classes, and \
         those of the test also in training"
    )]
    OtherLabels {
        /// The file of the training labels.
        train_file: String,
        /// Its range of labels.
        train: String,
        /// The file of the test labels.
        test_file: String,
        /// Its range of labels.
        test: String,
    },

    /// Images of a shape that is not supported.
    #[error(
        "images of {shape}; must be of 1 to {MAX_CHANNELS} channels and 1x1 to {MAX_SIDE}x{MAX_SIDE} \
         pixels"
    )]
    Shape {
        /// The shape.
        shape: Shape,
    },

    /// A number of classes that is not supported.
    #[error("{found} classes; must be 2 to {MAX_CLASSES}")]
    Classes {
        /// The number.
        found: usize,
    },

    /// Images and labels given in memory do not make a split.
    #[error(
        "{values} values with {labels} labels, the largest {largest}; must be at least one label, all \
         below {classes}, and {} values of {shape} for each", shape.pixels()
    )]
    BadSplit {
        /// The number of given values.
        values: usize,
        /// The number of given labels.
        labels: usize,
        /// The largest label, 0 if there is none.
        largest: u8,
        /// The shape of an image.
        shape: Shape,
        /// The number of classes.
        classes: usize,
    },

    /// The full data set was requested but is not installed.
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

    /// The full data set was requested but the files have other content.
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

    /// The user's cache folder is unknown.
    #[error("the user has no home directory to cache data in; name a folder with --data DIR")]
    NoCacheFolder,

    /// A stop was requested.
    #[error("interrupted")]
    Interrupted,

    /// A download failed or its content is wrong.
    #[error(
        "{url}: {reason}; instead of a download, `apt-get install dataset-fashion-mnist` \
         or name a folder that has the data with --data DIR"
    )]
    Download {
        /// The address of the file.
        url: String,
        /// The reason.
        reason: String,
    },

    /// The folder for downloads cannot be written.
    #[error("{path}: cannot store the download: {reason}; must be on a writable disk with space")]
    Store {
        /// The file or folder that failed.
        path: String,
        /// The error of the operating system.
        reason: String,
    },

    /// A file that takes precedence over the download has the wrong content.
    #[error("{path}: not the published file, but would be used instead of it; move it away first")]
    InTheWay {
        /// The file.
        path: String,
    },
}

/// A path as text for a message; always one line.
pub(crate) fn shown(path: &Path) -> String {
    one_line(&path.display().to_string())
}

/// The text with its control characters escaped, so that it is always one line.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        // Some line separators are not control characters.
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
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
