//! What an error says of the file that it is about.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    PyTorch,
    Safetensors,
}

/// Puts the path before the reason, and behind it what else the file is, if its first bytes tell.
pub(super) fn locate(path: &Path, read_as: Format, error: Error) -> Error {
    let Error::File { reason } = error else {
        return error;
    };
    let hint = match start(path) {
        Some(bytes) if bytes.is_empty() => " (the file is empty)",
        Some(bytes) => match format(&bytes).filter(|format| *format != read_as) {
            Some(Format::PyTorch) => " (it looks like PyTorch's: `Weights::from_pytorch`)",
            Some(Format::Safetensors) => {
                " (it looks like safetensors: `Weights::from_safetensors_file`)"
            }
            None => "",
        },
        None => "",
    };
    Error::file(format!("`{}`: {reason}{hint}", path.display()))
}

/// Up to 9 bytes; none of what is no file.
fn start(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(9)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

fn format(start: &[u8]) -> Option<Format> {
    match start {
        [b'P', b'K', 3, 4, ..] => Some(Format::PyTorch),
        // The length of a header, which is JSON.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => Some(Format::Safetensors),
        _ => None,
    }
}
