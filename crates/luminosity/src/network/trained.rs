//! A trained network of any type.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use ei_norm::dale;

use super::trainee::fresh;
use super::{Learner, Task};
use crate::data::Split;
use crate::saved::{Content, Weights};
use crate::{Error, RunConfig, run};

/// The operations on a trained network.
pub trait TrainedNetwork: Send + Sync {
    /// Its weights as a Burn record.
    ///
    /// # Errors
    ///
    /// If they cannot be encoded.
    fn record(&self) -> Result<Vec<u8>, String>;

    /// Every parameter, by its path: `hidden.0.INorm.w_ex`, …
    fn parameters(&self) -> Vec<(String, TensorData)>;

    /// The logits of a batch, `[batch, pixels]` to `[batch, classes]`.
    fn logits(&self, x: Tensor<2>) -> Tensor<2>;

    /// The output of each hidden layer before its ReLU, if the network supports this.
    fn pre_activations(&self, x: Tensor<2>) -> Vec<Tensor<2>>;

    /// Tests the network as at the end of a run with this configuration.
    fn accuracy(&self, config: &RunConfig, split: &Split, device: &Device) -> f64;
}

impl<N: Learner> TrainedNetwork for N {
    fn record(&self) -> Result<Vec<u8>, String> {
        let bytes = self.clone().into_record().into_bytes();
        bytes.map(|bytes| bytes.to_vec()).map_err(|e| e.to_string())
    }

    fn parameters(&self) -> Vec<(String, TensorData)> {
        let parameters = Parameters::of(self).into_iter();
        parameters.map(|(_, name, data)| (name, data)).collect()
    }

    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        Learner::logits(self, x)
    }

    fn pre_activations(&self, x: Tensor<2>) -> Vec<Tensor<2>> {
        let probes = self.probe(x, &|logits| logits.sum()).into_iter();
        probes.map(|probe| probe.pre_activation).collect()
    }

    fn accuracy(&self, config: &RunConfig, split: &Split, device: &Device) -> f64 {
        run::accuracy(self, config, split, device)
    }
}

/// A network with this configuration and these weights; checks the signs of the weights.
pub(super) fn load<N: Learner>(
    config: &RunConfig,
    task: Task,
    weights: &Weights<'_>,
    device: &Device,
) -> Result<Box<dyn TrainedNetwork>, Error> {
    let path = weights.path();
    let refuse = |problem: String| Error::file(path, problem);
    // Two bytes for each parameter, the smallest stored size.
    let needed = N::least_parameters(config, task).saturating_mul(2) as u64;
    if weights.length()? < needed {
        return Err(refuse(format!(
            "too short for the shapes of its record's network, of width {} and depth {}",
            config.width, config.depth
        )));
    }
    let network = fresh::<N>(config, task, device)?;
    let network = match weights.read(network.num_params())? {
        Content::Record(bytes) => {
            let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes));
            let record = record.map_err(|e| refuse(format!("not a whole model ({e})")))?;
            let loaded = network.try_load_record(record);
            loaded.map_err(|e| refuse(format!("not the weights of its record's network: {e}")))?
        }
        Content::Named(mut tensors) => {
            let mut values = HashMap::new();
            for (id, name, fresh) in Parameters::of(&network) {
                let Some(data) = tensors.remove(&name) else {
                    return Err(refuse(format!("has no tensor {name}")));
                };
                let (found, expected) = (data.shape().as_slice(), fresh.shape().as_slice());
                if found != expected {
                    return Err(refuse(format!(
                        "{name} is {found:?}; allowed: {expected:?}"
                    )));
                }
                values.insert(id, data);
            }
            if let Some(name) = tensors.keys().next() {
                return Err(refuse(format!("no parameter is named {name}")));
            }
            network.map(&mut Replacing(values))
        }
    };
    dale::check(&network).map_err(|e| Error::file(path, e))?;
    Ok(Box::new(network))
}

/// Collects every parameter with its path.
#[derive(Default)]
struct Parameters {
    /// The names of the modules and of the field that are being visited.
    path: Vec<String>,
    found: Vec<(ParamId, String, TensorData)>,
}

impl Parameters {
    fn of(module: &impl Module) -> Vec<(ParamId, String, TensorData)> {
        let mut parameters = Self::default();
        module.visit(&mut parameters);
        parameters.found
    }
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val().inner().into_data();
        self.found.push((param.id, self.path.join("."), value));
    }
}

/// Replaces the values of parameters.
struct Replacing(HashMap<ParamId, TensorData>);

impl ModuleMapper for Replacing {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Two fields may hold one parameter.
        match self.0.get(&param.id).cloned() {
            Some(data) => param.map(|old| Tensor::from_data(data, (&old.device(), old.dtype()))),
            None => param,
        }
    }
}
