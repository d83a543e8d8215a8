//! Control over back-propagated errors: [`map_grad`] and, built on it, [`GradNorm`].

mod map;
mod norm;
mod op;
mod rule;

pub use map::map_grad;
pub use norm::{GradNorm, GradNormConfig, GradNormMode, grad_norm};
pub(crate) use op::attach;
