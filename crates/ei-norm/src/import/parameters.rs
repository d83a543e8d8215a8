//! The parameters of a module, in the order of a traversal.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};

use super::KeyMap;
use super::key_map::Entry;
use super::weights::list;
use crate::dale::{self, NonNegative, Sign};
use crate::{Error, read};

/// A parameter of the model.
pub(super) struct Parameter {
    pub(super) path: String,
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
    pub(super) sign: Option<Sign>,
    pub(super) holds: Holds,
    /// Whether each connection exists, row by row; none if all connections exist.
    pub(super) exists: Option<Vec<bool>>,
    /// The computed values, row by row; empty unless requested.
    pub(super) values: Vec<f64>,
}

/// The meaning of a parameter's tensor.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    /// The weight itself.
    Weight,
    /// The base of a weight in this form.
    Base(NonNegative),
    /// The base of a weight with a reparameterization of another crate.
    UnknownBase,
}

/// The float parameters of `model`, with their values if requested.
pub(super) fn of<M: Module>(model: &M, with_values: bool) -> Vec<Parameter> {
    let mut visitor = Visitor {
        path: Vec::new(),
        inside: 0,
        with_values,
        parameters: Vec::new(),
    };
    model.visit(&mut visitor);
    visitor.parameters
}

/// A parameter and its entry in the table.
pub(super) struct Pair<'a> {
    pub(super) entry: &'a Entry,
    pub(super) parameter: &'a Parameter,
    /// The shape that the keys must have in the file.
    pub(super) shape: Vec<usize>,
}

/// Pairs every parameter that is not kept with its entry.
///
/// # Errors
///
/// If the table and the model do not fit each other.
pub(super) fn pair<'a>(
    parameters: &'a [Parameter],
    map: &'a KeyMap,
) -> Result<Vec<Pair<'a>>, Error> {
    let paths = || parameters.iter().map(|p| p.path.as_str());
    let mut seen = Vec::new();
    for entry in &map.entries {
        if !entry.optional && !paths().any(|path| path == entry.path) {
            let found = format!("no parameter `{}` in the model", entry.path);
            let expected = format!("one of {}", list(paths()));
            return Err(Error::import(&entry.name(), found, expected));
        }
        for key in entry.keys() {
            if !entry.tied && seen.contains(&key) {
                let expected = "each key once, or `KeyMap::with_tied`";
                return Err(Error::import(key, "it twice in the table", expected));
            }
            seen.push(key);
        }
    }
    let mut pairs = Vec::new();
    for parameter in parameters {
        match map.entries.iter().find(|e| e.path == parameter.path) {
            Some(entry) => {
                let shape = entry.axes.stored(&parameter.shape).ok_or_else(|| {
                    let found = format!("{:?} axes", entry.axes);
                    let expected = format!("axes for `{}` {:?}", entry.path, parameter.shape);
                    Error::import(&entry.name(), found, expected)
                })?;
                pairs.push(Pair {
                    entry,
                    parameter,
                    shape,
                });
            }
            None if map.kept.contains(&parameter.path) => {}
            None => {
                let expected = "a key for every parameter of the model, or `KeyMap::keeping` it";
                return Err(Error::import(&parameter.path, "no key", expected));
            }
        }
    }
    Ok(pairs)
}

struct Visitor {
    path: Vec<String>,
    /// The number of enclosing levels that are parameters of a reparameterization.
    inside: usize,
    with_values: bool,
    parameters: Vec<Parameter>,
}

/// Burn's name for the level of a reparameterization's own parameters.
const REPARAMETERIZATION: &str = "Reparameterization";

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_owned());
        self.inside += usize::from(container_type == REPARAMETERIZATION);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.pop();
        self.inside -= usize::from(container_type == REPARAMETERIZATION);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let announced = dale::announced();
        if self.inside > 0 && announced.effective.is_some() {
            // A parameter of the reparameterization; the weight itself was visited before.
            return;
        }
        let base = param.base().inner();
        let (shape, dtype) = (base.dims().to_vec(), base.dtype());
        let values = || match &announced.effective {
            Some(effective) => (effective.values)(),
            None => read::data(base),
        };
        self.parameters.push(Parameter {
            path: self.path.join("."),
            shape,
            dtype,
            sign: announced
                .effective
                .as_ref()
                .map(|e| e.sign)
                .or(announced.sign),
            holds: match &announced.effective {
                None => Holds::Weight,
                Some(effective) => effective.form.map_or(Holds::UnknownBase, Holds::Base),
            },
            exists: announced
                .exists
                .map(|exists| exists().iter::<bool>().collect()),
            values: match self.with_values {
                true => values().iter::<f64>().collect(),
                false => Vec::new(),
            },
        });
    }
}
