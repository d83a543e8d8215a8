//! Excitatory/inhibitory layers (Dale's law) and control over back-propagated errors, for
//! [Burn](https://burn.dev).
//!
//! - [`EiLinear`], [`INormLinear`], [`ShuntingLinear`], [`ColumnEiLinear`]: layers whose neurons excite or
//!   inhibit, never both. Each is based on a [`circuit`]; each circuit also exists as a convolution and as a
//!   recurrent network, see the table in [`layer`].
//! - [`map_grad`]: the identity in the forward pass; any function of the error in the backward pass.
//! - [`GradNorm`]: the error normalizations of "Inhibitory normalization of error signals improves learning
//!   in neural circuits" (Eyono et al., 2026), built on [`map_grad`].
//! - [`LearnedLateral`]: lateral inhibition of errors that learns to center them.
//! - [`grad`]: further tools that clip, scale, reverse and perturb errors, read the error of any tensor, and
//!   find the place where errors stop being finite.
//! - [`dale`]: the signs of parameters, their projection after a step, a check, and masks of the connections
//!   that exist.
//! - `import` (feature `import`): weights from PyTorch and safetensors files.
//! - `optim` (feature `optim`): optimizers that keep signs, learning rates by role, and checked records.
//!
//! ```
//! use burn::prelude::*;
//! use burn::optim::{GradientsParams, SgdConfig};
//! use ei_norm::{EiLinearConfig, GradNormConfig, dale};
//!
//! # fn main() -> Result<(), ei_norm::Error> {
//! let device = Device::flex().autodiff();
//! let mut layer = EiLinearConfig::new(784, 100).try_init(&device)?;
//! let norm = GradNormConfig::new(100).try_init(&device)?;
//! let mut optimizer = SgdConfig::new().init();
//!
//! let x = Tensor::<2>::ones([32, 784], &device);
//! let z = norm.forward(layer.forward(x)); // the error that comes back through here is normalized
//! let grads = GradientsParams::from_grads(z.square().mean().backward(), &layer);
//! layer = dale::project(optimizer.step(0.01, layer, grads)); // weights excite or inhibit, never both
//! dale::check(&layer)?;
//! # Ok(())
//! # }
//! ```
//!
//! Shapes follow Burn's `Linear`: a weight from `n` inputs to `m` outputs is `[n, m]`, the transpose of the
//! paper's post × pre matrices.
//!
//! # Backends
//!
//! No backend is enabled by default. An application enables a backend in Burn and the feature of the same
//! name here (`flex`, `ndarray`, `wgpu`, `vulkan`, `metal`, `webgpu`, `cuda`, `rocm`, `cpu`, `tch`,
//! `remote`): `ei-norm = { …, features = ["flex"] }`. Without this feature, layers compute in plain tensor
//! operations; [`map_grad`] and all that changes errors, such as an I-Norm layer in its default mode, panic in
//! training with the name of the feature.
//!
//! # More
//!
//! The [guide] leads from an ordinary model to a model with these layers; [layers] has their equations;
//! [training] compares optimizers, learning rates and ways to keep signs; [extending] shows the tools;
//! [backends] lists the support for each backend.
//!
//! [guide]: https://github.com/ei-norm/ei-norm/blob/main/docs/guide.md
//! [layers]: https://github.com/ei-norm/ei-norm/blob/main/docs/layers.md
//! [training]: https://github.com/ei-norm/ei-norm/blob/main/docs/training.md
//! [extending]: https://github.com/ei-norm/ei-norm/blob/main/docs/extending.md
//! [backends]: https://github.com/ei-norm/ei-norm/blob/main/docs/backends.md

#![cfg_attr(not(test), warn(unused_crate_dependencies))]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod circuit;
pub mod dale;
pub mod functional;
pub mod grad;
#[cfg(feature = "import")]
pub mod import;
pub mod init;
pub mod layer;
pub mod metric;
#[cfg(feature = "optim")]
pub mod optim;

mod activation;
mod autodiff;
mod check;
mod context;
mod error;
mod error_norm;
mod map_grad;
mod matmul;
mod named;
mod read;
mod row_function;
mod statistics;
#[cfg(feature = "flex")]
mod storage;

pub use activation::NonNegativeActivation;
#[doc(inline)]
pub use circuit::{
    ColumnEiWeights, Currents, EiWeights, INormWeights, InhibitoryPlasticity, NormalizedOver,
    ShuntingWeights,
};
pub use error::Error;
#[doc(inline)]
pub use grad::{
    GradNorm, GradNormConfig, GradNormMode, LearnedLateral, LearnedLateralConfig, map_grad,
};
#[doc(inline)]
pub use init::{EiInitializer, Inhibitory};
#[doc(inline)]
pub use layer::{
    ColumnEiConv2d, ColumnEiConv2dConfig, ColumnEiLinear, ColumnEiLinearConfig, ColumnEiRnn,
    ColumnEiRnnConfig, EiConv2d, EiConv2dConfig, EiLinear, EiLinearConfig, EiRnn, EiRnnConfig,
    INormConv2d, INormConv2dConfig, INormLinear, INormLinearConfig, INormRnn, INormRnnConfig,
    InputCheck, RnnState, ShuntingConv2d, ShuntingConv2dConfig, ShuntingLinear,
    ShuntingLinearConfig, ShuntingRnn, ShuntingRnnConfig,
};
/// The crate with the random generators for `try_init_with`.
pub use rand;
#[doc(hidden)]
pub use read::device_reads;

/// The most used items: `use ei_norm::prelude::*;`.
pub mod prelude {
    pub use crate::{
        ColumnEiConv2d, ColumnEiConv2dConfig, ColumnEiLinear, ColumnEiLinearConfig, ColumnEiRnn,
        ColumnEiRnnConfig, EiConv2d, EiConv2dConfig, EiInitializer, EiLinear, EiLinearConfig,
        EiRnn, EiRnnConfig, GradNorm, GradNormConfig, GradNormMode, INormConv2d, INormConv2dConfig,
        INormLinear, INormLinearConfig, INormRnn, INormRnnConfig, Inhibitory,
        NonNegativeActivation, NormalizedOver, RnnState, ShuntingConv2d, ShuntingConv2dConfig,
        ShuntingLinear, ShuntingLinearConfig, ShuntingRnn, ShuntingRnnConfig, dale, map_grad,
    };
}

/// The README, so that its examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
