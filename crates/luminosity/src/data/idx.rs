//! Reads the IDX format of the MNIST family, gzipped or not.
//!
//! A file is a big-endian header (magic number, count and, for images, rows and columns) followed by one byte
//! for each pixel or label. QMNIST's labels are instead rows of 32-bit numbers, of which the first is the
//! class. The input is not trusted: no more is read than the count in the header allows, and that count is
//! bounded.

use std::io::Read;

use super::input::{Fault, read_at_most, unpack};
use super::split::MAX_SIDE;
use crate::Error;

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

    fn magic(self) -> u32 {
        match self {
            Self::Images => 2051,
            Self::Labels => 2049,
        }
    }
}

/// The content of one IDX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The header, unchanged.
    pub header: Vec<u8>,
    /// The bytes after the header, one example after the other.
    pub values: Vec<u8>,
    /// The number of examples.
    pub count: usize,
    /// Rows and columns of an image; for labels, 1 and the number of bytes of a label.
    pub sides: [usize; 2],
}

/// Reads one IDX file of up to `most` bytes after the header, and unpacks it if it is gzipped; messages call it
/// `file`.
///
/// # Errors
///
/// [`Error::File`] if the input is not exactly one well-formed IDX file of this kind.
pub fn read(file: &str, kind: Kind, most: usize, input: impl Read) -> Result<Idx, Error> {
    unpack(input, |input| parse(kind, most, input)).map_err(|fault| fault.of(file))
}

fn parse(kind: Kind, most: usize, input: &mut dyn Read) -> Result<Idx, Fault> {
    let mut header = read_at_most(8, input)?;
    // The magic number is checked first, because a file of another kind may also be shorter.
    let magic = word(kind, &header, 0)?;
    if magic != kind.magic() && !(kind == Kind::Labels && magic == EXTENDED_LABELS) {
        let (expected, kind) = (kind.magic(), kind.name());
        return Err(Fault::Content(match magic.swap_bytes() {
            2051 | 2049 | EXTENDED_LABELS => {
                "the header is in little-endian byte order, must be big-endian".to_owned()
            }
            _ => format!("magic number {magic}, must be {expected} for {kind}"),
        }));
    }
    let more = match magic {
        2051 => 8,
        EXTENDED_LABELS => 4,
        _ => 0,
    };
    header.extend(read_at_most(more, input)?);
    let found = word(kind, &header, 1)?;
    let sides = sides(kind, magic, &header)?;
    let [rows, columns] = sides;
    let (kind, each) = (kind.name(), rows * columns);
    let count = match usize::try_from(found) {
        Ok(count) if (1..=MAX_COUNT).contains(&found) => count,
        _ => {
            let problem = format!("{found} {kind}, must be 1 to {MAX_COUNT}");
            return Err(Fault::Content(problem));
        }
    };
    let expected = match count.checked_mul(each) {
        Some(expected) if expected <= most => expected,
        _ => {
            return Err(Fault::Content(format!(
                "{found} {kind} of {each} bytes, must be at most {most} bytes in all"
            )));
        }
    };

    // One byte more than expected shows whether there are further data; for gzip, reading to the end also
    // checks the CRC.
    let values = read_at_most(expected + 1, input)?;
    match values.len() {
        found if found < expected => Err(Fault::Content(format!(
            "truncated: {found} bytes after the header, must be {expected} for its {count} {kind}"
        ))),
        found if found > expected => Err(Fault::Content(format!(
            "more than {expected} bytes after the header, must be as many for its {count} {kind}"
        ))),
        _ => Ok(Idx {
            header,
            values,
            count,
            sides,
        }),
    }
}

fn word(kind: Kind, header: &[u8], index: usize) -> Result<u32, Fault> {
    let needed = match kind {
        Kind::Images => 16,
        Kind::Labels => 8,
    };
    header
        .get(4 * index..4 * index + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_be_bytes)
        .ok_or_else(|| {
            let found = header.len();
            Fault::Content(format!(
                "{found} bytes are no whole IDX header, must be at least {needed}"
            ))
        })
}

fn sides(kind: Kind, magic: u32, header: &[u8]) -> Result<[usize; 2], Fault> {
    let side = |number: u32, most: usize| {
        let side = usize::try_from(number).unwrap_or(usize::MAX);
        (1..=most).contains(&side).then_some(side)
    };
    match kind {
        Kind::Images => {
            let (rows, columns) = (word(kind, header, 2)?, word(kind, header, 3)?);
            match (side(rows, MAX_SIDE), side(columns, MAX_SIDE)) {
                (Some(rows), Some(columns)) => Ok([rows, columns]),
                _ => Err(Fault::Content(format!(
                    "images of {rows}x{columns} pixels, must be 1x1 to {MAX_SIDE}x{MAX_SIDE}"
                ))),
            }
        }
        Kind::Labels if magic == EXTENDED_LABELS => {
            let columns = word(kind, header, 2)?;
            let bytes = side(columns, MAX_COLUMNS as usize).map(|columns| [1, 4 * columns]);
            bytes.ok_or_else(|| {
                let allowed = format!("must be 1 to {MAX_COLUMNS}");
                Fault::Content(format!("{columns} numbers for each label, {allowed}"))
            })
        }
        Kind::Labels => Ok([1, 1]),
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
                Fault::Content(format!("label {found} at index {index}, must be 0 to 255"))
            })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
