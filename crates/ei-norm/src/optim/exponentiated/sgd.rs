use burn::config::Config;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{LearningRate, ModuleOptimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

use super::{Exponentiated, Memory, Rule, Unconstrained, multiply};
use crate::Error;
use crate::check::{check_below_one, check_not_negative};
use crate::optim::state::{put, take};

/// Configuration of exponentiated gradient descent, with momentum and weight decay:
///
/// ```text
/// g ← g + λ sgn(w)
/// v ← μ v + (1 − τ) g        (v = g at the first step; without momentum always)
/// w ← w · exp(−η sgn(w) v)
/// ```
///
/// with η the learning rate, λ the weight decay, μ the momentum and τ its dampening; with Nesterov's momentum,
/// g + μ v takes the place of v in the last line. Every weight keeps its sign, so Dale's law needs no
/// projection. A weight that is exactly 0 never moves: start with positive weights, as the initializations of
/// this crate do, and do not project. Steps are relative to the size of a weight, so learning rates are larger
/// than for plain gradient descent. Weights that shrink below the smallest number of their dtype become 0 and
/// stay 0; weights that grow beyond the largest number become infinite.
/// [`dale::check`](crate::dale::check) finds infinite weights that must be ≥ 0.
///
/// Parameters that may have any sign are split ([`Unconstrained`]).
///
/// ```
/// use burn::optim::GradientsParams;
/// use burn::prelude::*;
/// use ei_norm::optim::ExponentiatedSgdConfig;
/// use ei_norm::{EiLinearConfig, dale};
///
/// let device = Device::flex().autodiff();
/// let mut layer = EiLinearConfig::new(8, 4).init(&device);
/// let mut optimizer = ExponentiatedSgdConfig::new().with_weight_decay(1e-4).init();
/// let grads = layer.forward(Tensor::<2>::ones([2, 8], &device)).sum().backward();
/// let grads = GradientsParams::from_grads(grads, &layer);
/// layer = optimizer.step(1.0, layer, grads);
/// assert!(dale::check(&layer).is_ok());
/// ```
#[derive(Config, Debug)]
pub struct ExponentiatedSgdConfig {
    /// Burn's momentum; none by default.
    #[config(default = "None")]
    pub momentum: Option<MomentumConfig>,
    /// λ.
    #[config(default = 0.0)]
    pub weight_decay: f64,
    /// The treatment of parameters that may have any sign.
    #[config(default = "Unconstrained::default()")]
    pub unconstrained: Unconstrained,
}

/// The velocity v; none without momentum.
#[derive(Debug, Clone)]
pub struct Velocity<const D: usize>(Option<Tensor<D>>);

builders!(ExponentiatedSgdConfig);

impl ExponentiatedSgdConfig {
    fn check(&self) -> Result<(), Error> {
        if let Some(momentum) = &self.momentum {
            check_below_one("momentum", momentum.momentum)?;
            check_below_one("dampening", momentum.dampening)?;
        }
        check_not_negative("weight_decay", self.weight_decay)
    }
}

impl Rule for ExponentiatedSgdConfig {
    type Memory<const D: usize> = Velocity<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        values: Tensor<D>,
        grad: Tensor<D>,
        memory: Option<Velocity<D>>,
    ) -> (Tensor<D>, Velocity<D>) {
        let grad = match self.weight_decay {
            0.0 => grad,
            decay => grad + values.clone().sign() * decay,
        };
        // Burn's `Momentum` rounds μ to f32.
        let Some(config) = &self.momentum else {
            return (multiply(values, grad * lr), Velocity(None));
        };
        let velocity = match memory.and_then(|memory| memory.0) {
            Some(velocity) => velocity * config.momentum + grad.clone() * (1.0 - config.dampening),
            None => grad.clone(),
        };
        let direction = match config.nesterov {
            true => velocity.clone() * config.momentum + grad,
            false => velocity.clone(),
        };
        (multiply(values, direction * lr), Velocity(Some(velocity)))
    }
}

impl<const D: usize> Memory<D> for Velocity<D> {
    fn to_device(self, device: &Device) -> Self {
        Self(self.0.map(|velocity| velocity.to_device(device)))
    }
}

impl<const D: usize> RecordState for Velocity<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(velocity) = &self.0 {
            put(out, prefix, "velocity", velocity);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self(take(source, prefix, "velocity", device)))
    }
}
