//! The data as values: a [`Dataset`] is a name, the shape of an image, a number of classes and examples.
//!
//! [`Dataset::load`] reads and identifies the data of a [`Selection`]: the embedded subset of Fashion-MNIST, a
//! folder or a file. [`fetch`](fetch::fetch) downloads all of Fashion-MNIST. A program makes its own data set
//! with [`Dataset::new`] and names it with [`DataSet::define`].

mod cifar;
mod embedded;
mod examples;
pub mod fetch;
mod files;
mod folder;
mod identity;
pub mod idx;
mod input;
mod npz;
mod source;
mod split;
mod table;

#[cfg(test)]
mod formats_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use files::IdxFile;
pub(crate) use identity::FASHION_MNIST;
pub use identity::{FileReport, Identity, PUBLISHED_SHA256, SUBSET_SHA256};
pub(crate) use input::{sha256, sha256_of};
pub use source::{DATA_VARIABLE, Environment, Place, SYSTEM_FOLDER, Selection};
pub(crate) use split::MAX_CLASSES;
pub use split::{Shape, Split};

use std::path::Path;

use examples::Examples;

use crate::Error;
use crate::catalogue::{Named, entries};
use crate::error::one_line;

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

entries!(DataSetSpec, "data", &[]);

/// Training images and test images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    name: String,
    train: Split,
    test: Split,
    place: Option<Place>,
    files: Vec<FileReport>,
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
            let same = "shape and number of classes";
            return Err(mismatch(&text(&train), &text(&test), same));
        }
        Ok(Self::of(name, [train, test], Vec::new(), None))
    }

    /// A data set from files, with the digest of the whole if it is not the digest of the arrays.
    fn of_files(
        name: &str,
        train: Examples,
        test: Examples,
        sha256: Option<String>,
    ) -> Result<Self, Error> {
        let files = [&train.files[..], &test.files].concat();
        let splits = examples::splits(train, test)?;
        Ok(Self::of(name, splits, files, sha256))
    }

    fn of(
        name: &str,
        [train, test]: [Split; 2],
        files: Vec<FileReport>,
        sha256: Option<String>,
    ) -> Self {
        let published = identity::published_name(&files).map(str::to_owned);
        Self {
            name: published.unwrap_or_else(|| one_line(name)),
            sha256: sha256.unwrap_or_else(|| digest(&train, &test)),
            train,
            test,
            place: None,
            files,
        }
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
        let data = Self::read(selection, environment)?;
        if *selection == Selection::Full {
            check_published(&data.files)?;
        }
        Ok(data)
    }

    /// Reads the selected data in a given environment; [`Selection::Full`] may find other data than the
    /// published.
    ///
    /// # Errors
    ///
    /// If a file is missing or not well-formed, or if the files do not belong together.
    pub fn read(selection: &Selection, environment: &Environment) -> Result<Self, Error> {
        let place = Place::of(selection, environment)?;
        let data = match &place {
            None => files::read("", embedded::open)?,
            Some(place) => folder::read(&place.path)?,
        };
        Ok(Self { place, ..data })
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

    /// The identity of the content.
    pub fn identity(&self) -> Identity {
        Identity::of_all(&self.files)
    }

    /// The folder or file of the data; none for the embedded subset and for arrays in memory.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The files of the data; four IDX files are in the order of [`IdxFile::ALL`].
    pub fn files(&self) -> &[FileReport] {
        &self.files
    }

    /// A description of the data, in one line.
    pub fn content(&self) -> String {
        let (train, test) = (grouped(self.train.len()), grouped(self.test.len()));
        let counts = format!("{train} training and {test} test images");
        match self.identity() {
            Identity::Other => {
                let (name, shape, classes) = (&self.name, self.shape().short(), self.classes());
                format!("{name} ({counts}, {shape}, {classes} classes)")
            }
            known => format!("{known} ({counts})"),
        }
    }

    /// The [`content`](Self::content) with its place, in one line.
    pub fn source(&self) -> String {
        let content = self.content();
        match &self.place {
            Some(place) => format!("{content} in {place}"),
            None => content,
        }
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

/// The number with a comma after each three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// The error for training and test images that differ in what must be the `same`.
fn mismatch(train: &str, test: &str, same: &str) -> Error {
    Error::Data(format!(
        "{train} to train on but {test} to test with; must have the same {same}"
    ))
}

/// Refuses all files except the published files.
fn check_published(files: &[FileReport]) -> Result<(), Error> {
    let mut pairs = files.iter().zip(PUBLISHED_SHA256);
    match pairs.find(|(file, expected)| file.sha256 != *expected) {
        None => Ok(()),
        Some((FileReport { found, sha256, .. }, expected)) => {
            let problem = format!(
                "SHA-256 of the content is {sha256}, must be the published {expected}; get it again with \
                 `luminosity data --fetch`, or use other data with --data DIR"
            );
            Err(Error::file(Path::new(found), problem))
        }
    }
}
