//! The networks that a run can train, each with a name.

mod conv;
mod hidden;
mod mlp;
mod population;
mod rnn;
mod trained;
mod trainee;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ei_norm::grad::clip_grad_norm;
use ei_norm::metric::Alignment;
use rand_chacha::ChaCha8Rng;

pub use conv::Conv;
pub use hidden::{
    BIAS, ConvHidden, CustomINorm, DenseHidden, EPSILON, Hidden, HiddenIn, LATERAL_RATE,
    LateralINorm, NORM_EPSILON, NormalizedEi, Stage,
};
pub use mlp::Mlp;
pub use population::{Arranged, Layered, LayeredPopulation, NetworkPopulation};
pub use rnn::Rnn;
pub use trained::TrainedNetwork;
pub(crate) use trainee::{Alone, Together, Trainee};

use crate::catalogue::{Named, entries};
use crate::data::{Dataset, Shape};
use crate::run::{self, Observer, Trained};
use crate::saved::Weights;
use crate::sweep::Ranges;
use crate::{DeviceName, Error, RunConfig};

/// A network of the experiment, by its name on the command line and in records.
pub type Network = Named<NetworkSpec>;

/// The task of a network: classification of images of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// The shape of an image.
    pub shape: Shape,
    /// The number of classes.
    pub classes: usize,
}

impl Task {
    /// The task of a data set.
    pub fn of(data: &Dataset) -> Self {
        Self {
            shape: data.shape(),
            classes: data.classes(),
        }
    }
}

/// A network that a run trains. The learning rate of a weight follows from its [`Role`](ei_norm::dale::Role).
pub trait Learner: Module + Send + Sync + 'static {
    /// Whether a GPU may record a step and replay it with other images: if every step consists of the same
    /// operations on the parameters and the images, without random numbers, without tensors from or to the host,
    /// and without other state. By default not.
    const RECORDABLE: bool = false;

    /// A network with new weights from `rng` and hidden layers for the condition.
    ///
    /// # Errors
    ///
    /// If a setting of the configuration, or the shape of the images, is not allowed.
    fn create(
        config: &RunConfig,
        task: Task,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ei_norm::Error>;

    /// The least number of parameters of a network with this configuration; memory is estimated by it. A file of
    /// weights with fewer is refused before the network is made. By default 0.
    fn least_parameters(config: &RunConfig, task: Task) -> usize {
        let _ = (config, task);
        0
    }

    /// The logits of a batch.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, pixels]`, the channels of an image one after the other, each row by row;
    ///   result: `[batch, classes]`
    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        self.logits_with_local_loss(x).0
    }

    /// The logits of a batch and the sum of the local losses, if the network has any.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, pixels]`, logits: `[batch, classes]`, loss: `[1]`
    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>);

    /// The network after an update of the weights that learn from errors alone; called after each step. By
    /// default unchanged.
    fn adapt(self) -> Self {
        self
    }

    /// The activity and errors of each hidden layer for a batch, starting at the input; `loss` is the loss of
    /// the logits. By default nothing is measured.
    fn probe(&self, x: Tensor<2>, loss: &dyn Fn(Tensor<2>) -> Tensor<1>) -> Vec<Probe> {
        let _ = (x, loss);
        Vec::new()
    }
}

/// The activity and errors of a hidden layer for a batch.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The input, `[batch, d_input]`.
    pub input: Tensor<2>,
    /// The output before the ReLU, `[batch, d_output]`.
    pub pre_activation: Tensor<2>,
    /// The error dL/dz at that output, before the layer's normalization of errors.
    pub error: Tensor<2>,
    /// The similarity of the layer to LayerNorm.
    pub alignment: Alignment,
    /// See [`Hidden::lateral_cosine`].
    pub lateral_cosine: Option<f64>,
}

/// A numerical option of one kind of network.
#[derive(Debug, Clone, Copy)]
pub struct NetworkOption {
    /// Its name in `--option NAME=VALUE` and in records.
    pub name: &'static str,
    /// A description.
    pub description: &'static str,
    /// The default value.
    pub default: usize,
    /// The smallest and the largest allowed value.
    pub range: [usize; 2],
}

/// The definition of a network: [`NetworkSpec::of`] its type, and the fields that differ from there.
#[derive(Debug)]
pub struct NetworkSpec {
    /// The name.
    pub name: &'static str,
    /// A description in a few words.
    pub description: &'static str,
    /// The meaning of `--width` and `--depth`, for the help.
    pub sizes: &'static str,
    /// Its additional options.
    pub options: &'static [NetworkOption],
    /// Sets the defaults that differ from [`RunConfig::new`].
    pub defaults: fn(&mut RunConfig),
    /// The default ranges of the hyper-parameters in a sweep.
    pub ranges: Ranges,
    /// The functions of its type.
    pub functions: Functions,
}

/// The functions of a type of network.
#[derive(Debug, Clone, Copy)]
pub struct Functions {
    /// Trains one network; see [`run::run`].
    pub(crate) train: Train,
    /// The functions that train networks in populations, if there are populations.
    pub(crate) population: Option<Population>,
    /// Makes a network with saved weights.
    pub(crate) load: Load,
    /// Checks that a network can have this configuration for images of this shape.
    pub(crate) check: Check,
    /// [`Learner::least_parameters`].
    pub(crate) least_parameters: fn(&RunConfig, Task) -> usize,
}

/// The functions that train networks in populations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Population {
    /// Whether a network with this configuration can be in a population.
    pub takes: fn(&RunConfig) -> bool,
    /// Trains a population; see [`run::run_population`].
    pub train: Train,
}

type Train =
    fn(&[&RunConfig], &Dataset, DeviceName, &mut Observer<'_>) -> Result<Vec<Trained>, Error>;
type Check = fn(&RunConfig, Task, &Device) -> Result<(), ei_norm::Error>;
type Load = fn(&RunConfig, Task, &Weights<'_>, &Device) -> Result<Box<dyn TrainedNetwork>, Error>;

impl NetworkSpec {
    /// A network with this name.
    pub const fn of<N: Learner>(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            description,
            sizes: "neurons in each hidden layer; hidden layers",
            options: &[],
            defaults: |_| {},
            ranges: Ranges::PAPER,
            functions: Functions {
                train: run::train::<Alone<N>>,
                population: None,
                load: trained::load::<N>,
                check: |config, task, device| trainee::fresh::<N>(config, task, device).map(drop),
                least_parameters: N::least_parameters,
            },
        }
    }

    /// Sets the type of populations of this network.
    #[must_use]
    pub const fn with_population<P: NetworkPopulation>(mut self) -> Self {
        self.functions.population = Some(Population {
            takes: P::takes,
            train: run::train::<Together<P>>,
        });
        self
    }

    /// Checks the values of the network's additional options.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the first unknown option or invalid value.
    pub fn check(&self, given: &BTreeMap<String, usize>) -> Result<(), Error> {
        for (name, value) in given {
            let Some(option) = self.options.iter().find(|option| option.name == name) else {
                let names: Vec<_> = self.options.iter().map(|option| option.name).collect();
                let names = match names.is_empty() {
                    true => "no option".to_owned(),
                    false => names.join(", "),
                };
                let allowed = format!("{names} with --network {}", self.name);
                return Err(Error::usage("option", name, &allowed));
            };
            let [least, most] = option.range;
            if !(least..=most).contains(value) {
                return Err(Error::usage(name, value, &format!("{least} to {most}")));
            }
        }
        Ok(())
    }
}

/// The ranges for the convolutional and the recurrent network: wide ranges of the rates, and a fixed width.
const WIDE: Ranges = Ranges {
    lr: Some([1e-3, 0.1]),
    lr_ei: Some([1e-4, 1e-2]),
    lr_ix: Some([1e-3, 1.0]),
    width: None,
};

/// The paper's network: dense hidden layers and a readout.
pub const MLP: Network = Named::built_in(&mlp::SPEC);
/// Convolutions and a readout.
pub const CONV: Network = Named::built_in(&conv::SPEC);
/// A recurrent network that reads an image row by row.
pub const RNN: Network = Named::built_in(&rnn::SPEC);

impl Default for Network {
    fn default() -> Self {
        MLP
    }
}

entries!(NetworkSpec, "network", &[MLP, CONV, RNN]);

/// `[batch, pixels]` to `[batch, channels, height, width]`.
fn images(x: Tensor<2>, shape: Shape) -> Tensor<4> {
    let [batch, _] = x.dims();
    x.reshape([batch, shape.channels, shape.height, shape.width])
}

/// The sum of two losses, either of which may be missing.
pub fn add_losses(a: Option<Tensor<1>>, b: Option<Tensor<1>>) -> Option<Tensor<1>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

/// `x`, with the error of each example clipped to this norm, if there is one ([`RunConfig::clip_errors`]).
pub fn clip_errors<const D: usize>(x: Tensor<D>, norm: Option<f64>) -> Tensor<D> {
    match norm {
        Some(norm) => clip_grad_norm(x, norm),
        None => x,
    }
}
