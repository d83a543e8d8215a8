//! What a run trains: one network, or a population of them.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{Learner, NetworkPopulation, Task};
use crate::RunConfig;
use crate::optimizer::{Optimizer, PopulationOptimizer};
use crate::random::{Purpose, generator};
use crate::stimulus::Batch;

/// One network or several that learn at the same time, each from images of its own. The rows of a batch
/// are those of the first network, then those of the second, as many of each.
pub(crate) trait Trainee: Sized {
    /// A network.
    type Network: Learner;
    /// What has the parameters of all.
    type Module: Module;

    /// Fresh networks of these configurations, of which the first says what they have in common.
    ///
    /// # Errors
    ///
    /// If a number of a configuration, or the shape of the images, does not allow it.
    fn create(configs: &[&RunConfig], task: Task, device: &Device) -> Result<Self, ei_norm::Error>;

    /// One step, and the loss of the task of each network before it, `[networks]`, outside of any graph.
    fn step(self, batch: Batch) -> (Self, Tensor<1>);

    /// The networks as one module.
    fn module(&self) -> &Self::Module;

    /// Each network by itself, without autodiff.
    fn networks(&self) -> Vec<Self::Network>;

    /// The logits `[rows, classes]` of a batch `[rows, pixels]`, as a function of the present weights
    /// without autodiff.
    fn logits(&self) -> Box<dyn Fn(Tensor<2>) -> Tensor<2>>;
}

/// One network.
pub(crate) struct Alone<N> {
    network: N,
    optimizer: Optimizer,
}

impl<N: Learner> Trainee for Alone<N> {
    type Network = N;
    type Module = N;

    fn create(configs: &[&RunConfig], task: Task, device: &Device) -> Result<Self, ei_norm::Error> {
        let config = configs[0];
        let network = fresh::<N>(config, task, device)?;
        let rates = config.learning_rates();
        Ok(Self {
            optimizer: Optimizer::new(config.optimizer, &network, rates, config.lambda),
            network,
        })
    }

    fn step(mut self, batch: Batch) -> (Self, Tensor<1>) {
        let (x, labels) = (batch.x.autodiff(), batch.labels.autodiff());
        let (network, loss) = self.optimizer.step(self.network, x, labels);
        self.network = network;
        (self, loss.task)
    }

    fn module(&self) -> &N {
        &self.network
    }

    fn networks(&self) -> Vec<N> {
        vec![self.network.valid()]
    }

    fn logits(&self) -> Box<dyn Fn(Tensor<2>) -> Tensor<2>> {
        let network = self.network.valid();
        Box::new(move |x| network.logits(x))
    }
}

/// Several networks.
pub(crate) struct Together<P> {
    population: P,
    size: usize,
    optimizer: PopulationOptimizer,
}

impl<P: NetworkPopulation> Trainee for Together<P> {
    type Network = P::Network;
    type Module = P;

    fn create(configs: &[&RunConfig], task: Task, device: &Device) -> Result<Self, ei_norm::Error> {
        let networks = configs.iter().map(|config| fresh(config, task, device));
        Ok(Self {
            population: P::stack(networks.collect::<Result<_, _>>()?)?,
            size: configs.len(),
            optimizer: PopulationOptimizer::new(configs, device),
        })
    }

    fn step(mut self, batch: Batch) -> (Self, Tensor<1>) {
        let x = by_network(batch.x.autodiff(), self.size);
        let labels = batch.labels.autodiff();
        let (population, losses) = self.optimizer.step(self.population, x, labels);
        self.population = population;
        (self, losses)
    }

    fn module(&self) -> &P {
        &self.population
    }

    fn networks(&self) -> Vec<P::Network> {
        let networks = self.population.unstack();
        networks.iter().map(|network| network.valid()).collect()
    }

    fn logits(&self) -> Box<dyn Fn(Tensor<2>) -> Tensor<2>> {
        let (population, size) = (self.population.valid(), self.size);
        Box::new(move |x| {
            let (logits, _) = population.logits_with_local_losses(by_network(x, size));
            logits.flatten(0, 1)
        })
    }
}

/// A network as its seed makes it.
fn fresh<N: Learner>(config: &RunConfig, task: Task, device: &Device) -> Result<N, ei_norm::Error> {
    let mut weights = generator(config.seed, Purpose::Weights);
    N::create(config, task, device, &mut weights)
}

/// Whether there is a network of this configuration.
pub(super) fn check<N: Learner>(
    config: &RunConfig,
    task: Task,
    device: &Device,
) -> Result<(), ei_norm::Error> {
    fresh::<N>(config, task, device).map(drop)
}

/// `[networks · batch, pixels]` to `[networks, batch, pixels]`.
fn by_network(x: Tensor<2>, networks: usize) -> Tensor<3> {
    let [rows, pixels] = x.dims();
    x.reshape([networks, rows / networks, pixels])
}
