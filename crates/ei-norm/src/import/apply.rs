use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use super::parameters::{self, Holds, Parameter};
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
    /// They are taken as they are, but for weights that are reparameterized
    /// ([`dale::reparameterize`](crate::dale::reparameterize)): those cannot be negative.
    Allow,
}

/// Sets the parameters of a model to the weights of a file: all of them, or none.
#[derive(Debug, Clone)]
pub struct Import {
    map: KeyMap,
    signs: Signs,
    convert: bool,
    cut: bool,
}

impl Import {
    /// An import by this table: signs are checked, and types are those of the model.
    pub fn new(map: KeyMap) -> Self {
        Self {
            map,
            signs: Signs::default(),
            convert: false,
            cut: false,
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

    /// Whether weights become 0 where the model's mask has no connection
    /// ([`Weight::set_mask`](crate::dale::Weight::set_mask)). If not, others than 0 there are an error.
    pub fn with_cut(mut self, cut: bool) -> Self {
        self.cut = cut;
        self
    }

    /// Checks every weight, then sets every parameter. Parameters keep their identity, device, type,
    /// mask, reparameterization and whether they learn.
    ///
    /// A weight that is [reparameterized](crate::dale::reparameterize) gets the base that makes the
    /// value of the file, up to the rounding of the base; for a value of 0 see
    /// [`NonNegative::ZERO`](crate::dale::NonNegative::ZERO).
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with the key, if a key is missing or unknown, has another shape or type, or
    /// holds values that are not finite in the type of the model, break Dale's law (see [`Signs`]) or
    /// are where the model has no connection; also if the table does not fit the model, or a weight
    /// has a reparameterization that is not of this crate. The model is then unchanged.
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
            let mut checked = entry.axes.reorder(&checked, shape);
            self.check_mask(&entry.key, &mut checked, parameter)?;
            match parameter.holds {
                Holds::Weight => {}
                Holds::Base(form) => checked.iter_mut().for_each(|v| *v = form.base(*v)),
                Holds::UnknownBase => {
                    let found = "a weight whose reparameterization cannot be inverted";
                    return Err(Error::import(
                        &entry.key,
                        found,
                        "to `materialize` it first",
                    ));
                }
            }
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
            let is_base = matches!(parameter.holds, Holds::Base(_));
            let expected = match self.signs {
                Signs::Check => "non-negative values (or `Signs::Project`, `Signs::Allow`)",
                Signs::Allow if is_base => "non-negative values: the weight is reparameterized",
                Signs::Allow => return Ok(values),
                Signs::Project => {
                    values.iter_mut().for_each(|v| *v = v.max(0.0));
                    return Ok(values);
                }
            };
            if negative > 0 {
                let worst = values.iter().copied().fold(0.0, f64::min);
                let found = format!("{negative} negative values, the worst {worst}");
                return Err(Error::import(key, found, expected));
            }
        }
        Ok(values)
    }

    /// Of values in the order of the parameter.
    fn check_mask(
        &self,
        key: &str,
        values: &mut [f64],
        parameter: &Parameter,
    ) -> Result<(), Error> {
        let Some(exists) = &parameter.exists else {
            return Ok(());
        };
        let absent = || exists.iter().map(|exists| !exists);
        let wrong = || {
            values
                .iter()
                .zip(absent())
                .filter(|(v, absent)| *absent && **v != 0.0)
        };
        if let Some((first, _)) = wrong().next().filter(|_| !self.cut) {
            let count = wrong().count();
            let found = format!("{count} values other than 0 outside of the mask, such as {first}");
            let expected = "0 where there is no connection (or `Import::with_cut`)";
            return Err(Error::import(key, found, expected));
        }
        for (value, _) in values
            .iter_mut()
            .zip(absent())
            .filter(|(_, absent)| *absent)
        {
            *value = 0.0;
        }
        Ok(())
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
