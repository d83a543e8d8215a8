//! Weights in files (feature `import`): from PyTorch and safetensors to a model, and from a model to
//! safetensors.
//!
//! [`Weights`] are the tensors of a file by key. A [`KeyMap`] assigns keys to parameters, with the order of
//! their axes. [`Import`] checks everything and then sets every parameter, or returns an error that names the
//! key and leaves the model unchanged.
//!
//! ```
//! use burn::tensor::Device;
//! use ei_norm::{EiLinear, EiLinearConfig};
//! use ei_norm::import::{Import, KeyMap, Weights};
//!
//! # fn main() -> Result<(), ei_norm::Error> {
//! let device = Device::flex();
//! let trained: EiLinear = EiLinearConfig::new(7, 5).try_init(&device)?;
//! let bytes = Weights::of(&trained, &KeyMap::of(&trained))?.to_safetensors()?;
//!
//! let mut model: EiLinear = EiLinearConfig::new(7, 5).try_init(&device)?;
//! let map = KeyMap::of(&model);
//! Import::new(map).apply(&Weights::from_safetensors(&bytes)?, &mut model)?;
//! assert_eq!(model.w_ex.val().into_data(), trained.w_ex.val().into_data());
//! # Ok(())
//! # }
//! ```

mod apply;
mod file;
mod key_map;
mod parameters;
mod weights;

pub use apply::{Import, Signs};
pub use key_map::{Axes, KeyMap};
pub use weights::Weights;
