//! What the examples, benchmarks and tests of ei-norm share.

pub mod golden;
