//! The subset of Fashion-MNIST that is compiled into the program.
//!
//! The first 1,000 training and the first 200 test images of each class in their original order, selected by
//! `data/cut_subset.py`; the licence is in `data/NOTICE`.

use super::files::IdxFile;

/// The number of training images in the subset.
pub const TRAIN: usize = 10_000;
/// The number of test images in the subset.
pub const TEST: usize = 2_000;

/// One file of the subset, gzipped.
pub(crate) fn bytes(file: IdxFile) -> &'static [u8] {
    match file {
        IdxFile::TrainImages => include_bytes!("../../data/train-images-idx3-ubyte.gz"),
        IdxFile::TrainLabels => include_bytes!("../../data/train-labels-idx1-ubyte.gz"),
        IdxFile::TestImages => include_bytes!("../../data/t10k-images-idx3-ubyte.gz"),
        IdxFile::TestLabels => include_bytes!("../../data/t10k-labels-idx1-ubyte.gz"),
    }
}
