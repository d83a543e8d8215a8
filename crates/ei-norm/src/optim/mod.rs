//! Optimizers that know Dale's law, for Burn's [`ModuleOptimizer`](burn::optim::ModuleOptimizer).

mod sgd;

pub use sgd::ProjectedSgd;
