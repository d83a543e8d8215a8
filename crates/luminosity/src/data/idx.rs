//! Reads the IDX format of the MNIST family, gzipped or not.
//!
//! A file is a big-endian header (magic number, count and, for images, rows and
//! columns) followed by one byte per pixel or label. The input is not trusted:
//! no more is read than the header's own count allows, and that is capped.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;
use thiserror::Error;

use super::error::{DataError, one_line};
use super::{CLASSES, PIXELS};

/// Rows and columns of an image.
pub const SIDE: u32 = 28;
/// The most examples that one file may claim.
pub const MAX_COUNT: u32 = 1_000_000;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The most memory to reserve on the word of a header alone: the published
/// training images fit, anything larger grows as its bytes really arrive.
const MAX_RESERVED: usize = 64 << 20;

/// What an IDX file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Images of 28x28 pixels.
    Images,
    /// Labels of the classes 0 to 9.
    Labels,
}

impl Kind {
    /// The word for it in messages.
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

    fn header_len(self) -> usize {
        match self {
            Self::Images => 16,
            Self::Labels => 8,
        }
    }

    fn example_len(self) -> usize {
        match self {
            Self::Images => PIXELS,
            Self::Labels => 1,
        }
    }
}

/// The content of one IDX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The header as it stands in the file.
    pub header: Vec<u8>,
    /// The pixels or labels, one example after the other.
    pub values: Vec<u8>,
    /// How many examples there are.
    pub count: usize,
}

/// What is wrong with an IDX file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum IdxProblem {
    /// The operating system could not read it.
    #[error("cannot be read: {reason}")]
    Unreadable { reason: String },
    /// It starts like gzip but does not unpack.
    #[error("damaged gzip: {reason}")]
    DamagedGzip { reason: String },
    /// It ends inside the header.
    #[error("{found} bytes are no whole IDX header, must be at least {needed}")]
    ShortHeader { found: usize, needed: usize },
    /// It is of another kind or no IDX file at all.
    #[error("magic number {found}, must be {expected} for {kind}")]
    Magic {
        found: u32,
        expected: u32,
        kind: &'static str,
    },
    /// Its images have another size.
    #[error("images of {rows}x{columns} pixels, must be {SIDE}x{SIDE}")]
    ImageSize { rows: u32, columns: u32 },
    /// It claims no examples or too many.
    #[error("{found} {kind}, must be 1 to {MAX_COUNT}")]
    Count { found: u32, kind: &'static str },
    /// It ends before its last example.
    #[error("truncated: {found} bytes after the header, must be {expected} for its {count} {kind}")]
    Truncated {
        found: usize,
        expected: usize,
        count: usize,
        kind: &'static str,
    },
    /// It goes on after its last example.
    #[error("more than {expected} bytes after the header, must be as many for its {count} {kind}")]
    Trailing {
        expected: usize,
        count: usize,
        kind: &'static str,
    },
    /// One of its labels names no class.
    #[error("label {found} at index {index}, must be 0 to {}", CLASSES - 1)]
    Label { found: u8, index: usize },
}

/// Reads one IDX file, which messages call `file`, and unpacks it where it is gzipped.
///
/// # Errors
///
/// [`DataError::Idx`] where the input is not exactly one well-formed IDX file of this kind.
pub fn read(file: &str, kind: Kind, input: impl Read) -> Result<Idx, DataError> {
    unpack(kind, input).map_err(|problem| DataError::Idx {
        file: one_line(file),
        problem,
    })
}

fn unpack(kind: Kind, mut input: impl Read) -> Result<Idx, IdxProblem> {
    let start = read_at_most(GZIP_MAGIC.len(), &mut input)?;
    let gzipped = start == GZIP_MAGIC;
    let input = Cursor::new(start).chain(input);
    if !gzipped {
        return parse(kind, input);
    }
    // The decoder for several members, because the one for a single member
    // would ignore whatever follows it.
    parse(kind, MultiGzDecoder::new(input)).map_err(|problem| match problem {
        IdxProblem::Unreadable { reason } => IdxProblem::DamagedGzip { reason },
        other => other,
    })
}

fn parse(kind: Kind, mut input: impl Read) -> Result<Idx, IdxProblem> {
    let header = read_at_most(kind.header_len(), &mut input)?;
    let count = check_header(kind, &header)?;
    let expected = count * kind.example_len();

    // One byte more than allowed tells whether something follows; for gzip,
    // reaching the end is also what checks the CRC.
    let values = read_at_most(expected + 1, &mut input)?;
    let found = values.len();
    let kind_name = kind.name();
    if found < expected {
        return Err(IdxProblem::Truncated {
            found,
            expected,
            count,
            kind: kind_name,
        });
    }
    if found > expected {
        return Err(IdxProblem::Trailing {
            expected,
            count,
            kind: kind_name,
        });
    }
    if kind == Kind::Labels {
        check_labels(&values)?;
    }
    Ok(Idx {
        header,
        values,
        count,
    })
}

fn check_header(kind: Kind, header: &[u8]) -> Result<usize, IdxProblem> {
    let word = |index: usize| {
        header
            .get(4 * index..4 * index + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_be_bytes)
            .ok_or(IdxProblem::ShortHeader {
                found: header.len(),
                needed: kind.header_len(),
            })
    };
    // The magic number first: a file of another kind may also be shorter.
    let found = word(0)?;
    if found != kind.magic() {
        return Err(IdxProblem::Magic {
            found,
            expected: kind.magic(),
            kind: kind.name(),
        });
    }
    let found = word(1)?;
    if kind == Kind::Images {
        let (rows, columns) = (word(2)?, word(3)?);
        if (rows, columns) != (SIDE, SIDE) {
            return Err(IdxProblem::ImageSize { rows, columns });
        }
    }
    match usize::try_from(found) {
        Ok(count) if (1..=MAX_COUNT).contains(&found) => Ok(count),
        _ => Err(IdxProblem::Count {
            found,
            kind: kind.name(),
        }),
    }
}

fn check_labels(labels: &[u8]) -> Result<(), IdxProblem> {
    let wrong = labels
        .iter()
        .enumerate()
        .find(|&(_, &label)| usize::from(label) >= CLASSES);
    match wrong {
        Some((index, &found)) => Err(IdxProblem::Label { found, index }),
        None => Ok(()),
    }
}

fn read_at_most(limit: usize, input: &mut impl Read) -> Result<Vec<u8>, IdxProblem> {
    let mut bytes = Vec::with_capacity(limit.min(MAX_RESERVED));
    input
        .take(limit as u64)
        .read_to_end(&mut bytes)
        .map_err(|error: io::Error| IdxProblem::Unreadable {
            reason: one_line(&error.to_string()),
        })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
