//! A backend that is compiled into Burn but not enabled in ei-norm: here NdArray, with the feature `unlisted`
//! of this package.

#![cfg(not(feature = "ndarray"))]
#![allow(deprecated)] // NdArray goes with Burn 0.23.

#[path = "library/common/mod.rs"]
#[allow(dead_code)] // Of what the tests share this one uses little.
mod common;

use burn::tensor::{DType, Device, Tensor};
use common::table::{READS, largest_error, layers};
use common::{Setup, assert_same, leaf, panic_of, values};
use ei_norm::grad::{clip_grad_norm, is_listed, normalize_grad, reverse_grad};
use ei_norm::{GradNormMode, map_grad};

fn numbers(device: &Device) -> Tensor<2> {
    Tensor::from_floats([[1.0, -2.0, 4.0], [0.5, 3.0, -1.0]], device)
}

#[test]
fn only_enabled_backends_are_listed() {
    for (device, expected) in [(Device::flex(), true), (Device::ndarray(), false)] {
        let plain = numbers(&device);
        let in_a_graph = leaf(&plain) * 2.0;
        for x in [plain.clone(), plain.autodiff(), in_a_graph] {
            assert_eq!(is_listed(&x), expected, "{:?}", x.device());
        }
    }
}

#[test]
fn gradients_cannot_be_changed_and_the_message_names_the_feature() {
    let x = leaf(&numbers(&Device::ndarray()));
    let tools: [(&str, &dyn Fn(Tensor<2>) -> Tensor<2>); 4] = [
        ("map_grad", &|x| map_grad(x, |error| error)),
        ("normalize_grad", &|x| {
            normalize_grad(x, GradNormMode::Full, None, 1e-5)
        }),
        ("clip_grad_norm", &|x| clip_grad_norm(x, 1.0)),
        ("reverse_grad", &|x| reverse_grad(x, 1.0)),
    ];
    for (name, tool) in tools {
        let message = panic_of(|| drop(tool(x.clone())));
        assert_eq!(
            message,
            "the backend of NdArray(Cpu) is enabled in Burn but not in ei-norm; enable the feature \
             `ndarray` of ei-norm",
            "{name}"
        );
    }
}

#[test]
fn what_changes_no_gradient_works() {
    let plain = numbers(&Device::ndarray());
    // Without a graph there is no error to change.
    for x in [plain.clone(), plain.clone().autodiff()] {
        assert_same(&map_grad(x.clone(), |error| error * 2.0), &x, "map_grad");
        let normalized = normalize_grad(x.clone(), GradNormMode::Full, None, 1e-5);
        assert_same(&normalized, &x, "normalize_grad");
    }
    // With a graph, but a mode that does not change errors.
    let x = leaf(&plain);
    let same = normalize_grad(x.clone(), GradNormMode::Identity, None, 1e-5);
    let gradients = (same * 3.0).sum().backward();
    let of_x = x.grad(&gradients).expect("a gradient");
    assert_eq!(values(&of_x), [3.0; 6]);
    // The rules alone are plain tensor operations.
    let found = GradNormMode::Full.apply(plain.clone(), plain, None, 1e-5);
    let z = numbers(&Device::flex());
    let expected = GradNormMode::Full.apply(z.clone(), z, None, 1e-5);
    common::assert_close(&values(&found), &values(&expected), 1e-5, "the rule");
}

#[test]
fn layers_compute_in_plain_tensor_operations() {
    const TOLERANCE: f64 = 1e-12;
    let setup = |name, device| Setup {
        name,
        device,
        dtype: DType::F64,
        tolerance: TOLERANCE,
    };
    let flex = setup("flex", Device::flex());
    let ndarray = setup("ndarray", Device::ndarray());
    let mut found = 0;
    for row in layers() {
        let step = || row.compute(&ndarray);
        if row.changes_errors() {
            let message = panic_of(|| drop(step()));
            assert!(message.contains("`ndarray` of ei-norm"), "{message}");
            continue;
        }
        let [stepped, expected] = [step(), row.compute(&flex)].map(|numbers| {
            let (reads, rest): (Vec<_>, _) =
                numbers.into_iter().partition(|(name, _)| name == READS);
            // The step reads each fixed weight, because nothing tells that the optimizer left it alone.
            assert_eq!([reads[0].1[0], reads[0].1[2]], [0.0; 2], "{}", row.name);
            rest
        });
        let (error, place) = largest_error(&stepped, &expected);
        assert!(error <= TOLERANCE, "{}, {place}: {error:e}", row.name);
        found += 1;
    }
    assert!(found >= 10, "{found} layers");
}
