//! Tells whether data are the published Fashion-MNIST, by the SHA-256 of the files.
//!
//! The digests are of the unpacked content, because the same content is distributed under several
//! compressions. They have the order of [`IdxFile::ALL`].

use std::fmt;

use super::files::IdxFile;

/// The SHA-256 of each file of the published Fashion-MNIST, unpacked.
pub const PUBLISHED_SHA256: [&str; 4] = [
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
];

/// The SHA-256 of each file of the embedded subset, unpacked.
pub const SUBSET_SHA256: [&str; 4] = [
    "d33512cfdc636a0d8972818e6659995be209a88891df7fa2109d7895922c8985",
    "620cb8e3b9348037c5ff9a07b02d773ab165330e072dfd19e0d21c59f8042dcf",
    "15a92dd1e9b16ea361928086e77df4dfa890c255c00b5a8c8162c1040ce8eef1",
    "234596aeb6eb48133ec99a62541f90bc0728c9559a681f1e0638037462458f2c",
];

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
    pub(crate) fn of(file: IdxFile, sha256: &str) -> Self {
        if sha256 == PUBLISHED_SHA256[file as usize] {
            Self::Published
        } else if sha256 == SUBSET_SHA256[file as usize] {
            Self::Subset
        } else {
            Self::Other
        }
    }

    /// The identity of all files together; known only if it is the same for all.
    pub(crate) fn of_all(files: &[FileReport]) -> Self {
        let mut identities = files.iter().map(|file| file.identity);
        match identities.next() {
            Some(Some(first)) if identities.all(|other| other == Some(first)) => first,
            _ => Self::Other,
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
