//! Optimizers that keep Dale's law, for Burn's [`ModuleOptimizer`](burn::optim::ModuleOptimizer); learning
//! rates by the role of a parameter; and checked records of optimizers.

mod corrected;
mod exponentiated;
mod per_network;
mod projected;
mod record;
mod schedule;
mod sgd;
mod state;

pub use corrected::{CorrectedSgd, CorrectedSgdConfig};
pub use exponentiated::{
    Exponentiated, ExponentiatedAdamConfig, ExponentiatedSgdConfig, Unconstrained,
};
pub use per_network::PerNetwork;
pub use projected::Projected;
pub use record::CheckedRecord;
pub use schedule::RoleLrSchedulerConfig;
pub use sgd::{PopulationSgd, ProjectedSgd};
