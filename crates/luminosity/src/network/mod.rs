//! The networks: what a run trains, each known by its name.

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
    ConvHidden, CustomINorm, DenseHidden, EPSILON, Hidden, LATERAL_RATE, LateralINorm, NormalizedEi,
};
pub use mlp::Mlp;
pub use population::{MlpPopulation, NetworkPopulation};
pub use rnn::Rnn;
pub use trained::TrainedNetwork;
pub(crate) use trainee::{Alone, Together, Trainee};

use crate::catalogue::{Catalogue, Entry, Named};
use crate::data::{Dataset, Shape};
use crate::record::RunRecord;
use crate::run::{self, Observer, Trained};
use crate::saved::Weights;
use crate::sweep::Ranges;
use crate::{DeviceName, Error, RunConfig};

/// A network of the experiment, by its name on the command line and in records.
pub type Network = Named<NetworkSpec>;

/// What a network is for: images of a shape, in classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// The shape of an image.
    pub shape: Shape,
    /// The number of classes.
    pub classes: usize,
}

impl Task {
    /// The task that a data set sets.
    pub fn of(data: &Dataset) -> Self {
        Self {
            shape: data.shape(),
            classes: data.classes(),
        }
    }
}

/// A network that a run trains. Its inhibitory weights have the names of the layers (`w_ix`, `w_ei`,
/// `u_ix`, `u_ei`), by which they get their learning rates.
pub trait Learner: Module + Send + Sync + 'static {
    /// A network with fresh weights from `rng`, its hidden layers as the condition says.
    ///
    /// # Errors
    ///
    /// If a number of the configuration, or the shape of the images, does not allow it.
    fn create(
        config: &RunConfig,
        task: Task,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ei_norm::Error>;

    /// How many parameters a network of this configuration has at the least. A file of weights with fewer
    /// is refused before the network is made, which might need more memory than there is. Not known, if
    /// not said otherwise.
    fn least_parameters(config: &RunConfig, task: Task) -> usize {
        let _ = (config, task);
        0
    }

    /// The logits of a batch.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, pixels]`, an image's channels one after the other, each row by row; result:
    ///   `[batch, classes]`
    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        self.logits_with_local_loss(x).0
    }

    /// The logits of a batch and the sum of the local losses, if the network has any.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, pixels]`, logits: `[batch, classes]`, loss: `[1]`
    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>);

    /// The network after what its layers learn from errors alone; called after each step. Nothing, if
    /// not said otherwise.
    fn adapt(self) -> Self {
        self
    }

    /// What each hidden layer does with a batch, from the input on; `loss` is that of the logits. Nothing
    /// is measured, if not said otherwise.
    fn probe(&self, x: Tensor<2>, loss: &dyn Fn(Tensor<2>) -> Tensor<1>) -> Vec<Probe> {
        let _ = (x, loss);
        Vec::new()
    }
}

/// What a hidden layer did with a batch.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What came in, `[batch, d_input]`.
    pub input: Tensor<2>,
    /// The output before the ReLU, `[batch, d_output]`.
    pub pre_activation: Tensor<2>,
    /// The error dL/dz that reached that output, before the layer's own normalization of errors.
    pub error: Tensor<2>,
    /// How close the layer comes to LayerNorm.
    pub alignment: Alignment,
    /// See [`Hidden::lateral_cosine`].
    pub lateral_cosine: Option<f64>,
}

/// A number that a network takes beside those that all have.
#[derive(Debug, Clone, Copy)]
pub struct NetworkOption {
    /// Its name in `--option NAME=VALUE` and in records.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Its value if none is given.
    pub default: usize,
    /// The least and the greatest that are allowed.
    pub range: [usize; 2],
}

/// What a network is.
#[derive(Debug)]
pub struct NetworkSpec {
    name: &'static str,
    /// What it is, in a few words.
    pub description: &'static str,
    /// What `--width` and `--depth` mean.
    pub sizes: &'static str,
    /// Its own options.
    pub options: &'static [NetworkOption],
    /// Sets what differs from the defaults of [`RunConfig::new`].
    pub defaults: fn(&mut RunConfig),
    /// Where a sweep draws its hyper-parameters from, unless told otherwise.
    pub ranges: Ranges,
    train: Train,
    population: Option<Population>,
    load: Load,
    check: Check,
}

/// How networks are trained in populations.
#[derive(Debug, Clone, Copy)]
struct Population {
    takes: fn(&RunConfig) -> bool,
    train: TrainAll,
}

type TrainAll =
    fn(&[&RunConfig], &Dataset, DeviceName, &mut Observer<'_>) -> Result<Vec<RunRecord>, Error>;
type Train = fn(&RunConfig, &Dataset, DeviceName, &mut Observer<'_>) -> Result<Trained, Error>;
type Check = fn(&RunConfig, Task, &Device) -> Result<(), ei_norm::Error>;
type Load = fn(&RunConfig, Task, &Weights<'_>, &Device) -> Result<Box<dyn TrainedNetwork>, Error>;

impl NetworkSpec {
    /// A network under this name.
    pub const fn of<N: Learner>(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            description,
            sizes: "neurons in each hidden layer; hidden layers",
            options: &[],
            defaults: |_| {},
            ranges: Ranges::PAPER,
            train: run::train::<N>,
            population: None,
            load: trained::load::<N>,
            check: trainee::check::<N>,
        }
    }

    /// What `--width` and `--depth` mean, for help.
    #[must_use]
    pub const fn with_sizes(mut self, sizes: &'static str) -> Self {
        self.sizes = sizes;
        self
    }

    /// How many of them are trained at once.
    #[must_use]
    pub const fn with_population<P: NetworkPopulation>(mut self) -> Self {
        self.population = Some(Population {
            takes: P::takes,
            train: run::train_population::<P>,
        });
        self
    }

    /// The network's own options.
    #[must_use]
    pub const fn with_options(mut self, options: &'static [NetworkOption]) -> Self {
        self.options = options;
        self
    }

    /// Where it differs from the defaults of [`RunConfig::new`].
    #[must_use]
    pub const fn with_defaults(mut self, defaults: fn(&mut RunConfig)) -> Self {
        self.defaults = defaults;
        self
    }

    /// Where a sweep draws its hyper-parameters from, unless told otherwise.
    #[must_use]
    pub const fn with_ranges(mut self, ranges: Ranges) -> Self {
        self.ranges = ranges;
        self
    }

    /// Trains one; see [`run::run`].
    pub(crate) fn train(
        &self,
        config: &RunConfig,
        data: &Dataset,
        device: DeviceName,
        progress: &mut Observer<'_>,
    ) -> Result<Trained, Error> {
        (self.train)(config, data, device, progress)
    }

    /// Whether one of this configuration can be trained in a population.
    pub(crate) fn in_population(&self, config: &RunConfig) -> bool {
        self.population.is_some_and(|p| (p.takes)(config))
    }

    /// Trains a population; see [`run::run_population`].
    pub(crate) fn train_population(
        &self,
        configs: &[&RunConfig],
        data: &Dataset,
        device: DeviceName,
        progress: &mut Observer<'_>,
    ) -> Result<Vec<RunRecord>, Error> {
        match self.population {
            Some(population) => (population.train)(configs, data, device, progress),
            None => Err(Error::usage(
                "network",
                self.name,
                "one that has populations",
            )),
        }
    }

    /// One with these weights.
    pub(crate) fn load(
        &self,
        config: &RunConfig,
        task: Task,
        weights: &Weights<'_>,
        device: &Device,
    ) -> Result<Box<dyn TrainedNetwork>, Error> {
        (self.load)(config, task, weights, device)
    }

    /// Checks that there is a network of this configuration for these images.
    ///
    /// # Errors
    ///
    /// If a number of the configuration, or the shape of the images, does not allow it.
    pub(crate) fn check_task(
        &self,
        config: &RunConfig,
        task: Task,
        device: &Device,
    ) -> Result<(), Error> {
        Ok((self.check)(config, task, device)?)
    }

    /// Checks the values of the network's own options.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the first that the network does not have or not allow.
    pub fn check(&self, given: &BTreeMap<String, usize>) -> Result<(), Error> {
        for (name, value) in given {
            let Some(option) = self.options.iter().find(|option| option.name == name) else {
                let names: Vec<_> = self.options.iter().map(|option| option.name).collect();
                let allowed = match names.is_empty() {
                    true => format!("no option with --network {}", self.name),
                    false => format!("{} with --network {}", names.join(", "), self.name),
                };
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

/// Of what carries over to other networks: wide ranges of the rates, and one width.
const WIDE: Ranges = Ranges {
    lr: Some([1e-3, 0.1]),
    lr_ei: Some([1e-4, 1e-2]),
    lr_ix: Some([1e-3, 1.0]),
    width: None,
};

static BUILT_IN: [NetworkSpec; 3] = [mlp::SPEC, conv::SPEC, rnn::SPEC];

/// The paper's: hidden layers, dense, and a readout.
pub const MLP: Network = Named::built_in(&BUILT_IN[0]);
/// Convolutions and a readout.
pub const CONV: Network = Named::built_in(&BUILT_IN[1]);
/// A recurrent network that reads an image row by row.
pub const RNN: Network = Named::built_in(&BUILT_IN[2]);

impl Default for Network {
    fn default() -> Self {
        MLP
    }
}

impl Entry for NetworkSpec {
    const KIND: &'static str = "network";

    fn name(&self) -> &'static str {
        self.name
    }

    fn catalogue() -> &'static Catalogue<Self> {
        static CATALOGUE: Catalogue<NetworkSpec> = Catalogue::new(&BUILT_IN);
        &CATALOGUE
    }
}

/// The sum of two losses that may both be missing.
pub fn add_losses(a: Option<Tensor<1>>, b: Option<Tensor<1>>) -> Option<Tensor<1>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

/// `x`, whose errors are clipped to this norm, example by example, if there is one
/// ([`RunConfig::clip_errors`]).
pub fn clip_errors<const D: usize>(x: Tensor<D>, norm: Option<f64>) -> Tensor<D> {
    match norm {
        Some(norm) => clip_grad_norm(x, norm),
        None => x,
    }
}
