//! A data set of four IDX files, and the possible names of the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Dataset;
use super::examples::Examples;
use super::identity::{FileReport, Identity};
use super::idx::{Idx, Kind};
use super::input::sha256;
use super::split::Shape;
use crate::Error;

/// One of the four files that make up a data set; the variants have the order of [`IdxFile::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdxFile {
    /// The images to train on.
    TrainImages,
    /// The labels of the images to train on.
    TrainLabels,
    /// The images to test with.
    TestImages,
    /// The labels of the images to test with.
    TestLabels,
}

/// The four files of one data set, in the order of [`IdxFile::ALL`]; none for a missing file.
pub(crate) type Four = [Option<PathBuf>; 4];

impl IdxFile {
    /// The four files, in the order in which they are hashed and reported.
    pub const ALL: [Self; 4] = [
        Self::TrainImages,
        Self::TrainLabels,
        Self::TestImages,
        Self::TestLabels,
    ];

    /// The name of the file as published, without `.gz`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte",
            Self::TrainLabels => "train-labels-idx1-ubyte",
            Self::TestImages => "t10k-images-idx3-ubyte",
            Self::TestLabels => "t10k-labels-idx1-ubyte",
        }
    }

    /// Whether the file holds images or labels.
    pub fn kind(self) -> Kind {
        match self {
            Self::TrainImages | Self::TestImages => Kind::Images,
            Self::TrainLabels | Self::TestLabels => Kind::Labels,
        }
    }

    /// The name of the file as downloaded.
    pub fn gzipped_name(self) -> String {
        format!("{}.gz", self.name())
    }

    /// The file in `folder` under any of its names without a prefix.
    pub fn locate(self, folder: &Path) -> Option<PathBuf> {
        let mut four = find(folder).remove("")?;
        four[self as usize].take()
    }

    /// The prefix of a name, the file with this name, and the rank of the name among the names of the file:
    /// raw before gzipped, and `-idx3-ubyte` before the spelling `.idx3-ubyte` of some unpackers. EMNIST and
    /// QMNIST have `test` in place of `t10k`, and the labels of QMNIST are `idx2-int`.
    fn named(name: &str) -> Option<(&str, Self, usize)> {
        let (stem, gzipped) = match name.strip_suffix(".gz") {
            Some(stem) => (stem, 1),
            None => (name, 0),
        };
        Self::ALL.into_iter().find_map(|file| {
            let usual = file.name().to_owned();
            let other = usual.replace("t10k", "test");
            let extended = other.replace("idx1-ubyte", "idx2-int");
            let dashed = [usual, other, extended];
            let dotted = dashed.clone().map(|name| name.replace("-idx", ".idx"));
            let mut names = dashed.iter().chain(&dotted).enumerate();
            names.find_map(|(rank, ending)| {
                let prefix = stem.strip_suffix(ending.as_str())?;
                let whole = prefix.is_empty() || prefix.ends_with('-');
                whole.then_some((prefix, file, 6 * gzipped + rank))
            })
        })
    }
}

/// Reads a data set from its four files, each opened with `open`.
///
/// The SHA-256 of the whole is the digest of the listing that `sha256sum` prints for the four unpacked files
/// under their usual names, with one more line if the labels of the files are counted from 1.
pub(crate) fn read(
    name: &str,
    open: impl Fn(IdxFile) -> Result<Idx, Error>,
) -> Result<Dataset, Error> {
    let mut listing = String::new();
    let mut report = |file: IdxFile, idx: &Idx| {
        listing += &format!("{}  {}\n", idx.sha256, file.name());
        FileReport {
            found: idx.name.clone(),
            count: idx.count,
            kind: file.kind().name(),
            sha256: idx.sha256.clone(),
            identity: Some(Identity::of(file, &idx.sha256)),
        }
    };
    let mut part = |images_file: IdxFile, labels_file: IdxFile| {
        let (images, labels) = (open(images_file)?, open(labels_file)?);
        let files = vec![report(images_file, &images), report(labels_file, &labels)];
        let [height, width] = images.sides;
        let shape = Shape::new(1, height, width);
        let name = labels.name.clone();
        let labels = labels.into_labels().map_err(|fault| fault.of(&name))?;
        Examples::new(shape, (images.name, images.values), (name, labels), files)
    };
    let mut train = part(IdxFile::TrainImages, IdxFile::TrainLabels)?;
    let mut test = part(IdxFile::TestImages, IdxFile::TestLabels)?;
    // EMNIST's letters are numbered from 1.
    let labels = [&mut train.labels, &mut test.labels];
    if name.ends_with("letters") && labels.iter().all(|labels| !labels.contains(&0)) {
        labels.into_iter().flatten().for_each(|label| *label -= 1);
        listing += "labels from 1\n";
    }
    let sha256 = sha256([listing.as_bytes()]);
    Dataset::of_files(name, train, test, Some(sha256))
}

/// The IDX files of a folder by the prefix of their names, such as `emnist-letters-`.
pub(crate) fn find(folder: &Path) -> BTreeMap<String, Four> {
    let mut ranked = BTreeMap::new();
    for (name, path) in list(folder) {
        let Some((prefix, file, rank)) = IdxFile::named(&name) else {
            continue;
        };
        // Some unpackers put every file into a folder with the name of the file.
        let path = match path.is_dir() {
            true => path.join(&name),
            false => path,
        };
        if path.exists() && !path.is_dir() {
            ranked.insert((prefix.to_owned(), file, std::cmp::Reverse(rank)), path);
        }
    }
    let mut found = BTreeMap::<String, Four>::new();
    // The best rank comes last and replaces the others.
    for ((prefix, file, _), path) in ranked {
        found.entry(prefix).or_default()[file as usize] = Some(path);
    }
    found
}

/// The paths of the four files if none is missing.
pub(crate) fn complete(four: Four) -> Option<Vec<PathBuf>> {
    four.into_iter().collect()
}

/// The entries of a folder by name; empty if it cannot be read.
pub(crate) fn list(folder: &Path) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, entry.path())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_spelling_is_found_and_raw_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(IdxFile::TestLabels.locate(folder.path()), None);
        // From the least to the most preferred; each new file takes precedence.
        for name in [
            "t10k-labels.idx1-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
            "t10k-labels.idx1-ubyte",
            "t10k-labels-idx1-ubyte",
        ] {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            assert_eq!(IdxFile::TestLabels.locate(folder.path()), Some(path));
        }
        assert_eq!(IdxFile::TrainLabels.locate(folder.path()), None);
    }

    #[test]
    fn a_folder_of_that_name_is_no_file_but_may_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = IdxFile::TrainImages.name();
        let inner = folder.path().join(name);
        fs::create_dir(&inner).unwrap();
        assert_eq!(IdxFile::TrainImages.locate(folder.path()), None);
        fs::write(inner.join(name), "").unwrap();
        assert_eq!(
            IdxFile::TrainImages.locate(folder.path()),
            Some(inner.join(name))
        );
    }

    #[test]
    fn other_sets_have_prefixes() {
        let named = IdxFile::named;
        assert_eq!(
            named("emnist-letters-test-images-idx3-ubyte.gz"),
            Some(("emnist-letters-", IdxFile::TestImages, 7))
        );
        assert_eq!(
            named("qmnist-train-labels-idx2-int"),
            Some(("qmnist-", IdxFile::TrainLabels, 2))
        );
        for other in [
            "mytrain-images-idx3-ubyte",
            "train-images-idx3-ubyte.zip",
            "x",
        ] {
            assert_eq!(named(other), None);
        }
    }
}
