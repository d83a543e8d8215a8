use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, bf16, f16};
use pytorch_reader::{DType as TorchType, PytorchReader};
use safetensors::{Dtype as SafeType, SafeTensors, View};

use super::file::{Format, locate};
use super::{KeyMap, parameters};
use crate::Error;

/// A tensor of a file. f64 holds the values of every floating-point type exactly.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
    /// Row by row; empty for types that are not floating-point.
    pub(super) values: Vec<f64>,
}

/// Tensors by key, as a file has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Stored>,
}

impl Weights {
    /// Reads a file that `torch.save` wrote: a `state_dict`, or with `within` the one under this key
    /// of a checkpoint, such as `Some("state_dict")`. Nothing in the file is executed.
    ///
    /// # Errors
    ///
    /// [`Error::File`] with the path, if the file cannot be read or holds no tensors.
    pub fn from_pytorch(path: impl AsRef<Path>, within: Option<&str>) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = || match within {
            Some(key) => PytorchReader::with_top_level_key(path, key),
            None => PytorchReader::new(path),
        };
        // Files come from anywhere, and the parser of their pickles is not ours to vouch for.
        let weights = guarded(|| {
            let reader = read().map_err(Error::file)?;
            let mut tensors = BTreeMap::new();
            for (key, tensor) in reader.into_tensors() {
                let bytes = tensor.read().map_err(Error::file)?;
                let stored = Stored {
                    shape: tensor.shape().to_vec(),
                    dtype: torch_type(tensor.dtype()),
                    values: decode(&bytes, torch_type(tensor.dtype())),
                };
                tensors.insert(key, stored.whole()?);
            }
            if tensors.is_empty() {
                return Err(Error::file("it holds no tensors"));
            }
            Ok(Self { tensors })
        });
        weights.map_err(|error| locate(path, Format::PyTorch, error))
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] with the path, if the file cannot be read, is not one, or holds a type that
    /// Burn does not have.
    pub fn from_safetensors_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(Error::file);
        let weights = bytes.and_then(|bytes| Self::from_safetensors(&bytes));
        weights.map_err(|error| locate(path, Format::Safetensors, error))
    }

    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if they are not one, or hold a type that Burn does not have.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, Error> {
        let file = SafeTensors::deserialize(bytes).map_err(Error::file)?;
        let mut tensors = BTreeMap::new();
        for (key, view) in file.iter() {
            let dtype = safe_type(view.dtype()).ok_or_else(|| {
                Error::file(format!("`{key}` is of the unknown type {:?}", view.dtype()))
            })?;
            let stored = Stored {
                shape: view.shape().to_vec(),
                dtype,
                values: decode(view.data(), dtype),
            };
            tensors.insert(key.to_owned(), stored.whole()?);
        }
        Ok(Self { tensors })
    }

    /// The weights of a model, under the keys of a table: the values that the model computes with,
    /// also where a weight is [reparameterized](crate::dale::reparameterize), and 0 where it has no
    /// connection. Masks and reparameterizations themselves are not among them.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] if the table does not fit the model.
    pub fn of<M: Module>(model: &M, map: &KeyMap) -> Result<Self, Error> {
        let parameters = parameters::with_values(model);
        let pairs = parameters::pair(&parameters, map)?;
        let tensors = pairs.into_iter().map(|(entry, parameter, shape)| {
            let stored = Stored {
                shape,
                dtype: parameter.dtype,
                values: entry.axes.reorder(&parameter.values, &parameter.shape),
            };
            (entry.key.clone(), stored)
        });
        Ok(Self {
            tensors: tensors.collect(),
        })
    }

    /// The bytes of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a tensor is not floating-point.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, Error> {
        if let Some((key, stored)) = self.tensors.iter().find(|(_, s)| !s.dtype.is_float()) {
            return Err(Error::file(format!(
                "`{key}` is {:?}; only floating-point tensors are written",
                stored.dtype
            )));
        }
        safetensors::serialize(&self.tensors, None).map_err(Error::file)
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor.
    pub fn shape(&self, key: &str) -> Option<&[usize]> {
        self.get(key).map(|stored| stored.shape.as_slice())
    }

    pub(super) fn get(&self, key: &str) -> Option<&Stored> {
        self.tensors.get(key)
    }
}

impl Stored {
    /// Checks that there is a value for every element.
    fn whole(self) -> Result<Self, Error> {
        let elements = self
            .shape
            .iter()
            .try_fold(1_usize, |n, d| n.checked_mul(*d));
        if !self.dtype.is_float() || elements == Some(self.values.len()) {
            return Ok(self);
        }
        let (shape, values) = (self.shape, self.values.len());
        Err(Error::file(format!(
            "{values} values for the shape {shape:?}"
        )))
    }
}

impl View for &Stored {
    fn dtype(&self) -> SafeType {
        match self.dtype {
            DType::F64 => SafeType::F64,
            DType::F16 => SafeType::F16,
            DType::BF16 => SafeType::BF16,
            _ => SafeType::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        fn bytes<const N: usize>(values: &[f64], f: impl Fn(f64) -> [u8; N]) -> Cow<'_, [u8]> {
            values
                .iter()
                .flat_map(|v| f(*v))
                .collect::<Vec<u8>>()
                .into()
        }
        let values = &self.values;
        match self.dtype {
            DType::F64 => bytes(values, f64::to_le_bytes),
            DType::F16 => bytes(values, |v| f16::from_f64(v).to_le_bytes()),
            DType::BF16 => bytes(values, |v| bf16::from_f64(v).to_le_bytes()),
            _ => bytes(values, |v| (v as f32).to_le_bytes()),
        }
    }

    fn data_len(&self) -> usize {
        self.values.len() * self.dtype.size()
    }
}

/// Turns a panic into an error.
fn guarded<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Error::file("the file is damaged: its reader panicked")))
}

/// The values of little-endian bytes.
fn decode(bytes: &[u8], dtype: DType) -> Vec<f64> {
    fn values<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let (chunks, _) = bytes.as_chunks::<N>();
        chunks.iter().map(|chunk| f(*chunk)).collect()
    }
    match dtype {
        DType::F64 => values(bytes, f64::from_le_bytes),
        DType::F32 => values(bytes, |b| f32::from_le_bytes(b).into()),
        DType::F16 => values(bytes, |b| f16::from_le_bytes(b).into()),
        DType::BF16 => values(bytes, |b| bf16::from_le_bytes(b).into()),
        _ => Vec::new(),
    }
}

fn torch_type(dtype: TorchType) -> DType {
    match dtype {
        TorchType::F64 => DType::F64,
        TorchType::F32 => DType::F32,
        TorchType::F16 => DType::F16,
        TorchType::BF16 => DType::BF16,
        TorchType::I64 => DType::I64,
        TorchType::I32 => DType::I32,
        TorchType::I16 => DType::I16,
        TorchType::I8 => DType::I8,
        TorchType::U64 => DType::U64,
        TorchType::U32 => DType::U32,
        TorchType::U16 => DType::U16,
        TorchType::U8 | TorchType::Bool => DType::U8,
    }
}

fn safe_type(dtype: SafeType) -> Option<DType> {
    Some(match dtype {
        SafeType::F64 => DType::F64,
        SafeType::F32 => DType::F32,
        SafeType::F16 => DType::F16,
        SafeType::BF16 => DType::BF16,
        SafeType::I64 => DType::I64,
        SafeType::I32 => DType::I32,
        SafeType::I16 => DType::I16,
        SafeType::I8 => DType::I8,
        SafeType::U64 => DType::U64,
        SafeType::U32 => DType::U32,
        SafeType::U16 => DType::U16,
        SafeType::U8 | SafeType::BOOL => DType::U8,
        _ => return None,
    })
}
