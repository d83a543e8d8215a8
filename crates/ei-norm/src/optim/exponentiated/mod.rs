//! Exponentiated gradient: multiplicative steps, which keep every sign.

/// The optimizers of a configuration.
macro_rules! builders {
    ($config:ident) => {
        impl $config {
            /// The optimizer of a module.
            ///
            /// # Panics
            ///
            /// Where [`try_init`](Self::try_init) returns an error.
            #[track_caller]
            pub fn init(&self) -> ModuleOptimizer {
                crate::check::or_panic(self.try_init())
            }

            /// The optimizer of a module.
            ///
            /// # Errors
            ///
            /// As [`try_build`](Self::try_build).
            pub fn try_init(&self) -> Result<ModuleOptimizer, Error> {
                self.try_build().map(ModuleOptimizer::from)
            }

            /// The bare optimizer, for a group of parameters.
            ///
            /// # Panics
            ///
            /// Where [`try_build`](Self::try_build) returns an error.
            #[track_caller]
            pub fn build(&self) -> Exponentiated<Self> {
                crate::check::or_panic(self.try_build())
            }

            /// The bare optimizer, for a group of parameters.
            ///
            /// # Errors
            ///
            /// If the decay rate of a running mean is not in 0..1, ε or the weight decay is negative or not
            /// finite, or the scale of a split is not above 0.
            pub fn try_build(&self) -> Result<Exponentiated<Self>, Error> {
                self.check()?;
                self.unconstrained.check()?;
                Ok(Exponentiated {
                    rule: self.clone(),
                    unconstrained: self.unconstrained,
                })
            }
        }
    };
}

mod adam;
mod sgd;

pub use adam::ExponentiatedAdamConfig;
pub use sgd::ExponentiatedSgdConfig;

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource, join_path};
use burn::tensor::{Device, Tensor};

use super::state::{put, take};
use crate::Error;
use crate::check::check_positive;
use crate::dale::is_constrained;

/// The treatment of a parameter that may have any sign, such as a bias: every parameter that is not a
/// [`Weight`](crate::dale::Weight) ≥ 0. A multiplicative step alone would never change its sign.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Unconstrained {
    /// EG±: w = w₊ − w₋ with two parts > 0, both with multiplicative steps, w₊ with the gradient of w and w₋
    /// with its negative. This lets w change its sign. Initially w₊ w₋ = `scale`². Near 0 a step is `2 scale`
    /// times a step of plain gradient descent; far from 0 it is proportional to |w|.
    ///
    /// The parts belong to the optimizer's state. A value that is changed outside of the optimizer does not
    /// change them: load the optimizer's record together with the model's.
    Split {
        /// The initial geometric mean of the parts, > 0.
        scale: f64,
    },
    /// Each value keeps its sign, as in a network with a random sign for each weight. A value of 0 stays 0.
    KeepSign,
}

impl Default for Unconstrained {
    fn default() -> Self {
        Self::Split { scale: 0.5 }
    }
}

impl Unconstrained {
    fn check(self) -> Result<(), Error> {
        match self {
            Self::Split { scale } => check_positive("the scale of Split", scale),
            Self::KeepSign => Ok(()),
        }
    }
}

/// A configuration of multiplicative steps, which keep the signs of values.
pub trait Rule: Clone + Send + Sync + 'static {
    /// The rule's memory of earlier gradients.
    type Memory<const D: usize>: Memory<D>;

    /// The values after a step, and the new memory.
    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        values: Tensor<D>,
        grad: Tensor<D>,
        memory: Option<Self::Memory<D>>,
    ) -> (Tensor<D>, Self::Memory<D>);
}

/// The memory of a [`Rule`].
pub trait Memory<const D: usize>: Clone + RecordState {
    /// The same memory on another device.
    fn to_device(self, device: &Device) -> Self;
}

/// The optimizer of an [`ExponentiatedSgdConfig`] or an [`ExponentiatedAdamConfig`].
#[derive(Debug, Clone)]
pub struct Exponentiated<R> {
    rule: R,
    unconstrained: Unconstrained,
}

/// The state of one parameter.
#[derive(Debug, Clone)]
pub struct ExponentiatedState<const D: usize, M> {
    /// The memory for the parameter, or for its positive part.
    memory: M,
    /// If the parameter is split: its parts w₊ and w₋, and the memory for w₋.
    split: Option<(Tensor<D>, Tensor<D>, M)>,
}

impl<R: Rule> Optimizer for Exponentiated<R> {
    type State<const D: usize> = ExponentiatedState<D, R::Memory<D>>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (memory, split) = state.map_or((None, None), |s| (Some(s.memory), s.split));
        let scale = match self.unconstrained {
            Unconstrained::Split { scale } if !is_constrained() => scale,
            _ => {
                let (tensor, memory) = self.rule.step(lr, tensor, grad, memory);
                let split = None;
                return (tensor, Some(ExponentiatedState { memory, split }));
            }
        };
        let (positive, negative, opposite) = match split {
            Some((positive, negative, opposite)) => (positive, negative, Some(opposite)),
            None => {
                let (positive, negative) = parts(tensor, scale);
                (positive, negative, None)
            }
        };
        let (positive, memory) = self.rule.step(lr, positive, grad.clone(), memory);
        let (negative, opposite) = self.rule.step(lr, negative, grad.neg(), opposite);
        let tensor = positive.clone() - negative.clone();
        let split = Some((positive, negative, opposite));
        (tensor, Some(ExponentiatedState { memory, split }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        ExponentiatedState {
            memory: state.memory.to_device(device),
            split: state.split.map(|(positive, negative, opposite)| {
                (
                    positive.to_device(device),
                    negative.to_device(device),
                    opposite.to_device(device),
                )
            }),
        }
    }
}

/// w₊ and w₋ > 0 with w₊ − w₋ = w and w₊ w₋ = `scale`²: (√(w² + 4 scale²) ± w)/2. The smaller part is
/// computed from the product, because the difference would cancel.
fn parts<const D: usize>(w: Tensor<D>, scale: f64) -> (Tensor<D>, Tensor<D>) {
    let size = (w.clone().square() + 4.0 * scale * scale).sqrt();
    let large = (size + w.clone().abs()) / 2.0;
    let small = large.clone().recip() * (scale * scale);
    let negative = w.lower_elem(0.0);
    (
        large.clone().mask_where(negative.clone(), small.clone()),
        small.mask_where(negative, large),
    )
}

/// values · exp(−exponent · sgn(values)); 0 stays 0 for every finite exponent.
fn multiply<const D: usize>(values: Tensor<D>, exponent: Tensor<D>) -> Tensor<D> {
    let signs = values.clone().sign().cast(exponent.dtype());
    let factor = (exponent * signs).neg().exp();
    values.clone() * factor.cast(values.dtype())
}

impl<const D: usize, M: Memory<D>> RecordState for ExponentiatedState<D, M> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.memory.state_flatten(prefix, out);
        if let Some((positive, negative, opposite)) = &self.split {
            put(out, prefix, "positive", positive);
            put(out, prefix, "negative", negative);
            opposite.state_flatten(&join_path(prefix, "opposite"), out);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let memory = M::state_unflatten(prefix, source, device)?;
        let split = match take(source, prefix, "positive", device) {
            None => None,
            Some(positive) => Some((
                positive,
                take(source, prefix, "negative", device)?,
                M::state_unflatten(&join_path(prefix, "opposite"), source, device)?,
            )),
        };
        Some(Self { memory, split })
    }
}
