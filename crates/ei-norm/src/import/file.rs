//! Reads files of both formats, and completes error messages about a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path};

use pytorch_reader::{DType as TorchType, PytorchError, PytorchReader};
use safetensors::{Dtype as FileType, SafeTensors};
use serde::Deserialize;

use super::Weights;
use super::weights::Stored;
use crate::Error;

const NO_TENSORS: &str = "it holds no tensors";

/// Appended to the reason why a PyTorch file cannot be read.
const INSTEAD: &str = "; from Python, `safetensors.torch.save_file(model.state_dict(), \
                       \"model.safetensors\")` writes a file that can be read";

impl Weights {
    /// Reads a file that `torch.save` wrote: a `state_dict` or, with `within`, the `state_dict` under this
    /// key of a checkpoint, such as `Some("state_dict")`. Nothing in the file is executed.
    ///
    /// # Errors
    ///
    /// [`Error::File`] with the path, if the file cannot be read or holds no tensors.
    pub fn from_pytorch(path: impl AsRef<Path>, within: Option<&str>) -> Result<Self, Error> {
        let path = path.as_ref();
        check_regular(path)?;
        let read = || -> Result<BTreeMap<String, Stored>, PytorchError> {
            let reader = match within {
                Some(key) => PytorchReader::with_top_level_key(path, key),
                None => PytorchReader::new(path),
            }?;
            let stored = |(key, tensor): (String, pytorch_reader::Tensor)| {
                let stored = Stored {
                    shape: tensor.shape().to_vec(),
                    dtype: file_type(tensor.dtype()),
                    bytes: tensor.read()?,
                };
                Ok((key, stored))
            };
            reader.into_tensors().into_iter().map(stored).collect()
        };
        // Files may be malicious, and the pickle parser is an external crate that may panic.
        let (reason, instead) = match catch_unwind(AssertUnwindSafe(read)) {
            Ok(Ok(tensors)) if !tensors.is_empty() => return Ok(Self { tensors }),
            Ok(Ok(_)) => (NO_TENSORS.to_owned(), INSTEAD),
            Ok(Err(error @ (PytorchError::Io(_) | PytorchError::KeyNotFound(_)))) => {
                (error.to_string(), "")
            }
            Ok(Err(error)) => (error.to_string(), INSTEAD),
            Err(_) => (
                "the file is damaged: its reader panicked".to_owned(),
                INSTEAD,
            ),
        };
        Err(refuse(path, Format::PyTorch, reason, instead))
    }

    /// Reads a safetensors file or, if the path ends with `.json`, all files of an index
    /// (`model.safetensors.index.json`): from each file the keys that the index assigns to it.
    ///
    /// # Errors
    ///
    /// [`Error::File`] with the path, if a file cannot be read, is not a safetensors file or holds no tensors, if
    /// it lacks a key of the index, or if the index names a file outside of its own folder.
    pub fn from_safetensors_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        match path.extension() {
            Some(ending) if ending == "json" => read_index(path),
            _ => read_safetensors(path),
        }
    }

    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the bytes are not a safetensors file or hold no tensors.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, Error> {
        parse(bytes).map_err(Error::file)
    }
}

fn parse(bytes: &[u8]) -> Result<Weights, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let stored = |(key, view): (&str, safetensors::tensor::TensorView)| {
        let stored = Stored {
            shape: view.shape().to_vec(),
            dtype: view.dtype(),
            bytes: view.data().to_vec(),
        };
        (key.to_owned(), stored)
    };
    some(file.iter().map(stored).collect())
}

fn some(tensors: BTreeMap<String, Stored>) -> Result<Weights, String> {
    match tensors.is_empty() {
        true => Err(NO_TENSORS.to_owned()),
        false => Ok(Weights { tensors }),
    }
}

fn read_safetensors(path: &Path) -> Result<Weights, Error> {
    let format = Format::Safetensors;
    parse(&read(path, format)?).map_err(|reason| refuse(path, format, reason, ""))
}

/// The file of each key.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

fn read_index(path: &Path) -> Result<Weights, Error> {
    let wrong = |reason: String| refuse(path, Format::Index, reason, "");
    let bytes = read(path, Format::Index)?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let mut files = BTreeMap::new();
    let mut tensors = BTreeMap::new();
    for (key, name) in index.weight_map {
        if !files.contains_key(&name) {
            let inside = |part| matches!(part, Component::Normal(_));
            if name.is_empty() || !Path::new(&name).components().all(inside) {
                let reason = "is not a file in the folder of the index";
                return Err(wrong(format!("`{name}`, the file of `{key}`, {reason}")));
            }
            files.insert(name.clone(), read_safetensors(&path.with_file_name(&name))?);
        }
        let file = files.get_mut(&name);
        let Some(stored) = file.and_then(|file| file.tensors.remove(&key)) else {
            return Err(wrong(format!("`{key}` is not in its file `{name}`")));
        };
        tensors.insert(key, stored);
    }
    some(tensors).map_err(wrong)
}

/// The bytes of a file.
fn read(path: &Path, read_as: Format) -> Result<Vec<u8>, Error> {
    check_regular(path)?;
    std::fs::read(path).map_err(|error| refuse(path, read_as, error.to_string(), ""))
}

/// Refuses FIFOs, which would block, and devices, which may never end. The reader handles missing paths.
fn check_regular(path: &Path) -> Result<(), Error> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let reason = "it is a directory, a FIFO or a device, not a file";
            Err(Error::file(format!("`{}`: {reason}", path.display())))
        }
        _ => Ok(()),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    PyTorch,
    Safetensors,
    Index,
}

/// The error with the path, the reason and a hint: the format of the file, if its first bytes tell it, else
/// `instead`.
fn refuse(path: &Path, read_as: Format, reason: String, instead: &str) -> Error {
    let mut start = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(9).read_to_end(&mut start));
    let hint = match start.as_slice() {
        [] if opened.is_ok() => " (the file is empty)",
        [b'P', b'K', 3, 4, ..] if read_as != Format::PyTorch => {
            " (it looks like PyTorch's: `Weights::from_pytorch`)"
        }
        // The length of the header, then the header, which is JSON.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] if read_as != Format::Safetensors => {
            " (it looks like safetensors: `Weights::from_safetensors_file`)"
        }
        _ => instead,
    };
    Error::file(format!("`{}`: {reason}{hint}", path.display()))
}

fn file_type(dtype: TorchType) -> FileType {
    match dtype {
        TorchType::F64 => FileType::F64,
        TorchType::F32 => FileType::F32,
        TorchType::F16 => FileType::F16,
        TorchType::BF16 => FileType::BF16,
        TorchType::I64 => FileType::I64,
        TorchType::I32 => FileType::I32,
        TorchType::I16 => FileType::I16,
        TorchType::I8 => FileType::I8,
        TorchType::U64 => FileType::U64,
        TorchType::U32 => FileType::U32,
        TorchType::U16 => FileType::U16,
        TorchType::U8 => FileType::U8,
        TorchType::Bool => FileType::BOOL,
    }
}
