//! The experiment of "Inhibitory normalization of error signals improves learning in neural circuits" (Eyono
//! et al. 2026): networks of excitatory and inhibitory units learn Fashion-MNIST under variable luminosity.
//!
//! Data flows one way: [`data`] → [`stimulus`] → [`network`], [`condition`] → [`mod@run`] → `record` →
//! `report`. A `sweep` lists the runs, `schedule` makes them, and a `store` keeps their records; `compare`
//! adds one figure to the report of a sweep of one setting. The layers and their equations are in [`ei_norm`].

#![deny(unsafe_code)]
#![cfg_attr(not(test), warn(unused_crate_dependencies))]

mod bounds;
mod catalogue;
mod chart;
pub mod cli;
mod compare;
pub mod condition;
mod config;
pub mod data;
mod device;
mod dump;
mod error;
mod files;
mod inflate;
mod machine;
pub mod measure;
mod memory;
#[cfg(test)]
mod mutations;
pub mod network;
pub mod optimizer;
mod panics;
mod parallel;
pub mod random;
mod record;
mod report;
pub mod run;
mod saved;
mod schedule;
mod signal;
mod stats;
pub mod stimulus;
mod store;
mod sweep;

pub use catalogue::{Catalogue, Entry, Named};
pub use condition::Condition;
pub use config::RunConfig;
pub use device::DeviceName;
pub use error::Error;
pub use network::{Learner, Network};
pub use record::{Alignment, Alignments, Epoch, Measures, Outcome, RunRecord, Timing};
pub use sweep::Ranges;
