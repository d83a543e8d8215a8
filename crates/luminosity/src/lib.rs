//! The experiment of "Inhibitory normalization of error signals improves learning in neural circuits" (Eyono
//! et al. 2026): networks of excitatory and inhibitory units learn Fashion-MNIST under variable luminosity.
//!
//! Data flows one way: [`data`] → [`stimulus`] → [`network`], [`condition`] → [`mod@run`] → [`record`] →
//! `report`. A [`sweep`] lists the runs, `schedule` makes them, a [`store`] keeps their records; `compare`
//! adds a figure to the report of the smallest sweep. The layers and their equations are in [`ei_norm`].

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(unused_crate_dependencies))]

pub mod catalogue;
mod chart;
pub mod cli;
mod compare;
pub mod condition;
mod config;
pub mod data;
mod device;
mod dump;
mod files;
mod inflate;
mod machine;
pub mod measure;
mod memory;
pub mod network;
pub mod optimizer;
mod parallel;
pub mod random;
pub mod record;
mod report;
pub mod run;
mod saved;
mod schedule;
mod signal;
mod stats;
pub mod stimulus;
pub mod store;
pub mod sweep;

mod error;
#[cfg(test)]
mod mutations;
mod panics;

pub use condition::Condition;
pub use config::RunConfig;
pub use device::DeviceName;
pub use error::Error;
pub use network::{Learner, Network};
