//! The parameters of a module, in the order of a traversal.

use burn::module::Module;
use burn::tensor::DType;

use crate::dale::{self, Visible};

/// A parameter of the model.
pub(super) struct Parameter {
    pub(super) path: String,
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
    /// None if it is an ordinary parameter.
    pub(super) weight: Option<Visible>,
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
        parameters.push(Parameter {
            path: visited.path,
            shape: visited.shape,
            dtype: (visited.dtype)(),
            values: match with_values {
                true => values().iter().collect(),
                false => Vec::new(),
            },
            weight,
        });
    });
    parameters
}
