//! Optimizers that know Dale's law, for Burn's [`ModuleOptimizer`](burn::optim::ModuleOptimizer).

mod projected;
mod sgd;

pub use projected::Projected;
pub use sgd::ProjectedSgd;
