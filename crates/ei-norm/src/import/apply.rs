use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use super::parameters::{self, Parameter};
use super::weights::Stored;
use super::{KeyMap, Weights};
use crate::dale::Sign;
use crate::{Error, context};

/// What to do with negative values for a parameter that Dale's law keeps non-negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Signs {
    /// They are an error.
    #[default]
    Check,
    /// They become 0, as after [`dale::project`](crate::dale::project).
    Project,
    /// They are taken as they are.
    Allow,
}

/// Sets the parameters of a model to the weights of a file: all of them, or none.
#[derive(Debug, Clone)]
pub struct Import {
    map: KeyMap,
    signs: Signs,
    convert: bool,
}

impl Import {
    /// An import by this table: signs are checked, and types are those of the model.
    pub fn new(map: KeyMap) -> Self {
        Self {
            map,
            signs: Signs::default(),
            convert: false,
        }
    }

    /// What to do with negative weights.
    pub fn with_signs(mut self, signs: Signs) -> Self {
        self.signs = signs;
        self
    }

    /// Whether weights of another floating-point type are converted to that of the model. If not,
    /// they are an error.
    pub fn with_conversion(mut self, convert: bool) -> Self {
        self.convert = convert;
        self
    }

    /// Checks every weight, then sets every parameter. Parameters keep their identity, device, type
    /// and whether they learn.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with the key, if a key is missing or unknown, has another shape or type, or
    /// holds values that are not finite in the type of the model or (see [`Signs`]) break Dale's
    /// law; also if the table does not fit the model. The model is then unchanged.
    pub fn apply<M: Module>(&self, weights: &Weights, model: &mut M) -> Result<(), Error> {
        let parameters = parameters::of(model);
        let pairs = parameters::pair(&parameters, &self.map)?;
        let surplus = |key: &&str| {
            !self.map.ignores(key) && pairs.iter().all(|(entry, ..)| entry.key != **key)
        };
        let surplus: Vec<&str> = weights.keys().filter(surplus).collect();
        let mut values = HashMap::new();
        for (entry, parameter, shape) in &pairs {
            let Some(stored) = weights.get(&entry.key) else {
                let found = match surplus.as_slice() {
                    [] => "no such key".to_owned(),
                    keys => format!("no such key, but {}", keys.join(", ")),
                };
                let expected = format!("{:?} {shape:?}", parameter.dtype);
                return Err(Error::import(&entry.key, found, expected));
            };
            let checked = self.check(&entry.key, stored, parameter, shape)?;
            let checked = entry.axes.reorder(&checked, shape);
            let data = TensorData::new(checked, parameter.shape.clone());
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

    /// The values to set, in the order of the file.
    fn check(
        &self,
        key: &str,
        stored: &Stored,
        parameter: &Parameter,
        shape: &[usize],
    ) -> Result<Vec<f64>, Error> {
        if stored.shape != shape {
            let [found, expected] = [&stored.shape[..], shape].map(|s| format!("shape {s:?}"));
            return Err(Error::import(key, found, expected));
        }
        let dtype = parameter.dtype;
        let fits = stored.dtype.is_float() && (self.convert || stored.dtype == dtype);
        if !fits {
            let found = format!("{:?}", stored.dtype);
            let hint = if stored.dtype.is_float() {
                " (or `Import::with_conversion`)"
            } else {
                ""
            };
            return Err(Error::import(key, found, format!("{dtype:?}{hint}")));
        }
        let in_model = TensorData::new(stored.values.clone(), [stored.values.len()]);
        let mut values: Vec<f64> = in_model.convert_dtype(dtype).iter::<f64>().collect();
        if let Some((index, value)) = values.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            let found = format!("{value} at {index}");
            return Err(Error::import(
                key,
                found,
                format!("finite values of {dtype:?}"),
            ));
        }
        if parameter.sign == Some(Sign::NonNegative) {
            let negative = values.iter().filter(|v| **v < 0.0).count();
            match self.signs {
                Signs::Check if negative > 0 => {
                    let worst = values.iter().copied().fold(0.0, f64::min);
                    let found = format!("{negative} negative values, the worst {worst}");
                    let expected = "non-negative values (or `Signs::Project`, `Signs::Allow`)";
                    return Err(Error::import(key, found, expected));
                }
                Signs::Project => values.iter_mut().for_each(|v| *v = v.max(0.0)),
                _ => {}
            }
        }
        Ok(values)
    }
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
        param.map(|old| {
            let learns = old.is_require_grad();
            let options = (&old.clone().inner().device(), old.dtype());
            context::associate(Tensor::from_data(data, options), &old).set_require_grad(learns)
        })
    }
}
