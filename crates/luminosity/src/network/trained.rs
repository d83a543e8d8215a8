//! A trained network of any type.

use std::collections::BTreeMap;

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use ei_norm::dale;

use super::{Learner, Task};
use crate::data::Split;
use crate::random::{Purpose, generator};
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
        let mut parameters = Parameters::default();
        self.visit(&mut parameters);
        parameters.found
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
    let mut fresh = generator(config.seed, Purpose::Weights);
    let network = N::create(config, task, device, &mut fresh)?;
    let network = match weights.read(network.num_params())? {
        Content::Record(bytes) => {
            let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes));
            let record = record.map_err(|e| refuse(format!("not a whole model ({e})")))?;
            let loaded = network.try_load_record(record);
            loaded.map_err(|e| refuse(format!("not the weights of its record's network: {e}")))?
        }
        Content::Named(tensors) => {
            let mut replacing = Replacing {
                path: Vec::new(),
                tensors,
                problem: None,
            };
            let network = network.map(&mut replacing);
            let unknown = replacing.tensors.keys().next();
            let unknown = unknown.map(|name| format!("no parameter is named {name}"));
            match replacing.problem.or(unknown) {
                Some(problem) => return Err(refuse(problem)),
                None => network,
            }
        }
    };
    dale::check(&network).map_err(|e| Error::file(path, e))?;
    Ok(Box::new(network))
}

/// Collects every parameter under its path.
#[derive(Default)]
struct Parameters {
    /// The names of the modules and of the field that are being visited.
    path: Vec<String>,
    found: Vec<(String, TensorData)>,
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
        self.found.push((self.path.join("."), value));
    }
}

/// Replaces parameters by the tensors of their names.
struct Replacing {
    path: Vec<String>,
    tensors: BTreeMap<String, TensorData>,
    problem: Option<String>,
}

impl ModuleMapper for Replacing {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let expected = param.val().dims();
        let problem = match self.tensors.remove(&name) {
            None => format!("has no tensor {name}"),
            Some(data) if data.shape().as_slice() != expected => {
                let found = data.shape().as_slice();
                format!("{name} is {found:?}; allowed: {expected:?}")
            }
            Some(data) => {
                return param
                    .map(|value| Tensor::from_data(data, (&value.device(), value.dtype())));
            }
        };
        self.problem.get_or_insert(problem);
        param
    }
}
