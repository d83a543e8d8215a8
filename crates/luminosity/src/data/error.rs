//! What can go wrong with the data, each in one line that says what to do.

use std::fmt::Write;
use std::path::Path;

use thiserror::Error;

use super::input::Problem;
use super::split::{MAX_CHANNELS, MAX_CLASSES, MAX_SIDE, Shape};

/// What a data folder may hold, for messages.
const READ: &str = "four IDX files with the names of MNIST, EMNIST or QMNIST, the binary batches of \
    CIFAR-10, or NAME_train.csv and NAME_test.csv";

/// Why the data could not be located, read, verified or downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DataError {
    /// One file is not what it should be.
    #[error("{file}: {problem}")]
    File {
        /// The file as the user knows it.
        file: String,
        /// What is wrong with it.
        problem: Problem,
    },

    /// There is nothing under the name that was given.
    #[error("{path}: no such file or folder; must be a folder of data, a .npz file{defined}")]
    NotThere {
        /// The path that was given.
        path: String,
        /// The names of defined data sets, as the end of that list.
        defined: String,
    },

    /// A file was given that is of no known format.
    #[error(
        "{path}: not a folder and not a .npz file; name one of the two, of files that lie in a folder the folder"
    )]
    OtherFile {
        /// The path that was given.
        path: String,
    },

    /// A data folder lacks one of the files of its data set.
    #[error("{folder}: no file {name} or {name}.gz; it holds {found}, and must hold {READ}")]
    MissingFile {
        /// The folder searched.
        folder: String,
        /// The usual name of the file.
        name: String,
        /// What the folder holds.
        found: String,
    },

    /// A data folder holds nothing that can be read.
    #[error("{folder}: no data; it holds {found}, and must hold {READ}")]
    NoData {
        /// The folder searched.
        folder: String,
        /// What it holds.
        found: String,
    },

    /// A data folder holds several data sets.
    #[error("{folder}: several data sets; name one of {names}")]
    Several {
        /// The folder searched.
        folder: String,
        /// What to write in place of it.
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
        /// How many it holds.
        images: usize,
        /// The file of the labels.
        labels_file: String,
        /// How many it holds.
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

    /// The test labels are not among those of training.
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

    /// Images of a shape that is not read.
    #[error(
        "images of {shape}; must be of 1 to {MAX_CHANNELS} channels and 1x1 to {MAX_SIDE}x{MAX_SIDE} \
         pixels"
    )]
    Shape {
        /// The shape.
        shape: Shape,
    },

    /// A number of classes that cannot be learned.
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
        /// How many values were given.
        values: usize,
        /// How many labels were given.
        labels: usize,
        /// The largest label, 0 where there is none.
        largest: u8,
        /// The shape of an image.
        shape: Shape,
        /// The number of classes.
        classes: usize,
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

    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,

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
        // Some line ends are no control characters.
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
