use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{DType, TensorData};
use safetensors::{Dtype as FileType, tensor::TensorView};

use super::{KeyMap, parameters};
use crate::error::{Error, list};

/// A tensor of a file, of any type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) shape: Vec<usize>,
    pub(super) dtype: FileType,
    pub(super) bytes: Vec<u8>,
}

/// The possible types of parameters.
const FLOATS: [(FileType, DType); 4] = [
    (FileType::F64, DType::F64),
    (FileType::F32, DType::F32),
    (FileType::F16, DType::F16),
    (FileType::BF16, DType::BF16),
];

impl Stored {
    /// Burn's name of a floating-point type; none for other types.
    pub(super) fn float(&self) -> Option<DType> {
        let float = FLOATS.into_iter().find(|(file, _)| *file == self.dtype);
        float.map(|(_, burn)| burn)
    }
}

/// The tensors of a file, by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    pub(super) tensors: BTreeMap<String, Stored>,
}

impl Weights {
    /// The weights of a model, under the keys of a table. These are the computed values if a weight is
    /// [reparameterized](crate::dale::reparameterize), and 0 where it has no connection; masks and
    /// reparameterizations are not included. A [difference](KeyMap::with_difference) becomes its positive and
    /// its negative part.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] if the table does not fit the model, or if parameters with the same key
    /// ([`KeyMap::with_tied`]) have different values.
    pub fn of<M: Module>(model: &M, map: &KeyMap) -> Result<Self, Error> {
        let parameters = parameters::of(model, true);
        let mut tensors = BTreeMap::new();
        for pair in map.pair(&parameters)? {
            let (entry, parameter, shape) = (pair.entry, pair.parameter, pair.shape);
            let float = FLOATS
                .into_iter()
                .find(|(_, float)| *float == parameter.dtype);
            let (file, dtype) = float.unwrap_or((FileType::F32, DType::F32));
            let values = entry.axes.reorder(&parameter.values, &parameter.shape);
            let above = |v: f64| if v < 0.0 { 0.0 } else { v };
            let parts = match &entry.keys[..] {
                [key] => vec![(key, values)],
                keys => {
                    let part = |sign| values.iter().map(|v| above(sign * v)).collect();
                    keys.iter().zip([part(1.0), part(-1.0)]).collect()
                }
            };
            for (key, values) in parts {
                let data = TensorData::new(values, shape.clone()).convert_dtype(dtype);
                let stored = Stored {
                    shape: shape.clone(),
                    dtype: file,
                    bytes: data.as_bytes().to_vec(),
                };
                let first = tensors.entry(key.clone()).or_insert_with(|| stored.clone());
                if *first != stored {
                    let found = format!("other values in `{}` than before", entry.path);
                    let expected = "the same values in all parameters of a key";
                    return Err(Error::import(key, found, expected));
                }
            }
        }
        Ok(Self { tensors })
    }

    /// Removes a prefix of keys that a wrapper has added, such as `module.` (DataParallel), `_orig_mod.`
    /// (`torch.compile`) or `model.` (Lightning). Keys without this prefix stay unchanged.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] if no key has the prefix, or if a shortened key exists already.
    pub fn without_prefix(self, prefix: &str) -> Result<Self, Error> {
        if !self.keys().any(|key| key.starts_with(prefix)) {
            let expected = format!("a beginning of {}", list(self.keys()));
            return Err(Error::import(prefix, "a prefix of no key", expected));
        }
        let mut tensors = BTreeMap::new();
        for (key, stored) in self.tensors {
            let short = key.strip_prefix(prefix).unwrap_or(&key);
            if tensors.insert(short.to_owned(), stored).is_some() {
                let found = format!("`{short}` both with and without the prefix `{prefix}`");
                return Err(Error::import(&key, found, "each key once"));
            }
        }
        Ok(Self { tensors })
    }

    /// The bytes of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the format cannot represent the tensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, Error> {
        let views: Result<Vec<_>, _> = (self.tensors.iter())
            .map(|(key, stored)| {
                let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes)?;
                Ok((key, view))
            })
            .collect();
        let bytes = views.and_then(|views| safetensors::serialize(views, None));
        bytes.map_err(Error::file)
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor.
    pub fn shape(&self, key: &str) -> Option<&[usize]> {
        self.tensors.get(key).map(|stored| stored.shape.as_slice())
    }
}
