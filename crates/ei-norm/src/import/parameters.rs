//! The parameters of a module, in the order of a traversal.

use burn::module::Module;
use burn::tensor::DType;

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
