//! The parameters of a module, in the order of a traversal.

use burn::module::Module;
use burn::tensor::DType;

use super::KeyMap;
use super::key_map::Entry;
use super::weights::list;
use crate::Error;
use crate::dale::{self, Sign, Storage};

/// A parameter of the model.
pub(super) struct Parameter {
    pub(super) path: String,
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
    pub(super) sign: Option<Sign>,
    pub(super) storage: Storage,
    /// Whether each connection exists, row by row; none if all connections exist.
    pub(super) exists: Option<Vec<bool>>,
    /// The computed values, row by row; empty unless requested.
    pub(super) values: Vec<f64>,
}

/// The float parameters of `model`, with their values if requested.
pub(super) fn of<M: Module>(model: &M, with_values: bool) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    dale::walk(model, |visited| {
        let weight = visited.announced.weight;
        if visited.is_part && weight.is_some() {
            return;
        }
        let values = || match &weight {
            Some(weight) => (weight.values)(),
            None => (visited.stored)(),
        };
        let exists = weight.as_ref().and_then(|weight| weight.exists.as_ref());
        parameters.push(Parameter {
            path: visited.path,
            shape: visited.shape,
            dtype: (visited.dtype)(),
            sign: weight.as_ref().map(|weight| weight.sign),
            storage: weight
                .as_ref()
                .map_or(Storage::Value, |weight| weight.storage),
            exists: exists.map(|exists| exists().iter().collect()),
            values: match with_values {
                true => values().iter().collect(),
                false => Vec::new(),
            },
        });
    });
    parameters
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
    let is_there = |wanted: &str| paths().any(|path| path == wanted);
    let lacks = |name: &str, path: &str| {
        let found = format!("no parameter `{path}` in the model");
        Error::import(name, found, format!("one of {}", list(paths())))
    };
    let mut kept = map.kept.iter().filter(|kept| !kept.optional);
    if let Some(kept) = kept.find(|kept| !is_there(&kept.path)) {
        return Err(lacks(&kept.path, &kept.path));
    }
    let mut seen = Vec::new();
    for entry in &map.entries {
        let found = is_there(&entry.path);
        if !found && !entry.optional {
            return Err(lacks(&entry.name(), &entry.path));
        }
        for key in entry.keys() {
            if found && map.ignored.iter().any(|ignored| ignored == key) {
                let found = format!("an ignored key that is also the key of `{}`", entry.path);
                return Err(Error::import(
                    key,
                    found,
                    "also `KeyMap::keeping` the parameter",
                ));
            }
            if !entry.tied && seen.contains(&key) {
                let expected = "each key once, or `KeyMap::with_tied`";
                return Err(Error::import(
                    key,
                    "a key that is twice in the table",
                    expected,
                ));
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
            None if map.kept.iter().any(|kept| kept.path == parameter.path) => {}
            None => {
                let expected = "a key for every parameter of the model, or `KeyMap::keeping` it";
                return Err(Error::import(&parameter.path, "no key", expected));
            }
        }
    }
    Ok(pairs)
}
