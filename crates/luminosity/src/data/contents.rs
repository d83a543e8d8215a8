//! The four files read into memory, each with the digest of its content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::embedded;
use super::error::{DataError, one_line, shown};
use super::files::IdxFile;
use super::idx::{self, Idx, IdxProblem};
use super::source::{Place, Source};
use super::verify::{Identity, published_sha256};

/// One file that was read.
pub(crate) struct Content {
    pub(crate) file: IdxFile,
    /// The file as the user knows it.
    pub(crate) name: String,
    pub(crate) idx: Idx,
    /// The digest of the unpacked file, in hexadecimal.
    pub(crate) sha256: String,
}

impl Content {
    /// Reads one file, which messages call `name`.
    pub(crate) fn read(file: IdxFile, name: &str, input: impl Read) -> Result<Self, DataError> {
        let idx = idx::read(name, file.kind(), input)?;
        Ok(Self {
            file,
            name: one_line(name),
            sha256: sha256([&idx.header, &idx.values]),
            idx,
        })
    }

    /// Reads one file from the disk.
    pub(crate) fn open(file: IdxFile, path: &Path) -> Result<Self, DataError> {
        let name = shown(path);
        let input = File::open(path).map_err(|error| DataError::Idx {
            file: name.clone(),
            problem: IdxProblem::Unreadable {
                reason: one_line(&error.to_string()),
            },
        })?;
        Self::read(file, &name, input)
    }

    fn find(file: IdxFile, place: &Place) -> Result<Self, DataError> {
        match place {
            Place::Embedded => {
                let name = format!("embedded {}", file.gzipped_name());
                Self::read(file, &name, embedded::bytes(file))
            }
            Place::Folder { path: folder, .. } => {
                let path = file.locate(folder).ok_or_else(|| {
                    let shown = shown(folder);
                    if folder.is_dir() {
                        DataError::MissingFile {
                            folder: shown,
                            name: file.name(),
                        }
                    } else {
                        DataError::NotAFolder { folder: shown }
                    }
                })?;
                Self::open(file, &path)
            }
        }
    }

    /// Whether the content is known.
    pub(crate) fn identity(&self) -> Identity {
        Identity::of(self.file, &self.sha256)
    }
}

/// The four files of one place.
pub(crate) struct Contents {
    pub(crate) train_images: Content,
    pub(crate) train_labels: Content,
    pub(crate) test_images: Content,
    pub(crate) test_labels: Content,
}

impl Contents {
    /// Reads the four files and checks that labels and images belong together.
    pub(crate) fn read(place: &Place) -> Result<Self, DataError> {
        let contents = Self {
            train_images: Content::find(IdxFile::TrainImages, place)?,
            train_labels: Content::find(IdxFile::TrainLabels, place)?,
            test_images: Content::find(IdxFile::TestImages, place)?,
            test_labels: Content::find(IdxFile::TestLabels, place)?,
        };
        check_counts(&contents.train_images, &contents.train_labels)?;
        check_counts(&contents.test_images, &contents.test_labels)?;
        Ok(contents)
    }

    /// The files in the order of [`IdxFile::ALL`].
    pub(crate) fn each(&self) -> [&Content; 4] {
        [
            &self.train_images,
            &self.train_labels,
            &self.test_images,
            &self.test_labels,
        ]
    }

    /// One digest for the whole data set: that of the listing which
    /// `sha256sum` prints for the four unpacked files in this order.
    pub(crate) fn sha256(&self) -> String {
        let listing: String = self
            .each()
            .map(|content| format!("{}  {}\n", content.sha256, content.file.name()))
            .concat();
        sha256([listing.as_bytes()])
    }

    /// What the four files are together: known only where all are the same.
    pub(crate) fn identity(&self) -> Identity {
        let [first, rest @ ..] = self.each().map(Content::identity);
        if rest.iter().all(|&identity| identity == first) {
            first
        } else {
            Identity::Other
        }
    }

    /// What to tell the user about these files, read from `place`.
    pub(crate) fn source(&self, place: Place) -> Source {
        match place {
            Place::Embedded => Source::Embedded,
            Place::Folder { path, chosen_by } => Source::Folder {
                path,
                chosen_by,
                identity: self.identity(),
                train: self.train_images.idx.count,
                test: self.test_images.idx.count,
            },
        }
    }

    /// Refuses any content but that of the published files.
    pub(crate) fn check_published(&self) -> Result<(), DataError> {
        for content in self.each() {
            let expected = published_sha256(content.file);
            if content.sha256 != expected {
                return Err(DataError::NotPublished {
                    file: content.name.clone(),
                    found: content.sha256.clone(),
                    expected,
                });
            }
        }
        Ok(())
    }
}

fn check_counts(images: &Content, labels: &Content) -> Result<(), DataError> {
    if images.idx.count == labels.idx.count {
        return Ok(());
    }
    Err(DataError::CountMismatch {
        images_file: images.name.clone(),
        images: images.idx.count,
        labels_file: labels.name.clone(),
        labels: labels.idx.count,
    })
}

/// The SHA-256 of the parts one after the other, in hexadecimal.
fn sha256<const N: usize>(parts: [&[u8]; N]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
