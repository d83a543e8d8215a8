use burn::config::Config;
use burn::optim::{LearningRate, ModuleOptimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

use super::{Exponentiated, Memory, Rule, Unconstrained, multiply};
use crate::Error;
use crate::check::{check_below_one, check_not_negative};
use crate::optim::state::{put, take};
use crate::statistics::widened;

/// Configuration of exponentiated gradient descent with the moments of Adam:
///
/// ```text
/// m ← β₁ m + (1 − β₁) g    v ← β₂ v + (1 − β₂) g²    bc₁ = 1 − β₁ᵗ    bc₂ = 1 − β₂ᵗ
/// w ← w (1 − η λ)
/// w ← w · exp(−(η/bc₁) sgn(w) m/(√v/√bc₂ + ε))
/// ```
///
/// with η the learning rate, λ the weight decay and t the number of the step, from 1. A step changes every
/// weight by about the same ratio and never changes its sign (η λ above 1 counts as 1). A weight that is
/// exactly 0 never moves. Parameters that may have any sign are split ([`Unconstrained`]).
///
/// ```
/// use burn::optim::GradientsParams;
/// use burn::prelude::*;
/// use ei_norm::optim::ExponentiatedAdamConfig;
/// use ei_norm::{EiLinearConfig, dale};
///
/// let device = Device::flex().autodiff();
/// let mut layer = EiLinearConfig::new(8, 4).init(&device);
/// let mut optimizer = ExponentiatedAdamConfig::new().init();
/// let grads = layer.forward(Tensor::<2>::ones([2, 8], &device)).sum().backward();
/// let grads = GradientsParams::from_grads(grads, &layer);
/// layer = optimizer.step(0.01, layer, grads);
/// assert!(dale::check(&layer).is_ok());
/// ```
#[derive(Config, Debug)]
pub struct ExponentiatedAdamConfig {
    /// β₁.
    #[config(default = 0.9)]
    pub beta_1: f64,
    /// β₂.
    #[config(default = 0.999)]
    pub beta_2: f64,
    /// ε.
    #[config(default = 1e-8)]
    pub epsilon: f64,
    /// λ, decoupled from the gradient.
    #[config(default = 0.0)]
    pub weight_decay: f64,
    /// The treatment of parameters that may have any sign.
    #[config(default = "Unconstrained::default()")]
    pub unconstrained: Unconstrained,
}

/// The running moments.
#[derive(Debug, Clone)]
pub struct Moments<const D: usize> {
    /// The number of steps made.
    time: usize,
    first: Tensor<D>,
    second: Tensor<D>,
}

builders!(ExponentiatedAdamConfig);

impl ExponentiatedAdamConfig {
    fn check(&self) -> Result<(), Error> {
        check_below_one("beta_1", self.beta_1)?;
        check_below_one("beta_2", self.beta_2)?;
        check_not_negative("epsilon", self.epsilon)?;
        check_not_negative("weight_decay", self.weight_decay)
    }
}

impl Rule for ExponentiatedAdamConfig {
    type Memory<const D: usize> = Moments<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        values: Tensor<D>,
        grad: Tensor<D>,
        memory: Option<Moments<D>>,
    ) -> (Tensor<D>, Moments<D>) {
        // In half precision, squares of small gradients and ε would be 0.
        let grad = widened(grad);
        // Burn's own moments have f32 coefficients.
        let moments = memory.unwrap_or_else(|| Moments {
            time: 0,
            first: grad.zeros_like(),
            second: grad.zeros_like(),
        });
        let first = moments.first * self.beta_1 + grad.clone() * (1.0 - self.beta_1);
        let second = moments.second * self.beta_2 + grad.square() * (1.0 - self.beta_2);
        let time = moments.time + 1;
        let correction = |beta: f64| 1.0 - beta.powf(time as f64);
        let spread = second.clone().sqrt() / correction(self.beta_2).sqrt() + self.epsilon;
        let exponent = first.clone() / spread * (lr / correction(self.beta_1));
        let values = match self.weight_decay {
            0.0 => values,
            decay => values * (1.0 - lr * decay).max(0.0),
        };
        let moments = Moments {
            time,
            first,
            second,
        };
        (multiply(values, exponent), moments)
    }
}

impl<const D: usize> Memory<D> for Moments<D> {
    fn to_device(self, device: &Device) -> Self {
        Self {
            time: self.time,
            first: self.first.to_device(device),
            second: self.second.to_device(device),
        }
    }
}

impl<const D: usize> RecordState for Moments<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "time", self.time.into());
        put(out, prefix, "first", &self.first);
        put(out, prefix, "second", &self.second);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let time = source.take_scalar(prefix, "time")?;
        Some(Self {
            time: usize::try_from(time).ok()?,
            first: take(source, prefix, "first", device)?,
            second: take(source, prefix, "second", device)?,
        })
    }
}
