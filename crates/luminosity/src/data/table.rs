//! Reads images from tables: CSV files whose rows are a label and the pixels of a square image.

use std::io::Read;
use std::path::Path;

use super::contents::{Contents, Examples};
use super::input::{self, Fault, MAX_BYTES, file_sha256, unpack};
use super::mismatch;
use super::split::Shape;
use super::verify::FileReport;
use crate::Error;
use crate::error::{one_line, shown};

/// The most characters of a value, including its comma.
const CHARACTERS: u64 = 8;

/// Reads the training table and the test table.
pub(crate) fn read(name: String, train: &Path, test: &Path) -> Result<Contents, Error> {
    let mut files = Vec::new();
    let (shape, train) = table(train, &mut files)?;
    let (other, test) = table(test, &mut files)?;
    if other != shape {
        let text = |shape, examples: &Examples| format!("{shape} images in {}", examples.file);
        return Err(mismatch(&text(shape, &train), &text(other, &test)));
    }
    Ok(Contents {
        name,
        shape,
        train,
        test,
        files,
        sha256: None,
    })
}

fn table(path: &Path, files: &mut Vec<FileReport>) -> Result<(Shape, Examples), Error> {
    let mut examples = Examples::of(path);
    let sha256 = file_sha256(path)?;
    let read = unpack(input::open(path)?, |input| rows(input, &mut examples));
    let shape = read.map_err(|fault| fault.of(&shown(path)))?;
    let count = examples.labels.len();
    files.push(FileReport::of_examples(shown(path), count, sha256));
    Ok((shape, examples))
}

fn rows(input: &mut dyn Read, examples: &mut Examples) -> Result<Shape, Fault> {
    let mut table = csv::Reader::from_reader(input.take(CHARACTERS * MAX_BYTES as u64));
    let problem = |error: csv::Error| Fault::Content(one_line(&error.to_string()));
    let header = table.byte_headers().map_err(problem)?;
    let first = String::from_utf8_lossy(header.get(0).unwrap_or_default());
    let first = first.trim_start_matches('\u{feff}');
    if first != "label" {
        let first = one_line(&first.chars().take(20).collect::<String>());
        let wrong =
            format!("first column {first:?}, must be \"label\", before those of the pixels");
        return Err(Fault::Content(wrong));
    }
    let pixels = header.len() - 1;
    let shape = square(pixels).ok_or_else(|| {
        Fault::Content(format!(
            "{pixels} columns of pixels, must be a square number"
        ))
    })?;
    let mut row = csv::ByteRecord::new();
    while table.read_byte_record(&mut row).map_err(problem)? {
        let mut values = row.iter().map(|field| {
            let text = String::from_utf8_lossy(field);
            text.trim().parse::<u8>().map_err(|_| {
                let line = row.position().map_or(0, csv::Position::line);
                let text = one_line(&text.chars().take(20).collect::<String>());
                Fault::Content(format!("line {line}: value {text:?}, must be 0 to 255"))
            })
        });
        examples.labels.extend(values.next().transpose()?);
        for value in values {
            examples.images.push(value?);
        }
        if examples.images.len() > MAX_BYTES {
            return Err(Fault::too_large(MAX_BYTES));
        }
    }
    match examples.labels.len() {
        0 => Err(Fault::Content("no rows, must be at least one".to_owned())),
        _ => Ok(shape),
    }
}

/// The shape of a grey square image with this number of pixels.
pub(crate) fn square(pixels: usize) -> Option<Shape> {
    let side = pixels.isqrt();
    (side > 0 && side * side == pixels).then_some(Shape {
        channels: 1,
        height: side,
        width: side,
    })
}
