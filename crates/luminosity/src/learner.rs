//! What a network must do so that a run can train it.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ei_norm::grad::clip_grad_norm;
use rand_chacha::ChaCha8Rng;

use crate::data::Split;
use crate::measure::measure;
use crate::model::Network;
use crate::record::Measures;
use crate::{Condition, RunConfig};

/// A network that [`run::train`](crate::run::train) trains. Its inhibitory weights have the names of
/// the layers (`w_ix`, `w_ei`, `u_ix`, `u_ei`), by which they get their learning rates.
pub trait Learner: Module {
    /// A network with fresh weights from `rng`, its hidden layers as the condition says
    /// ([`Condition::hidden`](crate::Condition::hidden)).
    ///
    /// # Errors
    ///
    /// If a number of the configuration does not allow it.
    fn create(
        config: &RunConfig,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ei_norm::Error>;

    /// The logits of a batch.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, PIXELS]`, result: `[batch, CLASSES]`
    fn logits(&self, x: Tensor<2>) -> Tensor<2>;

    /// The logits of a batch and the sum of the local losses, if the network has any.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, PIXELS]`, logits: `[batch, CLASSES]`, loss: `[1]`
    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>);

    /// The network after what its layers learn from errors alone; called after each step. Nothing, if
    /// not said otherwise.
    fn adapt(self) -> Self {
        self
    }

    /// What is measured of the hidden layers after an epoch; nothing, if not said otherwise.
    fn measures(&self, config: &RunConfig, split: &Split, device: &Device) -> Measures {
        let _ = (config, split, device);
        Measures::default()
    }
}

impl Learner for Network {
    fn create(
        config: &RunConfig,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ei_norm::Error> {
        let hidden = config.condition.hidden();
        let network = Self::init(hidden, config.sizes(), config.init, device, rng)?;
        Ok(network.with_clipped_errors(config.clip_errors))
    }

    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        self.forward(x)
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        self.forward_with_local_loss(x)
    }

    fn adapt(self) -> Self {
        Network::adapt(self)
    }

    fn measures(&self, config: &RunConfig, split: &Split, device: &Device) -> Measures {
        measure(self, config, split, device)
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

/// The refusal of a condition for which a network has no layers.
pub fn refuse(condition: Condition) -> ei_norm::Error {
    ei_norm::Error::Config {
        name: "conditions",
        value: condition.to_string(),
        allowed: "none and those of I-Norm without learned lateral weights",
    }
}
