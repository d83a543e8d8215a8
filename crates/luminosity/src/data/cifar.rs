//! Reads the binary batches of CIFAR-10: for each image one byte for the label and 3x32x32 bytes, channel by
//! channel.

use std::path::Path;

use super::contents::{Contents, Examples};
use super::folder::{missing, name_of};
use super::input::{self, Fault, MAX_BYTES, read_at_most, sha256, unpack};
use super::split::Shape;
use super::verify::FileReport;
use crate::Error;
use crate::error::shown;

const SHAPE: Shape = Shape {
    channels: 3,
    height: 32,
    width: 32,
};
/// The bytes of an image with its label.
const RECORD: usize = 1 + 3 * 32 * 32;
pub(crate) const TRAIN: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
pub(crate) const TEST: &str = "test_batch.bin";

/// Reads the six files of a folder.
pub(crate) fn read(folder: &Path) -> Result<Contents, Error> {
    let mut files = Vec::new();
    let train = examples(folder, &TRAIN, &mut files)?;
    let test = examples(folder, &[TEST], &mut files)?;
    Ok(Contents {
        name: name_of(folder),
        shape: SHAPE,
        train,
        test,
        files,
        sha256: None,
    })
}

fn examples(folder: &Path, names: &[&str], files: &mut Vec<FileReport>) -> Result<Examples, Error> {
    let mut all = Examples::of(folder);
    for name in names {
        let plain = folder.join(name);
        let zipped = folder.join(format!("{name}.gz"));
        let mut there = [plain, zipped].into_iter().filter(|path| path.exists());
        let path = there.next().ok_or_else(|| missing(folder, name))?;
        all.file = shown(&path);
        let most = MAX_BYTES - all.images.len();
        let batch = unpack(input::open(&path)?, |input| batch(input, most));
        let batch = batch.map_err(|fault| fault.of(&all.file))?;
        let (found, count) = (all.file.clone(), batch.len() / RECORD);
        files.push(FileReport::of_examples(found, count, sha256([&batch[..]])));
        for record in batch.chunks_exact(RECORD) {
            if let [label, image @ ..] = record {
                all.labels.push(*label);
                all.images.extend_from_slice(image);
            }
        }
    }
    Ok(all)
}

fn batch(input: &mut dyn std::io::Read, most: usize) -> Result<Vec<u8>, Fault> {
    let bytes = read_at_most(most + 1, input)?;
    let found = bytes.len();
    if found > most {
        return Err(Fault::too_large(most));
    }
    if found == 0 || !found.is_multiple_of(RECORD) {
        let whole = format!("{found} bytes, must be {RECORD} for each image");
        return Err(Fault::Content(whole));
    }
    let mut labels = bytes.iter().step_by(RECORD).enumerate();
    match labels.find(|(_, label)| **label > 9) {
        Some((index, label)) => Err(Fault::Content(format!(
            "label {label} at index {index}, must be 0 to 9"
        ))),
        None => Ok(bytes),
    }
}
