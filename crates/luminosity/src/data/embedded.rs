//! The subset of Fashion-MNIST that is compiled into the program.
//!
//! The first 1,000 training and the first 200 test images of each class in their original order, selected by
//! `data/cut_subset.py`; the licence is in `data/NOTICE`.

use super::files::IdxFile;
use super::idx::{self, Idx};
use super::input::MAX_BYTES;
use crate::Error;

/// Opens one file of the subset.
pub(crate) fn open(file: IdxFile) -> Result<Idx, Error> {
    let name = format!("embedded {}", file.gzipped_name());
    idx::read(&name, file.kind(), MAX_BYTES, bytes(file))
}

/// One file of the subset, gzipped.
pub(crate) fn bytes(file: IdxFile) -> &'static [u8] {
    match file {
        IdxFile::TrainImages => include_bytes!("../../data/train-images-idx3-ubyte.gz"),
        IdxFile::TrainLabels => include_bytes!("../../data/train-labels-idx1-ubyte.gz"),
        IdxFile::TestImages => include_bytes!("../../data/t10k-images-idx3-ubyte.gz"),
        IdxFile::TestLabels => include_bytes!("../../data/t10k-labels-idx1-ubyte.gz"),
    }
}
