//! The content of data files of any format, before it becomes a data set.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::embedded;
use super::files::IdxFile;
use super::idx::{self, Idx};
use super::input::{self, MAX_BYTES, sha256};
use super::mismatch;
use super::split::{Shape, Split};
use super::verify::{FileReport, Identity};
use crate::Error;
use crate::error::{one_line, shown};

/// Images with labels, as in their files.
pub(crate) struct Examples {
    /// The file of the labels, for messages.
    pub(crate) file: String,
    pub(crate) images: Vec<u8>,
    pub(crate) labels: Vec<u8>,
}

impl Examples {
    /// An empty list of examples from a file or folder.
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            file: shown(path),
            images: Vec::new(),
            labels: Vec::new(),
        }
    }
}

/// The content of all files of a data set.
pub(crate) struct Contents {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) train: Examples,
    pub(crate) test: Examples,
    pub(crate) files: Vec<FileReport>,
    /// The digest of the whole; if none, the digest of the arrays is used.
    pub(crate) sha256: Option<String>,
}

impl Contents {
    /// The two splits. The labels of training determine the number of classes.
    pub(crate) fn splits(self) -> Result<(Split, Split), Error> {
        let range = |labels: &[u8]| {
            let (least, most) = (labels.iter().min(), labels.iter().max());
            (least.copied().unwrap_or(0), most.copied().unwrap_or(0))
        };
        let (train, test) = (range(&self.train.labels), range(&self.test.labels));
        if test.0 < train.0 || test.1 > train.1 {
            let text = |(least, most)| format!("{least} to {most}");
            return Err(Error::Data(format!(
                "label {} in {} but {} in {}; must be 0 to K - 1 for K classes, and those of the test also in \
                 training",
                text(train),
                self.train.file,
                text(test),
                self.test.file
            )));
        }
        let classes = usize::from(train.1) + 1;
        if classes < 2 {
            return Err(Error::Data(format!(
                "only label 0 in {}; must be 0 to K - 1 for K classes, at least 2",
                self.train.file
            )));
        }
        let split = |of: Examples| Split::new(self.shape, classes, of.images, of.labels);
        Ok((split(self.train)?, split(self.test)?))
    }

    /// The identity of all files together; known only if it is the same for all.
    pub(crate) fn identity(&self) -> Identity {
        let mut identities = self.files.iter().map(|file| file.identity);
        match identities.next() {
            Some(Some(first)) if identities.all(|other| other == Some(first)) => first,
            _ => Identity::Other,
        }
    }
}

/// The content of one IDX file.
pub(crate) struct IdxContent {
    file: IdxFile,
    /// The name of the file for the user.
    name: String,
    idx: Idx,
    /// The digest of the unpacked file, in hexadecimal.
    pub(crate) sha256: String,
}

impl IdxContent {
    /// Reads one file of at most `most` bytes after the header; messages call it `name`.
    pub(crate) fn read(
        file: IdxFile,
        name: &str,
        most: usize,
        input: impl Read,
    ) -> Result<Self, Error> {
        let idx = idx::read(name, file.kind(), most, input)?;
        Ok(Self {
            file,
            name: one_line(name),
            sha256: sha256([&idx.header[..], &idx.values[..]]),
            idx,
        })
    }

    /// Reads one file from the disk.
    pub(crate) fn open(file: IdxFile, most: usize, path: &Path) -> Result<Self, Error> {
        Self::read(file, &shown(path), most, input::open(path)?)
    }

    fn embedded(file: IdxFile) -> Result<Self, Error> {
        let name = format!("embedded {}", file.gzipped_name());
        Self::read(file, &name, MAX_BYTES, embedded::bytes(file))
    }

    fn report(&self) -> FileReport {
        FileReport {
            found: self.name.clone(),
            count: self.idx.count,
            kind: self.file.kind().name(),
            sha256: self.sha256.clone(),
            identity: Some(Identity::of(self.file, &self.sha256)),
        }
    }
}

/// The subset that is compiled into the program.
pub(crate) fn read_embedded() -> Result<Contents, Error> {
    let [a, b, c, d] = IdxFile::ALL.map(IdxContent::embedded);
    from_idx(String::new(), [a?, b?, c?, d?])
}

/// Four IDX files, in the order of [`IdxFile::ALL`].
pub(crate) fn read_idx(name: String, paths: &[PathBuf; 4]) -> Result<Contents, Error> {
    let open = |file: IdxFile, path: &Path| IdxContent::open(file, MAX_BYTES, path);
    let [a, b, c, d] = IdxFile::ALL;
    let [e, f, g, h] = paths;
    let files = [open(a, e)?, open(b, f)?, open(c, g)?, open(d, h)?];
    from_idx(name, files)
}

/// The SHA-256 of the whole is the digest of the listing that `sha256sum` prints for the four unpacked files
/// under their usual names, with one more line if the labels of the files are counted from 1.
fn from_idx(name: String, files: [IdxContent; 4]) -> Result<Contents, Error> {
    let listing = files.iter();
    let listing = listing.map(|content| format!("{}  {}\n", content.sha256, content.file.name()));
    let listing = listing.collect::<String>();
    let reports = files.iter().map(IdxContent::report).collect();
    let [train_images, train_labels, test_images, test_labels] = files;
    let [height, width] = train_images.idx.sides;
    let shape = Shape {
        channels: 1,
        height,
        width,
    };
    if test_images.idx.sides != train_images.idx.sides {
        let text = |content: &IdxContent| {
            let [height, width] = content.idx.sides;
            format!("{height}x{width} images in {}", content.name)
        };
        return Err(mismatch(&text(&train_images), &text(&test_images)));
    }
    let mut train = examples(train_images, train_labels)?;
    let mut test = examples(test_images, test_labels)?;
    // EMNIST's letters are numbered from 1.
    let from_one = |labels: &[u8]| labels.iter().all(|&label| label > 0);
    let listing =
        match name.ends_with("letters") && from_one(&train.labels) && from_one(&test.labels) {
            true => {
                for labels in [&mut train.labels, &mut test.labels] {
                    labels.iter_mut().for_each(|label| *label -= 1);
                }
                listing + "labels from 1\n"
            }
            false => listing,
        };
    Ok(Contents {
        name,
        shape,
        train,
        test,
        files: reports,
        sha256: Some(sha256([listing.as_bytes()])),
    })
}

fn examples(images: IdxContent, labels: IdxContent) -> Result<Examples, Error> {
    if images.idx.count != labels.idx.count {
        return Err(Error::Data(format!(
            "{} holds {} images but {} holds {} labels; the counts must be equal",
            images.name, images.idx.count, labels.name, labels.idx.count
        )));
    }
    let file = labels.name;
    let labels = labels.idx.into_labels();
    let labels = labels.map_err(|fault| fault.of(&file))?;
    Ok(Examples {
        file,
        images: images.idx.values,
        labels,
    })
}
