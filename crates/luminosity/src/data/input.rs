//! Opens data files and recognizes other content under their names.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::one_line;
use crate::{Error, files, inflate};

/// The most bytes of images that are read into memory: 1 GiB.
pub const MAX_BYTES: usize = 1 << 30;

/// The number of first bytes by which the kind of a file is recognized.
const START: usize = 64;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The most memory to reserve before the bytes arrive: the size of the published training images.
const MAX_RESERVED: usize = 47 << 20;

/// The fault of a file, in words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The operating system could not read it, for this reason.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Its content is wrong.
    #[error("{0}")]
    Content(String),
}

impl Fault {
    /// The fault of wrong content.
    pub(crate) fn content(problem: impl Into<String>) -> Self {
        Self::Content(problem.into())
    }

    /// The fault of a file that needs more memory than is allowed.
    pub(crate) fn too_large(most: usize) -> Self {
        Self::content(format!("more than {most} bytes; must be at most {most}"))
    }

    /// The error that names the file, in one line.
    pub(crate) fn of(self, file: impl AsRef<Path>) -> Error {
        Error::file(file.as_ref(), one_line(&self.to_string()))
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Opens a regular file.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let no_file = || Fault::content("a pipe or a device; must be a file");
    let open = || files::open(path)?.ok_or_else(no_file);
    open().map_err(|fault| fault.of(path))
}

/// The SHA-256 of a file, not unpacked.
pub(crate) fn file_sha256(path: &Path) -> Result<String, Error> {
    let digest = begin(open(path)?).and_then(|(_, content)| Ok(sha256_of(content)?));
    digest.map_err(|fault| fault.of(path))
}

/// Calls `parse` with the content of a file, unpacked if it is gzipped.
pub(crate) fn parse_file<T>(
    path: &Path,
    parse: impl FnOnce(&mut dyn Read) -> Result<T, Fault>,
) -> Result<T, Error> {
    unpack(open(path)?, parse).map_err(|fault| fault.of(path))
}

/// Calls `parse` with the content of an input, unpacked if it is gzipped.
pub(crate) fn unpack<T>(
    input: impl Read,
    parse: impl FnOnce(&mut dyn Read) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let (gzipped, mut input) = begin(input)?;
    if !gzipped {
        return parse(&mut input);
    }
    let parsed = begin(inflate::gunzip(input)).and_then(|(twice, mut input)| match twice {
        true => Err(Fault::content("gzipped twice; unpack it once with gunzip")),
        false => parse(&mut input),
    });
    parsed.map_err(|fault| match fault {
        Fault::Unreadable(reason) => Fault::Content(format!("damaged gzip: {reason}")),
        other => other,
    })
}

/// Whether an input is gzipped, and the whole input; refuses web pages and Git LFS pointers in place of a file.
fn begin<R: Read>(mut input: R) -> Result<(bool, impl Read), Fault> {
    let start = read_at_most(START, &mut input)?;
    let text = String::from_utf8_lossy(&start).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let page = ["<!doctype", "<html", "<?xml", "<head"];
    if page.iter().any(|tag| text.starts_with(tag)) {
        return Err(Fault::content(
            "a web page (HTML) and not the data; get the file again",
        ));
    }
    // The repository was cloned without its large files.
    if text.starts_with("version https://git-lfs") {
        return Err(Fault::content(
            "a pointer of Git LFS and not the data; get it with `git lfs pull`",
        ));
    }
    Ok((
        start.starts_with(&GZIP_MAGIC),
        Cursor::new(start).chain(input),
    ))
}

/// Reads to the end or up to a limit; memory grows with the arriving bytes.
pub(crate) fn read_at_most(limit: usize, input: &mut dyn Read) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::with_capacity(limit.min(MAX_RESERVED));
    input.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The SHA-256 of the concatenated parts, in hexadecimal.
pub(crate) fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let hasher = parts.into_iter().fold(Sha256::new(), Digest::chain_update);
    format!("{:x}", hasher.finalize())
}

/// The digest of all that is left of an input.
pub(crate) fn sha256_of(mut input: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut input, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}
