//! f16 and bf16 on Flex: a training step of every layer against the same step in f32, from weights, inputs
//! and errors that all three types represent exactly.

use crate::common::Setup;
use crate::common::table::{largest_error, layers};
use burn::tensor::{DType, Device};

fn flex(dtype: DType, tolerance: f64) -> Setup {
    Setup {
        name: "flex",
        device: Device::flex(),
        dtype,
        tolerance,
    }
}

/// `unit` is the distance from 1 to the next number of the type.
fn near_f32(dtype: DType, unit: f64) {
    // Several consecutive roundings, each of half a unit. A sum over examples, such as the gradient of the
    // one α of a shunting convolution, may be small compared with its terms.
    const ROUNDINGS: f64 = 32.0;
    let (half, single) = (flex(dtype, ROUNDINGS * unit), flex(DType::F32, 0.0));
    let mut failures = Vec::new();
    for layer in layers() {
        let (error, place) = largest_error(&layer.step(&half), &layer.step(&single));
        let units = error / unit;
        println!("{dtype:?} {:24} {units:.2} units, {place}", layer.name);
        if error > half.tolerance {
            failures.push(format!("{}, {place}: {units} units", layer.name));
        }
        // A computation in f32 would give the same numbers.
        assert!(error > 0.0, "{} was not computed in {dtype:?}", layer.name);
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn f16_is_near_f32() {
    near_f32(DType::F16, f64::powi(2.0, -10));
}

#[test]
fn bf16_is_near_f32() {
    near_f32(DType::BF16, f64::powi(2.0, -7));
}
