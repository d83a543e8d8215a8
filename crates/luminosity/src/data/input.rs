//! Opens data files and recognizes other content under their names.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::error::{DataError, one_line, shown};
use super::idx::IdxProblem;
use crate::{files, inflate};

/// The most bytes of images that are read into memory: 1 GiB.
pub const MAX_BYTES: usize = 1 << 30;

/// The number of bytes from which a file is recognized.
const START: usize = 64;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The most memory to reserve before the bytes arrive: the size of the published training images.
const MAX_RESERVED: usize = 47 << 20;

/// The fault of a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum Problem {
    /// The operating system could not read it.
    #[error("cannot be read: {reason}")]
    Unreadable { reason: String },
    /// It is not a regular file, and reading it could block.
    #[error("a pipe or a device; must be a file")]
    NoFile,
    /// It starts like gzip but cannot be unpacked.
    #[error("damaged gzip: {reason}")]
    DamagedGzip { reason: String },
    /// The unpacked content is gzip again.
    #[error("gzipped twice; unpack it once with gunzip")]
    GzippedTwice,
    /// It is a web page that a server sent in place of the file.
    #[error("a web page (HTML) and not the data; get the file again")]
    WebPage,
    /// It is a Git LFS pointer: the repository was cloned without its large files.
    #[error("a pointer of Git LFS and not the data; get it with `git lfs pull`")]
    LfsPointer,
    /// It needs more memory than is allowed.
    #[error("more than {most} bytes; must be at most as many")]
    TooLarge { most: usize },
    /// It is not well-formed IDX.
    #[error(transparent)]
    Idx(#[from] IdxProblem),
    /// It is not well-formed in another format.
    #[error("{0}")]
    Format(String),
}

impl Problem {
    /// The error that names the file.
    pub(crate) fn of(self, file: &str) -> DataError {
        DataError::File {
            file: one_line(file),
            problem: self,
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable {
            reason: one_line(&error.to_string()),
        }
    }
}

/// Opens a regular file.
pub(crate) fn open(path: &Path) -> Result<File, DataError> {
    let open = || files::open(path)?.ok_or(Problem::NoFile);
    open().map_err(|problem| problem.of(&shown(path)))
}

/// The SHA-256 of a file, not unpacked.
pub(crate) fn file_sha256(path: &Path) -> Result<String, DataError> {
    let mut file = open(path)?;
    let mut hash = || {
        let start = read_at_most(START, &mut file)?;
        recognize(&start)?;
        let mut hasher = Sha256::new_with_prefix(start);
        std::io::copy(&mut file, &mut hasher)?;
        Ok(hex(hasher))
    };
    hash().map_err(|problem: Problem| problem.of(&shown(path)))
}

/// Calls `parse` with the content of a file, unpacked if it is gzipped.
pub(crate) fn unpack<T>(
    mut input: impl Read,
    parse: impl FnOnce(&mut dyn Read) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let start = read_at_most(START, &mut input)?;
    if !start.starts_with(&GZIP_MAGIC) {
        recognize(&start)?;
        return parse(&mut Cursor::new(start).chain(input));
    }
    let mut input = inflate::gunzip(Cursor::new(start).chain(input));
    let parsed = read_at_most(START, &mut input).and_then(|start| {
        if start.starts_with(&GZIP_MAGIC) {
            return Err(Problem::GzippedTwice);
        }
        recognize(&start)?;
        parse(&mut Cursor::new(start).chain(input))
    });
    parsed.map_err(|problem| match problem {
        Problem::Unreadable { reason } => Problem::DamagedGzip { reason },
        other => other,
    })
}

/// Refuses web pages and Git LFS pointers in place of a file.
fn recognize(start: &[u8]) -> Result<(), Problem> {
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    match text {
        _ if ["<!doctype", "<html", "<?xml", "<head"]
            .iter()
            .any(|tag| text.starts_with(tag)) =>
        {
            Err(Problem::WebPage)
        }
        _ if text.starts_with("version https://git-lfs") => Err(Problem::LfsPointer),
        _ => Ok(()),
    }
}

/// Reads to the end or up to a limit; memory grows with the arriving bytes.
pub(crate) fn read_at_most(limit: usize, input: &mut dyn Read) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::with_capacity(limit.min(MAX_RESERVED));
    input.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The SHA-256 of the concatenated parts, in hexadecimal.
pub(crate) fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hex(hasher)
}

fn hex(hasher: Sha256) -> String {
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
