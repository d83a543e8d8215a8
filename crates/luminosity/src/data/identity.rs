//! Tells whether data are published ones, Fashion-MNIST or MNIST, by the SHA-256 of the files.
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

/// The SHA-256 of Fashion-MNIST as a whole ([`Dataset::sha256`](super::Dataset::sha256)): of the published data, and
/// of the embedded subset.
pub const FASHION_MNIST: [&str; 2] = [
    "5cf0562c46b89a77940b86f40a9a4325e7bed59d53ec555c4d14f0bed41ca53a",
    "e0942b0203ed86982b1a61e4e8e5bc04e78a86de5c4fa6cff89b056429147f9d",
];

/// The SHA-256 of each file of the published MNIST, unpacked.
const MNIST_SHA256: [&str; 4] = [
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
];

/// The name of published data with these files, if they are known.
pub(crate) fn published_name(files: &[FileReport]) -> Option<&'static str> {
    match Identity::of_all(files) {
        Identity::Published | Identity::Subset => Some("Fashion-MNIST"),
        Identity::Other => {
            let found = files.iter().map(|file| file.sha256.as_str());
            found.eq(MNIST_SHA256).then_some("MNIST")
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sha256;

    fn reports(digests: [&str; 4]) -> Vec<FileReport> {
        let report = |(file, sha256): (IdxFile, &str)| FileReport {
            identity: Some(Identity::of(file, sha256)),
            kind: file.kind().name(),
            ..FileReport::of_examples(String::new(), 1, sha256.to_owned())
        };
        IdxFile::ALL.into_iter().zip(digests).map(report).collect()
    }

    #[test]
    fn published_data_are_known_by_all_of_their_files() {
        let digests = [PUBLISHED_SHA256, SUBSET_SHA256];
        for (digests, whole) in digests.into_iter().zip(FASHION_MNIST) {
            let lines = digests.into_iter().zip(IdxFile::ALL);
            let listing: String = lines
                .map(|(digest, file)| format!("{digest}  {}\n", file.name()))
                .collect();
            assert_eq!(sha256([listing.as_bytes()]), whole);
            assert_eq!(published_name(&reports(digests)), Some("Fashion-MNIST"));
        }
        let mut mnist = reports(MNIST_SHA256);
        assert_eq!(published_name(&mnist), Some("MNIST"));
        mnist[3].sha256 = SUBSET_SHA256[3].to_owned();
        assert_eq!(published_name(&mnist), None);
        assert_eq!(published_name(&mnist[..2]), None);
    }
}
