//! The data: Fashion-MNIST from the embedded subset, a folder or a download.
//!
//! [`Dataset::load`] reads what a [`Selection`] asks for, [`verify()`] tells
//! what it is, and [`fetch`](fetch::fetch) downloads the whole of it.

mod contents;
pub mod embedded;
mod error;
pub mod fetch;
mod files;
pub mod idx;
mod source;
mod split;
pub mod verify;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use error::DataError;
pub use files::IdxFile;
pub use source::{ChosenBy, DATA_VARIABLE, Environment, SYSTEM_FOLDER, Selection, Source};
pub use split::Split;
pub use verify::{Identity, Verification, verify};

use contents::Contents;
use source::Place;

/// Pixels of an image.
pub const PIXELS: usize = 784;
/// Classes of clothing.
pub const CLASSES: usize = 10;

/// The shape of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Channels: 1 of grey, 3 of colour.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// Values of an image.
    pub fn pixels(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// The images to train on and those to test with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    train: Split,
    test: Split,
    source: Source,
    sha256: String,
}

impl Dataset {
    /// Reads the selected data.
    ///
    /// # Errors
    ///
    /// Where a file is missing or is not well-formed, or where [`Selection::Full`]
    /// finds other data than the published, see [`DataError`].
    pub fn load(selection: &Selection) -> Result<Self, DataError> {
        Self::load_in(selection, &Environment::of_process())
    }

    /// [`load`](Self::load) in a given environment.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_in(selection: &Selection, environment: &Environment) -> Result<Self, DataError> {
        let place = Place::resolve(selection, environment)?;
        let contents = Contents::read(&place)?;
        if *selection == Selection::Full {
            contents.check_published()?;
        }
        Ok(Self {
            source: contents.source(place),
            sha256: contents.sha256(),
            train: Split::new(
                contents.train_images.idx.values,
                contents.train_labels.idx.values,
            )?,
            test: Split::new(
                contents.test_images.idx.values,
                contents.test_labels.idx.values,
            )?,
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        "Fashion-MNIST"
    }

    /// The shape of an image.
    pub fn shape(&self) -> Shape {
        Shape {
            channels: 1,
            height: 28,
            width: 28,
        }
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        CLASSES
    }

    /// The images to train on.
    pub fn train(&self) -> &Split {
        &self.train
    }

    /// The images to test with.
    pub fn test(&self) -> &Split {
        &self.test
    }

    /// Which data this is; its `Display` is the line to show.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// One digest that names the content of all four files.
    ///
    /// The SHA-256 of the listing that `sha256sum` prints for the unpacked
    /// files in the order of [`IdxFile::ALL`], so a shell can recompute it.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}
