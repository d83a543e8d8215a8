//! Plain SGD with one learning rate per population of synapses, and Dale's law after each step.

use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Int, Tensor};
use ei_norm::dale::{Role, Roles};
use ei_norm::{functional::smoothed_cross_entropy, optim::ProjectedSgd};
use serde::{Deserialize, Serialize};

use crate::Learner;

/// Label smoothing of the paper.
pub const LABEL_SMOOTHING: f64 = 0.1;

/// The learning rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LearningRates {
    /// Of W_ex.
    pub excitatory: f64,
    /// Of the biases.
    pub bias: f64,
    /// Of W_ix and U_ix, into the inhibitory units.
    pub inhibitory_in: f64,
    /// Of W_ei and U_ei, out of them.
    pub inhibitory_out: f64,
}

/// SGD with projection on a network.
pub struct Optimizer {
    sgd: ModuleOptimizer,
    rates: ModuleLearningRate,
    lambda: f64,
}

/// The losses of a batch before a step.
#[derive(Debug, Clone)]
pub struct StepLoss {
    /// Cross-entropy with label smoothing, `[1]`, on the device.
    pub task: Tensor<1>,
}

impl Optimizer {
    /// An optimizer for `network`; the local losses weigh `lambda` against the task's.
    pub fn new<N: Learner>(network: &N, rates: LearningRates, lambda: f64) -> Self {
        let roles = Roles::of(network);
        let mut scheduler = ModuleLrScheduler::new(rates.excitatory)
            .with_group(roles.group(&[Role::Bias]), rates.bias)
            .with_group(roles.group(&Role::INTO_INHIBITION), rates.inhibitory_in)
            .with_group(roles.group(&Role::OUT_OF_INHIBITION), rates.inhibitory_out);
        Self {
            sgd: ProjectedSgd.init(),
            rates: scheduler.step(),
            lambda,
        }
    }

    /// One step on a batch: losses, gradients, update, projection onto Dale's law.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, input]`, `labels`: `[batch]`
    pub fn step<N: Learner>(
        &mut self,
        network: N,
        x: Tensor<2>,
        labels: Tensor<1, Int>,
    ) -> (N, StepLoss) {
        let (logits, local) = network.logits_with_local_loss(x);
        let task = smoothed_cross_entropy(logits, labels, LABEL_SMOOTHING);
        let total = match local {
            Some(local) => task.clone() + local * self.lambda,
            None => task.clone(),
        };
        let gradients = GradientsParams::from_grads(total.backward(), &network);
        let network = self.sgd.step(self.rates.clone(), network, gradients);
        let network = network.adapt();
        let task = task.inner();
        (network, StepLoss { task })
    }
}
