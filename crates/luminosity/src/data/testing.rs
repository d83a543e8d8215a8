//! Tiny data sets for the tests of this module.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use npyz::WriterBuilder;
use zip::write::SimpleFileOptions;

use super::{Dataset, Environment, IdxFile, Selection};
use crate::Error;

/// The number of pixels of a Fashion-MNIST image.
pub(super) const PIXELS: usize = 784;

/// An IDX file with the given header words and values.
pub(crate) fn idx(words: &[u32], values: &[u8]) -> Vec<u8> {
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

/// A NumPy file of the values.
pub(crate) fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A `.npz` file of the NumPy files.
pub(crate) fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = SimpleFileOptions::default();
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Reads a folder or a file.
pub(super) fn load(path: &Path) -> Result<Dataset, Error> {
    Dataset::load(&Selection::Directory(path.to_owned()))
}

/// Checks that a folder or a file is refused, in one line, for these reasons.
pub(super) fn refused<const N: usize>(path: &Path, reasons: [&str; N]) {
    let text = load(path).unwrap_err().to_string();
    for reason in reasons {
        assert!(text.contains(reason), "{reason} not in {text}");
    }
    assert!(!text.contains('\n'), "{text}");
}
