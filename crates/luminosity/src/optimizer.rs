//! Gradient descent with a learning rate for each role of weights, and Dale's law after each step.

use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, Sgd, SgdConfig};
use burn::tensor::{Device, Int, Tensor};
use clap::ValueEnum;
use ei_norm::dale::{Role, Roles};
use ei_norm::functional::{smoothed_cross_entropies, smoothed_cross_entropy};
use ei_norm::optim::{PerNetwork, PopulationSgd, Projected, ProjectedSgd};
use serde::{Deserialize, Serialize};

use crate::RunConfig;
use crate::network::{Learner, NetworkPopulation};
use crate::sweep::Ranges;

/// The paper's label smoothing.
pub const LABEL_SMOOTHING: f64 = 0.1;
/// The momentum of [`OptimizerName::Momentum`].
const MOMENTUM: f64 = 0.9;

/// How gradients become steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Plain descent, as in the paper.
    #[default]
    Sgd,
    /// Descent with a momentum of 0.9.
    Momentum,
    /// Adam, with Burn's defaults.
    Adam,
}

/// The learning rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LearningRates {
    /// For W_ex.
    pub excitatory: f64,
    /// For the biases.
    pub bias: f64,
    /// For W_ix and U_ix, into the inhibitory units.
    pub inhibitory_in: f64,
    /// For W_ei and U_ei, out of the inhibitory units.
    pub inhibitory_out: f64,
}

/// The optimizer of a network, with the projection onto Dale's law.
pub struct Optimizer {
    optimizer: ModuleOptimizer,
    rates: ModuleLearningRate,
    lambda: f64,
}

impl OptimizerName {
    /// Sets the learning rates that suit this optimizer if the network's defaults do not: the size of Adam's
    /// steps is the rate, whatever the gradient.
    pub(crate) fn set_rates(self, config: &mut RunConfig) {
        if self == Self::Adam {
            config.lr = 3e-4;
            config.lr_ei = 3e-4;
            config.lr_ix = 1e-3;
        }
    }

    /// The ranges of the rates in a sweep, if the ranges for plain gradient descent do not suit this
    /// optimizer.
    pub(crate) fn ranges(self) -> Ranges {
        let rate = (self == Self::Adam).then_some([1e-4, 1e-2]);
        Ranges {
            lr: rate,
            lr_ei: rate,
            lr_ix: rate,
            width: None,
        }
    }

    fn init(self) -> ModuleOptimizer {
        match self {
            Self::Sgd => ProjectedSgd.init(),
            Self::Momentum => Projected::new(momentum()).init(),
            Self::Adam => Projected::new(AdamConfig::new().build()).init(),
        }
    }

    fn init_population(self, rates: PopulationSgd) -> ModuleOptimizer {
        match self {
            Self::Sgd => rates.init(),
            Self::Momentum => PerNetwork::new(momentum(), rates).init(),
            Self::Adam => PerNetwork::new(AdamConfig::new().build(), rates).init(),
        }
    }
}

fn momentum() -> Sgd {
    let momentum = MomentumConfig::new().with_momentum(MOMENTUM);
    SgdConfig::new().with_momentum(Some(momentum)).build()
}

impl Optimizer {
    /// An optimizer for `network`; `lambda` weights the local losses against the task's loss.
    pub fn new<N: Learner>(
        name: OptimizerName,
        network: &N,
        rates: LearningRates,
        lambda: f64,
    ) -> Self {
        let roles = Roles::of(network);
        let mut scheduler = ModuleLrScheduler::new(rates.excitatory)
            .with_group(roles.group(&[Role::Bias]), rates.bias)
            .with_group(roles.group(&Role::INTO_INHIBITION), rates.inhibitory_in)
            .with_group(roles.group(&Role::OUT_OF_INHIBITION), rates.inhibitory_out);
        Self {
            optimizer: name.init(),
            rates: scheduler.step(),
            lambda,
        }
    }

    /// One step on a batch: losses, gradients, update, projection onto Dale's law. Returns the network and its
    /// loss of the task before the step, cross-entropy with label smoothing, without a graph.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, input]`, `labels`: `[batch]`, loss: `[1]`
    pub fn step<N: Learner>(
        &mut self,
        network: N,
        x: Tensor<2>,
        labels: Tensor<1, Int>,
    ) -> (N, Tensor<1>) {
        let (logits, local) = network.logits_with_local_loss(x);
        let task = smoothed_cross_entropy(logits, labels, LABEL_SMOOTHING);
        let total = match local {
            Some(local) => task.clone() + local * self.lambda,
            None => task.clone(),
        };
        let gradients = GradientsParams::from_grads(total.backward(), &network);
        let network = self.optimizer.step(self.rates.clone(), network, gradients);
        (network.adapt(), task.inner())
    }
}

/// The optimizer of a population; each network has its own learning rates and λ.
pub(crate) struct PopulationOptimizer {
    optimizer: ModuleOptimizer,
    /// `[networks]`
    lambdas: Tensor<1>,
}

impl PopulationOptimizer {
    /// An optimizer for networks of these configurations; the first configuration determines its kind.
    pub fn new(configs: &[&RunConfig], device: &Device) -> Self {
        let each = |of: fn(&RunConfig) -> f64| -> Vec<f64> {
            configs.iter().map(|config| of(config)).collect()
        };
        let rates = PopulationSgd::new()
            .with_rates(&[Role::Excitatory, Role::Bias], &each(|c| c.lr), device)
            .with_rates(&Role::INTO_INHIBITION, &each(|c| c.lr_ix), device)
            .with_rates(&Role::OUT_OF_INHIBITION, &each(|c| c.lr_ei), device);
        Self {
            optimizer: configs[0].optimizer.init_population(rates),
            lambdas: Tensor::from_data(each(|c| c.lambda).as_slice(), device),
        }
    }

    /// One step on a batch of each network; returns the population and each network's loss of the task before
    /// the step, without a graph.
    ///
    /// # Shapes
    ///
    /// - `x`: `[networks · batch, input]`, `labels`: `[networks · batch]`, losses: `[networks]`
    pub fn step<P: NetworkPopulation>(
        &mut self,
        population: P,
        x: Tensor<2>,
        labels: Tensor<1, Int>,
    ) -> (P, Tensor<1>) {
        let (logits, local) = population.logits_with_local_losses(x);
        let ([rows, _], [networks]) = (logits.dims(), self.lambdas.dims());
        let task = smoothed_cross_entropies(logits, labels, LABEL_SMOOTHING);
        let task = task.reshape([networks, rows / networks]);
        let task = task.mean_dim(1).squeeze_dim(1);
        let total = match local {
            Some(local) => task.clone() + local * self.lambdas.clone(),
            None => task.clone(),
        };
        let gradients = GradientsParams::from_grads(total.sum().backward(), &population);
        let population = self.optimizer.step(1.0, population, gradients);
        (population.adapt(), task.inner())
    }
}
