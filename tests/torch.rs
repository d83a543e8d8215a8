//! A training step of every layer on LibTorch, compared with the same step on Flex.

#![allow(deprecated)] // Burn advises against LibTorch.

#[path = "library/common/mod.rs"]
#[allow(dead_code)] // Of what the tests share this one uses little.
mod common;

use burn::tensor::{DType, Device};
use common::Setup;
use common::table::{largest_error, layers};

#[test]
fn a_step_on_libtorch_is_the_step_on_flex() {
    for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-13)] {
        let setup = |name, device| Setup {
            name,
            device,
            dtype,
            tolerance,
        };
        let flex = setup("flex", Device::flex());
        let torch = setup("torch", Device::libtorch());
        for layer in layers() {
            let (error, place) = largest_error(&layer.step(&torch), &layer.step(&flex));
            println!("{:24} {error:.1e} {place}", layer.name);
            assert!(error <= tolerance, "{}, {place}: {error:e}", layer.name);
        }
    }
}
