//! Reads the binary batches of CIFAR-10: for each image one byte for the label and 3x32x32 bytes, channel by
//! channel.

use std::io::Read;
use std::path::Path;

use super::Dataset;
use super::examples::Examples;
use super::folder::{missing, name_of};
use super::identity::FileReport;
use super::input::{Fault, MAX_BYTES, parse_file, read_at_most, sha256};
use super::split::Shape;
use crate::Error;
use crate::error::shown;

const SHAPE: Shape = Shape::new(3, 32, 32);
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
pub(crate) fn read(folder: &Path) -> Result<Dataset, Error> {
    let (train, test) = (examples(folder, &TRAIN)?, examples(folder, &[TEST])?);
    let name = match is_published([&train.files, &test.files]) {
        true => "CIFAR-10".to_owned(),
        false => name_of(folder),
    };
    Dataset::of_files(&name, train, test, None)
}

/// Whether there are as many images in each file as published. The digests of the files are not known here.
fn is_published(files: [&[FileReport]; 2]) -> bool {
    files.concat().iter().all(|file| file.count == 10_000)
}

fn examples(folder: &Path, names: &[&str]) -> Result<Examples, Error> {
    let (mut images, mut labels, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let plain = folder.join(name);
        let zipped = folder.join(format!("{name}.gz"));
        let mut there = [plain, zipped].into_iter().filter(|path| path.exists());
        let path = there.next().ok_or_else(|| missing(folder, name))?;
        let most = MAX_BYTES - images.len();
        let batch = parse_file(&path, |input| batch(input, most))?;
        let (count, sha256) = (batch.len() / RECORD, sha256([&batch[..]]));
        files.push(FileReport::of_examples(shown(&path), count, sha256));
        for record in batch.chunks_exact(RECORD) {
            labels.push(record[0]);
            images.extend_from_slice(&record[1..]);
        }
    }
    let name = shown(folder);
    Examples::new(SHAPE, (name.clone(), images), (name, labels), files)
}

fn batch(input: &mut dyn Read, most: usize) -> Result<Vec<u8>, Fault> {
    let bytes = read_at_most(most + 1, input)?;
    let found = bytes.len();
    if found > most {
        return Err(Fault::too_large(most));
    }
    if found == 0 || !found.is_multiple_of(RECORD) {
        let whole = format!("{found} bytes, must be {RECORD} for each image");
        return Err(Fault::content(whole));
    }
    let mut labels = bytes.iter().step_by(RECORD).enumerate();
    match labels.find(|(_, label)| **label > 9) {
        Some((index, label)) => Err(Fault::content(format!(
            "label {label} at index {index}, must be 0 to 9"
        ))),
        None => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_images_in_each_file_are_the_published_ones() {
        let of = |count| FileReport::of_examples(String::new(), count, String::new());
        let train = [10_000; 5].map(of);
        assert!(is_published([&train, &[of(10_000)]]));
        assert!(!is_published([&train, &[of(9_999)]]));
    }
}
