//! Dale's law: the signs of parameters, their projection after an optimizer step, and a check.
//!
//! A parameter is constrained if it is a [`Weight`] with [`Sign::NonNegative`]. A traversal of a module
//! learns this from the [`Weight`] itself, not from names of fields or structs, so other parameters are never
//! changed.
//!
//! A [`Weight`] can also have a [`mask`] that says which connections exist.
//!
//! ```
//! use burn::optim::{GradientsParams, SgdConfig};
//! use burn::prelude::*;
//! use ei_norm::{EiLinearConfig, dale};
//!
//! let device = Device::flex().autodiff();
//! let mut layer = EiLinearConfig::new(8, 4).init(&device);
//! let mut optimizer = SgdConfig::new().init();
//! let x = Tensor::<2>::ones([2, 8], &device);
//! let grads = layer.forward(x).sum().backward();
//! let grads = GradientsParams::from_grads(grads, &layer);
//! layer = dale::project(optimizer.step(0.1, layer, grads));
//! assert!(dale::check(&layer).is_ok());
//! ```

pub mod mask;
pub mod reparameterization;

mod role;
mod scope;
mod walk;
mod weight;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use crate::{Error, context};

pub use reparameterization::{NonNegative, reparameterize};
pub use role::{Role, RoleOf, Roles};
#[cfg(feature = "import")]
pub(crate) use scope::{Storage, Visible};
#[cfg(feature = "optim")]
pub(crate) use scope::{announced, is_constrained};
pub(crate) use walk::walk;
pub use weight::{Plasticity, Weight};

/// The sign of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sign {
    /// Every value is ≥ 0.
    NonNegative,
    /// Any value.
    Free,
}

impl std::fmt::Display for Sign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NonNegative => "non-negative",
            Self::Free => "of any sign",
        })
    }
}

/// Sets every negative value of every constrained parameter in `module`, at any depth, to zero. Call it after
/// each optimizer step.
///
/// Identity, gradient tracking and all other properties of a parameter stay. NaN stays NaN, so that a
/// diverged network is not hidden. Reparameterized parameters are not changed, because the reparameterization
/// keeps their sign.
#[must_use]
pub fn project<M: Module>(module: M) -> M {
    scope::silently(|| module.map(&mut Projection))
}

/// Checks that every constrained parameter of `module` keeps its sign.
///
/// # Errors
///
/// [`Error::Dale`] with the path of the first parameter that does not; a value that is NaN or infinite is a
/// violation too. For a reparameterized parameter, the computed values are checked.
pub fn check<M: Module>(module: &M) -> Result<(), Error> {
    let mut violation = None;
    walk(module, |visited| {
        let weight = visited.announced.weight;
        let weight = weight.filter(|weight| weight.sign == Sign::NonNegative && !visited.is_part);
        let Some(weight) = weight.filter(|_| violation.is_none()) else {
            return;
        };
        let (count, worst) = breaking(&(weight.values)(), |v| v >= 0.0 && v.is_finite());
        violation = (count > 0).then(|| Error::Dale {
            // A weight by itself has no path.
            path: match visited.path.is_empty() {
                true => "weights".to_owned(),
                false => visited.path,
            },
            sign: Sign::NonNegative,
            count,
            worst,
        });
    });
    violation.map_or(Ok(()), Err)
}

/// The values of every parameter that [`project`] may change, in f64, by its path and shape.
pub(crate) fn constrained_values<M: Module>(
    module: &M,
) -> BTreeMap<(String, Vec<usize>), Vec<f64>> {
    let mut found = BTreeMap::new();
    walk(module, |visited| {
        if visited.announced.constrained {
            let values = (visited.stored)().iter().collect();
            found.insert((visited.path, visited.shape), values);
        }
    });
    found
}

/// The names of the weights of `module` that have a mask, and of the reparameterized weights.
pub(crate) fn peculiarities<M: Module>(module: &M) -> [Vec<String>; 2] {
    let [mut masked, mut reparameterized] = [const { Vec::new() }; 2];
    walk(module, |visited| {
        let Some(weight) = visited.announced.weight.filter(|_| !visited.is_part) else {
            return;
        };
        if weight.exists.is_some() {
            masked.push(visited.path.clone());
        }
        if weight.storage != scope::Storage::Value {
            reparameterized.push(visited.path);
        }
    });
    [masked, reparameterized]
}

struct Projection;

impl ModuleMapper for Projection {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match scope::is_constrained() {
            true => param.map(|tensor| on_inner(tensor, |tensor| tensor.clamp_min(0.0))),
            false => param,
        }
    }
}

/// Replaces a parameter's value outside of any graph; the result is a leaf with the same autodiff state. The
/// value is moved into `f`, so that its memory can be reused.
pub(crate) fn on_inner<const D: usize>(
    tensor: Tensor<D>,
    f: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    if !tensor.is_autodiff() {
        return f(tensor);
    }
    let (strategy, learns) = (
        tensor.gradient_checkpointing_strategy(),
        tensor.is_require_grad(),
    );
    context::with_strategy(f(tensor.inner()), strategy).set_require_grad(learns)
}

/// The number of values that are not allowed, and the worst of them: NaN if any is NaN, else an infinite
/// value, else the lowest.
pub(crate) fn breaking(values: &TensorData, allowed: impl Fn(f64) -> bool) -> (usize, f64) {
    let severity = |v: f64| u8::from(v.is_infinite()) + 2 * u8::from(v.is_nan());
    let wrong = values.iter::<f64>().filter(|v| !allowed(*v));
    wrong.fold((0, 0.0_f64), |(count, worst), v| {
        let (found, before) = (severity(v), severity(worst));
        let is_worse = found > before || found == before && v < worst;
        (count + 1, if is_worse { v } else { worst })
    })
}
