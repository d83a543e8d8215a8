//! Excitatory/inhibitory layers (Dale's law) and control over back-propagated errors, for
//! [Burn](https://burn.dev).
//!
//! - [`EiLinear`], [`INormLinear`]: layers whose neurons excite or inhibit, never both.
//! - [`EiConv2d`], [`INormConv2d`], [`ShuntingConv2d`]: such layers at each position of an image.
//! - [`EiRnn`], [`INormRnn`]: recurrent networks of such neurons.
//! - [`ShuntingLinear`], whose inhibition also divides, and [`ColumnEiLinear`], whose inputs excite or
//!   inhibit; any [`dale::Weight`] can have a mask of the connections that exist.
//! - [`map_grad`]: the identity in the forward pass; any function of the error in the backward pass.
//! - [`GradNorm`]: the error normalizations of "Inhibitory normalization of error signals improves
//!   learning in neural circuits" (Eyono et al., 2026), built on it.
//! - [`LearnedLateral`]: lateral inhibition of errors that learns to center them.
//! - [`grad`]: besides these, a toolbox to clip, scale, reverse and perturb errors, to read the error
//!   of any tensor, and to find where it stops being finite.
//! - [`dale`]: which parameters have a fixed sign, their projection after a step, and a check.
//! - `import` (feature `import`): weights of PyTorch and safetensors files.
//! - `optim` (feature `optim`): descent and projection in one pass.
//!
//! ```
//! use burn::prelude::*;
//! use ei_norm::{EiLinear, EiLinearConfig};
//!
//! # fn main() -> Result<(), ei_norm::Error> {
//! let device = Device::flex();
//! let layer: EiLinear = EiLinearConfig::new(784, 100).try_init(&device)?;
//! let z = layer.forward(Tensor::<2>::ones([32, 784], &device));
//! assert_eq!(z.dims(), [32, 100]);
//! ei_norm::dale::check(&layer)?;
//! # Ok(())
//! # }
//! ```
//!
//! The [guide] leads from an ordinary model to one with these layers; [training] compares ways to keep
//! signs, optimizers and rates, [extending] shows the toolbox, and [backends] says what runs where.
//!
//! [guide]: https://github.com/ei-norm/ei-norm/blob/main/docs/guide.md
//! [training]: https://github.com/ei-norm/ei-norm/blob/main/docs/training.md
//! [extending]: https://github.com/ei-norm/ei-norm/blob/main/docs/extending.md
//! [backends]: https://github.com/ei-norm/ei-norm/blob/main/docs/backends.md
//!
//! Shapes follow Burn's `Linear`: a weight from `n` inputs to `m` outputs is `[n, m]`, the transpose
//! of the paper's post × pre matrices.

#![warn(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

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

mod context;
mod error;
mod kernel;
mod matmul;
mod storage;

pub use error::Error;
pub use functional::NonNegativeActivation;
pub use grad::{
    GradNorm, GradNormConfig, GradNormMode, LearnedLateral, LearnedLateralConfig, map_grad,
};
pub use init::{Inhibitory, Initializer};
pub use layer::{
    ColumnEiLinear, ColumnEiLinearConfig, ColumnEiWeights, ConvGeometry, EiConv2d, EiConv2dConfig,
    EiConv2dWeights, EiCurrents, EiLinear, EiLinearConfig, EiRnn, EiRnnCell, EiRnnConfig, EiState,
    EiWeights, INormConv2d, INormConv2dConfig, INormConv2dWeights, INormCurrents, INormLinear,
    INormLinearConfig, INormRnn, INormRnnCell, INormRnnConfig, INormWeights, InhibitoryPlasticity,
    InputCheck, ShuntingConv2d, ShuntingConv2dConfig, ShuntingConv2dWeights, ShuntingCurrents,
    ShuntingLinear, ShuntingLinearConfig, ShuntingWeights,
};

/// Everything a model needs: `use ei_norm::prelude::*;`.
pub mod prelude {
    pub use crate::{
        ColumnEiLinear, ColumnEiLinearConfig, EiConv2d, EiConv2dConfig, EiLinear, EiLinearConfig,
        EiRnn, EiRnnConfig, EiState, GradNorm, GradNormConfig, GradNormMode, INormConv2d,
        INormConv2dConfig, INormLinear, INormLinearConfig, INormRnn, INormRnnConfig, Inhibitory,
        Initializer, NonNegativeActivation, ShuntingConv2d, ShuntingConv2dConfig, ShuntingLinear,
        ShuntingLinearConfig, dale, map_grad,
    };
}

/// The README, so that its examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
