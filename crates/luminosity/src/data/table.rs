//! Reads images from tables: CSV files whose rows are a label and the pixels of a square image.

use std::io::Read;
use std::path::Path;

use super::Dataset;
use super::examples::Examples;
use super::identity::FileReport;
use super::input::{Fault, MAX_BYTES, file_sha256, parse_file};
use super::split::Shape;
use crate::Error;
use crate::error::shown;

/// The most characters of a value, including its comma.
const CHARACTERS: u64 = 8;

/// Reads the training table and the test table.
pub(crate) fn read(name: &str, train: &Path, test: &Path) -> Result<Dataset, Error> {
    Dataset::of_files(name, table(train)?, table(test)?, None)
}

fn table(path: &Path) -> Result<Examples, Error> {
    let sha256 = file_sha256(path)?;
    let (shape, images, labels) = parse_file(path, rows)?;
    let (name, count) = (shown(path), labels.len());
    let files = vec![FileReport::of_examples(name.clone(), count, sha256)];
    Examples::new(shape, (name.clone(), images), (name, labels), files)
}

fn rows(input: &mut dyn Read) -> Result<(Shape, Vec<u8>, Vec<u8>), Fault> {
    let mut table = csv::Reader::from_reader(input.take(CHARACTERS * MAX_BYTES as u64));
    let wrong = |error: csv::Error| Fault::content(error.to_string());
    let header = table.byte_headers().map_err(wrong)?;
    let first = header.get(0).unwrap_or_default();
    if first.strip_prefix("\u{feff}".as_bytes()).unwrap_or(first) != b"label" {
        let first = start_of(first);
        return Err(Fault::content(format!(
            "first column {first:?}, must be \"label\", before those of the pixels"
        )));
    }
    let pixels = header.len() - 1;
    let shape = Shape::square(pixels).ok_or_else(|| {
        Fault::content(format!(
            "{pixels} columns of pixels, must be a square number"
        ))
    })?;
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let mut row = csv::ByteRecord::new();
    while table.read_byte_record(&mut row).map_err(wrong)? {
        let mut values = row.iter().map(|field| {
            let text = String::from_utf8_lossy(field);
            text.trim().parse::<u8>().map_err(|_| {
                let line = row.position().map_or(0, csv::Position::line);
                let text = start_of(field);
                Fault::content(format!("line {line}: value {text:?}, must be 0 to 255"))
            })
        });
        labels.extend(values.next().transpose()?);
        for value in values {
            images.push(value?);
        }
        if images.len() > MAX_BYTES {
            return Err(Fault::too_large(MAX_BYTES));
        }
    }
    match labels.len() {
        0 => Err(Fault::content("no rows, must be at least one")),
        _ => Ok((shape, images, labels)),
    }
}

/// The first characters of a field, for messages.
fn start_of(field: &[u8]) -> String {
    String::from_utf8_lossy(field).chars().take(20).collect()
}
