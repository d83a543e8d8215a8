//! The four files of the data set and the names under which they are found.

use std::path::{Path, PathBuf};

use super::idx::Kind;

/// One of the four files that make up the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// The file in `folder` under any of its names: raw before gzipped, and
    /// `-idx3-ubyte` before the spelling `.idx3-ubyte` that some tools unpack to.
    pub fn locate(self, folder: &Path) -> Option<PathBuf> {
        let name = self.name();
        let dotted = name.replace("-idx", ".idx");
        ["", ".gz"]
            .iter()
            .flat_map(|ending| [format!("{name}{ending}"), format!("{dotted}{ending}")])
            .map(|candidate| folder.join(candidate))
            .find(|path| path.is_file())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_spelling_is_found_and_raw_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(IdxFile::TestLabels.locate(folder.path()), None);
        // From the least to the most preferred, each new file takes over.
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
    fn a_folder_of_that_name_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(IdxFile::TrainImages.name())).unwrap();
        assert_eq!(IdxFile::TrainImages.locate(folder.path()), None);
    }
}
