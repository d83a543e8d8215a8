//! The tests of the library `ei-norm`, in one binary, because each test binary links all of Burn.

#![cfg(feature = "flex")]

mod common;

mod backends;
mod checkpointing;
mod contracts;
mod conv;
mod dale;
mod dale_check;
mod dale_reparameterized;
mod dense;
mod empty;
mod exponentiated;
mod golden;
mod gpu;
mod grad_norm;
mod half;
mod i_norm_init;
mod i_norm_over;
mod i_norm_plasticity;
mod i_norm_uniform;
mod import;
mod import_files;
mod import_models;
mod initial_weights;
mod input_check;
mod kernel;
mod lateral_weights;
mod learned_lateral;
mod map_grad;
mod masks;
mod metric;
mod module;
mod module_interface;
mod normalize;
mod optimizer_record;
mod padded;
mod population;
mod products;
mod projected;
mod properties;
mod properties_dale;
mod properties_errors;
mod properties_forms;
mod reads;
mod refused;
mod reparameterize;
mod rnn;
mod rnn_module;
mod roles;
mod signed_and_spectral;
mod toolbox;
mod training;
