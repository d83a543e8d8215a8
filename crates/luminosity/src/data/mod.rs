//! The data as values: a [`Dataset`] is a name, the shape of an image, a number of classes and examples.
//!
//! [`Dataset::load`] reads the data of a [`Selection`]: the embedded subset of Fashion-MNIST, a folder or a
//! file. [`verify()`] identifies the data, and [`fetch`](fetch::fetch) downloads all of Fashion-MNIST. A
//! program makes its own data set with [`Dataset::new`] and names it with [`DataSet::define`].

mod cifar;
mod contents;
pub mod embedded;
pub mod fetch;
mod files;
mod folder;
pub mod idx;
mod input;
mod npz;
mod source;
mod split;
mod table;
pub mod verify;

#[cfg(test)]
mod formats_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use files::IdxFile;
pub(crate) use input::{sha256, sha256_of};
pub use source::{ChosenBy, DATA_VARIABLE, Environment, SYSTEM_FOLDER, Selection, Source, Summary};
pub(crate) use split::MAX_CLASSES;
pub use split::{Shape, Split};
pub use verify::{Identity, Verification, verify};

use std::path::Path;

use source::Place;

use crate::Error;
use crate::catalogue::{Catalogue, Entry, Named};
use crate::error::one_line;
use verify::{FileReport, published_sha256};

/// A data set of a program, by its name on the command line.
pub type DataSet = Named<DataSetSpec>;

/// The definition of a data set of a program.
#[derive(Debug)]
pub struct DataSetSpec {
    /// The name.
    pub name: &'static str,
    /// A description in a few words.
    pub description: &'static str,
    /// Makes or reads the data set.
    pub load: fn() -> Result<Dataset, Error>,
}

impl Entry for DataSetSpec {
    const KIND: &'static str = "data";

    fn name(&self) -> &'static str {
        self.name
    }

    fn catalogue() -> &'static Catalogue<Self> {
        static CATALOGUE: Catalogue<DataSetSpec> = Catalogue::new(&[]);
        &CATALOGUE
    }
}

/// Training images and test images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    name: String,
    train: Split,
    test: Split,
    source: Source,
    sha256: String,
}

impl Dataset {
    /// A data set from arrays in memory.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the splits have different shapes or classes.
    pub fn new(name: &str, train: Split, test: Split) -> Result<Self, Error> {
        if (train.shape(), train.classes()) != (test.shape(), test.classes()) {
            let text =
                |split: &Split| format!("{} images of {} classes", split.shape(), split.classes());
            return Err(mismatch(&text(&train), &text(&test)));
        }
        let summary = summary(name, &train, &test);
        Ok(Self {
            name: summary.name.clone(),
            sha256: digest(&train, &test),
            source: Source::Memory(summary),
            train,
            test,
        })
    }

    /// Reads the selected data.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a file is missing or not well-formed, or if [`Selection::Full`] finds other data than
    /// the published; [`Error::Data`] if the files do not belong together, or if there are none.
    pub fn load(selection: &Selection) -> Result<Self, Error> {
        Self::load_in(selection, &Environment::of_process())
    }

    /// [`load`](Self::load) in a given environment.
    ///
    /// # Errors
    ///
    /// Like [`load`](Self::load).
    pub fn load_in(selection: &Selection, environment: &Environment) -> Result<Self, Error> {
        let (data, files) = Self::read(selection, environment)?;
        if *selection == Selection::Full {
            check_published(&files)?;
        }
        Ok(data)
    }

    fn read(
        selection: &Selection,
        environment: &Environment,
    ) -> Result<(Self, Vec<FileReport>), Error> {
        let place = Place::resolve(selection, environment)?;
        let mut contents = match &place {
            Place::Embedded => contents::read_embedded()?,
            Place::Folder { path, .. } => folder::read(path)?,
        };
        let (identity, sha256) = (contents.identity(), contents.sha256.take());
        let name = match identity {
            Identity::Other => std::mem::take(&mut contents.name),
            Identity::Published | Identity::Subset => "Fashion-MNIST".to_owned(),
        };
        let files = std::mem::take(&mut contents.files);
        let (train, test) = contents.splits()?;
        let source = match place {
            Place::Embedded => Source::Embedded,
            Place::Folder { path, chosen_by } => Source::Folder {
                path,
                chosen_by,
                identity,
                summary: summary(&name, &train, &test),
            },
        };
        let sha256 = sha256.unwrap_or_else(|| digest(&train, &test));
        let data = Self {
            name,
            train,
            test,
            source,
            sha256,
        };
        Ok((data, files))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape of an image.
    pub fn shape(&self) -> Shape {
        self.train.shape()
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.train.classes()
    }

    /// The images to train on.
    pub fn train(&self) -> &Split {
        &self.train
    }

    /// The images to test with.
    pub fn test(&self) -> &Split {
        &self.test
    }

    /// The source of the data; its `Display` is one line for the user.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// A digest that identifies the content.
    ///
    /// For four IDX files, it is the SHA-256 of the listing that `sha256sum` prints for the unpacked files in
    /// the order of [`IdxFile::ALL`], so that a shell can compute it; otherwise it is the SHA-256 of the
    /// shape, the classes and the arrays.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

fn summary(name: &str, train: &Split, test: &Split) -> Summary {
    Summary {
        name: one_line(name),
        train: train.len(),
        test: test.len(),
        shape: train.shape(),
        classes: train.classes(),
    }
}

fn digest(train: &Split, test: &Split) -> String {
    let (shape, classes) = (train.shape(), train.classes());
    let head = format!("{shape} {classes} {} {}\n", train.len(), test.len());
    input::sha256([
        head.as_bytes(),
        train.images(),
        train.labels(),
        test.images(),
        test.labels(),
    ])
}

/// The error for training and test images that differ.
fn mismatch(train: &str, test: &str) -> Error {
    Error::Data(format!(
        "{train} to train on but {test} to test with; must have the same shape and number of classes"
    ))
}

/// Refuses all files except the published files.
fn check_published(files: &[FileReport]) -> Result<(), Error> {
    for (report, file) in files.iter().zip(IdxFile::ALL) {
        let expected = published_sha256(file);
        if report.sha256 != expected {
            let problem = format!(
                "SHA-256 of the content is {}, must be the published {expected}; get it again with \
                 `luminosity data --fetch`, or use other data with --data DIR",
                report.sha256
            );
            return Err(Error::file(Path::new(&report.found), problem));
        }
    }
    Ok(())
}
