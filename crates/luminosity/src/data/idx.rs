//! Reads the IDX format of the MNIST family, gzipped or not.
//!
//! A file is a big-endian header (magic number, count and, for images, rows and columns) followed by one byte
//! for each pixel or label. QMNIST's labels are instead rows of 32-bit numbers, of which the first is the
//! class. The input is not trusted: no more is read than the count in the header allows, and that count is
//! bounded.

use std::io::Read;
use std::path::Path;

use super::input::{self, Fault, read_at_most, sha256, unpack};
use super::split::MAX_SIDE;
use crate::Error;
use crate::error::{one_line, shown};

/// The largest number of examples in a file.
pub const MAX_COUNT: u32 = 1_000_000;
/// The most numbers for each label.
const MAX_COLUMNS: u32 = 64;
/// The magic number of labels as 32-bit numbers.
const EXTENDED_LABELS: u32 = 0x0C02;

/// The kind of an IDX file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Images.
    Images,
    /// Labels of classes.
    Labels,
}

impl Kind {
    /// The word for the kind in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }
}

/// The content of one IDX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The name of the file, for messages.
    pub name: String,
    /// The bytes after the header, one example after the other.
    pub values: Vec<u8>,
    /// The number of examples.
    pub count: usize,
    /// Rows and columns of an image; for labels, 1 and the number of bytes of a label.
    pub sides: [usize; 2],
    /// The SHA-256 of the unpacked file, in hexadecimal.
    pub sha256: String,
}

/// Reads one IDX file of up to `most` bytes after the header, and unpacks it if it is gzipped; messages call it
/// `file`.
///
/// # Errors
///
/// [`Error::File`] if the input is not exactly one well-formed IDX file of this kind.
pub fn read(file: &str, kind: Kind, most: usize, input: impl Read) -> Result<Idx, Error> {
    unpack(input, |input| parse(file, kind, most, input)).map_err(|fault| fault.of(file))
}

/// Reads one IDX file at a path.
pub(crate) fn open(path: &Path, kind: Kind, most: usize) -> Result<Idx, Error> {
    read(&shown(path), kind, most, input::open(path)?)
}

fn parse(file: &str, kind: Kind, most: usize, input: &mut dyn Read) -> Result<Idx, Fault> {
    let (usual, usual_length) = match kind {
        Kind::Images => (2051, 16),
        Kind::Labels => (2049, 8),
    };
    // The magic number is checked first, because a file of another kind may also be shorter.
    let mut header = read_at_most(4, input)?;
    let magic = header.first_chunk().copied();
    let length = match magic.map_or(usual, u32::from_be_bytes) {
        EXTENDED_LABELS if kind == Kind::Labels => 12,
        magic if magic == usual => usual_length,
        magic => {
            return Err(Fault::content(match magic.swap_bytes() {
                2051 | 2049 | EXTENDED_LABELS => {
                    "the header is in little-endian byte order, must be big-endian".to_owned()
                }
                _ => format!("magic number {magic}, must be {usual} for {}", kind.name()),
            }));
        }
    };
    header.extend(read_at_most(length - header.len(), input)?);
    let (words, _) = header.as_chunks();
    let words: Vec<u32> = words.iter().map(|word| u32::from_be_bytes(*word)).collect();
    let (&[_, found, ref sizes @ ..], true) = (&words[..], header.len() == length) else {
        let found = header.len();
        return Err(Fault::content(format!(
            "{found} bytes are no whole IDX header, must be at least {length}"
        )));
    };
    let within = |side: u32| (1..=MAX_SIDE).contains(&(side as usize));
    let sides = match *sizes {
        [rows, columns] if within(rows) && within(columns) => [rows, columns],
        [rows, columns] => {
            return Err(Fault::content(format!(
                "images of {rows}x{columns} pixels, must be 1x1 to {MAX_SIDE}x{MAX_SIDE}"
            )));
        }
        [columns] if (1..=MAX_COLUMNS).contains(&columns) => [1, 4 * columns],
        [columns] => {
            let allowed = format!("must be 1 to {MAX_COLUMNS}");
            let problem = format!("{columns} numbers for each label, {allowed}");
            return Err(Fault::content(problem));
        }
        _ => [1, 1],
    };
    let sides = sides.map(|side| side as usize);
    let (kind, each) = (kind.name(), sides[0] * sides[1]);
    if !(1..=MAX_COUNT).contains(&found) {
        let problem = format!("{found} {kind}, must be 1 to {MAX_COUNT}");
        return Err(Fault::content(problem));
    }
    let count = found as usize;
    let expected = count.saturating_mul(each);
    if expected > most {
        return Err(Fault::content(format!(
            "{count} {kind} of {each} bytes, must be at most {most} bytes in all"
        )));
    }

    // One byte more than expected shows whether there are further data; for gzip, reading to the end also
    // checks the CRC.
    let values = read_at_most(expected + 1, input)?;
    match values.len() {
        found if found < expected => Err(Fault::content(format!(
            "truncated: {found} bytes after the header, must be {expected} for its {count} {kind}"
        ))),
        found if found > expected => Err(Fault::content(format!(
            "more than {expected} bytes after the header, must be {expected} for its {count} {kind}"
        ))),
        _ => Ok(Idx {
            name: one_line(file),
            sha256: sha256([&header[..], &values[..]]),
            values,
            count,
            sides,
        }),
    }
}

impl Idx {
    /// The classes in a file of labels, one byte each; a fault if a class does not fit into one byte.
    pub(crate) fn into_labels(self) -> Result<Vec<u8>, Fault> {
        let [_, bytes] = self.sides;
        if bytes == 1 {
            return Ok(self.values);
        }
        let rows = self.values.chunks_exact(bytes).enumerate();
        rows.map(|(index, row)| {
            let first = row.first_chunk().copied().unwrap_or_default();
            let found = i32::from_be_bytes(first);
            u8::try_from(found).map_err(|_| {
                Fault::content(format!("label {found} at index {index}, must be 0 to 255"))
            })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
