//! Tells whether data are the published Fashion-MNIST, by the SHA-256 of the files.
//!
//! The digests are of the unpacked content, because the same content is distributed under several
//! compressions.

use std::fmt;

use super::Dataset;
use super::files::IdxFile;
use super::source::{Environment, Selection, Source};
use crate::Error;

/// The SHA-256 of a file of the published Fashion-MNIST, unpacked.
pub fn published_sha256(file: IdxFile) -> &'static str {
    match file {
        IdxFile::TrainImages => "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        IdxFile::TrainLabels => "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        IdxFile::TestImages => "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        IdxFile::TestLabels => "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    }
}

/// The SHA-256 of a file of the embedded subset, unpacked.
pub fn subset_sha256(file: IdxFile) -> &'static str {
    match file {
        IdxFile::TrainImages => "d33512cfdc636a0d8972818e6659995be209a88891df7fa2109d7895922c8985",
        IdxFile::TrainLabels => "620cb8e3b9348037c5ff9a07b02d773ab165330e072dfd19e0d21c59f8042dcf",
        IdxFile::TestImages => "15a92dd1e9b16ea361928086e77df4dfa890c255c00b5a8c8162c1040ce8eef1",
        IdxFile::TestLabels => "234596aeb6eb48133ec99a62541f90bc0728c9559a681f1e0638037462458f2c",
    }
}

/// The known identity of the content of a file, or of all four files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The published Fashion-MNIST.
    Published,
    /// The embedded subset of Fashion-MNIST.
    Subset,
    /// Something else in the same format.
    Other,
}

impl Identity {
    /// The identity of a file with this digest.
    pub fn of(file: IdxFile, sha256: &str) -> Self {
        if sha256 == published_sha256(file) {
            Self::Published
        } else if sha256 == subset_sha256(file) {
            Self::Subset
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Published => "the published Fashion-MNIST",
            Self::Subset => "embedded subset of Fashion-MNIST",
            Self::Other => "not the published Fashion-MNIST",
        })
    }
}

/// One file of the data; its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Where it was found.
    pub found: String,
    /// The number of examples.
    pub count: usize,
    /// The kind of the examples, such as `images`.
    pub kind: &'static str,
    /// The SHA-256 of its unpacked content.
    pub sha256: String,
    /// The identity of that content; none for formats other than IDX.
    pub identity: Option<Identity>,
}

impl FileReport {
    /// The report of a file with images and their labels, in a format other than IDX.
    pub(crate) fn of_examples(found: String, count: usize, sha256: String) -> Self {
        Self {
            found,
            count,
            kind: "images with labels",
            sha256,
            identity: None,
        }
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            found,
            count,
            kind,
            sha256,
            ..
        } = self;
        write!(f, "{found}: {count} {kind}, SHA-256 {sha256}")?;
        match self.identity {
            Some(identity) => write!(f, ", {identity}"),
            None => Ok(()),
        }
    }
}

/// The result of [`verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The source of the data.
    pub source: Source,
    /// Its files; the four IDX files in the order of [`IdxFile::ALL`].
    pub files: Vec<FileReport>,
    /// The digest of the whole data set, as a run records it.
    pub sha256: String,
}

/// Reads the selected data and identifies them.
///
/// Data that are not the published Fashion-MNIST are a result, not an error.
///
/// # Errors
///
/// If a file is missing or not well-formed.
pub fn verify(selection: &Selection) -> Result<Verification, Error> {
    verify_in(selection, &Environment::of_process())
}

/// [`verify`] in a given environment.
///
/// # Errors
///
/// Like [`verify`].
pub fn verify_in(selection: &Selection, environment: &Environment) -> Result<Verification, Error> {
    let (data, files) = Dataset::read(selection, environment)?;
    Ok(Verification {
        source: data.source,
        files,
        sha256: data.sha256,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::embedded;
    use crate::data::testing::{environment, write_tiny};

    #[test]
    fn the_embedded_subset_has_its_recorded_digests() {
        let root = tempfile::tempdir().unwrap();
        let report = verify_in(&Selection::Default, &environment(root.path())).unwrap();
        assert_eq!(report.source, Source::Embedded);
        for (file, found) in IdxFile::ALL.into_iter().zip(&report.files) {
            assert_eq!(found.sha256, subset_sha256(file));
            assert_eq!(found.identity, Some(Identity::Subset));
        }
        assert_eq!(
            report.files[3].to_string(),
            format!(
                "embedded t10k-labels-idx1-ubyte.gz: 2000 labels, SHA-256 {}, \
                 embedded subset of Fashion-MNIST",
                subset_sha256(IdxFile::TestLabels)
            )
        );
    }

    #[test]
    fn a_mixture_of_known_files_is_not_known_data() {
        let root = tempfile::tempdir().unwrap();
        write_tiny(root.path());
        for file in [IdxFile::TestImages, IdxFile::TestLabels] {
            fs::remove_file(root.path().join(file.name())).unwrap();
            let bytes = embedded::bytes(file);
            fs::write(root.path().join(file.gzipped_name()), bytes).unwrap();
        }
        let report = verify_in(
            &Selection::Directory(root.path().into()),
            &environment(root.path()),
        )
        .unwrap();
        assert_eq!(report.files[0].identity, Some(Identity::Other));
        assert_eq!(report.files[3].identity, Some(Identity::Subset));
        assert!(matches!(
            report.source,
            Source::Folder {
                identity: Identity::Other,
                ..
            }
        ));
    }
}
