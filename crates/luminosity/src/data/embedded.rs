//! The subset of Fashion-MNIST that is compiled into the program.
//!
//! The first 1,000 training and the first 200 test images of each class, in
//! their original order, cut by `data/cut_subset.py`; `data/NOTICE` has the licence.

use super::files::IdxFile;

/// How many training images the subset has.
pub const TRAIN: usize = 10_000;
/// How many test images the subset has.
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
