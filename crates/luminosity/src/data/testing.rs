//! Tiny data sets for the tests of this module.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::files::IdxFile;
use super::source::Environment;

/// The number of pixels of a Fashion-MNIST image.
pub(super) const PIXELS: usize = 784;

/// An IDX file with the given header words and values.
pub(super) fn idx(words: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.extend_from_slice(values);
    bytes
}

/// `count` images, each filled with its own index.
pub(super) fn images(count: u8) -> Vec<u8> {
    let values: Vec<u8> = (0..count).flat_map(|index| [index; PIXELS]).collect();
    idx(&[2051, count.into(), 28, 28], &values)
}

/// `count` labels, 0 to 9 repeatedly.
pub(super) fn labels(count: u8) -> Vec<u8> {
    let values: Vec<u8> = (0..count).map(|index| index % 10).collect();
    idx(&[2049, count.into()], &values)
}

/// The unpacked content of one file of a data set of 12 and 3 images.
pub(super) fn tiny(file: IdxFile) -> Vec<u8> {
    match file {
        IdxFile::TrainImages => images(12),
        IdxFile::TrainLabels => labels(12),
        IdxFile::TestImages => images(3),
        IdxFile::TestLabels => labels(3),
    }
}

/// An environment with folders inside `root` only.
pub(super) fn environment(root: &Path) -> Environment {
    Environment {
        data: None,
        cache: Some(root.join("cache")),
        system: root.join("system"),
    }
}

/// Writes the tiny data set, raw, into `folder`.
pub(super) fn write_tiny(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for file in IdxFile::ALL {
        fs::write(folder.join(file.name()), tiny(file)).unwrap();
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
