use std::collections::{HashMap, HashSet};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};

use super::key_map::Pair;
use super::weights::Stored;
use super::{Axes, KeyMap, Weights, parameters};
use crate::dale::{Sign, Storage, breaking, on_inner};
use crate::error::{Error, list};

/// The treatment of negative values for a parameter that Dale's law keeps non-negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Signs {
    /// They are an error.
    #[default]
    Check,
    /// They become 0, as after [`dale::project`](crate::dale::project).
    Project,
    /// They are taken as they are, except for reparameterized weights
    /// ([`dale::reparameterize`](crate::dale::reparameterize)), which cannot be negative.
    Allow,
}

/// Sets the parameters of a model to the weights of a file: all of them, or none.
#[derive(Debug, Clone)]
#[must_use]
pub struct Import {
    map: KeyMap,
    signs: Signs,
    convert: bool,
    cut: bool,
}

impl Import {
    /// An import with this table, which checks signs and requires the types of the model.
    pub fn new(map: KeyMap) -> Self {
        Self {
            map,
            signs: Signs::default(),
            convert: false,
            cut: false,
        }
    }

    /// Sets the treatment of negative weights; [`Signs::Check`] by default.
    pub fn with_signs(mut self, signs: Signs) -> Self {
        self.signs = signs;
        self
    }

    /// Whether weights of another floating-point type are converted to the model's type. If not, they are an
    /// error.
    pub fn with_conversion(mut self, convert: bool) -> Self {
        self.convert = convert;
        self
    }

    /// Whether weights become 0 where the model's mask has no connection
    /// ([`Weight::set_mask`](crate::dale::Weight::set_mask)). If not, nonzero weights there are an error.
    pub fn with_cut(mut self, cut: bool) -> Self {
        self.cut = cut;
        self
    }

    /// Checks every weight, then sets every parameter. A parameter keeps its identity, device, type, mask and
    /// reparameterization, and whether it learns.
    ///
    /// A weight that is [reparameterized](crate::dale::reparameterize) gets the base that produces the value
    /// of the file, up to the rounding of the base; for a value of 0 see
    /// [`NonNegative::ZERO`](crate::dale::NonNegative::ZERO).
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with the key, if a key is missing or unknown, has another shape or type, or holds
    /// values that are not finite in the type of the model, break Dale's law (see [`Signs`]) or lie where the
    /// model has no connection; also if the table does not fit the model, or if a weight has a
    /// reparameterization of another crate. After an error the model is unchanged.
    pub fn apply<M: Module>(&self, weights: &Weights, model: &mut M) -> Result<(), Error> {
        let parameters = parameters::of(model, false);
        let pairs = self.map.pair(&parameters)?;
        let keys = pairs.iter().flat_map(|pair| &pair.entry.keys);
        let wanted: HashSet<&str> = keys.map(String::as_str).collect();
        let is_surplus = |key: &&str| {
            !wanted.contains(key) && !self.map.ignored.iter().any(|ignored| ignored == key)
        };
        let surplus: Vec<&str> = weights.keys().filter(is_surplus).collect();
        let mut values = HashMap::new();
        for pair in &pairs {
            let read = |key: &String| match weights.tensors.get(key) {
                Some(stored) => self.read(key, stored, pair),
                None => Err(missing(key, pair, weights, &wanted, &surplus)),
            };
            let parts: Result<Vec<_>, _> = pair.entry.keys.iter().map(read).collect();
            let minus = |all: Vec<f64>, part| all.iter().zip(part).map(|(v, m)| v - m).collect();
            let found = parts?.into_iter().reduce(minus).unwrap_or_default();
            let parameter = pair.parameter;
            let data = TensorData::new(self.check(pair, found)?, parameter.shape.clone());
            values.insert(parameter.path.clone(), data.convert_dtype(parameter.dtype));
        }
        if let Some(key) = surplus.first() {
            let found = "a key that is for no parameter of the model";
            let expected = "none, or `KeyMap::ignoring` it";
            return Err(Error::import(key, found, expected));
        }
        let path = Vec::new();
        *model = model.clone().map(&mut Setter { path, values });
        Ok(())
    }

    /// The values of a key, if its shape and type are right. f64 represents every supported type exactly.
    fn read(&self, key: &str, stored: &Stored, pair: &Pair) -> Result<Vec<f64>, Error> {
        let wrong = |found: String, expected: String| Error::import(key, found, expected);
        let Pair {
            parameter, shape, ..
        } = pair;
        if stored.shape != *shape {
            let fits = |axes: &Axes| axes.stored(&parameter.shape).as_ref() == Some(&stored.shape);
            let other = Axes::ALL.into_iter().find(fits);
            let hint = other.map_or(String::new(), |axes| format!(" (or `Axes::{axes:?}`)"));
            let found = format!("shape {:?}", stored.shape);
            return Err(wrong(found, format!("shape {shape:?}{hint}")));
        }
        let expected = |hint: &str| format!("{:?}{hint}", parameter.dtype);
        let found = format!("{:?}", stored.dtype);
        let dtype = match stored.float() {
            Some(_) if matches!(parameter.dtype, DType::QFloat(_)) => {
                return Err(wrong(found, "a parameter that is not quantized".to_owned()));
            }
            Some(dtype) if self.convert || dtype == parameter.dtype => dtype,
            Some(_) => return Err(wrong(found, expected(" (or `Import::with_conversion`)"))),
            None => return Err(wrong(found, expected(""))),
        };
        let data = TensorData::try_from_bytes_vec(stored.bytes.clone(), shape.clone(), dtype);
        let data = data.map_err(|error| wrong(error.to_string(), expected("")))?;
        Ok(data.iter::<f64>().collect())
    }

    /// Checks the values of a parameter, given in the order of the file, and returns the values to store.
    fn check(&self, pair: &Pair, values: Vec<f64>) -> Result<Vec<f64>, Error> {
        let Pair {
            entry,
            parameter,
            shape,
        } = pair;
        let wrong =
            |found: String, expected: &str| Err(Error::import(&entry.name(), found, expected));
        let count = values.len();
        let in_model = TensorData::new(values, [count]).convert_dtype(parameter.dtype);
        let mut values: Vec<f64> = in_model.iter::<f64>().collect();
        if let Some((index, value)) = values.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            let expected = format!("finite values of {:?}", parameter.dtype);
            return wrong(format!("{value} at {index}"), &expected);
        }
        let weight = parameter.weight.as_ref();
        let storage = weight.map_or(Storage::Value, |weight| weight.storage);
        let is_base = matches!(storage, Storage::Base(_));
        let expected = match self.signs {
            _ if weight.map(|weight| weight.sign) != Some(Sign::NonNegative) => None,
            Signs::Check => Some("non-negative values (or `Signs::Project`, `Signs::Allow`)"),
            Signs::Allow if is_base => Some("non-negative values: the weight is reparameterized"),
            Signs::Allow => None,
            Signs::Project => {
                values.iter_mut().for_each(|v| *v = v.max(0.0));
                None
            }
        };
        let (negative, worst) = breaking(&in_model, |v| v >= 0.0);
        if let Some(expected) = expected.filter(|_| negative > 0) {
            return wrong(
                format!("{negative} negative values, the worst {worst}"),
                expected,
            );
        }
        let mut values = entry.axes.reorder(&values, shape);
        if let Some(exists) = weight.and_then(|weight| weight.exists.as_ref()) {
            let exists = exists();
            let cells = values.iter_mut().zip(exists.iter::<bool>());
            let absent = cells.filter_map(|(value, exists)| (!exists).then_some(value));
            let absent: Vec<&mut f64> = absent.filter(|v| **v != 0.0).collect();
            if let (false, Some(first)) = (self.cut, absent.first()) {
                let count = absent.len();
                let found =
                    format!("{count} values other than 0 outside of the mask, such as {first}");
                let expected = "0 where there is no connection (or `Import::with_cut`)";
                return wrong(found, expected);
            }
            absent.into_iter().for_each(|v| *v = 0.0);
        }
        match storage {
            Storage::Value => Ok(values),
            Storage::Base(form) => Ok(values.into_iter().map(|v| form.base(v)).collect()),
            Storage::OtherBase => wrong(
                "a weight whose reparameterization cannot be inverted".to_owned(),
                "to `materialize` it first",
            ),
        }
    }
}

/// The error for a key that the file lacks: it lists other keys of the file, and names a prefix that explains
/// the difference.
fn missing(
    key: &str,
    pair: &Pair,
    weights: &Weights,
    wanted: &HashSet<&str>,
    surplus: &[&str],
) -> Error {
    // A prefix with which the file has most of the keys.
    let prefix = surplus.iter().find_map(|found| {
        let prefix = found.strip_suffix(key)?;
        let there = |key: &&&str| weights.tensors.contains_key(&format!("{prefix}{key}"));
        (2 * wanted.iter().filter(there).count() > wanted.len()).then_some(prefix)
    });
    let (found, hint) = match (prefix, surplus) {
        (Some(prefix), _) => (
            format!("no such key, but {prefix}{key}"),
            format!(" (or `Weights::without_prefix({prefix:?})`)"),
        ),
        (None, []) => ("no such key".to_owned(), String::new()),
        (None, keys) => {
            let keys = list(keys.iter().copied());
            (format!("no such key, but {keys}"), String::new())
        }
    };
    let expected = format!("{:?} {:?}{hint}", pair.parameter.dtype, pair.shape);
    Error::import(key, found, expected)
}

struct Setter {
    path: Vec<String>,
    values: HashMap<String, TensorData>,
}

impl ModuleMapper for Setter {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(data) = self.values.remove(&self.path.join(".")) else {
            return param;
        };
        let like = |old: Tensor<D>| Tensor::from_data(data, (&old.device(), old.dtype()));
        param.map(|old| on_inner(old, like))
    }
}
