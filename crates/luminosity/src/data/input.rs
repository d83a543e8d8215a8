//! Opens data files and recognizes other content under their names.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{one_line, shown};
use crate::{Error, files, inflate};

/// The most bytes of images that are read into memory: 1 GiB.
pub const MAX_BYTES: usize = 1 << 30;

/// The number of first bytes by which the kind of a file is recognized.
const START: usize = 64;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The most memory to reserve before the bytes arrive: the size of the published training images.
const MAX_RESERVED: usize = 47 << 20;

/// The fault of a file, in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The operating system could not read it, for this reason.
    Unreadable(String),
    /// Its content is wrong.
    Content(String),
}

impl Fault {
    /// The fault of a file that needs more memory than is allowed.
    pub(crate) fn too_large(most: usize) -> Self {
        Self::Content(format!("more than {most} bytes; must be at most as many"))
    }

    /// The error that names the file.
    pub(crate) fn of(self, file: &str) -> Error {
        let problem = match self {
            Self::Unreadable(reason) => format!("cannot be read: {reason}"),
            Self::Content(problem) => problem,
        };
        Error::file(Path::new(file), problem)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable(one_line(&error.to_string()))
    }
}

/// Opens a regular file.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let no_file = || Fault::Content("a pipe or a device; must be a file".to_owned());
    let open = || files::open(path)?.ok_or_else(no_file);
    open().map_err(|fault| fault.of(&shown(path)))
}

/// The SHA-256 of a file, not unpacked.
pub(crate) fn file_sha256(path: &Path) -> Result<String, Error> {
    let mut file = open(path)?;
    let mut hash = || {
        let start = read_at_most(START, &mut file)?;
        recognize(&start)?;
        let mut hasher = Sha256::new_with_prefix(start);
        std::io::copy(&mut file, &mut hasher)?;
        Ok(hex(hasher))
    };
    hash().map_err(|fault: Fault| fault.of(&shown(path)))
}

/// Calls `parse` with the content of a file, unpacked if it is gzipped.
pub(crate) fn unpack<T>(
    mut input: impl Read,
    parse: impl FnOnce(&mut dyn Read) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let start = read_at_most(START, &mut input)?;
    if !start.starts_with(&GZIP_MAGIC) {
        recognize(&start)?;
        return parse(&mut Cursor::new(start).chain(input));
    }
    let mut input = inflate::gunzip(Cursor::new(start).chain(input));
    let parsed = read_at_most(START, &mut input).and_then(|start| {
        if start.starts_with(&GZIP_MAGIC) {
            let problem = "gzipped twice; unpack it once with gunzip";
            return Err(Fault::Content(problem.to_owned()));
        }
        recognize(&start)?;
        parse(&mut Cursor::new(start).chain(input))
    });
    parsed.map_err(|fault| match fault {
        Fault::Unreadable(reason) => Fault::Content(format!("damaged gzip: {reason}")),
        other => other,
    })
}

/// Refuses web pages and Git LFS pointers in place of a file.
fn recognize(start: &[u8]) -> Result<(), Fault> {
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let page = ["<!doctype", "<html", "<?xml", "<head"];
    let problem = if page.iter().any(|tag| text.starts_with(tag)) {
        "a web page (HTML) and not the data; get the file again"
    } else if text.starts_with("version https://git-lfs") {
        // The repository was cloned without its large files.
        "a pointer of Git LFS and not the data; get it with `git lfs pull`"
    } else {
        return Ok(());
    };
    Err(Fault::Content(problem.to_owned()))
}

/// Reads to the end or up to a limit; memory grows with the arriving bytes.
pub(crate) fn read_at_most(limit: usize, input: &mut dyn Read) -> Result<Vec<u8>, Fault> {
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

/// The digest of all that is left of an input.
pub(crate) fn sha256_of(mut input: impl Read) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut input, &mut hasher)?;
    Ok(hex(hasher))
}

fn hex(hasher: Sha256) -> String {
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
